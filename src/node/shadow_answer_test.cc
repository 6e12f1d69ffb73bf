#include "node/shadow_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits.h"

namespace hotswap::node {

void PrintTo(const Difference& found, std::ostream* out) {
  *out << found.what << ": " << found.live << " became " << found.shadow;
}

namespace {

using testing::HasSubstr;

Answer value(std::string_view json) { return {.content = Content(json)}; }
Answer body(unsigned status, std::string_view bytes) { return {.status = status, .content = Content(bytes)}; }
Answer failed(GuestFailure failure, std::string message = "unreachable") {
  return {.failure = failure, .message = std::move(message)};
}

std::optional<Difference> found(const Answer& live, const Answer& shadow, std::vector<std::string> ignored = {}) {
  return difference(live, shadow, ignored);
}

TEST(ShadowDifference, IsNothingBetweenAnswersThatSayTheSame) {
  EXPECT_EQ(found(value("5"), value("5")), std::nullopt);
  EXPECT_EQ(found(value(R"({"a":1,"b":[1,2]})"), value(R"({"b":[1.0,2],"a":1})")), std::nullopt);
  EXPECT_EQ(found(value(""), value("")), std::nullopt) << "of functions without a result";
  EXPECT_EQ(found(body(200, "hi"), body(200, "hi")), std::nullopt);
  EXPECT_EQ(found(failed(GuestFailure::Trap, "a"), failed(GuestFailure::Trap, "b")), std::nullopt);
}

TEST(ShadowDifference, NamesTheFirstPlaceInsideOfAValue) {
  EXPECT_EQ(found(value("5"), value("6")), (Difference{"returnValue", "5", "6"}));
  EXPECT_EQ(found(value(R"({"items":[{"id":1}]})"), value(R"({"items":[{"id":2}]})")),
            (Difference{"returnValue at /items/0/id", "1", "2"}));
  EXPECT_EQ(found(value("[1]"), value("[1,2]")), (Difference{"returnValue at /1", "nothing", "2"}));
  EXPECT_EQ(found(value(R"({"a":1})"), value("{}")), (Difference{"returnValue at /a", "1", "nothing"}));
  EXPECT_EQ(found(value("{}"), value(R"({"a/b~":1})")), (Difference{"returnValue at /a~1b~0", "nothing", "1"}));
  EXPECT_EQ(found(value(R"({"a":1})"), value(R"({"a":"1"})")), (Difference{"returnValue at /a", "1", R"("1")"}));
  EXPECT_EQ(found(body(200, R"({"a":1})"), body(200, R"({"a":2})")), (Difference{"body at /a", "1", "2"}));
}

TEST(ShadowDifference, LeavesOutWhatIsIgnored) {
  const auto live = value(R"({"at":1,"items":[{"id":1,"n":5}]})");
  const auto shadow = value(R"({"at":2,"items":[{"id":2,"n":5}],"more":{}})");
  EXPECT_EQ(found(live, shadow, {"/at", "/items/0/id", "/more"}), std::nullopt);
  EXPECT_EQ(found(live, shadow, {"/at", "/more"})->what, "returnValue at /items/0/id");
  EXPECT_EQ(found(live, shadow, {"/at", "/items"})->what, "returnValue at /more");
}

TEST(ShadowDifference, OfBodiesThatAreNoJsonIsTheirText) {
  EXPECT_EQ(found(body(200, "one"), body(200, "two")), (Difference{"body", R"("one")", R"("two")"}));
  const auto binary = found(body(200, std::string_view("\xff\x01", 2)), body(200, "two"));
  EXPECT_EQ(binary->live, "2 bytes, SHA-256 " + Sha256::of("\xff\x01").hex());
}

TEST(ShadowDifference, OfLongBodiesIsTheirDigest) {
  const std::string text(limits::kShadowBodyBytes + 1, 'x');
  const auto content = [](std::initializer_list<std::string_view> pieces) {
    Answer made{.status = 200};
    for (const auto piece : pieces) made.content.append(piece);
    made.content.end();
    return made;
  };
  const auto live = content({text, "1"});
  EXPECT_EQ(live.content.text(), nullptr);
  EXPECT_EQ(found(live, content({text.substr(1), "x1"})), std::nullopt) << "in whatever pieces it came";
  const auto differs = found(live, content({text, "2"}));
  ASSERT_TRUE(differs);
  EXPECT_EQ(differs->what, "body");
  EXPECT_THAT(differs->live, HasSubstr(Sha256::of(text + "1").hex()));
  EXPECT_THAT(differs->shadow, HasSubstr(Sha256::of(text + "2").hex()));
  EXPECT_TRUE(found(live, content({"short"})));
}

TEST(ShadowDifference, OfStatusAndFailureComesBeforeTheContent) {
  EXPECT_EQ(found(body(200, "1"), body(404, "2")), (Difference{"status", "200", "404"}));
  EXPECT_EQ(found(value("5"), failed(GuestFailure::Trap)), (Difference{"errorType", "success", "Trap: unreachable"}));
  EXPECT_EQ(found(failed(GuestFailure::Trap), value("5"))->shadow, "success");
  EXPECT_EQ(found(failed(GuestFailure::Trap), failed(GuestFailure::OutOfMemory))->what, "errorType");
}

TEST(ShadowDifference, IsARefusalOrAnAnswerThatDidNotCome) {
  Answer refused;
  refused.refusal = "no such function";
  EXPECT_EQ(found(value("5"), refused), (Difference{"answer", "success", "refused: no such function"}));
  Answer late = failed(GuestFailure::Cancelled);
  late.late = true;
  late.wall = std::chrono::seconds(5);
  EXPECT_EQ(found(value("5"), late)->what, "latency");
  EXPECT_EQ(found(value("5"), late)->shadow, "no answer after 5000 ms");
}

}  // namespace
}  // namespace hotswap::node
