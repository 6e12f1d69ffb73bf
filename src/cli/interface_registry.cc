#include "cli/interface_registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <ostream>

#include "base/limits.h"
#include "cli/commands.h"
#include "cli/interface_input.h"
#include "cli/interface_view.h"
#include "cli/output.h"
#include "cli/table.h"
#include "model/interface.h"

namespace hotswap::cli {
namespace {

constexpr std::string_view kInterfacesPath = "/api/v1/wasm/interfaces";
constexpr std::string_view kIdHelp = "Interface: NAMESPACE:NAME@VERSION";
constexpr int kBreaking = static_cast<int>(ExitCode::Refused);

// ---- push

struct PushOptions {
  std::string path;
  std::optional<std::string> description;
  std::string compatibility = "Backward";
  bool submit = false;
};

// The field of a registration that a file's text is sent in.
std::string field_of(const wasm::WitPackage& package, std::size_t file) {
  return package.size() == 1 ? "witDefinition" : fmt::format("files[{}].text", file);
}

json::object registration_of(const wasm::WitPackage& package, const PushOptions& options) {
  json::object body{{"compatibility", options.compatibility}};
  if (options.description) body["description"] = *options.description;
  if (package.size() == 1) {
    body["witDefinition"] = package.front().text;
    return body;
  }
  json::array files;
  for (const auto& file : package) {
    files.push_back(json::object{{"path", std::filesystem::path(file.path).filename().string()}, {"text", file.text}});
  }
  body["files"] = std::move(files);
  return body;
}

// The server names the fields that it was sent; whoever pushes knows the files that they came from.
Failure naming_files(Failure failure, const wasm::WitPackage& package) {
  for (std::size_t i = 0; i < package.size(); ++i) {
    const auto wrong = std::ranges::find(failure.fields, field_of(package, i), &FieldError::field);
    if (wrong == failure.fields.end()) continue;
    wrong->field = package[i].path;
    const std::string repeated = std::filesystem::path(wrong->field).filename().string() + ", ";
    if (wrong->message.starts_with(repeated)) wrong->message.erase(0, repeated.size());
  }
  return failure;
}

void print_done(Context& context, const json::value& interface) {
  if (context.settings.quiet) return;
  context.out << fmt::format("{}  {}\n", text_of(interface, "interfaceId"), text_of(interface, "status"));
  const auto& breaking = member(interface, "breaking");
  if (!breaking.is_null()) {
    context.out << fmt::format("! {} (against {})\n", text_of(breaking, "problem"), text_of(breaking, "against"));
  }
  const auto id = text_of(interface, "interfaceId");
  if (text_of(interface, "status") == "Draft") print_hint(context, "Next: hotswap interface submit " + id);
  if (text_of(interface, "status") == "PendingApproval") {
    print_hint(context, "An Admin approves it: hotswap interface approve " + id);
  }
}

Outcome<int> push(Context& context, const PushOptions& options) {
  HS_TRY(const auto packages, read_packages(options.path));
  HS_TRY(const auto api, Api::open(context));
  auto document = api->post(std::string(kInterfacesPath), json::serialize(registration_of(packages.front(), options)));
  if (!document) return std::unexpected(naming_files(std::move(document).error(), packages.front()));
  if (options.submit) {
    const auto id = text_of(document->value, "interfaceId");
    HS_TRY(document, api->post(path_of(kInterfacesPath, id, "submit")));
  }
  print_result(context, *document, [&] { print_done(context, document->value); });
  return kOk;
}

void add_push(CLI::App& group, Context& context) {
  auto* command = group.add_subcommand("push", "Register a WIT package");
  auto options = std::make_shared<PushOptions>();
  command->add_option("PATH", options->path, "A .wit file, or a folder of them that are one package")->required();
  command->add_option("--description", options->description, "What it is, for people")->type_name("TEXT");
  command->add_option("--compatibility", options->compatibility, "What a new version owes to the one before it")
      ->check(CLI::IsMember(member_names<InterfaceCompatibility>()))
      ->capture_default_str()
      ->type_name("MODE");
  command->add_flag("--submit", options->submit, "Ask for approval at once");
  command->footer(
      "Packages that it depends on are taken from the registry, WASI's are there already.\n"
      "Examples:\n  hotswap interface push wit/\n  hotswap interface push shop.wit --compatibility Full --submit");
  on_run(*command, context, [&context, options] { return push(context, *options); });
}

// ---- ls

struct ListOptions {
  std::string space;
  std::string name;
  std::string status;
  std::size_t limit = limits::kPageDefault;
  bool all = false;
};

void print_list(Context& context, const json::value& list) {
  const auto& items = items_of(list);
  if (context.settings.quiet) {
    for (const auto& one : items) context.out << text_of(one, "interfaceId") << '\n';
    return;
  }
  if (items.empty()) {
    context.out << "No interfaces.\n";
    return;
  }
  Table table({{.title = "INTERFACE", .shrinks = true},
               {.title = "STATUS"},
               {.title = "COMPATIBILITY"},
               {.title = "BY"},
               {.title = "AGE", .right = true},
               {.title = "NOTE", .shrinks = true}});
  for (const auto& one : items) {
    std::string note = text_of(member(one, "breaking"), "problem");
    for (const std::string_view name : {"rejectionReason", "deprecationReason"}) {
      if (auto text = text_of(one, name); !text.empty()) note = std::move(text);
    }
    table.add({text_of(one, "interfaceId"), text_of(one, "status"), text_of(one, "compatibility"),
               text_of(one, "registeredBy"), age_of(context, one, "registeredAt"), note});
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
  add("namespace", options.space);
  add("name", options.name);
  add("status", options.status);
  HS_TRY(const auto document, api->list(kInterfacesPath, std::move(query), options.all ? 0 : options.limit));
  print_result(context, document, [&] { print_list(context, document.value); });
  return kOk;
}

void add_list(CLI::App& group, Context& context) {
  auto* command = group.add_subcommand("ls", "List registered interfaces, WASI's included");
  auto options = std::make_shared<ListOptions>();
  command->add_option("--namespace", options->space, "Only packages of this namespace")->type_name("NAME");
  command->add_option("--name", options->name, "Only packages of this name")->type_name("NAME");
  command->add_option("--status", options->status, "Only those in this status")
      ->check(CLI::IsMember(member_names<InterfaceStatus>()))
      ->type_name("STATUS");
  auto* limit = command->add_option("--limit", options->limit, "How many at most (default 50); not with --all");
  limit->check(CLI::Range(1, 1'000'000))->type_name("N");
  command->add_flag("--all", options->all, "Every one")->excludes(limit);
  command->footer(
      "Examples:\n  hotswap interface ls --namespace acme\n  hotswap interface ls --status PendingApproval");
  on_run(*command, context, [&context, options] { return list(context, *options); });
}

// ---- show

std::string told(const json::value& interface, std::string_view at, std::string_view by) {
  const auto time = text_of(interface, at);
  return time.empty() ? time : fmt::format("{} by {}", time, text_of(interface, by));
}

void print_interface(Context& context, const json::value& interface) {
  Sheet sheet;
  sheet.add("Interface", text_of(interface, "interfaceId"));
  sheet.add("Description", text_of(interface, "description"));
  sheet.add("Status", text_of(interface, "status"));
  sheet.add("Compatibility", text_of(interface, "compatibility"));
  sheet.add("Interfaces", joined(member(interface, "interfaces"), "\n"));
  sheet.add("Worlds", joined(member(interface, "worlds"), "\n"));
  sheet.add("Depends on", joined(member(interface, "dependencies"), "\n"));
  const auto& breaking = member(interface, "breaking");
  if (!breaking.is_null()) {
    sheet.add("Breaking", fmt::format("{} (against {})", text_of(breaking, "problem"), text_of(breaking, "against")));
  }
  sheet.add("Registered", told(interface, "registeredAt", "registeredBy"));
  sheet.add("Submitted", told(interface, "submittedAt", "submittedBy"));
  sheet.add("Approved", told(interface, "approvedAt", "approvedBy"));
  sheet.add("Rejected", told(interface, "rejectedAt", "rejectedBy"));
  sheet.add("Reason", text_of(interface, "rejectionReason"));
  sheet.add("Deprecated", told(interface, "deprecatedAt", "deprecatedBy"));
  sheet.add("Reason", text_of(interface, "deprecationReason"));
  sheet.add("Migration", text_of(interface, "migrationGuide"));
  sheet.add("Sunset", text_of(interface, "sunsetAt"));
  context.out << sheet.text(colored(context));
}

void print_wit(Context& context, const json::value& interface) {
  const auto text = text_of(interface, "witDefinition");
  if (!text.empty()) context.out << text;
  const auto& files = member(interface, "files");
  if (files.is_array()) {
    for (const auto& file : files.get_array()) {
      context.out << fmt::format("// {}\n{}\n", text_of(file, "path"), text_of(file, "text"));
    }
  }
  const auto& functions = member(interface, "functions");
  if (functions.is_array()) {
    for (const auto& function : functions.get_array()) context.out << text_of(function) << '\n';
  }
}

void add_show(CLI::App& group, Context& context) {
  struct ShowOptions {
    std::string id;
    bool wit = false;
  };
  auto* command = group.add_subcommand("show", "Show a registered interface");
  auto options = std::make_shared<ShowOptions>();
  command->add_option("INTERFACE", options->id, std::string(kIdHelp))->required()->type_name("");
  command->add_flag("--wit", options->wit, "Only its text");
  command->footer(
      "Examples:\n  hotswap interface show acme:shop@1.0.0\n  hotswap interface show wasi:io/streams@0.2.12 --wit");
  on_run(*command, context, [&context, options]() -> Outcome<int> {
    HS_TRY(const auto api, Api::open(context));
    HS_TRY(const auto document, api->get(path_of(kInterfacesPath, options->id)));
    print_result(context, document,
                 [&] { options->wit ? print_wit(context, document.value) : print_interface(context, document.value); });
    return kOk;
  });
}

// ---- submit, approve, reject, deprecate

Outcome<int> ask(Context& context, const std::string& id, std::string_view verb, const json::object& body) {
  HS_TRY(const auto api, Api::open(context));
  HS_TRY(const auto document,
         api->post(path_of(kInterfacesPath, id, verb), body.empty() ? std::string() : json::serialize(body)));
  print_result(context, document, [&] { print_done(context, document.value); });
  return kOk;
}

struct VerbOptions {
  std::string id;
  std::string reason;
  std::string guide;
  std::string sunset;
};

void add_verb(CLI::App& group, Context& context, const std::string& verb, const std::string& description,
              bool gives_reason) {
  auto* command = group.add_subcommand(verb, description);
  auto options = std::make_shared<VerbOptions>();
  command->add_option("INTERFACE", options->id, std::string(kIdHelp))->required()->type_name("");
  if (gives_reason) command->add_option("--reason", options->reason, "Why")->required()->type_name("TEXT");
  if (verb == "deprecate") {
    command->add_option("--migration-guide", options->guide, "What to do instead: a URL, or text")->type_name("TEXT");
    command->add_option("--sunset", options->sunset, "When it is to be gone, as 2027-06-30T00:00:00Z")
        ->type_name("TIME");
  }
  command->footer(fmt::format("Examples:\n  hotswap interface {} acme:shop@1.0.0{}", verb,
                              gives_reason ? " --reason \"use 2.0.0\"" : ""));
  on_run(*command, context, [&context, options, verb] {
    json::object body;
    if (!options->reason.empty()) body["reason"] = options->reason;
    if (!options->guide.empty()) body["migrationGuide"] = options->guide;
    if (!options->sunset.empty()) body["sunsetAt"] = options->sunset;
    return ask(context, options->id, verb, body);
  });
}

Outcome<std::string> read_module(const std::string& path) {
  std::error_code code;
  const auto size = std::filesystem::file_size(path, code);
  if (code) return local_failure("Cannot read " + path, code.message());
  if (size > limits::kModuleBytes) {
    return local_failure("Cannot check " + path,
                         fmt::format("it has {} bytes; the largest module has {}", size, limits::kModuleBytes));
  }
  std::ifstream in(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  if (!in) return local_failure("Cannot read " + path, "permission denied");
  return bytes;
}

}  // namespace

bool is_interface_id(const std::string& word) {
  return word.contains(':') && word.contains('@') && !std::filesystem::exists(word);
}

Outcome<int> diff_registered(Context& context, const std::string& from, const std::string& to,
                             const std::optional<std::string>& mode) {
  HS_TRY(const auto api, Api::open(context));
  Query query{{"to", to}};
  if (mode) query.emplace_back("mode", *mode);
  HS_TRY(const auto document, api->get(with_query(path_of(kInterfacesPath, from, "diff"), query)));
  const auto comparison = compat::comparison_from(document.value);
  if (!comparison) return std::unexpected(failure_from(comparison.error()));
  const auto used = enum_from_name<compat::Mode>(text_of(document.value, "mode")).value_or(compat::Mode::Backward);
  const auto verdict = compat::judge(*comparison, used);
  print_result(context, document, [&] { context.out << text_of(*comparison, verdict, colored(context)); });
  return verdict.compatible ? kOk : kBreaking;
}

Outcome<int> check_registered(Context& context, const std::string& module, const std::string& world) {
  HS_TRY(auto bytes, read_module(module));
  HS_TRY(const auto api, Api::open(context));
  net::ClientRequest request;
  request.method = "POST";
  const std::string path = std::string(kInterfacesPath) + "/check";
  request.target = world.empty() ? path : with_query(path, {{"world", world}});
  request.headers = {{"Content-Type", "application/wasm"}, {"Accept", "application/json"}};
  request.body = std::move(bytes);
  HS_TRY(const auto document, api->send_for_document(std::move(request)));
  const auto conformance = from_json<compat::Conformance>(document.value);
  if (!conformance) return std::unexpected(failure_from(conformance.error()));
  print_result(context, document, [&] { context.out << text_of(module, *conformance, colored(context)); });
  return conformance->fits ? kOk : kBreaking;
}

void add_interface_registry_commands(CLI::App& group, Context& context) {
  add_push(group, context);
  add_list(group, context);
  add_show(group, context);
  add_verb(group, context, "submit", "Ask for the approval of a registered interface", false);
  add_verb(group, context, "approve", "Approve an interface that was submitted (Admin)", false);
  add_verb(group, context, "reject", "Reject an interface that was submitted (Admin)", true);
  add_verb(group, context, "deprecate", "Mark an approved interface for removal (Admin)", true);
}

}  // namespace hotswap::cli
