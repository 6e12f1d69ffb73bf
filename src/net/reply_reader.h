// Parses one reply out of the bytes that a client has received.
#pragma once

#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>

#include <optional>
#include <span>
#include <string>

#include "net/client.h"

namespace hotswap::net {

// Takes what it has parsed off the front of `in`, which outlives it.
class ReplyReader {
 public:
  ReplyReader(bool to_head_request, std::string& in);

  // nullopt where more bytes are needed. Interim replies, such as "100 Continue", are passed over.
  [[nodiscard]] Result<std::optional<ClientResponse>> take_head();
  // After the head: the next bytes of the body; 0 where more are needed, or at its end, which done() tells.
  [[nodiscard]] Result<std::size_t> take_body(std::span<std::byte> into);
  // The connection has ended, which may be how the reply ends.
  [[nodiscard]] Result<> end_of_stream();

  [[nodiscard]] bool done() const { return parser_->is_done(); }
  [[nodiscard]] bool keep_alive() const { return parser_->is_done() && parser_->keep_alive(); }
  // Of the body, where the reply states it.
  [[nodiscard]] std::optional<std::uint64_t> body_size() const;
  // Behind a chunked body, once it is done.
  [[nodiscard]] HeaderList trailers() const;

 private:
  using Parser = http::response_parser<http::buffer_body>;
  void reset();
  // One step of the parser. False where it needs more bytes.
  Result<bool> parse();

  bool to_head_request_;
  std::string& in_;
  std::optional<Parser> parser_;
};

}  // namespace hotswap::net
