#include "control/base64.h"

#include <gtest/gtest.h>

namespace hotswap::control {
namespace {

Result<std::string> decode(std::string_view text, std::size_t piece) {
  Base64Decoder decoder;
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += piece) HS_CHECK(decoder.decode(text.substr(at, piece), out));
  HS_CHECK(decoder.finish(out));
  return out;
}

// RFC 4648, section 10.
TEST(Base64, DecodesTheSpecificationsExamplesInPiecesOfAnySize) {
  const std::pair<std::string_view, std::string_view> examples[] = {
      {"", ""},    {"Zg==", "f"},         {"Zm8=", "fo"},         {"Zm9v", "foo"}, {"Zm9vYg==", "foob"},
      {"Zg", "f"}, {"Zm9vYmE=", "fooba"}, {"Zm9vYmFy", "foobar"}, {"Zm8", "fo"},   {"+/+/", "\xfb\xff\xbf"}};
  for (const auto& [text, expected] : examples) {
    for (std::size_t piece = 1; piece < 9; ++piece) EXPECT_EQ(decode(text, piece).value_or("?"), expected) << text;
  }
}

TEST(Base64, NamesThePositionOfWhatIsNone) {
  const std::pair<std::string_view, std::string_view> examples[] = {
      {"Zm9v!", "position 4"}, {"=", "position 0"},      {"Zg==Zg==", "position 4"}, {"Z", "ends early"},
      {"Zg=", "ends early"},   {"Zm9v\n", "position 4"}, {"Zm8==", "position 4"}};
  for (const auto& [text, expected] : examples) {
    const auto decoded = decode(text, 3);
    ASSERT_FALSE(decoded) << text;
    EXPECT_TRUE(decoded.error().detail.contains(expected)) << text << ": " << decoded.error().detail;
  }
}

}  // namespace
}  // namespace hotswap::control
