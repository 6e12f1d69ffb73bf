// `hotswap run FILE`: one module in the sandbox of a node, without a server.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_future.hpp>
#include <fmt/format.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <limits>

#include "base/limits.h"
#include "cli/commands.h"
#include "cli/invoke_command.h"
#include "model/module_description.h"
#include "net/server.h"
#include "sandbox/wasm/wasm_workload.h"

namespace hotswap::cli {
namespace {

struct RunOptions {
  std::string file;
  std::string invoke;
  std::string listen;
  std::vector<std::string> directories;
  std::vector<std::string> env;
  std::vector<std::string> hosts;
  bool network = false;
  int memory_mb = ResourceLimits{}.maxMemoryMB;
  int timeout_s = ResourceLimits{}.maxExecutionTimeSeconds;
  std::uint32_t instances = limits::kPoolInstances;
  std::vector<std::string> words;  // parameters with --invoke, else the program's arguments
};

Outcome<wasm::Directory> parse_directory(std::string_view text) {
  wasm::Directory directory{.host = {}, .guest = {}, .writable = true};
  if (text.ends_with(":ro")) {
    directory.writable = false;
    text.remove_suffix(3);
  }
  const auto separator = text.find("::");
  const std::string_view host = text.substr(0, separator);
  const std::string_view guest = separator == std::string_view::npos ? host : text.substr(separator + 2);
  std::error_code code;
  if (host.empty() || guest.empty() || !std::filesystem::is_directory(host, code)) {
    return usage_failure(fmt::format("--dir {}: {} is not a folder", text, host),
                         "write --dir HOST::GUEST, and HOST::GUEST:ro for reading only");
  }
  directory.host = std::filesystem::absolute(host).string();
  directory.guest = guest;
  return directory;
}

Outcome<wasm::Grant> grant_from(const RunOptions& options) {
  wasm::Grant grant;
  grant.max_memory_bytes = static_cast<std::uint64_t>(options.memory_mb) * limits::kMiB;
  grant.max_output_bytes = limits::kOutputBytes;
  grant.inherit_stdio = true;
  for (const auto& text : options.directories) {
    auto directory = parse_directory(text);
    if (!directory) return std::unexpected(directory.error());
    grant.directories.push_back(std::move(*directory));
  }
  auto env = parse_pairs(options.env, "--env");
  if (!env) return std::unexpected(env.error());
  grant.env.assign(env->begin(), env->end());
  // Whoever runs a file on a machine of their own is bounded by nobody else.
  constexpr auto kUnbounded = std::numeric_limits<std::uint64_t>::max();
  grant.outbound = {.max_requests = std::numeric_limits<std::uint32_t>::max(),
                    .max_sent_bytes = kUnbounded,
                    .max_received_bytes = kUnbounded};
  grant.network = options.network         ? wasm::Network::host
                  : options.hosts.empty() ? wasm::Network::none
                                          : wasm::Network::listed;
  grant.hosts = options.hosts;
  grant.args = {std::filesystem::path(options.file).filename().string()};
  if (options.invoke.empty()) grant.args.insert(grant.args.end(), options.words.begin(), options.words.end());
  return grant;
}

// Words that are no JSON are strings, as with `hotswap invoke`.
std::string params_from(const std::vector<std::string>& words) {
  std::vector<std::string> values;
  for (const auto& word : words) values.push_back(json_of_word(word));
  return fmt::format("[{}]", fmt::join(values, ","));
}

int report_failure(Context& context, const CallOutcome& outcome) {
  if (*outcome.failure == GuestFailure::Exit) return outcome.exit_code;
  context.err << "error: " << enum_name(*outcome.failure) << ": " << outcome.message << '\n';
  if (!outcome.backtrace.empty()) context.err << outcome.backtrace << '\n';
  if (*outcome.failure == GuestFailure::Timeout) context.err << "give it more time with --timeout SECONDS\n";
  if (*outcome.failure == GuestFailure::OutOfMemory) context.err << "give it more memory with --max-memory MB\n";
  return static_cast<int>(ExitCode::GuestFailure);
}

// Everything that a run needs, owned in the order of its use.
class LocalRun {
 public:
  static Outcome<std::unique_ptr<LocalRun>> load(const RunOptions& options) {
    const bool serving = !options.listen.empty();
    auto run = std::make_unique<LocalRun>();
    std::ifstream in(options.file, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    if (!in) return local_failure("Cannot read the module", fmt::format("{} cannot be read", options.file));
    auto grant = grant_from(options);
    if (!grant) return std::unexpected(grant.error());
    const auto loaded = run->prepare(bytes, std::move(*grant), options, serving);
    if (!loaded) return std::unexpected(failure_from(loaded.error()));
    return run;
  }

  [[nodiscard]] const ModuleDescription& description() const { return description_; }
  [[nodiscard]] wasm::WasmWorkload& workload() { return *workload_; }
  [[nodiscard]] net::IoThreads& threads() { return threads_; }

 private:
  Result<> prepare(const std::string& bytes, wasm::Grant grant, const RunOptions& options, bool serving) {
    // A single call needs no pool; a server does.
    HS_TRY(engine_, wasm::Engine::create({.pool_instances = serving ? options.instances : 0,
                                          .pool_memory_bytes = limits::kPoolMemoryBytes,
                                          .tick = limits::kEpochTick,
                                          .wasi03 = true}));
    HS_TRY(const std::string description, engine_->describe(bytes));
    HS_TRY(description_, from_json_text<ModuleDescription>(description));
    HS_TRY(const wasm::Code code, engine_->compile(bytes));
    HS_TRY(wasm::Image image, engine_->link(code, ENG_LINK_WASI | ENG_LINK_SOCKETS | ENG_LINK_HTTP));
    const wasm::CallBudget budget{
        .wall = std::chrono::seconds(options.timeout_s), .cpu_percent = 100, .cpu_window = limits::kCpuWindow};
    workload_.emplace(std::move(image), std::move(grant), budget, ResourceLimits{}.maxConcurrentInvocations,
                      description_.http.has_value(), aside_);
    return {};
  }

  std::unique_ptr<wasm::Engine> engine_;
  ModuleDescription description_;
  std::optional<wasm::WasmWorkload> workload_;
  net::IoThreads threads_{1};
  wasm::Aside aside_{1};
};

Outcome<int> invoke_function(Context& context, LocalRun& run, const RunOptions& options) {
  const std::string params = params_from(options.words);
  const auto outcome =
      asio::co_spawn(run.threads().at(0),
                     run.workload().invoke({.function = options.invoke, .params = params}, nullptr), asio::use_future)
          .get();
  if (!outcome) return std::unexpected(failure_from(outcome.error()));
  if (outcome->failure) return report_failure(context, *outcome);
  context.out << outcome->value << '\n';
  return kOk;
}

Outcome<int> run_command(Context& context, LocalRun& run) {
  const auto outcome = asio::co_spawn(run.threads().at(0), run.workload().run_command(), asio::use_future).get();
  if (!outcome) return std::unexpected(failure_from(outcome.error()));
  return outcome->failure ? report_failure(context, *outcome) : kOk;
}

Outcome<int> serve(Context& context, LocalRun& run, const RunOptions& options) {
  const auto endpoint = net::parse_endpoint(options.listen);
  if (!endpoint) return usage_failure("--listen: " + endpoint.error().detail);
  // Caught from before the address is told, so that whoever reads it may end the server at once.
  asio::io_context signals_context;
  asio::signal_set signals(signals_context, SIGINT, SIGTERM);
  signals.async_wait([](const boost::system::error_code&, int) {});
  const SystemClock clock;
  SystemRandom random;
  Tracer tracer(clock, random);
  Metrics metrics;
  auto server = net::Server::start(
      run.threads(), {.name = "run", .listen = *endpoint},
      [&](net::Exchange& exchange) -> Task<void> {
        const auto outcome = co_await run.workload().serve(exchange, {});
        if (outcome && outcome->failure) (void)report_failure(context, *outcome);
      },
      tracer, metrics);
  if (!server) return std::unexpected(failure_from(server.error()));
  context.err << (*server)->url() << "/\n" << std::flush;
  signals_context.run();
  asio::co_spawn(run.threads().at(0), (*server)->drain(limits::kDrain), asio::use_future).get();
  run.threads().stop();
  return kOk;
}

Outcome<int> run_file(Context& context, const RunOptions& options) {
  if (!options.listen.empty() && !options.invoke.empty())
    return usage_failure("--listen and --invoke exclude each other");
  auto run = LocalRun::load(options);
  if (!run) return std::unexpected(run.error());
  const auto& description = (*run)->description();
  if (!options.listen.empty()) {
    if (!description.http) {
      return local_failure(
          "Not an HTTP handler",
          fmt::format("{} exports no wasi:http handler, so --listen has nothing to serve", options.file),
          "call a function with --invoke NAME");
    }
    return serve(context, **run, options);
  }
  if (!options.invoke.empty()) return invoke_function(context, **run, options);
  if (!description.command) {
    std::string exports;
    for (const auto& item : description.exports) {
      if (item.kind == "func") exports += (exports.empty() ? "" : ", ") + item.name;
    }
    return local_failure(
        "Not a command",
        fmt::format("{} has neither _start nor wasi:cli/run; it exports {}", options.file,
                    exports.empty() ? "no function" : exports),
        description.http ? "serve it with --listen 127.0.0.1:0" : "call a function with --invoke NAME");
  }
  return run_command(context, **run);
}

}  // namespace

void add_run_command(CLI::App& root, Context& context) {
  auto* command = root.add_subcommand("run", "Run one WebAssembly file in the sandbox, without a server");
  auto options = std::make_shared<RunOptions>();
  command->add_option("FILE", options->file, "Core module or component")->required();
  command->add_option("--invoke", options->invoke, "Call this exported function with the JSON words that follow")
      ->type_name("FN");
  command->add_option("--listen", options->listen, "Serve HTTP with this handler; port 0 picks a free one")
      ->type_name("ADDR");
  add_repeated(*command, "--dir", options->directories, "Let the module see a folder; :ro for reading only",
               "HOST::GUEST[:ro]");
  add_repeated(*command, "--env", options->env, "Set an environment variable of the module", "K=V");
  auto* allow = add_repeated(*command, "--allow", options->hosts,
                             "Let the module reach this host (host, host:port, *.domain)", "HOST");
  command->add_flag("--network", options->network, "Let the module reach every host")->excludes(allow);
  command->add_option("--max-memory", options->memory_mb, "MiB over all memories and tables")
      ->capture_default_str()
      ->check(CLI::Range(1, 4096))
      ->type_name("MB");
  command->add_option("--timeout", options->timeout_s, "Seconds that a call or the program may take")
      ->capture_default_str()
      ->check(CLI::Range(1, 86400))
      ->type_name("S");
  command->add_option("--instances", options->instances, "With --listen: simultaneous core instances")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  command
      ->add_option("WORDS", options->words,
                   "With --invoke: parameters, one JSON value each (a word that is no JSON is a string). "
                   "Otherwise, after --: the program's arguments")
      ->type_name("JSON|ARG");
  command->footer(
      "The exit code and the standard streams are the program's own.\n"
      "Examples:\n"
      "  hotswap run add.wasm --invoke add 2 3\n"
      "  hotswap run tool.wasm --dir .::/work:ro --env MODE=fast -- --verbose input.txt\n"
      "  hotswap run hello.wasm --listen 127.0.0.1:8000");
  on_run(*command, context, [&context, options] { return run_file(context, *options); });
}

}  // namespace hotswap::cli
