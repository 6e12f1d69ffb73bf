#include "control/upload.h"

#include <boost/algorithm/string/predicate.hpp>
#include <fmt/format.h>

#include <array>
#include <charconv>

#include "base/limits.h"
#include "control/json_upload.h"
#include "net/multipart.h"

namespace hotswap::control {
namespace {

constexpr std::size_t kPiece = 256 * limits::kKiB;

std::unexpected<Error> too_large() {
  return fail(ErrorKind::kTooLarge, fmt::format("a module has at most {} bytes", limits::kModuleBytes));
}

// Hands every piece of the body to `take`, a coroutine.
template <class F>
Task<Result<>> for_each_piece(net::Exchange& exchange, F take) {
  auto buffer = std::make_unique<std::array<std::byte, 64 * limits::kKiB>>();
  for (;;) {
    HS_CO_TRY(const std::size_t size, co_await exchange.read_some(*buffer));
    if (size == 0) co_return Result<>{};
    HS_CO_CHECK(co_await take(std::string_view(reinterpret_cast<const char*>(buffer->data()), size)));
  }
}

template <class T>
ReceivedUpload read_registration(const json::value& document) {
  T out;
  ReceivedUpload received;
  JsonReader reader(received.errors);
  read_json(document, out, reader);
  received.registration = std::move(out);
  return received;
}

Task<Result<ReceivedUpload>> receive_raw(net::Exchange& exchange, BinarySink& sink) {
  if (exchange.body_size().value_or(0) > limits::kModuleBytes) co_return too_large();
  ReceivedUpload received;
  if (auto fields = net::parse_query(exchange.query())) {
    received = registration_from_fields(*fields);
  } else {
    received.errors.push_back({"query", fields.error().detail});
  }
  sink.bytes().reserve(exchange.body_size().value_or(0));
  HS_CO_CHECK(co_await for_each_piece(exchange, [&sink](std::string_view piece) {
    sink.bytes().append(piece);
    return sink.accept();
  }));
  co_return received;
}

Task<Result<ReceivedUpload>> receive_json(net::Exchange& exchange, BinarySink& sink) {
  constexpr std::size_t kMost = limits::kModuleBytes / 3 * 4 + limits::kJsonBodyBytes;
  if (exchange.body_size().value_or(0) > kMost) co_return too_large();
  JsonUploadParser parser;
  HS_CO_CHECK(co_await for_each_piece(exchange, [&](std::string_view piece) -> Task<Result<>> {
    HS_CO_CHECK(parser.write(piece, sink.bytes()));
    co_return co_await sink.accept();
  }));
  HS_CO_TRY(const json::value document, parser.finish());
  auto received = read_registration<UploadDocument>(document);
  if (!parser.binary_problem().empty()) received.errors.push_back({"binary", parser.binary_problem()});
  co_return received;
}

// What a multipart upload consists of, as its parts come.
class FormReader {
 public:
  explicit FormReader(BinarySink& sink) : sink_(sink) {}

  Task<Result<>> take(net::MultipartEvent event) {
    if (auto* begin = std::get_if<net::PartBegin>(&event)) {
      begin_part(std::move(begin->name));
    } else if (const auto* bytes = std::get_if<net::PartBytes>(&event)) {
      if (in_binary_) {
        sink_.bytes().append(bytes->bytes);
        co_return co_await sink_.accept();
      }
      field_bytes_ += bytes->bytes.size();
      if (field_bytes_ > limits::kJsonBodyBytes) {
        co_return fail(ErrorKind::kTooLarge,
                       fmt::format("the fields beside the file have more than {} bytes", limits::kJsonBodyBytes));
      }
      fields_.back().second += bytes->bytes;
    }
    co_return Result<>{};
  }

  Result<ReceivedUpload> finish() {
    const auto document = std::ranges::find(fields_, "metadata", &Fields::value_type::first);
    ReceivedUpload received;
    if (document == fields_.end()) {
      received = registration_from_fields(fields_);
    } else {
      HS_TRY(const json::value value, parse_json(document->second));
      received = read_registration<ModuleRegistration>(value);
      for (const auto& [name, text] : fields_) {
        if (name != "metadata") received.errors.push_back({name, "is given beside the part `metadata`: use one form"});
      }
    }
    received.errors.insert(received.errors.end(), errors_.begin(), errors_.end());
    return received;
  }

 private:
  void begin_part(std::string name) {
    in_binary_ = name == "file" || name == "binary";
    if (!in_binary_) {
      fields_.emplace_back(std::move(name), "");
    } else if (std::exchange(has_binary_, true)) {
      errors_.push_back({"binary", "is given more than once"});
    }
  }

  BinarySink& sink_;
  Fields fields_;
  std::vector<FieldError> errors_;
  std::size_t field_bytes_ = 0;
  bool in_binary_ = false;
  bool has_binary_ = false;
};

Task<Result<ReceivedUpload>> receive_multipart(net::Exchange& exchange, BinarySink& sink) {
  HS_CO_TRY(auto parser, net::MultipartParser::create(exchange.header(net::http::field::content_type)));
  FormReader form(sink);
  HS_CO_CHECK(co_await for_each_piece(exchange, [&](std::string_view piece) -> Task<Result<>> {
    parser.push(piece);
    for (;;) {
      HS_CO_TRY(auto event, parser.next());
      if (std::holds_alternative<net::NeedMore>(event)) co_return Result<>{};
      if (std::holds_alternative<net::MultipartEnd>(event)) co_return Result<>{};
      HS_CO_CHECK(co_await form.take(std::move(event)));
    }
  }));
  HS_CO_CHECK(parser.finish());
  co_return form.finish();
}

json::value number_or_text(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code == std::errc() && end == text.data() + text.size()) return number;
  return json::value(text);
}

// Puts one field into the document that it is a part of.
void put_field(json::object& document, const std::string& name, const std::string& text,
               std::vector<FieldError>& errors) {
  const auto put = [&](json::object& into, std::string_view key, json::value value) {
    if (into.contains(key)) {
      errors.push_back({name, "is given more than once"});
    } else {
      into.emplace(key, std::move(value));
    }
  };
  const auto child = [](json::object& of, std::string_view key) -> json::object& {
    json::value& value = of[key];
    return value.is_object() ? value.get_object() : value.emplace_object();
  };
  constexpr std::string_view kMetadata = "metadata.";
  constexpr std::string_view kLimits = "limits.";
  constexpr std::string_view kVariables = "limits.environmentVariables.";
  if (name.starts_with(kMetadata)) {
    put(child(document, "metadata"), name.substr(kMetadata.size()), json::value(text));
  } else if (name.starts_with(kVariables)) {
    put(child(child(document, "limits"), "environmentVariables"), name.substr(kVariables.size()), json::value(text));
  } else if (name == "limits.allowedDirectories" || name == "limits.allowedHosts") {
    json::value& list = child(document, "limits")[name.substr(kLimits.size())];
    if (!list.is_array()) list.emplace_array();
    list.get_array().push_back(json::value(text));
  } else if (name == "allowedRegions" || name == "claims") {
    json::value& list = document[name];
    if (!list.is_array()) list.emplace_array();
    list.get_array().push_back(json::value(text));
  } else if (name.starts_with(kLimits)) {
    put(child(document, "limits"), name.substr(kLimits.size()), number_or_text(text));
  } else {
    put(document, name, json::value(text));
  }
}

bool is_type(std::string_view content_type, std::string_view type) {
  return boost::algorithm::istarts_with(content_type, type) &&
         (content_type.size() == type.size() || content_type[type.size()] == ';' || content_type[type.size()] == ' ');
}

}  // namespace

Task<Result<BinarySink>> BinarySink::open(BlobStore& blobs, BlockingPool& pool) {
  HS_CO_TRY(auto writer, co_await pool.run([&blobs] { return blobs.create(limits::kModuleBytes); }));
  co_return BinarySink(pool, std::move(writer));
}

Task<Result<>> BinarySink::accept() {
  if (bytes_.size() > limits::kModuleBytes) co_return too_large();
  if (bytes_.size() - written_ < kPiece) co_return Result<>{};
  co_return co_await flush();
}

Task<Result<>> BinarySink::flush() {
  const auto pending = std::as_bytes(std::span(bytes_)).subspan(written_);
  if (pending.empty()) co_return Result<>{};
  HS_CO_CHECK(co_await pool_->run([&] { return writer_->write(pending); }));
  written_ = bytes_.size();
  co_return Result<>{};
}

ReceivedUpload registration_from_fields(const Fields& fields) {
  json::object document;
  std::vector<FieldError> errors;
  for (const auto& [name, text] : fields) put_field(document, name, text, errors);
  auto received = read_registration<ModuleRegistration>(document);
  received.errors.insert(received.errors.end(), errors.begin(), errors.end());
  return received;
}

Task<Result<ReceivedUpload>> receive_upload(net::Exchange& exchange, BinarySink& sink) {
  const std::string_view type = exchange.header(net::http::field::content_type);
  if (is_type(type, "application/wasm")) co_return co_await receive_raw(exchange, sink);
  const bool as_json = is_type(type, "application/json");
  if (!as_json && !is_type(type, "multipart/form-data")) {
    co_return fail(ErrorKind::kUnsupportedMedia,
                   fmt::format("a module is uploaded as application/json, multipart/form-data or application/wasm, "
                               "not as \"{}\"",
                               type));
  }
  if (!exchange.query().empty()) {
    co_return fail(ErrorKind::kInvalid, "query parameters belong to an upload of application/wasm only");
  }
  if (as_json) co_return co_await receive_json(exchange, sink);
  co_return co_await receive_multipart(exchange, sink);
}

}  // namespace hotswap::control
