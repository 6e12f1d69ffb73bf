// Tells another server of every decision about the number of nodes.
#pragma once

#include <memory>
#include <string>

#include "base/blocking_pool.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "control/settings.h"
#include "control/signal.h"
#include "net/client.h"
#include "net/url.h"
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
  };
  Webhook(asio::any_io_executor home, const ScalingOptions& options, Parts parts);

  // Whether decisions are to be told.
  [[nodiscard]] bool wanted() const noexcept { return client_ != nullptr; }
  // There is something new in the store.
  void notify() { added_.notify(); }
  // Until stop(), which ends a try in flight: it is made again after the next start.
  Task<void> run();
  void stop();

 private:
  Task<void> tell(ScalingEvent event);
  Task<Result<>> post(const ScalingEvent& event);
  Task<void> pause(std::chrono::milliseconds time);

  const ScalingOptions& options_;
  Parts parts_;
  net::Url url_;
  std::unique_ptr<net::Client> client_;
  Signal added_;
  Signal stopped_;
  bool stopping_ = false;
  Counter& delivered_;
  Counter& retried_;
  Counter& given_up_;
};

}  // namespace hotswap::control
