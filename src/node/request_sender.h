// Who sends a request, as far as the request says.
#pragma once

#include "net/http.h"
#include "node/route_table.h"

namespace hotswap::node {

// Lives no longer than the exchange.
class RequestSender final : public Sender {
 public:
  explicit RequestSender(const net::Exchange& exchange) : exchange_(exchange) {}
  // The same on every node, so that a sender keeps its version wherever its requests arrive.
  [[nodiscard]] std::optional<std::uint64_t> number(const StickyKey& key) const override;

 private:
  const net::Exchange& exchange_;
};

// The value of one cookie in a Cookie header; empty where it is not there.
[[nodiscard]] std::string_view cookie(std::string_view header, std::string_view name) noexcept;

}  // namespace hotswap::node
