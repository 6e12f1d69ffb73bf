#include "scaling/scaling.h"

#include <fmt/format.h>

#include <utility>

namespace hotswap::scaling {
namespace {

// Since when a condition holds without a pause.
std::optional<TimePoint> since(bool holds, const std::optional<TimePoint>& before, TimePoint now) {
  if (!holds) return std::nullopt;
  return before.value_or(now);
}

bool held(const std::optional<TimePoint>& since, std::chrono::milliseconds time, TimePoint now) {
  return since && now - *since >= time;
}

std::string seconds(std::chrono::milliseconds time) {
  return fmt::format("{:g} s", std::chrono::duration<double>(time).count());
}

// What each of the others would have if one node less shared the load.
double without_one(double mean, int nodes) { return mean * nodes / (nodes - 1); }

bool others_can_take_it(const Triggers& triggers, const Figures& figures) {
  if (figures.nodes < 2) return false;
  return without_one(figures.cpu.value_or(0), figures.nodes) <= triggers.busy_percent &&
         without_one(figures.modules.value_or(0), figures.nodes) <= triggers.many_modules;
}

ScalingEvent decision(ScalingTrigger trigger, const Figures& figures, double value, double threshold,
                      std::string reason, TimePoint now) {
  const bool up = trigger != ScalingTrigger::cpuLow;
  return {.sequence = 0,
          .region = {},
          .direction = up ? ScalingDirection::up : ScalingDirection::down,
          .trigger = trigger,
          .fromNodes = figures.nodes,
          .toNodes = figures.nodes + (up ? 1 : -1),
          .value = value,
          .threshold = threshold,
          .reason = std::move(reason),
          .at = now};
}

std::optional<ScalingEvent> decide(const Triggers& triggers, const Bounds& bounds, const Figures& figures,
                                   const Memory& memory, TimePoint now) {
  if (figures.nodes == 0 || (memory.decided_at && now - *memory.decided_at < triggers.cooldown)) return std::nullopt;
  if (figures.nodes < bounds.maximum) {
    if (held(memory.busy_since, triggers.busy_for, now)) {
      return decision(ScalingTrigger::cpuHigh, figures, *figures.cpu, triggers.busy_percent,
                      fmt::format("CPU above {:g}% for {}, now {:.1f}%", triggers.busy_percent,
                                  seconds(triggers.busy_for), *figures.cpu),
                      now);
    }
    if (figures.modules.value_or(0) > triggers.many_modules) {
      return decision(ScalingTrigger::moduleCount, figures, *figures.modules, triggers.many_modules,
                      fmt::format("{:.0f} modules on a node, more than {:g}", *figures.modules, triggers.many_modules),
                      now);
    }
  }
  if (figures.nodes > bounds.minimum && held(memory.idle_since, triggers.idle_for, now) &&
      others_can_take_it(triggers, figures)) {
    return decision(ScalingTrigger::cpuLow, figures, *figures.cpu, triggers.idle_percent,
                    fmt::format("CPU below {:g}% for {}, now {:.1f}%", triggers.idle_percent,
                                seconds(triggers.idle_for), *figures.cpu),
                    now);
  }
  return std::nullopt;
}

}  // namespace

Look look(const Triggers& triggers, const Bounds& bounds, const Figures& figures, Memory memory, TimePoint now) {
  // A clock that was set back, or a time in which nobody looked: nothing is known about the time between.
  const bool watched = memory.looked_at && now >= *memory.looked_at && now - *memory.looked_at <= limits::kScalingGap;
  if (!watched) memory.busy_since = memory.idle_since = std::nullopt;
  if (memory.decided_at && *memory.decided_at > now) memory.decided_at = now;
  memory.looked_at = now;
  memory.busy_since = since(figures.cpu && *figures.cpu > triggers.busy_percent, memory.busy_since, now);
  memory.idle_since = since(figures.cpu && *figures.cpu < triggers.idle_percent, memory.idle_since, now);
  auto decision = decide(triggers, bounds, figures, memory, now);
  if (decision) {
    memory.busy_since = memory.idle_since = std::nullopt;
    memory.decided_at = now;
  }
  return {memory, std::move(decision)};
}

}  // namespace hotswap::scaling
