#include "sandbox/wasm/interfaces.h"

#include <fmt/format.h>

#include "sandbox/wasm/bridge.h"
#include "sandbox/wasm/engine.h"

namespace hotswap::wasm {
namespace {

// Packages as the bridge takes them; lives as long as the call.
class Packages {
 public:
  explicit Packages(const std::vector<WitPackage>& packages) {
    files_.reserve(packages.size());
    for (const auto& package : packages) {
      auto& files = files_.emplace_back();
      for (const auto& file : package) files.push_back({slice(file.path), slice(file.text)});
      list_.push_back({files.data(), files.size()});
    }
  }
  [[nodiscard]] const eng_wit_package* data() const { return list_.data(); }
  [[nodiscard]] std::size_t size() const { return list_.size(); }

 private:
  std::vector<std::vector<eng_wit_file>> files_;
  std::vector<eng_wit_package> list_;
};

WitProblem problem_of(const eng_error& error) {
  const std::string message = take(error.message);
  if (error.kind == ENG_ERROR_WIT) {
    if (auto problem = from_json_text<WitProblem>(message)) return *std::move(problem);
  }
  return {.message = message};
}

WitResult<std::string> describe(const std::vector<WitPackage>& packages, bool docs) {
  const Packages list(packages);
  eng_buffer json{};
  eng_error error{};
  if (!eng_wit_parse(list.data(), list.size(), docs, &json, &error)) return std::unexpected(problem_of(error));
  return take(json);
}

WitProblem problem_of(const Error& error) { return {.message = error.detail}; }

}  // namespace

Error to_error(const WitProblem& problem) {
  if (problem.file.empty()) return {ErrorKind::kInvalid, problem.message, {}};
  if (problem.line == 0) {
    return {ErrorKind::kInvalid, problem.file + ": " + problem.message, {{problem.file, problem.message}}};
  }
  const std::string place = fmt::format("{}:{}", problem.line, problem.column);
  return {ErrorKind::kInvalid,
          fmt::format("{}:{}: {}\n{}\n{:>{}}", problem.file, place, problem.message, problem.text, "^", problem.column),
          {{problem.file, fmt::format("{}: {}: {}", place, problem.message, problem.text)}}};
}

WitResult<std::string> describe_wit(const std::vector<WitPackage>& packages) { return describe(packages, true); }

WitResult<compat::Wit> parse_wit(const std::vector<WitPackage>& packages) {
  HS_TRY(const std::string document, describe(packages, false));
  auto wit = compat::read_wit(document);
  if (!wit) return std::unexpected(problem_of(wit.error()));
  return *std::move(wit);
}

Result<std::string> describe_interfaces(std::string_view binary) {
  eng_buffer json{};
  eng_error error{};
  if (eng_wit_decode(slice(binary), &json, &error)) return take(json);
  Error failure = to_error(error);
  eng_buffer_free(error.message);
  return std::unexpected(std::move(failure));
}

Result<compat::Wit> decode_wit(std::string_view binary) {
  HS_TRY(const std::string document, describe_interfaces(binary));
  return compat::read_wit(document);
}

WitResult<SemverCheck> semver_check(const std::vector<WitPackage>& old_packages,
                                    const std::vector<WitPackage>& new_packages, std::string_view world) {
  const Packages before(old_packages);
  const Packages after(new_packages);
  eng_buffer json{};
  eng_error error{};
  if (!eng_wit_semver_check(before.data(), before.size(), after.data(), after.size(), slice(world), &json, &error)) {
    return std::unexpected(problem_of(error));
  }
  const auto document = parse_json(take(json));
  if (!document) return std::unexpected(problem_of(document.error()));
  SemverCheck check;
  const auto& object = document->as_object();
  if (const auto* compatible = object.at("compatible").if_bool()) check.compatible = *compatible;
  if (const auto* reason = object.if_contains("reason")) check.reason = std::string(reason->as_string());
  return check;
}

const std::vector<WasiPackage>& wasi_packages() {
  static const auto packages = from_json_text<std::vector<WasiPackage>>(take(eng_wit_wasi())).value();
  return packages;
}

const std::vector<std::shared_ptr<const compat::Wit>>& wasi_wits() {
  static const auto wits = [] {
    std::vector<std::shared_ptr<const compat::Wit>> list;
    for (const auto& package : wasi_packages()) {
      // A text of WASI's own that cannot be parsed is caught by this part's tests.
      if (auto wit = parse_wit({{{package.path, package.text}}})) {
        list.push_back(std::make_shared<const compat::Wit>(*std::move(wit)));
      }
    }
    return list;
  }();
  return wits;
}

const std::vector<compat::CoreInterface>& preview1() {
  static const auto modules = from_json_text<std::vector<compat::CoreInterface>>(view(eng_wit_preview1())).value();
  return modules;
}

WitResult<compat::CoreWorld> core_world(const std::vector<WitPackage>& packages, std::string_view world) {
  const Packages list(packages);
  eng_buffer json{};
  eng_error error{};
  if (!eng_wit_core_functions(list.data(), list.size(), slice(world), &json, &error)) {
    return std::unexpected(problem_of(error));
  }
  auto functions = from_json_text<compat::CoreWorld>(take(json));
  if (!functions) return std::unexpected(problem_of(functions.error()));
  return *std::move(functions);
}

}  // namespace hotswap::wasm
