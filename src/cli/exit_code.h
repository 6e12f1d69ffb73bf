// What the process says to the shell. The one table that `hotswap --help` prints.
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace hotswap::cli {

enum class ExitCode { Ok = 0, Refused = 1, Usage = 2, GuestFailure = 3, Unreachable = 4, RolloutFailed = 5 };

struct ExitCodeRow {
  ExitCode code;
  std::string_view meaning;
};

inline constexpr std::array kExitCodes{
    ExitCodeRow{ExitCode::Ok, "done"},
    ExitCodeRow{ExitCode::Refused,
                "the server refused the request, or it failed; an interface breaks, or a module does not fit"},
    ExitCodeRow{ExitCode::Usage, "the command line or the configuration file is wrong"},
    ExitCodeRow{ExitCode::GuestFailure, "the called module failed"},
    ExitCodeRow{ExitCode::Unreachable, "the server cannot be reached"},
    ExitCodeRow{ExitCode::RolloutFailed, "the rollout failed, was cancelled or was rolled back"},
};

}  // namespace hotswap::cli
