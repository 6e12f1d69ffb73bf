// Types and functions as they stand in WIT.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "compat/wit.h"

namespace hotswap::compat {
namespace {

constexpr std::array<std::string_view, 14> kPrimitiveNames{
    "bool", "u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64", "f32", "f64", "char", "string", "error-context"};
constexpr std::array<std::string_view, 16> kKindNames{"record", "variant", "enum",     "flags",  "tuple", "list",
                                                      "list",   "map",     "option",   "result", "own",   "borrow",
                                                      "future", "stream",  "resource", "type"};

std::string joined(const Wit& wit, const std::vector<Member>& members, std::size_t from = 0) {
  std::string text;
  for (std::size_t i = from; i < members.size(); ++i) {
    if (i > from) text += ", ";
    if (!members[i].name.empty()) text += members[i].name + ": ";
    text += text_of(wit, members[i].type);
  }
  return text;
}

std::string argument(const Wit& wit, TypeRef type) { return type.none() ? "_" : text_of(wit, type); }

// The body of a type, whatever its name is.
std::string structure(const Wit& wit, const Type& type) {
  const auto first = [&] { return text_of(wit, type.members[0].type); };
  switch (type.kind) {
    case TypeKind::kRecord:
      return fmt::format("{{ {} }}", joined(wit, type.members));
    case TypeKind::kVariant:
    case TypeKind::kEnum:
    case TypeKind::kFlags: {
      std::string text;
      for (const auto& member : type.members) {
        if (!text.empty()) text += ", ";
        text += member.name;
        if (!member.type.none()) text += '(' + text_of(wit, member.type) + ')';
      }
      return fmt::format("{{ {} }}", text);
    }
    case TypeKind::kTuple:
      return fmt::format("tuple<{}>", joined(wit, type.members));
    case TypeKind::kFixedList:
      return fmt::format("list<{}, {}>", first(), type.length);
    case TypeKind::kMap:
      return fmt::format("map<{}, {}>", first(), text_of(wit, type.members[1].type));
    case TypeKind::kResult: {
      const auto ok = type.members[0].type;
      const auto error = type.members[1].type;
      if (error.none()) return ok.none() ? "result" : fmt::format("result<{}>", text_of(wit, ok));
      return fmt::format("result<{}, {}>", argument(wit, ok), text_of(wit, error));
    }
    case TypeKind::kOwn:
    case TypeKind::kAlias:
      return first();
    case TypeKind::kFuture:
    case TypeKind::kStream:
      if (type.members[0].type.none()) return std::string(kind_name(type.kind));
      [[fallthrough]];
    case TypeKind::kList:
    case TypeKind::kOption:
    case TypeKind::kBorrow:
      return fmt::format("{}<{}>", kind_name(type.kind), first());
    case TypeKind::kResource:
      break;
  }
  return {};
}

}  // namespace

std::string_view primitive_name(Primitive primitive) noexcept {
  return kPrimitiveNames[static_cast<std::size_t>(primitive)];
}

std::string_view kind_name(TypeKind kind) noexcept { return kKindNames[static_cast<std::size_t>(kind)]; }

std::optional<Primitive> find_primitive(std::string_view name) noexcept {
  const auto* const found = std::ranges::find(kPrimitiveNames, name);
  if (found == kPrimitiveNames.end()) return std::nullopt;
  return static_cast<Primitive>(found - kPrimitiveNames.begin());
}

std::string text_of(const Wit& wit, TypeRef type) {
  if (type.none()) return "_";
  const auto index = type.index();
  if (!index) return std::string(primitive_name(type.primitive()));
  const Type& named = wit.types[*index];
  return named.name.empty() ? structure(wit, named) : named.name;
}

std::string text_of(const Wit& wit, const Function& function) {
  const std::size_t from = function.kind == FunctionKind::kMethod ? 1 : 0;
  const std::string params = joined(wit, function.params, from);
  if (function.kind == FunctionKind::kConstructor) {
    const auto own = function.resource ? text_of(wit, TypeRef::at(*function.resource)) : std::string();
    const auto result = text_of(wit, function.result);
    return result == own ? fmt::format("constructor({})", params)
                         : fmt::format("constructor({}) -> {}", params, result);
  }
  return fmt::format("{}{}func({}){}{}", function.kind == FunctionKind::kStatic ? "static " : "",
                     function.async ? "async " : "", params, function.result.none() ? "" : " -> ",
                     function.result.none() ? "" : text_of(wit, function.result));
}

std::string text_of(const Wit& wit, const Type& type) {
  switch (type.kind) {
    case TypeKind::kRecord:
    case TypeKind::kVariant:
    case TypeKind::kEnum:
    case TypeKind::kFlags:
      return fmt::format("{} {} {}", kind_name(type.kind), type.name, structure(wit, type));
    case TypeKind::kResource:
      return "resource " + type.name;
    default:
      return fmt::format("type {} = {}", type.name, structure(wit, type));
  }
}

std::string text_of(const Gate& gate) {
  std::string text;
  const auto add = [&](std::string_view what, std::string_view key, const std::string& value) {
    if (!value.empty()) text += fmt::format("{}@{}({} = {})", text.empty() ? "" : " ", what, key, value);
  };
  add("since", "version", gate.since);
  add("unstable", "feature", gate.unstable);
  add("deprecated", "version", gate.deprecated);
  return text;
}

}  // namespace hotswap::compat
