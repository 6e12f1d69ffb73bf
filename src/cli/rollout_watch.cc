#include "cli/rollout_watch.h"

#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

#include <ostream>

#include "base/limits.h"
#include "cli/event_stream.h"
#include "cli/rollout_screen.h"
#include "cli/table.h"

namespace hotswap::cli {
namespace {

constexpr std::size_t kShortestPrefix = 4;
constexpr std::size_t kWholeId = 36;      // a UUID
constexpr int kFruitlessConnections = 5;  // in a row, without one event, before watching gives up
constexpr std::chrono::milliseconds kReconnectPause{500};

const json::array& elements(const json::value& value, std::string_view name) {
  static const json::array kNone;
  const auto& found = member(value, name);
  return found.is_array() ? found.get_array() : kNone;
}

// {"path": "add", "was": "func()", "is": "", …} → "add: was func(), is gone (a-v1.0.0 in eu)"
std::string caller_break(const json::value& broken) {
  const auto read = from_json<CallerBreak>(broken);
  return read ? hotswap::text_of(*read) : text_of(broken);
}

bool has_ended(const json::value& document) {
  const auto status = enum_from_name<DeploymentStatus>(text_of(document, "status"));
  return status && finished(*status);
}

std::int64_t sequence_of(const json::value& event) { return static_cast<std::int64_t>(number_of(event, "sequence")); }

// [{"moduleId": "a-v1.0.0", "weight": 100}] → "a-v1.0.0=100%"
std::string weights_text(const json::value& weighted) {
  std::string text;
  const auto* versions = weighted.if_array();
  if (versions == nullptr) return text;
  for (const auto& version : *versions) {
    text +=
        fmt::format("{}{}={}%", text.empty() ? "" : "+", text_of(version, "moduleId"), number_of(version, "weight"));
  }
  return text;
}

// → "eu:a-v1.0.0=100%", and for a part of the nodes "eu:a-v1.0.0=100%(on n1,n2 b-v1.0.0=100%)"
std::string routes_text(const json::value& routes) {
  std::string text;
  if (!routes.is_array()) return text;
  for (const auto& route : routes.get_array()) {
    text += fmt::format("{}{}:{}", text.empty() ? "" : " ", text_of(route, "region"),
                        weights_text(member(route, "versions")));
    const auto* parts = member(route, "onNodes").if_array();
    if (parts == nullptr) continue;
    for (const auto& part : *parts) {
      text += fmt::format("(on {} {})", joined(member(part, "nodes"), ","), weights_text(member(part, "versions")));
    }
  }
  return text;
}

// [{"metric": "errorRate", "outcome": "success", "reason": "…"}] → "errorRate success (…)"
std::string metrics_text(const json::value& metrics) {
  std::string text;
  if (!metrics.is_array()) return text;
  for (const auto& metric : metrics.get_array()) {
    text += fmt::format("{}{} {} ({})", text.empty() ? "" : " ", text_of(metric, "metric"), text_of(metric, "outcome"),
                        text_of(metric, "reason"));
  }
  return text;
}

// [{"subject": "acme:shop/api@1.0.0", "message": "…"}] → "acme:shop/api@1.0.0 (…)"
std::string warnings_text(const json::value& warnings) {
  std::string text;
  if (!warnings.is_array()) return text;
  for (const auto& warning : warnings.get_array()) {
    text +=
        fmt::format("{}{} ({})", text.empty() ? "" : ", ", text_of(warning, "subject"), text_of(warning, "message"));
  }
  return text;
}

// {"step": 1, "nodes": ["a"], "regions": []} → "step=1 nodes=a"
std::string detail_text(const json::value& detail) {
  std::string text;
  const auto* object = detail.if_object();
  if (object == nullptr) return text_of(detail);
  for (const auto& [key, value] : *object) {
    const std::string shown = key == "routes"     ? routes_text(value)
                              : key == "metrics"  ? metrics_text(value)
                              : key == "warnings" ? warnings_text(value)
                              : value.is_array()  ? joined(value, ",")
                                                  : text_of(value);
    if (shown.empty()) continue;
    if (!text.empty()) text += ' ';
    text += key == "routes" || key == "metrics" ? shown : fmt::format("{}={}", std::string_view(key), shown);
  }
  return text;
}

// Shows events in the form that the settings ask for.
class EventPrinter {
 public:
  EventPrinter(Context& context, std::int64_t after) : context_(context), screen_(context), last_(after) {}

  // `text` is the event's own JSON. An event that was shown already is skipped.
  void show(std::string_view text, const json::value& event) {
    if (sequence_of(event) <= last_) return;
    last_ = sequence_of(event);
    switch (context_.settings.output) {
      case OutputFormat::json:
        context_.out << text << '\n' << std::flush;
        return;
      case OutputFormat::yaml:
        context_.out << "---\n" << to_yaml(event) << '\n' << std::flush;
        return;
      case OutputFormat::table:
        break;
    }
    if (screen_.visible()) {
      screen_.take(event);
    } else if (!context_.settings.quiet) {
      context_.out << event_line(event) << '\n' << std::flush;
    }
  }

  void know(const json::value& deployment) { screen_.know(deployment); }
  void wipe() { screen_.wipe(); }
  [[nodiscard]] std::int64_t last() const noexcept { return last_; }

 private:
  Context& context_;
  RolloutScreen screen_;
  std::int64_t last_;
};

// Reads the live stream until an event says that the deployment ended, or the connection breaks.
Outcome<> stream_events(Api& api, const std::string& id, EventPrinter& printer) {
  bool ended = false;
  EventStreamParser parser([&](std::string_view data) {
    const auto event = parse_json(data);
    if (!event) return;
    const bool fresh = sequence_of(*event) > printer.last();
    printer.show(data, *event);
    ended = ended || (fresh && has_ended(*event));
  });
  net::ClientRequest request;
  request.target = path_of(kDeploymentsPath, id, "events");
  request.headers = {{"Accept", "text/event-stream"}};
  if (printer.last() > 0) request.headers.emplace_back("Last-Event-ID", std::to_string(printer.last()));
  return api.stream(std::move(request), [&](std::string_view piece) {
    parser.feed(piece);
    return !ended;
  });
}

Outcome<> show_missed(Api& api, const std::string& id, EventPrinter& printer) {
  HS_TRY(const auto events, fetch_events(api, id));
  for (const auto& event : items_of(events.value)) printer.show(json::serialize(event), event);
  return {};
}

// The stream ends with an event, but whether the deployment has ended is what the deployment says: a completed one may
// have been rolled back since.
Outcome<Document> follow_to_end(Api& api, const std::string& id, EventPrinter& printer) {
  for (int fruitless = 0;;) {
    HS_TRY(auto deployment, api.get(path_of(kDeploymentsPath, id)));
    printer.know(deployment.value);
    if (has_ended(deployment.value)) {
      HS_CHECK(show_missed(api, id, printer));
      return deployment;
    }
    const auto before = printer.last();
    const auto streamed = stream_events(api, id, printer);
    if (!streamed && streamed.error().exit != ExitCode::Unreachable) return std::unexpected(streamed.error());
    fruitless = printer.last() > before ? 0 : fruitless + 1;
    if (fruitless == kFruitlessConnections) {
      if (!streamed) return std::unexpected(streamed.error());
      return std::unexpected(Failure{.exit = ExitCode::Unreachable,
                                     .title = "The event stream keeps ending",
                                     .detail = "the server closed it several times without an event",
                                     .next = "hotswap rollout show " + id});
    }
    if (fruitless > 0) {
      asio::steady_timer timer(api.io(), kReconnectPause);
      timer.wait();
    }
  }
}

Failure rollout_failure(const json::value& deployment) {
  const auto status = text_of(deployment, "status");
  const auto id = text_of(deployment, "deploymentId");
  Failure failure{.exit = ExitCode::RolloutFailed,
                  .title = fmt::format("The rollout of {} ended as {}", text_of(deployment, "moduleId"), status),
                  .detail = text_of(deployment, "errorMessage")};
  failure.next = "hotswap rollout events " + id;
  return failure;
}

// "Completed: hello-v1.0.1 in 2.5s", "RolledBack: hello-v1.0.1; hello-v1.0.0 serves again"
std::string end_line(const json::value& deployment) {
  const auto status = text_of(deployment, "status");
  auto line = fmt::format("{}: {}", status, text_of(deployment, "moduleId"));
  const auto previous = text_of(deployment, "previousModuleId");
  if (status == enum_name(DeploymentStatus::RolledBack)) {
    return previous.empty() ? line : fmt::format("{}; {} serves again", line, previous);
  }
  const auto started = parse_rfc3339(text_of(deployment, "startedAt"));
  const auto completed = parse_rfc3339(text_of(deployment, "completedAt"));
  if (!started || !completed) return line;
  return fmt::format("{} in {}", line, human_milliseconds(static_cast<double>((*completed - *started).count())));
}

// "canary 25% (step 3 of 7)"; empty before the first step and after the last.
std::string stage_of(const json::value& deployment) {
  const auto* plan = member(deployment, "plan").if_array();
  const auto step = number_of(deployment, "step");
  if (plan == nullptr || step >= plan->size() || text_of(deployment, "startedAt").empty()) return {};
  auto stage = text_of((*plan)[step], "stage");
  if (stage.empty()) stage = text_of((*plan)[step], "kind");
  return fmt::format("{} (step {} of {})", stage, step + 1, plan->size());
}

std::string milliseconds_of(const json::value& shadow, std::string_view live, std::string_view copy) {
  const auto& was = member(shadow, live);
  const auto& is = member(shadow, copy);
  if (!was.is_number() || !is.is_number()) return "unknown";
  return fmt::format("{} against {}", human_milliseconds(is.to_number<double>()),
                     human_milliseconds(was.to_number<double>()));
}

// What the copies of live requests showed, and a line for each example.
std::string shadow_text(const json::value& shadow) {
  if (!shadow.is_object()) return {};
  std::string text = fmt::format("{} compared, {} mismatched, {} dropped; p50 {}, p99 {}",
                                 number_of(shadow, "compared"), number_of(shadow, "mismatched"),
                                 number_of(shadow, "dropped"), milliseconds_of(shadow, "liveP50Ms", "shadowP50Ms"),
                                 milliseconds_of(shadow, "liveP99Ms", "shadowP99Ms"));
  const auto* examples = member(shadow, "examples").if_array();
  if (examples == nullptr) return text;
  for (const auto& example : *examples) {
    text += fmt::format("\n{} ({}): {} became {}  on {}, trace {}", text_of(example, "request"),
                        text_of(example, "differs"), text_of(example, "live"), text_of(example, "shadow"),
                        text_of(example, "nodeId"), text_of(example, "traceId"));
  }
  return text;
}

std::string targets(const json::value& deployment) {
  const auto nodes = joined(member(deployment, "targetNodes"));
  auto regions = joined(member(deployment, "targetRegions"));
  if (nodes.empty()) return regions;
  return regions.empty() ? nodes : regions + "; nodes " + nodes;
}

}  // namespace

Outcome<int> follow_rollout(Context& context, Api& api, const std::string& id, std::int64_t after,
                            DeploymentStatus wanted) {
  EventPrinter printer(context, after);
  HS_TRY(const auto deployment, follow_to_end(api, id, printer));
  printer.wipe();
  const auto status = text_of(deployment.value, "status");
  print_result(context, deployment, [&] {
    if (context.settings.quiet || status != enum_name(wanted)) return;
    context.out << end_line(deployment.value) << '\n';
  });
  if (status != enum_name(wanted)) return std::unexpected(rollout_failure(deployment.value));
  return kOk;
}

Outcome<std::string> resolve_deployment(Api& api, const std::string& word) {
  if (word.size() >= kWholeId) return word;
  if (word.size() < kShortestPrefix) {
    return usage_failure(fmt::format("\"{}\" is too short for the beginning of an id: give {} characters or more", word,
                                     kShortestPrefix),
                         "hotswap rollout ls");
  }
  HS_TRY(const auto all, api.list(kDeploymentsPath, {}, 0));
  std::vector<std::string> matches;
  for (const auto& deployment : items_of(all.value)) {
    auto id = text_of(deployment, "deploymentId");
    if (id.starts_with(word)) matches.push_back(std::move(id));
  }
  if (matches.size() == 1) return matches.front();
  if (matches.empty()) {
    return std::unexpected(Failure{.title = "Not Found",
                                   .detail = fmt::format("no deployment's id begins with \"{}\"", word),
                                   .next = "hotswap rollout ls"});
  }
  return usage_failure(
      fmt::format("\"{}\" begins the ids of {} deployments: {}", word, matches.size(), fmt::join(matches, ", ")),
      "give more of the id");
}

Outcome<Document> fetch_events(Api& api, const std::string& id) {
  json::array items;
  std::int64_t after = 0;
  for (;;) {
    const Query query{{"after", std::to_string(after)}, {"limit", std::to_string(limits::kEventsPerPage)}};
    HS_TRY(auto page, api.get(with_query(path_of(kDeploymentsPath, id, "events"), query)));
    const auto& events = items_of(page.value);
    const bool last = events.size() < limits::kEventsPerPage;
    if (last && items.empty()) return page;
    after = last_sequence(page.value);
    items.insert(items.end(), events.begin(), events.end());
    if (last) break;
  }
  json::value document{{"items", std::move(items)}};
  std::string text = json::serialize(document);
  return Document{std::move(text), std::move(document)};
}

std::int64_t last_sequence(const json::value& events) {
  std::int64_t last = 0;
  for (const auto& event : items_of(events)) last = std::max(last, sequence_of(event));
  return last;
}

std::string event_line(const json::value& event) {
  const auto at = text_of(event, "at");
  // Only the time of day of "2026-11-21T08:03:42.123Z": a rollout is watched while it happens.
  const auto time = at.size() >= 23 ? at.substr(11, 12) : at;
  auto line = fmt::format("{}  {:3}%  {:<20}  {}", time, number_of(event, "progressPercent"), text_of(event, "type"),
                          detail_text(member(event, "detail")));
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

void print_deployment(Context& context, const json::value& deployment) {
  Sheet sheet;
  sheet.add("Deployment", text_of(deployment, "deploymentId"));
  sheet.add("Module", text_of(deployment, "moduleId"));
  sheet.add("Instead of", text_of(deployment, "previousModuleId"));
  sheet.add("Strategy", text_of(deployment, "strategy"));
  const auto& config = member(deployment, "strategyConfig");
  sheet.add("Settings", config.is_object() && !config.get_object().empty() ? text_of(config) : "");
  sheet.add("Targets", targets(deployment));
  sheet.add("Status", text_of(deployment, "status"));
  sheet.add("Progress", fmt::format("{}%", number_of(deployment, "progressPercent")));
  sheet.add("Stage", stage_of(deployment));
  sheet.add("Paused", text_of(deployment, "pauseReason"));
  sheet.add("Queued", text_of(deployment, "queuedAt"));
  sheet.add("Analysis", metrics_text(member(member(deployment, "analysis"), "last")));
  sheet.add("Shadow", shadow_text(member(deployment, "shadow")));
  sheet.add("Error", text_of(deployment, "errorMessage"));
  sheet.add("Returned", joined(member(deployment, "rolledBackRegions")));
  sheet.add("Ready on", joined(member(deployment, "succeededNodes")));
  sheet.add("Failed on", joined(member(deployment, "failedNodes")));
  sheet.add("Created", fmt::format("{} by {}", text_of(deployment, "createdAt"), text_of(deployment, "createdBy")));
  const auto approver = text_of(deployment, "approvedBy");
  sheet.add("Approved", approver.empty() ? "" : fmt::format("{} by {}", text_of(deployment, "approvedAt"), approver));
  for (const auto& broken : elements(deployment, "breaksCallers")) sheet.add("Breaks", caller_break(broken));
  sheet.add("Started", text_of(deployment, "startedAt"));
  sheet.add("Ended", text_of(deployment, "completedAt"));
  context.out << sheet.text(colored(context));
}

void print_warnings(Context& context, const json::value& deployment) {
  if (context.settings.output != OutputFormat::table) return;
  for (const auto& warning : elements(deployment, "warnings")) {
    context.err << fmt::format("warning: {}: {}\n", text_of(warning, "subject"), text_of(warning, "message"));
  }
}

}  // namespace hotswap::cli
