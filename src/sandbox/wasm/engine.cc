#include "sandbox/wasm/engine.h"

#include "sandbox/wasm/bridge.h"

namespace hotswap::wasm {
namespace {

ErrorKind to_kind(eng_error_kind kind) {
  switch (kind) {
    case ENG_ERROR_INVALID_BINARY:
    case ENG_ERROR_BAD_PARAMS:
    case ENG_ERROR_AMBIGUOUS_EXPORT:
    case ENG_ERROR_WIT:
      return ErrorKind::kInvalid;
    case ENG_ERROR_NO_SUCH_EXPORT:
      return ErrorKind::kNotFound;
    case ENG_ERROR_COMPILE:
    case ENG_ERROR_LINK:
    case ENG_ERROR_CONFIG:
      return ErrorKind::kUnprocessable;
    case ENG_ERROR_INCOMPATIBLE_CACHE:
      return ErrorKind::kConflict;
    case ENG_ERROR_NONE:
    case ENG_ERROR_INTERNAL:
      break;
  }
  return ErrorKind::kInternal;
}

// Calls a fallible function of the bridge and owns what it reports.
template <class F>
Result<> attempt(F&& call) {
  eng_error error{};
  if (call(&error)) return {};
  Error failure = to_error(error);
  eng_buffer_free(error.message);
  return std::unexpected(std::move(failure));
}

}  // namespace

Error to_error(const eng_error& error) {
  std::string detail(reinterpret_cast<const char*>(error.message.data), error.message.size);
  const ErrorKind kind = to_kind(error.kind);
  if (error.kind != ENG_ERROR_BAD_PARAMS) return {kind, std::move(detail), {}};
  // "params[1].zip: expected u32, got string" names its field before the first colon that a space follows.
  const auto colon = detail.find(": ");
  if (colon == std::string::npos) return {kind, std::move(detail), {}};
  FieldError field{detail.substr(0, colon), detail.substr(colon + 2)};
  return {kind, std::move(detail), {std::move(field)}};
}

Result<std::string> Code::serialize() const {
  eng_buffer bytes{};
  HS_CHECK(attempt([&](eng_error* error) { return eng_serialize(handle_.get(), &bytes, error); }));
  return take(bytes);
}

Result<std::uint32_t> Image::function(std::string_view name) const {
  std::uint32_t index = 0;
  HS_CHECK(attempt([&](eng_error* error) { return eng_image_function(handle_.get(), slice(name), &index, error); }));
  return index;
}

Engine::Engine(eng_engine* handle) : handle_(handle), fingerprint_(take(eng_fingerprint(handle))) {}

Result<std::unique_ptr<Engine>> Engine::create(const EngineOptions& options) {
  const eng_config config{.pool_instances = options.pool_instances,
                          .pool_memory_bytes = options.pool_memory_bytes,
                          .keep_resident_bytes = 0,
                          .tick_microseconds = static_cast<std::uint32_t>(options.tick.count()),
                          .wasi03 = options.wasi03,
                          .unbounded = options.unbounded,
                          .outbound_ca = slice(options.outbound_ca)};
  eng_engine* handle = nullptr;
  HS_CHECK(attempt([&](eng_error* error) { return eng_engine_new(&config, &handle, error); }));
  return std::unique_ptr<Engine>(new Engine(handle));
}

std::string Engine::version() { return std::string(view(eng_version())); }

std::string Engine::offers() const { return take(eng_offers(handle_.get())); }

Result<std::string> Engine::describe(std::string_view binary) const {
  eng_buffer json{};
  HS_CHECK(attempt([&](eng_error* error) { return eng_describe(handle_.get(), slice(binary), &json, error); }));
  return take(json);
}

Result<Code> Engine::compile(std::string_view binary) const {
  eng_code* code = nullptr;
  HS_CHECK(attempt([&](eng_error* error) { return eng_compile(handle_.get(), slice(binary), &code, error); }));
  return Code(code);
}

Result<Code> Engine::load(const std::string& path) const {
  eng_code* code = nullptr;
  HS_CHECK(attempt([&](eng_error* error) { return eng_deserialize_file(handle_.get(), path.c_str(), &code, error); }));
  return Code(code);
}

Result<Image> Engine::link(const Code& code, std::uint32_t flags) const {
  eng_image* image = nullptr;
  HS_CHECK(attempt([&](eng_error* error) { return eng_link(handle_.get(), code.get(), flags, &image, error); }));
  return Image(image);
}

}  // namespace hotswap::wasm
