#include "net/router.h"

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>

#include "net/test_server.h"

namespace hotswap::net {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

// Replies with the route's pattern and the parameters.
void add(Router& router, const std::string& route) {
  router.add(route, [route](Exchange& exchange) -> Task<void> {
    std::string text = route;
    for (const std::string& parameter : exchange.params()) text += " <" + parameter + ">";
    std::ignore = co_await exchange.reply(200, "text/plain", text);
  });
}

class RouterTest : public testing::Test {
 protected:
  RouterTest() {
    for (const std::string route :
         {"GET /", "GET /modules", "POST /modules", "GET /modules/{id}", "DELETE /modules/{id}", "GET /modules/active",
          "GET /modules/{id}/versions/{version}", "GET /modules/active/stats", "POST /modules/reindex", "GET /files/*",
          "GET /files/{id}/raw", "HEAD /head", "GET /head"}) {
      add(router_, route);
    }
  }

  // The reply to one request.
  std::string ask(std::string_view method, std::string_view target) {
    client_.send(std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n");
    return method == "HEAD" ? client_.read_until("\r\n\r\n") : client_.read_reply();
  }

  Router router_;
  TestServer server_{[this](Exchange& exchange) { return router_.handle(exchange); }};
  RawClient client_{server_.endpoint()};
};

TEST_F(RouterTest, PrefersLiteralsToParametersToTheRest) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"/", "GET /"},
      {"/?a=/modules", "GET /"},
      {"/modules", "GET /modules"},
      {"/modules/active", "GET /modules/active"},
      {"/modules/active/stats", "GET /modules/active/stats"},
      {"/modules/active/versions/2", "GET /modules/{id}/versions/{version} <active> <2>"},
      {"/modules/a%2Fb%20c", "GET /modules/{id} <a/b c>"},
      {"/m%6Fdules", "GET /modules"},
      // Has no GET of its own, so the parameter takes it.
      {"/modules/reindex", "GET /modules/{id} <reindex>"},
      {"/files/a/raw", "GET /files/{id}/raw <a>"},
      {"/files/a/b/c", "GET /files/*"},
      {"/files/", "GET /files/*"},
  };
  for (const auto& [target, answer] : cases) EXPECT_THAT(ask("GET", target), EndsWith("\r\n\r\n" + answer)) << target;
}

TEST_F(RouterTest, AnswersUnknownPathsWith404) {
  for (const std::string_view target : {"/nothing", "/modules/", "/modules/a/b", "//", "/files", "*"}) {
    EXPECT_THAT(ask("GET", target), AllOf(StartsWith("HTTP/1.1 404"), HasSubstr("application/problem+json"))) << target;
  }
}

TEST_F(RouterTest, AnswersOtherMethodsWith405AndAllow) {
  EXPECT_THAT(ask("PUT", "/modules"), AllOf(StartsWith("HTTP/1.1 405"), HasSubstr("\r\nAllow: GET, HEAD, POST\r\n")));
  EXPECT_THAT(ask("PUT", "/modules/reindex"), HasSubstr("\r\nAllow: DELETE, GET, HEAD, POST\r\n"));
}

TEST_F(RouterTest, AnswersHeadAsGetUnlessItHasItsOwn) {
  EXPECT_THAT(ask("HEAD", "/modules"), AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("Content-Length: 12\r\n")));
  EXPECT_THAT(ask("HEAD", "/head"), HasSubstr("Content-Length: 10\r\n"));
  EXPECT_THAT(ask("GET", "/head"), EndsWith("GET /head"));
}

TEST_F(RouterTest, AnswersMalformedEscapesWith400) {
  EXPECT_THAT(ask("GET", "/modules/%zz"), StartsWith("HTTP/1.1 400"));
}

TEST_F(RouterTest, FallsBackWhereNothingMatches) {
  router_.set_fallback(
      [](Exchange& exchange) -> Task<void> { std::ignore = co_await exchange.reply(200, "", "console"); });
  EXPECT_THAT(ask("GET", "/nothing"), EndsWith("console"));
  EXPECT_THAT(ask("PUT", "/modules"), StartsWith("HTTP/1.1 405"));
}

TEST_F(RouterTest, ForgetsParametersOfThePreviousRequest) {
  ask("GET", "/modules/a");
  EXPECT_THAT(ask("GET", "/modules"), EndsWith("\r\n\r\nGET /modules"));
}

TEST(Router, RefusesRoutesThatAreBugs) {
  Router router;
  add(router, "GET /a/{x}");
  for (const std::string route : {"GET /a/{y}", "GET", "GET a", "GET /*/a"}) {
    EXPECT_THROW(add(router, route), std::logic_error) << route;
  }
}

TEST(Router, ListsItsRoutes) {
  Router router;
  for (const std::string route : {"GET /b/{x}", "POST /a", "GET /a", "GET /b/*"}) add(router, route);
  EXPECT_THAT(router.routes(), testing::UnorderedElementsAre("GET /b/{x}", "POST /a", "GET /a", "GET /b/*"));
}

}  // namespace
}  // namespace hotswap::net
