#include "model/deployment.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "base/limits.h"
#include "model/text_rules.h"

namespace hotswap {
namespace {

constexpr int kLeastStatus = 100;
constexpr int kMostStatus = 599;

template <class Tag>
void check_names(const std::vector<Id<Tag>>& names, std::string_view member,
                 std::string (*problem_of)(std::string_view), RuleBook& rules) {
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string& name = names[i].str();
    if (auto problem = problem_of(name); !problem.empty()) {
      rules.broken_at(member, i, std::move(problem));
    } else if (!seen.insert(name).second) {
      rules.broken_at(member, i, fmt::format("\"{}\" is listed more than once", name));
    }
  }
}

void check_targets(const DeploymentRequest& request, RuleBook& rules) {
  const bool has_nodes = request.targetNodes && !request.targetNodes->empty();
  if (request.targetRegions.empty() && !has_nodes) {
    rules.broken("targetRegions", "either targetRegions (\"all\" is every region) or targetNodes must be given");
  }
  if (request.targetRegions.size() > limits::kListEntries) {
    rules.broken("targetRegions", fmt::format("has {} entries; at most {} are allowed", request.targetRegions.size(),
                                              limits::kListEntries));
  }
  check_names(request.targetRegions, "targetRegions", &name_problem, rules);
  if (request.targetNodes) check_names(*request.targetNodes, "targetNodes", &node_name_problem, rules);
}

std::vector<FieldError> validate_check(const HealthCheck& check, const std::string& path) {
  RuleBook rules(path);
  if (check.enabled && check.functionName.empty()) {
    rules.broken("functionName", "is required while the health check is enabled");
  }
  for (const auto& [member, text] :
       {std::pair<std::string_view, std::string_view>{"functionName", check.functionName},
        std::pair<std::string_view, std::string_view>{"expectedResult", check.expectedResult}}) {
    if (text.size() > limits::kDescriptionBytes) {
      rules.broken(member,
                   fmt::format("is {} bytes long; at most {} are allowed", text.size(), limits::kDescriptionBytes));
    }
    if (!is_plain_text(text)) rules.broken(member, "must be UTF-8 text without NUL");
  }
  if (check.httpPath) {
    const std::string& target = *check.httpPath;
    const bool sendable = std::ranges::all_of(target, [](char c) { return c > ' ' && c < '\x7f' && c != '#'; });
    rules.require(target.starts_with('/') && sendable && target.size() <= limits::kDescriptionBytes, "httpPath",
                  fmt::format("must be a path such as \"/health\", percent-encoded, of at most {} bytes",
                              limits::kDescriptionBytes));
  }
  rules.range("httpStatus", check.httpStatus, kLeastStatus, kMostStatus);
  rules.range("timeoutSeconds", check.timeoutSeconds, 1, 60);
  rules.range("successThreshold", check.successThreshold, 1, 10);
  rules.range("failureThreshold", check.failureThreshold, 1, 10);
  return rules.take();
}

}  // namespace

std::vector<FieldError> validate(const DeploymentRequest& request) {
  RuleBook rules;
  if (request.moduleId.empty()) {
    rules.broken("moduleId", "is required, such as \"greeter-v1.0.0\"");
  } else if (!is_plain_text(request.moduleId.str())) {
    rules.broken("moduleId", "must be UTF-8 text without NUL");
  }
  check_targets(request, rules);
  if (!request.strategyConfig.is_object()) {
    rules.broken("strategyConfig", fmt::format("must be an object, got {}", json_kind_name(request.strategyConfig)));
  }
  rules.add(validate_check(request.healthCheck, "healthCheck"));
  if (request.http) rules.add(validate(*request.http, "http"));
  return rules.take();
}

std::string text_of(const CallerBreak& broken) {
  std::vector<std::string_view> regions;
  for (const auto& region : broken.regions) regions.push_back(region.str());
  return fmt::format("{}: was {}, is {} ({} in {})", broken.path, broken.was.empty() ? "nothing" : broken.was,
                     broken.is.empty() ? "gone" : broken.is, broken.inPlace.str(), fmt::join(regions, ", "));
}

std::vector<CallerBreak> not_approved(const std::vector<CallerBreak>& breaks,
                                      const std::vector<CallerBreak>& approved) {
  std::vector<CallerBreak> left;
  for (const auto& broken : breaks) {
    const auto covered = [&](const Region& region) {
      return std::ranges::any_of(approved, [&](const CallerBreak& known) {
        return known.path == broken.path && known.was == broken.was && known.is == broken.is &&
               std::ranges::find(known.regions, region) != known.regions.end();
      });
    };
    CallerBreak rest = broken;
    std::erase_if(rest.regions, covered);
    if (!rest.regions.empty()) left.push_back(std::move(rest));
  }
  return left;
}

}  // namespace hotswap
