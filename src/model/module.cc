#include "model/module.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ranges>
#include <set>

#include "base/limits.h"
#include "model/text_rules.h"

namespace hotswap {
namespace {

constexpr std::string_view kVersionForm =
    "must be major.minor.patch such as 1.2.3: three numbers from 0 to 2147483647 without leading zeros";

// The digits up to the end of `text` or up to the dot that follows them, which is taken too.
bool take_part(std::string_view& text, bool last, std::int32_t& out) {
  const auto dot = text.find('.');
  if ((dot == std::string_view::npos) != last) return false;
  const std::string_view part = text.substr(0, dot);
  if (part.empty() || (part.size() > 1 && part.front() == '0')) return false;
  // from_chars would take a minus.
  if (!std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; })) return false;
  const auto [end, code] = std::from_chars(part.data(), part.data() + part.size(), out);
  text = last ? std::string_view{} : text.substr(dot + 1);
  return code == std::errc();
}

void check_description(const std::optional<std::string>& description, RuleBook& rules) {
  if (!description) return;
  if (description->size() > limits::kDescriptionBytes) {
    rules.broken("description", fmt::format("is {} bytes long; at most {} are allowed", description->size(),
                                            limits::kDescriptionBytes));
  }
  if (!is_plain_text(*description)) rules.broken("description", "must be UTF-8 text without NUL");
}

void check_metadata(const std::map<std::string, std::string>& metadata, RuleBook& rules) {
  if (metadata.size() > limits::kMetadataEntries) {
    rules.broken("metadata",
                 fmt::format("has {} entries; at most {} are allowed", metadata.size(), limits::kMetadataEntries));
  }
  std::size_t bytes = 0;
  for (const auto& [key, value] : metadata) {
    bytes += key.size() + value.size();
    if (key.empty()) rules.broken("metadata", "a key must not be empty");
    if (!is_plain_text(key) || !is_plain_text(value)) {
      rules.broken("metadata." + key, "key and value must be UTF-8 text without NUL");
    }
  }
  if (bytes > limits::kMetadataBytes) {
    rules.broken("metadata", fmt::format("holds {} bytes of keys and values; at most {} are allowed", bytes,
                                         limits::kMetadataBytes));
  }
}

// A claim is matched exactly against what is registered, so that only its form is looked at here.
bool is_claim(std::string_view text) {
  const auto colon = text.find(':');
  const auto slash = text.find('/');
  const auto at = text.find('@');
  const bool in_order = colon != std::string_view::npos && colon > 0 && slash != std::string_view::npos &&
                        slash > colon + 1 && at != std::string_view::npos && at > slash + 1 && at + 1 < text.size();
  return in_order && text.size() <= limits::kNameBytes * 2 && std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  std::string_view("-_:/@.+").contains(c);
         });
}

void check_claims(const std::vector<std::string>& claims, RuleBook& rules) {
  rules.require(claims.size() <= limits::kListEntries, "claims",
                fmt::format("at most {} interfaces and worlds", limits::kListEntries));
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i < claims.size(); ++i) {
    if (!is_claim(claims[i])) {
      rules.broken_at("claims", i, "must name an interface or a world with its version, such as acme:shop/api@1.0.0");
    } else if (!seen.insert(claims[i]).second) {
      rules.broken_at("claims", i, fmt::format("\"{}\" is listed more than once", claims[i]));
    }
  }
}

}  // namespace

std::string Version::str() const { return fmt::format("{}.{}.{}", major, minor, patch); }

Result<Version> parse_version(std::string_view text) {
  Version version;
  std::string_view rest = text;
  const bool parsed = take_part(rest, false, version.major) && take_part(rest, false, version.minor) &&
                      take_part(rest, true, version.patch);
  if (!parsed) return fail(ErrorKind::kInvalid, fmt::format("{}, got \"{}\"", kVersionForm, text));
  return version;
}

void JsonCodec<Version>::read(const json::value& value, Version& out, JsonReader& reader) {
  const auto* text = value.if_string();
  if (text == nullptr) return reader.error("expected a version, got " + std::string(json_kind_name(value)));
  if (auto version = parse_version(*text)) {
    out = *version;
  } else {
    reader.error(version.error().detail);
  }
}

void JsonCodec<Digest>::read(const json::value& value, Digest& out, JsonReader& reader) {
  const auto* text = value.if_string();
  if (text == nullptr) return reader.error("expected a digest, got " + std::string(json_kind_name(value)));
  if (text->empty()) {
    out = Digest();
  } else if (auto digest = Digest::parse(*text)) {
    out = *std::move(digest);
  } else {
    reader.error(digest.error().detail);
  }
}

ModuleId module_id(std::string_view name, const Version& version) {
  return ModuleId(fmt::format("{}-v{}", name, version.str()));
}

std::vector<FieldError> validate(const ModuleRegistration& registration) {
  RuleBook rules;
  if (auto problem = name_problem(registration.name); !problem.empty()) rules.broken("name", std::move(problem));
  if (registration.version.empty()) {
    rules.broken("version", "is required; it " + std::string(kVersionForm));
  } else if (auto version = parse_version(registration.version); !version) {
    rules.broken("version", std::move(version.error().detail));
  }
  check_description(registration.description, rules);
  rules.add(validate(registration.limits, "limits"));
  check_metadata(registration.metadata, rules);
  rules.require(registration.allowedRegions.size() <= limits::kListEntries, "allowedRegions",
                fmt::format("at most {} regions", limits::kListEntries));
  for (std::size_t i = 0; i < registration.allowedRegions.size(); ++i) {
    if (auto problem = name_problem(registration.allowedRegions[i].str()); !problem.empty()) {
      rules.broken_at("allowedRegions", i, std::move(problem));
    }
  }
  check_claims(registration.claims, rules);
  return rules.take();
}

std::vector<FieldError> validate(const ModulePatch& patch) {
  RuleBook rules;
  check_description(patch.description, rules);
  if (patch.metadata) check_metadata(*patch.metadata, rules);
  return rules.take();
}

std::vector<Version> versions_to_remove(std::vector<RetentionCandidate> versions, std::size_t keep) {
  std::ranges::sort(versions, std::greater{}, &RetentionCandidate::version);
  std::vector<Version> removed;
  for (const auto& candidate : versions | std::views::drop(keep)) {
    if (!candidate.referenced) removed.push_back(candidate.version);
  }
  return removed;
}

}  // namespace hotswap
