#include "forward/hop.h"

#include <boost/beast/core/string.hpp>

namespace hotswap::forward {
namespace {

using boost::beast::iequals;

bool names(std::string_view list, std::string_view name) {
  while (!list.empty()) {
    const auto end = list.find(',');
    std::string_view word = list.substr(0, end);
    list = end == std::string_view::npos ? std::string_view() : list.substr(end + 1);
    while (word.starts_with(' ') || word.starts_with('\t')) word.remove_prefix(1);
    while (word.ends_with(' ') || word.ends_with('\t')) word.remove_suffix(1);
    if (iequals(word, name)) return true;
  }
  return false;
}

// A new hop writes these itself, or they mean one connection.
bool of_one_hop(net::http::field field) {
  using net::http::field;
  switch (field) {
    case field::connection:
    case field::content_length:
    case field::expect:
    case field::host:
    case field::keep_alive:
    case field::proxy_authenticate:
    case field::proxy_authorization:
    case field::proxy_connection:
    case field::te:
    case field::transfer_encoding:
    case field::upgrade:
      return true;
    default:
      return false;
  }
}

}  // namespace

bool shows_key(const net::Exchange& exchange, std::string_view key) {
  const auto found = exchange.headers().find(kForwardedHeader);
  if (found == exchange.headers().end() || key.empty() || found->value().size() != key.size()) return false;
  // In the same time wherever they differ.
  unsigned difference = 0;
  for (std::size_t i = 0; i < key.size(); ++i) difference |= static_cast<unsigned>(found->value()[i] ^ key[i]);
  return difference == 0;
}

bool ends_here(std::string_view name, std::string_view connection) {
  if (name.size() >= kInternalPrefix.size() && iequals(name.substr(0, kInternalPrefix.size()), kInternalPrefix)) {
    return true;
  }
  return of_one_hop(net::http::string_to_field(name)) || iequals(name, "traceparent") || names(connection, name);
}

net::ClientRequest passed_on(const net::Exchange& exchange, const Peer& peer) {
  net::ClientRequest request;
  request.method = std::string(exchange.method());
  request.target = std::string(exchange.target());
  request.host = std::string(exchange.header(net::http::field::host));
  const std::string_view connection = exchange.header(net::http::field::connection);
  const std::string client = exchange.peer().address().to_string();
  std::string forwarded_for;
  bool scheme_known = false;
  for (const auto& field : exchange.headers()) {
    const std::string_view name = field.name_string();
    if (iequals(name, "x-forwarded-for")) {
      forwarded_for += std::string(field.value()) + ", ";
      continue;
    }
    if (ends_here(name, connection)) continue;
    scheme_known = scheme_known || iequals(name, "x-forwarded-proto");
    request.headers.emplace_back(name, field.value());
  }
  request.headers.emplace_back("X-Forwarded-For", forwarded_for + client);
  if (!scheme_known) request.headers.emplace_back("X-Forwarded-Proto", "http");
  request.headers.emplace_back("traceparent", exchange.trace().traceparent());
  request.headers.emplace_back(kForwardedHeader, peer.key.empty() ? "1" : peer.key);
  request.headers.emplace_back(kClientHeader, client);
  request.connect_timeout = limits::kForwardConnect;
  request.timeout = limits::kForwardTimeout;
  return request;
}

net::HeaderList trailers_of(const net::Exchange& exchange) {
  net::HeaderList list;
  for (const auto& field : exchange.trailers()) {
    if (!ends_here(field.name_string(), {})) list.emplace_back(field.name_string(), field.value());
  }
  return list;
}

std::vector<net::Header> passed_back(const net::HeaderList& headers) {
  std::string_view connection;
  for (const auto& [name, value] : headers) {
    if (name == "connection") connection = value;
  }
  std::vector<net::Header> list;
  list.reserve(headers.size());
  for (const auto& [name, value] : headers) {
    if (!ends_here(name, connection)) list.emplace_back(name, value);
  }
  return list;
}

}  // namespace hotswap::forward
