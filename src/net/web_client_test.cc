#include "net/web_client.h"

#include <gmock/gmock.h>

#include "net/https_sink.h"
#include "net/test_server.h"

namespace hotswap::net {
namespace {

using testing::HasSubstr;

constexpr std::size_t kRoom = 1000;

class WebClientTest : public testing::Test {
 protected:
  Result<WebResponse> send(WebClient& client, WebRequest request) {
    std::optional<Result<WebResponse>> answer;
    begin(client, std::move(request), [&](Result<WebResponse> given) { answer = std::move(given); });
    context_.restart();
    context_.run_for(kPatience);
    if (!answer) return fail(ErrorKind::kInternal, "no answer came");
    return *std::move(answer);
  }
  Result<WebResponse> send(WebRequest request) { return send(client_, std::move(request)); }
  template <class F>
  void begin(WebClient& client, WebRequest request, F answered) {
    request.response_bytes = kRoom;
    asio::co_spawn(context_, client.send(std::move(request)),
                   [answered](const std::exception_ptr&, Result<WebResponse> answer) { answered(std::move(answer)); });
  }

  HttpsSink sink_;
  asio::io_context context_;
  WebClient client_{sink_.certificate()};
};

TEST_F(WebClientTest, SendsWhatItIsToldAndGivesBackTheAnswer) {
  const auto response = send({.method = "POST",
                              .url = sink_.url() + "/hooks?team=a%20b",
                              .headers = {{"content-type", "application/json"}, {"x-number", "7"}},
                              .body = "{}"});
  ASSERT_TRUE(response) << response.error().detail;
  EXPECT_EQ(response->status, 200U);
  EXPECT_EQ(response->body, "taken");
  const auto sent = sink_.request();
  EXPECT_EQ(sent.at("method"), "POST");
  EXPECT_EQ(sent.at("path"), "/hooks?team=a%20b");
  EXPECT_EQ(sent.at("body"), "{}");
  EXPECT_EQ(sent.at("headers").at("content-type"), "application/json");
  EXPECT_EQ(sent.at("headers").at("x-number"), "7");
}

TEST_F(WebClientTest, KeepsItsConnection) {
  ASSERT_TRUE(send({.url = sink_.url()}));
  ASSERT_TRUE(send({.url = sink_.url()}));
  const auto first = sink_.request();
  EXPECT_EQ(first.at("method"), "GET");
  EXPECT_EQ(first.at("from"), sink_.request().at("from"));
}

TEST_F(WebClientTest, TakesAnyStatusForAnAnswerAndFollowsNoRedirect) {
  EXPECT_EQ(send({.url = sink_.url() + "/status/503"})->status, 503U);
  EXPECT_EQ(send({.url = sink_.url() + "/redirect"})->status, 302U);
}

TEST_F(WebClientTest, SpeaksToNobodyWhoseCertificateItDoesNotTrust) {
  WebClient strange;
  const auto unknown = send(strange, {.url = sink_.url()});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().kind, ErrorKind::kUpstream);
  EXPECT_THAT(unknown.error().detail, HasSubstr("certificate"));
  const auto other = send({.url = sink_.url("127.0.0.1")});
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().detail, HasSubstr("127.0.0.1"));
}

TEST_F(WebClientTest, SaysWhyThereIsNoAnswer) {
  EXPECT_EQ(send({.url = sink_.url() + "/large/1000"})->body.size(), kRoom);
  const auto large = send({.url = sink_.url() + "/large/1001"});
  ASSERT_FALSE(large);
  EXPECT_THAT(large.error().detail, HasSubstr("larger than 1000 bytes"));
  const auto late = send({.url = sink_.url() + "/silence", .timeout = 50ms});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().kind, ErrorKind::kDeadline);
  const auto nobody = send({.url = "http://127.0.0.1:1/"});
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().kind, ErrorKind::kUpstream);
}

TEST_F(WebClientTest, AnswersAreNotKeptWaitingByOthers) {
  std::optional<Result<WebResponse>> silent;
  std::optional<Result<WebResponse>> quick;
  begin(client_, {.url = sink_.url() + "/silence"}, [&](Result<WebResponse> answer) { silent = std::move(answer); });
  begin(client_, {.url = sink_.url() + "/quick"}, [&](Result<WebResponse> answer) {
    EXPECT_FALSE(silent);
    quick = std::move(answer);
    client_.stop();
  });
  context_.run_for(kPatience);
  ASSERT_TRUE(quick && *quick);
  ASSERT_TRUE(silent && !*silent);
  EXPECT_EQ(silent->error().kind, ErrorKind::kUnavailable);
  const auto after = send({.url = sink_.url()});
  ASSERT_FALSE(after);
  EXPECT_EQ(after.error().kind, ErrorKind::kUnavailable);
}

}  // namespace
}  // namespace hotswap::net
