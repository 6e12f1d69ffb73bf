#include "sandbox/wasm/code_cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <vector>

namespace hotswap::wasm {
namespace {

namespace fs = std::filesystem;

bool sync_file(const fs::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  const bool synced = ::fsync(file) == 0;
  ::close(file);
  return synced;
}

// Synced before the rename: machine code is trusted when it is read back, so a file must never be partial, not even
// after a power failure.
Result<> write_file(const fs::path& path, std::string_view bytes) {
  static std::atomic<unsigned> serial{0};
  const fs::path temporary = fmt::format("{}.{}.{}.tmp", path.string(), ::getpid(), serial.fetch_add(1));
  std::ofstream out(temporary, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  std::error_code code;
  const bool written = out && sync_file(temporary);
  if (written) fs::rename(temporary, path, code);
  if (!written || code) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    return fail(ErrorKind::kUnavailable, fmt::format("cannot write {}", path.string()));
  }
  return {};
}

}  // namespace

Result<CodeCache> CodeCache::open(const Engine& engine, const fs::path& folder, std::uint64_t max_bytes) {
  const fs::path mine = folder / Sha256::of(engine.fingerprint()).hex().substr(0, 16);
  std::error_code code;
  fs::create_directories(mine, code);
  if (code) return fail(ErrorKind::kUnavailable, fmt::format("cannot create {}: {}", mine.string(), code.message()));
  for (const auto& entry : fs::directory_iterator(folder, code)) {
    std::error_code ignored;
    if (entry.path() != mine) fs::remove_all(entry.path(), ignored);
  }
  return CodeCache(engine, mine, max_bytes);
}

fs::path CodeCache::file(const Digest& digest) const { return folder_ / (digest.hex() + ".cwasm"); }

bool CodeCache::contains(const Digest& digest) const {
  std::error_code code;
  return fs::exists(file(digest), code);
}

void CodeCache::remove(const Digest& digest) const noexcept {
  std::error_code ignored;
  fs::remove(file(digest), ignored);
}

Result<Code> CodeCache::get(const Digest& digest, const std::function<Result<std::string>()>& binary) const {
  const fs::path path = file(digest);
  if (contains(digest)) {
    if (auto code = engine_->load(path.string())) {
      std::error_code ignored;
      fs::last_write_time(path, fs::file_time_type::clock::now(), ignored);
      return code;
    }
    remove(digest);
  }
  HS_TRY(const std::string bytes, binary());
  HS_TRY(Code code, engine_->compile(bytes));
  HS_TRY(const std::string machine_code, code.serialize());
  HS_CHECK(write_file(path, machine_code));
  trim(path);
  return code;
}

// Code that is in use stays mapped after its file is gone.
void CodeCache::trim(const fs::path& newest) const {
  struct File {
    fs::file_time_type used;
    std::uint64_t bytes;
    fs::path path;
  };
  std::vector<File> files;
  std::uint64_t total = 0;
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(folder_, code)) {
    std::error_code gone;  // removed meanwhile by another thread
    const File file{entry.last_write_time(gone), entry.file_size(gone), entry.path()};
    if (gone) continue;
    total += file.bytes;
    if (file.path != newest) files.push_back(file);
  }
  std::ranges::sort(files, {}, &File::used);
  for (const File& file : files) {
    if (total <= max_bytes_) return;
    fs::remove(file.path, code);
    total -= file.bytes;
  }
}

}  // namespace hotswap::wasm
