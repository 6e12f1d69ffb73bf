#include "node/shadow_answer.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"
#include "base/limits.h"
#include "model/text_rules.h"

namespace hotswap::node {
namespace {

constexpr std::string_view kAbsent = "nothing";

// RFC 6901, section 3.
void append_token(std::string& pointer, std::string_view name) {
  pointer += '/';
  for (const char c : name) {
    if (c == '~') {
      pointer += "~0";
    } else if (c == '/') {
      pointer += "~1";
    } else {
      pointer += c;
    }
  }
}

bool same_number(const json::value& one, const json::value& other) {
  if (one.is_double() || other.is_double()) return one.to_number<double>() == other.to_number<double>();
  return one == other;
}

// Finds the first difference of two values that `ignored` does not cover.
class Walk {
 public:
  explicit Walk(std::span<const std::string> ignored) : ignored_(ignored) {}

  bool same(const json::value* live, const json::value* shadow) {
    if (std::ranges::find(ignored_, pointer_) != ignored_.end()) return true;
    if (live != nullptr && shadow != nullptr) {
      if (live->is_object() && shadow->is_object()) return same_members(live->get_object(), shadow->get_object());
      if (live->is_array() && shadow->is_array()) return same_elements(live->get_array(), shadow->get_array());
      if (live->is_number() && shadow->is_number() ? same_number(*live, *shadow) : *live == *shadow) return true;
    }
    found_ = {pointer_, live == nullptr ? std::string(kAbsent) : json::serialize(*live),
              shadow == nullptr ? std::string(kAbsent) : json::serialize(*shadow)};
    return false;
  }
  // After same() said no; `what` is the place.
  [[nodiscard]] Difference take() { return std::move(found_); }

 private:
  bool same_at(std::string_view token, const json::value* live, const json::value* shadow) {
    const std::size_t size = pointer_.size();
    append_token(pointer_, token);
    const bool is_same = same(live, shadow);
    pointer_.resize(size);
    return is_same;
  }
  bool same_members(const json::object& live, const json::object& shadow) {
    for (const auto& [name, value] : live) {
      if (!same_at(name, &value, shadow.if_contains(name))) return false;
    }
    return std::ranges::all_of(shadow, [&](const auto& member) {
      return live.contains(member.key()) || same_at(member.key(), nullptr, &member.value());
    });
  }
  bool same_elements(const json::array& live, const json::array& shadow) {
    for (std::size_t i = 0; i < std::max(live.size(), shadow.size()); ++i) {
      if (!same_at(std::to_string(i), live.if_contains(i), shadow.if_contains(i))) return false;
    }
    return true;
  }

  std::span<const std::string> ignored_;
  std::string pointer_;
  Difference found_;
};

std::string failure_text(const Answer& answer) {
  if (!answer.failure) return "success";
  return answer.message.empty() ? std::string(enum_name(*answer.failure))
                                : fmt::format("{}: {}", enum_name(*answer.failure), answer.message);
}

std::string milliseconds_text(const Answer& answer) {
  return fmt::format("{:.4g} ms", std::chrono::duration<double, std::milli>(answer.wall).count());
}

std::optional<Difference> content_difference(const Answer& live, const Answer& shadow,
                                             std::span<const std::string> ignored) {
  if (live.content.same(shadow.content)) return std::nullopt;
  const std::string place = live.status ? "body" : "returnValue";
  if (live.content.text() != nullptr && shadow.content.text() != nullptr) {
    const auto was = parse_json(*live.content.text());
    const auto is = was ? parse_json(*shadow.content.text()) : std::unexpected(was.error());
    if (is) {
      Walk walk(ignored);
      if (walk.same(&*was, &*is)) return std::nullopt;
      Difference found = walk.take();
      found.what = found.what.empty() ? place : fmt::format("{} at {}", place, found.what);
      return found;
    }
  }
  return Difference{place, live.content.shown(), shadow.content.shown()};
}

}  // namespace

void Content::append(std::string_view bytes) {
  size_ += bytes.size();
  if (!hash_) {
    if (size_ <= limits::kShadowBodyBytes) {
      text_ += bytes;
      return;
    }
    hash_.emplace();
    hash_->update(text_);
    text_ = {};
  }
  hash_->update(bytes);
}

void Content::end() {
  if (hash_ && digest_.empty()) digest_ = hash_->finish();
}

std::string Content::shown() const {
  if (!hash_ && text_.size() <= limits::kShadowExampleBytes && is_plain_text(text_)) return json::serialize(text_);
  return fmt::format("{} bytes, SHA-256 {}", size_, (hash_ ? digest_ : Sha256::of(text_)).hex());
}

std::optional<Difference> difference(const Answer& live, const Answer& shadow, std::span<const std::string> ignored) {
  if (shadow.refusal) return Difference{"answer", failure_text(live), "refused: " + *shadow.refusal};
  if (shadow.late) {
    return Difference{"latency", milliseconds_text(live), "no answer after " + milliseconds_text(shadow)};
  }
  if (live.failure != shadow.failure) return Difference{"errorType", failure_text(live), failure_text(shadow)};
  if (live.failure) return std::nullopt;
  if (live.status != shadow.status) {
    return Difference{"status", std::to_string(live.status.value_or(0)), std::to_string(shadow.status.value_or(0))};
  }
  return content_difference(live, shadow, ignored);
}

}  // namespace hotswap::node
