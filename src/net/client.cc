#include "net/client.h"

#include <boost/url/parse.hpp>

#include <algorithm>
#include <array>

#include "net/client_connection.h"
#include "net/reply_head.h"

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

class PooledClient;

class PooledStream final : public ClientStream {
 public:
  PooledStream(PooledClient& client, std::shared_ptr<ClientConnection> connection, const ClientRequest& request,
               std::optional<std::uint64_t> body_size)
      : client_(client),
        connection_(std::move(connection)),
        reader_(request.method == "HEAD", connection_->received()),
        chunked_(!body_size),
        left_(body_size.value_or(request.body.size()) - request.body.size()) {}
  ~PooledStream() override;
  PooledStream(const PooledStream&) = delete;
  PooledStream& operator=(const PooledStream&) = delete;

  Task<Result<>> write(std::span<const std::byte> bytes) override;
  Task<Result<>> finish(const HeaderList& trailers) override;
  Task<Result<ClientResponse>> head() override {
    auto head = co_await connection_->receive_head(reader_);
    if (head) size_ = reader_.body_size();
    co_return head;
  }
  [[nodiscard]] std::optional<std::uint64_t> body_size() const override { return size_; }
  Task<Result<std::size_t>> read_some(std::span<std::byte> into) override {
    auto count = co_await connection_->receive_body(reader_, into);
    received_ = count && *count == 0;
    co_return count;
  }
  [[nodiscard]] HeaderList trailers() const override { return reader_.trailers(); }

 private:
  PooledClient& client_;
  std::shared_ptr<ClientConnection> connection_;
  ReplyReader reader_;
  const bool chunked_;
  std::uint64_t left_;  // of a body of known size
  std::string framing_;
  std::optional<std::uint64_t> size_;
  bool finished_ = false;
  bool received_ = false;
};

class PooledClient final : public Client {
 public:
  PooledClient(asio::any_io_executor executor, Origin origin)
      : executor_(std::move(executor)), origin_(std::move(origin)) {}

  Task<Result<ClientResponse>> send(ClientRequest request) override { co_return co_await run(request, {}); }

  Task<Result<ClientResponse>> stream(ClientRequest request, std::function<bool(std::string_view)> chunk) override {
    co_return co_await run(request, chunk);
  }

  Task<Result<std::unique_ptr<ClientStream>>> open(ClientRequest request,
                                                   std::optional<std::uint64_t> body_size) override {
    const BodySize size{.any = body_size != 0 || usually_has_body(request.method), .bytes = body_size};
    if (body_size && *body_size < request.body.size()) {
      co_return fail(ErrorKind::kInvalid, "the request's body is longer than stated");
    }
    while (auto idle = take_idle()) {
      ConnectionGuard connection(std::move(idle));
      connection->set_deadline(request.timeout);
      const auto begun = co_await connection->start(request, origin_, size);
      if (begun) co_return std::make_unique<PooledStream>(*this, connection.release(), request, body_size);
      if (connection->sent() || begun.error().kind != ErrorKind::kUnavailable) co_return std::unexpected(begun.error());
      close_idle();
    }
    ConnectionGuard connection(std::make_shared<ClientConnection>(executor_));
    connection->set_deadline(std::min(request.connect_timeout, request.timeout));
    HS_CO_CHECK(co_await connection->connect(origin_));
    connection->set_deadline(request.timeout);
    HS_CO_CHECK(co_await connection->start(request, origin_, size));
    co_return std::make_unique<PooledStream>(*this, connection.release(), request, body_size);
  }

  void keep(std::shared_ptr<ClientConnection> connection) {
    connection->clear_deadline();
    if (!connection->reusable() || idle_.size() >= kIdleConnections) {
      connection->close();
    } else {
      idle_.push_back({std::move(connection), std::chrono::steady_clock::now()});
    }
  }

 private:
  struct Idle {
    std::shared_ptr<ClientConnection> connection;
    std::chrono::steady_clock::time_point since;
  };
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
      close_idle();
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
      auto [connection, since] = std::move(idle_.back());
      idle_.pop_back();
      // The server may be about to close one that has idled for long, in the moment in which a request is sent.
      const bool fresh = std::chrono::steady_clock::now() - since < limits::kClientIdleConnection;
      if (fresh && connection->reusable()) return connection;
      connection->close();
    }
    return nullptr;
  }

  void close_idle() {
    for (const auto& idle : idle_) idle.connection->close();
    idle_.clear();
  }

  asio::any_io_executor executor_;
  Origin origin_;
  std::vector<Idle> idle_;  // the latest used last, to be used first
};

PooledStream::~PooledStream() {
  if (received_ && (chunked_ ? finished_ : left_ == 0)) {
    connection_->end(reader_);
    client_.keep(std::move(connection_));
  } else {
    connection_->clear_deadline();
    connection_->close();
  }
}

Task<Result<>> PooledStream::write(std::span<const std::byte> bytes) {
  if (bytes.empty()) co_return Result<>{};
  if (!chunked_ && bytes.size() > left_)
    co_return fail(ErrorKind::kInvalid, "the request's body is longer than stated");
  framing_.clear();
  if (chunked_) append_chunk_size(framing_, bytes.size());
  const std::array parts{asio::const_buffer(framing_.data(), framing_.size()),
                         asio::const_buffer(bytes.data(), bytes.size()), asio::const_buffer("\r\n", chunked_ ? 2 : 0)};
  HS_CO_CHECK(co_await connection_->send(parts));
  if (!chunked_) left_ -= bytes.size();
  co_return Result<>{};
}

Task<Result<>> PooledStream::finish(const HeaderList& trailers) {
  if (!chunked_) {
    if (left_ > 0) co_return fail(ErrorKind::kInvalid, "the request's body is shorter than stated");
    co_return Result<>{};
  }
  framing_ = "0\r\n";
  for (const auto& [name, value] : trailers) append_field(framing_, name, value);
  framing_ += "\r\n";
  const std::array parts{asio::const_buffer(framing_.data(), framing_.size())};
  HS_CO_CHECK(co_await connection_->send(parts));
  finished_ = true;
  co_return Result<>{};
}

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
