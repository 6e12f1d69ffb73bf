#include "control/webhook.h"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <fmt/format.h>

#include <optional>

#include "base/backoff.h"
#include "base/digest.h"
#include "base/log.h"

namespace hotswap::control {
namespace {

// NOLINTNEXTLINE(misc-unused-using-decls): used in a co_await expression below, where clang-tidy does not look
using asio::experimental::awaitable_operators::operator||;

constexpr auto kForever = std::chrono::steady_clock::time_point::max();
constexpr unsigned kFirstSuccess = 200;
constexpr unsigned kLastSuccess = 299;

}  // namespace

Webhook::Webhook(asio::any_io_executor home, const ScalingOptions& options, Parts parts)
    : options_(options),
      parts_(parts),
      added_(home),
      stopped_(home),
      delivered_(parts.metrics.counter("wasm.scaling.webhooks.delivered.total", "Scaling decisions that were told")),
      retried_(parts.metrics.counter("wasm.scaling.webhooks.retried.total", "Tries to tell one that failed")),
      given_up_(parts.metrics.counter("wasm.scaling.webhooks.failed.total", "Scaling decisions that nobody took")) {
  if (options.webhook_url.empty()) return;
  auto url = net::parse_url(options.webhook_url);
  auto client = url ? net::Client::create(std::move(home), url->origin) : std::unexpected(url.error());
  if (!client) {
    log::error("scaling decisions are not told to anybody", "", {{"error", client.error().detail}});
    return;
  }
  url_ = *std::move(url);
  client_ = *std::move(client);
}

void Webhook::stop() {
  stopping_ = true;
  added_.notify();
  stopped_.notify();
}

// Ends early when the control plane stops.
Task<void> Webhook::pause(std::chrono::milliseconds time) {
  if (stopping_) co_return;
  co_await stopped_.wait(stopped_.count(), std::chrono::steady_clock::now() + time);
}

Task<void> Webhook::run() {
  while (!stopping_ && client_ != nullptr) {
    const auto seen = added_.count();
    auto event = co_await parts_.pool.run([this] { return parts_.store.untold_scaling_event(); });
    if (!event) {
      log::warning("scaling decisions cannot be read; trying again", "", {{"error", event.error().detail}});
      co_await pause(limits::kWebhookRetryMax);
    } else if (*event) {
      co_await tell(**event);
    } else {
      co_await added_.wait(seen, kForever);
    }
  }
}

Task<void> Webhook::tell(ScalingEvent event) {
  Backoff backoff(parts_.random, options_.webhook_retry, limits::kWebhookRetryMax);
  for (int tries = 1;; ++tries) {
    const auto done = co_await post(event);
    if (stopping_ && !done) co_return;
    if (done) {
      delivered_.add();
      break;
    }
    if (tries >= limits::kWebhookTries) {
      given_up_.add();
      log::error("scaling decision was not taken by its webhook", "",
                 {{"sequence", event.sequence}, {"tries", tries}, {"error", done.error().detail}});
      break;
    }
    retried_.add();
    co_await pause(backoff.next());
    if (stopping_) co_return;
  }
  const auto told = co_await parts_.pool.run([&] { return parts_.store.scaling_event_told(event.sequence); });
  // It is told once more then.
  if (!told) {
    log::warning("what was told could not be noted", "", {{"error", told.error().detail}});
    co_await pause(limits::kWebhookRetryMax);
  }
}

Task<Result<>> Webhook::post(const ScalingEvent& event) {
  if (stopping_) co_return fail(ErrorKind::kUnavailable, "the control plane is stopping");
  net::ClientRequest request;
  request.method = "POST";
  request.target = url_.target;
  request.body = to_json_text(event);
  request.headers = {{"Content-Type", "application/json"},
                     {"hotswap-event", "scaling"},
                     {"hotswap-delivery", std::to_string(event.sequence)}};
  if (!options_.webhook_secret.empty()) {
    request.headers.emplace_back("hotswap-signature", "sha256=" + hmac_sha256(options_.webhook_secret, request.body));
  }
  request.timeout = limits::kWebhookTimeout;
  request.response_bytes = limits::kWebhookReplyBytes;
  auto answer = co_await (client_->send(std::move(request)) || stopped_.wait(stopped_.count(), kForever));
  if (answer.index() == 1) co_return fail(ErrorKind::kUnavailable, "the control plane is stopping");
  auto& response = std::get<0>(answer);
  if (!response) co_return std::unexpected(std::move(response).error());
  if (response->status >= kFirstSuccess && response->status <= kLastSuccess) co_return Result<>{};
  co_return fail(ErrorKind::kUpstream, fmt::format("the webhook answered with status {}", response->status));
}

}  // namespace hotswap::control
