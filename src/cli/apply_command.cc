// `hotswap apply -f deployment.yaml`: a deployment kept as a file. docs/deployment.schema.json describes it.
#include <fmt/format.h>

#include <fstream>
#include <istream>
#include <iterator>

#include "base/limits.h"
#include "cli/deploy_command.h"
#include "cli/module_commands.h"
#include "cli/strategy_options.h"
#include "cli/yaml_document.h"

namespace hotswap::cli {
namespace {

struct ApplyOptions {
  std::string file;
  bool no_execute = false;
  bool watch = false;
};

Outcome<std::string> read_all(std::istream& in, const std::string& name) {
  std::string text(limits::kJsonBodyBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > limits::kJsonBodyBytes) {
    return local_failure("File too large", fmt::format("{} has more than {} bytes", name, limits::kJsonBodyBytes));
  }
  return text;
}

Outcome<std::string> read_file(Context& context, const std::string& file) {
  if (file == "-") return read_all(context.in, "the standard input");
  std::ifstream in(file, std::ios::binary);
  if (!in) return local_failure("File not readable", fmt::format("{} cannot be opened", file));
  return read_all(in, file);
}

// The request, with what a file may write more easily: a module as NAME@VERSION, a strategy in any spelling, and all
// regions where it names no target.
Outcome<json::value> request_of(json::value document) {
  auto* object = document.if_object();
  if (object == nullptr) return usage_failure("expected the fields of a deployment, such as moduleId and strategy");
  const auto* module = object->if_contains("moduleId");
  if (module == nullptr || !module->is_string()) {
    return usage_failure("moduleId is required, such as \"hello@1.0.0\"");
  }
  (*object)["moduleId"] = module_id_of(std::string_view(module->get_string()));
  if (const auto* strategy = object->if_contains("strategy"); strategy != nullptr && strategy->is_string()) {
    (*object)["strategy"] = strategy_name(strategy->get_string());
  }
  if (!object->contains("targetRegions") && !object->contains("targetNodes")) {
    (*object)["targetRegions"] = json::array{"all"};
  }
  return document;
}

Outcome<int> apply(Context& context, const ApplyOptions& options) {
  HS_TRY(const auto text, read_file(context, options.file));
  auto document = read_yaml(text);
  if (document) document = request_of(*std::move(document));
  if (!document) {
    document.error().detail = fmt::format("{}: {}", options.file, document.error().detail);
    return std::unexpected(document.error());
  }
  return send_deployment(context, *document, {.no_execute = options.no_execute, .watch = options.watch});
}

}  // namespace

void add_apply_command(CLI::App& root, Context& context) {
  auto* command = root.add_subcommand("apply", "Deploy what a file describes");
  auto options = std::make_shared<ApplyOptions>();
  command->add_option("-f,--file", options->file, "Deployment as YAML or JSON; - is the standard input")
      ->required()
      ->type_name("FILE");
  command->add_flag("--no-execute", options->no_execute, "Create the deployment only; start it with: rollout execute");
  command->add_flag("--watch", options->watch, "Follow it to its end; exit code 5 where it fails or is rolled back");
  command->footer(R"(Examples:
  hotswap apply -f deployment.yaml --watch

deployment.yaml:
  # yaml-language-server: $schema=docs/deployment.schema.json
  moduleId: hello@1.0.1
  targetRegions: [all]
  strategy: Canary
  strategyConfig:
    stages: [10, 50, 100]
    holdSeconds: 30)");
  on_run(*command, context, [&context, options] { return apply(context, *options); });
}

}  // namespace hotswap::cli
