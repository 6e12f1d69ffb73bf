// Reaches for hosts, addresses, bytes and time that it may not have, and gives back what the host said to it.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hostile_net.h"

typedef wasi_http_types_error_code_t http_error;
typedef hostile_net_socket_error_t socket_error;
typedef wasi_http_types_own_incoming_response_t response_t;

#define PIECE 4096
#define KEPT 1024

static void wait_for(wasi_io_poll_own_pollable_t pollable) {
  wasi_io_poll_method_pollable_block(wasi_io_poll_borrow_pollable(pollable));
  wasi_io_poll_pollable_drop_own(pollable);
}

static bool internal(http_error *error) {
  error->tag = WASI_HTTP_TYPES_ERROR_CODE_INTERNAL_ERROR;
  error->val.internal_error.is_some = false;
  return false;
}

// What a stream's failure was for HTTP.
static bool stream_failure(wasi_io_streams_stream_error_t *failure, http_error *error) {
  if (failure->tag != WASI_IO_STREAMS_STREAM_ERROR_LAST_OPERATION_FAILED) return internal(error);
  const bool known = wasi_http_types_http_error_code(
      wasi_io_error_borrow_error(failure->val.last_operation_failed), error);
  return known ? false : internal(error);
}

static wasi_http_types_own_outgoing_request_t make(bool https, hostile_net_string_t *authority, hostile_net_string_t *path,
                                                   wasi_http_types_own_fields_t headers, bool post) {
  wasi_http_types_own_outgoing_request_t request = wasi_http_types_constructor_outgoing_request(headers);
  const wasi_http_types_borrow_outgoing_request_t borrowed = wasi_http_types_borrow_outgoing_request(request);
  wasi_http_types_method_t method = {.tag = post ? WASI_HTTP_TYPES_METHOD_POST : WASI_HTTP_TYPES_METHOD_GET};
  wasi_http_types_scheme_t scheme = {.tag = https ? WASI_HTTP_TYPES_SCHEME_HTTPS : WASI_HTTP_TYPES_SCHEME_HTTP};
  wasi_http_types_method_outgoing_request_set_method(borrowed, &method);
  wasi_http_types_method_outgoing_request_set_scheme(borrowed, &scheme);
  wasi_http_types_method_outgoing_request_set_authority(borrowed, authority);
  wasi_http_types_method_outgoing_request_set_path_with_query(borrowed, path);
  return request;
}

// Sends `size` bytes, those of `bytes` where it is not NULL, as far as the host takes them.
static void send_body(wasi_http_types_own_outgoing_body_t body, const char *bytes, size_t size) {
  static uint8_t filler[PIECE];
  wasi_http_types_own_output_stream_t stream;
  wasi_http_types_method_outgoing_body_write(wasi_http_types_borrow_outgoing_body(body), &stream);
  bool taken = true;
  for (size_t done = 0; taken && done < size; done += PIECE) {
    hostile_net_list_u8_t piece = {bytes ? (uint8_t *)bytes + done : filler, size - done < PIECE ? size - done : PIECE};
    wasi_io_streams_stream_error_t failure;
    taken = wasi_io_streams_method_output_stream_blocking_write_and_flush(
        wasi_io_streams_borrow_output_stream(stream), &piece, &failure);
  }
  wasi_io_streams_output_stream_drop_own(stream);
  http_error error;
  if (taken) {
    wasi_http_types_static_outgoing_body_finish(body, NULL, &error);
  } else {
    wasi_http_types_outgoing_body_drop_own(body);
  }
}

static bool read_answer(response_t response, hostile_net_string_t *answer, http_error *error) {
  const uint16_t status =
      wasi_http_types_method_incoming_response_status(wasi_http_types_borrow_incoming_response(response));
  wasi_http_types_own_incoming_body_t body;
  wasi_http_types_own_input_stream_t stream;
  wasi_http_types_method_incoming_response_consume(wasi_http_types_borrow_incoming_response(response), &body);
  wasi_http_types_method_incoming_body_stream(wasi_http_types_borrow_incoming_body(body), &stream);
  static char text[KEPT + 1];
  size_t kept = 0;
  uint64_t total = 0;
  for (;;) {
    hostile_net_list_u8_t piece;
    wasi_io_streams_stream_error_t failure;
    if (!wasi_io_streams_method_input_stream_blocking_read(wasi_io_streams_borrow_input_stream(stream), PIECE, &piece,
                                                           &failure)) {
      if (failure.tag == WASI_IO_STREAMS_STREAM_ERROR_CLOSED) break;
      return stream_failure(&failure, error);
    }
    const size_t room = KEPT - kept < piece.len ? KEPT - kept : piece.len;
    memcpy(text + kept, piece.ptr, room);
    kept += room;
    total += piece.len;
    hostile_net_list_u8_free(&piece);
  }
  text[kept] = 0;
  wasi_io_streams_input_stream_drop_own(stream);
  wasi_http_types_incoming_body_drop_own(body);
  wasi_http_types_incoming_response_drop_own(response);
  char *line = malloc(KEPT + 64);
  snprintf(line, KEPT + 64, "%u %llu %s", status, (unsigned long long)total, text);
  hostile_net_string_set(answer, line);
  return true;
}

static bool answer_to(wasi_http_types_own_outgoing_request_t request, const char *bytes, size_t size,
                      hostile_net_string_t *answer, http_error *error) {
  wasi_http_types_own_outgoing_body_t body;
  wasi_http_types_method_outgoing_request_body(wasi_http_types_borrow_outgoing_request(request), &body);
  wasi_http_outgoing_handler_own_future_incoming_response_t future;
  if (!wasi_http_outgoing_handler_handle(request, NULL, &future, error)) return false;
  send_body(body, bytes, size);
  const wasi_http_types_borrow_future_incoming_response_t pending =
      wasi_http_types_borrow_future_incoming_response(future);
  wait_for(wasi_http_types_method_future_incoming_response_subscribe(pending));
  wasi_http_types_result_result_own_incoming_response_error_code_void_t got;
  if (!wasi_http_types_method_future_incoming_response_get(pending, &got) || got.is_err) return internal(error);
  if (got.val.ok.is_err) {
    *error = got.val.ok.val.err;
    return false;
  }
  const bool read = read_answer(got.val.ok.val.ok, answer, error);
  if (read) wasi_http_types_future_incoming_response_drop_own(future);
  return read;
}

bool exports_hostile_net_fetch(bool https, hostile_net_string_t *authority, hostile_net_string_t *path, uint32_t body,
                               uint32_t times, hostile_net_string_t *ret, hostile_net_error_code_t *err) {
  for (uint32_t i = 0; i < times; i++) {
    const wasi_http_types_own_fields_t headers = wasi_http_types_constructor_fields();
    if (!answer_to(make(https, authority, path, headers, body > 0), NULL, body, ret, err)) return false;
  }
  return true;
}

bool exports_hostile_net_forge(hostile_net_string_t *authority, hostile_net_string_t *path, hostile_net_string_t *name,
                               hostile_net_string_t *value, hostile_net_string_t *ret, hostile_net_error_code_t *err) {
  const wasi_http_types_own_fields_t headers = wasi_http_types_constructor_fields();
  wasi_http_types_field_value_t bytes = {value->ptr, value->len};
  wasi_http_types_header_error_t refused;
  if (!wasi_http_types_method_fields_append(wasi_http_types_borrow_fields(headers), name, &bytes, &refused)) {
    err->tag = WASI_HTTP_TYPES_ERROR_CODE_HTTP_REQUEST_HEADER_SIZE;
    err->val.http_request_header_size.is_some = false;
    return false;
  }
  return answer_to(make(false, authority, path, headers, false), NULL, 0, ret, err);
}

bool exports_hostile_net_recurse(hostile_net_string_t *authority, hostile_net_string_t *module, hostile_net_string_t *ret,
                                 hostile_net_error_code_t *err) {
  static char request[512];
  const int size = snprintf(request, sizeof request,
                            "{\"module\":\"%.*s\",\"function\":\"recurse\",\"params\":[\"%.*s\",\"%.*s\"]}", (int)module->len,
                            (const char *)module->ptr, (int)authority->len, (const char *)authority->ptr,
                            (int)module->len, (const char *)module->ptr);
  hostile_net_string_t path;
  hostile_net_string_set(&path, "/api/v1/wasm/execute");
  const wasi_http_types_own_fields_t headers = wasi_http_types_constructor_fields();
  if (!answer_to(make(false, authority, &path, headers, true), request, (size_t)size, ret, err)) return false;
  // What the last call was told goes back through all of them.
  if (strstr((const char *)ret->ptr, "loop-detected") == NULL) return true;
  err->tag = WASI_HTTP_TYPES_ERROR_CODE_LOOP_DETECTED;
  return false;
}

static uint8_t family_of(const hostile_net_ip_socket_address_t *address) {
  return address->tag == WASI_SOCKETS_NETWORK_IP_SOCKET_ADDRESS_IPV4 ? WASI_SOCKETS_NETWORK_IP_ADDRESS_FAMILY_IPV4
                                                                      : WASI_SOCKETS_NETWORK_IP_ADDRESS_FAMILY_IPV6;
}

bool exports_hostile_net_connect(hostile_net_ip_socket_address_t *to, hostile_net_socket_error_t *err) {
  const wasi_sockets_network_own_network_t network = wasi_sockets_instance_network_instance_network();
  wasi_sockets_tcp_own_tcp_socket_t socket;
  if (!wasi_sockets_tcp_create_socket_create_tcp_socket(family_of(to), &socket, err)) return false;
  const wasi_sockets_tcp_borrow_tcp_socket_t borrowed = wasi_sockets_tcp_borrow_tcp_socket(socket);
  if (!wasi_sockets_tcp_method_tcp_socket_start_connect(borrowed, wasi_sockets_network_borrow_network(network), to, err))
    return false;
  wasi_sockets_tcp_tuple2_own_input_stream_own_output_stream_t streams;
  for (;;) {
    wait_for(wasi_sockets_tcp_method_tcp_socket_subscribe(borrowed));
    if (wasi_sockets_tcp_method_tcp_socket_finish_connect(borrowed, &streams, err)) return true;
    if (*err != WASI_SOCKETS_NETWORK_ERROR_CODE_WOULD_BLOCK) return false;
  }
}

static bool bind_any(wasi_sockets_udp_borrow_udp_socket_t socket, uint8_t family, socket_error *err) {
  const wasi_sockets_network_own_network_t network = wasi_sockets_instance_network_instance_network();
  wasi_sockets_network_ip_socket_address_t any = {.tag = family == WASI_SOCKETS_NETWORK_IP_ADDRESS_FAMILY_IPV4
                                                             ? WASI_SOCKETS_NETWORK_IP_SOCKET_ADDRESS_IPV4
                                                             : WASI_SOCKETS_NETWORK_IP_SOCKET_ADDRESS_IPV6};
  return wasi_sockets_udp_method_udp_socket_start_bind(socket, wasi_sockets_network_borrow_network(network), &any, err) &&
         wasi_sockets_udp_method_udp_socket_finish_bind(socket, err);
}

bool exports_hostile_net_send(hostile_net_ip_socket_address_t *to, hostile_net_socket_error_t *err) {
  wasi_sockets_udp_own_udp_socket_t socket;
  if (!wasi_sockets_udp_create_socket_create_udp_socket(family_of(to), &socket, err)) return false;
  const wasi_sockets_udp_borrow_udp_socket_t borrowed = wasi_sockets_udp_borrow_udp_socket(socket);
  if (!bind_any(borrowed, family_of(to), err)) return false;
  wasi_sockets_udp_tuple2_own_incoming_datagram_stream_own_outgoing_datagram_stream_t streams;
  if (!wasi_sockets_udp_method_udp_socket_stream(borrowed, NULL, &streams, err)) return false;
  const wasi_sockets_udp_borrow_outgoing_datagram_stream_t out =
      wasi_sockets_udp_borrow_outgoing_datagram_stream(streams.f1);
  uint8_t byte = 0;
  wasi_sockets_udp_outgoing_datagram_t datagram = {
      .data = {&byte, 1}, .remote_address = {.is_some = true, .val = *to}};
  wasi_sockets_udp_list_outgoing_datagram_t datagrams = {&datagram, 1};
  uint64_t sent = 0;
  while (sent == 0) {
    uint64_t room = 0;
    wait_for(wasi_sockets_udp_method_outgoing_datagram_stream_subscribe(out));
    if (!wasi_sockets_udp_method_outgoing_datagram_stream_check_send(out, &room, err)) return false;
    if (room > 0 && !wasi_sockets_udp_method_outgoing_datagram_stream_send(out, &datagrams, &sent, err)) return false;
  }
  // A refusal may come with the next look at the stream only.
  uint64_t room = 0;
  wait_for(wasi_sockets_udp_method_outgoing_datagram_stream_subscribe(out));
  return wasi_sockets_udp_method_outgoing_datagram_stream_check_send(out, &room, err);
}

bool exports_hostile_net_listen(hostile_net_ip_socket_address_t *at, hostile_net_socket_error_t *err) {
  const wasi_sockets_network_own_network_t network = wasi_sockets_instance_network_instance_network();
  wasi_sockets_tcp_own_tcp_socket_t socket;
  if (!wasi_sockets_tcp_create_socket_create_tcp_socket(family_of(at), &socket, err)) return false;
  const wasi_sockets_tcp_borrow_tcp_socket_t borrowed = wasi_sockets_tcp_borrow_tcp_socket(socket);
  return wasi_sockets_tcp_method_tcp_socket_start_bind(borrowed, wasi_sockets_network_borrow_network(network), at, err) &&
         wasi_sockets_tcp_method_tcp_socket_finish_bind(borrowed, err) &&
         wasi_sockets_tcp_method_tcp_socket_start_listen(borrowed, err) &&
         wasi_sockets_tcp_method_tcp_socket_finish_listen(borrowed, err);
}

bool exports_hostile_net_look_up(hostile_net_string_t *name, uint32_t *ret, hostile_net_socket_error_t *err) {
  const wasi_sockets_network_own_network_t network = wasi_sockets_instance_network_instance_network();
  wasi_sockets_ip_name_lookup_own_resolve_address_stream_t stream;
  if (!wasi_sockets_ip_name_lookup_resolve_addresses(wasi_sockets_network_borrow_network(network), name, &stream, err))
    return false;
  const wasi_sockets_ip_name_lookup_borrow_resolve_address_stream_t found =
      wasi_sockets_ip_name_lookup_borrow_resolve_address_stream(stream);
  for (*ret = 0;;) {
    wait_for(wasi_sockets_ip_name_lookup_method_resolve_address_stream_subscribe(found));
    wasi_sockets_ip_name_lookup_option_ip_address_t address;
    if (!wasi_sockets_ip_name_lookup_method_resolve_address_stream_resolve_next_address(found, &address, err)) return false;
    if (!address.is_some) return true;
    ++*ret;
  }
}
