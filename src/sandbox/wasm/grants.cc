#include "sandbox/wasm/grants.h"

#include "base/limits.h"
#include "sandbox/wasm/engine.h"

namespace hotswap::wasm {
namespace {

std::uint32_t milliseconds(std::chrono::milliseconds time) { return static_cast<std::uint32_t>(time.count()); }

eng_outbound outbound_of(const Outbound& bounds) {
  return {.max_requests = bounds.max_requests,
          .max_sent_bytes = bounds.max_sent_bytes,
          .max_received_bytes = bounds.max_received_bytes,
          .connect_milliseconds = milliseconds(limits::kOutboundConnect),
          .first_byte_milliseconds = milliseconds(limits::kOutboundFirstByte),
          .between_bytes_milliseconds = milliseconds(limits::kOutboundBetweenBytes),
          .total_milliseconds = milliseconds(limits::kOutboundTotal),
          .max_depth = limits::kOutboundDepth,
          .via = {}};
}

}  // namespace

Grants::Grants(Grant grant) : grant_(std::move(grant)) {
  for (const auto& [name, value] : grant_.env) env_.push_back({slice(name), slice(value)});
  for (const auto& arg : grant_.args) args_.push_back(slice(arg));
  for (const auto& directory : grant_.directories) {
    directories_.push_back({slice(directory.host), slice(directory.guest), directory.writable});
    read_only_directories_.push_back({slice(directory.host), slice(directory.guest), false});
  }
  for (const auto& host : grant_.hosts) hosts_.push_back(slice(host));
  const eng_grants all{.max_memory_bytes = grant_.max_memory_bytes,
                       .max_output_bytes = grant_.max_output_bytes,
                       .env = env_.data(),
                       .env_count = env_.size(),
                       .args = args_.data(),
                       .args_count = args_.size(),
                       .directories = directories_.data(),
                       .directories_count = directories_.size(),
                       .quota = {.folder = slice(grant_.quota.folder),
                                 .max_bytes = grant_.quota.max_bytes,
                                 .max_entries = grant_.quota.max_entries},
                       .network = static_cast<eng_network>(grant_.network),
                       .hosts = hosts_.data(),
                       .hosts_count = hosts_.size(),
                       .outbound = outbound_of(grant_.outbound),
                       .stdin_bytes = slice(grant_.stdin_bytes),
                       .inherit_stdio = grant_.inherit_stdio};
  eng_grants outbound = all;
  outbound.directories = read_only_directories_.data();
  eng_grants none = outbound;
  none.network = static_cast<eng_network>(Network::none);
  views_[static_cast<std::size_t>(Effects::all)] = all;
  views_[static_cast<std::size_t>(Effects::outbound)] = outbound;
  views_[static_cast<std::size_t>(Effects::none)] = none;
}

eng_grants Grants::get(Effects effects, std::string_view via) const noexcept {
  eng_grants grants = views_[static_cast<std::size_t>(effects)];
  grants.outbound.via = slice(via);
  return grants;
}

}  // namespace hotswap::wasm
