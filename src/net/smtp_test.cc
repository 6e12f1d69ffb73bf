#include "net/smtp.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <sys/socket.h>

#include <thread>

#include "net/smtp_sink.h"

namespace hotswap::net {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr TimePoint kAt{std::chrono::milliseconds{1'790'000'000'000}};

SmtpMail mail(std::string to = "eve@example.com") {
  return {
      .id = "hotswap-7-1", .to = std::move(to), .subject = "acme:shop@1.0.0 waits", .text = "One line\n", .at = kAt};
}

SmtpOptions over(const SmtpSink& sink) { return {.url = sink.url(), .from = "hotswap@example.com", .plain = true}; }

Result<> send(const SmtpOptions& options, const SmtpMail& sent = mail()) {
  const std::atomic<bool> stop{false};
  return send_mail(options, sent, stop);
}

TEST(Smtp, HandsOverAMailAsItIs) {
  SmtpSink sink;
  SmtpMail sent = mail();
  sent.subject = "Schnittstelle „Läden“ wartet auf Freigabe, und zwar schon ziemlich lange";
  sent.text = "Grüße\n.\n. at the beginning\n" + std::string(2000, 'x') + "\nend\n";
  const auto done = send(over(sink), sent);
  ASSERT_TRUE(done) << done.error().detail;
  const auto taken = sink.mail();
  EXPECT_EQ(taken.at("from"), "hotswap@example.com");
  EXPECT_EQ(taken.at("to").as_array().at(0), "eve@example.com");
  EXPECT_EQ(taken.at("text"), json::value(sent.text));
  const auto& headers = taken.at("headers");
  EXPECT_EQ(headers.at("subject"), json::value(sent.subject));
  EXPECT_EQ(headers.at("to"), "eve@example.com");
  EXPECT_EQ(headers.at("message-id"), "<hotswap-7-1@example.com>");
  EXPECT_EQ(headers.at("date"), "Mon, 21 Sep 2026 14:13:20 +0000");
  EXPECT_EQ(headers.at("auto-submitted"), "auto-generated");
}

TEST(Smtp, NothingInASubjectBecomesAHeader) {
  SmtpSink sink;
  SmtpMail sent = mail();
  sent.subject = "one\r\nBcc: mallory@example.com\r\n\r\ntwo" + std::string(500, 'x');
  ASSERT_TRUE(send(over(sink), sent));
  const auto taken = sink.mail();
  EXPECT_FALSE(taken.at("headers").as_object().contains("bcc"));
  EXPECT_THAT(std::string(taken.at("headers").at("subject").as_string()), HasSubstr("one  Bcc: mallory"));
  EXPECT_EQ(taken.at("text"), "One line\n");
}

TEST(Smtp, DemandsStartTlsAndHoldsTheCertificateAgainstTheName) {
  SmtpSink sink({"--tls", "starttls"});
  SmtpOptions options = over(sink);
  options.plain = false;
  EXPECT_FALSE(send(options)) << "the system knows no such certificate";
  options.ca_file = sink.certificate();
  const auto done = send(options);
  ASSERT_TRUE(done) << done.error().detail;
  EXPECT_THAT(std::string(sink.mail().at("tls").as_string()), HasSubstr("TLSv1."));
  options.url = "smtp://127.0.0.1:" + sink.port();
  EXPECT_FALSE(send(options)) << "the certificate is one for another name";
}

TEST(Smtp, SendsNothingInTheClearUnlessItIsTold) {
  SmtpSink sink;
  SmtpOptions options = over(sink);
  options.plain = false;
  const auto done = send(options);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::kUpstream);
}

TEST(Smtp, SpeaksTlsFromTheFirstByteAndAuthenticates) {
  SmtpSink sink({"--tls", "implicit", "--user", "ada", "--password", "s3cret"});
  SmtpOptions options = over(sink);
  options.plain = false;
  options.url = sink.url("smtps");
  options.ca_file = sink.certificate();
  options.user = "ada";
  options.password = "wrong";
  const auto refused = send(options);
  ASSERT_FALSE(refused);
  // Whoever runs the server can mend it, and then the mail is still there.
  EXPECT_EQ(refused.error().kind, ErrorKind::kUpstream);
  EXPECT_THAT(refused.error().detail, testing::Not(HasSubstr("wrong")));
  options.user = options.password = "";
  EXPECT_EQ(send(options).error().kind, ErrorKind::kUpstream);
  options.user = "ada";
  options.password = "s3cret";
  const auto done = send(options);
  ASSERT_TRUE(done) << done.error().detail;
  EXPECT_EQ(sink.mail().at("user"), "ada");
}

TEST(Smtp, TellsWhatIsRefusedForEverFromWhatMayBeTakenLater) {
  SmtpSink sink;
  EXPECT_EQ(send(over(sink), mail("refused@example.com")).error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(send(over(sink), mail("busy@example.com")).error().kind, ErrorKind::kUpstream);
  SmtpOptions nobody = over(sink);
  nobody.url = "smtp://127.0.0.1:1";
  EXPECT_EQ(send(nobody).error().kind, ErrorKind::kUpstream);
}

// A socket that takes connections and says nothing.
class Silence {
 public:
  Silence() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(socket_, 1), 0);
    EXPECT_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~Silence() { ::close(socket_); }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;
  [[nodiscard]] std::string url() const { return "smtp://127.0.0.1:" + std::to_string(port_); }

 private:
  int socket_;
  unsigned port_ = 0;
};

TEST(Smtp, WaitsNoLongerThanItMay) {
  const Silence server;
  SmtpOptions options{.url = server.url(), .from = "hotswap@example.com", .plain = true};
  options.timeout = std::chrono::milliseconds(50);
  EXPECT_EQ(send(options).error().kind, ErrorKind::kDeadline);
}

TEST(Smtp, EndsWhenItIsStopped) {
  const Silence server;
  const SmtpOptions options{.url = server.url(), .from = "hotswap@example.com", .plain = true};
  std::atomic<bool> stop{false};
  std::jthread stopping([&stop] { stop = true; });
  EXPECT_EQ(send_mail(options, mail(), stop).error().kind, ErrorKind::kUnavailable);
}

TEST(SmtpOptions, AreServersWithoutSecretsInTheirUrls) {
  EXPECT_TRUE(check({.url = "smtp://mail.example.com"}));
  EXPECT_TRUE(check({.url = "smtps://mail.example.com:465", .user = "ada", .password = "x"}));
  EXPECT_TRUE(check({.url = "smtp://localhost:25", .plain = true}));
  for (const char* url : {"", "mail.example.com", "http://mail.example.com", "smtp://", "smtp://ada:x@mail.example.com",
                          "smtp://mail.example.com/ehlo", "smtp://mail.example.com?x"}) {
    EXPECT_FALSE(check({.url = url})) << url;
  }
  EXPECT_FALSE(check({.url = "smtps://mail.example.com", .plain = true}));
  EXPECT_FALSE(check({.url = "smtp://mail.example.com", .user = "ada", .password = "x", .plain = true}));
  EXPECT_FALSE(check({.url = "smtp://mail.example.com", .user = "ada"}));
}

}  // namespace
}  // namespace hotswap::net
