#include "net/client.h"

#include <boost/url/parse.hpp>

#include <algorithm>

#include "net/client_connection.h"

namespace hotswap::net {
namespace {

constexpr std::size_t kIdleConnections = 64;

// Closes a connection whose exchange did not end well, whether by an error or by cancellation.
class ConnectionGuard {
 public:
  explicit ConnectionGuard(std::shared_ptr<ClientConnection> connection) : connection_(std::move(connection)) {}
  ConnectionGuard(const ConnectionGuard&) = delete;
  ConnectionGuard& operator=(const ConnectionGuard&) = delete;
  ~ConnectionGuard() {
    if (connection_ == nullptr) return;
    connection_->clear_deadline();
    connection_->close();
  }
  ClientConnection* operator->() const noexcept { return connection_.get(); }
  [[nodiscard]] std::shared_ptr<ClientConnection> release() noexcept { return std::exchange(connection_, nullptr); }

 private:
  std::shared_ptr<ClientConnection> connection_;
};

class PooledClient final : public Client {
 public:
  PooledClient(asio::any_io_executor executor, Origin origin)
      : executor_(std::move(executor)), origin_(std::move(origin)) {}

  Task<Result<ClientResponse>> send(ClientRequest request) override { co_return co_await run(request, {}); }

  Task<Result<ClientResponse>> stream(ClientRequest request, std::function<bool(std::string_view)> chunk) override {
    co_return co_await run(request, chunk);
  }

 private:
  Task<Result<ClientResponse>> run(const ClientRequest& request, const ChunkHandler& chunk) {
    const auto started = std::chrono::steady_clock::now();
    while (auto idle = take_idle()) {
      ConnectionGuard connection(std::move(idle));
      auto response = co_await attempt(connection, request, chunk, started, true);
      if (response || response.error().kind != ErrorKind::kUnavailable || connection->committed()) {
        if (response) keep(connection.release());
        co_return response;
      }
      // The server had closed it, so it never saw the request. Others that idled as long are likely closed too.
      idle_.clear();
    }
    ConnectionGuard connection(std::make_shared<ClientConnection>(executor_));
    auto response = co_await attempt(connection, request, chunk, started, false);
    if (response) keep(connection.release());
    co_return response;
  }

  Task<Result<ClientResponse>> attempt(const ConnectionGuard& connection, const ClientRequest& request,
                                       const ChunkHandler& chunk, std::chrono::steady_clock::time_point started,
                                       bool connected) {
    const auto spent = std::chrono::steady_clock::now() - started;
    connection->set_deadline(std::max(request.timeout - std::chrono::duration_cast<std::chrono::milliseconds>(spent),
                                      std::chrono::milliseconds(1)));
    if (!connected) HS_CO_CHECK(co_await connection->connect(origin_));
    co_return co_await connection->exchange(request, origin_, chunk);
  }

  std::shared_ptr<ClientConnection> take_idle() {
    while (!idle_.empty()) {
      auto connection = std::move(idle_.back());
      idle_.pop_back();
      if (connection->reusable()) return connection;
      connection->close();
    }
    return nullptr;
  }

  void keep(std::shared_ptr<ClientConnection> connection) {
    connection->clear_deadline();
    if (!connection->reusable() || idle_.size() >= kIdleConnections) {
      connection->close();
    } else {
      idle_.push_back(std::move(connection));
    }
  }

  asio::any_io_executor executor_;
  Origin origin_;
  std::vector<std::shared_ptr<ClientConnection>> idle_;  // the latest used last, to be used first
};

}  // namespace

std::string_view ClientResponse::header(std::string_view lower_case_name) const {
  const auto found = std::ranges::find(headers, lower_case_name, &std::pair<std::string, std::string>::first);
  return found == headers.end() ? std::string_view{} : std::string_view(found->second);
}

Result<std::unique_ptr<Client>> Client::create(asio::any_io_executor executor, std::string_view origin) {
  const auto invalid = [origin](std::string_view why) {
    return fail(ErrorKind::kInvalid, "'" + std::string(origin) + "' " + std::string(why));
  };
  const auto url = boost::urls::parse_uri(origin);
  if (!url) return invalid("is no URL: expected an origin such as http://127.0.0.1:8080");
  if (url->scheme_id() == boost::urls::scheme::https) return invalid("needs TLS, which this client does not have yet");
  if (url->scheme_id() != boost::urls::scheme::http || url->encoded_host().empty()) {
    return invalid("is no HTTP origin: expected one such as http://127.0.0.1:8080");
  }
  if ((!url->encoded_path().empty() && url->encoded_path() != "/") || url->has_query() || url->has_fragment() ||
      url->has_userinfo()) {
    return invalid("has more than scheme, host and port");
  }
  return std::make_unique<PooledClient>(
      std::move(executor),
      Origin{std::string(url->encoded_host()), url->has_port() ? std::string(url->port()) : std::string("80")});
}

}  // namespace hotswap::net
