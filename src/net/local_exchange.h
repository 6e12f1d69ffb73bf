// Requests that this process makes of its own handlers, without a connection.
#pragma once

#include <string>

#include "net/http.h"

namespace hotswap::net {

// A request with its whole body.
struct LocalRequest {
  std::string method = "GET";
  std::string target{};  // path and query
  http::fields headers{};
  std::string body{};
  http::fields trailers{};
  tcp::endpoint peer{};
  TraceContext trace{};
};

// Serves it to a handler. Of the reply it keeps the status; what becomes of the body, those say who derive from it.
// Used on one executor.
class LocalExchange : public Exchange {
 public:
  // The request outlives it.
  explicit LocalExchange(const LocalRequest& request) : request_(request) {}

  // 0 where nothing was replied.
  [[nodiscard]] unsigned status() const noexcept { return status_; }
  // A whole reply was sent, and not cut.
  [[nodiscard]] bool complete() const noexcept { return finished_ && !aborted_; }

  [[nodiscard]] std::string_view method() const override { return request_.method; }
  [[nodiscard]] std::string_view target() const override { return request_.target; }
  [[nodiscard]] std::string_view path() const override;
  [[nodiscard]] std::string_view query() const override;
  [[nodiscard]] const http::fields& headers() const override { return request_.headers; }
  [[nodiscard]] std::string_view header(http::field name) const override;
  [[nodiscard]] tcp::endpoint peer() const override { return request_.peer; }
  [[nodiscard]] const TraceContext& trace() const override { return request_.trace; }
  [[nodiscard]] const std::vector<std::string>& params() const override { return params_; }
  [[nodiscard]] std::optional<std::uint64_t> body_size() const override { return request_.body.size(); }
  Task<Result<std::size_t>> read_some(std::span<std::byte> into) override;
  Task<Result<std::string>> read_all(std::size_t limit) override;
  [[nodiscard]] std::string_view buffered_body() override;
  [[nodiscard]] bool body_done() const override { return read_ == request_.body.size(); }
  [[nodiscard]] const http::fields& trailers() const override { return request_.trailers; }

  Task<Result<>> reply(unsigned status, std::string_view content_type, std::string_view body,
                       std::span<const Header> headers) override;
  Task<Result<>> begin(unsigned status, std::span<const Header> headers, std::optional<std::uint64_t> size) override;
  Task<Result<>> write(std::span<const std::byte> bytes) override;
  Task<Result<>> finish(std::span<const Header> trailers) override;
  void abort() override { aborted_ = true; }
  [[nodiscard]] bool replied() const override { return status_ != 0; }
  // Nobody leaves: completes when it is cancelled.
  Task<void> peer_gone() override;

 private:
  // The next bytes of the reply's body. An error cuts the reply.
  virtual Result<> take(std::string_view bytes) = 0;
  Result<> take_or_abort(std::string_view bytes);

  const LocalRequest& request_;
  std::size_t read_ = 0;
  std::vector<std::string> params_;
  unsigned status_ = 0;
  bool finished_ = false;
  bool aborted_ = false;
};

// Drops the reply's body, and cuts a reply that is larger than `limit` bytes.
class BoundedExchange final : public LocalExchange {
 public:
  BoundedExchange(const LocalRequest& request, std::size_t limit) : LocalExchange(request), left_(limit) {}

 private:
  Result<> take(std::string_view bytes) override;

  std::size_t left_;
};

}  // namespace hotswap::net
