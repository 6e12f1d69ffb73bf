#include "net/web_client.h"

#include <gmock/gmock.h>

#include "net/https_sink.h"
#include "net/test_server.h"

namespace hotswap::net {
namespace {

using testing::HasSubstr;

constexpr std::size_t kRoom = 1000;

Result<WebResponse> send(WebClient& client, WebRequest request) {
  request.response_bytes = kRoom;
  return run(client.send(std::move(request)));
}

TEST(WebClient, SendsWhatItIsToldAndGivesBackTheAnswer) {
  HttpsSink sink;
  WebClient client(sink.certificate());
  const auto response = send(client, {.method = "POST",
                                      .url = sink.url() + "/hooks?team=a%20b",
                                      .headers = {{"content-type", "application/json"}, {"x-number", "7"}},
                                      .body = "{}"});
  ASSERT_TRUE(response) << response.error().detail;
  EXPECT_EQ(response->status, 200U);
  EXPECT_EQ(response->body, "taken");
  const auto sent = sink.request();
  EXPECT_EQ(sent.at("method"), "POST");
  EXPECT_EQ(sent.at("path"), "/hooks?team=a%20b");
  EXPECT_EQ(sent.at("body"), "{}");
  EXPECT_EQ(sent.at("headers").at("content-type"), "application/json");
  EXPECT_EQ(sent.at("headers").at("x-number"), "7");
}

TEST(WebClient, KeepsItsConnection) {
  HttpsSink sink;
  WebClient client(sink.certificate());
  ASSERT_TRUE(send(client, {.url = sink.url()}));
  ASSERT_TRUE(send(client, {.url = sink.url()}));
  const auto first = sink.request();
  EXPECT_EQ(first.at("method"), "GET");
  EXPECT_EQ(first.at("from"), sink.request().at("from"));
}

TEST(WebClient, TakesAnyStatusForAnAnswerAndFollowsNoRedirect) {
  HttpsSink sink;
  WebClient client(sink.certificate());
  EXPECT_EQ(send(client, {.url = sink.url() + "/status/503"})->status, 503U);
  EXPECT_EQ(send(client, {.url = sink.url() + "/redirect"})->status, 302U);
}

TEST(WebClient, SpeaksToNobodyWhoseCertificateItDoesNotTrust) {
  HttpsSink sink;
  WebClient strange;
  const auto unknown = send(strange, {.url = sink.url()});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().kind, ErrorKind::kUpstream);
  EXPECT_THAT(unknown.error().detail, HasSubstr("certificate"));
  WebClient client(sink.certificate());
  const auto other = send(client, {.url = sink.url("127.0.0.1")});
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().detail, HasSubstr("127.0.0.1"));
}

TEST(WebClient, SaysWhyThereIsNoAnswer) {
  HttpsSink sink;
  WebClient client(sink.certificate());
  EXPECT_EQ(send(client, {.url = sink.url() + "/large/1000"})->body.size(), kRoom);
  const auto large = send(client, {.url = sink.url() + "/large/1001"});
  ASSERT_FALSE(large);
  EXPECT_THAT(large.error().detail, HasSubstr("larger than 1000 bytes"));
  const auto late = send(client, {.url = sink.url() + "/silence", .timeout = 50ms});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().kind, ErrorKind::kDeadline);
  const auto nobody = send(client, {.url = "http://127.0.0.1:1/"});
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().kind, ErrorKind::kUpstream);
}

TEST(WebClient, AnswersAreNotKeptWaitingByOthers) {
  HttpsSink sink;
  WebClient client(sink.certificate());
  std::optional<Result<WebResponse>> silent;
  std::optional<Result<WebResponse>> quick;
  asio::io_context context;
  asio::co_spawn(context, client.send({.url = sink.url() + "/silence", .response_bytes = kRoom}),
                 [&](const std::exception_ptr&, Result<WebResponse> answer) { silent = std::move(answer); });
  asio::co_spawn(context, client.send({.url = sink.url() + "/quick", .response_bytes = kRoom}),
                 [&](const std::exception_ptr&, Result<WebResponse> answer) {
                   EXPECT_FALSE(silent);
                   quick = std::move(answer);
                   client.stop();
                 });
  context.run_for(kPatience);
  ASSERT_TRUE(quick && *quick);
  ASSERT_TRUE(silent && !*silent);
  EXPECT_EQ(silent->error().kind, ErrorKind::kUnavailable);
  const auto after = send(client, {.url = sink.url()});
  ASSERT_FALSE(after);
  EXPECT_EQ(after.error().kind, ErrorKind::kUnavailable);
}

}  // namespace
}  // namespace hotswap::net
