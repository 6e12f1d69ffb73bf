#include <boost/asio/executor_work_guard.hpp>
#include <pthread.h>

#include <string>
#include <thread>

#include "base/scheduling.h"
#include "net/server.h"

namespace hotswap::net {
namespace {

thread_local std::size_t current_index = IoThreads::kNone;

}  // namespace

struct IoThreads::Thread {
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  std::thread thread;
};

IoThreads::IoThreads(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    Thread& thread = *threads_.emplace_back(std::make_unique<Thread>());
    thread.thread = std::thread([&thread, i] {
      current_index = i;
      pthread_setname_np(pthread_self(), ("io-" + std::to_string(i)).c_str());
      favour_latency();
      thread.context.run();
    });
  }
}

IoThreads::~IoThreads() { stop(); }

std::size_t IoThreads::size() const noexcept { return threads_.size(); }

asio::io_context& IoThreads::at(std::size_t index) noexcept { return threads_[index]->context; }

std::size_t IoThreads::current() noexcept { return current_index; }

void IoThreads::stop() {
  for (const auto& thread : threads_) thread->context.stop();
  for (const auto& thread : threads_) {
    if (thread->thread.joinable()) thread->thread.join();
  }
}

}  // namespace hotswap::net
