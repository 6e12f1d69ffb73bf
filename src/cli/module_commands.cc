#include "cli/module_commands.h"

#include <fmt/format.h>

#include <istream>
#include <ostream>

#include "base/limits.h"
#include "cli/table.h"

namespace hotswap::cli {
namespace {

// ---- ls

struct ListOptions {
  std::string name;
  std::string status;
  std::string search;
  std::string sort;
  bool descending = false;
  std::size_t limit = limits::kPageDefault;
  bool all = false;
};

void print_list(Context& context, const json::value& list) {
  const auto& items = items_of(list);
  if (context.settings.quiet) {
    for (const auto& module : items) context.out << text_of(module, "moduleId") << '\n';
    return;
  }
  if (items.empty()) {
    context.out << "No modules.\n";
    print_hint(context, "Register one: hotswap module push FILE");
    return;
  }
  Table table({{.title = "NAME", .shrinks = true},
               {.title = "VERSION"},
               {.title = "STATUS"},
               {.title = "KIND"},
               {.title = "SIZE", .right = true},
               {.title = "CALLS", .right = true},
               {.title = "AGE", .right = true},
               {.title = "DESCRIPTION", .shrinks = true}});
  for (const auto& module : items) {
    const auto handler = text_of(module, "httpHandler");
    table.add({text_of(module, "name"), text_of(module, "version"), text_of(module, "status"),
               handler.empty() ? text_of(module, "kind") : "HTTP " + handler,
               human_size(number_of(module, "sizeBytes")), text_of(module, "invocationCount"),
               age_of(context, module, "registeredAt"), text_of(module, "description")});
  }
  context.out << table.text(table_width(context), colored(context));
  if (!member(list, "nextCursor").is_null()) print_hint(context, "\nThere are more: add --all, or --limit N");
}

Outcome<int> list(Context& context, const ListOptions& options) {
  HS_TRY(const auto api, Api::open(context));
  Query query;
  const auto add = [&](std::string name, const std::string& value) {
    if (!value.empty()) query.emplace_back(std::move(name), value);
  };
  add("name", options.name);
  add("status", options.status);
  add("text", options.search);
  add("sort", options.sort);
  if (options.descending) query.emplace_back("order", "desc");
  HS_TRY(const auto document, api->list(kModulesPath, std::move(query), options.all ? 0 : options.limit));
  print_result(context, document, [&] { print_list(context, document.value); });
  return kOk;
}

void add_list(CLI::App& module, Context& context) {
  auto* command = module.add_subcommand("ls", "List registered versions");
  auto options = std::make_shared<ListOptions>();
  command->add_option("--name", options->name, "Only versions of this module")->type_name("NAME");
  command->add_option("--status", options->status, "Only versions in this status")
      ->check(CLI::IsMember(member_names<ModuleStatus>()))
      ->type_name("STATUS");
  command->add_option("--search", options->search, "Only those with this text in name or description")
      ->type_name("TEXT");
  command->add_option("--sort", options->sort, "By what, by default name and version")
      ->check(CLI::IsMember({"name", "registeredAt", "sizeBytes"}))
      ->type_name("FIELD");
  command->add_flag("--desc", options->descending, "Largest or newest first");
  auto* limit = command->add_option("--limit", options->limit, "How many at most (default 50); not with --all");
  limit->check(CLI::Range(1, 1'000'000))->type_name("N");
  command->add_flag("--all", options->all, "Every one")->excludes(limit);
  command->footer(
      "Examples:\n  hotswap module ls --status Active --sort registeredAt --desc\n"
      "  hotswap module ls --name hello --output json");
  on_run(*command, context, [&context, options] { return list(context, *options); });
}

// ---- show, set

std::string limits_text(const json::value& limits) {
  std::string text =
      fmt::format("{} MB memory, {}% of a core, {} s a call, {} calls at once", number_of(limits, "maxMemoryMB"),
                  number_of(limits, "maxCpuPercent"), number_of(limits, "maxExecutionTimeSeconds"),
                  number_of(limits, "maxConcurrentInvocations"));
  const auto directories = joined(member(limits, "allowedDirectories"));
  text += fmt::format("\nfiles: {}",
                      directories.empty() ? "none" : text_of(limits, "filesystemAccess") + " " + directories);
  if (!directories.empty()) {
    text += fmt::format(", {} MB and {} files", number_of(limits, "maxFilesMB"), number_of(limits, "maxFiles"));
  }
  const auto network = text_of(limits, "networkAccess");
  const auto hosts = joined(member(limits, "allowedHosts"));
  text += fmt::format("\nnetwork: {}", hosts.empty() ? network : hosts);
  if (network != enum_name(NetworkAccess::Disabled)) {
    text += fmt::format(", {} requests and {} MB a call", number_of(limits, "maxOutboundRequests"),
                        number_of(limits, "maxOutboundMB"));
  }
  return text;
}

std::string pairs_text(const json::value& pairs) {
  std::string text;
  const auto* object = pairs.if_object();
  if (object == nullptr) return text;
  for (const auto& [key, value] : *object) {
    text += fmt::format("{}{}={}", text.empty() ? "" : "\n", std::string_view(key), text_of(value));
  }
  return text;
}

std::string findings_text(const json::value& findings) {
  std::string text;
  if (!findings.is_array()) return text;
  for (const auto& finding : findings.get_array()) {
    text += fmt::format("{}{}: {}", text.empty() ? "" : "\n", text_of(finding, "subject"), text_of(finding, "message"));
  }
  return text;
}

void print_module(Context& context, const json::value& module) {
  Sheet sheet;
  sheet.add("Module", reference_of(module));
  sheet.add("Id", text_of(module, "moduleId"));
  sheet.add("Description", text_of(module, "description"));
  sheet.add("Status", text_of(module, "status"));
  sheet.add("Kind", fmt::format("{}, WASI {}", text_of(module, "kind"), text_of(module, "wasiVersion")));
  const auto handler = text_of(module, "httpHandler");
  sheet.add("Serves", handler.empty() ? "" : "HTTP (wasi:http " + handler + ")");
  sheet.add("Size", human_size(number_of(module, "sizeBytes")));
  sheet.add("SHA-256", text_of(module, "checksum"));
  sheet.add("Exports", joined(member(module, "exportedFunctions"), "\n"));
  sheet.add("Imports", joined(member(module, "requiredInterfaces"), "\n"));
  sheet.add("Limits", limits_text(member(module, "limits")));
  sheet.add("Environment", pairs_text(member(member(module, "limits"), "environmentVariables")));
  sheet.add("Findings", findings_text(member(module, "findings")));
  sheet.add("Regions", joined(member(module, "allowedRegions")));
  sheet.add("Metadata", pairs_text(member(module, "metadata")));
  sheet.add("Registered", fmt::format("{} by {}", text_of(module, "registeredAt"), text_of(module, "registeredBy")));
  sheet.add("Deployments", text_of(module, "deploymentCount"));
  sheet.add("Calls", text_of(module, "invocationCount"));
  context.out << sheet.text(colored(context));
}

void add_show(CLI::App& module, Context& context) {
  auto* command = module.add_subcommand("show", "Show one version");
  auto reference = std::make_shared<std::string>();
  command->add_option("MODULE", *reference, kReferenceHelp)->required()->type_name("");
  command->footer("Examples:\n  hotswap module show hello@1.0.0\n  hotswap module show hello-v1.0.0 --output yaml");
  on_run(*command, context, [&context, reference]() -> Outcome<int> {
    HS_TRY(const auto api, Api::open(context));
    HS_TRY(const auto document, fetch_module(*api, *reference));
    print_result(context, document, [&] { print_module(context, document.value); });
    return kOk;
  });
}

struct SetOptions {
  std::string reference;
  std::optional<std::string> status;
  std::optional<std::string> description;
  std::vector<std::string> metadata;
};

Outcome<int> set(Context& context, const SetOptions& options) {
  json::object patch;
  if (options.status) patch["status"] = *options.status;
  if (options.description) patch["description"] = *options.description;
  if (!options.metadata.empty()) {
    HS_TRY(const auto pairs, parse_pairs(options.metadata, "--metadata"));
    patch["metadata"] = to_json(pairs);
  }
  if (patch.empty()) return usage_failure("nothing to change: give --status, --description or --metadata");
  HS_TRY(const auto api, Api::open(context));
  HS_TRY(const auto document,
         api->patch(path_of(kModulesPath, module_id_of(options.reference)), json::serialize(patch)));
  print_result(context, document, [&] {
    if (!context.settings.quiet) print_module(context, document.value);
  });
  return kOk;
}

void add_set(CLI::App& module, Context& context) {
  auto* command = module.add_subcommand("set", "Change a version's status, description or metadata");
  auto options = std::make_shared<SetOptions>();
  command->add_option("MODULE", options->reference, kReferenceHelp)->required()->type_name("");
  command->add_option("--status", options->status, "New status")
      ->check(CLI::IsMember(member_names<ModuleStatus>()))
      ->type_name("STATUS");
  command->add_option("--description", options->description, "What it is, for people")->type_name("TEXT");
  add_repeated(*command, "--metadata", options->metadata, "Replaces all metadata (repeatable)", "KEY=VALUE");
  command->footer(
      "Examples:\n  hotswap module set hello@1.0.0 --status Deprecated\n"
      "  hotswap module set hello@1.0.1 --metadata commit=3f2a91c --metadata built=2026-11-21");
  on_run(*command, context, [&context, options] { return set(context, *options); });
}

// ---- rm

struct RemoveOptions {
  std::vector<std::string> references;
  bool yes = false;
};

Outcome<bool> confirmed(Context& context, const RemoveOptions& options) {
  if (options.yes) return true;
  if (!context.terminal.in) {
    return usage_failure("removing a version needs a yes, and there is no terminal to ask on", "add --yes");
  }
  const auto& all = options.references;
  context.err << fmt::format("Remove {}? [y/N] ", fmt::join(all, ", ")) << std::flush;
  std::string answer;
  std::getline(context.in, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

Outcome<int> remove(Context& context, const RemoveOptions& options) {
  HS_TRY(const bool go, confirmed(context, options));
  if (!go) {
    context.err << "Nothing was removed.\n";
    return static_cast<int>(ExitCode::Refused);
  }
  HS_TRY(const auto api, Api::open(context));
  for (const auto& reference : options.references) {
    const auto id = module_id_of(reference);
    auto removed = api->remove(path_of(kModulesPath, id));
    if (!removed) {
      auto failure = removed.error();
      if (failure.status == 409) failure.next = "deploy another version first, or let its rollouts end";
      return std::unexpected(std::move(failure));
    }
    if (removed->text.empty()) {
      if (!context.settings.quiet) context.err << fmt::format("Removed {}\n", id);
    } else {
      print_result(context, *removed, [&] {
        if (!context.settings.quiet) context.out << fmt::format("Removed {}\n", id);
      });
    }
  }
  return kOk;
}

void add_remove(CLI::App& module, Context& context) {
  auto* command = module.add_subcommand("rm", "Remove versions that nothing refers to");
  auto options = std::make_shared<RemoveOptions>();
  command->add_option("MODULE", options->references, kReferenceHelp)->required()->type_name("");
  command->add_flag("-y,--yes", options->yes, "Do not ask");
  command->footer("Examples:\n  hotswap module rm hello@1.0.0\n  hotswap module rm hello@1.0.0 hello@1.0.1 --yes");
  on_run(*command, context, [&context, options] { return remove(context, *options); });
}

}  // namespace

std::string module_id_of(std::string_view reference) {
  const auto at = reference.rfind('@');
  if (at == std::string_view::npos) return std::string(reference);
  return fmt::format("{}-v{}", reference.substr(0, at), reference.substr(at + 1));
}

std::string reference_of(const json::value& module) {
  return fmt::format("{}@{}", text_of(module, "name"), text_of(module, "version"));
}

Outcome<Document> fetch_module(Api& api, std::string_view reference) {
  auto document = api.get(path_of(kModulesPath, module_id_of(reference)));
  if (!document && document.error().status == 404) {
    const auto name = reference.substr(0, reference.rfind('@'));
    document.error().next = fmt::format("see what is registered: hotswap module ls --name {}", name);
  }
  return document;
}

void add_module_commands(CLI::App& root, Context& context) {
  auto* module = root.add_subcommand("module", "Register, list, download and remove WebAssembly modules");
  module->require_subcommand(1);
  module->footer(
      "Examples:\n  hotswap module push hello-v1.0.0.wasm\n  hotswap module ls\n"
      "  hotswap module show hello@1.0.0\n\n'hotswap module COMMAND --help' explains each command.");
  add_module_push(*module, context);
  add_list(*module, context);
  add_show(*module, context);
  add_set(*module, context);
  add_module_pull(*module, context);
  add_remove(*module, context);
}

}  // namespace hotswap::cli
