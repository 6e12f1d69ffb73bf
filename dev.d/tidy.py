"""Runs clang-tidy over the sources of src/ and remembers what was clean.

A file is looked at again when it, a header of the project that it includes, its compile command, .clang-tidy or
clang-tidy itself changed: the stamp's name is a hash of these, with no path of this checkout in it. Tests are left to the
compiler's warnings: the macros of GoogleTest drown the rest.
"""

import concurrent.futures
import hashlib
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TIDY = "clang-tidy-19"


def dependencies(build: pathlib.Path) -> dict[str, list[pathlib.Path]]:
    """The project's own headers and sources of each object file, as ninja recorded them."""
    listing = subprocess.run(["ninja", "-C", build, "-t", "deps"], capture_output=True, text=True, check=True).stdout
    found, current = {}, []
    for line in listing.splitlines():
        if line.startswith(" "):
            path = (build / line.strip()).resolve()
            if path.is_relative_to(ROOT):
                current.append(path)
        elif ": #deps" in line:
            current = found.setdefault(line.split(": #deps")[0], [])
    return found


def stamp_name(entry: dict, headers: list[pathlib.Path], build: pathlib.Path, base: bytes) -> str:
    digest = hashlib.sha256(base)
    digest.update(entry["command"].replace(str(ROOT), "").replace(str(build), "").encode())
    for path in sorted({pathlib.Path(entry["file"]), *headers}):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def main(build_folder: str, stamp_folder: str, jobs: str) -> int:
    build, stamps = pathlib.Path(build_folder).resolve(), pathlib.Path(stamp_folder)
    stamps.mkdir(parents=True, exist_ok=True)
    version = subprocess.run([TIDY, "--version"], capture_output=True, check=True).stdout
    base = version + (ROOT / ".clang-tidy").read_bytes()
    objects = dependencies(build)

    pending = []
    for entry in json.loads((build / "compile_commands.json").read_text()):
        file = pathlib.Path(entry["file"])
        if not file.is_relative_to(ROOT / "src") or file.name.endswith("_test.cc"):
            continue
        stamp = stamps / stamp_name(entry, objects.get(entry.get("output", ""), []), build, base)
        if not stamp.exists():
            pending.append((file, stamp))

    failures = 0

    def check(job: tuple[pathlib.Path, pathlib.Path]) -> tuple[pathlib.Path, pathlib.Path, subprocess.CompletedProcess]:
        command = [TIDY, "-p", str(build), "--quiet", "--warnings-as-errors=*", str(job[0])]
        return *job, subprocess.run(command, capture_output=True, text=True)

    with concurrent.futures.ThreadPoolExecutor(int(jobs)) as pool:
        for done, (file, stamp, result) in enumerate(pool.map(check, pending), 1):
            print(f"  [{done}/{len(pending)}] {file.relative_to(ROOT)}", flush=True)
            if result.returncode == 0:
                stamp.touch()
            else:
                failures += 1
                print(result.stdout or result.stderr, flush=True)
    print(f"  {len(pending)} files looked at, {failures} with warnings")
    return 1 if failures else 0


sys.exit(main(*sys.argv[1:]))
