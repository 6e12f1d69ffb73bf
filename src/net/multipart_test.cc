#include "net/multipart.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace hotswap::net {
namespace {

constexpr std::string_view kType = "multipart/form-data; boundary=XyZ";

struct Part {
  std::string name;
  std::string filename = "-";
  std::string content_type = "text/plain";
  std::string bytes = {};
  bool operator==(const Part&) const = default;
};

void PrintTo(const Part& part, std::ostream* out) {
  *out << part.name << " (" << part.filename << ", " << part.content_type
       << "): " << testing::PrintToString(part.bytes);
}

// Takes every event; true at MultipartEnd.
Result<bool> take(MultipartParser& parser, std::vector<Part>& parts) {
  bool ended = false;
  for (;;) {
    HS_TRY(const MultipartEvent event, parser.next());
    if (std::holds_alternative<NeedMore>(event)) return ended;
    if (const auto* begin = std::get_if<PartBegin>(&event)) {
      parts.push_back({begin->name, begin->filename.value_or("-"), begin->content_type});
    } else if (const auto* bytes = std::get_if<PartBytes>(&event)) {
      EXPECT_FALSE(bytes->bytes.empty());
      parts.back().bytes += bytes->bytes;
    } else if (std::holds_alternative<MultipartEnd>(event)) {
      ended = true;
    }
  }
}

Result<std::vector<Part>> parse(std::vector<std::string_view> pieces, std::string_view type = kType,
                                MultipartBounds bounds = {}) {
  HS_TRY(MultipartParser parser, MultipartParser::create(type, bounds));
  std::vector<Part> parts;
  for (const std::string_view piece : pieces) {
    // A copy of its own, so that a view kept too long is seen by the address sanitizer.
    const std::string copy(piece);
    parser.push(copy);
    HS_CHECK(take(parser, parts));
  }
  HS_CHECK(parser.finish());
  return parts;
}

const std::string kMessage =
    "preamble\r\n--XyZ\r\n"
    "Content-Disposition: form-data; name=\"metadata\"\r\n\r\n"
    "{\"a\": 1}\r\n--XyZ  \r\n"
    "content-disposition: form-data; name=\"file\"; filename=\"a \\\"b\\\".wasm\"\r\nContent-Type: "
    "application/wasm\r\n\r\n"
    "\r\n--Xy\r\r\n--\r\n\r\n--XyZ\r\n"
    "Content-Disposition: form-data; name=empty\r\n\r\n"
    "\r\n--XyZ\r\n"
    "Content-Disposition: form-data; name=none\r\n\r\n"
    "--XyZ--\r\nepilogue\r\n--XyZ";

const std::vector<Part> kParts = {
    {"metadata", "-", "text/plain", "{\"a\": 1}"},
    {"file", "a \"b\".wasm", "application/wasm", "\r\n--Xy\r\r\n--\r\n"},
    {"empty"},
    {"none"},
};

TEST(Multipart, GivesPartsHeadersAndBytes) { EXPECT_EQ(parse({kMessage}), kParts); }

TEST(Multipart, GivesTheSameHoweverTheBytesAreSplit) {
  const std::string_view message = kMessage;
  for (std::size_t a = 0; a <= message.size(); ++a) {
    ASSERT_EQ(parse({message.substr(0, a), message.substr(a)}), kParts) << "split at " << a;
    const std::size_t b = std::min(a + 3, message.size());
    ASSERT_EQ(parse({message.substr(0, a), message.substr(a, b - a), message.substr(b)}), kParts) << "split at " << a;
  }
  std::vector<std::string_view> bytes;
  for (std::size_t i = 0; i < message.size(); ++i) bytes.push_back(message.substr(i, 1));
  EXPECT_EQ(parse(bytes), kParts);
}

TEST(Multipart, EveryPrefixIsIncomplete) {
  const std::string_view message = kMessage;
  const std::size_t end = message.find("--XyZ--") + 7;
  for (std::size_t size = 0; size < end; ++size) {
    const auto parts = parse({message.substr(0, size)});
    ASSERT_FALSE(parts) << "prefix of " << size;
    EXPECT_EQ(parts.error().kind, ErrorKind::kInvalid);
  }
}

TEST(Multipart, ReadsTheBoundaryOfTheContentType) {
  const std::string_view body = "--a b\r\nContent-Disposition: form-data; name=x\r\n\r\n1\r\n--a b--";
  EXPECT_TRUE(parse({body}, "Multipart/Form-Data; charset=utf-8; boundary=\"a b\""));
  EXPECT_EQ(MultipartParser::create("application/json").error().kind, ErrorKind::kUnsupportedMedia);
  for (const std::string type : {"multipart/form-data", "multipart/form-data; boundary=",
                                 "multipart/form-data; boundary=\"a", "multipart/form-data; boundary",
                                 "multipart/form-data; boundary=\"a \"", "multipart/form-data; boundary=a\x01"}) {
    EXPECT_EQ(MultipartParser::create(type).error().kind, ErrorKind::kInvalid) << type;
  }
  EXPECT_FALSE(MultipartParser::create("multipart/form-data; boundary=" + std::string(71, 'a')));
}

TEST(Multipart, RefusesWhatIsMalformedAndSaysWhy) {
  const auto part = [](std::string_view header) { return "--XyZ\r\n" + std::string(header) + "\r\n\r\nx\r\n--XyZ--"; };
  const std::vector<std::pair<std::string, std::string>> cases = {
      {part("Content-Type: text/plain"), "no Content-Disposition"},
      {"--XyZ\r\n\r\nx\r\n--XyZ--", "no Content-Disposition"},
      {part("Content-Disposition: attachment; name=a"), "must be form-data"},
      {part("Content-Disposition: form-data"), "has no name"},
      {part("Content-Disposition: form-data; name=\"a"), "no closing quote"},
      {part("Content-Disposition: form-data; name=\"a\"b"), "behind its closing quote"},
      {part("Content-Disposition: form-data; name"), "has no value"},
      {part("Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b"),
       "two Content-Disposition"},
      {part("Content-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: base64"), "base64"},
      {part("nonsense"), "has no name"},
      {part("Content-Disposition: form-data; name=a\n"), "control character"},
      {"--XyZa\r\n", "followed by"},
      {"--XyZ-a", "followed by"},
      {"--XyZ" + std::string(200, ' '), "followed by"},
  };
  for (const auto& [body, why] : cases) {
    const auto parts = parse({body});
    ASSERT_FALSE(parts) << body;
    EXPECT_EQ(parts.error().kind, ErrorKind::kInvalid) << body;
    EXPECT_THAT(parts.error().detail, testing::HasSubstr(why)) << body;
  }
}

TEST(Multipart, BoundsHeadersAndParts) {
  const MultipartBounds bounds{.header_bytes = 64, .parts = 2};
  const std::string part = "--XyZ\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n";
  EXPECT_TRUE(parse({part, part, "--XyZ--"}, kType, bounds));
  EXPECT_EQ(parse({part, part, part, "--XyZ--"}, kType, bounds).error().kind, ErrorKind::kTooLarge);
  const std::string wide = "--XyZ\r\nX: " + std::string(100, 'x');
  EXPECT_EQ(parse({wide}, kType, bounds).error().kind, ErrorKind::kTooLarge);
  std::vector<std::string_view> bytes;
  for (std::size_t i = 0; i < wide.size(); ++i) bytes.push_back(std::string_view(wide).substr(i, 1));
  EXPECT_EQ(parse(bytes, kType, bounds).error().kind, ErrorKind::kTooLarge);
}

TEST(Multipart, KeepsItsFirstError) {
  auto parser = *MultipartParser::create(kType);
  parser.push("--XyZ!");
  const auto first = parser.next();
  ASSERT_FALSE(first);
  parser.push("--XyZ--");
  EXPECT_EQ(parser.next().error(), first.error());
  EXPECT_EQ(parser.finish().error(), first.error());
}

}  // namespace
}  // namespace hotswap::net
