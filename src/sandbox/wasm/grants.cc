#include "sandbox/wasm/grants.h"

#include "sandbox/wasm/engine.h"

namespace hotswap::wasm {

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
                       .network = static_cast<eng_network>(grant_.network),
                       .hosts = hosts_.data(),
                       .hosts_count = hosts_.size(),
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

}  // namespace hotswap::wasm
