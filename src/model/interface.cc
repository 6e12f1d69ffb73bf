#include "model/interface.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "base/limits.h"
#include "model/approval.h"
#include "model/text_rules.h"

namespace hotswap {
namespace {

constexpr std::string_view kNamespaceMember = "packageNamespace";
constexpr std::string_view kTextMember = "text";

// `namespace` is a word of the language.
std::string_view json_name(std::string_view member) { return member == kNamespaceMember ? "namespace" : member; }

void check_reason(std::string_view member, const std::string& text, RuleBook& rules) {
  if (text.size() > kInterfaceReasonBytes) {
    rules.broken(member, fmt::format("is {} bytes long; at most {} are allowed", text.size(), kInterfaceReasonBytes));
  }
  if (!is_plain_text(text)) rules.broken(member, "must be UTF-8 text without NUL");
}

void check_files(const std::vector<InterfaceFile>& files, RuleBook& rules) {
  if (files.size() > kInterfaceFiles) {
    rules.broken("files", fmt::format("are {}; at most {} are allowed", files.size(), kInterfaceFiles));
  }
  std::set<std::string_view> paths;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto& [path, text] = files[i];
    const auto member = [i](std::string_view name) { return fmt::format("files[{}].{}", i, name); };
    rules.require(!path.empty() && path.size() <= kInterfacePathBytes && is_plain_text(path), member("path"),
                  fmt::format("must be a text of 1 to {} bytes", kInterfacePathBytes));
    rules.require(paths.insert(path).second, member("path"), "is given twice");
    rules.require(is_plain_text(text), member("text"), "must be UTF-8 text without NUL");
    bytes += text.size();
  }
  if (bytes > limits::kWitBytes) {
    rules.broken("files", fmt::format("hold {} bytes; at most {} are allowed", bytes, limits::kWitBytes));
  }
}

std::unexpected<Error> cannot(const WasiInterface& interface, std::string_view what, std::string_view instead) {
  return fail(ErrorKind::kConflict, fmt::format("interface {} is {}: {}; {}", interface.interfaceId.str(),
                                                enum_name(interface.status), what, instead));
}

Result<> check_changeable(const WasiInterface& interface) {
  if (!interface.platform) return {};
  return fail(ErrorKind::kConflict,
              fmt::format("interface {} is the platform's own and cannot be changed", interface.interfaceId.str()));
}

}  // namespace

void JsonCodec<WasiInterface>::read(const json::value& value, WasiInterface& out, JsonReader& reader) {
  const auto* object = value.if_object();
  if (object == nullptr) return reader.error("expected an object, got " + std::string(json_kind_name(value)));
  const auto take = [&](const auto& members, auto& from) {
    boost::mp11::mp_for_each<std::decay_t<decltype(members)>>([&](auto d) {
      const auto name = json_name(d.name);
      if (name == kTextMember) return;
      if (const auto* element = object->if_contains(name)) {
        reader.member(name, [&] { read_json(*element, from.*d.pointer, reader); });
      }
    });
  };
  take(MembersOf<WasiInterface>{}, out);
  take(MembersOf<InterfaceText>{}, out.text);
}

json::value JsonCodec<WasiInterface>::write(const WasiInterface& value) {
  json::object object;
  boost::mp11::mp_for_each<MembersOf<WasiInterface>>([&](auto d) {
    if (d.name != kTextMember) object.emplace(json_name(d.name), to_json(value.*d.pointer));
  });
  if (value.text == InterfaceText{}) return object;
  for (auto& [name, member] : to_json(value.text).as_object()) object.emplace(name, std::move(member));
  return object;
}

std::vector<FieldError> validate(const InterfaceRegistration& registration) {
  RuleBook rules;
  if (registration.witDefinition.has_value() == !registration.files.empty()) {
    rules.broken("witDefinition", "state the WIT either here, as one text, or in files");
  }
  if (registration.witDefinition) {
    const auto& text = *registration.witDefinition;
    rules.require(is_plain_text(text), "witDefinition", "must be UTF-8 text without NUL");
    rules.require(text.size() <= limits::kWitBytes, "witDefinition",
                  fmt::format("is {} bytes long; at most {} are allowed", text.size(), limits::kWitBytes));
  }
  check_files(registration.files, rules);
  if (registration.description) {
    rules.require(
        registration.description->size() <= limits::kDescriptionBytes && is_plain_text(*registration.description),
        "description", fmt::format("must be UTF-8 text without NUL of at most {} bytes", limits::kDescriptionBytes));
  }
  return rules.take();
}

std::vector<FieldError> validate(const InterfaceRejection& rejection) {
  RuleBook rules;
  rules.require(!rejection.reason.empty(), "reason", "must say why, for whoever registered it");
  check_reason("reason", rejection.reason, rules);
  return rules.take();
}

std::vector<FieldError> validate(const InterfaceDeprecation& deprecation, TimePoint now) {
  RuleBook rules;
  rules.require(!deprecation.reason.empty(), "reason", "must say why, for whoever uses it");
  check_reason("reason", deprecation.reason, rules);
  check_reason("migrationGuide", deprecation.migrationGuide.value_or(""), rules);
  rules.require(!deprecation.sunsetAt || *deprecation.sunsetAt > now, "sunsetAt", "must be in the future");
  return rules.take();
}

InterfaceId interface_id(std::string_view package_namespace, std::string_view name, std::string_view version) {
  return InterfaceId(fmt::format("{}:{}@{}", package_namespace, name, version));
}

InterfaceId package_id(const InterfaceId& id) {
  const std::string& text = id.str();
  const auto slash = text.find('/');
  const auto at = text.find('@');
  if (slash == std::string::npos || at == std::string::npos || at < slash) return id;
  return InterfaceId(text.substr(0, slash) + text.substr(at));
}

std::vector<InterfaceFile> wit_files(const InterfaceText& text) {
  if (text.witDefinition) return {{"package.wit", *text.witDefinition}};
  return text.files;
}

Digest checksum_of(const InterfaceText& text) {
  std::vector<std::string> texts = text.functions;
  for (auto& file : wit_files(text)) texts.push_back(std::move(file.text));
  std::ranges::sort(texts);
  Sha256 hash;
  for (const auto& one : texts) {
    hash.update(fmt::format("{}:", one.size()));
    hash.update(one);
  }
  return hash.finish();
}

std::string deprecation_of(const WasiInterface& interface) {
  std::string text =
      fmt::format("{} is deprecated: {}", interface.interfaceId.str(), interface.deprecationReason.value_or(""));
  if (interface.migrationGuide) text += "; see " + *interface.migrationGuide;
  if (interface.sunsetAt) text += "; it is to be gone at " + to_rfc3339(*interface.sunsetAt);
  return text;
}

std::string version_key(std::string_view version) {
  constexpr std::size_t kDigits = 20;  // of the largest number that semantic versions are read into
  const std::string_view release = version.substr(0, version.find_first_of("-+"));
  std::string key;
  for (std::size_t at = 0; at <= release.size();) {
    const auto part = release.substr(at, release.find('.', at) - at);
    key += std::string(part.size() < kDigits ? kDigits - part.size() : 0, '0');
    key += part;
    key += '.';
    at += part.size() + 1;
  }
  const auto rest = version.substr(release.size());
  // Behind every pre-release.
  key += rest.starts_with('-') ? rest : "~";
  return key;
}

Result<WasiInterface> submitted(WasiInterface interface, const Principal& by, bool needs_approval, TimePoint now) {
  HS_CHECK(check_changeable(interface));
  if (interface.status == InterfaceStatus::PendingApproval || interface.status == InterfaceStatus::Approved) {
    return interface;
  }
  if (interface.status == InterfaceStatus::Deprecated) {
    return cannot(interface, "only a Draft or a Rejected one is submitted", "register a new version");
  }
  interface.status = needs_approval ? InterfaceStatus::PendingApproval : InterfaceStatus::Approved;
  interface.submittedAt = now;
  interface.submittedBy = by.user;
  interface.rejectedAt.reset();
  interface.rejectedBy.reset();
  interface.rejectionReason.reset();
  if (!needs_approval) {
    interface.approvedAt = now;
    interface.approvedBy = by.user;
  }
  return interface;
}

Result<WasiInterface> approved(WasiInterface interface, const Principal& by, bool single_user, TimePoint now) {
  HS_CHECK(check_changeable(interface));
  HS_CHECK(may_approve(by, "an interface", interface.registeredBy, single_user));
  if (interface.status == InterfaceStatus::Approved) return interface;
  if (interface.status != InterfaceStatus::PendingApproval) {
    return cannot(interface, "only a PendingApproval one is approved",
                  interface.status == InterfaceStatus::Deprecated ? "register a new version" : "submit it first");
  }
  interface.status = InterfaceStatus::Approved;
  interface.approvedAt = now;
  interface.approvedBy = by.user;
  return interface;
}

Result<WasiInterface> rejected(WasiInterface interface, const Principal& by, std::string reason, TimePoint now) {
  HS_CHECK(check_changeable(interface));
  // Whoever registered it may withdraw it; a no needs no second person.
  HS_CHECK(may_approve(by, "an interface", interface.registeredBy, true));
  if (interface.status == InterfaceStatus::Rejected && interface.rejectionReason == reason) return interface;
  if (interface.status != InterfaceStatus::PendingApproval) {
    return cannot(interface, "only a PendingApproval one is rejected",
                  in_force(interface.status) ? "deprecate it" : "submit it first");
  }
  interface.status = InterfaceStatus::Rejected;
  interface.rejectedAt = now;
  interface.rejectedBy = by.user;
  interface.rejectionReason = std::move(reason);
  return interface;
}

Result<WasiInterface> deprecated(WasiInterface interface, const Principal& by, InterfaceDeprecation deprecation,
                                 TimePoint now) {
  HS_CHECK(check_changeable(interface));
  HS_CHECK(may_approve(by, "an interface", interface.registeredBy, true));
  if (!in_force(interface.status)) {
    return cannot(interface, "only an Approved one is deprecated", "nothing uses it yet");
  }
  const bool same =
      interface.status == InterfaceStatus::Deprecated && interface.deprecationReason == deprecation.reason &&
      interface.migrationGuide == deprecation.migrationGuide && interface.sunsetAt == deprecation.sunsetAt;
  if (same) return interface;
  interface.status = InterfaceStatus::Deprecated;
  interface.deprecatedAt = now;
  interface.deprecatedBy = by.user;
  interface.deprecationReason = std::move(deprecation.reason);
  interface.migrationGuide = std::move(deprecation.migrationGuide);
  interface.sunsetAt = deprecation.sunsetAt;
  return interface;
}

}  // namespace hotswap
