#include "net/url.h"

#include <boost/url/parse.hpp>
#include <fmt/format.h>

namespace hotswap::net {

Result<> check_url(std::string_view text) {
  const auto invalid = [text](std::string_view why) {
    return fail(ErrorKind::kInvalid,
                fmt::format("\"{}\" {}: expected a URL such as https://host:9090/path", text, why));
  };
  const auto url = boost::urls::parse_uri(text);
  if (!url) return invalid("is no URL");
  const auto scheme = url->scheme_id();
  const bool web = scheme == boost::urls::scheme::http || scheme == boost::urls::scheme::https;
  if (!web || url->encoded_host().empty()) return invalid("is no HTTP URL");
  if (url->has_userinfo() || url->has_fragment()) return invalid("has a user or a fragment");
  return {};
}

}  // namespace hotswap::net
