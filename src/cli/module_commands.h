// What the commands about modules share.
#pragma once

#include <optional>
#include <string>

#include "cli/commands.h"
#include "cli/output.h"
#include "model/module.h"

namespace hotswap::cli {

void add_module_push(CLI::App& module, Context& context);
void add_module_pull(CLI::App& module, Context& context);

// "hello@1.0.0" and "hello-v1.0.0" are the same module id; any other word is taken as an id.
[[nodiscard]] std::string module_id_of(std::string_view reference);
// "hello@1.0.0", as people write it.
[[nodiscard]] std::string reference_of(const json::value& module);
// The module that `reference` names; where there is none, the failure says how to find one.
[[nodiscard]] Outcome<Document> fetch_module(Api& api, std::string_view reference);

// Name and version that a file name such as "hello-v1.0.0.wasm" or "hello@1.0.0.wasm" states.
struct NamedVersion {
  std::string name;
  std::string version;
  bool operator==(const NamedVersion&) const = default;
};
[[nodiscard]] std::optional<NamedVersion> named_version(std::string_view path);

// The options of `module push` as given.
struct PushOptions {
  std::string file{};
  std::string name{};
  std::string version{};
  std::optional<std::string> description{};
  std::optional<int> memory{};
  std::optional<int> cpu{};
  std::optional<int> timeout{};
  std::optional<int> concurrency{};
  std::optional<int> disk{};
  std::optional<int> files{};
  std::optional<int> requests{};
  std::optional<int> traffic{};
  std::vector<std::string> allow{};
  bool network = false;
  std::vector<std::string> directories{};
  std::vector<std::string> environment{};
  std::vector<std::string> metadata{};
  std::vector<std::string> regions{};
  std::vector<std::string> claims{};
};
// What the options ask to register. The server validates the values; here only what cannot be expressed is refused.
[[nodiscard]] Outcome<ModuleRegistration> registration_of(const PushOptions& options);
// The multipart form around the file: what comes before its bytes and what comes after.
struct UploadForm {
  std::string content_type;
  std::string head;
  std::string tail;
};
[[nodiscard]] UploadForm upload_form(const ModuleRegistration& registration, const std::string& boundary);

inline const std::string kReferenceHelp = "Version, as NAME@VERSION or as a module id";

}  // namespace hotswap::cli
