#include "cli/table.h"

#include <gtest/gtest.h>

#include "cli/event_stream.h"
#include "cli/output.h"
#include "cli/progress.h"

namespace hotswap::cli {
namespace {

TEST(Table, AlignsColumnsAndLeavesNoTrailingSpace) {
  Table table({{.title = "NAME"}, {.title = "SIZE", .right = true}, {.title = "TEXT"}});
  table.add({"a", "1 B", ""});
  table.add({"längere", "12.0 KiB", "x"});
  EXPECT_EQ(table.text(0, false),
            "NAME         SIZE  TEXT\n"
            "a             1 B\n"
            "längere  12.0 KiB  x\n");
}

TEST(Table, ShrinksOnlyWhatMayShrinkToFitTheTerminal) {
  Table table({{.title = "ID"}, {.title = "DESCRIPTION", .shrinks = true}});
  table.add({"0123456789", "a very long description of a module"});
  EXPECT_EQ(table.text(24, false),
            "ID          DESCRIPTION\n"
            "0123456789  a very long…\n");
}

TEST(Table, ColorsStatusWordsWithoutDisturbingTheAlignment) {
  Table table({{.title = "STATUS"}, {.title = "N"}});
  table.add({"Active", "1"});
  const auto text = table.text(0, true);
  EXPECT_NE(text.find("\x1b[32mActive\x1b[0m  1"), std::string::npos) << text;
}

TEST(Sheet, LeavesEmptyValuesOutAndContinuesLinesUnderTheValue) {
  Sheet sheet;
  sheet.add("A", "1");
  sheet.add("Gone", "");
  sheet.add("Long", "x\ny");
  EXPECT_EQ(sheet.text(false),
            "A:     1\n"
            "Long:  x\n"
            "       y\n");
}

TEST(Human, SizesAgesAndTimes) {
  EXPECT_EQ(human_size(0), "0 B");
  EXPECT_EQ(human_size(1023), "1023 B");
  EXPECT_EQ(human_size(1536), "1.5 KiB");
  EXPECT_EQ(human_size(1024 * 1024 - 1), "1.0 MiB");
  EXPECT_EQ(human_size(50ULL << 20U), "50.0 MiB");
  const TimePoint then{};
  using namespace std::chrono_literals;
  EXPECT_EQ(human_age(then, then - 5s), "now");
  EXPECT_EQ(human_age(then, then + 59s), "59s");
  EXPECT_EQ(human_age(then, then + 3min), "3m");
  EXPECT_EQ(human_age(then, then + 25h), "25h");
  EXPECT_EQ(human_age(then, then + 72h), "3d");
  EXPECT_EQ(human_milliseconds(0.25), "250µs");
  EXPECT_EQ(human_milliseconds(12.34), "12.3ms");
  EXPECT_EQ(human_milliseconds(4200), "4.2s");
}

TEST(Progress, BarIsBoundedByItsCells) {
  EXPECT_EQ(bar(0, 4), "[----]");
  EXPECT_EQ(bar(0.5, 4), "[##--]");
  EXPECT_EQ(bar(7, 4), "[####]");
}

TEST(Yaml, QuotesStringsThatWouldReadAsSomethingElse) {
  const auto value = json::parse(R"({"version":"1.0","flag":"true","word":"x","n":3,"none":null,"list":[],"map":{},
                                     "deep":[{"a":1.5}]})");
  EXPECT_EQ(to_yaml(value),
            "version: \"1.0\"\nflag: \"true\"\nword: x\nn: 3\nnone: ~\nlist: []\nmap: {}\ndeep:\n  - a: 1.5");
}

TEST(EventStream, ReadsEventsHoweverTheBytesAreCut) {
  constexpr std::string_view kStream = ":hello\nid: 1\nevent: x\ndata: {\"a\":\r\ndata:1}\r\n\r\n\ndata\n\ndata: last";
  for (std::size_t size = 1; size <= kStream.size(); ++size) {
    std::vector<std::string> seen;
    EventStreamParser parser([&](std::string_view data) { seen.emplace_back(data); });
    for (std::size_t at = 0; at < kStream.size(); at += size) parser.feed(kStream.substr(at, size));
    EXPECT_EQ(seen, (std::vector<std::string>{"{\"a\":\n1}", ""})) << size;
  }
}

}  // namespace
}  // namespace hotswap::cli
