// Waiting for something to happen on one executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <type_traits>
#include <utility>

#include "base/task.h"

namespace hotswap::control {

// A condition. Everything on one executor; a waiter may outlive the signal.
class Signal {
 public:
  explicit Signal(asio::any_io_executor home) : home_(std::move(home)) {}

  void notify() {
    ++*count_;
    for (auto* timer : *waiters_) timer->cancel();
  }
  // Take it before looking at the condition, and give it to wait(), so that no notification is lost.
  [[nodiscard]] std::uint64_t count() const noexcept { return *count_; }
  [[nodiscard]] bool has_waiters() const noexcept { return !waiters_->empty(); }

  // Returns at once where notify() was called since `seen`; otherwise at the next notify() or at `until`. Cancellable.
  Task<void> wait(std::uint64_t seen, std::chrono::steady_clock::time_point until) {
    if (*count_ != seen) co_return;
    asio::steady_timer timer(home_, until);
    const Place place(waiters_, &timer);
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }

 private:
  using Waiters = std::list<asio::steady_timer*>;
  class Place {
   public:
    Place(std::shared_ptr<Waiters> waiters, asio::steady_timer* timer) : waiters_(std::move(waiters)) {
      at_ = waiters_->insert(waiters_->end(), timer);
    }
    ~Place() { waiters_->erase(at_); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

   private:
    std::shared_ptr<Waiters> waiters_;
    Waiters::iterator at_;
  };

  asio::any_io_executor home_;
  std::shared_ptr<std::uint64_t> count_ = std::make_shared<std::uint64_t>(0);
  std::shared_ptr<Waiters> waiters_ = std::make_shared<Waiters>();
};

// A mutex for coroutines of one executor; first come, first served. Not cancellable: hold it briefly.
class Turnstile {
 public:
  class [[nodiscard]] Turn {
   public:
    explicit Turn(Turnstile& turnstile) : turnstile_(&turnstile) {}
    Turn(Turn&& other) noexcept : turnstile_(std::exchange(other.turnstile_, nullptr)) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (turnstile_ != nullptr) turnstile_->leave();
    }

   private:
    Turnstile* turnstile_;
  };

  explicit Turnstile(asio::any_io_executor home) : freed_(std::move(home)) {}

  Task<Turn> enter() {
    const std::uint64_t ticket = next_++;
    while (serving_ != ticket) {
      const auto seen = freed_.count();
      co_await freed_.wait(seen, std::chrono::steady_clock::time_point::max());
    }
    co_return Turn(*this);
  }

 private:
  void leave() {
    ++serving_;
    freed_.notify();
  }

  Signal freed_;
  std::uint64_t next_ = 0;
  std::uint64_t serving_ = 0;
};

// The one executor of everything that changes, and who is at work on it.
class Home {
 public:
  explicit Home(asio::any_io_executor executor) : executor_(std::move(executor)), left_(executor_) {}
  [[nodiscard]] const asio::any_io_executor& executor() const noexcept { return executor_; }

  // Runs `task` there and comes back to the caller's executor. Cancellation of the caller reaches the task. From any
  // thread.
  template <class T>
  Task<T> run(Task<T> task) {
    if constexpr (std::is_void_v<T>) {
      co_await cross(valued(std::move(task)));
    } else {
      co_return co_await cross(std::move(task));
    }
  }
  // On the executor: until no task but the caller's is running.
  Task<void> alone() {
    while (running_ > 1) co_await left_.wait(left_.count(), std::chrono::steady_clock::time_point::max());
  }

 private:
  static Task<bool> valued(Task<void> task) {
    co_await std::move(task);
    co_return true;
  }

  // co_spawn itself hands a cancellation to another executor by a pointer that may be gone when it is taken up there
  // (Boost 1.81), so that the signal is made here, lives as long as anybody may raise it, and is raised only at home.
  template <class T>
  Task<T> cross(Task<T> task) {
    const asio::any_io_executor caller = co_await asio::this_coro::executor;
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(std::exception_ptr, T)>(
        [this, caller](auto handler, Task<T> begun) {
          const auto cancel = std::make_shared<asio::cancellation_signal>();
          auto slot = asio::get_associated_cancellation_slot(handler);
          if (slot.is_connected()) {
            slot.assign([home = executor_, cancel](asio::cancellation_type type) {
              asio::post(home, [cancel, type] { cancel->emit(type); });
            });
          }
          auto come_back = [handler = std::move(handler), slot, cancel, work = asio::make_work_guard(caller)](
                               std::exception_ptr thrown, T value) mutable {
            const auto executor = work.get_executor();
            asio::post(executor, [handler = std::move(handler), slot, work = std::move(work), thrown,
                                  value = std::move(value)]() mutable {
              if (slot.is_connected()) slot.clear();
              std::move(handler)(thrown, std::move(value));
            });
          };
          asio::co_spawn(executor_, count(std::move(begun)),
                         asio::bind_cancellation_slot(cancel->slot(), std::move(come_back)));
        },
        asio::use_awaitable, std::move(task));
  }

  template <class T>
  Task<T> count(Task<T> task) {
    ++running_;
    const std::shared_ptr<void> leaving(nullptr, [this](void*) {
      --running_;
      left_.notify();
    });
    co_return co_await std::move(task);
  }

  asio::any_io_executor executor_;
  Signal left_;
  int running_ = 0;
};

}  // namespace hotswap::control
