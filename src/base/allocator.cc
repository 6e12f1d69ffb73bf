#include "base/allocator.h"

#include <malloc.h>

#include "base/limits.h"

namespace hotswap {
namespace {

constexpr int kMapped = 32 * limits::kMiB;  // larger buffers are mapped each by itself; the largest that glibc takes
constexpr int kKept = 128 * limits::kMiB;   // what is free at the end of a heap beyond this goes back to the kernel

}  // namespace

void keep_large_buffers() noexcept {
  ::mallopt(M_MMAP_THRESHOLD, kMapped);
  ::mallopt(M_TRIM_THRESHOLD, kKept);
}

}  // namespace hotswap
