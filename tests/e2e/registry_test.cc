// The interface registry's gates, as whoever registers and deploys modules meets them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "child.h"
#include "net/smtp_sink.h"

namespace hotswap::e2e {
namespace {

using testing::HasSubstr;

std::string written(const Folder& folder, const std::string& name, const std::string& text) {
  std::string path = folder.path() + "/" + name;
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

std::string counter(const std::string& version, const std::string& by) {
  return "package demo:counter@" + version + ";\ninterface counter { increment: func(key: string, by: " + by +
         ") -> u32; }\nworld w { export counter; }\n";
}

class RegistryTest : public testing::Test {
 protected:
  Child::Ended hotswap(std::vector<std::string> words) {
    words.insert(words.begin(), {"--server", server.api()});
    return run(words);
  }
  Child::Ended push(const std::string& sample_name, const std::string& version, const std::string& claim) {
    return hotswap(
        {"module", "push", sample(sample_name), "--name", "counter", "--version", version, "--claim", claim});
  }
  Folder data;
  net::SmtpSink sink;
  Server server{data.path(),
                {"--environment", "production", "--smtp-url", sink.url(), "--smtp-plain", "--smtp-from",
                 "hotswap@example.com", "--approvers-mail", "eve@example.com"}};
};

TEST_F(RegistryTest, FromAnInterfaceToADeploymentThatItStops) {
  const std::string claim = "demo:counter/counter@1.0.0";
  EXPECT_THAT(push("counter-v1", "1.0.0", claim).err, HasSubstr("there is no interface demo:counter@1.0.0"));
  const auto wit = written(data, "counter.wit", counter("1.0.0", "u32"));
  ASSERT_EQ(hotswap({"interface", "push", wit, "--submit"}).exit_code, 0);
  EXPECT_EQ(sink.mail().at("headers").at("subject"), "Interface demo:counter@1.0.0 waits for approval");
  EXPECT_THAT(push("counter-v1", "1.0.0", claim).err, HasSubstr("demo:counter@1.0.0 is PendingApproval"));
  ASSERT_EQ(hotswap({"interface", "approve", "demo:counter@1.0.0"}).exit_code, 0);
  EXPECT_EQ(sink.mail().at("headers").at("subject"), "Interface demo:counter@1.0.0 was approved");

  const auto pushed = push("counter-v1", "1.0.0", claim);
  ASSERT_EQ(pushed.exit_code, 0) << pushed.err;
  const auto refused = push("counter-v2", "2.0.0", claim);
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("demo:counter/counter.increment.by"));

  // Deprecated since: whoever deploys is told what to do instead.
  ASSERT_EQ(hotswap({"interface", "deprecate", "demo:counter@1.0.0", "--reason", "too small", "--migration-guide",
                     "https://demo.example/2"})
                .exit_code,
            0);
  const auto created = hotswap({"deploy", "counter@1.0.0", "--no-execute", "--quiet"});
  ASSERT_EQ(created.exit_code, 0) << created.err;
  EXPECT_THAT(created.err, HasSubstr("warning: demo:counter/counter@1.0.0"));
  EXPECT_THAT(created.err, HasSubstr("see https://demo.example/2"));
  const std::string id = created.out.substr(0, created.out.find('\n'));
  EXPECT_THAT(std::string(sink.mail().at("text").as_string()), HasSubstr("hotswap rollout approve " + id));
  EXPECT_THAT(hotswap({"rollout", "execute", id}).err, HasSubstr("hotswap rollout approve " + id));
  ASSERT_EQ(hotswap({"rollout", "approve", id}).exit_code, 0);
  const auto executed = hotswap({"rollout", "execute", id});
  EXPECT_EQ(executed.exit_code, 0) << executed.err;
  EXPECT_THAT(executed.err, HasSubstr("see https://demo.example/2"));
}

TEST(MailOptionsTest, AreCheckedWhenTheServerStarts) {
  const Folder data;
  const auto ended = [&](std::vector<std::string> more) {
    more.insert(more.begin(),
                {"up", "--data", data.path(), "--api", "127.0.0.1:0", "--gateway", "127.0.0.1:0", "--instances", "16"});
    return run(more);
  };
  const auto refused = ended({"--smtp-url", "http://mail", "--smtp-from", "a@b", "--approvers-mail", "c@d"});
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_THAT(refused.err, HasSubstr("--smtp-url"));
  EXPECT_THAT(ended({"--smtp-url", "smtp://mail", "--smtp-from", "nobody", "--approvers-mail", "c@d"}).err,
              HasSubstr("--smtp-from"));
  EXPECT_THAT(ended({"--smtp-url", "smtp://mail", "--smtp-from", "a@b"}).err, HasSubstr("--approvers-mail"));
  EXPECT_THAT(ended({"--smtp-url", "smtp://mail", "--smtp-from", "a@b", "--approvers-mail", "c d"}).err,
              HasSubstr("--approvers-mail"));
  const std::string no_certificate = sample("c-add");
  EXPECT_THAT(
      ended({"--smtp-url", "smtp://mail", "--smtp-from", "a@b", "--approvers-mail", "c@d", "--smtp-ca", no_certificate})
          .err,
      HasSubstr("--smtp-ca: " + no_certificate));
}

}  // namespace
}  // namespace hotswap::e2e
