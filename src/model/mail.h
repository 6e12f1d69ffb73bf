// Mail that waits to be sent.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"

namespace hotswap {

inline constexpr std::size_t kMailsKept = 10'000;              // that wait; then the oldest goes
inline constexpr std::chrono::hours kMailLife{72};             // of one that nobody takes
inline constexpr std::chrono::seconds kMailTimeout{30};        // of one try
inline constexpr std::chrono::milliseconds kMailRetry{5'000};  // first pause; doubles, each drawn at random below it
inline constexpr std::chrono::milliseconds kMailRetryMax{900'000};
inline constexpr std::size_t kMailRecipients = 64;  // of one request or decision
inline constexpr std::size_t kMailAddressBytes = 254;

// One for each recipient: what fails for one of them must not be sent to another again.
struct Mail {
  std::string to;
  std::string subject;
  std::string text;
  TimePoint at;
  bool operator==(const Mail&) const = default;
};
BOOST_DESCRIBE_STRUCT(Mail, (), (to, subject, text, at))

// "ada@example.com": one that can stand in an envelope as it is.
[[nodiscard]] bool is_mail_address(std::string_view text);

// As the store keeps it until it was sent.
struct QueuedMail {
  std::int64_t sequence = 0;
  Mail mail;
  TimePoint due;  // not before
  int tries = 0;  // that failed
};

}  // namespace hotswap
