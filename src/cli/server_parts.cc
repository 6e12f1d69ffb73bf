#include "cli/server_parts.h"

#include <boost/asio/post.hpp>
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <future>

#include "base/json.h"
#include "net/certificates.h"
#include "net/url.h"
#include "node/kept_state.h"

namespace hotswap::cli {
namespace {

constexpr std::size_t kStoreThreads = 4;
constexpr std::size_t kHostNameBytes = 256;

std::string host_name() {
  std::array<char, kHostNameBytes> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

Result<std::vector<control::RegionSetting>> regions_of(const ControlSettings& settings) {
  std::vector<control::RegionSetting> regions;
  for (const auto& word : settings.regions.empty() ? predefined_regions() : settings.regions) {
    const auto equals = word.find('=');
    const std::string environment = equals == std::string::npos ? settings.environment : word.substr(equals + 1);
    const auto known = enum_from_name<control::Environment>(environment);
    if (!known) {
      return fail(ErrorKind::kInvalid, fmt::format("region {}: the environment must be one of {}", word,
                                                   enum_names<control::Environment>()));
    }
    const Region region(word.substr(0, equals));
    if (std::ranges::find(regions, region, &control::RegionSetting::region) != regions.end()) {
      return fail(ErrorKind::kInvalid, fmt::format("region {} is given twice", region.str()));
    }
    regions.push_back({region, *known});
  }
  return regions;
}

Result<> apply_replicas(const ControlSettings& settings, std::vector<control::RegionSetting>& regions) {
  for (const auto& word : settings.replicas) {
    const auto equals = word.find('=');
    const std::string count = equals == std::string::npos ? word : word.substr(equals + 1);
    const bool known =
        count == "all" || (count.size() == 1 && count[0] >= '1' && count[0] - '0' <= limits::kReplicasMax);
    if (!known) {
      return fail(ErrorKind::kInvalid,
                  fmt::format("--replicas {}: a number from 1 to {}, or all", word, limits::kReplicasMax));
    }
    bool found = false;
    for (auto& region : regions) {
      if (equals != std::string::npos && region.region.str() != word.substr(0, equals)) continue;
      region.replicas = count == "all" ? 0 : count[0] - '0';
      found = true;
    }
    if (!found) return fail(ErrorKind::kInvalid, fmt::format("--replicas {}: there is no such region", word));
  }
  return {};
}

// The same in every life of the node: peers that started without a control plane in sight know it from before.
Result<std::string> forward_key_of(Ground& ground) {
  constexpr unsigned kSecretMode = 0600;
  const auto file = ground.data / "forward-key";
  if (auto kept = node::read_whole(file); kept && !kept->empty()) return *std::move(kept);
  std::string key = new_uuid(ground.random);
  HS_CHECK(node::replace_file(file, key, kSecretMode));
  return key;
}

// "N" for every region, or "REGION=N".
Result<> apply_bound(std::string_view option, const std::vector<std::string>& words, int scaling::Bounds::* bound,
                     std::vector<control::RegionSetting>& regions) {
  for (const auto& word : words) {
    const auto equals = word.find('=');
    const std::string_view text = std::string_view(word).substr(equals == std::string::npos ? 0 : equals + 1);
    int count = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), count);
    constexpr int kMost = static_cast<int>(limits::kNodesPerRegion);
    if (code != std::errc() || end != text.data() + text.size() || count < 1 || count > kMost) {
      return fail(ErrorKind::kInvalid, fmt::format("{} {}: a number of nodes from 1 to {}", option, word, kMost));
    }
    bool found = false;
    for (auto& region : regions) {
      if (equals != std::string::npos && region.region.str() != word.substr(0, equals)) continue;
      region.nodes.*bound = count;
      found = true;
    }
    if (!found) return fail(ErrorKind::kInvalid, fmt::format("{} {}: there is no such region", option, word));
  }
  return {};
}

// What `check` finds wrong with the value of an option that may be left out, named by the option.
template <class Check>
Result<> checked(std::string_view option, const std::string& value, Check check) {
  if (value.empty()) return {};
  if (const auto good = check(value); !good) {
    return fail(ErrorKind::kInvalid, fmt::format("{}: {}", option, good.error().detail));
  }
  return {};
}

Result<> apply_scaling(const ScalingSettings& settings, control::Options& options) {
  HS_CHECK(apply_bound("--min-nodes", settings.min_nodes, &scaling::Bounds::minimum, options.regions));
  HS_CHECK(apply_bound("--max-nodes", settings.max_nodes, &scaling::Bounds::maximum, options.regions));
  for (const auto& region : options.regions) {
    if (region.nodes.minimum <= region.nodes.maximum) continue;
    return fail(ErrorKind::kInvalid, fmt::format("region {}: --min-nodes {} is more than --max-nodes {}",
                                                 region.region.str(), region.nodes.minimum, region.nodes.maximum));
  }
  if (settings.down_cpu >= settings.up_cpu) {
    return fail(ErrorKind::kInvalid, fmt::format("--scale-down-cpu {:g} must be less than --scale-up-cpu {:g}",
                                                 settings.down_cpu, settings.up_cpu));
  }
  HS_CHECK(checked("--scaling-webhook", settings.webhook, net::check_url));
  options.scaling.enabled = settings.enabled || !settings.webhook.empty();
  options.scaling.triggers = {.busy_percent = settings.up_cpu,
                              .busy_for = std::chrono::seconds(settings.up_after),
                              .many_modules = settings.up_modules,
                              .idle_percent = settings.down_cpu,
                              .idle_for = std::chrono::seconds(settings.down_after),
                              .cooldown = std::chrono::seconds(settings.cooldown)};
  options.scaling.webhook_url = settings.webhook;
  options.scaling.webhook_secret = settings.webhook_secret;
  return {};
}

// A setting's option by the name of the field that is wrong.
std::string_view option_of(std::string_view field) {
  if (field == "url") return "--smtp-url";
  if (field == "plain") return "--smtp-plain";
  return "--smtp-user";
}

Result<> apply_mail(const MailSettings& settings, control::Options& options) {
  if (settings.smtp_url.empty()) return {};
  auto& smtp = options.mail.smtp;
  smtp = {.url = settings.smtp_url,
          .from = settings.from,
          .user = settings.user,
          // The environment may hold one for whoever needs it.
          .password = settings.user.empty() ? std::string() : settings.password,
          .plain = settings.plain,
          .ca_file = settings.ca_file,
          .timeout = kMailTimeout};
  if (const auto good = net::check(smtp); !good) {
    const auto& [field, message] = good.error().fields.front();
    return fail(ErrorKind::kInvalid, fmt::format("{}: {}", option_of(field), message));
  }
  HS_CHECK(checked("--smtp-ca", settings.ca_file, net::check_certificates));
  if (!is_mail_address(settings.from)) return fail(ErrorKind::kInvalid, "--smtp-from: must be an address");
  if (settings.approvers.empty() || settings.approvers.size() > kMailRecipients) {
    return fail(ErrorKind::kInvalid, fmt::format("--approvers-mail: 1 to {} addresses are needed", kMailRecipients));
  }
  for (const auto& address : settings.approvers) {
    if (is_mail_address(address)) continue;
    return fail(ErrorKind::kInvalid, fmt::format("--approvers-mail: \"{}\" is no address", address));
  }
  options.mail.approvers = settings.approvers;
  return {};
}

std::vector<std::string> capabilities(const EngineOffers& offers) {
  // Core modules import "wasi_snapshot_preview1#fd_write": the interface is what stands before the '#'.
  std::vector<std::string> all = offers.component;
  for (const auto& name : offers.core) all.push_back(name.substr(0, name.find('#')));
  std::ranges::sort(all);
  all.erase(std::ranges::unique(all).begin(), all.end());
  return all;
}

}  // namespace

const std::vector<std::string>& predefined_regions() {
  static const std::vector<std::string> kRegions{"us-east", "us-west",   "eu-central",
                                                 "eu-west", "apac-east", "apac-south"};
  return kRegions;
}

std::size_t usable_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  return std::max<std::size_t>(1, static_cast<std::size_t>(CPU_COUNT(&set)));
}

Ground::Ground(const CommonSettings& settings)
    : threads(settings.threads == 0 ? usable_processors() : settings.threads),
      cpu("compile", usable_processors()),
      aside(threads.size()) {}

Result<> Ground::open(const CommonSettings& settings, std::uint32_t instances,
                      const std::filesystem::path& outbound_ca) {
  std::error_code code;
  std::filesystem::create_directories(settings.data, code);
  if (code) {
    return fail(ErrorKind::kUnavailable,
                "cannot create the data folder " + settings.data.string() + ": " + code.message());
  }
  data = std::filesystem::absolute(settings.data);
  std::string authorities;
  if (!outbound_ca.empty()) {
    auto read = node::read_whole(outbound_ca);
    if (!read) return fail(ErrorKind::kUnavailable, "cannot read " + outbound_ca.string() + " (--outbound-ca)");
    authorities = *std::move(read);
  }
  HS_TRY(engine, wasm::Engine::create({.pool_instances = instances,
                                       .pool_memory_bytes = limits::kPoolMemoryBytes,
                                       .tick = limits::kEpochTick,
                                       .wasi03 = settings.wasi03,
                                       .outbound_ca = std::move(authorities)}));
  return {};
}

Result<std::unique_ptr<net::Server>> Ground::listen(const std::string& name, const std::string& address,
                                                    const net::Router& router) {
  HS_TRY(const auto endpoint, net::parse_endpoint(address));
  return net::Server::start(
      threads, {.name = name, .listen = endpoint},
      [&router](net::Exchange& exchange) { return router.handle(exchange); }, tracer, metrics);
}

std::size_t Ground::drain(std::vector<net::Server*> servers) {
  std::vector<std::future<std::size_t>> draining;
  for (auto* server : servers) {
    if (server == nullptr) continue;
    draining.push_back(asio::co_spawn(threads.at(0), server->drain(limits::kDrain), asio::use_future));
  }
  std::size_t cut = 0;
  for (auto& drained : draining) cut += drained.get();
  return cut;
}

void Ground::settle() {
  for (std::size_t i = 0; i < threads.size(); ++i) asio::post(threads.at(i), asio::use_future).get();
}

Result<ModuleDescription> EngineInspector::describe(std::string_view bytes) {
  HS_TRY(const std::string text, engine_.describe(bytes));
  return from_json_text<ModuleDescription>(text);
}

Result<> ControlSide::open(Ground& ground, const CommonSettings& common, const ControlSettings& settings,
                           std::function<void(const ScalingEvent&)> on_scaling) {
  HS_TRY(EngineOffers offers, from_json_text<EngineOffers>(ground.engine->offers()));
  inspector.emplace(*ground.engine, std::move(offers));
  sql.emplace("store", kStoreThreads);
  HS_TRY(store, open_store({.url = settings.store.empty() ? "sqlite://" + (ground.data / "hotswap.db").string()
                                                          : settings.store,
                            .connections = kStoreThreads}));
  HS_TRY(blobs, open_folder_blobs((ground.data / "blobs").string()));
  control::Options options;
  options.wasi03 = common.wasi03;
  HS_TRY(options.regions, regions_of(settings));
  HS_CHECK(apply_replicas(settings, options.regions));
  options.simultaneous_moves = settings.simultaneous_moves;
  options.report_every = std::chrono::seconds(settings.report_every);
  options.liveness = {.suspect_after = std::chrono::seconds(settings.suspect_after),
                      .unhealthy_after = std::chrono::seconds(settings.unhealthy_after)};
  options.deployments_per_hour = settings.deployments_per_hour;
  options.credential_life = std::chrono::seconds(settings.credential_life);
  HS_CHECK(checked("--prometheus-url", settings.prometheus_url, net::check_url));
  options.prometheus_url = settings.prometheus_url;
  HS_CHECK(checked("--web-ca", settings.web_ca_file, net::check_certificates));
  options.web_ca_file = settings.web_ca_file;
  HS_CHECK(apply_scaling(settings.scaling, options));
  HS_CHECK(apply_mail(settings.mail, options));
  options.scaling.on_decision = std::move(on_scaling);
  app.emplace(ground.threads.at(0).get_executor(), std::move(options),
              control::Parts{.store = *store,
                             .blobs = *blobs,
                             .inspector = *inspector,
                             .pool = *sql,
                             .cpu = ground.cpu,
                             .clock = ground.clock,
                             .random = ground.random,
                             .tracer = ground.tracer,
                             .metrics = ground.metrics});
  return {};
}

Result<NodeDescription> describe_node(Ground& ground, const CommonSettings& common, const NodeSettings& settings) {
  HS_TRY(const auto offers, from_json_text<EngineOffers>(ground.engine->offers()));
  HS_TRY(const auto endpoint, net::parse_endpoint(settings.gateway));
  NodeDescription node;
  node.nodeId = NodeId(settings.node.empty() ? host_name() : settings.node);
  node.hostname = settings.advertise;
  if (node.hostname.empty()) {
    const auto address = endpoint.address();
    node.hostname = address.is_unspecified() ? host_name() : address.to_string();
    if (address.is_v6() && !address.is_unspecified()) node.hostname = '[' + node.hostname + ']';
  }
  node.port = endpoint.port();
  node.region = Region(settings.region);
  if (!settings.zone.empty()) node.zone = settings.zone;
  node.runtimeVersion = wasm::Engine::version();
  node.wasiVersion = common.wasi03 ? WasiVersion::Preview3 : WasiVersion::Preview2;
  node.capabilities = capabilities(offers);
  node.maxModules = settings.max_modules;
  node.hardware = node::hardware(ground.data);
  node.startedAt = ground.clock.now();
  node.incarnation = new_uuid(ground.random);
  return node;
}

Result<std::unique_ptr<node::App>> open_node(Ground& ground, NodeDescription description, bool keep,
                                             node::ControlLink& link) {
  HS_TRY(std::string forward_key, forward_key_of(ground));
  return node::App::create({.node = std::move(description),
                            .forward_key = std::move(forward_key),
                            .data = ground.data,
                            .keep = keep,
                            .policy = {.max_output_bytes = limits::kOutputBytes, .cpu_window = limits::kCpuWindow}},
                           {.threads = ground.threads,
                            .engine = *ground.engine,
                            .control = link,
                            .cpu = ground.cpu,
                            .aside = ground.aside,
                            .clock = ground.clock,
                            .random = ground.random,
                            .tracer = ground.tracer,
                            .metrics = ground.metrics});
}

}  // namespace hotswap::cli
