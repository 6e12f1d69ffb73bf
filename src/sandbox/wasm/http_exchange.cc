#include "sandbox/wasm/http_exchange.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/string.hpp>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/limits.h"

namespace hotswap::wasm {
namespace {

using namespace asio::experimental::awaitable_operators;

// A response is sent with one write while it is no longer than this and the guest has not paused.
constexpr std::size_t kCoalesceBytes = 64 * limits::kKiB;

using OwnedHeaders = std::vector<std::pair<std::string, std::string>>;

OwnedHeaders fields_of(const eng_call* call) {
  OwnedHeaders fields;
  eng_call_fields(
      call,
      [](void* data, eng_slice name, eng_slice value) {
        static_cast<OwnedHeaders*>(data)->emplace_back(view(name), view(value));
      },
      &fields);
  return fields;
}

std::vector<net::Header> views_of(const OwnedHeaders& fields) { return {fields.begin(), fields.end()}; }

// Headers that the platform writes itself, or that its nodes tell each other.
bool not_the_clients(std::string_view name) {
  using boost::beast::iequals;
  constexpr std::string_view kInternal = "x-hotswap-";
  return iequals(name, "traceparent") || iequals(name, "x-forwarded-prefix") || iequals(name, kViaHeader) ||
         (name.size() > kInternal.size() && (name[0] == 'x' || name[0] == 'X') &&
          iequals(name.substr(0, kInternal.size()), kInternal));
}

// The status of the problem document for a guest that failed before its first byte.
ErrorKind status_of(GuestFailure failure) {
  return failure == GuestFailure::Timeout ? ErrorKind::kDeadline : ErrorKind::kUpstream;
}

// The guest's response on its way out: held back while it may still become one write, streamed after that.
class Response {
 public:
  explicit Response(net::Exchange& exchange) : exchange_(exchange) {}

  [[nodiscard]] bool has_head() const noexcept { return status_ != 0; }
  [[nodiscard]] unsigned status() const noexcept { return status_; }
  [[nodiscard]] bool begun() const noexcept { return begun_; }

  void take_head(const eng_call* call) {
    status_ = eng_call_status(call);
    fields_ = fields_of(call);
    // The server writes Content-Length itself.
    const auto stated = std::ranges::find_if(
        fields_, [](const auto& field) { return boost::beast::iequals(field.first, "content-length"); });
    if (stated != fields_.end()) {
      std::uint64_t size = 0;
      const auto& text = stated->second;
      if (std::from_chars(text.data(), text.data() + text.size(), size).ec == std::errc{}) size_ = size;
      fields_.erase(stated);
    }
  }

  Task<Result<>> take_body(std::string_view bytes) {
    if (!begun_ && held_.size() + bytes.size() <= kCoalesceBytes) {
      held_ += bytes;
      co_return Result<>{};
    }
    HS_CO_CHECK(co_await flush());
    co_return co_await exchange_.write(std::as_bytes(std::span(bytes)));
  }

  void take_trailers(const eng_call* call) { trailers_ = fields_of(call); }

  // Sends what is there; from now on the response streams.
  Task<Result<>> flush() {
    if (begun_) co_return Result<>{};
    begun_ = true;
    const auto headers = views_of(fields_);
    HS_CO_CHECK(co_await exchange_.begin(status_, headers, size_));
    if (!held_.empty()) HS_CO_CHECK(co_await exchange_.write(std::as_bytes(std::span(held_))));
    held_.clear();
    co_return Result<>{};
  }

  Task<Result<>> complete() {
    const auto headers = views_of(fields_);
    if (!begun_ && trailers_.empty() && (!size_ || *size_ == held_.size())) {
      co_return co_await exchange_.reply(status_, {}, held_, headers);
    }
    HS_CO_CHECK(co_await flush());
    const auto trailers = views_of(trailers_);
    co_return co_await exchange_.finish(trailers);
  }

 private:
  net::Exchange& exchange_;
  unsigned status_ = 0;
  OwnedHeaders fields_;
  OwnedHeaders trailers_;
  std::optional<std::uint64_t> size_;
  std::string held_;
  bool begun_ = false;
};

// The rest of the request's body on its way in, as fast as the guest takes it. Afterwards watches for the client's
// leaving, so it ends only when the client has left (or is cancelled by the end of the call).
class RequestBody {
 public:
  RequestBody(net::Exchange& exchange, const eng_call* call, const asio::any_io_executor& home)
      : exchange_(exchange), body_(eng_call_body(call)), room_(home) {}

  Task<void> run() {
    std::array<std::byte, 16 * limits::kKiB> buffer;
    while (!exchange_.body_done()) {
      const std::size_t room = eng_body_room(body_.get());
      if (room == 0) {
        room_.expires_at(asio::steady_timer::time_point::max());
        co_await room_.async_wait(asio::as_tuple(asio::use_awaitable));
        continue;
      }
      const auto count = co_await exchange_.read_some(std::span(buffer).first(std::min(room, buffer.size())));
      if (!count) {
        eng_body_abort(body_.get());
        co_return;
      }
      if (*count != 0) {
        eng_body_write(body_.get(), {reinterpret_cast<const std::uint8_t*>(buffer.data()), *count});
      }
    }
    finish();
    co_await exchange_.peer_gone();
  }

  // Called after each poll: the guest may have made room.
  void guest_ran() { room_.cancel(); }

 private:
  void finish() {
    std::vector<eng_pair> trailers;
    for (const auto& field : exchange_.trailers()) {
      trailers.push_back({slice(field.name_string()), slice(field.value())});
    }
    eng_body_finish(body_.get(), trailers.data(), trailers.size());
  }

  net::Exchange& exchange_;
  std::unique_ptr<eng_body, Freer<eng_body_free>> body_;
  asio::steady_timer room_;
};

enum class Step { paused, ended, lost };

// Runs the guest until it pauses or ends, moving what it produces into the response.
Task<Step> run_until_pause(Call& call, Response& response, eng_poll& last) {
  for (;;) {
    if (call.aside()) {
      last = co_await call.poll_aside();
    } else {
      last = call.poll();
    }
    Result<> sent;
    switch (last) {
      case ENG_POLL_PENDING:
      case ENG_POLL_YIELDED:
        co_return Step::paused;
      case ENG_POLL_HEAD:
        response.take_head(call.get());
        break;
      case ENG_POLL_BODY:
        sent = co_await response.take_body(view(eng_call_body_chunk(call.get())));
        break;
      case ENG_POLL_TRAILERS:
        response.take_trailers(call.get());
        break;
      case ENG_POLL_DONE:
        co_return Step::ended;
    }
    if (!sent) {
      call.leave();
      co_return Step::lost;
    }
  }
}

// The part of a call after its first pause.
Task<Step> run_to_end(Call& call, Response& response, RequestBody& body, eng_poll last) {
  for (;;) {
    if (response.has_head() && !co_await response.flush()) {
      call.leave();
      co_return Step::lost;
    }
    if (!co_await call.pause(last)) co_return Step::ended;
    const Step step = co_await run_until_pause(call, response, last);
    body.guest_ran();
    if (step != Step::paused) co_return step;
  }
}

Task<Result<CallOutcome>> conclude(Call& call, Response& response, net::Exchange& exchange, Step step) {
  Result<CallOutcome> outcome;
  if (call.aside()) {
    outcome = co_await call.end_aside();
  } else {
    outcome = call.end();
  }
  if (outcome) outcome->status = response.status();
  if (step == Step::lost) {
    exchange.abort();
    co_return outcome;
  }
  if (outcome && !outcome->failure && response.has_head()) {
    (void)co_await response.complete();  // a failed write means that the client left; there is nobody to tell
    co_return outcome;
  }
  if (response.begun()) {
    exchange.abort();
    co_return outcome;
  }
  Error error = outcome ? Error{ErrorKind::kUpstream, "the module returned no response", {}} : outcome.error();
  if (outcome && outcome->failure) {
    error = {status_of(*outcome->failure),
             "the module failed (" + std::string(enum_name(*outcome->failure)) + "): " + outcome->message,
             {}};
  }
  (void)co_await net::reply_problem(exchange, error);
  co_return outcome;
}

}  // namespace

Result<eng_call*> start_http_call(const Image& image, const eng_grants& grants, net::Exchange& exchange,
                                  std::size_t prefix_size) {
  const std::string_view prefix = exchange.target().substr(0, prefix_size);
  std::string_view target = exchange.target().substr(prefix_size);
  std::string rooted;
  if (!target.starts_with('/')) {  // the prefix alone, as "/m/name" or "/m/name?query"
    rooted = '/' + std::string(target);
    target = rooted;
  }
  const std::string traceparent = exchange.trace().traceparent();
  std::vector<eng_pair> headers;
  headers.reserve(32);
  for (const auto& field : exchange.headers()) {
    if (not_the_clients(field.name_string())) continue;
    headers.push_back({slice(field.name_string()), slice(field.value())});
  }
  headers.push_back({slice("traceparent"), slice(traceparent)});
  if (!prefix.empty()) headers.push_back({slice("x-forwarded-prefix"), slice(prefix)});
  const std::string_view first_bytes = exchange.buffered_body();
  const eng_http_request request{
      .method = slice(exchange.method()),
      .scheme = slice("http"),
      .authority = slice(exchange.header(net::http::field::host)),
      .path_and_query = slice(target),
      .headers = headers.data(),
      .headers_count = headers.size(),
      .body = slice(first_bytes),
      .body_complete = exchange.body_done() && exchange.trailers().begin() == exchange.trailers().end()};
  eng_call* call = nullptr;
  eng_error error{};
  if (!eng_call_http(image.get(), &grants, &request, &call, &error)) {
    Error failure = to_error(error);
    eng_buffer_free(error.message);
    return std::unexpected(std::move(failure));
  }
  return call;
}

Task<Result<CallOutcome>> serve_http(Call& call, net::Exchange& exchange) {
  Response response(exchange);
  eng_poll last = ENG_POLL_YIELDED;
  Step step = call.aside() ? Step::paused : co_await run_until_pause(call, response, last);
  if (step == Step::paused) {
    RequestBody body(exchange, call.get(), co_await asio::this_coro::executor);
    auto winner = co_await (run_to_end(call, response, body, last) || body.run());
    if (winner.index() == 0) {
      step = std::get<0>(winner);
    } else {
      call.leave();
      step = Step::lost;
    }
  }
  co_return co_await conclude(call, response, exchange, step);
}

}  // namespace hotswap::wasm
