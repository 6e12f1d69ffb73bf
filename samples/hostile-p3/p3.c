// Reaches for what it may not have over WASI 0.3, and gives back what the host said to it.
#include <stdio.h>
#include <string.h>

#include "hostile_p3.h"

#define PIECE 65536

// The outcome of a read or write that may have to wait.
static hostile_p3_waitable_status_t outcome(uint32_t waitable, hostile_p3_waitable_status_t status) {
  if (status != HOSTILE_P3_WAITABLE_STATUS_BLOCKED) return status;
  const hostile_p3_waitable_set_t set = hostile_p3_waitable_set_new();
  hostile_p3_waitable_join(waitable, set);
  hostile_p3_event_t event;
  hostile_p3_waitable_set_wait(set, &event);
  hostile_p3_waitable_join(waitable, 0);
  hostile_p3_waitable_set_drop(set);
  return event.code;
}

bool exports_hostile_p3_fetch(bool https, hostile_p3_string_t *authority, hostile_p3_string_t *path, uint16_t *ret,
                              hostile_p3_error_code_t *err) {
  static const wasi_http_types_result_option_own_trailers_error_code_t no_trailers;
  wasi_http_types_future_result_option_own_trailers_error_code_writer_t writer;
  const wasi_http_types_future_result_option_own_trailers_error_code_t trailers =
      wasi_http_types_future_result_option_own_trailers_error_code_new(&writer);
  wasi_http_types_tuple2_own_request_future_result_void_error_code_t made;
  wasi_http_types_static_request_new(wasi_http_types_constructor_fields(), NULL, trailers, NULL, &made);
  wasi_http_types_future_result_void_error_code_drop_readable(made.f1);
  const wasi_http_types_borrow_request_t request = wasi_http_types_borrow_request(made.f0);
  wasi_http_types_scheme_t scheme = {.tag = https ? WASI_HTTP_TYPES_SCHEME_HTTPS : WASI_HTTP_TYPES_SCHEME_HTTP};
  wasi_http_types_method_request_set_scheme(request, &scheme);
  wasi_http_types_method_request_set_authority(request, authority);
  wasi_http_types_method_request_set_path_with_query(request, path);
  const hostile_p3_waitable_status_t writing =
      wasi_http_types_future_result_option_own_trailers_error_code_write(writer, &no_trailers);
  wasi_http_client_own_response_t response;
  const bool sent = wasi_http_client_send(made.f0, &response, err);
  outcome(writer, writing);
  wasi_http_types_future_result_option_own_trailers_error_code_drop_writable(writer);
  if (sent) *ret = wasi_http_types_method_response_get_status_code(wasi_http_types_borrow_response(response));
  return sent;
}

bool exports_hostile_p3_look_up(hostile_p3_string_t *name, uint32_t *ret, hostile_p3_lookup_error_t *err) {
  wasi_sockets_ip_name_lookup_list_ip_address_t found;
  if (!wasi_sockets_ip_name_lookup_resolve_addresses(name, &found, err)) return false;
  *ret = (uint32_t)found.len;
  return true;
}

static wasi_filesystem_types_borrow_descriptor_t folder(void) {
  wasi_filesystem_preopens_list_tuple2_own_descriptor_string_t folders;
  wasi_filesystem_preopens_get_directories(&folders);
  return wasi_filesystem_types_borrow_descriptor(folders.ptr[0].f0);
}

static bool open_file(hostile_p3_string_t *path, bool writing, wasi_filesystem_types_own_descriptor_t *file,
                      hostile_p3_file_error_t *err) {
  return wasi_filesystem_types_method_descriptor_open_at(
      folder(), WASI_FILESYSTEM_TYPES_PATH_FLAGS_SYMLINK_FOLLOW, path,
      writing ? WASI_FILESYSTEM_TYPES_OPEN_FLAGS_CREATE : 0,
      writing ? WASI_FILESYSTEM_TYPES_DESCRIPTOR_FLAGS_WRITE : WASI_FILESYSTEM_TYPES_DESCRIPTOR_FLAGS_READ, file, err);
}

bool exports_hostile_p3_fill(uint32_t number, uint32_t kibibytes, hostile_p3_file_error_t *err) {
  static uint8_t piece[PIECE];
  char name[32];
  hostile_p3_string_t path = {(uint8_t *)name, (size_t)snprintf(name, sizeof name, "fill%u", (unsigned)number)};
  wasi_filesystem_types_own_descriptor_t file;
  if (!open_file(&path, true, &file, err)) return false;
  wasi_filesystem_types_stream_u8_writer_t writer;
  const wasi_filesystem_types_stream_u8_t stream = wasi_filesystem_types_stream_u8_new(&writer);
  const wasi_filesystem_types_future_result_void_error_code_t told =
      wasi_filesystem_types_method_descriptor_write_via_stream(wasi_filesystem_types_borrow_descriptor(file), stream, 0);
  for (uint64_t left = (uint64_t)kibibytes * 1024; left > 0;) {
    const size_t size = left < PIECE ? left : PIECE;
    const hostile_p3_waitable_status_t status =
        outcome(writer, wasi_filesystem_types_stream_u8_write(writer, piece, size));
    left -= HOSTILE_P3_WAITABLE_COUNT(status);
    if (HOSTILE_P3_WAITABLE_STATE(status) != HOSTILE_P3_WAITABLE_COMPLETED) break;
  }
  wasi_filesystem_types_stream_u8_drop_writable(writer);
  wasi_filesystem_types_result_void_error_code_t result;
  outcome(told, wasi_filesystem_types_future_result_void_error_code_read(told, &result));
  if (result.is_err) *err = result.val.err;
  return !result.is_err;
}

bool exports_hostile_p3_make(uint32_t count, uint32_t *ret, hostile_p3_file_error_t *err) {
  for (*ret = 0; *ret < count; ++*ret) {
    char name[32];
    hostile_p3_string_t path = {(uint8_t *)name, (size_t)snprintf(name, sizeof name, "e%u", (unsigned)*ret)};
    if (!wasi_filesystem_types_method_descriptor_create_directory_at(folder(), &path, err)) return false;
  }
  return true;
}

bool exports_hostile_p3_open(hostile_p3_string_t *path, hostile_p3_file_error_t *err) {
  wasi_filesystem_types_own_descriptor_t file;
  return open_file(path, false, &file, err);
}
