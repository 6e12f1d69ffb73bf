// What is mailed about approvals: from the row to an SMTP server.
#include "control/node_fixture.h"
#include "net/smtp_sink.h"

namespace hotswap::control {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string kInterfaces = "/api/v1/wasm/interfaces";
constexpr std::string_view kShop = "package acme:shop@1.0.0;\ninterface api { find: func(name: string) -> u32; }\n";

// Whoever the header names: "Bearer USER"; ada@example.com without one. All are Admins.
Options mailing(const std::string& url) {
  Options options;
  options.single_user = false;
  options.regions = {{Region("local"), Environment::production}};
  options.identify = [](net::Exchange& exchange) -> Result<Principal> {
    const std::string given(exchange.header(net::http::field::authorization));
    return Principal{.user = given.empty() ? "ada@example.com" : given.substr(7),
                     .tenant = TenantId("default"),
                     .role = Role::Admin};
  };
  options.mail.smtp = {.url = url, .from = "hotswap@example.com", .plain = true};
  options.mail.approvers = {"eve@example.com"};
  options.mail.retry = 1ms;
  return options;
}

class ApprovalMail : public testing::Test {
 protected:
  Reply post(const std::string& target, std::string body = "", const std::string& user = "") {
    net::ClientRequest request;
    request.method = "POST";
    request.target = target;
    request.body = std::move(body);
    if (!user.empty()) request.headers = {{"Authorization", "Bearer " + user}};
    return platform.send(std::move(request));
  }
  void push(std::string wit, const json::object& more = {}) {
    json::object body = more;
    body["witDefinition"] = std::move(wit);
    ASSERT_EQ(post(kInterfaces, json::serialize(body)).status, 201U);
  }
  static std::string text(const json::value& mail, std::string_view name) {
    return std::string(mail.at(name).as_string());
  }
  static std::string subject(const json::value& mail) { return text(mail.at("headers"), "subject"); }
  static std::string recipient(const json::value& mail) { return std::string(mail.at("to").at(0).as_string()); }

  net::SmtpSink sink;
  Platform platform{mailing(sink.url())};
};

TEST_F(ApprovalMail, AsksEachApproverForAnInterfaceAndTellsTheDecision) {
  push(std::string(kShop), {{"description", "The shop"}});
  ASSERT_EQ(post(kInterfaces + "/acme:shop@1.0.0/submit").text("/status"), "PendingApproval");
  // Said again, it is nothing new.
  ASSERT_EQ(post(kInterfaces + "/acme:shop@1.0.0/submit").status, 200U);
  const auto asked = sink.mail();
  EXPECT_EQ(recipient(asked), "eve@example.com");
  EXPECT_EQ(text(asked, "from"), "hotswap@example.com");
  EXPECT_EQ(subject(asked), "Interface acme:shop@1.0.0 waits for approval");
  EXPECT_THAT(text(asked, "text"), HasSubstr("ada@example.com submitted the interface acme:shop@1.0.0."));
  EXPECT_THAT(text(asked, "text"), HasSubstr("The shop"));
  EXPECT_THAT(text(asked, "text"), HasSubstr("hotswap interface approve acme:shop@1.0.0"));

  ASSERT_EQ(post(kInterfaces + "/acme:shop@1.0.0/approve", "", "eve").status, 200U);
  const auto told = sink.mail();
  EXPECT_EQ(recipient(told), "eve@example.com");
  EXPECT_EQ(subject(told), "Interface acme:shop@1.0.0 was approved");
  // Who asked has an address for a name.
  const auto asker = sink.mail();
  EXPECT_EQ(recipient(asker), "ada@example.com");
  EXPECT_NE(asker.at("headers").at("message-id"), told.at("headers").at("message-id"));
}

TEST_F(ApprovalMail, SaysWhatAnInterfaceBreaksAndWhyOneWasRejected) {
  push(std::string(kShop));
  ASSERT_EQ(post(kInterfaces + "/acme:shop@1.0.0/submit").status, 200U);
  ASSERT_EQ(post(kInterfaces + "/acme:shop@1.0.0/approve", "", "eve").status, 200U);
  for (int i = 0; i < 3; ++i) std::ignore = sink.mail();
  push("package acme:shop@1.0.1;\ninterface api { find: func(name: string) -> u64; }\n");
  ASSERT_EQ(post(kInterfaces + "/acme:shop@1.0.1/submit").status, 200U);
  const auto asked = sink.mail();
  EXPECT_THAT(text(asked, "text"), HasSubstr("a breaking change in a patch version"));
  EXPECT_THAT(text(asked, "text"), HasSubstr("hotswap interface diff acme:shop@1.0.0 acme:shop@1.0.1"));
  ASSERT_EQ(post(kInterfaces + "/acme:shop@1.0.1/reject", R"({"reason": "no: u32 is enough"})", "eve").status, 200U);
  const auto told = sink.mail();
  EXPECT_EQ(subject(told), "Interface acme:shop@1.0.1 was rejected");
  EXPECT_THAT(text(told, "text"), HasSubstr("no: u32 is enough"));
}

TEST_F(ApprovalMail, AsksForADeploymentWithWhatItBreaks) {
  const TestNode node(platform, "node-1");
  auto other = FakeInspector::adder();
  other.exports.front().name = "sub";
  platform.inspector().set(tiny_module("greeter2.0.0"), other);
  const std::string first = platform.create("greeter", "1.0.0");
  const auto asked = sink.mail();
  EXPECT_EQ(subject(asked), "Deployment of greeter-v1.0.0 waits for approval");
  EXPECT_THAT(text(asked, "text"), HasSubstr("It goes to production."));
  EXPECT_THAT(text(asked, "text"), Not(HasSubstr("It breaks")));
  EXPECT_THAT(text(asked, "text"), HasSubstr("hotswap rollout approve " + first));
  const std::string path = "/api/v1/wasm/deployments/" + first;
  ASSERT_EQ(post(path + "/approve", "", "eve").status, 200U);
  EXPECT_EQ(subject(sink.mail()), "Deployment of greeter-v1.0.0 was approved");
  EXPECT_EQ(recipient(sink.mail()), "ada@example.com");
  ASSERT_EQ(post(path + "/execute").status, 202U);
  ASSERT_EQ(platform.wait_finished(first).status, DeploymentStatus::Completed);

  platform.create("greeter", "2.0.0");
  EXPECT_THAT(text(sink.mail(), "text"),
              HasSubstr("add: was func(i32, i32) -> i32, is gone (greeter-v1.0.0 in local)"));
}

TEST_F(ApprovalMail, TriesAgainWhatIsRefusedForNowAndHoldsUpNothing) {
  Options options = mailing(sink.url());
  options.mail.approvers = {"refused@example.com", "busy@example.com", "eve@example.com"};
  platform.restart(options);
  push(std::string(kShop));
  ASSERT_EQ(post(kInterfaces + "/acme:shop@1.0.0/submit").status, 200U);
  std::set<std::string> reached{recipient(sink.mail()), recipient(sink.mail())};
  EXPECT_EQ(reached, (std::set<std::string>{"busy@example.com", "eve@example.com"}));
  // Nothing is left: what was sent, and what nobody will ever take.
  EXPECT_TRUE(eventually([this] {
    const auto next = platform.store().next_mail();
    return next && !*next;
  }));
}

TEST_F(ApprovalMail, WaitsForAServerThatIsAwayAlsoThroughARestart) {
  platform.restart(mailing("smtp://127.0.0.1:1"));
  push(std::string(kShop));
  ASSERT_EQ(post(kInterfaces + "/acme:shop@1.0.0/submit").status, 200U);
  // A failing mail stops no approval.
  ASSERT_EQ(post(kInterfaces + "/acme:shop@1.0.0/approve", "", "eve").text("/status"), "Approved");
  EXPECT_TRUE(eventually([this] {
    const auto next = platform.store().next_mail();
    return next && *next && (*next)->tries > 0;
  }));
  platform.restart(mailing(sink.url()));
  std::multiset<std::string> subjects;
  for (int i = 0; i < 3; ++i) subjects.insert(subject(sink.mail()));
  EXPECT_EQ(subjects.count("Interface acme:shop@1.0.0 waits for approval"), 1U);
  EXPECT_EQ(subjects.count("Interface acme:shop@1.0.0 was approved"), 2U);
}

TEST_F(ApprovalMail, NothingIsKeptWhereNobodyIsTold) {
  Options options = mailing("");
  platform.restart(options);
  push(std::string(kShop));
  ASSERT_EQ(post(kInterfaces + "/acme:shop@1.0.0/submit").status, 200U);
  EXPECT_FALSE(platform.store().next_mail().value());
}

}  // namespace
}  // namespace hotswap::control
