#include "store/store_fixture.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "store/connection.h"

namespace hotswap {
namespace {

constexpr std::string_view kServerPrograms = "/usr/lib/postgresql/15/bin";

// PostgreSQL refuses to run as root; Debian's package brings a user for it.
const passwd* server_user() { return geteuid() == 0 ? getpwnam("postgres") : getpwuid(geteuid()); }

// Runs a server program as the server's user, quiet, in `folder`.
pid_t start(const std::string& folder, std::vector<std::string> arguments) {
  const passwd* user = server_user();
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child != 0) return child;
  if (geteuid() == 0 && (setgid(user->pw_gid) != 0 || setgroups(0, nullptr) != 0 || setuid(user->pw_uid) != 0)) {
    _exit(126);
  }
  // After setuid, which clears it: the server must not outlive a test program that was killed.
  prctl(PR_SET_PDEATHSIG, SIGQUIT);
  if (getppid() != parent || chdir(folder.c_str()) != 0) _exit(126);
  const int log = ::open("server.log", O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  execv(argv[0], argv.data());
  _exit(127);
}

int wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

// A cluster is a thousand small files, and every test program makes one: in memory where there is room.
std::string cluster_parent() {
  constexpr std::uintmax_t kRoom = 1'000'000'000;
  std::error_code code;
  const auto space = std::filesystem::space("/dev/shm", code);
  return !code && space.available > kRoom ? "/dev/shm" : "";
}

class PostgresqlServer {
 public:
  static PostgresqlServer* instance() {
    static PostgresqlServer server;
    return server.process_ > 0 ? &server : nullptr;
  }

  PostgresqlServer(const PostgresqlServer&) = delete;
  PostgresqlServer& operator=(const PostgresqlServer&) = delete;
  ~PostgresqlServer() {
    if (process_ <= 0) return;
    kill(process_, SIGQUIT);  // at once: nothing of it is needed any more
    wait_for(process_);
  }

  [[nodiscard]] const std::string& socket_folder() const { return folder_.path(); }

 private:
  PostgresqlServer() {
    const std::string programs(kServerPrograms);
    if (!std::filesystem::exists(programs + "/postgres") || server_user() == nullptr) return;
    if (geteuid() == 0 && chown(folder_.path().c_str(), server_user()->pw_uid, server_user()->pw_gid) != 0) return;
    const std::string data = folder_.path() + "/data";
    const pid_t setup = start(folder_.path(), {programs + "/initdb", "--pgdata=" + data, "--auth=trust", "--no-sync",
                                               "--username=hotswap", "--encoding=UTF8", "--locale=C.UTF-8"});
    if (wait_for(setup) != 0) {
      ADD_FAILURE() << "initdb failed; see " << folder_.path() << "/server.log";
      return;
    }
    process_ = start(folder_.path(),
                     {programs + "/postgres", "-D", data, "-k", folder_.path(), "-c", "listen_addresses=", "-c",
                      "fsync=off", "-c", "max_connections=60", "-c", "shared_buffers=16MB"});
    await_ready();
  }

  // PostgreSQL writes its state into postmaster.pid; the last line becomes "ready". Yields the processor meanwhile.
  void await_ready() {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (std::chrono::steady_clock::now() < deadline) {
      try {
        const Connection probe({Backend::Postgresql, "postgresql:///postgres?user=hotswap&host=" + folder_.path()});
        return;
      } catch (const soci::soci_error&) {
        usleep(5000);
      }
    }
    ADD_FAILURE() << "PostgreSQL did not start; see " << folder_.path() << "/server.log";
  }

  TempFolder folder_{cluster_parent()};
  pid_t process_ = 0;
};

std::string server_url(const std::string& socket_folder) {
  return "postgresql:///postgres?user=hotswap&host=" + socket_folder;
}

}  // namespace

TempFolder::TempFolder(const std::string& parent) {
  const std::filesystem::path folder =
      parent.empty() ? std::filesystem::temp_directory_path() : std::filesystem::path(parent);
  std::string name = (folder / "hotswap-test-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "no temporary folder";
  path_ = name;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::optional<std::string> postgresql_socket_folder() {
  const auto* server = PostgresqlServer::instance();
  if (server == nullptr) return std::nullopt;
  return server->socket_folder();
}

Database::Database(const std::string& backend) {
  if (backend == "sqlite") {
    url_ = "sqlite://" + folder_.path() + "/rows.db";
    return;
  }
  const auto sockets = postgresql_socket_folder();
  if (!sockets) return;
  static std::atomic<int> count{0};
  const std::string schema = fmt::format("store{}", ++count);
  Connection({Backend::Postgresql, server_url(*sockets)}).execute("CREATE SCHEMA " + schema);
  url_ = server_url(*sockets) + "&options=-csearch_path%3D" + schema;
}

void StoreTest::SetUp() {
  database_.emplace(GetParam());
  ASSERT_TRUE(database_->available())
      << "PostgreSQL 15 is missing (Debian package postgresql-15): ./dev setup installs it";
  store_ = open();
  ASSERT_NE(store_, nullptr);
}

std::unique_ptr<Store> StoreTest::open(std::size_t connections) const {
  auto store = open_store({database_->url(), connections});
  if (!store) {
    ADD_FAILURE() << store.error().detail;
    return nullptr;
  }
  return *std::move(store);
}

void StoreTest::cut_connections() const {
  if (GetParam() == "sqlite") return;
  Connection({Backend::Postgresql, server_url(*postgresql_socket_folder())})
      .rows<std::string>(
          "SELECT CAST(pg_terminate_backend(pid, 5000) AS TEXT) FROM pg_stat_activity "
          "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'");
}

Module make_module(const std::string& name, Version version, const std::string& content) {
  Module module;
  module.moduleId = module_id(name, version);
  module.name = name;
  module.version = version;
  module.checksum = Sha256::of(content);
  module.sizeBytes = content.size();
  module.registeredAt = kStart;
  module.registeredBy = "admin";
  module.updatedAt = kStart;
  return module;
}

Deployment make_deployment(const std::string& id, const Module& module, DeploymentStatus status) {
  Deployment deployment;
  deployment.deploymentId = DeploymentId(id);
  deployment.moduleId = module.moduleId;
  deployment.moduleName = module.name;
  deployment.targetRegions = {Region("local")};
  deployment.http = default_binding(module.name);
  deployment.status = status;
  deployment.createdAt = kStart;
  deployment.createdBy = "admin";
  return deployment;
}

Route make_route(const TenantId& tenant, const Module& module, const std::string& region) {
  return {tenant, module.name, Region(region), {{module.moduleId, 100}}, default_binding(module.name)};
}

Event make_event(EventType type) {
  Event event;
  event.type = type;
  event.at = kStart;
  event.by = "admin";
  return event;
}

}  // namespace hotswap
