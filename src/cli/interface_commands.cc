// `hotswap interface`: what changed between two interfaces, and whether a module fits. Both work offline, for CI jobs,
// and against a server's registry (interface_registry.h).
#include <fmt/format.h>

#include <algorithm>
#include <ostream>

#include "cli/commands.h"
#include "cli/interface_input.h"
#include "cli/interface_registry.h"
#include "cli/interface_view.h"
#include "cli/output.h"
#include "compat/compare.h"

namespace hotswap::cli {
namespace {

constexpr int kBreaking = static_cast<int>(ExitCode::Refused);

struct DiffOptions {
  std::string from{};
  std::string to{};
  std::optional<std::string> mode{};
  std::string world{};
  std::vector<std::string> wit{};
};

struct CheckOptions {
  std::string module{};
  std::string world{};
  std::vector<std::string> wit{};
  bool registry = false;
};

// A mode as it is typed: "backward".
std::string typed(compat::Mode mode) {
  std::string name(enum_name(mode));
  name.front() = static_cast<char>(name.front() - 'A' + 'a');
  return name;
}

std::vector<std::string> mode_names() {
  std::vector<std::string> names;
  for (const auto& name : member_names<compat::Mode>()) names.push_back(typed(*enum_from_name<compat::Mode>(name)));
  return names;
}

compat::Mode mode_of(const std::string& word) {
  for (const auto& name : member_names<compat::Mode>()) {
    if (const auto mode = *enum_from_name<compat::Mode>(name); typed(mode) == word) return mode;
  }
  return compat::Mode::Backward;
}

std::string kind_of(const InterfaceInput& input) {
  if (input.core) return "core module";
  return input.wit->component ? "component" : "WIT package";
}

Outcome<compat::Comparison> compare(const InterfaceInput& from, const InterfaceInput& to, const std::string& world) {
  const bool packages = kind_of(from) == "WIT package" && kind_of(to) == "WIT package";
  if (!world.empty() && !packages) return usage_failure("--world: only WIT packages have worlds to choose from");
  if (kind_of(from) != kind_of(to)) {
    if (kind_of(from) == "WIT package" || kind_of(to) == "WIT package") {
      return usage_failure(
          fmt::format("{} is a {} and {} a {}", from.path, kind_of(from), to.path, kind_of(to)),
          "hold a module against a world with `hotswap interface check MODULE --wit DIR --world NAME`");
    }
    return compat::kind_changed(kind_of(from), kind_of(to));
  }
  if (from.core) return compat::compare_core(*from.core, *to.core);
  if (!world.empty()) {
    const auto before = compat::find_world(*from.wit, world);
    if (!before) return usage_failure(fmt::format("{}: {}", from.path, before.error().detail));
    const auto after = compat::find_world(*to.wit, world);
    if (!after) return usage_failure(fmt::format("{}: {}", to.path, after.error().detail));
    return compat::compare_worlds(*from.wit, *before, *to.wit, *after);
  }
  const auto names = [](const InterfaceInput& input) { return input.wit->main_package().name; };
  if (packages && names(from) != names(to)) {
    return usage_failure(fmt::format("these are two packages: {} and {}", names(from), names(to)),
                         "a package is compared with another version of itself");
  }
  auto comparison = compat::compare(*from.wit, *to.wit);
  if (!comparison) return std::unexpected(failure_from(comparison.error()));
  return *std::move(comparison);
}

Outcome<std::vector<wasm::WitPackage>> dependencies(const std::vector<std::string>& paths) {
  std::vector<wasm::WitPackage> all;
  for (const auto& path : paths) {
    HS_TRY(const auto packages, read_packages(path));
    all.insert(all.end(), packages.begin(), packages.end());
  }
  return all;
}

Outcome<int> diff(Context& context, const DiffOptions& options) {
  if (is_interface_id(options.from) && is_interface_id(options.to)) {
    if (!options.world.empty() || !options.wit.empty()) {
      return usage_failure("--world and --wit are for files; these are registered interfaces");
    }
    std::optional<std::string> mode;
    if (options.mode) mode = enum_name(mode_of(*options.mode));
    return diff_registered(context, options.from, options.to, mode);
  }
  HS_TRY(const auto more, dependencies(options.wit));
  HS_TRY(const auto from, read_interfaces(context, options.from, more));
  HS_TRY(const auto to, read_interfaces(context, options.to, more));
  HS_TRY(auto comparison, compare(from, to, options.world));
  if (comparison.from.empty()) comparison.from = options.from;
  if (comparison.to.empty()) comparison.to = options.to;
  const auto verdict = compat::judge(comparison, mode_of(options.mode.value_or("backward")));
  const json::value document = compat::document_of(comparison, verdict);
  print_result(context, {json::serialize(document), document},
               [&] { context.out << text_of(comparison, verdict, colored(context)); });
  return verdict.compatible ? kOk : kBreaking;
}

// What this build links, and what it only knows.
Outcome<> add_wasi(compat::Offers& offers) {
  HS_TRY(const auto engine, describing_engine());
  const auto offered = from_json_text<EngineOffers>(engine->offers());
  if (!offered) return std::unexpected(failure_from(offered.error()));
  const std::set<std::string> names(offered->component.begin(), offered->component.end());
  for (const auto& wit : wasm::wasi_wits()) offers.add(wit, names);
  for (const auto& interface : wasm::preview1()) offers.add(interface);
  return {};
}

// The one package among those given that has the world.
Outcome<const InterfaceInput*> claimed(const std::vector<InterfaceInput>& given, const std::string& world) {
  const InterfaceInput* found = nullptr;
  std::string problem = "--world needs --wit, with the package that the world is in";
  for (const auto& input : given) {
    if (const auto at = compat::find_world(*input.wit, world); !at) {
      problem = at.error().detail;
    } else if (found != nullptr) {
      return usage_failure(fmt::format("--world: {} and {} both have {}", found->path, input.path, world));
    } else {
      found = &input;
    }
  }
  if (found == nullptr) return usage_failure("--world: " + problem);
  return found;
}

Outcome<compat::Conformance> check_core(const ModuleDescription& module, const compat::Offers& offers,
                                        const InterfaceInput* package, const std::string& world) {
  std::optional<compat::CoreWorld> claim;
  if (package != nullptr) {
    const auto simple = world.substr(world.find('/') == std::string::npos ? 0 : world.find('/') + 1);
    auto functions = wasm::core_world(package->packages, simple);
    if (!functions) return usage_failure("--world: " + functions.error().message);
    claim = *std::move(functions);
  }
  return compat::check_core(module, offers, claim);
}

Outcome<int> check(Context& context, const CheckOptions& options) {
  if (options.registry) {
    if (!options.wit.empty()) return usage_failure("--wit and --registry: use one of them");
    return check_registered(context, options.module, options.world);
  }
  HS_TRY(const auto module, read_interfaces(context, options.module));
  if (kind_of(module) == "WIT package") {
    return usage_failure(options.module + " is a WIT package", "a module is a component or a core module");
  }
  compat::Offers offers;
  HS_CHECK(add_wasi(offers));
  std::vector<InterfaceInput> given;
  for (const auto& path : options.wit) {
    HS_TRY(auto input, read_interfaces(context, path));
    if (kind_of(input) != "WIT package") return usage_failure("--wit: " + path + " is a " + kind_of(input));
    offers.add(input.wit);
    given.push_back(std::move(input));
  }
  const InterfaceInput* package = nullptr;
  if (!options.world.empty()) {
    HS_TRY(package, claimed(given, options.world));
  }
  compat::Conformance conformance;
  if (module.core) {
    HS_TRY(conformance, check_core(*module.core, offers, package, options.world));
  } else {
    std::optional<compat::Claim> claim;
    if (package != nullptr) claim.emplace(*package->wit, compat::find_world(*package->wit, options.world).value());
    conformance = compat::check_component(*module.wit, offers, claim);
  }
  json::object document = to_json(conformance).as_object();
  document["module"] = options.module;
  document["kind"] = kind_of(module);
  print_result(context, {json::serialize(document), document},
               [&] { context.out << text_of(options.module, conformance, colored(context)); });
  return conformance.fits ? kOk : kBreaking;
}

void add_diff(CLI::App& group, Context& context) {
  auto* command = group.add_subcommand("diff", "List what changed between two interfaces, and for whom it breaks");
  auto options = std::make_shared<DiffOptions>();
  command
      ->add_option("OLD", options->from,
                   "A .wit file, a folder of them with deps/, a .wasm file, or a registered interface")
      ->required();
  command->add_option("NEW", options->to, "The same, newer")->required();
  command
      ->add_option("--mode", options->mode,
                   "What must keep working for exit code 0. Default: backward; of registered ones, their own")
      ->check(CLI::IsMember(mode_names()))
      ->type_name("MODE");
  command->add_option("--world", options->world, "Compare only this world of both packages")->type_name("NAME");
  add_repeated(*command, "--wit", options->wit, "Packages that both depend on, beside WASI's", "PATH");
  command->footer(
      "Files need no server. Exit code 0: compatible under the mode, 1: breaking, 2: something cannot be read or "
      "parsed.\n"
      "  backward  what was built for OLD works with NEW\n"
      "  forward   what is built for NEW works with OLD\n"
      "  full      both\n"
      "  none      only list\n"
      "Examples:\n"
      "  hotswap interface diff v1/shop.wit v2/shop.wit\n"
      "  hotswap interface diff old.wasm new.wasm --mode full --output json\n"
      "  hotswap interface diff acme:shop@1.0.0 acme:shop@1.1.0");
  on_run(*command, context, [&context, options] { return diff(context, *options); });
}

void add_check(CLI::App& group, Context& context) {
  auto* command =
      group.add_subcommand("check", "Check that a module's imports are there and its exports are as claimed");
  auto options = std::make_shared<CheckOptions>();
  command->add_option("MODULE", options->module, "Component or core module")->required();
  add_repeated(*command, "--wit", options->wit,
               "A .wit file or folder: more interfaces to import, and to hold exports against", "PATH");
  command->add_option("--world", options->world, "The world of a --wit package that the module claims to implement")
      ->type_name("NAME");
  command->add_flag("--registry", options->registry,
                    "Hold it against the server's approved interfaces; --world is then a registered one, with version");
  command->footer(
      "Needs no server but for --registry. Exit code 0: it fits, 1: it does not, 2: something cannot be read or "
      "parsed.\n"
      "Examples:\n"
      "  hotswap interface check handler.wasm\n"
      "  hotswap interface check shop.wasm --wit wit/ --world acme:shop/service --output json\n"
      "  hotswap interface check shop.wasm --registry --world acme:shop/service@1.0.0");
  on_run(*command, context, [&context, options] { return check(context, *options); });
}

}  // namespace

void add_interface_commands(CLI::App& root, Context& context) {
  auto* group = root.add_subcommand("interface", "Register and compare interfaces, and check modules against them");
  group->require_subcommand(1);
  add_diff(*group, context);
  add_check(*group, context);
  add_interface_registry_commands(*group, context);
}

}  // namespace hotswap::cli
