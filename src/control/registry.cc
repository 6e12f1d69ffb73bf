#include "control/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "base/limits.h"
#include "base/log.h"

namespace hotswap::control {
namespace {

// One error for a field: how it is written comes before what rule it breaks.
void add_new(std::vector<FieldError>& errors, std::vector<FieldError> more) {
  for (auto& error : more) {
    if (std::ranges::find(errors, error.field, &FieldError::field) == errors.end()) errors.push_back(std::move(error));
  }
}

Module draft(const Principal& principal, const ModuleRegistration& registration, TimePoint now) {
  Module module;
  module.name = registration.name;
  if (const auto version = parse_version(registration.version)) module.version = *version;
  module.moduleId = module_id(module.name, module.version);
  module.description = registration.description;
  module.limits = registration.limits;
  module.metadata = registration.metadata;
  module.allowedRegions = registration.allowedRegions;
  module.registeredAt = now;
  module.updatedAt = now;
  module.registeredBy = principal.user;
  return module;
}

}  // namespace

Registry::Registry(const Options& options, Parts parts)
    : options_(options),
      parts_(parts),
      registered_(parts.metrics.counter("wasm.modules.registered.total", "Module versions registered")),
      count_(parts.metrics.gauge("wasm.modules.count", "Module versions kept")),
      sizes_(parts.metrics.histogram("wasm.module.size.bytes", "Size of registered binaries", size_bounds())) {}

Task<Result<Module>> Registry::validate_upload(const Principal& principal, const ReceivedUpload& upload,
                                               const std::string& bytes, const TraceContext& trace) {
  Span span = parts_.tracer.start("wasm.module.validate", trace);
  std::vector<FieldError> errors = upload.errors;
  add_new(errors, validate(upload.registration));
  std::optional<ModuleDescription> description;
  if (bytes.empty()) {
    add_new(errors, {{"binary", "is required"}});
  } else {
    auto described = co_await parts_.cpu.run([&] { return parts_.inspector.describe(bytes); });
    if (described) {
      description = *std::move(described);
    } else if (described.error().kind == ErrorKind::kInvalid) {
      add_new(errors, {{"binary", described.error().detail}});
    } else {
      span.fail();
      co_return std::unexpected(std::move(described).error());
    }
  }
  Module module = draft(principal, upload.registration, parts_.clock.now());
  span.attribute("moduleId", module.moduleId.str());
  module.claims = upload.registration.claims;
  // What no node of this build offers, other nodes may; deployments name the nodes that do not.
  EngineOffers offers = parts_.inspector.offers();
  HS_CO_TRY(const auto more, co_await parts_.pool.run([&] { return parts_.interfaces.importable(principal.tenant); }));
  offers.component.insert(offers.component.end(), more.begin(), more.end());
  Result<> applied;
  if (description) applied = apply_description(*description, offers, options_.wasi03, module);
  if (!errors.empty()) {
    span.fail();
    if (!applied) errors.insert(errors.end(), applied.error().fields.begin(), applied.error().fields.end());
    co_return fail_fields(std::move(errors));
  }
  if (!applied) {
    span.fail();
    co_return std::unexpected(std::move(applied).error());
  }
  auto admitted = co_await parts_.pool.run([&] { return parts_.interfaces.admit(principal, bytes, module.claims); });
  if (!admitted) {
    span.fail();
    co_return std::unexpected(std::move(admitted).error());
  }
  module.findings.insert(module.findings.end(), admitted->begin(), admitted->end());
  span.attribute("findings", module.findings.size());
  co_return module;
}

Task<Result<AddedModule>> Registry::add(Principal principal, ReceivedUpload upload, BinarySink& sink,
                                        TraceContext trace) {
  Span span = parts_.tracer.start("wasm.module.register", trace);
  span.attribute("name", upload.registration.name);
  span.attribute("version", upload.registration.version);
  span.attribute("sizeBytes", sink.bytes().size());
  auto module = co_await validate_upload(principal, upload, sink.bytes(), span.context());
  if (!module) {
    span.fail();
    co_return std::unexpected(std::move(module).error());
  }
  HS_CO_CHECK(co_await sink.flush());
  auto added = co_await parts_.pool.run([&] { return keep(principal.tenant, *std::move(module), sink.writer()); });
  if (!added) {
    span.fail();
    co_return added;
  }
  span.attribute("moduleId", added->module.moduleId.str());
  span.attribute("existed", added->existed);
  if (added->existed) co_return added;
  registered_.add();
  sizes_.record(static_cast<double>(added->module.sizeBytes));
  count_.add(1.0 - static_cast<double>(added->removed.size()));
  log::info("module registered", trace.trace_id(),
            {{"moduleId", added->module.moduleId.str()},
             {"checksum", added->module.checksum.hex()},
             {"sizeBytes", added->module.sizeBytes},
             {"findings", added->module.findings.size()},
             {"by", principal.user}});
  for (const auto& removed : added->removed) {
    log::info("module removed by retention", trace.trace_id(), {{"moduleId", removed.moduleId.str()}});
  }
  co_return added;
}

// Each registered version counts, whoever's it is; the same bytes again take no room.
Result<> Registry::check_room(const TenantId& tenant, const Module& module) {
  HS_TRY(const std::int64_t count, parts_.store.count_modules());
  if (count < static_cast<std::int64_t>(limits::kModulesPerCluster)) return {};
  if (parts_.store.module(tenant, module.moduleId)) return {};
  return fail(ErrorKind::kConflict, fmt::format("the registry is full: it holds {} module versions; delete some first",
                                                limits::kModulesPerCluster));
}

Result<AddedModule> Registry::keep(const TenantId& tenant, Module module, BlobWriter& writer) {
  HS_CHECK(check_room(tenant, module));
  std::shared_lock lock(binaries_);
  HS_TRY(const auto committed, writer.commit());
  module.checksum = committed.digest;
  module.sizeBytes = committed.size_bytes;
  module.binaryPath = blob_key(committed.digest);
  auto added = parts_.store.add_module(tenant, module, options_.versions_kept);
  lock.unlock();
  if (!added && !committed.existed) remove_if_unused(committed.digest);
  if (added) {
    for (const auto& removed : added->removed) remove_if_unused(removed.checksum);
  }
  return added;
}

void Registry::remove_if_unused(const Digest& digest) {
  const std::unique_lock lock(binaries_);
  const auto used = parts_.store.digest_in_use(digest);
  if (used && *used) return;
  const Result<> removed = used ? parts_.blobs.remove(digest) : std::unexpected(used.error());
  // The next start sweeps it up.
  if (!removed) log::warning("unused binary left", "", {{"digest", digest.hex()}, {"error", removed.error().detail}});
}

Task<Result<Module>> Registry::remove(Principal principal, ModuleId id, TraceContext trace) {
  auto removed = co_await parts_.pool.run([&] {
    auto module = parts_.store.remove_module(principal.tenant, id);
    if (module) remove_if_unused(module->checksum);
    return module;
  });
  if (removed) {
    count_.add(-1);
    log::info("module deleted", trace.trace_id(), {{"moduleId", id.str()}, {"by", principal.user}});
  }
  co_return removed;
}

Task<Result<>> Registry::recover() {
  HS_CO_TRY(const std::int64_t count, co_await parts_.pool.run([this] { return parts_.store.count_modules(); }));
  count_.set(static_cast<double>(count));
  HS_CO_TRY(const auto digests, co_await parts_.pool.run([this] { return parts_.blobs.list(); }));
  for (const auto& digest : digests) {
    co_await parts_.pool.run([&] {
      remove_if_unused(digest);
      return true;
    });
  }
  co_return Result<>{};
}

}  // namespace hotswap::control
