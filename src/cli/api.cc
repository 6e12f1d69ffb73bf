#include "cli/api.h"

#include <boost/asio/co_spawn.hpp>
#include <fmt/format.h>

#include "base/limits.h"

namespace hotswap::cli {
namespace {

// A gateway's or proxy's error page is short; a server that sends more than this instead of a problem is not ours.
constexpr std::size_t kProblemBytes = 256 * limits::kKiB;

bool is_failure(unsigned status) { return status >= 400; }

Outcome<Document> document_of(net::ClientResponse response) {
  if (response.body.empty()) return Document{};
  auto value = parse_json(response.body);
  if (!value) {
    return local_failure("Unusable reply", "the server's reply is not JSON: " + value.error().detail,
                         "check that --server names a HotSwap API");
  }
  return Document{std::move(response.body), *std::move(value)};
}

net::ClientRequest json_request(std::string method, std::string target, std::string body) {
  net::ClientRequest request;
  request.method = std::move(method);
  request.target = std::move(target);
  request.headers.emplace_back("Accept", "application/json");
  if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
  request.body = std::move(body);
  return request;
}

}  // namespace

Outcome<std::unique_ptr<Api>> Api::open(const Context& context) {
  std::unique_ptr<Api> api(new Api(context.settings.server));
  auto client = net::Client::create(api->io_.get_executor(), api->server_);
  if (!client) {
    return usage_failure(fmt::format("--server {}: {}", api->server_, client.error().detail),
                         "an address looks like http://127.0.0.1:8080");
  }
  api->client_ = *std::move(client);
  return api;
}

// Runs the context only until the task is done: an idle kept-alive connection must not hold the command.
template <class T>
Result<T> Api::wait(Task<Result<T>> task) {
  Result<T> result;
  bool done = false;
  asio::co_spawn(io_, std::move(task), [&](std::exception_ptr problem, Result<T> value) {
    done = true;
    if (problem) std::rethrow_exception(problem);
    result = std::move(value);
  });
  io_.restart();
  while (!done && io_.run_one() != 0) {
  }
  return result;
}

Failure Api::no_reply(const Error& error) const {
  switch (error.kind) {
    case ErrorKind::kUnavailable:
      return {.exit = ExitCode::Unreachable,
              .title = "Cannot reach the server at " + server_,
              .detail = error.detail,
              .next = "is the server running? start one with: hotswap up"};
    case ErrorKind::kDeadline:
      return {.exit = ExitCode::Unreachable,
              .title = fmt::format("The server at {} did not answer in time", server_),
              .detail = error.detail,
              .next = fmt::format("is it healthy? see {}/health/ready", server_)};
    case ErrorKind::kUpstream:
      return {.exit = ExitCode::Unreachable,
              .title = fmt::format("What answers at {} is no HotSwap server", server_),
              .detail = error.detail,
              .next = "check --server: it names the API, not the gateway"};
    default:
      return failure_from(error);  // the request could not be made: the file, or a malformed address
  }
}

Outcome<net::ClientResponse> Api::send(net::ClientRequest request) {
  auto response = wait(client_->send(std::move(request)));
  if (!response) return std::unexpected(no_reply(response.error()));
  if (is_failure(response->status)) return std::unexpected(failure_from_reply(response->status, response->body));
  return *std::move(response);
}

Outcome<Document> Api::send_for_document(net::ClientRequest request) {
  HS_TRY(auto response, send(std::move(request)));
  return document_of(std::move(response));
}

Outcome<Document> Api::get(std::string target) { return send_for_document(json_request("GET", std::move(target), {})); }

Outcome<Document> Api::post(std::string target, std::string json_body) {
  return send_for_document(json_request("POST", std::move(target), std::move(json_body)));
}

Outcome<Document> Api::patch(std::string target, std::string json_body) {
  return send_for_document(json_request("PATCH", std::move(target), std::move(json_body)));
}

Outcome<Document> Api::remove(std::string target) {
  return send_for_document(json_request("DELETE", std::move(target), {}));
}

Outcome<> Api::stream(net::ClientRequest request, const std::function<bool(std::string_view)>& chunk) {
  // The status is known only after the body: the head of what was streamed is kept, as it may be a problem document.
  std::string head;
  bool stopped = false;
  auto response = wait(client_->stream(std::move(request), [&](std::string_view piece) {
    if (head.size() < kProblemBytes) head += piece.substr(0, kProblemBytes - head.size());
    stopped = !chunk(piece);
    return !stopped;
  }));
  if (stopped) return {};
  if (!response) return std::unexpected(no_reply(response.error()));
  if (is_failure(response->status)) return std::unexpected(failure_from_reply(response->status, head));
  return {};
}

Outcome<Document> Api::list(std::string_view path, Query query, std::size_t limit) {
  json::array items;
  for (bool first = true;; first = false) {
    Query page_query = query;
    const std::size_t wanted = limit == 0 ? limits::kPageMax : std::min(limits::kPageMax, limit - items.size());
    page_query.emplace_back("limit", std::to_string(wanted));
    HS_TRY(auto page, get(with_query(path, page_query)));
    const auto* object = page.value.if_object();
    const auto* page_items = object != nullptr ? object->if_contains("items") : nullptr;
    if (page_items == nullptr || !page_items->is_array()) {
      return local_failure("Unusable reply", fmt::format("{} did not answer with a list", path),
                           "check that --server names a HotSwap API");
    }
    const auto* cursor = object->if_contains("nextCursor");
    const bool last = cursor == nullptr || !cursor->is_string();
    items.insert(items.end(), page_items->get_array().begin(), page_items->get_array().end());
    const bool enough = limit != 0 && items.size() >= limit;
    if (first && (last || enough)) return page;
    if (last || enough) break;
    std::erase_if(query, [](const auto& entry) { return entry.first == "cursor"; });
    query.emplace_back("cursor", std::string(cursor->get_string()));
  }
  json::value document{{"items", std::move(items)}, {"nextCursor", nullptr}};
  std::string text = json::serialize(document);
  return Document{std::move(text), std::move(document)};
}

std::string percent_encode(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const bool unreserved = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
                            c == '.' || c == '_' || c == '~';
    if (unreserved) {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

std::string with_query(std::string_view path, const Query& query) {
  std::string target(path);
  char separator = '?';
  for (const auto& [name, value] : query) {
    target += fmt::format("{}{}={}", separator, percent_encode(name), percent_encode(value));
    separator = '&';
  }
  return target;
}

std::string path_of(std::string_view base, std::string_view part, std::string_view action) {
  std::string path = fmt::format("{}/{}", base, percent_encode(part));
  if (!action.empty()) path += fmt::format("/{}", action);
  return path;
}

}  // namespace hotswap::cli
