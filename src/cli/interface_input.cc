#include "cli/interface_input.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/limits.h"

namespace hotswap::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kWasmMagic("\0asm", 4);
// Of a component, and of a WIT package encoded as WebAssembly.
constexpr std::string_view kComponentMagic("\0asm\x0d\0\x01\0", 8);

std::unexpected<Failure> unreadable(std::string detail) {
  return std::unexpected(Failure{.exit = ExitCode::Usage, .title = "Cannot read", .detail = std::move(detail)});
}

Failure unusable(const std::string& path, const Error& error) {
  return {.exit = ExitCode::Usage, .title = "Cannot use " + path, .detail = error.detail};
}

Outcome<std::string> read_file(const fs::path& path, std::size_t limit) {
  std::error_code code;
  const auto size = fs::file_size(path, code);
  if (code) return unreadable(fmt::format("{}: {}", path.string(), code.message()));
  if (size > limit) return unreadable(fmt::format("{}: {} bytes; at most {} are allowed", path.string(), size, limit));
  std::ifstream in(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  if (!in) return unreadable(path.string());
  return bytes;
}

Outcome<std::vector<fs::path>> entries(const fs::path& folder) {
  std::error_code code;
  std::vector<fs::path> paths;
  for (fs::directory_iterator entry(folder, code), end; !code && entry != end; entry.increment(code)) {
    paths.push_back(entry->path());
  }
  if (code) return unreadable(fmt::format("{}: {}", folder.string(), code.message()));
  std::ranges::sort(paths);
  return paths;
}

// The texts of one folder are one package.
Outcome<wasm::WitPackage> read_folder(const fs::path& folder) {
  HS_TRY(const auto paths, entries(folder));
  wasm::WitPackage package;
  for (const auto& path : paths) {
    if (path.extension() != ".wit" || fs::is_directory(path)) continue;
    HS_TRY(auto text, read_file(path, limits::kWitBytes));
    package.push_back({path.string(), std::move(text)});
  }
  if (package.empty()) return unreadable(folder.string() + ": holds no .wit file");
  return package;
}

// deps/: every folder is a package, and so is every .wit and .wasm file.
Outcome<> read_dependencies(const fs::path& folder, std::vector<wasm::WitPackage>& packages) {
  HS_TRY(const auto paths, entries(folder));
  for (const auto& path : paths) {
    if (fs::is_directory(path)) {
      HS_TRY(auto package, read_folder(path));
      packages.push_back(std::move(package));
    } else if (path.extension() == ".wit" || path.extension() == ".wasm") {
      HS_TRY(auto text, read_file(path, limits::kWitBytes));
      packages.push_back({{path.string(), std::move(text)}});
    }
  }
  return {};
}

Outcome<InterfaceInput> read_core(const std::string& path, const std::string& bytes) {
  HS_TRY(const auto engine, describing_engine());
  const auto text = engine->describe(bytes);
  if (!text) return std::unexpected(unusable(path, text.error()));
  auto description = from_json_text<ModuleDescription>(*text);
  if (!description) return std::unexpected(unusable(path, description.error()));
  return InterfaceInput{.path = path, .core = *std::move(description)};
}

Outcome<> check_size(const std::vector<wasm::WitPackage>& packages) {
  std::size_t bytes = 0;
  for (const auto& package : packages) {
    for (const auto& file : package) bytes += file.text.size();
  }
  if (bytes <= limits::kWitBytes) return {};
  return unreadable(fmt::format("{} bytes of WIT; at most {} are allowed", bytes, limits::kWitBytes));
}

}  // namespace

Outcome<std::unique_ptr<wasm::Engine>> describing_engine() {
  auto engine = wasm::Engine::create(
      {.pool_instances = 0, .pool_memory_bytes = limits::kPoolMemoryBytes, .tick = limits::kEpochTick, .wasi03 = true});
  if (!engine) return std::unexpected(failure_from(engine.error()));
  return *std::move(engine);
}

Outcome<std::vector<wasm::WitPackage>> read_packages(const std::string& path) {
  std::vector<wasm::WitPackage> packages;
  if (!fs::is_directory(path)) {
    HS_TRY(auto text, read_file(path, limits::kWitBytes));
    packages.push_back({{path, std::move(text)}});
    return packages;
  }
  HS_TRY(auto package, read_folder(path));
  packages.push_back(std::move(package));
  if (const fs::path deps = fs::path(path) / "deps"; fs::is_directory(deps)) {
    HS_CHECK(read_dependencies(deps, packages));
  }
  HS_CHECK(check_size(packages));
  return packages;
}

Outcome<InterfaceInput> read_interfaces(Context& context, const std::string& path,
                                        const std::vector<wasm::WitPackage>& more) {
  InterfaceInput input{.path = path};
  if (!fs::is_directory(path)) {
    HS_TRY(const auto bytes, read_file(path, limits::kModuleBytes));
    if (bytes.starts_with(kComponentMagic)) {
      auto wit = wasm::decode_wit(bytes);
      if (!wit) return std::unexpected(unusable(path, wit.error()));
      input.wit = std::make_shared<const compat::Wit>(*std::move(wit));
      return input;
    }
    if (bytes.starts_with(kWasmMagic)) return read_core(path, bytes);
  }
  HS_TRY(input.packages, read_packages(path));
  input.packages.insert(input.packages.end(), more.begin(), more.end());
  HS_CHECK(check_size(input.packages));
  auto wit = wasm::parse_wit(input.packages);
  if (!wit) return std::unexpected(failure_from(context, wit.error()));
  input.wit = std::make_shared<const compat::Wit>(*std::move(wit));
  return input;
}

Failure failure_from(Context& context, const wasm::WitProblem& problem) {
  Failure failure{.exit = ExitCode::Usage, .title = "Invalid WIT", .detail = {}};
  if (problem.line == 0) {
    failure.detail = problem.file.empty() ? problem.message : problem.file + ": " + problem.message;
    return failure;
  }
  const std::string place = fmt::format("{}:{}:{}", problem.file, problem.line, problem.column);
  if (context.settings.output == OutputFormat::json) {
    failure.detail = problem.message;
    failure.fields = {{place, problem.text}};
    return failure;
  }
  const std::string number = std::to_string(problem.line);
  const std::string margin(number.size(), ' ');
  // Tabs of the line stay tabs before the mark, so that it stands where the terminal puts the character.
  std::string before;
  for (const char c : problem.text) {
    if ((static_cast<unsigned char>(c) & 0xC0U) == 0x80U) continue;  // goes on with the character before
    if (before.size() + 1 >= problem.column) break;
    before += c == '\t' ? '\t' : ' ';
  }
  failure.detail = fmt::format("{}: {}\n  {} | {}\n  {} | {}{}", place, problem.message, number, problem.text, margin,
                               before, std::string(problem.width, '^'));
  return failure;
}

}  // namespace hotswap::cli
