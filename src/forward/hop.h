// What a request and a reply carry over a hop between nodes (RFC 9110, section 7.6.1).
#pragma once

#include <string_view>

#include "model/node.h"
#include "net/client.h"
#include "net/http.h"

namespace hotswap::forward {

// Headers between nodes. None reaches a module, or comes through from a client.
inline constexpr std::string_view kInternalPrefix = "x-hotswap-";
// Whoever receives a request with this header serves it itself or refuses it: no request goes around in circles. Its
// value is the receiving node's forward key, which shows that the request comes from one of the fleet.
inline constexpr std::string_view kForwardedHeader = "X-HotSwap-Forwarded";
// The address of the client of the request; believed only together with the key.
inline constexpr std::string_view kClientHeader = "X-HotSwap-Client";
// On a refusal (503) of a forwarded request by a node that does not serve what it asks for, or not any more.
inline constexpr std::string_view kNotHereHeader = "X-HotSwap-Not-Here";

// Whether the request was sent on by one of the fleet, who knows `key`; an empty key is nobody's.
[[nodiscard]] bool shows_key(const net::Exchange& exchange, std::string_view key);

// Whether a header concerns one connection only, or is written anew for each. `connection` is the message's Connection
// header, which may name more.
[[nodiscard]] bool ends_here(std::string_view name, std::string_view connection);

// Method, target, Host and headers of the request as it goes on to `peer`: those that end here are left out; the
// client's address is added.
[[nodiscard]] net::ClientRequest passed_on(const net::Exchange& exchange, const Peer& peer);
[[nodiscard]] net::HeaderList trailers_of(const net::Exchange& exchange);
// The headers of a reply, or its trailers, that go on to the client.
[[nodiscard]] std::vector<net::Header> passed_back(const net::HeaderList& headers);

}  // namespace hotswap::forward
