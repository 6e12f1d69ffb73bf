#include "net/certificates.h"

#include <gmock/gmock.h>
#include <openssl/err.h>

#include <fstream>

#include "net/https_sink.h"

namespace hotswap::net {
namespace {

using testing::HasSubstr;

std::string content(const std::string& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(Certificates, AreReadAsTheyWillBe) {
  const HttpsSink sink;
  EXPECT_TRUE(check_certificates(sink.certificate()));

  const std::string good = content(sink.certificate());
  const std::string other = sink.certificate() + ".other";
  const auto why = [&](const std::string& text) {
    std::ofstream(other) << text;
    const auto checked = check_certificates(other);
    EXPECT_EQ(ERR_peek_error(), 0U) << "what OpenSSL says must not be left for others";
    return checked ? std::string() : checked.error().detail;
  };
  EXPECT_EQ(why(good + good), "");
  EXPECT_THAT(why(""), HasSubstr(other + " holds no certificates"));
  EXPECT_THAT(why("just text\n"), HasSubstr("-----BEGIN CERTIFICATE-----"));
  EXPECT_NE(why(good + good.substr(0, good.size() / 2)), "") << "the second ends too early";
  EXPECT_FALSE(check_certificates(other + ".none"));
}

}  // namespace
}  // namespace hotswap::net
