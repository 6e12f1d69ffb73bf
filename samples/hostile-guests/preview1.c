// The same intent through Preview 1.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wasi/api.h>

#define EXPORT(name) __attribute__((export_name(name)))

extern char **environ;

// Spins in calls of the host that come back at once.
EXPORT("spin_asking") void spin_asking(void) {
  __wasi_timestamp_t now;
  for (;;) (void)__wasi_clock_time_get(__WASI_CLOCKID_MONOTONIC, 1, &now);
}

// Spins in waits so short that no tick ever finds it at work.
EXPORT("spin_waiting") void spin_waiting(uint32_t nanoseconds, uint32_t rounds_between) {
  volatile uint32_t sink = 0;
  for (;;) {
    const __wasi_subscription_t due = {
        .u = {.tag = __WASI_EVENTTYPE_CLOCK,
              .u = {.clock = {.id = __WASI_CLOCKID_MONOTONIC, .timeout = nanoseconds, .precision = 1}}}};
    __wasi_event_t event;
    __wasi_size_t count;
    (void)__wasi_poll_oneoff(&due, &event, 1, &count);
    for (uint32_t i = 0; i < rounds_between; i++) sink = sink + i;
  }
}

// Exhausts the stack with a call of the host in every frame; the host needs some of it, too.
EXPORT("recurse_asking") __attribute__((noinline)) uint32_t recurse_asking(uint32_t depth) {
  volatile uint8_t here[64];
  (void)__wasi_random_get((uint8_t *)here, sizeof here);
  return depth == 0 ? 0 : recurse_asking(depth - 1) + here[depth % sizeof here];
}

// Writes without end to standard output (1) or error (2), whatever the host answers.
EXPORT("flood") void flood(uint32_t stream) {
  static uint8_t text[65536];
  memset(text, 'x', sizeof text);
  const __wasi_ciovec_t piece = {text, sizeof text};
  __wasi_size_t written;
  for (;;) (void)__wasi_fd_write(stream, &piece, 1, &written);
}

// One wait for `count` clocks.
EXPORT("poll_many") int32_t poll_many(uint32_t count) {
  __wasi_subscription_t *wanted = calloc(count, sizeof *wanted);
  __wasi_event_t *events = calloc(count, sizeof *events);
  if (wanted == NULL || events == NULL) __builtin_trap();
  for (uint32_t i = 0; i < count; i++) {
    wanted[i].u.tag = __WASI_EVENTTYPE_CLOCK;
    wanted[i].u.u.clock.id = __WASI_CLOCKID_MONOTONIC;
    wanted[i].u.u.clock.timeout = 1;
  }
  __wasi_size_t got = 0;
  const __wasi_errno_t error = __wasi_poll_oneoff(wanted, events, count, &got);
  return error != 0 ? -(int32_t)error : (int32_t)got;
}

// The variables of the environment; each is also written to standard output.
EXPORT("environment") uint32_t environment(void) {
  __wasi_size_t count = 0, size = 0;
  if (__wasi_environ_sizes_get(&count, &size) != 0) return 0;
  uint8_t **names = malloc((count + 1) * sizeof *names);
  uint8_t *text = malloc(size + 1);
  if (names == NULL || text == NULL || __wasi_environ_get(names, text) != 0) return 0;
  for (uint32_t i = 0; i < count; i++) {
    __wasi_size_t written;
    const __wasi_ciovec_t line = {names[i], strlen((const char *)names[i])};
    (void)__wasi_fd_write(1, &line, 1, &written);
  }
  return count;
}

// The descriptors that are open from the start, other than the three streams.
EXPORT("descriptors") uint32_t descriptors(void) {
  uint32_t open = 0;
  for (__wasi_fd_t fd = 3; fd < 1024; fd++) {
    __wasi_fdstat_t stat;
    if (__wasi_fd_fdstat_get(fd, &stat) == 0) open++;
  }
  return open;
}

// Opens the folder of descriptor 3 `count` times; how often that worked.
EXPORT("open_many") uint32_t open_many(uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    __wasi_fd_t opened;
    if (__wasi_path_open(3, 0, ".", __WASI_OFLAGS_DIRECTORY, 0, 0, 0, &opened) != 0) return i;
  }
  return count;
}
