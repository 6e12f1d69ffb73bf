// Strong string ids: a ModuleId is never passed where a DeploymentId is meant.
#pragma once

#include <compare>
#include <functional>
#include <mutex>
#include <random>
#include <string>
#include <utility>

namespace hotswap {

template <class Tag>
class Id {
 public:
  Id() = default;
  explicit Id(std::string value) : value_(std::move(value)) {}
  [[nodiscard]] const std::string& str() const noexcept { return value_; }
  [[nodiscard]] bool empty() const noexcept { return value_.empty(); }
  auto operator<=>(const Id&) const = default;

 private:
  std::string value_;
};

using TenantId = Id<struct TenantTag>;
using ModuleId = Id<struct ModuleTag>;
using DeploymentId = Id<struct DeploymentTag>;
using NodeId = Id<struct NodeTag>;
using Region = Id<struct RegionTag>;

// Randomness as a constructor argument. Thread-safe.
class Random {
 public:
  virtual ~Random() = default;
  [[nodiscard]] virtual std::uint64_t next() = 0;
};

// Seeded by the operating system; cryptographically secure.
class SystemRandom final : public Random {
 public:
  [[nodiscard]] std::uint64_t next() override;
};

// The same seed gives the same numbers, for tests.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  [[nodiscard]] std::uint64_t next() override {
    const std::lock_guard lock(mutex_);
    return engine_();
  }

 private:
  std::mutex mutex_;
  std::mt19937_64 engine_;
};

// A random UUID (RFC 9562 version 4), lower case.
[[nodiscard]] std::string new_uuid(Random& random);

}  // namespace hotswap

template <class Tag>
struct std::hash<hotswap::Id<Tag>> {
  std::size_t operator()(const hotswap::Id<Tag>& id) const noexcept { return std::hash<std::string>{}(id.str()); }
};
