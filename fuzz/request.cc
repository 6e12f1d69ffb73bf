// An HTTP request (after one byte that says how it is cut).
#include <boost/beast/http/error.hpp>

#include <string>

#include "fuzz/pieces.h"
#include "net/request_parser.h"

namespace hotswap {
namespace {

namespace http = boost::beast::http;

class Reader {
 public:
  Reader() {
    parser_.header_limit(8192);
    parser_.piece_limit(SIZE_MAX);
  }

  // False once nothing more is to be pushed.
  bool push(std::string_view bytes) {
    held_ += bytes;
    while (!held_.empty() && !parser_.is_done()) {
      boost::beast::error_code error;
      const std::size_t used = parser_.put(boost::asio::const_buffer(held_.data(), held_.size()), error);
      body_ += parser_.take_piece();
      held_.erase(0, used);
      if (error == http::error::need_more) return true;
      if (error) return false;
    }
    return !parser_.is_done();
  }

  // What the server would act on. Where a mistake shows before the head or chunk that it is in has come whole, the one
  // reader has refused it and the other still waits: neither acts.
  [[nodiscard]] std::string seen() const {
    if (!parser_.is_header_done()) return "no head";
    std::string text = std::string(head_.method) + " " + head_.target;
    for (const auto& field : head_.fields) {
      text += "\n" + std::string(field.name_string()) + ": " + std::string(field.value());
    }
    return text + "\n\n" + body_ + (parser_.is_done() ? "\nwhole" : "\ncut");
  }

 private:
  net::RequestHead head_;
  net::RequestParser parser_{head_};
  std::string held_;
  std::string body_;
};

}  // namespace
}  // namespace hotswap

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hotswap;
  if (size == 0 || size > 8000) return 0;
  const auto bytes = fuzz::text_of(data + 1, size - 1);
  Reader whole;
  whole.push(bytes);
  Reader cut;
  for (fuzz::Pieces pieces(bytes, data[0]); !pieces.empty() && cut.push(pieces.next());) {
  }
  fuzz::require(whole.seen() == cut.seen(), "the request does not depend on how it arrives");
  return 0;
}
