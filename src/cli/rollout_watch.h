// Following a deployment to its end.
#pragma once

#include <cstdint>
#include <string>

#include "cli/output.h"
#include "model/deployment.h"

namespace hotswap::cli {

// Prints the deployment's events after the sequence `after` as they happen: a bar on a terminal, else one line (or one
// document) each. Then prints how it ended. A lost connection is taken up again where it broke.
// kOk where it ended in `wanted`; otherwise a Failure with ExitCode::RolloutFailed.
[[nodiscard]] Outcome<int> follow_rollout(Context& context, Api& api, const std::string& id, std::int64_t after,
                                          DeploymentStatus wanted);

// The id that `word` names: a whole id, or the beginning (4 characters and more) of exactly one.
[[nodiscard]] Outcome<std::string> resolve_deployment(Api& api, const std::string& word);

// Every event so far, oldest first, in a document of the form {"items": […]}.
[[nodiscard]] Outcome<Document> fetch_events(Api& api, const std::string& id);
[[nodiscard]] std::int64_t last_sequence(const json::value& events);

// "08:03:42.123   50%  StepCompleted  step=1 …"
[[nodiscard]] std::string event_line(const json::value& event);
// What a person wants to know about a deployment.
void print_deployment(Context& context, const json::value& deployment);
// What whoever deploys should know, on the error stream; nothing where the output is read by another program.
void print_warnings(Context& context, const json::value& deployment);

}  // namespace hotswap::cli
