#include "net/server.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <sys/socket.h>

#include <charconv>
#include <sstream>
#include <system_error>

#include "net/listen_socket.h"
#include "net/listener.h"

namespace hotswap::net {
namespace {

constexpr int kBacklog = 4096;

std::string text(const tcp::endpoint& endpoint) { return (std::ostringstream() << endpoint).str(); }

std::unexpected<Error> listen_failed(const tcp::endpoint& endpoint) {
  const std::string why = std::error_code(errno, std::system_category()).message();
  return fail(ErrorKind::kUnavailable, "cannot listen on " + text(endpoint) + ": " + why);
}

bool set(int socket, int option) {
  const int on = 1;
  return ::setsockopt(socket, SOL_SOCKET, option, &on, sizeof on) == 0;
}

Result<ListenSocket> bind_socket(const tcp::endpoint& endpoint, bool share_port) {
  ListenSocket socket(::socket(endpoint.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
  if (socket.get() < 0 || !set(socket.get(), SO_REUSEADDR) || (share_port && !set(socket.get(), SO_REUSEPORT)) ||
      ::bind(socket.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) != 0) {
    return listen_failed(endpoint);
  }
  return socket;
}

tcp::endpoint local_endpoint(const ListenSocket& socket) {
  tcp::endpoint endpoint;
  auto size = static_cast<socklen_t>(endpoint.capacity());
  ::getsockname(socket.get(), endpoint.data(), &size);
  endpoint.resize(size);
  return endpoint;
}

// One listening socket per thread, all on the same port.
Result<std::vector<ListenSocket>> listen_sockets(tcp::endpoint& endpoint, std::size_t count) {
  // ":8080" means every interface, also where the kernel has no IPv6.
  if (endpoint.address() == asio::ip::address_v6::any() && !bind_socket(endpoint, true) && errno == EAFNOSUPPORT) {
    endpoint = tcp::endpoint(tcp::v4(), endpoint.port());
  }
  {
    // SO_REUSEPORT would silently share the port with another process of this user: a plain socket finds it taken.
    HS_TRY(const ListenSocket probe, bind_socket(endpoint, false));
    if (::listen(probe.get(), 1) != 0) return listen_failed(endpoint);
  }
  std::vector<ListenSocket> sockets;
  for (std::size_t i = 0; i < count; ++i) {
    HS_TRY(ListenSocket socket, bind_socket(endpoint, true));
    if (i == 0) endpoint = local_endpoint(socket);
    sockets.push_back(std::move(socket));
  }
  // Only now, so that no connection is spread over a group that still grows.
  for (const ListenSocket& socket : sockets) {
    if (::listen(socket.get(), kBacklog) != 0) return listen_failed(endpoint);
  }
  return sockets;
}

class ThreadedServer final : public Server {
 public:
  ThreadedServer(tcp::endpoint endpoint, std::vector<std::shared_ptr<Listener>> listeners)
      : endpoint_(std::move(endpoint)), listeners_(std::move(listeners)) {
    for (const auto& listener : listeners_) {
      asio::post(listener->executor(), [listener] { listener->start(); });
    }
  }

  ~ThreadedServer() override {
    for (const auto& listener : listeners_) {
      asio::post(listener->executor(), [listener] { listener->close(); });
    }
  }

  tcp::endpoint endpoint() const override { return endpoint_; }
  std::string url() const override { return "http://" + text(endpoint_); }

  Task<std::size_t> drain(std::chrono::milliseconds at_most) override {
    const SteadyPoint until = std::chrono::steady_clock::now() + at_most;
    // The listeners are copied: the server may be destroyed meanwhile.
    const auto listeners = listeners_;
    for (const auto& listener : listeners) {
      asio::post(listener->executor(), [listener] { listener->begin_drain(); });
    }
    std::size_t cut = 0;
    for (const auto& listener : listeners) {
      cut += co_await asio::co_spawn(listener->executor(), listener->drained(until), asio::use_awaitable);
    }
    co_return cut;
  }

 private:
  tcp::endpoint endpoint_;
  std::vector<std::shared_ptr<Listener>> listeners_;
};

}  // namespace

Result<tcp::endpoint> parse_endpoint(std::string_view whole) {
  const auto invalid = [whole] {
    return fail(ErrorKind::kInvalid, "'" + std::string(whole) +
                                         "' is no address to listen on: expected address:port, such as 127.0.0.1:8080");
  };
  const std::size_t colon = whole.rfind(':');
  if (colon == std::string_view::npos) return invalid();
  std::string_view host = whole.substr(0, colon);
  const std::string_view port_text = whole.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, code] = std::from_chars(port_text.begin(), port_text.end(), port);
  if (code != std::errc() || end != port_text.end()) return invalid();
  if (host.empty()) return tcp::endpoint(tcp::v6(), port);  // IPv4 clients come as mapped addresses
  if (host == "localhost") host = "127.0.0.1";
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  boost::system::error_code error;
  const auto address = asio::ip::make_address(host, error);
  if (error || address.is_v6() != bracketed) return invalid();
  return tcp::endpoint(address, port);
}

Result<std::unique_ptr<Server>> Server::start(IoThreads& threads, ServerOptions options, Handler handler,
                                              Tracer& /*tracer*/, Metrics& metrics) {
  HS_TRY(auto sockets, listen_sockets(options.listen, threads.size()));
  const tcp::endpoint endpoint = options.listen;
  const Labels labels{{"server", options.name}};
  const auto shared = std::make_shared<const ServerShared>(ServerShared{
      std::move(options), std::move(handler), metrics.counter("net.requests.total", "Requests received", labels),
      metrics.counter("net.connections.refused", "Connections refused for the bound of connections", labels),
      metrics.gauge("net.connections", "Open connections", labels)});
  std::vector<std::shared_ptr<Listener>> listeners;
  listeners.reserve(threads.size());
  for (std::size_t i = 0; i < threads.size(); ++i) {
    listeners.push_back(std::make_shared<Listener>(threads.at(i), shared, std::move(sockets[i])));
  }
  return std::make_unique<ThreadedServer>(endpoint, std::move(listeners));
}

}  // namespace hotswap::net
