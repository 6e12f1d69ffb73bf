#include "control/mailer.h"

#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"

namespace hotswap::control {
namespace {

constexpr auto kForever = std::chrono::steady_clock::time_point::max();
constexpr auto kStoreRetry = std::chrono::seconds(1);

}  // namespace

Mailer::Mailer(asio::any_io_executor home, const MailOptions& options, Parts parts)
    : home_(home),
      options_(options),
      parts_(parts),
      sending_("mail", 1),
      changed_(std::move(home)),
      sent_(parts.metrics.counter("wasm.mails.sent.total", "Mails that the SMTP server took")),
      retried_(parts.metrics.counter("wasm.mails.retried.total", "Tries to send one that failed")),
      given_up_(parts.metrics.counter("wasm.mails.failed.total", "Mails that were given up")) {}

void Mailer::notify() {
  asio::post(home_, [this] { changed_.notify(); });
}

void Mailer::stop() {
  stopping_ = true;
  changed_.notify();
}

Task<void> Mailer::run() {
  while (!stopping_ && options_.enabled()) {
    const auto seen = changed_.count();
    auto next = co_await parts_.pool.run([this] { return parts_.store.next_mail(); });
    auto until = kForever;
    if (!next) {
      log::warning("mail cannot be read; trying again", "", {{"error", next.error().detail}});
      until = std::chrono::steady_clock::now() + kStoreRetry;
    } else if (*next) {
      const auto wait = (*next)->due - parts_.clock.now();
      if (wait.count() <= 0) {
        const bool noted = co_await send(**std::move(next));
        if (noted) continue;
        until = std::chrono::steady_clock::now() + kStoreRetry;
      } else {
        until = std::chrono::steady_clock::now() + wait;
      }
    }
    if (!stopping_) co_await changed_.wait(seen, until);
  }
}

std::chrono::milliseconds Mailer::pause_after(int tries) {
  auto bound = options_.retry;
  for (int i = 0; i < tries && bound < kMailRetryMax; ++i) bound *= 2;
  bound = std::min(bound, kMailRetryMax);
  return std::chrono::milliseconds(parts_.random.next() % static_cast<std::uint64_t>(bound.count() + 1));
}

// Whether the store knows what became of it.
Task<bool> Mailer::send(QueuedMail queued) {
  const std::int64_t sequence = queued.sequence;
  const net::SmtpMail mail{.id = fmt::format("hotswap-{}-{}", sequence, queued.mail.at.time_since_epoch().count()),
                           .to = std::move(queued.mail.to),
                           .subject = std::move(queued.mail.subject),
                           .text = std::move(queued.mail.text),
                           .at = queued.mail.at};
  const auto done = co_await sending_.run([&] { return net::send_mail(options_.smtp, mail, stopping_); });
  if (!done && stopping_) co_return true;
  const TimePoint now = parts_.clock.now();
  const TimePoint due = now + pause_after(queued.tries);
  const bool over = done || done.error().kind == ErrorKind::kInvalid || now - mail.at > kMailLife;
  const auto noted = co_await parts_.pool.run(
      [&] { return over ? parts_.store.drop_mail(sequence) : parts_.store.postpone_mail(sequence, due); });
  if (done) {
    sent_.add();
    log::info("mail sent", "", {{"sequence", sequence}, {"subject", mail.subject}});
  } else if (over) {
    given_up_.add();
    log::error("mail was given up", "",
               {{"sequence", sequence}, {"subject", mail.subject}, {"error", done.error().detail}});
  } else {
    retried_.add();
    log::warning("mail could not be sent; trying again", "",
                 {{"sequence", sequence}, {"tries", queued.tries + 1}, {"error", done.error().detail}});
  }
  if (!noted) {
    // It is sent once more then.
    log::warning("what became of a mail could not be noted", "", {{"error", noted.error().detail}});
  }
  co_return noted.has_value();
}

}  // namespace hotswap::control
