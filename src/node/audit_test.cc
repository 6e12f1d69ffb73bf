#include "node/audit.h"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits.h"
#include "node/test_workload.h"

namespace hotswap::node {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class AuditTest : public testing::Test {
 protected:
  static std::shared_ptr<ReadyVersion> version(const std::string& name) {
    const auto desired = desired_version(name, 1);
    ResourceLimits limits;
    limits.maxMemoryMB = 16;
    return std::make_shared<ReadyVersion>(desired.tenant, desired.moduleId, std::make_shared<TestWorkload>(name),
                                          std::make_shared<VersionMeter>(name), desired.digest, limits);
  }
  static CallOutcome failed(GuestFailure failure, std::string message = "it went wrong") {
    CallOutcome outcome;
    outcome.failure = failure;
    outcome.message = std::move(message);
    outcome.usage.peak_memory_bytes = 4096;
    return outcome;
  }
  double counted(const std::string& name) {
    const auto text = metrics_.expose();
    const auto at = text.find("\n" + name);
    if (at == std::string::npos) return -1;
    return std::stod(text.substr(text.find(' ', at)));
  }

  ManualClock clock_{TimePoint(std::chrono::hours(500'000))};
  Metrics metrics_;
  std::vector<AuditEntry> entries_;
  Audit audit_{NodeId("n1"), clock_, metrics_, [this](const AuditEntry& entry) { entries_.push_back(entry); }};
  std::shared_ptr<ReadyVersion> guest_ = version("guest");
  const TraceContext trace_{.trace_high = 1, .trace_low = 2, .span = 3};
  const Audit::Where where_{.route = "/m/guest/", .function = {}, .trace = trace_};
};

TEST_F(AuditTest, WhatAGuestWasDeniedIsOneEntryForEachKind) {
  audit_.denied(*guest_, {{RefusalKind::Host, 3, "example.com:443"}, {RefusalKind::Quota, 1, std::string(1000, 'x')}},
                where_);
  ASSERT_THAT(entries_, SizeIs(2));
  EXPECT_EQ(entries_[0].outcome, AuditOutcome::Denied);
  EXPECT_EQ(entries_[0].limit, "Host");
  EXPECT_EQ(entries_[0].count, 3U);
  EXPECT_EQ(entries_[0].message, "example.com:443");
  EXPECT_EQ(entries_[1].limit, "Quota");
  EXPECT_EQ(entries_[1].message.size(), limits::kAuditTextBytes);
}

TEST_F(AuditTest, OneKindOfDenialLeavesRoomForAnother) {
  for (std::size_t i = 0; i < 2 * limits::kAuditVersionEntries; ++i) {
    audit_.denied(*guest_, {{RefusalKind::Host, 1, "example.com:443"}}, where_);
  }
  EXPECT_THAT(entries_, SizeIs(limits::kAuditVersionEntries));
  audit_.denied(*guest_, {{RefusalKind::Path, 1, "../x"}}, where_);
  EXPECT_THAT(entries_, SizeIs(limits::kAuditVersionEntries + 1));
}

TEST_F(AuditTest, AnEntrySaysWhoWhatAndByWhichLimit) {
  audit_.ended(*guest_, failed(GuestFailure::OutOfMemory), where_);
  ASSERT_THAT(entries_, SizeIs(1));
  const auto& entry = entries_[0];
  EXPECT_EQ(entry.tenant.str(), "default");
  EXPECT_EQ(entry.module, "guest");
  EXPECT_EQ(entry.moduleId.str(), "guest-v1.0.0");
  EXPECT_EQ(entry.digest, guest_->digest);
  EXPECT_EQ(entry.route, "/m/guest/");
  EXPECT_EQ(entry.traceId, trace_.trace_id());
  EXPECT_EQ(entry.nodeId.str(), "n1");
  EXPECT_EQ(entry.outcome, AuditOutcome::OutOfMemory);
  EXPECT_EQ(entry.limit, "maxMemoryMB");
  EXPECT_EQ(entry.limitValue, 16);
  EXPECT_EQ(entry.message, "it went wrong");
  EXPECT_EQ(entry.peakMemoryBytes, 4096U);
}

TEST_F(AuditTest, EachLimitIsNamed) {
  audit_.ended(*guest_, failed(GuestFailure::Timeout), where_);
  audit_.ended(*guest_, failed(GuestFailure::OutputTooLarge), where_);
  audit_.ended(*guest_, failed(GuestFailure::Trap, "wasm trap: call stack exhausted"), where_);
  audit_.ended(*guest_, failed(GuestFailure::Trap, "resource table has no free keys"), where_);
  audit_.ended(*guest_, failed(GuestFailure::Trap, "wasm trap: integer divide by zero"), where_);
  audit_.refused(*guest_, {ErrorKind::kTooManyRequests, "100 calls are running", {}}, where_);
  audit_.refused(*guest_, {ErrorKind::kUnavailable, "no free instance slot", {}}, where_);
  std::vector<std::string> named;
  for (const auto& entry : entries_) named.push_back(entry.limit);
  EXPECT_THAT(named, ElementsAre("maxExecutionTimeSeconds", "output", "stack", "handles", "",
                                 "maxConcurrentInvocations", "instances"));
  EXPECT_EQ(counted("wasm_calls_refused_total{kind=\"TooManyRequests\",node=\"n1\"}"), 1);
  EXPECT_EQ(counted("wasm_calls_refused_total{kind=\"NoInstance\",node=\"n1\"}"), 1);
}

TEST_F(AuditTest, WhatTheSandboxDidNotEndIsNoEntry) {
  audit_.ended(*guest_, CallOutcome{}, where_);
  audit_.ended(*guest_, failed(GuestFailure::Exit), where_);
  audit_.ended(*guest_, failed(GuestFailure::Cancelled), where_);
  audit_.ended(*guest_, failed(GuestFailure::NoResponse), where_);
  audit_.refused(*guest_, {ErrorKind::kInvalid, "params[0]: expected u32", {}}, where_);
  EXPECT_THAT(entries_, IsEmpty());
}

TEST_F(AuditTest, AFloodIsCountedAndTheNextWindowSaysHowMuchWasLeftOut) {
  for (std::size_t i = 0; i < limits::kAuditVersionEntries + 1000; ++i) {
    audit_.ended(*guest_, failed(GuestFailure::Trap), where_);
  }
  EXPECT_THAT(entries_, SizeIs(limits::kAuditVersionEntries));
  EXPECT_EQ(counted("wasm_audit_suppressed_total"), 1000);
  EXPECT_EQ(counted("wasm_audit_entries_total"), static_cast<double>(limits::kAuditVersionEntries));

  // Another outcome, and another version, still have their own.
  audit_.ended(*guest_, failed(GuestFailure::Timeout), where_);
  audit_.ended(*version("other"), failed(GuestFailure::Trap), where_);
  EXPECT_THAT(entries_, SizeIs(limits::kAuditVersionEntries + 2));

  clock_.advance(limits::kAuditWindow);
  audit_.ended(*guest_, failed(GuestFailure::Trap), where_);
  EXPECT_EQ(entries_.back().suppressed, 1000U);
  audit_.ended(*guest_, failed(GuestFailure::Trap), where_);
  EXPECT_EQ(entries_.back().suppressed, 0U);
}

TEST_F(AuditTest, ManyVersionsTogetherHaveABoundToo) {
  for (int i = 0; i < 1000; ++i) {
    const auto one = version("guest-" + std::to_string(i));
    audit_.ended(*one, failed(GuestFailure::Trap), where_);
    audit_.ended(*one, failed(GuestFailure::Timeout), where_);
  }
  EXPECT_THAT(entries_, SizeIs(limits::kAuditNodeEntries));
  clock_.advance(limits::kAuditWindow);
  audit_.ended(*guest_, failed(GuestFailure::Trap), where_);
  EXPECT_THAT(entries_, SizeIs(limits::kAuditNodeEntries + 1));
}

TEST_F(AuditTest, ATextThatOthersChoseIsShortened) {
  std::string long_path = "/m/";
  while (long_path.size() < 4 * limits::kAuditTextBytes) long_path += "ä";
  audit_.ended(*guest_, failed(GuestFailure::Trap, long_path),
               {.route = long_path, .function = long_path, .trace = trace_});
  ASSERT_THAT(entries_, SizeIs(1));
  for (const auto& text : {entries_[0].route, entries_[0].function, entries_[0].message}) {
    EXPECT_LE(text.size(), limits::kAuditTextBytes);
    EXPECT_GE(text.size(), limits::kAuditTextBytes - 1);
    EXPECT_EQ(text, long_path.substr(0, text.size()));
    EXPECT_NE(static_cast<unsigned char>(text.back()) & 0xc0U, 0xc0U) << "cut inside a character";
  }
}

TEST_F(AuditTest, IsWrittenAsOneLineOfTheLog) {
  Audit logged(NodeId("n1"), clock_, metrics_);
  testing::internal::CaptureStderr();
  logged.ended(*guest_, failed(GuestFailure::Timeout, "two\nlines"), where_);
  const auto line = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::ranges::count(line, '\n'), 1);
  const auto value = boost::json::parse(line).as_object();
  EXPECT_EQ(value.at("kind"), "audit");
  EXPECT_EQ(value.at("outcome"), "Timeout");
  EXPECT_EQ(value.at("limit"), "maxExecutionTimeSeconds");
  EXPECT_EQ(value.at("limitValue"), 30);
  EXPECT_EQ(value.at("traceId").as_string(), trace_.trace_id());
  EXPECT_EQ(value.at("moduleId"), "guest-v1.0.0");
  EXPECT_EQ(value.at("suppressed"), 0);
}

}  // namespace
}  // namespace hotswap::node
