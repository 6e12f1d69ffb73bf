#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <ostream>
#include <regex>
#include <sstream>

#include "base/limits.h"
#include "cli/module_commands.h"
#include "cli/progress.h"
#include "cli/table.h"

namespace hotswap::cli {
namespace {

constexpr std::chrono::minutes kUploadDeadline{10};

// "GUESTPATH", "GUESTPATH:ro" or "GUESTPATH:rw". A module has one kind of file access for all of its directories.
Outcome<> read_directories(const std::vector<std::string>& words, ResourceLimits& limits) {
  std::optional<FilesystemAccess> access;
  for (const auto& word : words) {
    std::string path = word;
    auto wanted = FilesystemAccess::ReadOnly;
    if (path.ends_with(":ro") || path.ends_with(":rw")) {
      if (path.ends_with(":rw")) wanted = FilesystemAccess::ReadWrite;
      path.resize(path.size() - 3);
    }
    if (access && *access != wanted) {
      return usage_failure("--dir: a module has one access to all of its directories, so use :ro or :rw for each");
    }
    access = wanted;
    limits.allowedDirectories.push_back(std::move(path));
  }
  if (access) limits.filesystemAccess = *access;
  return {};
}

Result<std::size_t> read_into(std::istream& stream, std::span<std::byte> into) {
  stream.read(reinterpret_cast<char*>(into.data()), static_cast<std::streamsize>(into.size()));
  if (stream.bad()) return fail(ErrorKind::kInternal, "reading the file failed");
  return static_cast<std::size_t>(stream.gcount());
}

struct OpenFile {
  std::shared_ptr<std::ifstream> stream;
  std::uint64_t size = 0;
};

Outcome<OpenFile> open_binary(const std::string& path) {
  std::error_code problem;
  const auto size = std::filesystem::file_size(path, problem);
  if (problem) return local_failure("Cannot read " + path, problem.message());
  if (size == 0) return local_failure("Cannot register " + path, "the file is empty");
  if (size > limits::kModuleBytes) {
    return local_failure(
        "Cannot register " + path,
        fmt::format("it has {}; the largest module has {}", human_size(size), human_size(limits::kModuleBytes)),
        "strip its debug sections (wasm-tools strip)");
  }
  auto stream = std::make_shared<std::ifstream>(path, std::ios::binary);
  if (!*stream) return local_failure("Cannot read " + path, "permission denied");
  return OpenFile{std::move(stream), size};
}

// A form of two parts: the registration as JSON, then the file, streamed. Limits and environment variables may be
// larger than a URL, and do not belong into one.
net::ClientRequest upload_request(const ModuleRegistration& registration, const OpenFile& file,
                                  TransferProgress& progress) {
  SystemRandom random;
  const auto form = upload_form(registration, new_uuid(random));
  net::ClientRequest request;
  request.method = "POST";
  request.target = std::string(kModulesPath);
  request.headers = {{"Content-Type", form.content_type}, {"Accept", "application/json"}};
  request.body_source_size = form.head.size() + file.size + form.tail.size();
  request.body_source =
      [stream = file.stream, &progress, before = std::make_shared<std::istringstream>(form.head),
       after = std::make_shared<std::istringstream>(form.tail)](std::span<std::byte> into) -> Result<std::size_t> {
    HS_TRY(std::size_t count, read_into(*before, into));
    if (count == 0) {
      HS_TRY(count, read_into(*stream, into));
      progress.advance(count);
    }
    if (count == 0) return read_into(*after, into);
    return count;
  };
  request.timeout = kUploadDeadline;
  return request;
}

std::string exports_line(const json::value& module) {
  if (const auto handler = text_of(module, "httpHandler"); !handler.empty()) {
    return fmt::format("serves HTTP (wasi:http {})", handler);
  }
  const auto exports = joined(member(module, "exportedFunctions"));
  return exports.empty() ? "none" : exports;
}

void print_registered(Context& context, const json::value& module) {
  const auto reference = reference_of(module);
  if (context.settings.quiet) {
    context.out << text_of(module, "moduleId") << '\n';
    return;
  }
  Sheet sheet;
  sheet.add("Registered", reference);
  sheet.add("Id", text_of(module, "moduleId"));
  sheet.add("Size", human_size(number_of(module, "sizeBytes")));
  sheet.add("SHA-256", text_of(module, "checksum"));
  sheet.add("Kind", fmt::format("{}, WASI {}", text_of(module, "kind"), text_of(module, "wasiVersion")));
  sheet.add("Exports", exports_line(module));
  context.out << sheet.text(colored(context));
  print_hint(context, fmt::format("\nBring it into service: hotswap deploy {}", reference));
}

void print_findings(Context& context, const json::value& module) {
  const auto& findings = member(module, "findings");
  if (!findings.is_array() || context.settings.output != OutputFormat::table) return;
  for (const auto& finding : findings.get_array()) {
    context.err << fmt::format("warning: {}: {}\n", text_of(finding, "subject"), text_of(finding, "message"));
  }
}

Outcome<int> push(Context& context, const PushOptions& options) {
  HS_TRY(const auto registration, registration_of(options));
  HS_TRY(const auto file, open_binary(options.file));
  HS_TRY(const auto api, Api::open(context));
  Outcome<Document> document;
  {
    TransferProgress progress(context, "Uploading", file.size);
    document = api->send_for_document(upload_request(registration, file, progress));
  }
  if (!document) {
    auto failure = document.error();
    if (failure.status == 409) failure.next = "a registered version never changes: push it under a new version";
    return std::unexpected(std::move(failure));
  }
  print_findings(context, document->value);
  print_result(context, *document, [&] { print_registered(context, document->value); });
  return kOk;
}

}  // namespace

std::optional<NamedVersion> named_version(std::string_view path) {
  static const std::regex kForm(R"((.+?)(?:-v|@)(\d+\.\d+\.\d+)\.wasm)");
  const std::string file = std::filesystem::path(path).filename().string();
  std::smatch parts;
  if (!std::regex_match(file, parts, kForm)) return std::nullopt;
  return NamedVersion{parts[1].str(), parts[2].str()};
}

Outcome<ModuleRegistration> registration_of(const PushOptions& options) {
  ModuleRegistration registration;
  registration.name = options.name;
  registration.version = options.version;
  if (const auto named = named_version(options.file)) {
    if (registration.name.empty()) registration.name = named->name;
    if (registration.version.empty()) registration.version = named->version;
  }
  if (registration.name.empty() || registration.version.empty()) {
    return usage_failure(fmt::format("{} does not say the module's name and version", options.file),
                         "add --name NAME --version 1.0.0, or call the file NAME-v1.0.0.wasm");
  }
  if (!options.allow.empty() && options.network) {
    return usage_failure("--allow lists hosts and --network allows them all: use one of them");
  }
  registration.description = options.description;
  auto& limits = registration.limits;
  limits.maxMemoryMB = options.memory.value_or(limits.maxMemoryMB);
  limits.maxCpuPercent = options.cpu.value_or(limits.maxCpuPercent);
  limits.maxExecutionTimeSeconds = options.timeout.value_or(limits.maxExecutionTimeSeconds);
  limits.maxConcurrentInvocations = options.concurrency.value_or(limits.maxConcurrentInvocations);
  limits.maxFilesMB = options.disk.value_or(limits.maxFilesMB);
  limits.maxFiles = options.files.value_or(limits.maxFiles);
  limits.maxOutboundRequests = options.requests.value_or(limits.maxOutboundRequests);
  limits.maxOutboundMB = options.traffic.value_or(limits.maxOutboundMB);
  limits.allowedHosts = options.allow;
  if (!options.allow.empty()) limits.networkAccess = NetworkAccess::AllowList;
  if (options.network) limits.networkAccess = NetworkAccess::Unrestricted;
  HS_CHECK(read_directories(options.directories, limits));
  HS_TRY(limits.environmentVariables, parse_pairs(options.environment, "--env"));
  HS_TRY(registration.metadata, parse_pairs(options.metadata, "--metadata"));
  for (const auto& region : options.regions) registration.allowedRegions.emplace_back(region);
  registration.claims = options.claims;
  return registration;
}

UploadForm upload_form(const ModuleRegistration& registration, const std::string& boundary) {
  return {.content_type = "multipart/form-data; boundary=" + boundary,
          .head = fmt::format("--{0}\r\nContent-Disposition: form-data; name=\"metadata\"\r\n"
                              "Content-Type: application/json\r\n\r\n{1}\r\n"
                              "--{0}\r\nContent-Disposition: form-data; name=\"binary\"; filename=\"module.wasm\"\r\n"
                              "Content-Type: application/wasm\r\n\r\n",
                              boundary, to_json_text(registration)),
          .tail = fmt::format("\r\n--{}--\r\n", boundary)};
}

void add_module_push(CLI::App& module, Context& context) {
  auto* command = module.add_subcommand("push", "Register a version: upload a WebAssembly file");
  auto options = std::make_shared<PushOptions>();
  command->add_option("FILE", options->file, "WebAssembly module or component")->required()->type_name("");
  command->add_option("--name", options->name, "Module name. Default: from a file name like NAME-v1.2.3.wasm")
      ->type_name("NAME");
  command->add_option("--version", options->version, "Version. Default: from a file name like NAME-v1.2.3.wasm")
      ->type_name("X.Y.Z");
  command->add_option("--description", options->description, "What it is, for people")->type_name("TEXT");
  command->add_option("--memory", options->memory, "Memory of one call, 1-512 (default 128)")->type_name("MB");
  command->add_option("--cpu", options->cpu, "Share of one core, 1-100 (default 50)")->type_name("PERCENT");
  command->add_option("--timeout", options->timeout, "Wall time of one call, 1-300 (default 30)")->type_name("SECONDS");
  command->add_option("--concurrency", options->concurrency, "Calls at once on a node, 1-1000 (default 100)")
      ->type_name("N");
  add_repeated(*command, "--allow", options->allow, "Host that it may call: host, host:port or *.domain (repeatable)",
               "HOST");
  command->add_flag("--network", options->network, "It may call any host with public addresses");
  command->add_option("--requests", options->requests, "Outbound requests of one call, 1-10000 (default 100)")
      ->type_name("N");
  command
      ->add_option("--traffic", options->traffic,
                   "What one call's outbound requests send, and receive, 1-1024 each (default 64)")
      ->type_name("MB");
  add_repeated(*command, "--dir", options->directories,
               "Private directory that it sees at this path, GUESTPATH[:ro|:rw] (repeatable, default :ro)",
               "GUESTPATH");
  command->add_option("--disk", options->disk, "What its directories may take on a node, 1-10240 (default 64)")
      ->type_name("MB");
  command->add_option("--files", options->files, "Files in its directories on a node, 1-1000000 (default 10000)")
      ->type_name("N");
  add_repeated(*command, "--env", options->environment, "Environment variable that it gets (repeatable)", "KEY=VALUE");
  add_repeated(*command, "--metadata", options->metadata, "Build information to keep with it (repeatable)",
               "KEY=VALUE");
  add_repeated(*command, "--allowed-region", options->regions,
               "Region that it may run in; without any, everywhere (repeatable)", "NAME");
  add_repeated(*command, "--claim", options->claims,
               "Registered interface or world that it implements, such as acme:shop/api@1.0.0 (repeatable)", "NAME");
  command->footer(R"(Examples:
  hotswap module push hello-v1.0.0.wasm
  hotswap module push build/out.wasm --name hello --version 1.0.1 --memory 64
  hotswap module push proxy@2.0.0.wasm --allow api.example.com --env MODE=fast --metadata commit=3f2a91c)");
  on_run(*command, context, [&context, options] { return push(context, *options); });
}

}  // namespace hotswap::cli
