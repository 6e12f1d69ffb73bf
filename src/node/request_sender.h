// Who sends a request, as far as the request says.
#pragma once

#include "net/http.h"
#include "node/route_table.h"

namespace hotswap::node {

// Lives no longer than the exchange.
class RequestSender final : public Sender {
 public:
  // `forward_key`: of this node. A request that shows it was sent on by another node, which says whose it is.
  RequestSender(const net::Exchange& exchange, std::string_view forward_key)
      : exchange_(exchange), forward_key_(forward_key) {}
  // The same on every node, so that a sender keeps its version wherever its requests arrive.
  [[nodiscard]] std::optional<std::uint64_t> number(const StickyKey& key) const override;

 private:
  [[nodiscard]] std::string address() const;

  const net::Exchange& exchange_;
  std::string_view forward_key_;
};

// The value of one cookie in a Cookie header; empty where it is not there.
[[nodiscard]] std::string_view cookie(std::string_view header, std::string_view name) noexcept;

}  // namespace hotswap::node
