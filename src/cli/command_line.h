// From the words of a command line to a command and its exit code.
#pragma once

#include <string>
#include <vector>

#include "cli/context.h"

namespace hotswap::cli {

// `words` without the program's name. Writes only to the context's streams. Returns the exit code.
int run_words(Context& context, std::vector<std::string> words);

// The process's own streams, terminal and environment.
int run_command_line(int argc, char** argv);

}  // namespace hotswap::cli
