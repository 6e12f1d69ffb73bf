// The two ends of copying an HTTP request: a live exchange that is watched, and one without a client.
#pragma once

#include <boost/asio/steady_timer.hpp>

#include <optional>
#include <string>

#include "net/local_exchange.h"
#include "node/shadow_answer.h"

namespace hotswap::node {

// Passes everything on to the live exchange, and keeps what its handler reads and replies.
class RecordingExchange final : public net::Exchange {
 public:
  explicit RecordingExchange(net::Exchange& live) : live_(live) {}

  // After the reply: what its handler left of the body, up to limits::kShadowBodyBytes. Nothing from a client that
  // waits for leave to send it.
  Task<void> read_rest();
  // nullopt where the body was longer than limits::kShadowBodyBytes, or was not read to its end.
  [[nodiscard]] std::optional<net::LocalRequest> request() const;
  // Status and content; once, after the reply.
  [[nodiscard]] Answer take_answer();

  [[nodiscard]] std::string_view method() const override { return live_.method(); }
  [[nodiscard]] std::string_view target() const override { return live_.target(); }
  [[nodiscard]] std::string_view path() const override { return live_.path(); }
  [[nodiscard]] std::string_view query() const override { return live_.query(); }
  [[nodiscard]] const net::http::fields& headers() const override { return live_.headers(); }
  [[nodiscard]] std::string_view header(net::http::field name) const override { return live_.header(name); }
  [[nodiscard]] net::tcp::endpoint peer() const override { return live_.peer(); }
  [[nodiscard]] const TraceContext& trace() const override { return live_.trace(); }
  [[nodiscard]] const std::vector<std::string>& params() const override { return live_.params(); }
  void set_params(std::vector<std::string> params) override { live_.set_params(std::move(params)); }
  [[nodiscard]] std::optional<std::uint64_t> body_size() const override { return live_.body_size(); }
  Task<Result<std::size_t>> read_some(std::span<std::byte> into) override;
  Task<Result<std::string>> read_all(std::size_t limit) override;
  [[nodiscard]] std::string_view buffered_body() override;
  [[nodiscard]] bool body_done() const override { return live_.body_done(); }
  [[nodiscard]] const net::http::fields& trailers() const override { return live_.trailers(); }

  Task<Result<>> reply(unsigned status, std::string_view content_type, std::string_view body,
                       std::span<const net::Header> headers) override;
  Task<Result<>> begin(unsigned status, std::span<const net::Header> headers,
                       std::optional<std::uint64_t> size) override;
  Task<Result<>> write(std::span<const std::byte> bytes) override;
  Task<Result<>> finish(std::span<const net::Header> trailers) override { return live_.finish(trailers); }
  void abort() override { live_.abort(); }
  [[nodiscard]] bool replied() const override { return live_.replied(); }
  Task<void> peer_gone() override { return live_.peer_gone(); }

 private:
  void read(std::string_view bytes);

  net::Exchange& live_;
  std::string body_;
  bool too_long_ = false;
  Answer answer_;
};

// Serves a copied request to a handler and keeps the answer. Its client leaves when its patience ends, or end() is
// called. Used on one thread.
class CopiedExchange final : public net::LocalExchange {
 public:
  // The request outlives it.
  CopiedExchange(const asio::any_io_executor& home, const net::LocalRequest& request,
                 std::chrono::nanoseconds patience);

  // Whoever waits for peer_gone() goes on.
  void end();
  // Status and content; once, after the reply.
  [[nodiscard]] Answer take_answer();

  Task<void> peer_gone() override;

 private:
  Result<> take(std::string_view bytes) override;

  Content content_;
  asio::steady_timer patience_;
  bool ended_ = false;
};

}  // namespace hotswap::node
