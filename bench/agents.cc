// Many nodes in one process and on one thread, without a sandbox: each speaks the node protocol (joins, polls its
// desired state, reports), and has every version ready at once. Prints a JSON line when all have joined and know their
// state, and one whenever all of them route a watched module by the same weights.
#include <CLI/CLI.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "model/desired_state.h"
#include "model/node_report.h"
#include "net/client.h"

namespace hotswap {
namespace {

constexpr std::chrono::milliseconds kTimeout{60'000};
constexpr std::chrono::milliseconds kRetry{500};

struct Options {
  std::string control;
  std::string token;
  std::vector<std::string> regions{"local"};
  std::string watch;
  int nodes = 1'000;
  int busy = 10;  // versions of each node that count requests
};

// The clock that Python calls time.monotonic().
double monotonic() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void say(const json::object& line) {
  fmt::print("{}\n", json::serialize(line));
  std::fflush(stdout);
}

// What the agents have in common.
class Census {
 public:
  explicit Census(int nodes) : nodes_(nodes) {}
  void knows_its_state() {
    if (++started_ == nodes_) say({{"started", nodes_}, {"at", monotonic()}});
  }
  void routes(std::string& had, std::string now) {
    if (had == now) return;
    if (!had.empty()) --by_weights_[had];
    had = std::move(now);
    if (!had.empty() && ++by_weights_[had] == nodes_) say({{"weights", had}, {"at", monotonic()}});
  }
  void failed(const std::string& what) {
    // Some of many say as much as all.
    if (++failures_ <= kFailuresShown) say({{"failure", what}});
  }

 private:
  static constexpr int kFailuresShown = 10;
  int nodes_;
  int started_ = 0;
  int failures_ = 0;
  std::map<std::string, int> by_weights_;
};

class Agent {
 public:
  Agent(asio::any_io_executor home, const Options& options, Census& census, int index)
      : options_(options),
        census_(census),
        client_(*net::Client::create(home, options.control)),
        report_wake_(home, asio::steady_timer::time_point::max()),
        random_(static_cast<std::uint64_t>(index) + 1) {
    about_.nodeId = NodeId(fmt::format("agent-{:04}", index));
    about_.hostname = "127.0.0.1";
    about_.port = 1;  // nothing answers there
    about_.region = Region(options.regions[static_cast<std::size_t>(index) % options.regions.size()]);
    about_.zone = std::string(1, static_cast<char>('a' + index / static_cast<int>(options.regions.size()) % 3));
    about_.runtimeVersion = "0";
    about_.hardware = {.cpuCores = 1, .totalMemoryMB = 1024, .totalDiskGB = 10, .architecture = "x86_64"};
    about_.incarnation = new_uuid(random_);
  }

  Task<void> run() {
    while (!co_await join()) co_await pause();
    asio::co_spawn(co_await asio::this_coro::executor, report(), rethrow);
    for (bool first = true;;) {
      const auto changed = co_await poll();
      if (!changed) {
        co_await pause();
        continue;
      }
      if (*changed) {
        report_due_ = true;
        report_wake_.cancel();
      }
      if (std::exchange(first, false)) census_.knows_its_state();
    }
  }

  static void rethrow(const std::exception_ptr& thrown) {
    if (thrown) std::rethrow_exception(thrown);
  }

 private:
  Task<Result<std::string>> send(std::string method, std::string path, std::string body, std::string secret) {
    net::ClientRequest request;
    request.method = std::move(method);
    request.target = "/api/v1/wasm/nodes" + path;
    request.headers = {{"Authorization", "Bearer " + secret}, {"Content-Type", "application/json"}};
    request.body = std::move(body);
    request.timeout = kTimeout;
    auto reply = co_await client_->send(std::move(request));
    // The control plane knows another report than the last one: everything is told again.
    if (reply && reply->status == 409) co_return fail(ErrorKind::kConflict, reply->body);
    if (reply && reply->status >= 400)
      reply = fail(ErrorKind::kUpstream, fmt::format("{} {}", reply->status, reply->body));
    if (!reply) {
      census_.failed(fmt::format("{}: {}", about_.nodeId.str(), reply.error().detail));
      co_return std::unexpected(std::move(reply).error());
    }
    co_return std::move(reply->body);
  }

  Task<bool> join() {
    const auto reply = co_await send("POST", "", to_json_text(about_), options_.token);
    if (!reply) co_return false;
    credential_ = from_json_text<IssuedCredential>(*reply)->credential;
    co_return true;
  }

  // Whether anything changed; nullopt where it failed.
  Task<std::optional<bool>> poll() {
    const auto reply = co_await send("GET",
                                     fmt::format("/{}/desired-state?after={}&incarnation={}&whole={}",
                                                 about_.nodeId.str(), revision_, about_.incarnation, revision_ == 0),
                                     "", credential_);
    if (!reply) co_return std::nullopt;
    auto change = from_json_text<DesiredChange>(*reply);
    if (!change) {
      census_.failed(change.error().detail);
      co_return std::nullopt;
    }
    const bool changed = change->revision != revision_;
    adopt(*std::move(change));
    co_return changed;
  }

  void adopt(DesiredChange change) {
    if (!change.from) {
      versions_.clear();
      if (!options_.watch.empty()) census_.routes(weights_, "");
    }
    versions_changed_ =
        versions_changed_ || !change.from || !change.putVersions.empty() || !change.dropVersions.empty();
    for (auto& version : change.putVersions) {
      versions_[{version.tenant, version.moduleId}] = std::move(version.name);
    }
    for (const auto& key : change.dropVersions) versions_.erase(key);
    for (const auto& route : change.putRoutes) {
      if (route.name != options_.watch) continue;
      std::string weights;
      for (const auto& version : versions_on(route, about_.nodeId)) {
        weights += fmt::format("{}{}={}", weights.empty() ? "" : " ", version.moduleId.str(), version.weight);
      }
      census_.routes(weights_, std::move(weights));
    }
    for (const auto& key : change.dropRoutes) {
      if (key.name == options_.watch) census_.routes(weights_, "");
    }
    revision_ = change.revision;
  }

  Task<void> report() {
    auto next = std::chrono::steady_clock::now();
    for (;;) {
      if (!report_due_ && std::chrono::steady_clock::now() < next) {
        report_wake_.expires_at(next);
        co_await report_wake_.async_wait(asio::as_tuple(asio::use_awaitable));
        continue;
      }
      report_due_ = false;
      auto now = figures();
      const std::int64_t number = now.number;
      auto known = std::exchange(told_, std::nullopt);
      const bool same = known && !versions_changed_;
      if (same) {
        now.after = known->number;
      } else {
        now.versions = version_reports();
        versions_changed_ = false;
      }
      const auto body = to_json_text(same || !known ? now : change_between(*known, now));
      const auto reply = co_await send("POST", fmt::format("/{}/reports", about_.nodeId.str()), body, credential_);
      if (reply) told_ = same ? std::move(known) : std::move(now);
      if (reply) told_->number = number;
      next = std::chrono::steady_clock::now() +
             (reply ? std::chrono::milliseconds(from_json_text<ReportReply>(*reply)->nextReportMs) : kRetry);
    }
  }

  // Without the versions, which are most of it and seldom change: a thousand nodes have a thousand processors to
  // compare theirs.
  NodeReport figures() {
    NodeReport report{.nodeId = about_.nodeId,
                      .region = about_.region,
                      .routedRevision = revision_,
                      .knownRevision = revision_,
                      .versions = {}};
    report.incarnation = about_.incarnation;
    report.health = NodeHealth{.modulesLoaded = static_cast<int>(versions_.size()), .cpuUsagePercent = 12.5};
    report.metrics = NodeMetrics{};
    report.number = ++reports_;
    for (const auto& [key, name] : versions_) {
      if (static_cast<int>(report.versionMetrics.size()) >= options_.busy) break;
      VersionMetrics metrics{.tenant = key.tenant, .name = name, .moduleId = key.moduleId, .latency = {}};
      metrics.requests = reports_;
      metrics.latency.assign(latency_bounds().size() + 1, 0);
      metrics.latency.front() = reports_;
      report.versionMetrics.push_back(std::move(metrics));
    }
    return report;
  }

  std::vector<VersionReport> version_reports() const {
    std::vector<VersionReport> versions;
    for (const auto& [key, name] : versions_) versions.push_back({key.tenant, key.moduleId, VersionState::Ready, ""});
    return versions;
  }

  static Task<void> pause() {
    asio::steady_timer timer(co_await asio::this_coro::executor, kRetry);
    co_await timer.async_wait(asio::use_awaitable);
  }

  const Options& options_;
  Census& census_;
  std::unique_ptr<net::Client> client_;
  asio::steady_timer report_wake_;
  SeededRandom random_;
  NodeDescription about_;
  std::string credential_;
  std::int64_t revision_ = 0;
  std::int64_t reports_ = 0;
  bool report_due_ = false;
  std::map<VersionKey, std::string> versions_;  // and their names
  bool versions_changed_ = true;
  std::optional<NodeReport> told_;  // absent where nothing, or nobody knows what
  std::string weights_;             // of the watched module
};

// Two connections for each agent.
void raise_descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int run(int argc, char** argv) {
  Options options;
  CLI::App app("Nodes without a sandbox");
  app.add_option("--control", options.control, "URL")->required();
  app.add_option("--join-token", options.token)->required();
  app.add_option("--regions", options.regions, "The agents are in them in turn")->delimiter(',');
  app.add_option("--nodes", options.nodes);
  app.add_option("--watch", options.watch, "Name of a module whose weights are told");
  app.add_option("--busy", options.busy, "Versions of each node that count requests");
  CLI11_PARSE(app, argc, argv);
  raise_descriptor_limit();
  asio::io_context io{1};
  Census census(options.nodes);
  std::vector<std::unique_ptr<Agent>> agents;
  for (int i = 0; i < options.nodes; ++i) {
    agents.push_back(std::make_unique<Agent>(io.get_executor(), options, census, i));
    asio::co_spawn(io, agents.back()->run(), Agent::rethrow);
  }
  io.run();
  return 0;
}

}  // namespace
}  // namespace hotswap

int main(int argc, char** argv) { return hotswap::run(argc, argv); }
