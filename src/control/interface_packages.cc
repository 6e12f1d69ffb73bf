#include "control/interface_packages.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace hotswap::control {
namespace {

constexpr std::size_t kDependencies = 64;  // registered packages that one may depend on, directly or not
constexpr std::size_t kParsedKept = 512;

bool mentions(const std::vector<InterfaceFile>& files, const std::string& word) {
  return std::ranges::any_of(files, [&word](const InterfaceFile& file) { return file.text.contains(word); });
}

compat::WitPackage package_of(const std::vector<InterfaceFile>& files, const std::string& before = {}) {
  compat::WitPackage package;
  for (const auto& file : files) package.push_back({before + file.path, file.text});
  return package;
}

Error error_of(const compat::WitProblem& problem, const InterfaceText& text) {
  std::string field = "witDefinition";
  if (!text.witDefinition) {
    const auto at = std::ranges::find(text.files, problem.file, &InterfaceFile::path);
    field = at == text.files.end() ? "files" : fmt::format("files[{}].text", at - text.files.begin());
  }
  std::string message = problem.message;
  if (problem.line != 0) {
    message = fmt::format("line {}, column {}: {}: {}", problem.line, problem.column, problem.message, problem.text);
    if (!text.witDefinition) message = problem.file + ", " + message;
  }
  return fail_fields({{std::move(field), std::move(message)}}).error();
}

}  // namespace

// A package is named by its words wherever it is used, so that one whose words are not there is not meant. Which of the
// others are is the parser's to say.
Result<std::vector<compat::WitPackage>> InterfacePackages::mentioned(const TenantId& tenant,
                                                                     const std::vector<InterfaceFile>& files) {
  HS_TRY(const auto known, store_.all_interfaces(tenant));
  std::vector<compat::WitPackage> packages;
  std::set<InterfaceId> taken;
  std::vector<std::vector<InterfaceFile>> open{files};
  while (!open.empty()) {
    const auto texts = std::move(open.back());
    open.pop_back();
    for (const auto& one : known) {
      if (one.platform || one.status == InterfaceStatus::Rejected || taken.contains(one.interfaceId)) continue;
      // An earlier draft of the text itself is not what it depends on.
      if (mentions(files, "package " + one.interfaceId.str())) continue;
      const bool meant =
          mentions(texts, one.packageNamespace) && mentions(texts, one.name) && mentions(texts, one.version);
      if (!meant) continue;
      if (taken.size() == kDependencies) {
        return fail(ErrorKind::kUnprocessable,
                    fmt::format("the text mentions more than {} registered packages", kDependencies));
      }
      HS_TRY(const auto stored, store_.interface(tenant, one.interfaceId));
      taken.insert(one.interfaceId);
      open.push_back(wit_files(stored.interface.text));
      packages.push_back(package_of(open.back(), one.interfaceId.str() + "/"));
    }
  }
  return packages;
}

Result<Resolved> InterfacePackages::resolve(const TenantId& tenant, const InterfaceText& text) {
  const auto files = wit_files(text);
  Resolved resolved;
  resolved.packages.push_back(package_of(files));
  // Most texts need nothing but WASI.
  auto wit = inspector_.parse(resolved.packages);
  if (!wit) {
    HS_TRY(auto more, mentioned(tenant, files));
    resolved.packages.insert(resolved.packages.end(), more.begin(), more.end());
    if (!more.empty()) wit = inspector_.parse(resolved.packages);
    // Only what it cannot do without is what it depends on.
    for (std::size_t i = resolved.packages.size(); wit && i-- > 1;) {
      auto fewer = resolved.packages;
      fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
      auto without = inspector_.parse(fewer);
      if (!without) continue;
      resolved.packages = std::move(fewer);
      wit = std::move(without);
    }
  }
  if (!wit) return std::unexpected(error_of(wit.error(), text));
  resolved.wit = std::make_shared<const compat::Wit>(*std::move(wit));
  return resolved;
}

Result<Resolved> InterfacePackages::resolve(const TenantId& tenant, const WasiInterface& interface) {
  if (!wit_files(interface.text).empty()) return resolve(tenant, interface.text);
  return fail(ErrorKind::kUnprocessable,
              fmt::format("{} is described by its functions and has no WIT", interface.interfaceId.str()));
}

const std::vector<std::shared_ptr<const compat::Wit>>& InterfacePackages::wasi() {
  std::call_once(wasi_once_, [this] {
    for (const auto& package : inspector_.wasi_packages()) {
      // A text of WASI's own that cannot be parsed is caught by the sandbox's tests.
      if (auto wit = inspector_.parse({{{package.path, package.text}}})) {
        wasi_.push_back(std::make_shared<const compat::Wit>(*std::move(wit)));
      }
    }
  });
  return wasi_;
}

Result<compat::Offers> InterfacePackages::offers(const TenantId& tenant) {
  compat::Offers offers;
  const auto& linked = inspector_.offers().component;
  const std::set<std::string> names(linked.begin(), linked.end());
  for (const auto& wit : wasi()) offers.add(wit, names);
  for (const auto& interface : inspector_.preview1()) offers.add(interface);
  HS_TRY(const auto known, store_.all_interfaces(tenant));
  for (const auto& one : known) {
    if (one.platform || !in_force(one.status)) continue;
    const std::string key = fmt::format("{}\n{}\n{}", tenant.str(), one.interfaceId.str(), one.checksum.hex());
    std::shared_ptr<const compat::Wit> wit;
    {
      const std::lock_guard lock(mutex_);
      if (const auto found = parsed_.find(key); found != parsed_.end()) wit = found->second;
    }
    if (!wit) {
      HS_TRY(const auto stored, store_.interface(tenant, one.interfaceId));
      HS_TRY(auto resolved, resolve(tenant, stored.interface));
      wit = std::move(resolved.wit);
      const std::lock_guard lock(mutex_);
      if (parsed_.size() >= kParsedKept) parsed_.clear();
      parsed_.emplace(key, wit);
    }
    offers.add(wit);
  }
  return offers;
}

}  // namespace hotswap::control
