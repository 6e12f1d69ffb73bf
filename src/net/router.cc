#include "net/router.h"

#include <algorithm>
#include <map>
#include <stdexcept>

namespace hotswap::net {
namespace {

// The first segment of "/a/b", leaving "/b".
std::string_view take_segment(std::string_view& path) {
  path.remove_prefix(1);
  const std::string_view segment = path.substr(0, path.find('/'));
  path.remove_prefix(segment.size());
  return segment;
}

bool is_parameter(std::string_view segment) { return segment.starts_with('{') && segment.ends_with('}'); }

}  // namespace

struct Router::Node {
  std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
  std::unique_ptr<Node> parameter;
  std::unique_ptr<Node> rest;
  std::vector<std::pair<std::string, Handler>> methods;
  std::vector<std::string> patterns;  // of `methods`, as registered

  [[nodiscard]] const Handler* find(std::string_view method) const {
    for (const auto& [name, handler] : methods) {
      if (name == method) return &handler;
    }
    return method == "HEAD" ? find("GET") : nullptr;
  }
};

namespace {

// One look-up: depth first, in order of precedence.
template <class Node>
class Search {
 public:
  explicit Search(std::string_view method) : method_(method) {}

  // The handler for `path`, with params() set; null where there is none.
  const Handler* run(const Node& node, std::string_view path) {
    if (path.empty()) return accept(node);
    std::string_view rest = path;
    std::string_view segment = take_segment(rest);
    std::string decoded;
    if (segment.contains('%')) {
      auto text = percent_decode(segment);
      if (!text) {
        error_ = std::move(text).error();
        return nullptr;
      }
      decoded = *std::move(text);
      segment = decoded;
    }
    if (const auto literal = node.literals.find(segment); literal != node.literals.end()) {
      if (const Handler* handler = run(*literal->second, rest)) return handler;
    }
    if (node.parameter != nullptr && !segment.empty()) {
      params_.emplace_back(segment);
      if (const Handler* handler = run(*node.parameter, rest)) return handler;
      params_.pop_back();
    }
    return node.rest != nullptr ? accept(*node.rest) : nullptr;
  }

  [[nodiscard]] std::vector<std::string>& params() { return params_; }
  // Methods that the path has; empty where it is unknown.
  [[nodiscard]] const std::vector<std::string_view>& allowed() const { return allowed_; }
  // A malformed path.
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  const Handler* accept(const Node& node) {
    const Handler* handler = node.find(method_);
    if (handler == nullptr) {
      for (const auto& [name, other] : node.methods) {
        if (std::ranges::find(allowed_, name) == allowed_.end()) allowed_.push_back(name);
      }
    }
    return handler;
  }

  std::string_view method_;
  std::vector<std::string> params_;
  std::vector<std::string_view> allowed_;
  std::optional<Error> error_;
};

Task<void> reply_error(Exchange& exchange, Error error) { std::ignore = co_await reply_problem(exchange, error); }

Task<void> reply_not_allowed(Exchange& exchange, std::vector<std::string_view> allowed) {
  if (std::ranges::find(allowed, "GET") != allowed.end() && std::ranges::find(allowed, "HEAD") == allowed.end()) {
    allowed.push_back("HEAD");
  }
  std::ranges::sort(allowed);
  std::string list;
  for (const std::string_view method : allowed) {
    if (!list.empty()) list += ", ";
    list += method;
  }
  const Error error{ErrorKind::kMethodNotAllowed,
                    std::string(exchange.path()) + " has no " + std::string(exchange.method()) + "; it has " + list,
                    {}};
  const std::string document = problem_document(error, exchange.trace());
  const Header allow{"Allow", list};
  std::ignore = co_await exchange.reply(405, kProblemType, document, {&allow, 1});
}

}  // namespace

Router::Router() : root_(std::make_unique<Node>()) {}
Router::~Router() = default;
Router::Router(Router&&) noexcept = default;
Router& Router::operator=(Router&&) noexcept = default;

void Router::add(std::string_view route, Handler handler) {
  const std::size_t space = route.find(' ');
  const auto bug = [route](std::string_view why) {
    return std::logic_error("route '" + std::string(route) + "' " + std::string(why));
  };
  if (space == std::string_view::npos || !route.substr(space + 1).starts_with('/')) {
    throw bug("is not \"METHOD /path\"");
  }
  const std::string_view method = route.substr(0, space);
  std::string_view path = route.substr(space + 1);
  Node* node = root_.get();
  while (!path.empty()) {
    const std::string_view segment = take_segment(path);
    if (segment == "*" && !path.empty()) throw bug("has '*' before its end");
    std::unique_ptr<Node>& next = segment == "*"          ? node->rest
                                  : is_parameter(segment) ? node->parameter
                                                          : node->literals[std::string(segment)];
    if (next == nullptr) next = std::make_unique<Node>();
    node = next.get();
  }
  if (std::ranges::find(node->methods, method, &std::pair<std::string, Handler>::first) != node->methods.end()) {
    throw bug("is registered twice");
  }
  node->methods.emplace_back(method, std::move(handler));
  node->patterns.emplace_back(route);
}

void Router::set_fallback(Handler handler) { fallback_ = std::move(handler); }

// No coroutine of its own, so that a request costs one frame less.
Task<void> Router::handle(Exchange& exchange) const {
  const std::string_view path = exchange.path();
  Search<Node> search(exchange.method());
  // "*" (of OPTIONS) and absolute targets are no paths.
  const Handler* handler = path.starts_with('/') ? search.run(*root_, path) : nullptr;
  if (handler != nullptr) {
    if (!search.params().empty()) exchange.set_params(std::move(search.params()));
    return (*handler)(exchange);
  }
  if (search.error()) return reply_error(exchange, *search.error());
  if (!search.allowed().empty()) return reply_not_allowed(exchange, search.allowed());
  if (fallback_) return fallback_(exchange);
  return reply_error(exchange, {ErrorKind::kNotFound, "there is nothing at " + std::string(path), {}});
}

std::vector<std::string> Router::routes() const {
  std::vector<std::string> all;
  const auto collect = [&all](const auto& self, const Node& node) -> void {
    all.insert(all.end(), node.patterns.begin(), node.patterns.end());
    for (const auto& [segment, next] : node.literals) self(self, *next);
    if (node.parameter != nullptr) self(self, *node.parameter);
    if (node.rest != nullptr) self(self, *node.rest);
  };
  collect(collect, *root_);
  return all;
}

}  // namespace hotswap::net
