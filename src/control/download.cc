#include "control/download.h"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <charconv>
#include <condition_variable>
#include <deque>
#include <mutex>

#include "base/limits.h"
#include "base/log.h"
#include "control/signal.h"

namespace hotswap::control {
namespace {

constexpr std::size_t kWindow = limits::kMiB;

class Pipe {
 public:
  explicit Pipe(asio::any_io_executor reader)
      : reader_(std::move(reader)), arrived_(std::make_shared<Signal>(reader_)) {}

  // ---- the blocking side
  Result<> put(std::span<const std::byte> bytes) {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [this] { return closed_ || queued_ < kWindow; });
    if (closed_) return fail(ErrorKind::kUnavailable, "the reader went away");
    pieces_.emplace_back(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    queued_ += bytes.size();
    wake();
    return {};
  }
  void end(Result<> outcome) {
    const std::lock_guard lock(mutex_);
    outcome_ = std::move(outcome);
    wake();
  }

  // ---- the coroutine's side
  // The next piece; empty at the end, once the whole content was verified.
  Task<Result<std::string>> take() {
    for (;;) {
      const auto seen = arrived_->count();
      if (auto piece = try_take()) co_return *std::move(piece);
      co_await arrived_->wait(seen, std::chrono::steady_clock::time_point::max());
    }
  }
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    room_.notify_all();
  }

 private:
  std::optional<Result<std::string>> try_take() {
    const std::lock_guard lock(mutex_);
    if (!pieces_.empty()) {
      std::string piece = std::move(pieces_.front());
      pieces_.pop_front();
      queued_ -= piece.size();
      room_.notify_all();
      return piece;
    }
    if (!outcome_) return std::nullopt;
    if (!*outcome_) return std::unexpected(outcome_->error());
    return std::string();
  }
  void wake() {
    asio::post(reader_, [arrived = arrived_] { arrived->notify(); });
  }

  asio::any_io_executor reader_;
  std::shared_ptr<Signal> arrived_;
  std::mutex mutex_;
  std::condition_variable room_;
  std::deque<std::string> pieces_;
  std::size_t queued_ = 0;
  std::optional<Result<>> outcome_;
  bool closed_ = false;
};

Task<Result<>> send(net::Exchange& exchange, Pipe& pipe, std::string piece) {
  while (!piece.empty()) {
    HS_CO_CHECK(co_await exchange.write(std::as_bytes(std::span(piece))));
    auto next = co_await pipe.take();
    if (!next) {
      log::error("binary could not be sent whole", exchange.trace().trace_id(), {{"error", next.error().detail}});
      exchange.abort();
      co_return Result<>{};
    }
    piece = *std::move(next);
  }
  co_return co_await exchange.finish();
}

// N of "bytes=N-"; 0 where the whole is wanted.
std::uint64_t first_byte(const net::Exchange& exchange, std::uint64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  const std::string_view range = exchange.header(net::http::field::range);
  if (!range.starts_with(kUnit) || !range.ends_with('-')) return 0;
  const std::string_view digits = range.substr(kUnit.size(), range.size() - kUnit.size() - 1);
  std::uint64_t first = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), first);
  return error == std::errc{} && end == digits.data() + digits.size() && first < size ? first : 0;
}

}  // namespace

Task<Result<>> send_blob(net::Exchange& exchange, BlobStore& blobs, BlockingPool& transfers, Digest digest,
                         std::uint64_t size_bytes, std::span<const net::Header> headers) {
  if (exchange.method() == "HEAD") {
    HS_CO_CHECK(co_await exchange.begin(200, headers, size_bytes));
    co_return co_await exchange.finish();
  }
  const std::uint64_t first_wanted = first_byte(exchange, size_bytes);
  const auto pipe = std::make_shared<Pipe>(co_await asio::this_coro::executor);
  asio::post(transfers.executor(), [pipe, &blobs, digest, skip = first_wanted] {
    pipe->end(blobs.read(digest, [&pipe, left = skip](std::span<const std::byte> bytes) mutable -> Result<> {
      const auto skipped = static_cast<std::size_t>(std::min<std::uint64_t>(left, bytes.size()));
      left -= skipped;
      return skipped == bytes.size() ? Result<>{} : pipe->put(bytes.subspan(skipped));
    }));
  });
  // Also when this coroutine is cancelled, the blocking side must not wait for room.
  const std::shared_ptr<void> closing(nullptr, [pipe](void*) { pipe->close(); });
  auto first = co_await pipe->take();
  if (!first) {
    const bool absent = first.error().kind == ErrorKind::kNotFound;
    co_return fail(ErrorKind::kInternal, absent ? "the binary is missing from the blob store" : first.error().detail);
  }
  if (first_wanted == 0) {
    HS_CO_CHECK(co_await exchange.begin(200, headers, size_bytes));
  } else {
    const std::string range = fmt::format("bytes {}-{}/{}", first_wanted, size_bytes - 1, size_bytes);
    std::vector<net::Header> all(headers.begin(), headers.end());
    all.emplace_back("Content-Range", range);
    HS_CO_CHECK(co_await exchange.begin(206, all, size_bytes - first_wanted));
  }
  co_return co_await send(exchange, *pipe, *std::move(first));
}

}  // namespace hotswap::control
