// A wasi:http 0.2 handler with no more calls to the host than an answer with a body needs. The body is complete before
// the response is handed over, so that a host can send it all at once.
#include "hello.h"

#ifndef REPLY
#define REPLY "Hello, world!\n"
#endif

#define LITERAL(text) {(uint8_t *)(text), sizeof(text) - 1}
#define DIGITS(n) {(char)('0' + (n) / 10), (char)('0' + (n) % 10)}

static const char reply[] = REPLY;
static const char reply_length[2] = DIGITS(sizeof REPLY - 1);
_Static_assert(sizeof REPLY - 1 >= 10 && sizeof REPLY - 1 < 100, "its length is written with two digits");

static wasi_http_types_tuple2_field_name_field_value_t header_fields[] = {
    {LITERAL("content-type"), LITERAL("text/plain")},
    {LITERAL("content-length"), {(uint8_t *)reply_length, sizeof reply_length}},
};

static void write_reply(wasi_http_types_borrow_outgoing_body_t body) {
  wasi_http_types_own_output_stream_t stream;
  wasi_io_streams_stream_error_t stream_error;
  if (!wasi_http_types_method_outgoing_body_write(body, &stream)) __builtin_trap();

  const wasi_io_streams_borrow_output_stream_t out = wasi_io_streams_borrow_output_stream(stream);
  hello_list_u8_t bytes = LITERAL(reply);
  uint64_t permit;
  // A new stream takes this little at once; only if it does not, wait for it.
  if (wasi_io_streams_method_output_stream_check_write(out, &permit, &stream_error) && permit >= bytes.len) {
    wasi_io_streams_method_output_stream_write(out, &bytes, &stream_error);
  } else {
    wasi_io_streams_method_output_stream_blocking_write_and_flush(out, &bytes, &stream_error);
  }
  wasi_io_streams_output_stream_drop_own(stream);
}

void exports_wasi_http_incoming_handler_handle(exports_wasi_http_incoming_handler_own_incoming_request_t request,
                                               exports_wasi_http_incoming_handler_own_response_outparam_t out) {
  (void)request;
  wasi_http_types_list_tuple2_field_name_field_value_t fields = {header_fields,
                                                                 sizeof header_fields / sizeof *header_fields};
  wasi_http_types_own_fields_t headers;
  wasi_http_types_header_error_t header_error;
  if (!wasi_http_types_static_fields_from_list(&fields, &headers, &header_error)) __builtin_trap();

  wasi_http_types_result_own_outgoing_response_error_code_t result = {.is_err = false};
  result.val.ok = wasi_http_types_constructor_outgoing_response(headers);
  wasi_http_types_own_outgoing_body_t body;
  if (!wasi_http_types_method_outgoing_response_body(wasi_http_types_borrow_outgoing_response(result.val.ok), &body)) {
    __builtin_trap();
  }
  write_reply(wasi_http_types_borrow_outgoing_body(body));
  wasi_http_types_error_code_t error;
  wasi_http_types_static_outgoing_body_finish(body, NULL, &error);
  wasi_http_types_static_response_outparam_set(out, &result);
}
