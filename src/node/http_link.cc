#include "node/http_link.h"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

#include <system_error>

#include "base/log.h"
#include "node/kept_state.h"

namespace hotswap::node {

using namespace asio::experimental::awaitable_operators;

namespace {

constexpr unsigned kSecretMode = 0600;
constexpr unsigned kArtifactMode = 0644;
constexpr std::chrono::milliseconds kCallTimeout{10'000};
constexpr std::chrono::milliseconds kPollTimeout = limits::kLongPoll + std::chrono::seconds(10);
constexpr std::string_view kNodesPath = "/api/v1/wasm/nodes";

// As it is on disk.
struct StoredCredential {
  NodeId nodeId;
  std::string credential;
  TimePoint renewAt;
  TimePoint expiresAt;
};
BOOST_DESCRIBE_STRUCT(StoredCredential, (), (nodeId, credential, renewAt, expiresAt))

ErrorKind kind_of(unsigned status) {
  for (const ErrorKind kind :
       {ErrorKind::kInvalid, ErrorKind::kUnauthorized, ErrorKind::kForbidden, ErrorKind::kNotFound,
        ErrorKind::kMethodNotAllowed, ErrorKind::kTimeout, ErrorKind::kConflict, ErrorKind::kTooLarge,
        ErrorKind::kUnprocessable, ErrorKind::kTooManyRequests, ErrorKind::kUnavailable, ErrorKind::kDeadline}) {
    if (http_status(kind) == status) return kind;
  }
  return ErrorKind::kUpstream;
}

// What a problem document says.
std::unexpected<Error> problem(unsigned status, const std::string& body) {
  std::string detail = fmt::format("the control plane answered with status {}", status);
  if (const auto document = parse_json(body); document && document->is_object()) {
    if (const auto* text = document->get_object().if_contains("detail"); text != nullptr && text->is_string()) {
      detail = text->get_string();
    }
    if (const auto* errors = document->get_object().if_contains("errors"); errors != nullptr && errors->is_array()) {
      detail += ": " + json::serialize(*errors);
    }
  }
  return fail(kind_of(status), std::move(detail));
}

// Completes when a download made no progress for a while.
Task<void> stalled(const std::string& have) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  for (std::size_t before = have.size();; before = have.size()) {
    timer.expires_after(limits::kBodyProgress);
    co_await timer.async_wait(asio::use_awaitable);
    if (have.size() == before) co_return;
  }
}

}  // namespace

Result<std::unique_ptr<HttpLink>> HttpLink::open(asio::any_io_executor home, HttpLinkOptions options, Parts parts) {
  HS_TRY(auto client, net::Client::create(std::move(home), options.control));
  std::error_code code;
  std::filesystem::create_directories(options.data / "artifacts", code);
  if (code) {
    return fail(ErrorKind::kUnavailable,
                fmt::format("cannot create {}: {}", (options.data / "artifacts").string(), code.message()));
  }
  return std::unique_ptr<HttpLink>(new HttpLink(std::move(options), parts, std::move(client)));
}

std::string HttpLink::node_path(std::string_view rest) const {
  return fmt::format("{}/{}{}", kNodesPath, node_.nodeId.str(), rest);
}

std::filesystem::path HttpLink::artifact(const Digest& digest) const {
  return options_.data / "artifacts" / digest.hex();
}

Task<Result<>> HttpLink::introduce(NodeDescription node) {
  node_ = std::move(node);
  co_await recall();
  if (!credential_) co_return co_await join();
  HS_CO_CHECK(co_await call("PUT", node_path(""), to_json_text(node_), kCallTimeout));
  co_return Result<>{};
}

// The credential of an earlier life, where it is this node's.
Task<void> HttpLink::recall() {
  const auto text = co_await parts_.pool.run([file = options_.data / "credential.json"] { return read_whole(file); });
  if (!text) co_return;
  auto stored = from_json_text<StoredCredential>(*text, UnknownMembers::ignored);
  if (!stored || stored->nodeId != node_.nodeId || stored->expiresAt <= parts_.clock.now()) co_return;
  credential_ = Credential{std::move(stored->credential), stored->renewAt, stored->expiresAt};
}

Task<Result<>> HttpLink::join() {
  if (node_.nodeId.empty() || joining_) co_return fail(ErrorKind::kUnavailable, "the node has not joined yet");
  joining_ = true;
  const std::shared_ptr<void> leaving(nullptr, [this](void*) { joining_ = false; });
  if (options_.join_token.empty()) {
    co_return fail(ErrorKind::kUnauthorized,
                   "the control plane does not know this node's credential: start it with --join-token, which "
                   "`hotswap node token create` makes");
  }
  net::ClientRequest request;
  request.method = "POST";
  request.target = kNodesPath;
  request.headers = {{"Content-Type", "application/json"}, {"Authorization", "Bearer " + options_.join_token}};
  request.body = to_json_text(node_);
  HS_CO_TRY(auto reply, co_await send(std::move(request)));
  HS_CO_CHECK(co_await adopt(std::move(reply)));
  log::info("joined", "", {{"nodeId", node_.nodeId.str()}, {"control", options_.control}});
  co_return Result<>{};
}

Task<Result<>> HttpLink::adopt(std::string reply) {
  HS_CO_TRY(auto issued, from_json_text<IssuedCredential>(reply, UnknownMembers::ignored));
  const TimePoint now = parts_.clock.now();
  const std::chrono::seconds life(issued.expiresInSeconds);
  credential_ = Credential{std::move(issued.credential), now + life * 2 / 3, now + life};
  const StoredCredential stored{node_.nodeId, credential_->secret, credential_->renewAt, credential_->expiresAt};
  co_return co_await parts_.pool.run([file = options_.data / "credential.json", text = to_json_text(stored)] {
    return replace_file(file, text, kSecretMode);
  });
}

Task<Result<>> HttpLink::renew() {
  credential_->renewAt = credential_->expiresAt;  // once, also where two calls come at the same time
  HS_CO_TRY(auto reply, co_await call("POST", node_path("/credential"), "", kCallTimeout));
  HS_CO_CHECK(co_await adopt(std::move(reply)));
  log::info("credential renewed", "", {{"nodeId", node_.nodeId.str()}});
  co_return Result<>{};
}

Task<Result<std::string>> HttpLink::send(net::ClientRequest request) {
  HS_CO_TRY(auto response, co_await client_->send(std::move(request)));
  if (response.status >= 400) co_return problem(response.status, response.body);
  co_return std::move(response.body);
}

Task<Result<std::string>> HttpLink::call(std::string method, std::string path, std::string body,
                                         std::chrono::milliseconds timeout) {
  for (bool first = true;; first = false) {
    if (!credential_) HS_CO_CHECK(co_await join());
    net::ClientRequest request;
    request.method = method;
    request.target = path;
    request.headers = {{"Authorization", "Bearer " + credential_->secret}};
    if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
    request.body = body;
    request.timeout = timeout;
    const std::string shown = credential_->secret;
    auto reply = co_await send(std::move(request));
    if (reply || reply.error().kind != ErrorKind::kUnauthorized || !first) co_return reply;
    // Another call may have got a newer one meanwhile.
    if (credential_ && credential_->secret == shown) credential_.reset();
  }
}

Task<Result<DesiredState>> HttpLink::desired_state(std::int64_t after) {
  if (credential_ && credential_->renewAt <= parts_.clock.now()) {
    if (const auto renewed = co_await renew(); !renewed) {
      log::warning("credential could not be renewed", "", {{"error", renewed.error().detail}});
    }
  }
  // What this process did not receive itself, such as a kept state, no change can be applied to.
  const bool whole = after != last_.revision;
  const auto target =
      node_path(fmt::format("/desired-state?after={}&incarnation={}&whole={}", after, node_.incarnation, whole));
  HS_CO_TRY(const std::string reply, co_await call("GET", target, "", kPollTimeout));
  HS_CO_TRY(auto change, from_json_text<DesiredChange>(reply, UnknownMembers::ignored));
  const bool may_drop = !change.from || !change.dropVersions.empty();
  auto applied = apply(std::exchange(last_, {}), std::move(change));
  HS_CO_CHECK(applied);
  last_ = *std::move(applied);
  if (may_drop) co_await prune();
  co_return last_;
}

// Binaries that no version needs any more. Should one come back, its machine code is likely at hand.
Task<void> HttpLink::prune() {
  std::set<std::string> needed;
  for (const auto& version : last_.versions) needed.insert(version.digest.hex());
  std::erase_if(partial_, [&](const auto& entry) {
    return !needed.contains(entry.first.hex()) && !fetching_.contains(entry.first);
  });
  co_await parts_.pool.run([folder = options_.data / "artifacts", needed = std::move(needed)] {
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
      if (!needed.contains(entry.path().stem().string())) std::filesystem::remove(entry.path(), ignored);
    }
  });
}

Task<Result<ReportReply>> HttpLink::report(NodeReport report) {
  HS_CO_TRY(const std::string reply, co_await call("POST", node_path("/reports"), to_json_text(report), kCallTimeout));
  co_return from_json_text<ReportReply>(reply, UnknownMembers::ignored);
}

Task<Result<>> HttpLink::count_invocations(std::vector<InvocationCount> counts) {
  HS_CO_CHECK(co_await call("POST", node_path("/invocations"), to_json_text(counts), kCallTimeout));
  co_return Result<>{};
}

Task<Result<>> HttpLink::fetch(Digest digest, std::function<Result<>(std::span<const std::byte>)> sink) {
  const auto verified = [file = artifact(digest), digest]() -> std::optional<std::string> {
    auto bytes = read_whole(file);
    if (bytes && Sha256::of(*bytes) == digest) return bytes;
    return std::nullopt;
  };
  auto bytes = co_await parts_.pool.run(verified);
  if (!bytes) {
    if (!fetching_.insert(digest).second) co_return fail(ErrorKind::kUnavailable, "the artifact is being fetched");
    const std::shared_ptr<void> leaving(nullptr, [this, digest](void*) { fetching_.erase(digest); });
    HS_CO_CHECK(co_await download(digest));
    bytes = std::move(partial_[digest]);
    partial_.erase(digest);
    HS_CO_CHECK(co_await parts_.pool.run(
        [file = artifact(digest), &bytes] { return replace_file(file, *bytes, kArtifactMode); }));
  }
  co_return sink(std::as_bytes(std::span(*bytes)));
}

// Into partial_, from where an earlier try broke off.
Task<Result<>> HttpLink::download(Digest digest) {
  if (!credential_) HS_CO_CHECK(co_await join());
  std::string& have = partial_[digest];
  net::ClientRequest request;
  request.target = node_path("/artifacts/" + digest.hex());
  request.headers = {{"Authorization", "Bearer " + credential_->secret}};
  if (!have.empty()) request.headers.emplace_back("Range", fmt::format("bytes={}-", have.size()));
  unsigned status = 0;
  std::string refusal;
  request.on_head = [&](const net::ClientResponse& head) {
    status = head.status;
    if (status == 200) have.clear();  // the whole, whatever was asked for
    return true;
  };
  auto take = [&](std::string_view piece) {
    std::string& into = status < 300 ? have : refusal;
    into += piece;
    return into.size() <= limits::kModuleBytes;
  };
  const auto done = co_await (client_->stream(std::move(request), take) || stalled(have));
  if (done.index() == 1) co_return fail(ErrorKind::kDeadline, "the artifact's download stands still");
  HS_CO_CHECK(std::get<0>(done));
  if (status >= 400) {
    if (status == http_status(ErrorKind::kUnauthorized)) credential_.reset();
    co_return problem(status, refusal);
  }
  const bool right = co_await parts_.pool.run([&have, &digest] { return Sha256::of(have) == digest; });
  if (right) co_return Result<>{};
  have.clear();
  co_return fail(ErrorKind::kUpstream, fmt::format("artifact {} came with another checksum", digest.hex()));
}

}  // namespace hotswap::node
