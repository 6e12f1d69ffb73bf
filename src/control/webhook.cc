#include "control/webhook.h"

#include <fmt/format.h>

#include "base/backoff.h"
#include "base/digest.h"
#include "base/log.h"

namespace hotswap::control {
namespace {

constexpr auto kForever = std::chrono::steady_clock::time_point::max();
constexpr unsigned kFirstSuccess = 200;
constexpr unsigned kLastSuccess = 299;

}  // namespace

Webhook::Webhook(asio::any_io_executor home, const ScalingOptions& options, Parts parts)
    : options_(options),
      parts_(parts),
      added_(home),
      stopped_(std::move(home)),
      delivered_(parts.metrics.counter("wasm.scaling.webhooks.delivered.total", "Scaling decisions that were told")),
      retried_(parts.metrics.counter("wasm.scaling.webhooks.retried.total", "Tries to tell one that failed")),
      given_up_(parts.metrics.counter("wasm.scaling.webhooks.failed.total", "Scaling decisions that nobody took")) {}

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
  while (!stopping_ && wanted()) {
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
  net::WebRequest request{.method = "POST",
                          .url = options_.webhook_url,
                          .headers = {{"Content-Type", "application/json"},
                                      {"hotswap-event", "scaling"},
                                      {"hotswap-delivery", std::to_string(event.sequence)}},
                          .body = to_json_text(event),
                          .timeout = limits::kWebhookTimeout,
                          .response_bytes = limits::kWebhookReplyBytes};
  if (!options_.webhook_secret.empty()) {
    request.headers.emplace_back("hotswap-signature", "sha256=" + hmac_sha256(options_.webhook_secret, request.body));
  }
  const auto response = co_await parts_.web.send(std::move(request));
  if (!response) co_return std::unexpected(response.error());
  if (response->status >= kFirstSuccess && response->status <= kLastSuccess) co_return Result<>{};
  co_return fail(ErrorKind::kUpstream, fmt::format("the webhook answered with status {}", response->status));
}

}  // namespace hotswap::control
