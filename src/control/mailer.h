// Sends the mail that waits in the store.
#pragma once

#include <atomic>

#include "base/blocking_pool.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "control/settings.h"
#include "control/signal.h"
#include "store/store.h"

namespace hotswap::control {

// Every mail at least once, one at a time, in the order in which they are due: what is to be sent is a row, which goes
// when the server took it. One that failed waits, at random below a bound that doubles with each try, and holds up no
// other. A mail that the server will never take, or that nobody took for kMailLife, is given up. Everything on one
// executor, unless said otherwise.
class Mailer {
 public:
  struct Parts {
    Store& store;
    BlockingPool& pool;
    const Clock& clock;
    Random& random;
    Metrics& metrics;
  };
  Mailer(asio::any_io_executor home, const MailOptions& options, Parts parts);

  // There is something new in the store. Any thread.
  void notify();
  // Until stop(), which ends a try in flight: it is made again after the next start.
  Task<void> run();
  void stop();

 private:
  Task<bool> send(QueuedMail queued);
  [[nodiscard]] std::chrono::milliseconds pause_after(int tries);

  const asio::any_io_executor home_;
  const MailOptions& options_;
  Parts parts_;
  BlockingPool sending_;
  Signal changed_;
  std::atomic<bool> stopping_{false};  // also read by the try in flight, on a thread of `sending_`
  Counter& sent_;
  Counter& retried_;
  Counter& given_up_;
};

}  // namespace hotswap::control
