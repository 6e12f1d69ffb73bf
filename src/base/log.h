// Logs are events with fields: one JSON object a line (timestamp, level, message, traceId, …) on standard error.
// `message` is a constant event name in plain words; what varies is a field.
#pragma once

#include <boost/json/value.hpp>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace hotswap::log {

enum class Level : std::uint8_t { Debug, Info, Warning, Error };

struct Field {
  Field(std::string_view field_name, boost::json::value field_value)
      : name(field_name), value(std::move(field_value)) {}
  Field(std::string_view field_name, std::string_view text) : name(field_name), value(boost::json::string(text)) {}
  Field(std::string_view field_name, const std::string& text) : Field(field_name, std::string_view(text)) {}
  Field(std::string_view field_name, const char* text) : Field(field_name, std::string_view(text)) {}
  std::string_view name;
  boost::json::value value;
};
using Fields = std::initializer_list<Field>;

// Thread-safe. Nothing is evaluated or written below the level set by set_level (default Info).
void set_level(Level level) noexcept;
[[nodiscard]] bool enabled(Level level) noexcept;
void event(Level level, std::string_view message, std::string_view trace_id, Fields fields = {});

inline void debug(std::string_view message, std::string_view trace_id, Fields fields = {}) {
  event(Level::Debug, message, trace_id, fields);
}
inline void info(std::string_view message, std::string_view trace_id, Fields fields = {}) {
  event(Level::Info, message, trace_id, fields);
}
inline void warning(std::string_view message, std::string_view trace_id, Fields fields = {}) {
  event(Level::Warning, message, trace_id, fields);
}
inline void error(std::string_view message, std::string_view trace_id, Fields fields = {}) {
  event(Level::Error, message, trace_id, fields);
}

}  // namespace hotswap::log
