// JSON as WIT values and back, for every type that a function may take. After one byte that names the function, the
// input is either the JSON of its value, or bytes from which one is made that fits, but for a mistake now and then.
// What is accepted comes back; what came back is accepted again, and comes back the same.
#include <boost/json.hpp>
#include <engine.h>
#include <fuzzer/FuzzedDataProvider.h>

#include <array>
#include <cmath>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

#include "base/json.h"
#include "base/limits.h"
#include "fuzz/pieces.h"
#include "sandbox/wasm/engine.h"
#include "sandbox/wasm/grants.h"

namespace {

using namespace hotswap;
namespace json = boost::json;

// ---- values, from the fuzzer's bytes
// ----------------------------------------------------------------------------------

class Values {
 public:
  explicit Values(FuzzedDataProvider& bytes) : bytes_(bytes) {}

  // Whether something does not fit, or may not.
  [[nodiscard]] bool spoiled() const noexcept { return spoiled_; }

  json::value boolean() { return spoil().value_or(bytes_.ConsumeBool()); }
  json::value integer(std::int64_t least, std::int64_t most) {
    return spoil().value_or(bytes_.ConsumeIntegralInRange(least, most));
  }
  // 64 bits, as a number or as a string.
  template <class T>
  json::value wide() {
    const T number = bytes_.ConsumeIntegral<T>();
    json::value written = bytes_.ConsumeBool() ? json::value(std::to_string(number)) : json::value(number);
    return spoil().value_or(std::move(written));
  }
  template <class T>
  json::value floating() {
    constexpr std::array kNames{"NaN", "Infinity", "-Infinity"};
    if (bytes_.ConsumeProbability<float>() < 0.2F) return json::value(bytes_.PickValueInArray(kNames));
    const T number = bytes_.ConsumeFloatingPoint<T>();
    return spoil().value_or(std::isfinite(number) ? json::value(static_cast<double>(number)) : json::value(0));
  }
  json::value character() {
    constexpr std::array kCharacters{"a", "\"", "\\", "\x01", "ä", "€", "😀", "\x7f", "\xef\xbf\xbd"};
    return spoil().value_or(json::value(bytes_.PickValueInArray(kCharacters)));
  }
  json::value string() {
    std::string text;
    for (auto count = bytes_.ConsumeIntegralInRange(0, 12); count > 0; --count) {
      constexpr std::array kPieces{"a", "\"", "\\u", "\n", "ä", "€", "😀", "\x01", "case"};
      text += bytes_.PickValueInArray(kPieces);
    }
    return spoil().value_or(json::value(text));
  }
  template <class F>
  json::value list(F&& item, int most = 5) {
    json::array items;
    for (auto count = bytes_.ConsumeIntegralInRange(0, most); count > 0; --count) items.push_back(item());
    return spoil().value_or(json::value(std::move(items)));
  }
  json::value bytes() {
    if (bytes_.ConsumeBool()) return list([&] { return integer(0, 255); }, 20);
    constexpr std::array kTexts{"", "AA==", "AAA=", "AAAA", "/+8=", "AQID"};
    json::value written = json::object{{"base64", bytes_.PickValueInArray(kTexts)}};
    return spoil().value_or(std::move(written));
  }
  // `fields` with one too many or too few now and then.
  json::value record(json::object fields) {
    if (bytes_.ConsumeProbability<float>() < 0.01F) {
      spoiled_ = true;
      if (bytes_.ConsumeBool())
        fields.erase(fields.begin());
      else
        fields["another"] = nullptr;
    }
    return spoil().value_or(json::value(std::move(fields)));
  }
  template <std::size_t n>
  json::value one_of(const std::array<const char*, n>& names) {
    return spoil().value_or(json::value(bytes_.PickValueInArray(names)));
  }
  template <class F>
  json::value option(F&& some) {
    return bytes_.ConsumeBool() ? some() : json::value();
  }
  json::value point() { return record({{"x", floating<double>()}, {"y", floating<float>()}}); }
  json::value color() { return one_of(std::array{"red", "green", "dark-blue"}); }
  json::value marks() {
    return list([&] { return json::value("m" + std::to_string(bytes_.ConsumeIntegralInRange(0, 17))); }, 18);
  }
  json::value shape() {
    switch (bytes_.ConsumeIntegralInRange(0, 6)) {
      case 0:
        return "nothing";
      case 1:
        return record({{"circle", point()}});
      case 2:
        return record({{"named", string()}});
      case 3:
        return record({{"many", list([&] { return point(); })}});
      case 4:
        return record({{"maybe", option([&] { return wide<std::uint64_t>(); })}});
      case 5:
        return record({{"tried", record({{"ok", integer(0, 255)}})}});
      default:
        return record({{"tried", record({{"err", string()}})}});
    }
  }
  json::value scalars() {
    return record({{"a-bool", boolean()},
                   {"a-u8", integer(0, 255)},
                   {"an-s8", integer(-128, 127)},
                   {"a-u16", integer(0, 65535)},
                   {"an-s16", integer(-32768, 32767)},
                   {"a-u32", integer(0, UINT32_MAX)},
                   {"an-s32", integer(INT32_MIN, INT32_MAX)},
                   {"a-u64", wide<std::uint64_t>()},
                   {"an-s64", wide<std::int64_t>()},
                   {"an-f32", floating<float>()},
                   {"an-f64", floating<double>()},
                   {"a-char", character()},
                   {"a-string", string()}});
  }
  json::value nested() {
    const auto twice = [&] {
      return option([&] {
        return json::value{{"some", option([&] { return json::value{{"some", option([&] { return color(); })}}; })}};
      });
    };
    const auto result = [&] { return bytes_.ConsumeBool() ? record({{"ok", point()}}) : record({{"err", color()}}); };
    return record({{"shapes", list([&] { return shape(); })},
                   {"colors", list([&] { return color(); })},
                   {"marked", option([&] { return marks(); })},
                   {"pair", json::array{wide<std::int64_t>(), shape()}},
                   {"twice", twice()},
                   {"results", list(result)},
                   {"empty", one_of(std::array{"ok", "err"})}});
  }

 private:
  // Rarely, something else than what is expected.
  std::optional<json::value> spoil() {
    if (bytes_.remaining_bytes() == 0 || bytes_.ConsumeProbability<float>() >= 0.01F) return std::nullopt;
    spoiled_ = true;
    switch (bytes_.ConsumeIntegralInRange(0, 5)) {
      case 0:
        return json::value();
      case 1:
        return json::value(1e300);
      case 2:
        return json::value(-1);
      case 3:
        return json::value("nobody");
      case 4:
        return json::value{{"ok", nullptr}};
      default:
        return json::value(json::array{});
    }
  }

  FuzzedDataProvider& bytes_;
  bool spoiled_ = false;
};

struct Function {
  const char* name;
  json::value (*make)(Values&);
};

constexpr std::array kFunctions{
    Function{"echo-scalars", [](Values& values) { return values.scalars(); }},
    Function{"echo-color", [](Values& values) { return values.color(); }},
    Function{"echo-marks", [](Values& values) { return values.marks(); }},
    Function{"echo-shape", [](Values& values) { return values.shape(); }},
    Function{"echo-bytes", [](Values& values) { return values.bytes(); }},
    Function{"echo-strings",
             [](Values& values) { return values.list([&] { return values.list([&] { return values.string(); }); }); }},
    Function{"echo-nested", [](Values& values) { return values.nested(); }},
};

// ---- the guest that gives back what it gets
// ----------------------------------------------------------------------------

constexpr std::string_view kPad = "[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]";

class Echo {
 public:
  Echo() : engine_(create()), code_(*engine_->compile(binary())), image_(*engine_->link(code_, 0)) {}

  // The value as it comes back; nullopt where it does not fit the function.
  [[nodiscard]] std::optional<std::string> call(const Function& function, std::string_view value, std::uint32_t flags) {
    const std::string params = "[" + std::string(value) + "," + std::string(kPad) + "]";
    eng_call* call = nullptr;
    eng_error error{};
    const auto index = image_.function(function.name);
    fuzz::require(index.has_value(), "the guest has the function");
    const eng_grants grants = grants_.get();
    if (!eng_call_function(image_.get(), *index, &grants, wasm::slice(params), flags, &call, &error)) {
      fuzz::require(error.kind == ENG_ERROR_BAD_PARAMS, "what does not fit are the parameters");
      const auto problem = wasm::to_error(error);
      eng_buffer_free(error.message);
      fuzz::require(problem.detail.starts_with("params"), "a problem says where it is");
      return std::nullopt;
    }
    const eng_waker nobody{.data = nullptr, .retain = [](void*) {}, .release = [](void*) {}, .wake = [](void*) {}};
    eng_poll poll = eng_call_poll(call, &nobody);
    while (poll == ENG_POLL_YIELDED) poll = eng_call_poll(call, &nobody);
    const eng_result result = eng_call_result(call);
    fuzz::require(poll == ENG_POLL_DONE && result.outcome == ENG_OUTCOME_OK, "what fits comes back");
    const std::string text(wasm::view(result.value));
    eng_call_free(call);
    fuzz::require(text.ends_with("," + std::string(kPad) + "]"), "so does what stands beside it");
    return text.substr(1, text.size() - kPad.size() - 3);
  }

 private:
  static std::unique_ptr<wasm::Engine> create() {
    auto engine =
        wasm::Engine::create({.pool_instances = 1, .pool_memory_bytes = 64 * limits::kMiB, .tick = limits::kEpochTick});
    fuzz::require(engine.has_value(), "there is an engine");
    return *std::move(engine);
  }
  static std::string binary() {
    std::ifstream in(HOTSWAP_SAMPLES "/every-type.wasm", std::ios::binary);
    fuzz::require(in.good(), "samples/out/every-type.wasm is there: ./dev samples test-guests");
    return {std::istreambuf_iterator<char>(in), {}};
  }

  std::unique_ptr<wasm::Engine> engine_;
  wasm::Code code_;
  wasm::Image image_;
  wasm::Grants grants_{{.max_memory_bytes = 64 * limits::kMiB, .max_output_bytes = limits::kOutputBytes}};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Echo echo;
  if (size < 1) return 0;
  const Function& function = kFunctions[data[0] % kFunctions.size()];
  const bool is_text = (data[0] & 0x80U) != 0;
  const std::uint32_t flags = (data[0] & 0x40U) != 0 ? ENG_INVOKE_BYTES_BASE64 : 0;
  std::string value(fuzz::text_of(data + 1, size - 1));
  bool fits = false;
  if (!is_text) {
    FuzzedDataProvider bytes(data + 1, size - 1);
    Values values(bytes);
    value = json::serialize(function.make(values));
    fits = !values.spoiled();
  }
  const auto once = echo.call(function, value, flags);
  fuzz::require(once || !fits, "a value of the type is accepted");
  if (!once) return 0;
  fuzz::require(parse_json(*once).has_value(), "what comes back is JSON");
  const auto twice = echo.call(function, *once, flags);
  fuzz::require(twice.has_value(), "what came back is accepted");
  fuzz::require(*once == *twice, "and comes back the same");
  // Bytes written the one way mean what they mean written the other.
  const auto other = echo.call(function, *once, flags ^ ENG_INVOKE_BYTES_BASE64);
  fuzz::require(other && echo.call(function, *other, flags) == once, "both forms of bytes are the same bytes");
  return 0;
}
