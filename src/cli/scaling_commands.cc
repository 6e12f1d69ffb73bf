// `hotswap scaling`: what autoscaling sees, and what it decided.
#include <fmt/format.h>

#include <ostream>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/table.h"

namespace hotswap::cli {
namespace {

constexpr std::string_view kScalingPath = "/api/v1/wasm/scaling";
constexpr std::string_view kDecisionsPath = "/api/v1/wasm/scaling/decisions";
constexpr std::size_t kShownDefault = 20;

std::string rounded(const json::value& region, std::string_view name, std::string_view unit) {
  const auto& value = member(region, name);
  return value.is_number() ? fmt::format("{:.0f}{}", value.to_number<double>(), unit) : std::string();
}

std::string state_of(Context& context, const json::value& region) {
  std::string state;
  for (const auto& [name, word] : {std::pair("busySince", "busy"), std::pair("idleSince", "idle")}) {
    if (const auto since = age_of(context, region, name); !since.empty())
      state = fmt::format("{} since {}", word, since);
  }
  const auto cooling = parse_rfc3339(text_of(region, "coolingUntil"));
  if (!cooling || *cooling <= context.clock.now()) return state;
  return state + (state.empty() ? "" : ", ") + "decided lately";
}

void print_regions(Context& context, const json::value& document) {
  Table table({{.title = "REGION", .shrinks = true},
               {.title = "NODES", .right = true},
               {.title = "BOUNDS", .right = true},
               {.title = "CPU", .right = true},
               {.title = "MODULES", .right = true},
               {.title = "STATE"}});
  for (const auto& region : items_of(document)) {
    table.add({text_of(region, "region"), text_of(region, "nodes"),
               fmt::format("{}–{}", text_of(region, "minimumNodes"), text_of(region, "maximumNodes")),
               rounded(region, "cpuPercent", "%"), rounded(region, "modulesPerNode", ""), state_of(context, region)});
  }
  context.out << table.text(table_width(context), colored(context));
  if (text_of(document, "enabled") != "true") {
    print_hint(context,
               "Nothing is decided: start the server with --autoscale or --scaling-webhook, or `hotswap up` "
               "with --max-nodes");
  }
}

void print_decisions(Context& context, const json::value& list) {
  if (items_of(list).empty()) {
    context.out << "No decisions.\n";
    return;
  }
  Table table({{.title = "#", .right = true},
               {.title = "AGE", .right = true},
               {.title = "REGION"},
               {.title = "NODES"},
               {.title = "TRIGGER"},
               {.title = "REASON", .shrinks = true}});
  for (const auto& event : items_of(list)) {
    table.add({text_of(event, "sequence"), age_of(context, event, "at"), text_of(event, "region"),
               fmt::format("{} → {}", text_of(event, "fromNodes"), text_of(event, "toNodes")),
               text_of(event, "trigger"), text_of(event, "reason")});
  }
  context.out << table.text(table_width(context), colored(context));
}

void add_status(CLI::App& scaling, Context& context) {
  auto* command = scaling.add_subcommand("status", "Show what autoscaling sees in each region");
  command->footer("Examples:\n  hotswap scaling status");
  on_run(*command, context, [&context]() -> Outcome<int> {
    HS_TRY(const auto api, Api::open(context));
    HS_TRY(const auto document, api->get(std::string(kScalingPath)));
    print_result(context, document, [&] { print_regions(context, document.value); });
    return kOk;
  });
}

void add_decisions(CLI::App& scaling, Context& context) {
  auto* command = scaling.add_subcommand("decisions", "List what autoscaling decided, newest first");
  auto region = std::make_shared<std::string>();
  auto limit = std::make_shared<std::size_t>(kShownDefault);
  command->add_option("--region", *region, "Of this region only")->type_name("NAME");
  command->add_option("--limit", *limit, "At most so many; 0 = all")->capture_default_str();
  command->footer("Examples:\n  hotswap scaling decisions --region us-east --limit 5");
  on_run(*command, context, [&context, region, limit]() -> Outcome<int> {
    HS_TRY(const auto api, Api::open(context));
    Query query;
    if (!region->empty()) query.emplace_back("region", *region);
    HS_TRY(const auto document, api->list(kDecisionsPath, std::move(query), *limit));
    print_result(context, document, [&] { print_decisions(context, document.value); });
    return kOk;
  });
}

}  // namespace

void add_scaling_commands(CLI::App& root, Context& context) {
  auto* scaling = root.add_subcommand("scaling", "See when regions need a node more or less");
  scaling->require_subcommand(1);
  add_status(*scaling, context);
  add_decisions(*scaling, context);
}

}  // namespace hotswap::cli
