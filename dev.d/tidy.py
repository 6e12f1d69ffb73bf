"""Runs clang-tidy over the sources of src/ and remembers what was clean.

A file is looked at again when it, a header of the project that it includes, its compile command, .clang-tidy or
clang-tidy itself changed: the stamp's name is a hash of these, with no path of this checkout in it. Tests are left to the
compiler's warnings: the macros of GoogleTest drown the rest.

With a number of minutes, what changed last is looked at first, and what there is no time left for is only counted: a
machine that remembers nothing needs a quarter of an hour for all of it.
"""

import concurrent.futures
import hashlib
import json
import pathlib
import subprocess
import sys
import time

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


def last_changes() -> dict[pathlib.Path, int]:
    """When each file was committed last, in seconds; nothing for what is not committed, or without a history."""
    log = subprocess.run(["git", "log", "--format=@%ct", "--name-only", "--", "src"], cwd=ROOT, capture_output=True, text=True)
    changed, now = {}, 0
    for line in log.stdout.splitlines():
        if line.startswith("@"):
            now = int(line[1:])
        elif line:
            changed.setdefault(ROOT / line, now)
    return changed


def main(build_folder: str, stamp_folder: str, jobs: str, minutes: str = "") -> int:
    build, stamps = pathlib.Path(build_folder).resolve(), pathlib.Path(stamp_folder)
    stamps.mkdir(parents=True, exist_ok=True)
    version = subprocess.run([TIDY, "--version"], capture_output=True, check=True).stdout
    base = version + (ROOT / ".clang-tidy").read_bytes()
    objects = dependencies(build)

    pending = []
    for entry in json.loads((build / "compile_commands.json").read_text()):
        file = pathlib.Path(entry["file"])
        if not file.is_relative_to(ROOT / "src") or file.name.endswith(("_test.cc", "_fixture.cc")):
            continue
        stamp = stamps / stamp_name(entry, objects.get(entry.get("output", ""), []), build, base)
        if not stamp.exists():
            pending.append((file, stamp))

    failures = skipped = 0
    until = time.monotonic() + 60 * float(minutes) if minutes else float("inf")
    if minutes:
        changed = last_changes()
        pending.sort(key=lambda job: -changed.get(job[0], time.time()))

    def check(job: tuple[pathlib.Path, pathlib.Path]) -> tuple[pathlib.Path, pathlib.Path, subprocess.CompletedProcess | None]:
        if time.monotonic() > until:
            return *job, None
        command = [TIDY, "-p", str(build), "--quiet", "--warnings-as-errors=*", str(job[0])]
        return *job, subprocess.run(command, capture_output=True, text=True)

    with concurrent.futures.ThreadPoolExecutor(int(jobs)) as pool:
        for done, (file, stamp, result) in enumerate(pool.map(check, pending), 1):
            if result is None:
                skipped += 1
                continue
            print(f"  [{done}/{len(pending)}] {file.relative_to(ROOT)}", flush=True)
            if result.returncode == 0:
                stamp.touch()
            else:
                failures += 1
                print(result.stdout or result.stderr, flush=True)
    print(f"  {len(pending) - skipped} files looked at, {failures} with warnings")
    if skipped:
        print(f"  {skipped} files are left, for which {minutes} minutes were not enough: ./dev lint looks at all")
    return 1 if failures else 0


sys.exit(main(*sys.argv[1:]))
