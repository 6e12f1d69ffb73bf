// A wasi:http 0.3 handler: `handle` is an async function, the body a stream and the trailers a future that it writes
// after it has returned the response. Written with callbacks: the task sleeps in the host between them.
#include "hello.h"

typedef wasi_http_types_future_result_option_own_trailers_error_code_t trailers_reader;
typedef wasi_http_types_future_result_option_own_trailers_error_code_writer_t trailers_writer;

#define LITERAL(text) {(uint8_t *)(text), sizeof(text) - 1}

static const char reply[] = "Hello, world!\n";

static wasi_http_types_tuple2_field_name_field_value_t header_fields[] = {
    {LITERAL("content-type"), LITERAL("text/plain")},
    {LITERAL("content-length"), LITERAL("14")},
};

static wasi_http_types_stream_u8_writer_t body;
static trailers_writer trailers;
static const wasi_http_types_result_option_own_trailers_error_code_t no_trailers;
static hello_waitable_set_t waiting;
static int unfinished;

static void body_written(void) { wasi_http_types_stream_u8_drop_writable(body); }
static void trailers_written(void) {
  wasi_http_types_future_result_option_own_trailers_error_code_drop_writable(trailers);
}

static void wait_for(uint32_t waitable) {
  if (unfinished++ == 0) waiting = hello_waitable_set_new();
  hello_waitable_join(waitable, waiting);
}

static hello_callback_code_t next_step(void) {
  return unfinished > 0 ? HELLO_CALLBACK_CODE_WAIT(waiting) : HELLO_CALLBACK_CODE_EXIT;
}

hello_callback_code_t exports_wasi_http_handler_handle(exports_wasi_http_handler_own_request_t request) {
  wasi_http_types_request_drop_own(request);

  wasi_http_types_list_tuple2_field_name_field_value_t fields = {header_fields,
                                                                 sizeof header_fields / sizeof *header_fields};
  wasi_http_types_own_fields_t headers;
  wasi_http_types_header_error_t header_error;
  if (!wasi_http_types_static_fields_from_list(&fields, &headers, &header_error)) __builtin_trap();

  wasi_http_types_stream_u8_t contents = wasi_http_types_stream_u8_new(&body);
  trailers_reader end = wasi_http_types_future_result_option_own_trailers_error_code_new(&trailers);
  wasi_http_types_tuple2_own_response_future_result_void_error_code_t response;
  wasi_http_types_static_response_new(headers, &contents, end, &response);
  wasi_http_types_future_result_void_error_code_drop_readable(response.f1);
  exports_wasi_http_handler_result_own_response_error_code_t result = {.is_err = false};
  result.val.ok = response.f0;
  exports_wasi_http_handler_handle_return(result);

  if (wasi_http_types_stream_u8_write(body, (const uint8_t *)reply, sizeof reply - 1) ==
      HELLO_WAITABLE_STATUS_BLOCKED) {
    wait_for(body);
  } else {
    body_written();
  }
  if (wasi_http_types_future_result_option_own_trailers_error_code_write(trailers, &no_trailers) ==
      HELLO_WAITABLE_STATUS_BLOCKED) {
    wait_for(trailers);
  } else {
    trailers_written();
  }
  return next_step();
}

hello_callback_code_t exports_wasi_http_handler_handle_callback(hello_event_t *event) {
  switch (event->event) {
    case HELLO_EVENT_STREAM_WRITE:
      body_written();
      unfinished--;
      break;
    case HELLO_EVENT_FUTURE_WRITE:
      trailers_written();
      unfinished--;
      break;
    default:  // the caller has gone
      return HELLO_CALLBACK_CODE_EXIT;
  }
  return next_step();
}
