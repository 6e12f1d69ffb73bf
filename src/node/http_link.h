// The node protocol over HTTP: joining, polling, reporting, fetching.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/blocking_pool.h"
#include "base/clock.h"
#include "net/client.h"
#include "node/control_link.h"

namespace hotswap::node {

struct HttpLinkOptions {
  std::string control;         // "http://host:port"
  std::string join_token;      // may be empty for a node that has joined before
  std::filesystem::path data;  // credential and artifacts live below
};

// Everything on one executor, that of its client. The credential and what was fetched stay on disk.
class HttpLink final : public ControlLink {
 public:
  struct Parts {
    BlockingPool& pool;  // files and digests
    const Clock& clock;
  };
  [[nodiscard]] static Result<std::unique_ptr<HttpLink>> open(asio::any_io_executor home, HttpLinkOptions options,
                                                              Parts parts);

  Task<Result<>> introduce(NodeDescription node) override;
  Task<Result<DesiredState>> desired_state(std::int64_t after) override;
  Task<Result<ReportReply>> report(NodeReport report) override;
  Task<Result<>> fetch(Digest digest, std::function<Result<>(std::span<const std::byte>)> sink) override;
  Task<Result<>> count_invocations(std::vector<InvocationCount> counts) override;

 private:
  // As the node's own clock counts: the two clocks are never compared.
  struct Credential {
    std::string secret;
    TimePoint renewAt;
    TimePoint expiresAt;
  };
  HttpLink(HttpLinkOptions options, Parts parts, std::unique_ptr<net::Client> client)
      : options_(std::move(options)), parts_(parts), client_(std::move(client)) {}

  Task<void> recall();
  Task<Result<>> join();
  Task<Result<>> renew();
  Task<Result<>> adopt(std::string reply);
  // With the node's credential; joins anew where the control plane does not know it any more.
  Task<Result<std::string>> call(std::string method, std::string path, std::string body,
                                 std::chrono::milliseconds timeout);
  Task<Result<std::string>> send(net::ClientRequest request);
  Task<Result<>> download(Digest digest);
  Task<void> prune();
  [[nodiscard]] std::string node_path(std::string_view rest) const;
  [[nodiscard]] std::filesystem::path artifact(const Digest& digest) const;

  HttpLinkOptions options_;
  Parts parts_;
  std::unique_ptr<net::Client> client_;
  NodeDescription node_;
  std::optional<Credential> credential_;
  bool joining_ = false;
  DesiredState last_;  // what changes are applied to
  std::set<Digest> fetching_;
  std::map<Digest, std::string> partial_;  // downloads that broke off
};

}  // namespace hotswap::node
