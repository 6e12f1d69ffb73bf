#include "node/kept_state.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <system_error>

#include "base/log.h"

namespace hotswap::node {
namespace {

constexpr unsigned kMode = 0600;

std::unexpected<Error> cannot(std::string_view doing, const std::filesystem::path& file) {
  return fail(ErrorKind::kUnavailable,
              fmt::format("cannot {} {}: {}", doing, file.string(), std::generic_category().message(errno)));
}

Result<> write_and_sync(int descriptor, const std::filesystem::path& file, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = ::write(descriptor, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return cannot("write", file);
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(descriptor) != 0) return cannot("sync", file);
  return {};
}

}  // namespace

Result<> replace_file(const std::filesystem::path& file, std::string_view content, unsigned mode) {
  auto next = file;
  next += ".new";
  const int descriptor = ::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  if (descriptor < 0) return cannot("create", next);
  const auto written = write_and_sync(descriptor, next, content);
  ::close(descriptor);
  HS_CHECK(written);
  if (::rename(next.c_str(), file.c_str()) != 0) return cannot("replace", file);
  return {};
}

std::optional<std::string> read_whole(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return std::nullopt;
  return std::string{std::istreambuf_iterator<char>(stream), {}};
}

std::optional<DesiredState> KeptState::load() const {
  const auto text = read_whole(file_);
  if (!text) return std::nullopt;
  auto state = from_json_text<DesiredState>(*text, UnknownMembers::ignored);
  if (state) return *std::move(state);
  log::warning("kept state cannot be read", "", {{"file", file_.string()}, {"error", state.error().detail}});
  return std::nullopt;
}

Result<> KeptState::save(const DesiredState& state) const { return replace_file(file_, to_json_text(state), kMode); }

}  // namespace hotswap::node
