#include "store/store_fixture.h"

namespace hotswap {
namespace {

using std::chrono::minutes;

class MailRows : public StoreTest {
 protected:
  static Mail mail(const std::string& subject, TimePoint at = kStart) {
    return {.to = "ada@example.com", .subject = subject, .text = "Grüße\n", .at = at};
  }
  // With a deployment, as they come to be.
  Result<AppliedChange> queue(std::vector<Mail> mails, std::int64_t expected = 0) {
    DeploymentChange change{.tenant = kTenant,
                            .deployment = make_deployment("one", module_),
                            .expectedRevision = expected,
                            .events = {make_event()},
                            .putRoutes = {},
                            .dropRoutes = {}};
    change.mails = std::move(mails);
    return store_->apply(change);
  }
  void SetUp() override {
    StoreTest::SetUp();
    if (store_) must(store_->add_module(kTenant, module_, kKeepAll));
  }
  [[nodiscard]] std::optional<QueuedMail> next() { return must(store_->next_mail()); }

  Module module_ = make_module("greeter", {1, 0, 0});
};

TEST_P(MailRows, WaitsWithWhatItTellsOfAndComesByWhenItIsDue) {
  EXPECT_FALSE(next());
  must(queue({mail("first"), mail("second")}));
  ASSERT_TRUE(next());
  EXPECT_EQ(next()->mail, mail("first"));
  EXPECT_EQ(next()->due, kStart);
  EXPECT_EQ(next()->tries, 0);
  const auto first = next()->sequence;
  must(store_->postpone_mail(first, kStart + minutes(5)));
  EXPECT_EQ(next()->mail.subject, "second");
  must(store_->drop_mail(next()->sequence));
  ASSERT_TRUE(next());
  EXPECT_EQ(next()->sequence, first);
  EXPECT_EQ(next()->due, kStart + minutes(5));
  EXPECT_EQ(next()->tries, 1);
  // Another life of the program.
  store_ = open();
  EXPECT_EQ(next()->sequence, first);
  must(store_->drop_mail(first));
  EXPECT_FALSE(next());
}

TEST_P(MailRows, NothingIsToldOfWhatWasNotStored) {
  const auto refused = queue({mail("never")}, 7);
  EXPECT_EQ(kind_of(refused), ErrorKind::kConflict);
  EXPECT_FALSE(next());
}

HOTSWAP_ON_BOTH_DATABASES(MailRows);

}  // namespace
}  // namespace hotswap
