// How the kernel shares cores among the process's threads.
#pragma once

namespace hotswap {

// For a thread that others wait for: once it is woken, it is not kept from its core by one in the background for longer
// than a tenth of a millisecond (Linux 6.12 and newer; older kernels let it in at once by themselves).
void favour_latency() noexcept;

// For a thread whose work has time: it gets what others leave of a core, and at least a sixtieth of it, in pieces of a
// tenth of a millisecond.
void run_in_background() noexcept;

// Both are for the calling thread and need no privilege. Where a kernel refuses them, threads run as ever.

}  // namespace hotswap
