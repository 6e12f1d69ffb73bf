// The descriptor of a listening socket on its way to the thread that will accept on it.
#pragma once

#include <unistd.h>

#include <utility>

namespace hotswap::net {

// Closed unless somebody takes it.
class ListenSocket {
 public:
  explicit ListenSocket(int descriptor) : descriptor_(descriptor) {}
  ListenSocket(ListenSocket&& other) noexcept : descriptor_(other.release()) {}
  ListenSocket& operator=(ListenSocket&&) = delete;
  ~ListenSocket() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  [[nodiscard]] int get() const noexcept { return descriptor_; }
  [[nodiscard]] int release() noexcept { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_;
};

}  // namespace hotswap::net
