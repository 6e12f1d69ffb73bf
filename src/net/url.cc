#include "net/url.h"

#include <boost/url/parse.hpp>
#include <fmt/format.h>

namespace hotswap::net {

Result<Url> parse_url(std::string_view text) {
  const auto invalid = [text](std::string_view why) {
    return fail(ErrorKind::kInvalid, fmt::format("\"{}\" {}: expected a URL such as http://host:9090/path", text, why));
  };
  const auto url = boost::urls::parse_uri(text);
  if (!url) return invalid("is no URL");
  if (url->scheme_id() == boost::urls::scheme::https) return invalid("needs TLS, which is not supported here");
  if (url->scheme_id() != boost::urls::scheme::http || url->encoded_host().empty()) return invalid("is no HTTP URL");
  if (url->has_userinfo() || url->has_fragment()) return invalid("has a user or a fragment");
  Url parsed{.origin = fmt::format("http://{}", std::string_view(url->encoded_host_and_port())),
             .target = std::string(url->encoded_path())};
  if (parsed.target.empty()) parsed.target = "/";
  if (url->has_query()) parsed.target += fmt::format("?{}", std::string_view(url->encoded_query()));
  return parsed;
}

}  // namespace hotswap::net
