#include "net/read_buffer.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace hotswap::net {

ReadBuffer::Room ReadBuffer::room(std::size_t limit) {
  if (begin_ == end_ && !pinned_) begin_ = end_ = 0;
  const std::size_t unread = end_ - begin_;
  if (end_ == capacity_ && unread < limit) {
    // Growing doubles, so that a large head or body costs few moves; a block that is half read is only tidied.
    const bool tidy = unread <= capacity_ / 2;
    move_to(tidy ? capacity_ : std::min(std::max(capacity_ * 2, kInitial), std::max(limit, kInitial)));
  }
  return {block_.get() + end_, std::min(capacity_ - end_, limit - std::min(limit, unread))};
}

void ReadBuffer::release() {
  pinned_blocks_.clear();
  pinned_ = false;
  // One large request must not cost an idle connection its memory.
  if (capacity_ > 4 * kInitial && end_ - begin_ <= kInitial) move_to(kInitial);
}

void ReadBuffer::move_to(std::size_t capacity) {
  const std::size_t unread = end_ - begin_;
  if (capacity == capacity_ && !pinned_) {
    std::memmove(block_.get(), block_.get() + begin_, unread);
  } else {
    auto block = std::make_unique_for_overwrite<char[]>(capacity);
    std::memcpy(block.get(), block_.get() + begin_, unread);
    auto old = std::exchange(block_, std::move(block));
    if (pinned_) pinned_blocks_.push_back(std::move(old));
    capacity_ = capacity;
  }
  begin_ = 0;
  end_ = unread;
}

}  // namespace hotswap::net
