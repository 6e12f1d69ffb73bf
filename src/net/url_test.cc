#include "net/url.h"

#include <gtest/gtest.h>

namespace hotswap::net {
namespace {

TEST(Url, IsHttpOrHttps) {
  for (const char* text : {"http://127.0.0.1:9090/hooks/scale?team=a%20b", "http://[::1]", "https://host/"}) {
    EXPECT_TRUE(check_url(text)) << text;
  }
}

TEST(Url, SaysWhatItCannotBe) {
  for (const char* text : {"", "localhost:9090", "ftp://host/", "https://", "http://", "https://me@host/",
                           "http://host/#part", "http://host/a b"}) {
    const auto checked = check_url(text);
    ASSERT_FALSE(checked) << text;
    EXPECT_EQ(checked.error().kind, ErrorKind::kInvalid);
    EXPECT_NE(checked.error().detail.find(text), std::string::npos);
  }
}

}  // namespace
}  // namespace hotswap::net
