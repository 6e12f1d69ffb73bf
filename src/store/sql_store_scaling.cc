#include <algorithm>

#include "base/limits.h"
#include "store/cursor.h"
#include "store/rows.h"
#include "store/sql.h"
#include "store/sql_store.h"

namespace hotswap {
namespace {

Result<ScalingEvent> read_event(const std::tuple<long long, std::string>& row) {
  HS_TRY(ScalingEvent event, rows::read_document<ScalingEvent>(std::get<1>(row)));
  event.sequence = std::get<0>(row);
  return event;
}

std::string describe(const ScalingQuery& query) {
  return "scaling events of " + (query.region ? query.region->str() : std::string());
}

}  // namespace

Result<std::int64_t> SqlStore::add_scaling_event(const ScalingEvent& event, bool tell) {
  return pool_.write([&](Connection& connection) -> Result<std::int64_t> {
    const std::int64_t sequence = connection.first<long long>(sql::kTakeScalingSequence).value_or(0);
    connection.execute(sql::kInsertScalingEvent, {{"sequence", sequence},
                                                  {"region", event.region.str()},
                                                  {"untold", tell ? 1 : 0},
                                                  {"document", to_json_text(event)}});
    connection.execute(sql::kDropScalingEvents,
                       {{"sequence", sequence - static_cast<std::int64_t>(limits::kScalingEventsKept)}});
    return sequence;
  });
}

Result<Page<ScalingEvent>> SqlStore::scaling_events(const ScalingQuery& query) {
  const std::size_t limit = std::max<std::size_t>(query.limit, 1);
  std::int64_t before = std::numeric_limits<std::int64_t>::max();
  if (query.cursor) {
    HS_TRY(const auto keys, decode_cursor(describe(query), *query.cursor, {std::int64_t{}}));
    before = std::get<std::int64_t>(keys.front());
  }
  std::string text(sql::kListScalingEvents);
  Parameters parameters{{"before", before}};
  if (query.region) {
    text += sql::kOfRegion;
    parameters.emplace_back("region", query.region->str());
  }
  text += sql::kBySequenceDown;
  text += sql::kLimit;
  parameters.emplace_back("limit", limit + 1);
  return pool_.read([&](Connection& connection) -> Result<Page<ScalingEvent>> {
    const auto found = connection.rows<long long, std::string>(text, parameters);
    Page<ScalingEvent> page;
    for (std::size_t i = 0; i < std::min(found.size(), limit); ++i) {
      HS_TRY(page.items.emplace_back(), read_event(found[i]));
    }
    if (found.size() > limit) page.nextCursor = encode_cursor(describe(query), {page.items.back().sequence});
    return page;
  });
}

Result<std::optional<ScalingEvent>> SqlStore::untold_scaling_event() {
  return pool_.read([](Connection& connection) -> Result<std::optional<ScalingEvent>> {
    const auto found = connection.rows<long long, std::string>(sql::kUntoldScalingEvent);
    if (found.empty()) return std::optional<ScalingEvent>{};
    HS_TRY(auto event, read_event(found.front()));
    return std::optional(std::move(event));
  });
}

Result<> SqlStore::scaling_event_told(std::int64_t sequence) {
  return pool_.write([&](Connection& connection) -> Result<> {
    connection.execute(sql::kScalingEventTold, {{"sequence", sequence}});
    return {};
  });
}

}  // namespace hotswap
