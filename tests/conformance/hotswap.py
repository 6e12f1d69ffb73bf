"""Adapter of WebAssembly/wasi-testsuite for `hotswap run`: how a test becomes a command line.

HOTSWAP names the program (default: build/hotswap of this checkout).
"""

import os
import re
import shlex
import subprocess
from pathlib import Path

HOTSWAP = shlex.split(os.environ.get("HOTSWAP", str(Path(__file__).parents[2] / "build" / "hotswap")))


def get_name() -> str:
    return "hotswap"


def get_version() -> str:
    result = subprocess.run(HOTSWAP + ["version"], encoding="UTF-8", capture_output=True, check=True)
    found = re.search(r"\d+\.\d+\.\d+", result.stdout)
    return found.group() if found else "unknown"


def get_wasi_versions() -> list[str]:
    return ["wasm32-wasip1", "wasm32-wasip3"]


def get_wasi_worlds() -> list[str]:
    return ["wasi:cli/command", "wasi:http/service"]


def get_timeout_seconds() -> float:
    # Per test; the suite's default is 5, which a busy machine does not always keep.
    return float(os.environ.get("WASI_TEST_TIMEOUT", "20"))


def compute_argv(test_path, args_env_root, proposals, wasi_world, wasi_version) -> list[str]:
    arguments, environment, root = args_env_root
    argv = [*HOTSWAP, "run"]
    if wasi_world == "wasi:http/service":
        argv += ["--listen", "127.0.0.1:0"]
    # They talk to servers that the runner starts on loopback, or make sockets of their own; some of the latter do not say
    # that they need the proposal.
    if "http" in proposals or "sockets" in proposals or Path(test_path).name.startswith("sockets-"):
        argv += ["--network"]
    for name, value in environment.items():
        argv += ["--env", f"{name}={value}"]
    if root:
        # The runner clears up what tests leave in their folder, but not symbolic links, which then fail the next test.
        for left in Path(root).glob("**/*.cleanup"):
            if left.is_symlink():
                left.unlink()
        argv += ["--dir", f"{root}::/"]
    argv += [test_path]
    if arguments:
        argv += ["--", *arguments]
    return argv
