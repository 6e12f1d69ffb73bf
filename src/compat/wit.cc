#include "compat/wit.h"

#include <fmt/format.h>

#include "base/json.h"

namespace hotswap::compat {
namespace {

// The document comes from the bridge alone, so what does not fit is a bug: it is thrown here and caught in read_wit.
struct Malformed {
  std::string what;
};

const json::object& object_of(const json::value& value) {
  if (const auto* object = value.if_object()) return *object;
  throw Malformed{"expected an object, got " + json::serialize(value).substr(0, 80)};
}

const json::value* find(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

const json::value& need(const json::object& object, std::string_view name) {
  if (const auto* value = find(object, name)) return *value;
  throw Malformed{fmt::format("{} is missing", name)};
}

std::string string_of(const json::value& value) {
  if (const auto* text = value.if_string()) return std::string(*text);
  throw Malformed{"expected a string, got " + json::serialize(value).substr(0, 80)};
}

const json::array& array_of(const json::value& value) {
  if (const auto* array = value.if_array()) return *array;
  throw Malformed{"expected an array, got " + json::serialize(value).substr(0, 80)};
}

// Reads the description with every index checked, so that nothing later has to.
class Reader {
 public:
  explicit Reader(const json::object& document)
      : resolve_(object_of(need(document, "resolve"))),
        packages_(array_of(need(resolve_, "packages")).size()),
        worlds_(array_of(need(resolve_, "worlds")).size()),
        interfaces_(array_of(need(resolve_, "interfaces")).size()),
        types_(array_of(need(resolve_, "types")).size()) {
    wit_.component = string_of(need(document, "kind")) == "component";
    wit_.main = index(need(document, "main"), packages_);
    if (const auto* world = find(document, "world")) wit_.world = index(*world, worlds_);
  }

  Wit read() {
    for (const auto& item : array_of(need(resolve_, "packages"))) wit_.packages.push_back(package(object_of(item)));
    for (const auto& item : array_of(need(resolve_, "types"))) wit_.types.push_back(type(object_of(item)));
    for (const auto& item : array_of(need(resolve_, "interfaces"))) {
      wit_.interfaces.push_back(interface(object_of(item)));
    }
    for (const auto& item : array_of(need(resolve_, "worlds"))) wit_.worlds.push_back(world(object_of(item)));
    return std::move(wit_);
  }

 private:
  static std::uint32_t index(const json::value& value, std::size_t bound) {
    std::error_code code;
    const auto number = value.to_number<std::uint32_t>(code);
    if (!value.is_number() || code || number >= bound) throw Malformed{"an index is out of range"};
    return number;
  }

  static Gate gate(const json::object& item) {
    Gate gate;
    const auto* stability = find(item, "stability");
    if (stability == nullptr || !stability->is_object()) return gate;
    const auto text = [](const json::object& object, std::string_view name) {
      const auto* value = find(object, name);
      return value == nullptr ? std::string() : string_of(*value);
    };
    for (const auto& [kind, value] : stability->get_object()) {
      const auto& details = object_of(value);
      if (kind == "unstable") gate.unstable = text(details, "feature");
      if (kind == "stable") gate.since = text(details, "since");
      gate.deprecated = text(details, "deprecated");
    }
    return gate;
  }

  [[nodiscard]] TypeRef ref(const json::value* value) const {
    if (value == nullptr || value->is_null()) return {};
    if (value->is_number()) return TypeRef::at(index(*value, types_));
    const std::string name = string_of(*value);
    if (const auto primitive = find_primitive(name)) return TypeRef::of(*primitive);
    throw Malformed{"there is no type " + name};
  }

  [[nodiscard]] std::vector<Member> members(const json::value& list) const {
    std::vector<Member> members;
    members.reserve(array_of(list).size());
    for (const auto& value : array_of(list)) {
      const auto& item = object_of(value);
      const auto* name = find(item, "name");
      members.push_back({name == nullptr ? std::string() : string_of(*name), ref(find(item, "type"))});
    }
    return members;
  }

  // {"record":{"fields":[…]}}, {"list":3}, {"handle":{"own":4}}, "resource"
  void kind_of(const json::value& kind, Type& type) const {
    if (kind.is_string()) {
      if (kind.get_string() != "resource") throw Malformed{"there is no kind of type " + string_of(kind)};
      type.kind = TypeKind::kResource;
      return;
    }
    const auto& entry = *object_of(kind).begin();
    const std::string_view name = entry.key();
    const json::value& what = entry.value();
    const auto list = [&](TypeKind chosen, std::string_view key) {
      type.kind = chosen;
      type.members = members(need(object_of(what), key));
    };
    const auto holding = [&](TypeKind chosen, std::initializer_list<const json::value*> refs) {
      type.kind = chosen;
      for (const auto* inner : refs) type.members.push_back({{}, ref(inner)});
    };
    if (name == "record") return list(TypeKind::kRecord, "fields");
    if (name == "variant") return list(TypeKind::kVariant, "cases");
    if (name == "enum") return list(TypeKind::kEnum, "cases");
    if (name == "flags") return list(TypeKind::kFlags, "flags");
    if (name == "list") return holding(TypeKind::kList, {&what});
    if (name == "option") return holding(TypeKind::kOption, {&what});
    if (name == "future") return holding(TypeKind::kFuture, {&what});
    if (name == "stream") return holding(TypeKind::kStream, {&what});
    if (name == "type") return holding(TypeKind::kAlias, {&what});
    if (name == "result") {
      return holding(TypeKind::kResult, {find(object_of(what), "ok"), find(object_of(what), "err")});
    }
    if (name == "tuple") {
      type.kind = TypeKind::kTuple;
      for (const auto& inner : array_of(need(object_of(what), "types"))) type.members.push_back({{}, ref(&inner)});
      return;
    }
    if (name == "handle") {
      const auto& handle = *object_of(what).begin();
      return holding(handle.key() == "own" ? TypeKind::kOwn : TypeKind::kBorrow, {&handle.value()});
    }
    const bool map = name == "map";
    if (!map && name != "fixed-length-list") throw Malformed{"there is no kind of type " + std::string(name)};
    const auto& pair = array_of(what);
    if (pair.size() != 2) throw Malformed{"a pair is expected"};
    if (map) return holding(TypeKind::kMap, {pair.data(), pair.data() + 1});
    holding(TypeKind::kFixedList, {pair.data()});
    type.length = index(pair[1], UINT32_MAX);
  }

  [[nodiscard]] Type type(const json::object& item) const {
    Type type;
    if (const auto* name = find(item, "name")) type.name = string_of(*name);
    kind_of(need(item, "kind"), type);
    for (const auto& member : type.members) {
      // Whoever walks types relies on it: every walk ends.
      if (const auto inner = member.type.index(); inner && *inner >= wit_.types.size()) {
        throw Malformed{"a type refers to a later one"};
      }
    }
    if (const auto* owner = find(item, "owner")) {
      if (const auto* in = find(object_of(*owner), "interface")) type.interface = index(*in, interfaces_);
      if (const auto* in = find(object_of(*owner), "world")) type.world = index(*in, worlds_);
    }
    type.gate = gate(item);
    return type;
  }

  [[nodiscard]] Function function(const json::object& item) const {
    Function function;
    function.name = string_of(need(item, "name"));
    const auto& kind = need(item, "kind");
    std::string_view name;
    if (kind.is_string()) {
      name = kind.get_string();
    } else {
      const auto& entry = *object_of(kind).begin();
      name = entry.key();
      function.resource = index(entry.value(), types_);
    }
    function.async = name.starts_with("async-");
    if (function.async) name.remove_prefix(6);
    function.kind = name == "method"        ? FunctionKind::kMethod
                    : name == "static"      ? FunctionKind::kStatic
                    : name == "constructor" ? FunctionKind::kConstructor
                                            : FunctionKind::kFreestanding;
    // "[method]request.headers", "[constructor]fields"
    if (function.kind == FunctionKind::kConstructor) {
      function.name = "constructor";
    } else if (function.resource) {
      function.name = function.name.substr(function.name.find('.') + 1);
    }
    function.params = members(need(item, "params"));
    function.result = ref(find(item, "result"));
    function.gate = gate(item);
    return function;
  }

  [[nodiscard]] Interface interface(const json::object& item) const {
    Interface interface;
    if (const auto* name = find(item, "name")) interface.name = string_of(*name);
    if (const auto* package = find(item, "package")) interface.package = index(*package, packages_);
    for (const auto& [name, at] : object_of(need(item, "types"))) {
      interface.types.emplace_back(std::string(name), index(at, types_));
    }
    for (const auto& [name, value] : object_of(need(item, "functions"))) {
      interface.functions.push_back(function(object_of(value)));
    }
    interface.gate = gate(item);
    return interface;
  }

  [[nodiscard]] std::vector<WorldItem> items(const json::value& list) const {
    std::vector<WorldItem> items;
    for (const auto& [key, value] : object_of(list)) {
      const auto& what = object_of(value);
      auto& item = items.emplace_back();
      item.name = std::string(key);
      if (const auto* of = find(what, "interface")) {
        item.interface = index(need(object_of(*of), "id"), interfaces_);
        if (!wit_.interfaces[*item.interface].name.empty() &&
            item.name == fmt::format("interface-{}", *item.interface)) {
          item.name.clear();
        }
        item.gate = gate(object_of(*of));
      } else if (const auto* type = find(what, "type")) {
        item.type = index(*type, types_);
        item.gate = wit_.types[*item.type].gate;
      } else {
        item.function = function(object_of(need(what, "function")));
        item.gate = item.function->gate;
      }
    }
    return items;
  }

  [[nodiscard]] World world(const json::object& item) const {
    World world;
    world.name = string_of(need(item, "name"));
    if (const auto* package = find(item, "package")) world.package = index(*package, packages_);
    world.imports = items(need(item, "imports"));
    world.exports = items(need(item, "exports"));
    world.gate = gate(item);
    return world;
  }

  [[nodiscard]] Package package(const json::object& item) const {
    Package package;
    package.name = string_of(need(item, "name"));
    if (const auto at = package.name.find('@'); at != std::string::npos) {
      package.version = package.name.substr(at + 1);
      package.name.resize(at);
    }
    for (const auto& [name, at] : object_of(need(item, "interfaces"))) {
      package.interfaces.push_back(index(at, interfaces_));
    }
    for (const auto& [name, at] : object_of(need(item, "worlds"))) package.worlds.push_back(index(at, worlds_));
    return package;
  }

  const json::object& resolve_;
  std::size_t packages_;
  std::size_t worlds_;
  std::size_t interfaces_;
  std::size_t types_;
  Wit wit_;
};

}  // namespace

Result<Wit> read_wit(std::string_view document) {
  json::monotonic_resource arena;
  HS_TRY(const json::value value, parse_json(document, &arena));
  try {
    return Reader(object_of(value)).read();
  } catch (const Malformed& problem) {
    return fail(ErrorKind::kInternal, "the description of the interfaces cannot be read: " + problem.what);
  }
}

std::string id_of(const Package& package) {
  return package.version.empty() ? package.name : package.name + '@' + package.version;
}

std::string path_of(const Wit& wit, const Interface& interface) {
  if (interface.name.empty()) return {};
  return interface.package ? wit.packages[*interface.package].name + '/' + interface.name : interface.name;
}

std::string path_of(const Wit& wit, const World& world) {
  return world.package ? wit.packages[*world.package].name + '/' + world.name : world.name;
}

Result<std::uint32_t> find_world(const Wit& wit, std::string_view name) {
  const auto& own = wit.main_package().worlds;
  if (wit.world) return *wit.world;
  if (name.empty() && own.size() == 1) return own.front();
  std::string known;
  for (std::uint32_t i = 0; i < wit.worlds.size(); ++i) {
    const std::string path = path_of(wit, wit.worlds[i]);
    const bool of_main = wit.worlds[i].package == wit.main;
    if (!name.empty() && (name == path || (of_main && name == wit.worlds[i].name))) return i;
    if (of_main || !name.empty()) known += (known.empty() ? "" : ", ") + path;
  }
  if (known.empty()) known = "none";
  if (name.empty()) {
    return fail(ErrorKind::kNotFound, fmt::format("name a world; {} has {}", id_of(wit.main_package()), known));
  }
  return fail(ErrorKind::kNotFound, fmt::format("there is no world \"{}\"; known are {}", name, known));
}

TypeRef behind_aliases(const Wit& wit, TypeRef type) {
  for (auto index = type.index(); index && wit.types[*index].kind == TypeKind::kAlias; index = type.index()) {
    type = wit.types[*index].members[0].type;
  }
  return type;
}

}  // namespace hotswap::compat
