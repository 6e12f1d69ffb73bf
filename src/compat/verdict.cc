#include "compat/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace hotswap::compat {
namespace {

struct Version {
  std::array<std::uint64_t, 3> numbers{};
  bool pre_release = false;
};

std::optional<Version> parse(std::string_view text) {
  Version version;
  text = text.substr(0, text.find('+'));
  const auto dash = text.find('-');
  version.pre_release = dash != std::string_view::npos;
  text = text.substr(0, dash);
  const char* at = text.data();
  const char* const end = at + text.size();
  for (std::size_t i = 0; i < 3; ++i) {
    if (i > 0) {
      if (at == end || *at != '.') return std::nullopt;
      ++at;
    }
    const auto [next, code] = std::from_chars(at, end, version.numbers[i]);
    if (code != std::errc()) return std::nullopt;
    at = next;
  }
  return at == end ? std::optional(version) : std::nullopt;
}

// The step that raises number `at`: 0 is the major one.
VersionStep step(std::size_t at) {
  static constexpr std::array kSteps{VersionStep::Major, VersionStep::Minor, VersionStep::Patch};
  return kSteps[at];
}

// The first number that is not zero carries what breaks, the one behind it what does not.
VersionStep needed_step(const Version& from, bool breaking, bool noticed) {
  const std::size_t first = from.numbers[0] != 0 ? 0 : from.numbers[1] != 0 ? 1 : 2;
  if (breaking) return step(first);
  return step(noticed ? std::min<std::size_t>(first + 1, 2) : 2);
}

std::string raised(Version version, VersionStep by) {
  const std::size_t at = by == VersionStep::Major ? 0 : by == VersionStep::Minor ? 1 : 2;
  ++version.numbers[at];
  for (std::size_t i = at + 1; i < 3; ++i) version.numbers[i] = 0;
  return fmt::format("{}", fmt::join(version.numbers, "."));
}

std::string_view word(VersionStep step) {
  switch (step) {
    case VersionStep::Major:
      return "a major version";
    case VersionStep::Minor:
      return "a minor version";
    case VersionStep::Patch:
      return "a patch version";
    case VersionStep::None:
      break;
  }
  return "the same version";
}

VersionVerdict judge_version(const Comparison& comparison) {
  VersionVerdict verdict;
  const auto from = parse(comparison.from_version);
  const auto to = parse(comparison.to_version);
  const auto breaks = [&](const Change& change) { return !compatible(change, comparison.subject, Mode::Backward); };
  const bool breaking = std::ranges::any_of(comparison.changes, breaks);
  const bool noticed =
      std::ranges::any_of(comparison.changes, [](const Change& change) { return change.breaks != Breaks::None; });
  // Without a version the rule is that of a released one.
  if (!comparison.changes.empty()) {
    verdict.needed = needed_step(from.value_or(Version{.numbers = {1, 0, 0}}), breaking, noticed);
  }
  if (!from || !to) return verdict;
  for (std::size_t i = 0; i < 3 && verdict.taken == VersionStep::None; ++i) {
    if (from->numbers[i] != to->numbers[i]) verdict.taken = step(i);
  }
  if (from->pre_release || to->pre_release) return verdict;
  if (to->numbers < from->numbers) {
    verdict.suffices = false;
    verdict.problem = fmt::format("the version goes back: {} → {}", comparison.from_version, comparison.to_version);
  } else if (verdict.taken < verdict.needed) {
    verdict.suffices = false;
    verdict.problem = fmt::format("a{} change in {}: {} → {}",
                                  breaking  ? " breaking"
                                  : noticed ? "n additional"
                                            : "",
                                  word(verdict.taken), comparison.from_version, comparison.to_version);
  }
  if (!verdict.suffices && verdict.needed != VersionStep::None) {
    verdict.suggested = raised(*from, verdict.needed);
    verdict.problem += fmt::format("; {} is needed", verdict.suggested);
  }
  return verdict;
}

}  // namespace

bool compatible(const Change& change, Subject subject, Mode mode) {
  const bool calls = change.modules != ModulesDo::Implement;
  const bool implements = change.modules != ModulesDo::Call;
  const bool callers = breaks_callers(change.breaks);
  const bool implementers = breaks_implementers(change.breaks);
  // Old modules at a new contract, which are the same links as new surroundings at an old module; and the reverse.
  const bool old_modules = (calls && callers) || (implements && implementers);
  const bool new_modules = (calls && implementers) || (implements && callers);
  const bool backward = subject == Subject::Contract ? old_modules : new_modules;
  const bool forward = subject == Subject::Contract ? new_modules : old_modules;
  switch (mode) {
    case Mode::None:
      return true;
    case Mode::Backward:
      return !backward;
    case Mode::Forward:
      return !forward;
    case Mode::Full:
      return !backward && !forward;
  }
  return true;
}

Verdict judge(const Comparison& comparison, Mode mode) {
  Verdict verdict{.mode = mode, .version = judge_version(comparison)};
  verdict.breaking = static_cast<std::size_t>(std::ranges::count_if(
      comparison.changes, [&](const Change& change) { return !compatible(change, comparison.subject, mode); }));
  verdict.compatible = verdict.breaking == 0;
  return verdict;
}

json::value document_of(const Comparison& comparison, const Verdict& verdict) {
  json::array changes;
  for (const auto& change : comparison.changes) {
    json::object entry = to_json(change).as_object();
    entry["breaking"] = !compatible(change, comparison.subject, verdict.mode);
    changes.push_back(std::move(entry));
  }
  json::object document = to_json(verdict).as_object();
  document["from"] = comparison.from;
  document["to"] = comparison.to;
  document["fromVersion"] = comparison.from_version;
  document["toVersion"] = comparison.to_version;
  document["subject"] = enum_name(comparison.subject);
  document["changes"] = std::move(changes);
  return document;
}

Result<Comparison> comparison_from(const json::value& document) {
  const auto text = [&document](std::string_view name) -> std::string {
    const auto* object = document.if_object();
    const auto* value = object == nullptr ? nullptr : object->if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
  };
  const auto subject = enum_from_name<Subject>(text("subject"));
  if (!subject) return fail(ErrorKind::kInvalid, "this is no comparison of interfaces");
  Comparison comparison{.subject = *subject,
                        .from = text("from"),
                        .to = text("to"),
                        .from_version = text("fromVersion"),
                        .to_version = text("toVersion")};
  if (const auto* changes = document.as_object().if_contains("changes"); changes != nullptr && changes->is_array()) {
    for (const auto& entry : changes->get_array()) {
      json::value known = entry;
      if (auto* object = known.if_object()) object->erase("breaking");
      HS_TRY(comparison.changes.emplace_back(), from_json<Change>(known));
    }
  }
  return comparison;
}

}  // namespace hotswap::compat
