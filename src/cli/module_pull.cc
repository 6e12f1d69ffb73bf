#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <ostream>

#include "base/digest.h"
#include "cli/module_commands.h"
#include "cli/progress.h"
#include "cli/table.h"

namespace hotswap::cli {
namespace {

// The bytes go to a temporary file beside the target and take its name once they are verified: nothing half-written or
// corrupt is ever seen under that name.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string target)
      : target_(std::move(target)),
        path_(fmt::format("{}.{}.part", target_, getpid())),
        stream_(path_, std::ios::binary | std::ios::trunc) {}
  ~TemporaryFile() {
    std::error_code ignored;
    if (!kept_) std::filesystem::remove(path_, ignored);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  [[nodiscard]] bool good() const { return stream_.good(); }
  void write(std::string_view bytes) { stream_.write(bytes.data(), static_cast<std::streamsize>(bytes.size())); }
  [[nodiscard]] Outcome<> keep() {
    stream_.close();
    if (!stream_) return local_failure("Cannot write " + target_, "the disk refused the bytes");
    std::error_code problem;
    std::filesystem::rename(path_, target_, problem);
    if (problem) return local_failure("Cannot write " + target_, problem.message());
    kept_ = true;
    return {};
  }

 private:
  std::string target_;
  std::string path_;
  std::ofstream stream_;
  bool kept_ = false;
};

// Receives the binary into `write` and compares its digest with the resource's.
Outcome<> receive(Context& context, Api& api, const json::value& module,
                  const std::function<bool(std::string_view)>& write) {
  Sha256 hash;
  Outcome<> received;
  {
    TransferProgress progress(context, "Downloading", number_of(module, "sizeBytes"));
    net::ClientRequest request;
    request.target = path_of(kModulesPath, text_of(module, "moduleId"), "binary");
    request.headers.emplace_back("Accept", "application/wasm");
    received = api.stream(std::move(request), [&](std::string_view bytes) {
      hash.update(bytes);
      progress.advance(bytes.size());
      return write(bytes);
    });
  }
  HS_CHECK(std::move(received));
  const auto digest = hash.finish().hex();
  if (digest != text_of(module, "checksum")) {
    return local_failure("The binary is damaged",
                         fmt::format("its SHA-256 is {}, registered is {}", digest, text_of(module, "checksum")),
                         "try again; if it stays so, the server's blob store needs repair");
  }
  return {};
}

Outcome<int> pull_to_stdout(Context& context, Api& api, const json::value& module) {
  // Kept until verified: a pipe cannot take bytes back. A module has 50 MB at most.
  std::string bytes;
  HS_CHECK(receive(context, api, module, [&](std::string_view piece) {
    bytes += piece;
    return true;
  }));
  context.out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return kOk;
}

Outcome<int> pull(Context& context, const std::string& reference, std::string target) {
  HS_TRY(const auto api, Api::open(context));
  HS_TRY(const auto document, fetch_module(*api, reference));
  const auto& module = document.value;
  if (target == "-") return pull_to_stdout(context, *api, module);
  if (target.empty()) target = text_of(module, "moduleId") + ".wasm";

  TemporaryFile file(target);
  if (!file.good()) return local_failure("Cannot write " + target, "its folder does not take a new file");
  HS_CHECK(receive(context, *api, module, [&](std::string_view piece) {
    file.write(piece);
    return file.good();
  }));
  HS_CHECK(file.keep());
  print_result(context, document, [&] {
    if (context.settings.quiet) return;
    context.out << fmt::format("Wrote {} ({}, SHA-256 verified)\n", target, human_size(number_of(module, "sizeBytes")));
  });
  return kOk;
}

}  // namespace

void add_module_pull(CLI::App& module, Context& context) {
  auto* command = module.add_subcommand("pull", "Download a version's binary and verify it");
  auto reference = std::make_shared<std::string>();
  auto target = std::make_shared<std::string>();
  command->add_option("MODULE", *reference, kReferenceHelp)->required()->type_name("");
  command->add_option("-o,--to", *target, "Where to write it; - is standard output. Default: NAME-vVERSION.wasm")
      ->type_name("FILE");
  command->footer(
      "Examples:\n  hotswap module pull hello@1.0.0\n  hotswap module pull hello@1.0.0 -o - | wasm-tools print");
  on_run(*command, context, [&context, reference, target] { return pull(context, *reference, *target); });
}

}  // namespace hotswap::cli
