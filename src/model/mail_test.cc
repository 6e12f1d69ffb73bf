#include "model/mail.h"

#include <gtest/gtest.h>

namespace hotswap {
namespace {

TEST(MailAddress, IsOneThatAnEnvelopeCanHold) {
  for (const char* good : {"ada@example.com", "a.b+c@mail.example.com", "o'neil@localhost", "x@127.0.0.1"}) {
    EXPECT_TRUE(is_mail_address(good)) << good;
  }
  for (const char* bad : {"", "ada", "@example.com", "ada@", "ada@ex ample", "a\nb@x.org", "ada@x.org>", "<ada@x.org",
                          "a@b@c", ".a@x.org", "a..b@x.org", "a,b@x.org"}) {
    EXPECT_FALSE(is_mail_address(bad)) << bad;
  }
}

}  // namespace
}  // namespace hotswap
