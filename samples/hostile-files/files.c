// Takes more disk than it may, and looks for ways out of its folder. Each function says what the host said.
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wasi/api.h>

#ifdef CORE
#define EXPORT(name) __attribute__((export_name(#name))) name
#else
#include "hostile_files.h"
#define EXPORT(name) exports_hostile_files_##name
#endif

#define PIECE 65536

static char piece[PIECE];

// The folder as the host gave it: what libc does to paths before it asks does not stand between.
enum { FOLDER = 3 };

int32_t EXPORT(fill)(uint32_t file, uint32_t kibibytes) {
  char path[32];
  snprintf(path, sizeof path, "/data/fill%u", (unsigned)file);
  const int fd = open(path, O_WRONLY | O_CREAT, 0666);
  if (fd < 0) return errno;
  for (uint64_t left = (uint64_t)kibibytes * 1024; left > 0;) {
    const ssize_t written = write(fd, piece, left < PIECE ? left : PIECE);
    if (written < 0) return errno;
    left -= (uint64_t)written;
  }
  close(fd);
  return 0;
}

int32_t EXPORT(overwrite)(uint32_t times) {
  const int fd = open("/data/again", O_WRONLY | O_CREAT, 0666);
  if (fd < 0) return errno;
  for (uint32_t i = 0; i < times; i++) {
    if (pwrite(fd, piece, PIECE, 0) < 0) return errno;
  }
  return 0;
}

int32_t EXPORT(scatter)(uint32_t places) {
  const int fd = open("/data/holes", O_WRONLY | O_CREAT, 0666);
  if (fd < 0 || ftruncate(fd, (off_t)1 << 40) != 0) return errno;
  for (uint32_t i = 0; i < places; i++) {
    if (pwrite(fd, piece, 1, (off_t)i << 20) < 0) return errno;
  }
  return 0;
}

int32_t EXPORT(append)(uint32_t times, uint32_t bytes) {
  const int fd = open("/data/log", O_WRONLY | O_CREAT | O_APPEND, 0666);
  if (fd < 0) return errno;
  for (uint32_t i = 0; i < times; i++) {
    if (write(fd, piece, bytes < PIECE ? bytes : PIECE) < 0) return errno;
  }
  return 0;
}

uint32_t EXPORT(make)(uint32_t kind, uint32_t count) {
  char path[32];
  close(open("/data/first", O_WRONLY | O_CREAT, 0666));
  for (uint32_t i = 0; i < count; i++) {
    snprintf(path, sizeof path, "/data/e%u", (unsigned)i);
    int failed = 0;
    switch (kind) {
      case 0:
        failed = open(path, O_WRONLY | O_CREAT | O_EXCL, 0666);
        if (failed >= 0) failed = close(failed);
        break;
      case 1:
        failed = mkdir(path, 0777);
        break;
      case 2:
        failed = symlink("first", path);
        break;
      default:
        failed = link("/data/first", path);
        break;
    }
    if (failed < 0) return i;
  }
  return count;
}

uint32_t EXPORT(unmake)(uint32_t count) {
  char path[32];
  for (uint32_t i = 0; i < count; i++) {
    snprintf(path, sizeof path, "/data/e%u", (unsigned)i);
    if (unlink(path) != 0 && rmdir(path) != 0) return i;
  }
  return count;
}

// What is there already, or not any more, is as good.
static void either_way(__wasi_errno_t said) { (void)said; }

static int32_t open_raw(const char *path, __wasi_lookupflags_t follow, __wasi_oflags_t flags) {
  __wasi_fd_t fd;
  return __wasi_path_open(FOLDER, follow, path, flags, __WASI_RIGHTS_FD_READ, 0, 0, &fd);
}

static int32_t through(const char *target, const char *path) {
  either_way(__wasi_path_unlink_file(FOLDER, "way"));
  const int32_t made = __wasi_path_symlink(target, FOLDER, "way");
  // Refused already where the link would lead out.
  if (made != 0) return made;
  return open_raw(path, __WASI_LOOKUPFLAGS_SYMLINK_FOLLOW, 0);
}

int32_t EXPORT(escape)(uint32_t way) {
  __wasi_filestat_t stat;
  uint8_t text[64];
  __wasi_size_t size;
  switch (way) {
    case 0:
      return open_raw("../../../../../../../../etc/passwd", 0, 0);
    case 1:
      return open_raw("/etc/passwd", 0, 0);
    case 2:
      return open_raw("..", 0, __WASI_OFLAGS_DIRECTORY);
    case 3:
      return through("/etc/passwd", "way");
    case 4:
      return through("../../../../../../../../../../etc", "way/passwd");
    case 5:
      either_way(__wasi_path_create_directory(FOLDER, "inner"));
      return through("inner/../..", "way/../../../../etc/passwd");
    case 6:
      return __wasi_path_filestat_get(FOLDER, 0, "../..", &stat);
    case 7:
      return __wasi_path_create_directory(FOLDER, "../outside");
    case 8:
      close(open("/data/mine", O_WRONLY | O_CREAT, 0666));
      return __wasi_path_rename(FOLDER, "mine", FOLDER, "../outside");
    case 9:
      return __wasi_path_link(FOLDER, 0, "../../../../../../../../etc/passwd", FOLDER, "passwd");
    case 10:
      return __wasi_path_readlink(FOLDER, "../../../../../../../../proc/self/exe", text, sizeof text, &size);
    case 11:
      return __wasi_path_unlink_file(FOLDER, "../../hostile");
    case 12:
      return __wasi_path_remove_directory(FOLDER, "..");
    case 13:
      return open_raw("../../../../../../../../tmp/hostile-was-here", 0, __WASI_OFLAGS_CREAT);
    default:
      return -1;
  }
}

uint32_t EXPORT(swing)(uint32_t times) {
  uint32_t turns = 0;
  for (uint32_t i = 0; i < times; i++) {
    either_way(__wasi_path_create_directory(FOLDER, "door"));
    either_way(__wasi_path_remove_directory(FOLDER, "door"));
    // Absolute targets are refused; so many steps up are as good.
    if (__wasi_path_symlink("../../../../../../../../../../", FOLDER, "door") == 0) turns++;
    either_way(__wasi_path_unlink_file(FOLDER, "door"));
  }
  return turns;
}

uint32_t EXPORT(slip)(uint32_t times) {
  uint32_t outside = 0;
  for (uint32_t i = 0; i < times; i++) {
    if (open_raw("door/etc/passwd", __WASI_LOOKUPFLAGS_SYMLINK_FOLLOW, 0) == 0) outside++;
  }
  return outside;
}

int32_t EXPORT(forbidden)(void) {
  const int fd = open("/data/never", O_WRONLY | O_CREAT, 0666);
  if (fd < 0) return errno;
  return write(fd, piece, 1) < 0 ? errno : 0;
}

uint32_t EXPORT(environment)(void) {
  __wasi_size_t count;
  __wasi_size_t size;
  return __wasi_environ_sizes_get(&count, &size) == 0 ? count : UINT32_MAX;
}
