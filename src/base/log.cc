#include "base/log.h"

#include <boost/describe.hpp>
#include <boost/json/serialize.hpp>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "base/clock.h"

namespace hotswap::log {
BOOST_DESCRIBE_ENUM(Level, Debug, Info, Warning, Error)

namespace {

constexpr spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::Debug:
      return spdlog::level::debug;
    case Level::Info:
      return spdlog::level::info;
    case Level::Warning:
      return spdlog::level::warn;
    case Level::Error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

spdlog::logger& sink() {
  static const std::shared_ptr<spdlog::logger> logger = [] {
    auto made = spdlog::stderr_logger_mt("events");
    made->set_pattern("%v");
    made->flush_on(spdlog::level::warn);
    return made;
  }();
  return *logger;
}

}  // namespace

void set_level(Level level) noexcept { sink().set_level(to_spdlog(level)); }
bool enabled(Level level) noexcept { return sink().should_log(to_spdlog(level)); }

void event(Level level, std::string_view message, std::string_view trace_id, Fields fields) {
  if (!enabled(level)) return;
  boost::json::object line;
  line["timestamp"] = to_rfc3339(SystemClock{}.now());
  line["level"] = boost::describe::enum_to_string(level, "");
  line["message"] = message;
  if (!trace_id.empty()) line["traceId"] = trace_id;
  for (const auto& [name, value] : fields) line[name] = value;
  sink().log(to_spdlog(level), boost::json::serialize(line));
}

}  // namespace hotswap::log
