#include "model/text_rules.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace hotswap {
namespace {

TEST(NameRule, AllowsLettersDigitsDashesAndUnderscores) {
  for (const auto* name : {"a", "A-b_9", "-", "0"}) EXPECT_EQ(name_problem(name), "") << name;
  EXPECT_EQ(name_problem(std::string(limits::kNameBytes, 'x')), "");
  for (const auto* name : {"", " ", "a b", "a.b", "a/b", "ä", "a\n"}) EXPECT_NE(name_problem(name), "") << name;
  EXPECT_NE(name_problem(std::string(limits::kNameBytes + 1, 'x')), "");
  EXPECT_EQ(node_name_problem("edge-1.example.com"), "");
}

TEST(PlainText, IsUtf8WithoutNul) {
  for (const char* text : {"", "abc", "äöü", "日本", "😀", "\xEF\xBF\xBD"}) EXPECT_TRUE(is_plain_text(text)) << text;
  for (const char* text :
       {"\xff", "\xc3", "\xc3(", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"}) {
    EXPECT_FALSE(is_plain_text(text));
  }
  EXPECT_FALSE(is_plain_text(std::string_view("a\0b", 3)));
}

TEST(HostPattern, IsHostOrHostWithPortOrWildcardDomain) {
  for (const char* pattern : {"example.com", "localhost", "a-b.c", "10.0.0.1", "example.com:443", "10.0.0.1:1", "[::1]",
                              "[fe80::1]:8080", "*.example.com", "*.com", "xn--bcher-kva.example"}) {
    EXPECT_TRUE(is_host_pattern(pattern)) << pattern;
  }
  for (const char* pattern : {"",
                              "*",
                              "*.",
                              "*.*.com",
                              "a.*.com",
                              "*example.com",
                              "http://example.com",
                              "example.com/",
                              "example.com:",
                              "example.com:0",
                              "example.com:65536",
                              "example.com:080",
                              "example.com:http",
                              "-a.com",
                              "a-.com",
                              "a..com",
                              "a.com.",
                              ".com",
                              "::1",
                              "[::1",
                              "[1.2.3.4]",
                              "999.0.0.1",
                              "1.2.3",
                              "a b",
                              "a_b.com",
                              "*.10.0.0.1",
                              ":80"}) {
    EXPECT_FALSE(is_host_pattern(pattern)) << pattern;
  }
}

}  // namespace
}  // namespace hotswap
