#include "net/http.h"

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>

#include "net/reply_head.h"
#include "net/server.h"
#include "net/sse.h"

namespace hotswap::net {
namespace {

using testing::ElementsAre;
using testing::Pair;

TEST(ProblemDocument, NamesTypeTitleStatusDetailAndTrace) {
  const TraceContext trace{1, 2, 3, false};
  const Error error{ErrorKind::kNotFound, "no module 'a'", {}};
  EXPECT_EQ(boost::json::parse(problem_document(error, trace)),
            (boost::json::value{{"type", "https://hotswap.dev/problems/" + std::string(slug(ErrorKind::kNotFound))},
                                {"title", "Not Found"},
                                {"status", 404},
                                {"detail", "no module 'a'"},
                                {"traceId", "00000000000000010000000000000002"}}));
}

TEST(ProblemDocument, ListsEveryFieldOfAValidationFailure) {
  const Error error{ErrorKind::kInvalid, "two fields", {{"name", "is empty"}, {"limits.fuel", "is negative"}}};
  const auto document = boost::json::parse(problem_document(error, {}));
  EXPECT_EQ(document.at("errors"), (boost::json::value{{{"field", "name"}, {"message", "is empty"}},
                                                       {{"field", "limits.fuel"}, {"message", "is negative"}}}));
}

TEST(PercentDecode, DecodesAndRefusesMalformedEscapes) {
  EXPECT_EQ(percent_decode("a%2Fb%20c+d"), "a/b c+d");
  EXPECT_EQ(percent_decode("a+b", true), "a b");
  for (const std::string_view text : {"%", "%2", "%2g", "%g2", "abc%"}) EXPECT_FALSE(percent_decode(text)) << text;
}

TEST(ParseQuery, KeepsOrderDuplicatesAndEmptyValues) {
  EXPECT_THAT(*parse_query("a=1&b=&a=x%26y+z&c&&=v"),
              ElementsAre(Pair("a", "1"), Pair("b", ""), Pair("a", "x&y z"), Pair("c", ""), Pair("", "v")));
  EXPECT_THAT(*parse_query(""), ElementsAre());
  EXPECT_FALSE(parse_query("a=%zz"));
}

TEST(ParseEndpoint, ReadsAddressAndPort) {
  EXPECT_EQ(*parse_endpoint("127.0.0.1:8080"), tcp::endpoint(asio::ip::make_address("127.0.0.1"), 8080));
  EXPECT_EQ(*parse_endpoint("localhost:1"), tcp::endpoint(asio::ip::make_address("127.0.0.1"), 1));
  EXPECT_EQ(*parse_endpoint("[::1]:0"), tcp::endpoint(asio::ip::make_address("::1"), 0));
  EXPECT_EQ(*parse_endpoint(":80"), tcp::endpoint(tcp::v6(), 80));
  for (const std::string_view text :
       {"", "8080", "a:80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:8x", "::1:80", "[127.0.0.1]:80"}) {
    EXPECT_FALSE(parse_endpoint(text)) << text;
  }
}

TEST(ReplyHead, RefusesHeadersThatWouldForgeAReply) {
  const auto check = [](std::string_view name, std::string_view value) {
    const Header header{name, value};
    return check_fields({&header, 1}).has_value();
  };
  EXPECT_TRUE(check("X-Name", "any text \t caf\xc3\xa9"));
  EXPECT_FALSE(check("X-Name", "a\r\nSet-Cookie: b"));
  EXPECT_FALSE(check("X-Name", std::string_view("a\0b", 3)));
  EXPECT_FALSE(check("X Name", "a"));
  EXPECT_FALSE(check("X:Name", "a"));
  EXPECT_FALSE(check("", "a"));
}

TEST(ServerEvent, HasOneFieldPerLine) {
  std::string out;
  append_event(out, {.id = "7", .event = "rollout", .data = "one\ntwo\r\nthree\rfour"});
  EXPECT_EQ(out, "id: 7\nevent: rollout\ndata: one\ndata: two\ndata: three\ndata: four\n\n");
  out.clear();
  append_event(out, {.id = "1\n2", .event = {}, .data = {}});
  EXPECT_EQ(out, "id: 12\ndata: \n\n");
}

}  // namespace
}  // namespace hotswap::net
