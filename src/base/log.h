// Logs are events with fields: one JSON object a line (timestamp, level, message, traceId, …) on standard error.
// `message` is a constant event name in plain words; what varies is a field.
#pragma once

#include <boost/json/value.hpp>
#include <initializer_list>
#include <string_view>
#include <utility>

namespace hotswap::log {

enum class Level : std::uint8_t { Debug, Info, Warning, Error };

using Field = std::pair<std::string_view, boost::json::value>;
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
