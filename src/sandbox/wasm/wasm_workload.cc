#include "sandbox/wasm/wasm_workload.h"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include "base/limits.h"
#include "sandbox/wasm/http_exchange.h"

namespace hotswap::wasm {
namespace {

using namespace asio::experimental::awaitable_operators;

Task<bool> run_to_end(Call& call, eng_poll why) {
  while (why != ENG_POLL_DONE) {
    if (!co_await call.pause(why)) co_return false;
    if (call.aside()) {
      why = co_await call.poll_aside();
    } else {
      why = call.poll();
    }
  }
  co_return true;
}

}  // namespace

Result<Grant> grant_of(const ResourceLimits& limits, const std::filesystem::path& files, const SandboxPolicy& policy) {
  Grant grant;
  grant.max_memory_bytes = static_cast<std::uint64_t>(limits.maxMemoryMB) * limits::kMiB;
  grant.max_output_bytes = policy.max_output_bytes;
  grant.env.assign(limits.environmentVariables.begin(), limits.environmentVariables.end());
  grant.args = {"module"};
  grant.outbound = {.max_requests = static_cast<std::uint32_t>(limits.maxOutboundRequests),
                    .max_sent_bytes = static_cast<std::uint64_t>(limits.maxOutboundMB) * limits::kMiB,
                    .max_received_bytes = static_cast<std::uint64_t>(limits.maxOutboundMB) * limits::kMiB};
  if (limits.filesystemAccess != FilesystemAccess::Disabled) {
    grant.quota = {.folder = std::filesystem::absolute(files).string(),
                   .max_bytes = static_cast<std::uint64_t>(limits.maxFilesMB) * limits::kMiB,
                   .max_entries = static_cast<std::uint64_t>(limits.maxFiles)};
    for (const auto& guest : limits.allowedDirectories) {
      const auto host = files / std::filesystem::path(guest).relative_path();
      std::error_code code;
      std::filesystem::create_directories(host, code);
      if (code) {
        return fail(ErrorKind::kUnavailable,
                    fmt::format("cannot create the folder {} for the module's directory {}: {}", host.string(), guest,
                                code.message()));
      }
      grant.directories.push_back(
          {std::filesystem::absolute(host).string(), guest, limits.filesystemAccess == FilesystemAccess::ReadWrite});
    }
  }
  switch (limits.networkAccess) {
    case NetworkAccess::Disabled:
      grant.network = Network::none;
      break;
    case NetworkAccess::AllowList:
      grant.network = Network::listed;
      grant.hosts = limits.allowedHosts;
      break;
    case NetworkAccess::Unrestricted:
      grant.network = Network::open;
      grant.hosts = limits.allowedHosts;
      break;
  }
  return grant;
}

CallBudget budget_of(const ResourceLimits& limits, const SandboxPolicy& policy) {
  return {.wall = std::chrono::seconds(limits.maxExecutionTimeSeconds),
          .cpu_percent = limits.maxCpuPercent,
          .cpu_window = policy.cpu_window};
}

// One of the version's maxConcurrentInvocations, for the life of a call.
class WasmWorkload::Permit {
 public:
  explicit Permit(std::atomic<int>& running) : running_(&running) {}
  Permit(Permit&& other) noexcept : running_(std::exchange(other.running_, nullptr)) {}
  Permit& operator=(Permit&&) = delete;
  ~Permit() {
    if (running_ != nullptr) running_->fetch_sub(1, std::memory_order_relaxed);
  }

 private:
  std::atomic<int>* running_;
};

WasmWorkload::WasmWorkload(Image image, Grant grant, CallBudget budget, int max_concurrent, bool serves_http,
                           Aside& aside)
    : image_(std::move(image)),
      grants_(std::move(grant)),
      budget_(budget),
      max_concurrent_(max_concurrent),
      serves_http_(serves_http),
      aside_(aside) {}

Result<WasmWorkload::Permit> WasmWorkload::take_permit() {
  if (running_.fetch_add(1, std::memory_order_relaxed) < max_concurrent_) return Permit(running_);
  running_.fetch_sub(1, std::memory_order_relaxed);
  return fail(
      ErrorKind::kTooManyRequests,
      fmt::format("{} calls of this version are running (maxConcurrentInvocations); try again later", max_concurrent_));
}

Task<Result<CallOutcome>> WasmWorkload::finish(Call& call, net::Exchange* watch) {
  const eng_poll event = call.aside() ? ENG_POLL_YIELDED : call.poll();
  if (event != ENG_POLL_DONE && watch == nullptr) {
    co_await run_to_end(call, event);
  } else if (event != ENG_POLL_DONE) {
    const auto winner = co_await (run_to_end(call, event) || watch->peer_gone());
    if (winner.index() == 1) call.leave();
  }
  if (call.aside()) co_return co_await call.end_aside();
  co_return call.end();
}

Result<eng_call*> WasmWorkload::start(std::uint32_t function, const FunctionCall& call) const {
  const std::uint32_t flags = call.bytes == BytesEncoding::base64 ? ENG_INVOKE_BYTES_BASE64 : 0;
  const eng_grants grants = grants_.get(call.effects, call.via);
  eng_call* handle = nullptr;
  eng_error error{};
  if (eng_call_function(image_.get(), function, &grants, slice(call.params), flags, &handle, &error)) return handle;
  Error failure = to_error(error);
  eng_buffer_free(error.message);
  return std::unexpected(std::move(failure));
}

Task<Result<CallOutcome>> WasmWorkload::invoke(FunctionCall function_call, net::Exchange* watch) {
  HS_CO_TRY(const std::uint32_t function, image_.function(function_call.function));
  HS_CO_TRY(const Permit permit, take_permit());
  const bool aside = stalls_.aside() || function_call.params.size() > limits::kAsideBytes;
  Result<eng_call*> handle = nullptr;
  if (aside) {
    handle = co_await aside_.run([&] { return start(function, function_call); });
  } else {
    handle = start(function, function_call);
  }
  if (!handle) co_return std::unexpected(std::move(handle).error());
  Call call(*handle, co_await asio::this_coro::executor, budget_, aside_, aside, stalls_);
  co_return co_await finish(call, watch);
}

Task<Result<CallOutcome>> WasmWorkload::serve(net::Exchange& exchange, HttpCall http_call) {
  auto permit = take_permit();
  if (!permit) {
    (void)co_await net::reply_problem(exchange, permit.error());
    co_return std::unexpected(permit.error());
  }
  const std::string via = net::values_of(exchange, kViaHeader);
  auto handle = start_http_call(image_, grants_.get(http_call.effects, via), exchange, http_call.prefix_size);
  if (!handle) {
    (void)co_await net::reply_problem(exchange, handle.error());
    co_return std::unexpected(handle.error());
  }
  Call call(*handle, co_await asio::this_coro::executor, budget_, aside_, stalls_.aside(), stalls_);
  co_return co_await serve_http(call, exchange);
}

Task<Result<CallOutcome>> WasmWorkload::run_command() {
  HS_CO_TRY(const Permit permit, take_permit());
  eng_call* handle = nullptr;
  eng_error error{};
  const eng_grants grants = grants_.get();
  if (!eng_call_command(image_.get(), &grants, &handle, &error)) {
    Error failure = to_error(error);
    eng_buffer_free(error.message);
    co_return std::unexpected(std::move(failure));
  }
  Call call(handle, co_await asio::this_coro::executor, budget_, aside_, stalls_.aside(), stalls_);
  co_return co_await finish(call, nullptr);
}

}  // namespace hotswap::wasm
