// The public API as commands use it: one request, one document or one Failure. Blocks the calling thread; the command
// line has nothing else to do.
#pragma once

#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "cli/context.h"
#include "net/client.h"

namespace hotswap::cli {

// A reply's document, as text (to be printed unchanged) and parsed.
struct Document {
  std::string text;
  json::value value;
};

using Query = std::vector<std::pair<std::string, std::string>>;

class Api {
 public:
  // Does not connect yet.
  [[nodiscard]] static Outcome<std::unique_ptr<Api>> open(const Context& context);

  [[nodiscard]] Outcome<Document> get(std::string target);
  [[nodiscard]] Outcome<Document> post(std::string target, std::string json_body = {});
  [[nodiscard]] Outcome<Document> patch(std::string target, std::string json_body);
  // A reply without a body is an empty text and null.
  [[nodiscard]] Outcome<Document> remove(std::string target);

  // Any request; a status of 400 and above is a Failure.
  [[nodiscard]] Outcome<net::ClientResponse> send(net::ClientRequest request);
  [[nodiscard]] Outcome<Document> send_for_document(net::ClientRequest request);
  // Hands a successful body over in pieces until `chunk` says no, which is success here.
  [[nodiscard]] Outcome<> stream(net::ClientRequest request, const std::function<bool(std::string_view)>& chunk);

  // Follows `nextCursor` through a list. `limit` bounds the items taken; 0 takes all. The text of a single page is the
  // server's; several pages become one document of the same form, without a cursor.
  [[nodiscard]] Outcome<Document> list(std::string_view path, Query query, std::size_t limit);

  [[nodiscard]] asio::io_context& io() noexcept { return io_; }

 private:
  explicit Api(std::string server) : server_(std::move(server)) {}
  template <class T>
  Result<T> wait(Task<Result<T>> task);
  [[nodiscard]] Failure no_reply(const Error& error) const;

  std::string server_;
  asio::io_context io_;  // before the client, which lives on it
  std::unique_ptr<net::Client> client_;
};

// Everything but unreserved characters becomes %XX (RFC 3986).
[[nodiscard]] std::string percent_encode(std::string_view text);
[[nodiscard]] std::string with_query(std::string_view path, const Query& query);
// "base/{part}", encoded.
[[nodiscard]] std::string path_of(std::string_view base, std::string_view part, std::string_view action = {});

inline constexpr std::string_view kModulesPath = "/api/v1/wasm/modules";
inline constexpr std::string_view kDeploymentsPath = "/api/v1/wasm/deployments";
inline constexpr std::string_view kExecutePath = "/api/v1/wasm/execute";

}  // namespace hotswap::cli
