#include "control/control_fixture.h"

namespace hotswap::control {

Result<ModuleDescription> FakeInspector::describe(std::string_view bytes) {
  if (!bytes.starts_with(std::string_view("\0asm", 4))) {
    return fail(ErrorKind::kInvalid, "magic header not detected: bad magic number (at offset 0x0)");
  }
  const std::lock_guard lock(mutex_);
  const auto own = own_.find(std::string(bytes));
  return own == own_.end() ? description_ : own->second;
}

compat::WitResult<compat::Wit> FakeInspector::parse(const std::vector<compat::WitPackage>& packages) {
  return wasm::parse_wit(packages);
}

Result<compat::Wit> FakeInspector::decode(std::string_view component) {
  {
    const std::lock_guard lock(mutex_);
    const auto own = components_.find(std::string(component));
    if (own != components_.end()) return own->second;
  }
  return wasm::decode_wit(component);
}

compat::WitResult<compat::CoreWorld> FakeInspector::core_world(const std::vector<compat::WitPackage>& packages,
                                                               std::string_view world) {
  return wasm::core_world(packages, world);
}

void FakeInspector::set(ModuleDescription description) {
  const std::lock_guard lock(mutex_);
  description_ = std::move(description);
}

std::string FakeInspector::make_component(const std::string& world, const std::vector<std::string>& packages) {
  std::vector<compat::WitPackage> all{{{"world.wit", "package root:component;\nworld root {\n" + world + "\n}\n"}}};
  for (const auto& package : packages) all.push_back({{"package.wit", package}});
  auto wit = wasm::parse_wit(all);
  if (!wit) throw std::runtime_error(wit.error().message);
  wit->component = true;
  wit->world = compat::find_world(*wit, "root").value();
  ModuleDescription description;
  description.kind = "component";
  description.wasi = "0.2";
  const auto name_of = [&wit](const compat::WorldItem& item) {
    if (!item.interface) return item.name;
    const auto& interface = wit->interfaces[*item.interface];
    return compat::path_of(*wit, interface) + '@' + wit->packages[*interface.package].version;
  };
  for (const auto& item : wit->worlds[*wit->world].imports) {
    description.imports.push_back({.name = name_of(item), .kind = item.interface ? "instance" : "func"});
  }
  for (const auto& item : wit->worlds[*wit->world].exports) {
    if (!item.interface) continue;
    for (const auto& function : wit->interfaces[*item.interface].functions) {
      description.exports.push_back({name_of(item) + '#' + function.name, "func", {}, {}});
    }
  }
  std::string bytes = std::string("\0asm\x0d\0\x01\0", 8) + world + std::to_string(packages.size());
  for (const auto& package : packages) bytes += package;
  set(bytes, std::move(description));
  const std::lock_guard lock(mutex_);
  components_.insert_or_assign(bytes, *std::move(wit));
  return bytes;
}

void FakeInspector::set(std::string bytes, ModuleDescription description) {
  const std::lock_guard lock(mutex_);
  own_.insert_or_assign(std::move(bytes), std::move(description));
}

ModuleDescription FakeInspector::adder() {
  ModuleDescription description;
  description.kind = "core";
  description.wasi = "none";
  description.exports.push_back({"add", "func", {{std::nullopt, "i32"}, {std::nullopt, "i32"}}, {"i32"}});
  return description;
}

Platform::Platform(Options options) : options_(std::move(options)) {
  std::string pattern = (std::filesystem::temp_directory_path() / "hotswap-control-XXXXXX").string();
  folder_ = mkdtemp(pattern.data());
  store_ = std::make_unique<FlakyStore>(*open_store({.url = "sqlite:///" + folder_ + "/hotswap.db"}));
  blobs_ = *open_folder_blobs(folder_ + "/blobs");
  start();
}

Platform::~Platform() {
  stop();
  blobs_.reset();
  store_.reset();
  std::filesystem::remove_all(folder_);
}

void Platform::start() {
  threads_ = std::make_unique<net::IoThreads>(2);
  app_ = std::make_unique<App>(threads_->at(0).get_executor(), options_,
                               Parts{.store = *store_,
                                     .blobs = *blobs_,
                                     .inspector = inspector_,
                                     .pool = pool_,
                                     .cpu = cpu_,
                                     .clock = clock_,
                                     .random = random_,
                                     .tracer = tracer_,
                                     .metrics = metrics_});
  const auto started = run(app_->start());
  if (!started) throw std::runtime_error(started.error().detail);
  router_ = std::make_unique<net::Router>();
  app_->mount(*router_);
  net::ServerOptions listen;
  listen.name = "api";
  listen.listen = *net::parse_endpoint("127.0.0.1:0");
  server_ = *net::Server::start(
      *threads_, std::move(listen), [this](net::Exchange& exchange) { return router_->handle(exchange); }, tracer_,
      metrics_);
}

void Platform::restart(Options options) {
  stop();
  options_ = std::move(options);
  start();
}

void Platform::stop() {
  if (!app_) return;
  run(app_->stop());
  server_.reset();
  threads_->stop();
  router_.reset();
  app_.reset();
  ended_threads_.push_back(std::move(threads_));
}

Reply Platform::send(net::ClientRequest request) {
  const auto exchange = [](std::string url, net::ClientRequest sent) -> Task<Result<net::ClientResponse>> {
    auto client = net::Client::create(co_await asio::this_coro::executor, url);
    co_return co_await (*client)->send(std::move(sent));
  };
  auto response = run(exchange(server_->url(), std::move(request)));
  if (!response) return {.status = 0, .body = response.error().detail, .headers = {}};
  return {.status = response->status, .body = std::move(response->body), .headers = std::move(response->headers)};
}

Reply Platform::send(std::string method, std::string target, std::string body, std::string type) {
  net::ClientRequest request;
  request.method = std::move(method);
  request.target = std::move(target);
  if (!body.empty() || type != "application/json") request.headers.emplace_back("Content-Type", std::move(type));
  request.body = std::move(body);
  return send(std::move(request));
}

Reply Platform::upload(const std::string& name, const std::string& version, std::optional<std::string> bytes) {
  return send("POST", "/api/v1/wasm/modules?name=" + name + "&version=" + version,
              bytes.value_or(tiny_module(name + version)), "application/wasm");
}

std::string Platform::create(const std::string& name, const std::string& version, json::object more) {
  EXPECT_EQ(upload(name, version).status / 100, 2U);
  more["moduleId"] = name + "-v" + version;
  if (!more.contains("targetRegions")) more["targetRegions"] = json::array{"local"};
  const Reply reply = post("/api/v1/wasm/deployments", json::serialize(more));
  EXPECT_EQ(reply.status, 201U) << reply.body;
  return reply.text("/deploymentId");
}

Reply Platform::verb(const std::string& id, const std::string& name) {
  return post("/api/v1/wasm/deployments/" + id + "/" + name);
}

Deployment Platform::deployment(const std::string& id) {
  return *from_json_text<Deployment>(get("/api/v1/wasm/deployments/" + id).body);
}

Deployment Platform::wait(const std::string& id, const std::function<bool(const Deployment&)>& enough) {
  Deployment now;
  EXPECT_TRUE(eventually([&] {
    now = deployment(id);
    return enough(now);
  }));
  return now;
}

Deployment Platform::wait_finished(const std::string& id) {
  return wait(id, [](const Deployment& now) { return finished(now.status); });
}

Deployment Platform::wait_step(const std::string& id, int step) {
  return wait(id, [step](const Deployment& now) { return now.step >= step || finished(now.status); });
}

std::vector<Event> Platform::events(const std::string& id) {
  const auto list = get("/api/v1/wasm/deployments/" + id + "/events").json();
  return *from_json<std::vector<Event>>(list.at("items"));
}

}  // namespace hotswap::control
