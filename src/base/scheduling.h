// How the kernel shares cores among the process's threads.
#pragma once

namespace hotswap {

// For a thread that others wait for: it takes the core from a thread in the background when it wakes, nearly always at
// once.
void favour_latency() noexcept;

// For a thread whose work has time: it gets what others leave of a core, and at least a sixtieth of it.
void run_in_background() noexcept;

// Both are for the calling thread and need no privilege. Where a kernel refuses them, threads run as ever.

}  // namespace hotswap
