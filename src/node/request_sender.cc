#include "node/request_sender.h"

#include "forward/hop.h"

namespace hotswap::node {
namespace {

// FNV-1a, and a mixing step because the last digits choose: the same on every node and in every build.
std::uint64_t spread(std::string_view text) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  hash ^= hash >> 33U;
  hash *= 0xff51afd7ed558ccdU;
  return hash ^ (hash >> 33U);
}

}  // namespace

std::string_view cookie(std::string_view header, std::string_view name) noexcept {
  while (!header.empty()) {
    const auto end = header.find(';');
    std::string_view pair = header.substr(0, end);
    header = end == std::string_view::npos ? std::string_view() : header.substr(end + 1);
    while (pair.starts_with(' ')) pair.remove_prefix(1);
    if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=') {
      return pair.substr(name.size() + 1);
    }
  }
  return {};
}

// The client's own where it is known to be, as seen by the node that it asked.
std::string RequestSender::address() const {
  if (forward::shows_key(exchange_, forward_key_)) {
    const auto told = exchange_.headers().find(forward::kClientHeader);
    if (told != exchange_.headers().end()) return std::string(told->value());
  }
  return exchange_.peer().address().to_string();
}

std::optional<std::uint64_t> RequestSender::number(const StickyKey& key) const {
  std::string_view value;
  std::string client;
  switch (key.by) {
    case StickyBy::header: {
      const auto found = exchange_.headers().find(key.name);
      if (found != exchange_.headers().end()) value = {found->value().data(), found->value().size()};
      break;
    }
    case StickyBy::cookie:
      value = cookie(exchange_.header(net::http::field::cookie), key.name);
      break;
    case StickyBy::clientAddress:
      client = address();
      value = client;
      break;
  }
  if (value.empty()) return std::nullopt;
  return spread(value);
}

}  // namespace hotswap::node
