#include "cli/server_options.h"

#include <boost/asio/signal_set.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <csignal>
#include <ostream>

#include "cli/commands.h"

namespace hotswap::cli {

void add_common_options(CLI::App& command, CommonSettings& settings) {
  command.add_option("--data", settings.data, "Folder of everything that is kept")->capture_default_str();
  command.add_option("--threads", settings.threads, "I/O threads; 0 = one for each processor")->capture_default_str();
  command.add_flag("--wasi03", settings.wasi03, "Accept modules that need WASI 0.3 (experimental in the engine)");
}

void add_control_options(CLI::App& command, ControlSettings& settings) {
  command
      .add_option("--store", settings.store,
                  "Rows: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE "
                  "[default: SQLite in the data folder]")
      ->type_name("URL");
  command.add_option("--api", settings.api, "Address of the API; port 0 picks a free one")->capture_default_str();
  command.add_option("--environment", settings.environment, "Environment of regions that state none")
      ->check(CLI::IsMember({"development", "staging", "production"}))
      ->capture_default_str();
  command
      .add_option("--replicas", settings.replicas,
                  "Nodes of a region that hold each module: all, or 1 to 3; REGION=N for one region [default: all]")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("N,…");
  command
      .add_option("--simultaneous-moves", settings.simultaneous_moves,
                  "Copies that are made elsewhere at once when nodes come, go or drain")
      ->check(CLI::Range(std::size_t{1}, limits::kModulesPerCluster))
      ->capture_default_str();
  command.add_option("--report-every", settings.report_every, "Seconds between two reports of a node")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{limits::kReportCeiling.count()}))
      ->capture_default_str();
  command.add_option("--suspect-after", settings.suspect_after, "Seconds of silence until a node is suspect")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{limits::kUnhealthyCeiling.count()}))
      ->capture_default_str();
  command.add_option("--unhealthy-after", settings.unhealthy_after, "Seconds of silence until a node is unhealthy")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{limits::kUnhealthyCeiling.count()}))
      ->capture_default_str();
  command
      .add_option("--deployments-per-hour", settings.deployments_per_hour,
                  "Deployments that may be created within an hour; 0 = no limit")
      ->check(CLI::Range(0, limits::kDeploymentsPerHourCeiling))
      ->capture_default_str();
  command
      .add_option("--credential-life", settings.credential_life,
                  "Seconds that a node's credential lives; it is renewed at two thirds")
      ->check(CLI::Range(std::int64_t{3}, std::int64_t{366} * 24 * 3600))
      ->capture_default_str();
}

void add_node_options(CLI::App& command, NodeSettings& settings) {
  command.add_option("--gateway", settings.gateway, "Address that serves the modules; port 0 picks a free one")
      ->capture_default_str();
  command.add_option("--zone", settings.zone, "Zone of the node within its region")->type_name("ZONE");
  command.add_option("--instances", settings.instances, "Simultaneous core instances; each reserves address space")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  command.add_option("--max-modules", settings.max_modules, "Versions that the node holds at most")
      ->check(CLI::Range(1, static_cast<int>(limits::kModulesPerCluster)))
      ->capture_default_str();
}

struct StopSignals::Waiting {
  asio::io_context context;
  asio::signal_set signals{context, SIGINT, SIGTERM};
};

StopSignals::StopSignals() : waiting_(std::make_unique<Waiting>()) {}
StopSignals::~StopSignals() = default;

void StopSignals::wait() {
  waiting_->signals.async_wait([](const boost::system::error_code&, int) {});
  waiting_->context.run();
}

void stop_server(Context& context, RunningServer& server) {
  if (const std::size_t cut = server.stop(); cut > 0) {
    context.err << fmt::format("{} requests did not end in time and were cut\n", cut);
  }
}

}  // namespace hotswap::cli
