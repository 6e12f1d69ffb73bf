#include "base/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hotswap {
namespace {

using testing::HasSubstr;

enum class Fruit { Apple, Pear };
BOOST_DESCRIBE_ENUM(Fruit, Apple, Pear)

struct Part {
  int count = 0;
  std::optional<std::string> label;
};
BOOST_DESCRIBE_STRUCT(Part, (), (count, label))

struct Whole {
  std::string name;
  Fruit fruit = Fruit::Apple;
  std::vector<Part> parts;
  std::map<std::string, double> weights;
  TimePoint at;
  bool fresh = false;
  static constexpr std::array<std::string_view, 1> kRequired{"name"};
};
BOOST_DESCRIBE_STRUCT(Whole, (), (name, fruit, parts, weights, at, fresh))

TEST(JsonTest, AStructSurvivesTheWayThereAndBack) {
  const std::string text =
      R"({"name":"box","fruit":"Pear","parts":[{"count":-2,"label":"a"},{"count":3,"label":null}],)"
      R"("weights":{"x":1.5},"at":"2026-11-21T08:03:42.123Z","fresh":true})";
  const auto whole = from_json_text<Whole>(text);
  ASSERT_TRUE(whole) << whole.error().detail;
  EXPECT_EQ(whole->fruit, Fruit::Pear);
  EXPECT_EQ(whole->parts.at(0).label, "a");
  EXPECT_FALSE(whole->parts.at(1).label);
  EXPECT_EQ(json::parse(to_json_text(*whole)), json::parse(text));
}

TEST(JsonTest, ListsEveryFailureWithItsPath) {
  const auto whole = from_json_text<Whole>(
      R"({"fruit":"Plum","parts":[{"count":1},{"count":"two","colour":1}],"weights":{"x":"heavy"},"at":"yesterday"})");
  ASSERT_FALSE(whole);
  std::map<std::string, std::string> failures;
  for (const auto& field : whole.error().fields) failures[field.field] = field.message;
  EXPECT_EQ(failures.size(), 6);
  EXPECT_THAT(failures["fruit"], HasSubstr("Apple, Pear"));
  EXPECT_THAT(failures["parts[1].count"], HasSubstr("expected an integer, got a string"));
  EXPECT_THAT(failures["parts[1].colour"], HasSubstr("unknown field; known fields are count, label"));
  EXPECT_THAT(failures["weights.x"], HasSubstr("expected a number"));
  EXPECT_THAT(failures["at"], HasSubstr("RFC 3339"));
  EXPECT_EQ(failures["name"], "is required");
}

TEST(JsonTest, IgnoresWhatALaterVersionOfItselfSaysMore) {
  const char* text = R"({"name":"box","lid":true,"parts":[{"count":1,"colour":"red"}]})";
  EXPECT_EQ(from_json_text<Whole>(text).error().fields.size(), 2U);
  const auto whole = from_json_text<Whole>(text, UnknownMembers::ignored);
  ASSERT_TRUE(whole) << whole.error().detail;
  EXPECT_EQ(whole->parts.at(0).count, 1);
  EXPECT_EQ(from_json_text<Whole>(R"({"lid":true})", UnknownMembers::ignored).error().fields.at(0).field, "name");
}

TEST(JsonTest, IntegersMustFit) {
  const auto read = [](const char* text) { return from_json_text<std::uint8_t>(text); };
  EXPECT_EQ(*read("255"), 255);
  EXPECT_THAT(read("256").error().detail, HasSubstr("from 0 to 255"));
  EXPECT_THAT(read("-1").error().detail, HasSubstr("from 0 to 255"));
  EXPECT_THAT(read("1.5").error().detail, HasSubstr("integer"));
}

TEST(JsonTest, MalformedTextSaysWhere) {
  const auto value = parse_json(R"({"a":tru})");
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().kind, ErrorKind::kInvalid);
  EXPECT_THAT(value.error().detail, HasSubstr("at byte"));
  EXPECT_FALSE(parse_json(std::string(100, '[')));
  EXPECT_FALSE(parse_json("1 2"));
}

TEST(EnumTest, NamesServeBothWays) {
  EXPECT_EQ(enum_name(Fruit::Pear), "Pear");
  EXPECT_EQ(enum_from_name<Fruit>("Apple"), Fruit::Apple);
  EXPECT_FALSE(enum_from_name<Fruit>("apple"));
  EXPECT_EQ(enum_names<Fruit>(), "Apple, Pear");
}

TEST(RawMember, KeepsTheTextOfTheValue) {
  constexpr std::string_view kText = R"( { "a" : "x,}\"", "b":[1,{"c":2}] , "value": 1.50000000000000000001 } )";
  EXPECT_EQ(raw_member(kText, "value"), "1.50000000000000000001");
  EXPECT_EQ(raw_member(kText, "b"), R"([1,{"c":2}])");
  EXPECT_EQ(raw_member(kText, "a"), R"("x,}\"")");
  EXPECT_EQ(raw_member(kText, "c"), "");
  EXPECT_EQ(raw_member("{}", "a"), "");
  EXPECT_EQ(raw_member(R"({"a":1,"a": [2] })", "a"), "[2]");
}

}  // namespace
}  // namespace hotswap
