// Hands mail over to an SMTP server (libcurl).
#pragma once

#include <atomic>
#include <chrono>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace hotswap::net {

// How the server is reached. Its certificate is always held against its name.
struct SmtpOptions {
  std::string url{};   // smtp://HOST[:PORT], which must then offer STARTTLS, or smtps://HOST[:PORT]
  std::string from{};  // address of the sender
  std::string user{};  // empty: the server asks for none
  std::string password{};
  bool plain = false;     // smtp:// without TLS, for a server on the same machine or network; never with a user
  std::string ca_file{};  // PEM, in place of the system's; empty: the system's
  std::chrono::milliseconds timeout{30'000};
};

// kInvalid, with every rule that is broken; fields are named as the members are.
[[nodiscard]] Result<> check(const SmtpOptions& options);

struct SmtpMail {
  std::string id;  // the same for every try of one mail, so that who receives it twice can tell
  std::string to;
  std::string subject;
  std::string text;  // UTF-8
  TimePoint at;
};

// Blocks until the server has taken it. kInvalid where the server will never take it (a status of
// 500–599), kUpstream and kDeadline where it may later. Any thread, several at once; ends early, with kUnavailable,
// once `stop` is true.
[[nodiscard]] Result<> send_mail(const SmtpOptions& options, const SmtpMail& mail, const std::atomic<bool>& stop);

}  // namespace hotswap::net
