#include "cli/server_options.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/signal_set.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <csignal>
#include <ostream>

#include "cli/commands.h"

namespace hotswap::cli {

// NOLINTNEXTLINE(misc-unused-using-decls): used in a co_await expression below, where clang-tidy does not look
using asio::experimental::awaitable_operators::operator||;

void add_common_options(CLI::App& command, CommonSettings& settings) {
  command.add_option("--data", settings.data, "Folder of everything that is kept")->capture_default_str();
  command.add_option("--threads", settings.threads, "I/O threads; 0 = one for each processor")->capture_default_str();
  command.add_flag("--wasi03", settings.wasi03, "Accept modules that need WASI 0.3 (experimental in the engine)");
}

namespace {

constexpr const char* kScaling = "Autoscaling";

void add_seconds(CLI::App& command, const std::string& name, std::int64_t& value, std::int64_t least,
                 const std::string& description) {
  command.add_option(name, value, description)
      ->check(CLI::Range(least, std::int64_t{limits::kScalingTimeMost.count()}))
      ->capture_default_str()
      ->group(kScaling);
}

void add_bounds(CLI::App& command, const std::string& name, std::vector<std::string>& words,
                const std::string& description) {
  command.add_option(name, words, description)
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("N,…")
      ->group(kScaling);
}

void add_scaling_options(CLI::App& command, ScalingSettings& settings) {
  constexpr double kMostPercent = 100;
  command
      .add_flag(
          "--autoscale", settings.enabled,
          "Decide when a region needs a node more or less: an event, a metric, and what --scaling-webhook is told")
      ->group(kScaling);
  command.add_option("--scale-up-cpu", settings.up_cpu, "A node more where the CPU is above so many percent")
      ->check(CLI::Range(0.0, kMostPercent))
      ->capture_default_str()
      ->group(kScaling);
  add_seconds(command, "--scale-up-after", settings.up_after, 0, "for so many seconds");
  command
      .add_option("--scale-up-modules", settings.up_modules,
                  "A node more where nodes hold more versions on average, in regions with --replicas")
      ->check(CLI::Range(1.0, static_cast<double>(limits::kModulesPerCluster)))
      ->capture_default_str()
      ->group(kScaling);
  command.add_option("--scale-down-cpu", settings.down_cpu, "A node less where the CPU is below so many percent")
      ->check(CLI::Range(0.0, kMostPercent))
      ->capture_default_str()
      ->group(kScaling);
  add_seconds(command, "--scale-down-after", settings.down_after, 0, "for so many seconds");
  add_seconds(command, "--scale-cooldown", settings.cooldown, 1, "Seconds between two decisions for a region");
  add_bounds(command, "--min-nodes", settings.min_nodes, "Nodes that a region keeps; REGION=N for one region");
  add_bounds(command, "--max-nodes", settings.max_nodes, "Nodes that a region has at most; REGION=N for one region");
  command.add_option("--scaling-webhook", settings.webhook, "Where each decision is sent as JSON; implies --autoscale")
      ->type_name("URL")
      ->group(kScaling);
  command
      .add_option("--scaling-webhook-secret", settings.webhook_secret,
                  "Signs what is sent (HMAC-SHA256). $HOTSWAP_SCALING_WEBHOOK_SECRET does the same")
      ->envname("HOTSWAP_SCALING_WEBHOOK_SECRET")
      ->type_name("SECRET")
      ->group(kScaling);
}

void add_mail_options(CLI::App& command, MailSettings& settings) {
  constexpr const char* kMail = "Mail";
  auto* url =
      command
          .add_option("--smtp-url", settings.smtp_url,
                      "Tells --approvers-mail of what waits for approval, and of what became of it: smtp://HOST:PORT "
                      "(with STARTTLS) or smtps://HOST:PORT")
          ->type_name("URL")
          ->group(kMail);
  command.add_option("--smtp-from", settings.from, "Address of the sender")
      ->type_name("ADDRESS")
      ->group(kMail)
      ->needs(url);
  command.add_option("--approvers-mail", settings.approvers, "Addresses of those who approve (repeatable)")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("ADDRESS,…")
      ->group(kMail)
      ->needs(url);
  command.add_option("--smtp-user", settings.user, "User at the server")->type_name("USER")->group(kMail)->needs(url);
  command
      .add_option("--smtp-password", settings.password, "Password there. $HOTSWAP_SMTP_PASSWORD does the same, unseen")
      ->envname("HOTSWAP_SMTP_PASSWORD")
      ->type_name("PASSWORD")
      ->group(kMail);
  command.add_option("--smtp-ca", settings.ca_file, "Certificates to trust, PEM, in place of the system's")
      ->check(CLI::ExistingFile)
      ->type_name("FILE")
      ->group(kMail)
      ->needs(url);
  command.add_flag("--smtp-plain", settings.plain, "Without TLS, for a server on the same machine or network")
      ->group(kMail)
      ->needs(url);
}

}  // namespace

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
  command
      .add_option("--prometheus-url", settings.prometheus_url,
                  "Prometheus server that answers the queries of analyses, such as http://127.0.0.1:9090")
      ->type_name("URL");
  command
      .add_option("--web-ca", settings.web_ca_file,
                  "Certificates that an https webhook or Prometheus is held against, PEM, in place of the system's")
      ->check(CLI::ExistingFile)
      ->type_name("FILE");
  add_scaling_options(command, settings.scaling);
  add_mail_options(command, settings.mail);
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
  command
      .add_option("--outbound-ca", settings.outbound_ca,
                  "PEM file of authorities that modules' outbound TLS trusts besides the public ones")
      ->check(CLI::ExistingFile)
      ->type_name("FILE");
}

struct StopSignals::Waiting {
  asio::io_context context;
  asio::signal_set signals{context, SIGINT, SIGTERM};
};

StopSignals::StopSignals() : waiting_(std::make_unique<Waiting>()) {}
StopSignals::~StopSignals() = default;

asio::io_context& StopSignals::context() { return waiting_->context; }

void StopSignals::wait_during(Task<void> work) {
  const auto both = [](asio::signal_set& signals, Task<void> meanwhile) -> Task<void> {
    co_await (signals.async_wait(asio::use_awaitable) || std::move(meanwhile));
  };
  asio::co_spawn(waiting_->context, both(waiting_->signals, std::move(work)), [](const std::exception_ptr& thrown) {
    if (thrown) std::rethrow_exception(thrown);
  });
  waiting_->context.run();
}

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
