// The registry's own lines of the benchmark, in process: comparing two versions of all of wasi:http, and validating a
// component against its interfaces. Prints one JSON object.
#include "sandbox/wasm/interfaces.h"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include "compat/compare.h"
#include "compat/conformance.h"
#include "compat/verdict.h"
#include "in_process.h"

namespace {

using namespace hotswap;
using namespace hotswap::bench;
namespace json = boost::json;

std::string wasi_http(std::string_view track) {
  for (const auto& package : wasm::wasi_packages()) {
    if (package.package.starts_with(fmt::format("wasi:http@{}", track))) return package.text;
  }
  give_up(fmt::format("this build has no wasi:http {}", track));
}

compat::Wit parse(const std::string& text) {
  auto wit = wasm::parse_wit({{{"http.wit", text}}});
  if (!wit) give_up(wit.error().message);
  return *std::move(wit);
}

// The same version with one case more in a type that everything carries.
std::string changed(std::string text) {
  constexpr std::string_view kCase = "HTTP-protocol-error,";
  const auto at = text.find(kCase);
  if (at == std::string::npos) give_up("wasi:http has no HTTP-protocol-error");
  return text.insert(at, "one-more,");
}

}  // namespace

int main(int argc, char** argv) {
  std::string module;
  int rounds = 1000;
  CLI::App app("Figures of comparing and validating interfaces");
  app.add_option("--module", module, "Component to validate")->required();
  app.add_option("--rounds", rounds);
  CLI11_PARSE(app, argc, argv);

  const std::string old_text = wasi_http("0.2");
  const std::string new_text = changed(old_text);
  const std::string next_text = wasi_http("0.3");
  std::size_t changes = 0;
  const auto parse_and_compare = measure(rounds, [&] {
    const auto comparison = compat::compare(parse(old_text), parse(new_text));
    changes += compat::judge(*comparison, compat::Mode::Backward).breaking;
  });
  const auto parse_and_compare_next = measure(rounds, [&] {
    const auto comparison = compat::compare(parse(old_text), parse(next_text));
    changes += compat::judge(*comparison, compat::Mode::Backward).breaking;
  });
  const compat::Wit old_wit = parse(old_text);
  const compat::Wit next_wit = parse(next_text);
  const auto compare = measure(rounds, [&] { changes += compat::compare(old_wit, next_wit)->changes.size(); });
  if (changes == 0) give_up("no change was found");

  const std::string binary = read_file(module);
  compat::Offers offers;
  for (const auto& wit : wasm::wasi_wits()) offers.add(wit);
  const auto check = [&](const compat::Wit& component) {
    if (!compat::check_component(component, offers, std::nullopt).fits) give_up(module + " does not fit");
  };
  const auto decoded = [&] {
    auto component = wasm::decode_wit(binary);
    if (!component) give_up(component.error().detail);
    return *std::move(component);
  };
  const compat::Wit component = decoded();
  const auto validate = measure(rounds, [&] { check(component); });
  const auto decode_and_validate = measure(rounds, [&] { check(decoded()); });
  fmt::print("{}\n", json::serialize(json::object{{"parseAndCompare", parse_and_compare},
                                                  {"parseAndCompareNext", parse_and_compare_next},
                                                  {"compare", compare},
                                                  {"validate", validate},
                                                  {"decodeAndValidate", decode_and_validate}}));
}
