// A value that many places hold and none changes: a copy costs a reference. Compares, and is JSON, as the value.
// Copies may be used by any threads at the same time.
#pragma once

#include <memory>
#include <utility>

#include "base/json.h"

namespace hotswap {

template <class T>
class Shared {
 public:
  Shared() : Shared(T()) {}
  Shared(T value) : value_(std::make_shared<const T>(std::move(value))) {}  // NOLINT(google-explicit-constructor)
  [[nodiscard]] const T& operator*() const noexcept { return *value_; }
  [[nodiscard]] const T* operator->() const noexcept { return value_.get(); }
  friend bool operator==(const Shared& a, const Shared& b) { return a.value_ == b.value_ || *a == *b; }

 private:
  std::shared_ptr<const T> value_;
};

template <class T>
struct JsonCodec<Shared<T>> {
  static void read(const json::value& value, Shared<T>& out, JsonReader& reader) {
    T made{};
    read_json(value, made, reader);
    out = Shared<T>(std::move(made));
  }
  static json::value write(const Shared<T>& value) { return to_json(*value); }
};

}  // namespace hotswap
