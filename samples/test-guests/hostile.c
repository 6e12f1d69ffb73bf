// What the sandbox must survive, one exported function for each way to misbehave. Used by the tests.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define EXPORT(name) __attribute__((export_name(name)))

static volatile uint32_t sink;

// Never returns; the bound on it is the deadline. The body is not a bare loop, so that registration's scan lets it pass.
EXPORT("spin") void spin(void) {
  while (sink != UINT32_MAX) sink = (sink + 1) & 0xffff;
}

// A bare infinite loop: the scan at registration must name this function.
EXPORT("spin_bare") __attribute__((noinline)) void spin_bare(void) {
  for (;;) __asm__ volatile("");
}

// Spins for about `millions` million rounds and returns: for tests of fairness and of CPU limits.
EXPORT("burn") uint32_t burn(uint32_t millions) {
  uint32_t x = 1;
  for (uint64_t i = 0; i < (uint64_t)millions * 1000000; i++) x = x * 1664525 + 1013904223;
  return sink = x;
}

// Grows memory until the host refuses; returns the pages reached (a refusal is the normal answer to a guest).
EXPORT("grow") uint32_t grow(void) {
  while (__builtin_wasm_memory_grow(0, 16) != (size_t)-1) {
  }
  return (uint32_t)__builtin_wasm_memory_size(0);
}

// The same, but it dies when refused, as a program out of memory does.
EXPORT("grow_or_trap") void grow_or_trap(void) {
  grow();
  __builtin_trap();
}

// Touches `megabytes` of memory; returns how many it could have.
EXPORT("touch") uint32_t touch(uint32_t megabytes) {
  uint32_t done = 0;
  for (; done < megabytes; done++) {
    volatile char *block = malloc(1 << 20);
    if (block == NULL) break;
    for (uint32_t i = 0; i < 1 << 20; i += 4096) block[i] = 1;
  }
  return done;
}

EXPORT("trap") void trap(void) { __builtin_trap(); }

EXPORT("divide") int32_t divide(int32_t a, int32_t b) { return a / b; }

EXPORT("out_of_bounds") int32_t out_of_bounds(void) { return *(volatile int32_t *)(uintptr_t)0xfffffff0U; }

EXPORT("recurse") __attribute__((noinline)) uint32_t recurse(uint32_t depth) {
  volatile uint32_t here = depth;
  return depth == 0 ? 0 : recurse(depth - 1) + (here != 0);
}

// Writes `kilobytes` to standard output; returns those that were taken.
EXPORT("print") uint32_t print(uint32_t kilobytes) {
  static char line[1024];
  for (uint32_t i = 0; i < sizeof line; i++) line[i] = (char)('a' + i % 26);
  line[sizeof line - 1] = '\n';
  uint32_t done = 0;
  while (done < kilobytes && fwrite(line, 1, sizeof line, stdout) == sizeof line) done++;
  fflush(stdout);
  return done;
}

EXPORT("complain") void complain(void) { fputs("something on standard error\n", stderr); }

EXPORT("quit") void quit(int32_t code) { exit(code); }

// A counter in the module's memory: a fresh instance for each call answers 1 every time.
EXPORT("remember") uint32_t remember(void) {
  static uint32_t calls;
  return ++calls;
}
