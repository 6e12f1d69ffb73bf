#include "store/rows.h"
#include "store/sql.h"
#include "store/sql_store.h"

namespace hotswap {

Result<std::optional<QueuedMail>> SqlStore::next_mail() {
  return pool_.read([](Connection& connection) -> Result<std::optional<QueuedMail>> {
    const auto found = connection.rows<long long, long long, long long, std::string>(sql::kNextMail);
    if (found.empty()) return std::optional<QueuedMail>{};
    const auto& [sequence, due, tries, document] = found.front();
    QueuedMail queued{.sequence = sequence,
                      .mail = {},
                      .due = TimePoint(std::chrono::milliseconds(due)),
                      .tries = static_cast<int>(tries)};
    HS_TRY(queued.mail, rows::read_document<Mail>(document));
    return std::optional(std::move(queued));
  });
}

Result<> SqlStore::drop_mail(std::int64_t sequence) {
  return pool_.write([&](Connection& connection) -> Result<> {
    connection.execute(sql::kDropMail, {{"sequence", sequence}});
    return {};
  });
}

Result<> SqlStore::postpone_mail(std::int64_t sequence, TimePoint due) {
  return pool_.write([&](Connection& connection) -> Result<> {
    connection.execute(sql::kPostponeMail, {{"due", due.time_since_epoch().count()}, {"sequence", sequence}});
    return {};
  });
}

}  // namespace hotswap
