// Answers to a live request and to its copy, and how they differ. Values; nothing here waits.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "model/invocation.h"

namespace hotswap::node {

// What an answer says: its bytes up to limits::kShadowBodyBytes, and only their digest and number beyond.
class Content {
 public:
  Content() = default;
  explicit Content(std::string_view bytes) { append(bytes); }
  void append(std::string_view bytes);
  // Nothing may be appended afterwards.
  void end();
  // nullptr where there were too many bytes.
  [[nodiscard]] const std::string* text() const noexcept { return hash_ ? nullptr : &text_; }
  [[nodiscard]] std::string shown() const;
  [[nodiscard]] bool same(const Content& other) const { return text_ == other.text_ && digest_ == other.digest_; }

 private:
  std::string text_;
  std::optional<Sha256> hash_;
  Digest digest_;
  std::size_t size_ = 0;
};

struct Answer {
  std::optional<unsigned> status{};       // absent for a function
  std::optional<GuestFailure> failure{};  // then the content says nothing that is compared
  std::string message{};                  // why it failed
  std::optional<std::string> refusal{};   // why the version would not even begin
  bool late = false;                      // it was not waited for any longer
  Content content{};
  std::chrono::nanoseconds wall{0};
};

// Texts are not shortened.
struct Difference {
  std::string what;  // as ShadowExample::differs
  std::string live;
  std::string shadow;
  bool operator==(const Difference&) const = default;
};

// nullopt where the answers say the same: status, failure, and the content, byte by byte or, where both are JSON, value
// by value but for what `ignored` points to. Members may stand in any order, and 1 is 1.0. How long they took and what
// the header says is not compared.
[[nodiscard]] std::optional<Difference> difference(const Answer& live, const Answer& shadow,
                                                   std::span<const std::string> ignored);

}  // namespace hotswap::node
