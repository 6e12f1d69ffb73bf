// `hotswap top`: rates and latencies per route and version, as they change.
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

#include <ostream>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/table.h"
#include "cli/traffic_view.h"

namespace hotswap::cli {
namespace {

constexpr int kWindowIntervals = 5;
constexpr int kShortestInterval = 1;
constexpr int kLongestInterval = 3600;
constexpr std::string_view kHomeAndClear = "\x1b[H\x1b[J";

struct TopSettings {
  int interval = 2;  // seconds between two looks
  int looks = 0;     // tables to print; 0 = until it is ended
  std::string order = "rate";
  std::string region;
};

std::string milliseconds_of(const std::optional<double>& value) { return value ? human_milliseconds(*value) : "-"; }

std::string rate_text(double rate) { return fmt::format("{:.{}f}", rate, rate < 10 ? 1 : 0); }

std::string table_text(const Context& context, const std::vector<TrafficLine>& lines) {
  Table table({{.title = "NAME", .shrinks = true},
               {.title = "REGION", .shrinks = true},
               {.title = "VERSION", .shrinks = true},
               {.title = "WEIGHT", .right = true},
               {.title = "REQ/S", .right = true},
               {.title = "FAILED", .right = true},
               {.title = "P50", .right = true},
               {.title = "P99", .right = true},
               {.title = "TREND"}});
  for (const auto& line : lines) {
    table.add({line.name, line.region, line.moduleId, line.weight ? fmt::format("{}%", *line.weight) : "-",
               rate_text(line.requestsPerSecond), fmt::format("{:.1f}%", line.failedPercent),
               milliseconds_of(line.p50Ms), milliseconds_of(line.p99Ms), sparkline(line.trend)});
  }
  return table.text(table_width(context), colored(context));
}

void show(Context& context, const TrafficView& view, const std::vector<TrafficLine>& lines) {
  double total = 0;
  double failed = 0;
  for (const auto& line : lines) {
    total += line.requestsPerSecond;
    failed += line.requestsPerSecond * line.failedPercent / 100;
  }
  if (context.settings.output != OutputFormat::table) {
    const json::value document{{"overSeconds", static_cast<double>(view.covered().count()) / 1000},
                               {"requestsPerSecond", total},
                               {"items", to_json(lines)}};
    print_result(context, {json::serialize(document), document}, [] {});
    context.out << std::flush;
    return;
  }
  if (context.terminal.out) context.out << kHomeAndClear;
  context.out << fmt::format("{} req/s, {:.1f}% failed, over {}\n", rate_text(total),
                             total > 0 ? 100 * failed / total : 0,
                             human_milliseconds(static_cast<double>(view.covered().count())));
  if (lines.empty()) {
    context.out << "Nothing is deployed.\n";
  } else {
    context.out << table_text(context, lines);
  }
  context.out << std::flush;
}

Outcome<int> run_top(Context& context, const TopSettings& settings) {
  HS_TRY(const auto api, Api::open(context));
  const std::chrono::seconds interval(settings.interval);
  TrafficView view(interval * kWindowIntervals);
  const auto order = *enum_from_name<TrafficOrder>(settings.order);
  for (int shown = -1; settings.looks == 0 || shown < settings.looks; ++shown) {
    if (shown >= 0) {
      asio::steady_timer timer(api->io(), interval);
      timer.wait();
    }
    HS_TRY(const auto traffic, api->get("/api/v1/wasm/traffic"));
    HS_TRY(const auto routes, api->get("/api/v1/wasm/routes"));
    view.look(traffic.value, routes.value, context.clock.steady());
    if (shown < 0) continue;  // a rate needs two looks
    auto lines = view.lines(order);
    if (!settings.region.empty()) {
      std::erase_if(lines, [&](const TrafficLine& line) { return line.region != settings.region; });
    }
    show(context, view, lines);
  }
  return kOk;
}

}  // namespace

void add_top_command(CLI::App& root, Context& context) {
  auto* command = root.add_subcommand("top", "Watch rates and latencies of every version");
  auto settings = std::make_shared<TopSettings>();
  command->add_option("--interval", settings->interval, "Seconds between two looks")
      ->check(CLI::Range(kShortestInterval, kLongestInterval))
      ->capture_default_str()
      ->type_name("SECONDS");
  command->add_option("--count", settings->looks, "End after so many tables [default: with Ctrl-C]")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  command->add_option("--sort", settings->order, "Which comes first")
      ->check(CLI::IsMember(member_names<TrafficOrder>()))
      ->capture_default_str()
      ->type_name("BY");
  command->add_option("--region", settings->region, "Only this region")->type_name("NAME");
  command->footer(
      "Requests are counted where they are served. Rates and latencies are those of the last ten seconds or so (five\n"
      "intervals); a trend shows one bar for each interval.\n"
      "Examples:\n  hotswap top\n  hotswap top --region us-east --sort p99\n  hotswap top --count 1 --output json");
  on_run(*command, context, [&context, settings] { return run_top(context, *settings); });
}

}  // namespace hotswap::cli
