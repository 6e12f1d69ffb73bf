// A command (`_start`) that shows what the sandbox hands to it: arguments, environment, standard input, a folder.
//
//   c-wasi [--write PATH TEXT] [--exit CODE] [ANYTHING…]
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

static int write_file(const char *path, const char *text) {
  FILE *file = fopen(path, "w");
  if (file == NULL) {
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return 1;
  }
  fprintf(file, "%s\n", text);
  return fclose(file);
}

static size_t copy_stdin(void) {
  char buffer[65536];
  size_t total = 0;
  for (size_t got; (got = fread(buffer, 1, sizeof buffer, stdin)) > 0; total += got) fwrite(buffer, 1, got, stdout);
  return total;
}

int main(int argc, char **argv) {
  int exit_code = 0;
  for (int i = 1; i < argc; i++) {
    printf("arg %s\n", argv[i]);
    if (strcmp(argv[i], "--exit") == 0 && i + 1 < argc) exit_code = atoi(argv[i + 1]);
    if (strcmp(argv[i], "--write") == 0 && i + 2 < argc && write_file(argv[i + 1], argv[i + 2]) != 0) return 66;
  }
  for (char **entry = environ; *entry != NULL; entry++) printf("env %s\n", *entry);
  const size_t copied = copy_stdin();
  fprintf(stderr, "%zu bytes of standard input\n", copied);
  return exit_code;
}
