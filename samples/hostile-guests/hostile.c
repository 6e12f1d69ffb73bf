// A component that takes from the host whatever a limit on its own memory does not see. Each function answers how far it
// came, where it comes back.
#include "hostile.h"

#include <string.h>

#define LITERAL(text) {(uint8_t *)(text), sizeof(text) - 1}

// Memory that is never given back: a list may then name one string many times, and its end frees nothing twice.
static size_t used;
void *malloc(size_t size) {
  extern char __heap_base;
  if (used == 0) used = (size_t)&__heap_base;
  size_t *block = (size_t *)((used + 15) & ~(size_t)15);
  used = (size_t)block + 16 + size;
  const size_t pages = (used + 65535) / 65536, there = __builtin_wasm_memory_size(0);
  if (pages > there && __builtin_wasm_memory_grow(0, pages - there) == (size_t)-1) __builtin_trap();
  block[0] = size;
  return (char *)block + 16;
}
void free(void *block) { (void)block; }
void *calloc(size_t count, size_t size) { return malloc(count * size); }  // fresh pages are zero
void *realloc(void *block, size_t size) {
  void *larger = malloc(size);
  if (block != NULL) {
    const size_t old = ((size_t *)block)[-4];
    memcpy(larger, block, old < size ? old : size);
  }
  return larger;
}

static uint8_t *text_of(uint32_t bytes) {
  uint8_t *text = malloc(bytes);
  memset(text, 'x', bytes);
  return text;
}

uint32_t exports_hostile_timers(uint32_t count) {
  const uint64_t hour = 3600000000000ULL;
  for (uint32_t i = 0; i < count; i++) {
    wasi_clocks_monotonic_clock_subscribe_duration(hour);
  }
  return count;
}

uint32_t exports_hostile_streams(uint32_t count) {
  for (uint32_t i = 0; i < count; i++) wasi_cli_stdout_get_stdout();
  return count;
}

uint32_t exports_hostile_files(uint32_t count) {
  wasi_filesystem_preopens_list_tuple2_own_descriptor_string_t folders;
  wasi_filesystem_preopens_get_directories(&folders);
  if (folders.len == 0) return 0;
  for (uint32_t i = 0; i < count; i++) {
    hostile_string_t here = LITERAL(".");
    wasi_filesystem_types_own_descriptor_t opened;
    wasi_filesystem_types_error_code_t error;
    if (!wasi_filesystem_types_method_descriptor_open_at(
            wasi_filesystem_types_borrow_descriptor(folders.ptr[0].f0), 0, &here, WASI_FILESYSTEM_TYPES_OPEN_FLAGS_DIRECTORY,
            WASI_FILESYSTEM_TYPES_DESCRIPTOR_FLAGS_READ, &opened, &error)) {
      return i;
    }
  }
  return count;
}

// A set of fields that takes no more.
static wasi_http_types_own_fields_t full_fields(void) {
  static uint8_t text[4096];
  wasi_http_types_own_fields_t fields = wasi_http_types_constructor_fields();
  wasi_http_types_field_name_t name = LITERAL("x-field");
  wasi_http_types_field_value_t value = {text, sizeof text};
  wasi_http_types_header_error_t error;
  memset(text, 'x', sizeof text);
  // Beyond its size the host refuses, or ends this call.
  for (int i = 0; i < 15; i++) {
    if (!wasi_http_types_method_fields_append(wasi_http_types_borrow_fields(fields), &name, &value, &error)) break;
  }
  return fields;
}

uint32_t exports_hostile_field_sets(uint32_t count) {
  for (uint32_t i = 0; i < count; i++) full_fields();
  return count;
}

uint32_t exports_hostile_field_values(uint32_t count, uint32_t bytes) {
  wasi_http_types_own_fields_t fields = wasi_http_types_constructor_fields();
  wasi_http_types_field_name_t name = LITERAL("x-field");
  wasi_http_types_field_value_t value = {text_of(bytes), bytes};
  wasi_http_types_header_error_t error;
  for (uint32_t i = 0; i < count; i++) {
    if (!wasi_http_types_method_fields_append(wasi_http_types_borrow_fields(fields), &name, &value, &error)) return i;
  }
  return count;
}

uint32_t exports_hostile_bodies(uint32_t count) {
  hostile_list_u8_t bytes = {text_of(1 << 20), 1 << 20};
  for (uint32_t i = 0; i < count; i++) {
    wasi_http_types_own_outgoing_request_t request =
        wasi_http_types_constructor_outgoing_request(wasi_http_types_constructor_fields());
    wasi_http_types_own_outgoing_body_t body;
    wasi_http_types_own_output_stream_t stream;
    wasi_io_streams_stream_error_t error;
    uint64_t permit = 0;
    if (!wasi_http_types_method_outgoing_request_body(wasi_http_types_borrow_outgoing_request(request), &body)) return i;
    if (!wasi_http_types_method_outgoing_body_write(wasi_http_types_borrow_outgoing_body(body), &stream)) return i;
    const wasi_io_streams_borrow_output_stream_t out = wasi_io_streams_borrow_output_stream(stream);
    if (!wasi_io_streams_method_output_stream_check_write(out, &permit, &error)) return i;
    hostile_list_u8_t piece = {bytes.ptr, permit < bytes.len ? permit : bytes.len};
    if (!wasi_io_streams_method_output_stream_write(out, &piece, &error)) return i;
  }
  return count;
}

uint32_t exports_hostile_poll_one_often(uint32_t count) {
  const wasi_io_poll_own_pollable_t ready = wasi_clocks_monotonic_clock_subscribe_duration(0);
  wasi_io_poll_list_borrow_pollable_t list = {malloc(count * sizeof(wasi_io_poll_borrow_pollable_t)), count};
  for (uint32_t i = 0; i < count; i++) list.ptr[i] = wasi_io_poll_borrow_pollable(ready);
  hostile_list_u32_t found;
  wasi_io_poll_poll(&list, &found);
  return found.len;
}

bool exports_hostile_header_list(uint32_t count, uint32_t bytes) {
  wasi_http_types_field_name_t name = LITERAL("x-field");
  wasi_http_types_field_value_t value = {text_of(bytes), bytes};
  wasi_http_types_list_tuple2_field_name_field_value_t list = {
      malloc(count * sizeof(wasi_http_types_tuple2_field_name_field_value_t)), count};
  for (uint32_t i = 0; i < count; i++) {
    list.ptr[i].f0 = name;
    list.ptr[i].f1 = value;
  }
  wasi_http_types_own_fields_t fields;
  wasi_http_types_header_error_t error;
  return wasi_http_types_static_fields_from_list(&list, &fields, &error);
}

bool exports_hostile_write_at_once(uint32_t bytes) {
  hostile_list_u8_t all = {text_of(bytes), bytes};
  wasi_io_streams_stream_error_t error;
  const wasi_cli_stdout_own_output_stream_t out = wasi_cli_stdout_get_stdout();
  return wasi_io_streams_method_output_stream_write(wasi_io_streams_borrow_output_stream(out), &all, &error);
}

uint64_t exports_hostile_random_bytes(uint64_t bytes) {
  hostile_list_u8_t got;
  wasi_random_random_get_random_bytes(bytes, &got);
  return got.len;
}

void exports_hostile_bytes(uint32_t count, hostile_list_u8_t *ret) {
  ret->ptr = text_of(count);
  ret->len = count;
}

void exports_hostile_strings(uint32_t count, uint32_t bytes, hostile_list_string_t *ret) {
  const hostile_string_t text = {text_of(bytes), bytes};
  ret->ptr = malloc(count * sizeof text);
  ret->len = count;
  for (uint32_t i = 0; i < count; i++) ret->ptr[i] = text;
}

uint32_t exports_hostile_echo(hostile_list_string_t *values) { return values->len; }

void exports_hostile_environment(hostile_list_tuple2_string_string_t *ret) { wasi_cli_environment_get_environment(ret); }

void exports_hostile_directories(hostile_list_string_t *ret) {
  wasi_filesystem_preopens_list_tuple2_own_descriptor_string_t folders;
  wasi_filesystem_preopens_get_directories(&folders);
  ret->ptr = malloc(folders.len * sizeof(hostile_string_t));
  ret->len = folders.len;
  for (size_t i = 0; i < folders.len; i++) ret->ptr[i] = folders.ptr[i].f1;
}

uint32_t exports_hostile_spin_waiting(uint64_t nanoseconds, uint32_t rounds_between) {
  volatile uint32_t sink = 0;
  for (;;) {
    const wasi_io_poll_own_pollable_t due = wasi_clocks_monotonic_clock_subscribe_duration(nanoseconds);
    wasi_io_poll_method_pollable_block(wasi_io_poll_borrow_pollable(due));
    wasi_io_poll_pollable_drop_own(due);
    for (uint32_t i = 0; i < rounds_between; i++) sink = sink + i;
  }
}

// ---- /endless answers without end, /headers with 1 MiB of fields, /spin not at all -------------------------------

static bool asks_for(exports_wasi_http_incoming_handler_own_incoming_request_t request, const char *path) {
  hostile_string_t asked;
  return wasi_http_types_method_incoming_request_path_with_query(wasi_http_types_borrow_incoming_request(request),
                                                                 &asked) &&
         asked.len == strlen(path) && memcmp(asked.ptr, path, asked.len) == 0;
}

void exports_wasi_http_incoming_handler_handle(exports_wasi_http_incoming_handler_own_incoming_request_t request,
                                               exports_wasi_http_incoming_handler_own_response_outparam_t reply) {
  wasi_http_types_own_fields_t headers = wasi_http_types_constructor_fields();
  if (asks_for(request, "/spin")) {
    for (volatile uint32_t i = 0;; i = i + 1) {
    }
  }
  if (asks_for(request, "/headers")) {
    static uint8_t text[1024];
    memset(text, 'x', sizeof text);
    wasi_http_types_field_name_t name = LITERAL("x-field");
    wasi_http_types_field_value_t value = {text, sizeof text};
    wasi_http_types_header_error_t error;
    for (int i = 0; i < 1024; i++) {
      if (!wasi_http_types_method_fields_append(wasi_http_types_borrow_fields(headers), &name, &value, &error)) break;
    }
  }
  wasi_http_types_result_own_outgoing_response_error_code_t result = {.is_err = false};
  result.val.ok = wasi_http_types_constructor_outgoing_response(headers);
  wasi_http_types_own_outgoing_body_t body;
  wasi_http_types_own_output_stream_t stream;
  wasi_io_streams_stream_error_t error;
  wasi_http_types_method_outgoing_response_body(wasi_http_types_borrow_outgoing_response(result.val.ok), &body);
  wasi_http_types_static_response_outparam_set(reply, &result);
  wasi_http_types_method_outgoing_body_write(wasi_http_types_borrow_outgoing_body(body), &stream);
  if (asks_for(request, "/endless")) {
    hostile_list_u8_t piece = {text_of(4096), 4096};
    while (wasi_io_streams_method_output_stream_blocking_write_and_flush(wasi_io_streams_borrow_output_stream(stream),
                                                                         &piece, &error)) {
    }
  }
  wasi_io_streams_output_stream_drop_own(stream);
  wasi_http_types_error_code_t code;
  wasi_http_types_static_outgoing_body_finish(body, NULL, &code);
}
