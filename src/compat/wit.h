// Resolved WIT as values: packages with their interfaces, worlds and types. The bridge resolves names and parses; here
// everything refers to everything else by index.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace hotswap::compat {

enum class Primitive : std::uint8_t {
  kBool,
  kU8,
  kU16,
  kU32,
  kU64,
  kS8,
  kS16,
  kS32,
  kS64,
  kF32,
  kF64,
  kChar,
  kString,
  kErrorContext,
};
[[nodiscard]] std::string_view primitive_name(Primitive primitive) noexcept;
[[nodiscard]] std::optional<Primitive> find_primitive(std::string_view name) noexcept;

// The use of a type: a primitive one, one of Wit::types, or none (the empty side of `result<_, string>`).
class TypeRef {
 public:
  constexpr TypeRef() = default;
  [[nodiscard]] static constexpr TypeRef of(Primitive primitive) {
    return TypeRef(static_cast<std::uint32_t>(primitive));
  }
  [[nodiscard]] static constexpr TypeRef at(std::uint32_t index) { return TypeRef(index + kPrimitives); }
  [[nodiscard]] constexpr bool none() const { return value_ == kNone; }
  [[nodiscard]] constexpr std::optional<std::uint32_t> index() const {
    if (none() || value_ < kPrimitives) return std::nullopt;
    return value_ - kPrimitives;
  }
  // Only where there is a type and it has no index.
  [[nodiscard]] constexpr Primitive primitive() const { return static_cast<Primitive>(value_); }
  constexpr bool operator==(const TypeRef&) const = default;

 private:
  static constexpr std::uint32_t kPrimitives = 16;
  static constexpr std::uint32_t kNone = UINT32_MAX;
  constexpr explicit TypeRef(std::uint32_t value) : value_(value) {}
  std::uint32_t value_ = kNone;
};

enum class TypeKind : std::uint8_t {
  kRecord,     // members: fields
  kVariant,    // members: cases, whose type may be none
  kEnum,       // members: cases
  kFlags,      // members: flags
  kTuple,      // members, without names
  kList,       // one member, as all below unless said otherwise
  kFixedList,  // of `length` elements
  kMap,        // two members: key, value
  kOption,
  kResult,  // two members: ok, error; either may be none
  kOwn,
  kBorrow,
  kFuture,    // its member may be none
  kStream,    // its member may be none
  kResource,  // no members
  kAlias,     // another name for its member
};
[[nodiscard]] std::string_view kind_name(TypeKind kind) noexcept;

// When an item may be used. Gates that are absent are empty.
struct Gate {
  std::string since;       // "0.2.0"
  std::string unstable;    // the feature that it waits for; whoever uses it knows that it may change
  std::string deprecated;  // since this version
  bool operator==(const Gate&) const = default;
};

struct Member {
  std::string name;  // a field, case or flag; else empty
  TypeRef type;
};

struct Type {
  std::string name;  // empty where it stands only where it is used: `list<u8>`
  TypeKind kind{};
  std::vector<Member> members;
  std::uint32_t length = 0;                // of kFixedList
  std::optional<std::uint32_t> interface;  // where it was named; neither for an anonymous one
  std::optional<std::uint32_t> world;
  Gate gate;
};

enum class FunctionKind : std::uint8_t { kFreestanding, kMethod, kStatic, kConstructor };

struct Function {
  std::string name;  // as it stands in WIT: of a method, without its resource; "constructor"
  FunctionKind kind{};
  bool async = false;
  std::optional<std::uint32_t> resource;  // index of its type; all kinds but kFreestanding
  std::vector<Member> params;             // a method's first one is `self`
  TypeRef result;
  Gate gate;
};

struct Interface {
  std::string name;  // empty where it is written inside a world
  std::optional<std::uint32_t> package;
  std::vector<std::pair<std::string, std::uint32_t>> types;
  std::vector<Function> functions;
  Gate gate;
};

// One import or export of a world; exactly one of the three last is there.
struct WorldItem {
  std::string name;  // empty for an interface that has a name of its own
  std::optional<std::uint32_t> interface;
  std::optional<std::uint32_t> type;
  std::optional<Function> function;
  Gate gate;
};

struct World {
  std::string name;
  std::optional<std::uint32_t> package;
  std::vector<WorldItem> imports;
  std::vector<WorldItem> exports;
  Gate gate;
};

struct Package {
  std::string name;     // "wasi:io"
  std::string version;  // "0.2.12"; empty where it has none
  std::vector<std::uint32_t> interfaces;
  std::vector<std::uint32_t> worlds;
};

// A main package with everything that it refers to, or a component.
struct Wit {
  bool component = false;
  std::uint32_t main = 0;              // index of the package that this is about
  std::optional<std::uint32_t> world;  // of a component: its imports and exports
  std::vector<Package> packages;
  std::vector<Interface> interfaces;
  std::vector<World> worlds;
  std::vector<Type> types;

  [[nodiscard]] const Package& main_package() const { return packages[main]; }
};

// Reads the document of eng_wit_parse and eng_wit_decode. kInternal for anything else: no caller hands in its own.
[[nodiscard]] Result<Wit> read_wit(std::string_view document);

// "wasi:io@0.2.12"
[[nodiscard]] std::string id_of(const Package& package);
// "wasi:io/streams", without the version; "" for one inside a world.
[[nodiscard]] std::string path_of(const Wit& wit, const Interface& interface);
[[nodiscard]] std::string path_of(const Wit& wit, const World& world);
// An index into Wit::worlds: of the main package, or with "ns:pkg/world", of any. Without a name, the only one of the
// main package. kNotFound, and lists what there is.
[[nodiscard]] Result<std::uint32_t> find_world(const Wit& wit, std::string_view name);

// The type behind all aliases.
[[nodiscard]] TypeRef behind_aliases(const Wit& wit, TypeRef type);

// ---- as WIT text, on one line ---------------------------------------------------------------------------------------

// As it stands where it is used: "list<request>", "borrow<fields>".
[[nodiscard]] std::string text_of(const Wit& wit, TypeRef type);
// "func(user: string) -> token", "static async func()", "constructor(size: u32)"
[[nodiscard]] std::string text_of(const Wit& wit, const Function& function);
// "record token { value: string }", "resource request", "type id = u64"
[[nodiscard]] std::string text_of(const Wit& wit, const Type& type);
// "@since(version = 0.2.0) @deprecated(version = 0.2.2)"; "" where there is none
[[nodiscard]] std::string text_of(const Gate& gate);

}  // namespace hotswap::compat
