#include "net/url.h"

#include <gtest/gtest.h>

namespace hotswap::net {
namespace {

TEST(Url, IsAnOriginAndATarget) {
  const auto whole = parse_url("http://127.0.0.1:9090/hooks/scale?team=a%20b");
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->origin, "http://127.0.0.1:9090");
  EXPECT_EQ(whole->target, "/hooks/scale?team=a%20b");
  const auto bare = parse_url("http://[::1]");
  ASSERT_TRUE(bare);
  EXPECT_EQ(bare->origin, "http://[::1]");
  EXPECT_EQ(bare->target, "/");
}

TEST(Url, SaysWhatItCannotBe) {
  for (const char* text : {"", "localhost:9090", "https://host/", "ftp://host/", "http://", "http://me@host/",
                           "http://host/#part", "http://host/a b"}) {
    const auto parsed = parse_url(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().kind, ErrorKind::kInvalid);
    EXPECT_NE(parsed.error().detail.find(text), std::string::npos);
  }
}

}  // namespace
}  // namespace hotswap::net
