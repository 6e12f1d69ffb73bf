// A wasi:http 0.2 handler that makes a server work for it: bodies streamed both ways, trailers, waiting, failing.
//
//   /           the request's body and trailers back, as they come, with its content-type
//   /trap       an unreachable instruction, before any answer
//   /trap-late  the same after the head and a first chunk were sent
//   /silent     returns without an answer
//   /spin       never comes back
//   /sleep?ms=N answers after a wait in the host
//   /chunks?n=N answers with N chunks of 1024 bytes
//   /status?code=N  answers with that status
//   /headers    the request line and headers as text
//   /env        the environment as text
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "echo.h"

#define LITERAL(text) {(uint8_t *)(text), sizeof(text) - 1}

typedef wasi_http_types_borrow_incoming_request_t request_t;
typedef wasi_http_types_own_response_outparam_t reply_t;

// An answer on its way: the stream is a child of the body and must be dropped before it.
typedef struct {
  wasi_http_types_own_outgoing_body_t body;
  wasi_http_types_own_output_stream_t stream;
} answer_t;

static void set_field(wasi_http_types_borrow_fields_t fields, const char *name, wasi_http_types_list_field_value_t value) {
  wasi_http_types_field_name_t field_name = {(uint8_t *)name, strlen(name)};
  wasi_http_types_header_error_t error;
  wasi_http_types_method_fields_set(fields, &field_name, &value, &error);
}

static answer_t start_answer(reply_t reply, wasi_http_types_own_fields_t headers, uint16_t status) {
  wasi_http_types_result_own_outgoing_response_error_code_t result = {.is_err = false};
  result.val.ok = wasi_http_types_constructor_outgoing_response(headers);
  const wasi_http_types_borrow_outgoing_response_t response = wasi_http_types_borrow_outgoing_response(result.val.ok);
  wasi_http_types_method_outgoing_response_set_status_code(response, status);
  answer_t answer;
  wasi_http_types_method_outgoing_response_body(response, &answer.body);
  wasi_http_types_static_response_outparam_set(reply, &result);
  wasi_http_types_method_outgoing_body_write(wasi_http_types_borrow_outgoing_body(answer.body), &answer.stream);
  return answer;
}

static answer_t start_text(reply_t reply, uint16_t status) {
  wasi_http_types_own_fields_t headers = wasi_http_types_constructor_fields();
  wasi_http_types_field_value_t text_plain = LITERAL("text/plain");
  set_field(wasi_http_types_borrow_fields(headers), "content-type",
            (wasi_http_types_list_field_value_t){&text_plain, 1});
  return start_answer(reply, headers, status);
}

// False when the client is gone.
static bool send(answer_t *answer, const void *bytes, size_t length) {
  const wasi_io_streams_borrow_output_stream_t out = wasi_io_streams_borrow_output_stream(answer->stream);
  wasi_io_streams_stream_error_t error;
  while (length > 0) {
    // 4096 is what this call takes at most.
    echo_list_u8_t piece = {(uint8_t *)bytes, length < 4096 ? length : 4096};
    if (!wasi_io_streams_method_output_stream_blocking_write_and_flush(out, &piece, &error)) return false;
    bytes = (const uint8_t *)bytes + piece.len;
    length -= piece.len;
  }
  return true;
}

static void finish(answer_t *answer, wasi_http_types_own_trailers_t *trailers) {
  wasi_io_streams_output_stream_drop_own(answer->stream);
  wasi_http_types_error_code_t error;
  wasi_http_types_static_outgoing_body_finish(answer->body, trailers, &error);
}

static wasi_http_types_own_trailers_t *await_trailers(wasi_http_types_own_incoming_body_t body) {
  static wasi_http_types_own_trailers_t trailers;
  wasi_http_types_own_future_trailers_t future = wasi_http_types_static_incoming_body_finish(body);
  const wasi_http_types_borrow_future_trailers_t pending = wasi_http_types_borrow_future_trailers(future);
  wasi_http_types_result_result_option_own_trailers_error_code_void_t got;
  while (!wasi_http_types_method_future_trailers_get(pending, &got)) {
    wasi_http_types_own_pollable_t ready = wasi_http_types_method_future_trailers_subscribe(pending);
    wasi_io_poll_method_pollable_block(wasi_io_poll_borrow_pollable(ready));
    wasi_io_poll_pollable_drop_own(ready);
  }
  if (got.is_err || got.val.ok.is_err || !got.val.ok.val.ok.is_some) return NULL;
  trailers = got.val.ok.val.ok.val;
  return &trailers;
}

// Copies at most 64 KiB at a time: a body of any size passes through this little memory.
static void copy_body(wasi_http_types_borrow_incoming_body_t body, answer_t *answer) {
  wasi_http_types_own_input_stream_t stream;
  if (!wasi_http_types_method_incoming_body_stream(body, &stream)) return;
  const wasi_io_streams_borrow_input_stream_t in = wasi_io_streams_borrow_input_stream(stream);
  wasi_io_streams_stream_error_t error;
  echo_list_u8_t bytes;
  bool sent = true;
  while (sent && wasi_io_streams_method_input_stream_blocking_read(in, 65536, &bytes, &error)) {
    sent = send(answer, bytes.ptr, bytes.len);
    echo_list_u8_free(&bytes);
  }
  wasi_io_streams_input_stream_drop_own(stream);
}

static void echo(request_t request, reply_t reply) {
  wasi_http_types_own_fields_t headers = wasi_http_types_constructor_fields();
  wasi_http_types_own_headers_t requested = wasi_http_types_method_incoming_request_headers(request);
  wasi_http_types_field_name_t content_type = LITERAL("content-type");
  wasi_http_types_list_field_value_t type;
  wasi_http_types_method_fields_get(wasi_http_types_borrow_fields(requested), &content_type, &type);
  if (type.len > 0) set_field(wasi_http_types_borrow_fields(headers), "content-type", type);
  wasi_http_types_fields_drop_own(requested);

  wasi_http_types_own_incoming_body_t body;
  if (!wasi_http_types_method_incoming_request_consume(request, &body)) __builtin_trap();
  answer_t answer = start_answer(reply, headers, 200);
  copy_body(wasi_http_types_borrow_incoming_body(body), &answer);
  finish(&answer, await_trailers(body));
}

static void send_pair(answer_t *answer, const uint8_t *name, size_t name_length, const char *between,
                      const uint8_t *value, size_t value_length) {
  send(answer, name, name_length);
  send(answer, between, strlen(between));
  send(answer, value, value_length);
  send(answer, "\n", 1);
}

static void headers_as_text(request_t request, const char *path, reply_t reply) {
  static const char *const methods[] = {"GET",     "HEAD",    "POST",  "PUT",   "DELETE",
                                        "CONNECT", "OPTIONS", "TRACE", "PATCH", "other"};
  wasi_http_types_method_t method;
  wasi_http_types_method_incoming_request_method(request, &method);
  wasi_http_types_own_headers_t headers = wasi_http_types_method_incoming_request_headers(request);
  wasi_http_types_list_tuple2_field_name_field_value_t entries;
  wasi_http_types_method_fields_entries(wasi_http_types_borrow_fields(headers), &entries);
  answer_t answer = start_text(reply, 200);
  send_pair(&answer, (const uint8_t *)methods[method.tag], strlen(methods[method.tag]), " ", (const uint8_t *)path,
            strlen(path));
  echo_string_t authority;
  if (wasi_http_types_method_incoming_request_authority(request, &authority)) {
    send_pair(&answer, (const uint8_t *)"authority", 9, ": ", authority.ptr, authority.len);
  }
  for (size_t i = 0; i < entries.len; i++) {
    send_pair(&answer, entries.ptr[i].f0.ptr, entries.ptr[i].f0.len, ": ", entries.ptr[i].f1.ptr,
              entries.ptr[i].f1.len);
  }
  finish(&answer, NULL);
}

static void environment_as_text(reply_t reply) {
  echo_list_tuple2_string_string_t environment;
  wasi_cli_environment_get_environment(&environment);
  answer_t answer = start_text(reply, 200);
  for (size_t i = 0; i < environment.len; i++) {
    send_pair(&answer, environment.ptr[i].f0.ptr, environment.ptr[i].f0.len, "=", environment.ptr[i].f1.ptr,
              environment.ptr[i].f1.len);
  }
  finish(&answer, NULL);
}

static void text(reply_t reply, uint16_t status, const char *words) {
  answer_t answer = start_text(reply, status);
  send(&answer, words, strlen(words));
  finish(&answer, NULL);
}

static void sleep_in_host(uint64_t milliseconds) {
  wasi_io_poll_own_pollable_t later = wasi_clocks_monotonic_clock_subscribe_duration(milliseconds * 1000000);
  wasi_io_poll_method_pollable_block(wasi_io_poll_borrow_pollable(later));
  wasi_io_poll_pollable_drop_own(later);
}

static void chunks(reply_t reply, uint64_t count) {
  static uint8_t chunk[1024];
  memset(chunk, 'x', sizeof chunk - 1);
  chunk[sizeof chunk - 1] = '\n';
  answer_t answer = start_text(reply, 200);
  for (uint64_t i = 0; i < count && send(&answer, chunk, sizeof chunk); i++) {
  }
  finish(&answer, NULL);
}

static void trap_late(reply_t reply) {
  answer_t answer = start_text(reply, 200);
  send(&answer, "so far so good\n", 15);
  __builtin_trap();
}

static void spin(void) {
  for (volatile uint32_t rounds = 0;; rounds++) {
  }
}

// The number after `key=` in the path's query, or `otherwise`.
static uint64_t query_number(const char *path, const char *key, uint64_t otherwise) {
  const char *query = strchr(path, '?');
  const char *found = query == NULL ? NULL : strstr(query, key);
  return found == NULL ? otherwise : strtoull(found + strlen(key), NULL, 10);
}

static bool is(const char *path, const char *route) {
  const size_t length = strlen(route);
  return strncmp(path, route, length) == 0 && (path[length] == '\0' || path[length] == '?');
}

void exports_wasi_http_incoming_handler_handle(exports_wasi_http_incoming_handler_own_incoming_request_t own,
                                               exports_wasi_http_incoming_handler_own_response_outparam_t reply) {
  const request_t request = wasi_http_types_borrow_incoming_request(own);
  static char path[2048];
  echo_string_t target = {0};
  wasi_http_types_method_incoming_request_path_with_query(request, &target);
  snprintf(path, sizeof path, "%.*s", (int)target.len, (const char *)target.ptr);

  // Deployed under a path prefix such as /m/echo, the last segment is the route.
  const size_t before_query = strcspn(path, "?");
  const char *route = path;
  for (size_t i = 0; i < before_query; i++) {
    if (path[i] == '/') route = path + i;
  }

  if (is(route, "/trap")) __builtin_trap();
  if (is(route, "/trap-late")) trap_late(reply);
  if (is(route, "/silent")) return;
  if (is(route, "/spin")) spin();
  if (is(route, "/sleep")) {
    sleep_in_host(query_number(route, "ms=", 10));
    text(reply, 200, "slept\n");
  } else if (is(route, "/chunks")) {
    chunks(reply, query_number(route, "n=", 3));
  } else if (is(route, "/status")) {
    text(reply, (uint16_t)query_number(route, "code=", 200), "as asked\n");
  } else if (is(route, "/headers")) {
    headers_as_text(request, path, reply);
  } else if (is(route, "/env")) {
    environment_as_text(reply);
  } else {
    echo(request, reply);
  }
  wasi_http_types_incoming_request_drop_own(own);
}
