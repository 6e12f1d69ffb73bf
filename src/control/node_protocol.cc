#include "control/node_protocol.h"

#include <algorithm>
#include <limits>

#include "control/download.h"
#include "control/query_parameters.h"

namespace hotswap::control {
namespace {

// Nodes of all regions poll at the same time: fewer than the regions would be written anew for each node.
constexpr std::size_t kWrittenKept = 32;

std::string bearer(const net::Exchange& exchange) {
  constexpr std::string_view kScheme = "Bearer ";
  const std::string_view given = exchange.header(net::http::field::authorization);
  return given.starts_with(kScheme) ? std::string(given.substr(kScheme.size())) : std::string();
}

template <class T>
Task<Result<T>> read_body(net::Exchange& exchange) {
  HS_CO_TRY(const std::string body, co_await exchange.read_all(limits::kJsonBodyBytes));
  co_return from_json_text<T>(body, UnknownMembers::ignored);
}

Result<> check_owner(const NodeId& node, const NodeId& stated) {
  if (node == stated) return {};
  return fail_fields({{"nodeId", "is not the node in the address, " + node.str()}});
}

}  // namespace

Task<Result<NodeId>> NodeProtocol::admit(const net::Exchange& exchange) {
  NodeId node(exchange.params().at(0));
  HS_CO_CHECK(co_await parts_.home.run(parts_.registry.authenticate(node, bearer(exchange))));
  co_return node;
}

Task<Result<>> NodeProtocol::join(net::Exchange& exchange) {
  HS_CO_TRY(auto node, co_await read_body<NodeDescription>(exchange));
  const std::string location = "/api/v1/wasm/nodes/" + node.nodeId.str();
  HS_CO_TRY(const auto issued, co_await parts_.home.run([](Parts parts, std::string token,
                                                           NodeDescription about) -> Task<Result<IssuedCredential>> {
    HS_CO_TRY(auto credential, co_await parts.registry.join(std::move(token), std::move(about)));
    parts.fleet.expect_registered();
    co_return credential;
  }(parts_, bearer(exchange), std::move(node))));
  const std::array headers{net::Header{"Location", location}, net::Header{"Cache-Control", "no-store"}};
  co_return co_await exchange.reply(201, "application/json", to_json_text(issued), headers);
}

Task<Result<>> NodeProtocol::rotate(net::Exchange& exchange) {
  HS_CO_TRY(const auto issued,
            co_await parts_.home.run(parts_.registry.rotate(NodeId(exchange.params().at(0)), bearer(exchange))));
  const std::array headers{net::Header{"Cache-Control", "no-store"}};
  co_return co_await exchange.reply(200, "application/json", to_json_text(issued), headers);
}

Task<Result<>> NodeProtocol::introduce(net::Exchange& exchange) {
  HS_CO_TRY(const NodeId id, co_await admit(exchange));
  HS_CO_TRY(auto node, co_await read_body<NodeDescription>(exchange));
  HS_CO_CHECK(check_owner(id, node.nodeId));
  HS_CO_CHECK(co_await parts_.home.run(parts_.registry.introduce(std::move(node))));
  co_return co_await exchange.reply(204, "", "");
}

std::shared_ptr<const std::string> NodeProtocol::change_json(const Fleet::Polled& polled) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find_if(
        written_, [&](const Written& kept) { return kept.before == polled.before && kept.now == polled.now; });
    if (found != written_.end()) return found->text;
  }
  auto text = std::make_shared<const std::string>(
      to_json_text(polled.before ? change_between(*polled.before, *polled.now) : everything(*polled.now)));
  const std::lock_guard lock(mutex_);
  written_.push_back({polled.before, polled.now, text});
  if (written_.size() > kWrittenKept) written_.pop_front();
  return text;
}

Task<Result<>> NodeProtocol::desired_state(net::Exchange& exchange) {
  HS_CO_TRY(const NodeId id, co_await admit(exchange));
  QueryParameters query(exchange, {"after", "incarnation", "whole"});
  const auto after = query.integer("after", 0, std::numeric_limits<std::int64_t>::max());
  const auto incarnation = query.text("incarnation");
  const bool whole = query.flag("whole");
  HS_CO_CHECK(query.check());
  HS_CO_TRY(auto polled,
            co_await parts_.home.run(parts_.fleet.poll(
                {.node = id, .after = after.value_or(0), .region = {}, .incarnation = incarnation.value_or("")})));
  if (whole) polled.before = nullptr;
  const auto text = change_json(polled);
  co_return co_await net::reply_json(exchange, *text);
}

Task<Result<>> NodeProtocol::report(net::Exchange& exchange) {
  HS_CO_TRY(const NodeId id, co_await admit(exchange));
  HS_CO_TRY(auto report, co_await read_body<NodeReport>(exchange));
  HS_CO_CHECK(check_owner(id, report.nodeId));
  HS_CO_TRY(const auto reply, co_await parts_.home.run([](Fleet& fleet, NodeReport sent) -> Task<Result<ReportReply>> {
    co_return fleet.report(std::move(sent));
  }(parts_.fleet, std::move(report))));
  co_return co_await net::reply_json(exchange, to_json_text(reply));
}

Task<Result<>> NodeProtocol::invocations(net::Exchange& exchange) {
  HS_CO_CHECK(co_await admit(exchange));
  HS_CO_TRY(const auto counts, co_await read_body<std::vector<InvocationCount>>(exchange));
  std::vector<Store::InvocationCount> rows;
  rows.reserve(counts.size());
  for (const auto& count : counts) rows.push_back({count.tenant, count.moduleId, count.count});
  HS_CO_CHECK(co_await parts_.pool.run([&] { return parts_.store.add_invocations(rows); }));
  co_return co_await exchange.reply(204, "", "");
}

Task<Result<>> NodeProtocol::artifact(net::Exchange& exchange) {
  HS_CO_TRY(const NodeId id, co_await admit(exchange));
  HS_CO_TRY(const Digest digest, Digest::parse(exchange.params().at(1)));
  // A node reads what it shall hold, and nothing else.
  const auto size =
      co_await parts_.home.run([](Fleet& fleet, NodeId node, Digest wanted) -> Task<std::optional<std::uint64_t>> {
        co_return fleet.artifact_size(node, wanted);
      }(parts_.fleet, id, digest));
  if (!size) {
    co_return fail(ErrorKind::kNotFound, "the node shall hold no version with the artifact " + digest.hex());
  }
  const std::array headers{net::Header{"Content-Type", "application/wasm"}};
  co_return co_await send_blob(exchange, parts_.blobs, parts_.transfers, digest, *size, headers);
}

}  // namespace hotswap::control
