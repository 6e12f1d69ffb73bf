// Received bytes that wait to be parsed, in one block that is reused from request to request.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace hotswap::net {

class ReadBuffer {
 public:
  static constexpr std::size_t kInitial = 4096;

  [[nodiscard]] std::string_view unread() const noexcept { return {block_.get() + begin_, end_ - begin_}; }
  [[nodiscard]] bool empty() const noexcept { return begin_ == end_; }
  void consume(std::size_t count) noexcept { begin_ += count; }

  // Where to receive to: at least one byte, unless `limit` bytes are unread already. Grows up to `limit` when full.
  struct Room {
    char* data;
    std::size_t size;
  };
  [[nodiscard]] Room room(std::size_t limit);
  void commit(std::size_t count) noexcept { end_ += count; }
  // What has been consumed so far stays where it is until release().
  void pin() noexcept { pinned_ = true; }
  void release();

 private:
  void move_to(std::size_t capacity);

  std::unique_ptr<char[]> block_ = std::make_unique_for_overwrite<char[]>(kInitial);
  std::vector<std::unique_ptr<char[]>> pinned_blocks_;  // outgrown while pinned
  std::size_t capacity_ = kInitial;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool pinned_ = false;
};

}  // namespace hotswap::net
