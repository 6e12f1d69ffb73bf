// How the C library's allocator keeps memory.
#pragma once

namespace hotswap {

// For a process that runs guests: buffers of megabytes that calls take and give back stay with the process. Mapping and
// unmapping them takes the lock of the whole address space, for which every call waits that resets an instance's
// memory; and whoever unmaps does so in the background, where it may be kept from its core meanwhile. Once, before
// threads begin.
void keep_large_buffers() noexcept;

}  // namespace hotswap
