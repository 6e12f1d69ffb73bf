// Tells another server of every decision about the number of nodes.
#pragma once

#include <string>

#include "base/blocking_pool.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "control/settings.h"
#include "control/signal.h"
#include "net/web_client.h"
#include "store/store.h"

namespace hotswap::control {

// POSTs each decision as JSON, in order and at least once: what is to be told stands in the store until the receiver
// answered with a status of 200–299, or limits::kWebhookTries tries failed. Pauses between tries double, each drawn at
// random. Everything on one executor.
//
// Headers: hotswap-event ("scaling"), hotswap-delivery (the event's sequence, by which a receiver knows a repetition),
// and, where a secret is set, hotswap-signature: "sha256=" and the HMAC-SHA256 of the body in hex.
class Webhook {
 public:
  struct Parts {
    Store& store;
    BlockingPool& pool;
    Random& random;
    Metrics& metrics;
    net::WebClient& web;
  };
  // The end of parts.web is the end of a try in flight.
  Webhook(asio::any_io_executor home, const ScalingOptions& options, Parts parts);

  // Whether decisions are to be told.
  [[nodiscard]] bool wanted() const noexcept { return !options_.webhook_url.empty(); }
  // There is something new in the store.
  void notify() { added_.notify(); }
  // Until stop(); a try that was in flight then is made again after the next start.
  Task<void> run();
  void stop();

 private:
  Task<void> tell(ScalingEvent event);
  Task<Result<>> post(const ScalingEvent& event);
  Task<void> pause(std::chrono::milliseconds time);

  const ScalingOptions& options_;
  Parts parts_;
  Signal added_;
  Signal stopped_;
  bool stopping_ = false;
  Counter& delivered_;
  Counter& retried_;
  Counter& given_up_;
};

}  // namespace hotswap::control
