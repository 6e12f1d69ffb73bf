#include "control/node_fixture.h"

namespace hotswap::control {

TestNode::TestNode(Platform& platform, std::string id, std::string region, Conduct conduct)
    : id_(std::move(id)), region_(std::move(region)), conduct_(std::move(conduct)) {
  connect(platform);
}

void TestNode::connect(Platform& platform) {
  disconnect();
  app_ = &platform.app();
  context_ = std::make_unique<asio::io_context>();
  asio::co_spawn(*context_, follow(), asio::bind_cancellation_slot(cancel_.slot(), [](std::exception_ptr) {}));
  known_ = std::promise<void>();
  thread_ = std::jthread([this] { context_->run(); });
  known_.get_future().wait();
}

void TestNode::disconnect() {
  if (!context_) return;
  asio::post(*context_, [this] { cancel_.emit(asio::cancellation_type::terminal); });
  thread_.join();
  retire(std::move(context_));
}

void TestNode::behave(Conduct conduct) {
  asio::co_spawn(*context_, adopt(std::move(conduct)), [](std::exception_ptr thrown) {
    if (thrown) std::rethrow_exception(thrown);
  });
}

bool TestNode::wait(const std::function<bool(const DesiredState&)>& condition) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kPatience, [&] { return condition(state_); });
}

DesiredState TestNode::state() {
  const std::lock_guard lock(mutex_);
  return state_;
}

bool TestNode::serves(const std::string& module_id) {
  for (const auto& route : state().routes) {
    for (const auto& version : route.versions) {
      if (version.moduleId.str() == module_id) return true;
    }
  }
  return false;
}

Task<void> TestNode::follow() {
  std::ignore = co_await report();
  known_.set_value();
  while ((co_await asio::this_coro::cancellation_state).cancelled() == asio::cancellation_type::none) {
    auto desired = co_await app_->desired_state(NodeId(id_), state_.revision, Region(region_));
    if (!desired) co_return;
    if (desired->revision == state_.revision) continue;
    take(*std::move(desired));
    const auto sent = co_await report();
    if (!sent) co_return;
  }
}

void TestNode::take(DesiredState desired) {
  const std::lock_guard lock(mutex_);
  if (desired.revision < state_.revision) ++backward_revisions_;
  for (const auto& route : desired.routes) {
    for (const auto& version : route.versions) {
      if (!ready_.contains(version.moduleId.str())) ++unready_routes_;
    }
  }
  state_ = std::move(desired);
  std::erase_if(ready_, [this](const std::string& id) {
    return std::ranges::none_of(state_.versions, [&](const auto& version) { return version.moduleId.str() == id; });
  });
  changed_.notify_all();
}

Task<Result<>> TestNode::report() {
  NodeReport report{.nodeId = NodeId(id_), .region = Region(region_), .routedRevision = routed_, .versions = {}};
  report.knownRevision = state_.revision;
  report.leaving = conduct_.leaves;
  report.forwardKey = "key of " + id_;
  if (conduct_.routes) report.routedRevision = routed_ = state_.revision;
  for (const auto& version : state_.versions) {
    VersionReport row{
        .tenant = version.tenant, .moduleId = version.moduleId, .state = VersionState::Compiling, .reason = {}};
    if (ready_.contains(version.moduleId.str())) {
      row.state = VersionState::Ready;
    } else if (!conduct_.fails.empty()) {
      row.state = VersionState::Failed;
      row.reason = conduct_.fails;
    } else if (conduct_.makes_ready) {
      row.state = VersionState::Ready;
      ready_.insert(version.moduleId.str());
      checked_[version.moduleId.str()] = {version.checkNumber, ""};
    }
    if (row.state == VersionState::Ready) {
      auto& [number, failure] = checked_[version.moduleId.str()];
      if (conduct_.checks && version.checkNumber != 0 && version.checkNumber != number) {
        number = version.checkNumber;
        failure = conduct_.ill;
      }
      row.checkNumber = number;
      row.checkFailure = failure;
    }
    report.versions.push_back(std::move(row));
  }
  HS_CO_TRY(const ReportReply reply, co_await app_->report(std::move(report)));
  may_leave_ = reply.mayLeave;
  co_return Result<>{};
}

Task<void> TestNode::adopt(Conduct conduct) {
  conduct_ = std::move(conduct);
  std::ignore = co_await report();
}

}  // namespace hotswap::control
