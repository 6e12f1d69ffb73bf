// A request that this process makes of one of its own handlers, without a connection.
#pragma once

#include <string>

#include "net/http.h"

namespace hotswap::net {

// GET without a body. The reply's status is kept, its body counted and dropped. Used on one executor.
class LocalExchange final : public Exchange {
 public:
  // `target`: path and query. `limit`: bytes of body after which the reply is cut.
  LocalExchange(std::string target, std::string host, TraceContext trace, std::size_t limit);

  // 0 where nothing was replied, or the reply was cut.
  [[nodiscard]] unsigned status() const noexcept { return aborted_ ? 0 : status_; }
  // A whole reply was sent, and not more than the limit.
  [[nodiscard]] bool complete() const noexcept { return finished_ && !aborted_; }

  [[nodiscard]] std::string_view method() const override { return "GET"; }
  [[nodiscard]] std::string_view target() const override { return target_; }
  [[nodiscard]] std::string_view path() const override;
  [[nodiscard]] std::string_view query() const override;
  [[nodiscard]] const http::fields& headers() const override { return headers_; }
  [[nodiscard]] std::string_view header(http::field name) const override;
  [[nodiscard]] tcp::endpoint peer() const override { return {}; }
  [[nodiscard]] const TraceContext& trace() const override { return trace_; }
  [[nodiscard]] const std::vector<std::string>& params() const override { return params_; }
  [[nodiscard]] std::optional<std::uint64_t> body_size() const override { return 0; }
  Task<Result<std::size_t>> read_some(std::span<std::byte> into) override;
  Task<Result<std::string>> read_all(std::size_t limit) override;
  [[nodiscard]] std::string_view buffered_body() override { return {}; }
  [[nodiscard]] bool body_done() const override { return true; }
  [[nodiscard]] const http::fields& trailers() const override { return trailers_; }
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
  Result<> count(std::size_t bytes);

  const std::string target_;
  const TraceContext trace_;
  const std::size_t limit_;
  http::fields headers_;
  http::fields trailers_;
  std::vector<std::string> params_;
  std::size_t received_ = 0;
  unsigned status_ = 0;
  bool finished_ = false;
  bool aborted_ = false;
};

}  // namespace hotswap::net
