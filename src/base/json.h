// JSON <-> described structs and enums. A struct is described once (BOOST_DESCRIBE_STRUCT) with members named as in the
// API (camelCase); an enum once (BOOST_DESCRIBE_ENUM) with enumerators spelled as in the API. Reading collects *all*
// failures with their paths; an unknown member is a failure that names it, unless the caller wants it ignored.
//
// A type may instead give `static Result<T> from_json_value(const json::value&)`-style customisation through a
// JsonCodec<T> specialisation.
#pragma once

#include <boost/describe.hpp>
#include <boost/json.hpp>
#include <boost/mp11.hpp>

#include <charconv>
#include <concepts>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/clock.h"
#include "base/id.h"
#include "base/result.h"

namespace hotswap {

namespace json = boost::json;

// ---- enums ------------------------------------------------------------------------------------------------------

template <class E>
concept DescribedEnum = std::is_enum_v<E> && boost::describe::has_describe_enumerators<E>::value;

// The enumerator's name; never fails for a value made from an enumerator.
template <DescribedEnum E>
[[nodiscard]] std::string_view enum_name(E value) noexcept {
  return boost::describe::enum_to_string(value, "");
}

template <DescribedEnum E>
[[nodiscard]] std::optional<E> enum_from_name(std::string_view name) noexcept {
  std::optional<E> found;
  boost::mp11::mp_for_each<boost::describe::describe_enumerators<E>>([&](auto d) {
    if (name == d.name) found = d.value;
  });
  return found;
}

// "Active, Deprecated, Disabled"
template <DescribedEnum E>
[[nodiscard]] std::string enum_names() {
  std::string names;
  boost::mp11::mp_for_each<boost::describe::describe_enumerators<E>>([&](auto d) {
    if (!names.empty()) names += ", ";
    names += d.name;
  });
  return names;
}

// ---- codecs -----------------------------------------------------------------------------------------------------

// What becomes of members that a struct does not have.
enum class UnknownMembers {
  refused,  // what people write: a misspelt member must not be lost in silence
  ignored,  // what parts of HotSwap tell each other: the other one may be of a later version
};

// Where a value stands and what was wrong so far.
class JsonReader {
 public:
  explicit JsonReader(std::vector<FieldError>& errors, UnknownMembers unknown = UnknownMembers::refused)
      : errors_(errors), unknown_(unknown) {}

  [[nodiscard]] UnknownMembers unknown() const noexcept { return unknown_; }

  void error(std::string message) { errors_.push_back({path_.empty() ? "$" : path_, std::move(message)}); }

  template <class F>
  void member(std::string_view name, F&& read) {
    const auto size = path_.size();
    if (!path_.empty()) path_ += '.';
    path_ += name;
    std::forward<F>(read)();
    path_.resize(size);
  }

  template <class F>
  void element(std::size_t index, F&& read) {
    const auto size = path_.size();
    path_ += '[' + std::to_string(index) + ']';
    std::forward<F>(read)();
    path_.resize(size);
  }

 private:
  std::vector<FieldError>& errors_;
  UnknownMembers unknown_;
  std::string path_;
};

[[nodiscard]] std::string_view json_kind_name(const json::value& value) noexcept;

template <class T>
struct JsonCodec;

template <class T>
void read_json(const json::value& value, T& out, JsonReader& reader) {
  JsonCodec<T>::read(value, out, reader);
}

template <class T>
[[nodiscard]] json::value to_json(const T& value) {
  return JsonCodec<T>::write(value);
}

// Reads a whole document: every failure in one error.
template <class T>
[[nodiscard]] Result<T> from_json(const json::value& value, UnknownMembers unknown = UnknownMembers::refused) {
  T out{};
  std::vector<FieldError> errors;
  JsonReader reader(errors, unknown);
  read_json(value, out, reader);
  if (!errors.empty()) return fail_fields(std::move(errors));
  return out;
}

// The text of one member of a JSON object, cut out of the object's own text so that numbers keep every digit:
// json::value rounds. `object` is known to be an object in valid JSON. Of several members of that name, the last, as
// for parse_json; empty where there is none, or where its name is written with escapes.
[[nodiscard]] std::string_view raw_member(std::string_view object, std::string_view name);

// The value lives in `storage`, which must outlive it where it is an arena.
[[nodiscard]] Result<json::value> parse_json(std::string_view text, json::storage_ptr storage = {});

template <class T>
[[nodiscard]] Result<T> from_json_text(std::string_view text, UnknownMembers unknown = UnknownMembers::refused) {
  // The tree is gone with this call: its thousands of pieces are taken and given back together.
  json::monotonic_resource arena;
  HS_TRY(const json::value value, parse_json(text, &arena));
  return from_json<T>(value, unknown);
}

template <class T>
[[nodiscard]] std::string to_json_text(const T& value) {
  return json::serialize(to_json(value));
}

template <>
struct JsonCodec<json::value> {
  static void read(const json::value& value, json::value& out, JsonReader&) { out = value; }
  static json::value write(const json::value& value) { return value; }
};

template <>
struct JsonCodec<bool> {
  static void read(const json::value& value, bool& out, JsonReader& reader) {
    if (const bool* b = value.if_bool()) {
      out = *b;
    } else {
      reader.error("expected true or false, got " + std::string(json_kind_name(value)));
    }
  }
  static json::value write(bool value) { return value; }
};

template <class T>
  requires(std::integral<T> && !std::same_as<T, bool>)
struct JsonCodec<T> {
  static void read(const json::value& value, T& out, JsonReader& reader) {
    std::error_code code;
    const T number = value.to_number<T>(code);
    if (!value.is_number()) {
      reader.error("expected an integer, got " + std::string(json_kind_name(value)));
    } else if (code) {
      reader.error("expected an integer from " + std::to_string(std::numeric_limits<T>::min()) + " to " +
                   std::to_string(std::numeric_limits<T>::max()) + ", got " + json::serialize(value));
    } else {
      out = number;
    }
  }
  static json::value write(T value) { return value; }
};

template <>
struct JsonCodec<double> {
  static void read(const json::value& value, double& out, JsonReader& reader) {
    if (value.is_number()) {
      out = value.to_number<double>();
    } else {
      reader.error("expected a number, got " + std::string(json_kind_name(value)));
    }
  }
  static json::value write(double value) { return value; }
};

template <>
struct JsonCodec<std::string> {
  static void read(const json::value& value, std::string& out, JsonReader& reader) {
    if (const auto* s = value.if_string()) {
      out.assign(s->data(), s->size());
    } else {
      reader.error("expected a string, got " + std::string(json_kind_name(value)));
    }
  }
  static json::value write(const std::string& value) { return json::string(value); }
};

template <class Tag>
struct JsonCodec<Id<Tag>> {
  static void read(const json::value& value, Id<Tag>& out, JsonReader& reader) {
    std::string text;
    read_json(value, text, reader);
    out = Id<Tag>(std::move(text));
  }
  static json::value write(const Id<Tag>& value) { return json::string(value.str()); }
};

template <>
struct JsonCodec<TimePoint> {
  static void read(const json::value& value, TimePoint& out, JsonReader& reader) {
    const auto* s = value.if_string();
    if (s == nullptr) return reader.error("expected a time, got " + std::string(json_kind_name(value)));
    if (auto time = parse_rfc3339(*s)) {
      out = *time;
    } else {
      reader.error(time.error().detail);
    }
  }
  static json::value write(TimePoint value) { return json::string(to_rfc3339(value)); }
};

template <DescribedEnum E>
struct JsonCodec<E> {
  static void read(const json::value& value, E& out, JsonReader& reader) {
    if (const auto* s = value.if_string()) {
      if (const auto found = enum_from_name<E>(*s)) {
        out = *found;
        return;
      }
      return reader.error("expected one of " + enum_names<E>() + ", got \"" + std::string(*s) + "\"");
    }
    reader.error("expected one of " + enum_names<E>() + ", got " + std::string(json_kind_name(value)));
  }
  static json::value write(E value) { return json::string(enum_name(value)); }
};

template <class T>
struct JsonCodec<std::optional<T>> {
  static void read(const json::value& value, std::optional<T>& out, JsonReader& reader) {
    if (value.is_null()) {
      out.reset();
    } else {
      read_json(value, out.emplace(), reader);
    }
  }
  static json::value write(const std::optional<T>& value) { return value ? to_json(*value) : json::value(nullptr); }
};

template <class T>
struct JsonCodec<std::vector<T>> {
  static void read(const json::value& value, std::vector<T>& out, JsonReader& reader) {
    const auto* array = value.if_array();
    if (array == nullptr) return reader.error("expected an array, got " + std::string(json_kind_name(value)));
    out.clear();
    out.reserve(array->size());
    for (std::size_t i = 0; i < array->size(); ++i) {
      reader.element(i, [&] { read_json((*array)[i], out.emplace_back(), reader); });
    }
  }
  static json::value write(const std::vector<T>& value) {
    json::array array;
    array.reserve(value.size());
    for (const auto& element : value) array.push_back(to_json(element));
    return array;
  }
};

template <class T>
struct JsonCodec<std::map<std::string, T>> {
  static void read(const json::value& value, std::map<std::string, T>& out, JsonReader& reader) {
    const auto* object = value.if_object();
    if (object == nullptr) return reader.error("expected an object, got " + std::string(json_kind_name(value)));
    out.clear();
    for (const auto& [name, element] : *object) {
      reader.member(name, [&] { read_json(element, out[std::string(name)], reader); });
    }
  }
  static json::value write(const std::map<std::string, T>& value) {
    json::object object;
    for (const auto& [name, element] : value) object.emplace(name, to_json(element));
    return object;
  }
};

template <class T>
concept DescribedStruct = std::is_class_v<T> && boost::describe::has_describe_members<T>::value;

template <class T>
using MembersOf = boost::describe::describe_members<T, boost::describe::mod_public | boost::describe::mod_inherited>;

// A struct may state `static constexpr std::array kRequired{"name", …}`: members that must be present. All others keep
// their default where they are absent.
template <class T>
concept HasRequired = requires { T::kRequired; };

template <DescribedStruct T>
struct JsonCodec<T> {
  static void read(const json::value& value, T& out, JsonReader& reader) {
    const auto* object = value.if_object();
    if (object == nullptr) return reader.error("expected an object, got " + std::string(json_kind_name(value)));
    for (const auto& [name, element] : *object) {
      bool known = false;
      boost::mp11::mp_for_each<MembersOf<T>>([&](auto d) {
        if (std::string_view(name) != d.name) return;
        known = true;
        reader.member(name, [&] { read_json(element, out.*d.pointer, reader); });
      });
      if (known || reader.unknown() == UnknownMembers::ignored) continue;
      reader.member(name, [&] { reader.error("unknown field; known fields are " + member_names()); });
    }
    if constexpr (HasRequired<T>) {
      for (const std::string_view name : T::kRequired) {
        if (!object->contains(name)) reader.member(name, [&] { reader.error("is required"); });
      }
    }
  }

  static json::value write(const T& value) {
    json::object object;
    boost::mp11::mp_for_each<MembersOf<T>>([&](auto d) { object.emplace(d.name, to_json(value.*d.pointer)); });
    return object;
  }

 private:
  static std::string member_names() {
    std::string names;
    boost::mp11::mp_for_each<MembersOf<T>>([&](auto d) {
      if (!names.empty()) names += ", ";
      names += d.name;
    });
    return names;
  }
};

}  // namespace hotswap
