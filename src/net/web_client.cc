#include "net/web_client.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <pthread.h>

#include <array>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>

#include "net/curl.h"

namespace hotswap::net {
namespace {

constexpr int kLongWait = 60'000;  // milliseconds; whoever has something to do wakes the loop

struct MultiCloser {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};

std::unexpected<Error> stopped() { return fail(ErrorKind::kUnavailable, "the server is stopping"); }

// One request, from its asking to its answer.
class Transfer {
 public:
  using Done = std::function<void(Result<WebResponse>)>;

  Transfer(WebRequest request, Done done) : request_(std::move(request)), done_(std::move(done)) {}

  // False where libcurl does not give a handle.
  bool prepare(const std::string& ca_file) {
    handle_ = make_curl();
    if (!handle_) return false;
    for (const auto& [name, value] : request_.headers) headers_.add(fmt::format("{}: {}", name, value));
    headers_.add("Expect:");  // bodies are small: they do not wait for leave
    const auto set = [this](CURLoption option, auto value) { curl_easy_setopt(handle(), option, value); };
    set(CURLOPT_URL, request_.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_PROXY, "");
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(request_.timeout.count()));
    set(CURLOPT_ERRORBUFFER, problem_.data());
    set(CURLOPT_WRITEFUNCTION, &take);
    set(CURLOPT_WRITEDATA, this);
    if (!request_.body.empty() || request_.method != "GET") {
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
      set(CURLOPT_POSTFIELDS, request_.body.data());
      set(CURLOPT_CUSTOMREQUEST, request_.method.c_str());
    }
    set(CURLOPT_HTTPHEADER, headers_.get());
    verify_server(handle(), ca_file);
    return true;
  }

  [[nodiscard]] CURL* handle() const { return handle_.get(); }
  // Once.
  void answer(Result<WebResponse> result) const { done_(std::move(result)); }

  Result<WebResponse> result(CURLcode code) {
    if (code == CURLE_OK) {
      long status = 0;
      curl_easy_getinfo(handle(), CURLINFO_RESPONSE_CODE, &status);
      return WebResponse{.status = static_cast<unsigned>(status), .body = std::move(body_)};
    }
    if (too_large_) {
      return fail(ErrorKind::kUpstream, fmt::format("the response is larger than {} bytes", request_.response_bytes));
    }
    const std::string_view why = problem_.front() == '\0' ? curl_easy_strerror(code) : problem_.data();
    return fail(code == CURLE_OPERATION_TIMEDOUT ? ErrorKind::kDeadline : ErrorKind::kUpstream, std::string(why));
  }

 private:
  static std::size_t take(const char* data, std::size_t, std::size_t size, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    if (size > transfer.request_.response_bytes - transfer.body_.size()) {
      transfer.too_large_ = true;
      return 0;  // which ends the transfer
    }
    transfer.body_.append(data, size);
    return size;
  }

  WebRequest request_;
  Done done_;
  CurlList headers_;
  std::array<char, CURL_ERROR_SIZE> problem_{};
  std::string body_;
  bool too_large_ = false;
  CurlHandle handle_;  // goes first: it points to the others
};

}  // namespace

// What the client's thread runs. libcurl's multi handle is its own; only waking it is for any thread.
class WebClient::Loop {
 public:
  explicit Loop(std::string ca_file) : multi_(make_curl() ? curl_multi_init() : nullptr), ca_file_(std::move(ca_file)) {
    if (!multi_) throw std::runtime_error("libcurl cannot be started");
  }

  void ask(std::unique_ptr<Transfer> transfer) {
    {
      const std::lock_guard lock(mutex_);
      if (!stopping_) {
        asked_.push_back(std::move(transfer));
        curl_multi_wakeup(multi_.get());
        return;
      }
    }
    transfer->answer(stopped());
  }

  void stop() {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    curl_multi_wakeup(multi_.get());
  }

  void run() {
    pthread_setname_np(pthread_self(), "web");
    while (begin_asked()) {
      int under_way = 0;
      curl_multi_perform(multi_.get(), &under_way);
      end_finished();
      curl_multi_poll(multi_.get(), nullptr, 0, kLongWait, nullptr);
    }
    for (auto& [handle, transfer] : running_) {
      curl_multi_remove_handle(multi_.get(), handle);
      transfer->answer(stopped());
    }
    running_.clear();
  }

 private:
  // False once this is to stop.
  bool begin_asked() {
    std::vector<std::unique_ptr<Transfer>> asked;
    bool stopping = false;
    {
      const std::lock_guard lock(mutex_);
      asked.swap(asked_);
      stopping = stopping_;
    }
    for (auto& transfer : asked) {
      if (stopping) {
        transfer->answer(stopped());
      } else if (!transfer->prepare(ca_file_) || curl_multi_add_handle(multi_.get(), transfer->handle()) != CURLM_OK) {
        transfer->answer(fail(ErrorKind::kInternal, "libcurl cannot take the request"));
      } else {
        running_.emplace(transfer->handle(), std::move(transfer));
      }
    }
    return !stopping;
  }

  void end_finished() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;
      const auto ended = running_.extract(message->easy_handle);
      curl_multi_remove_handle(multi_.get(), ended.key());
      ended.mapped()->answer(ended.mapped()->result(code));
    }
  }

  std::unique_ptr<CURLM, MultiCloser> multi_;
  const std::string ca_file_;
  std::map<CURL*, std::unique_ptr<Transfer>> running_;  // by its handle; after multi_: handles leave it first
  std::mutex mutex_;
  std::vector<std::unique_ptr<Transfer>> asked_;
  bool stopping_ = false;
};

WebClient::WebClient(std::string ca_file)
    : loop_(std::make_unique<Loop>(std::move(ca_file))), thread_([this] { loop_->run(); }) {}

WebClient::~WebClient() { stop(); }

void WebClient::stop() { loop_->stop(); }

Task<Result<WebResponse>> WebClient::send(WebRequest request) {
  // Goes where it is waited for: the timer belongs to that context.
  struct Waiting {
    asio::steady_timer timer;
    std::optional<Result<WebResponse>> answer;
  };
  auto executor = co_await asio::this_coro::executor;
  auto waiting = std::make_shared<Waiting>(asio::steady_timer(executor, asio::steady_timer::time_point::max()));
  auto done = [executor, waiting](Result<WebResponse> answer) mutable {
    asio::post(executor, [waiting = std::move(waiting), answer = std::move(answer)]() mutable {
      waiting->answer = std::move(answer);
      waiting->timer.cancel();
    });
  };
  loop_->ask(std::make_unique<Transfer>(std::move(request), std::move(done)));
  while (!waiting->answer) co_await waiting->timer.async_wait(asio::as_tuple(asio::use_awaitable));
  co_return *std::move(waiting->answer);
}

}  // namespace hotswap::net
