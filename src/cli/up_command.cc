// `hotswap up`: everything in one process, until SIGTERM or Ctrl-C.
#include <boost/asio/signal_set.hpp>
#include <fmt/format.h>

#include <csignal>
#include <ostream>

#include "cli/commands.h"
#include "cli/server.h"

namespace hotswap::cli {
namespace {

void announce(Context& context, const LocalServer& server, const ServerSettings& settings) {
  if (context.settings.output == OutputFormat::json) {
    context.out << json::serialize(
                       json::object{{"ready", true}, {"api", server.api_url()}, {"gateway", server.gateway_url()}})
                << '\n'
                << std::flush;
    return;
  }
  context.out << fmt::format(
      "HotSwap {} is serving\n"
      "  API      {}\n"
      "  gateway  {}\n"
      "  data     {}\n\n"
      "Next, in another terminal:\n"
      "  hotswap --server {} module push FILE.wasm --name NAME --version 1.0.0\n"
      "  hotswap --server {} deploy NAME@1.0.0\n"
      "Ctrl-C ends it.\n",
      HOTSWAP_VERSION, server.api_url(), server.gateway_url(), std::filesystem::absolute(settings.data).string(),
      server.api_url(), server.api_url());
  context.out << std::flush;
}

Outcome<int> run_up(Context& context, const ServerSettings& settings) {
  // From here on a signal is waited for, also one that comes while the server starts.
  asio::io_context signals_context;
  asio::signal_set signals(signals_context, SIGINT, SIGTERM);
  auto server = LocalServer::start(settings);
  if (!server) return std::unexpected(failure_from(server.error()));
  announce(context, **server, settings);
  signals.async_wait([](const boost::system::error_code&, int) {});
  signals_context.run();
  if (const std::size_t cut = (*server)->stop(); cut > 0) {
    context.err << fmt::format("{} requests did not end in time and were cut\n", cut);
  }
  return kOk;
}

}  // namespace

void add_up_command(CLI::App& root, Context& context) {
  auto* command = root.add_subcommand("up", "Start a server: control plane, one node and both front doors");
  auto settings = std::make_shared<ServerSettings>();
  command->add_option("--data", settings->data, "Folder of everything that is kept")->capture_default_str();
  command
      ->add_option("--store", settings->store,
                   "Rows: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE "
                   "[default: SQLite in the data folder]")
      ->type_name("URL");
  command->add_option("--api", settings->api, "Address of the API; port 0 picks a free one")->capture_default_str();
  command->add_option("--gateway", settings->gateway, "Address that serves the modules; port 0 picks a free one")
      ->capture_default_str();
  command->add_option("--threads", settings->threads, "I/O threads; 0 = one for each processor")->capture_default_str();
  command->add_option("--node-id", settings->node, "Name of the node")->capture_default_str();
  command->add_option("--region", settings->region, "Region of the node")->capture_default_str();
  command->add_option("--environment", settings->environment, "Environment of the region")
      ->check(CLI::IsMember({"development", "staging", "production"}))
      ->capture_default_str();
  command->add_flag("--wasi03", settings->wasi03, "Accept modules that need WASI 0.3 (experimental in the engine)");
  command->add_option("--instances", settings->instances, "Simultaneous core instances; each reserves address space")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  command->footer(
      "With --output json the first line on standard output, once it serves, is\n"
      "{\"ready\":true,\"api\":\"http://…\",\"gateway\":\"http://…\"}.\n"
      "SIGTERM lets requests in flight end, then the program exits with 0.\n"
      "Examples:\n"
      "  hotswap up\n"
      "  hotswap up --data /var/lib/hotswap --api 0.0.0.0:8080 --gateway 0.0.0.0:80");
  on_run(*command, context, [&context, settings] { return run_up(context, *settings); });
}

}  // namespace hotswap::cli
