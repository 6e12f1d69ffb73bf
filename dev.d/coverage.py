"""Prints the line coverage of each folder from llvm-cov's summary; fails when the total is below the floor."""

import collections
import json
import pathlib
import sys


def main(summary: str, sources: str, floor: str) -> int:
    folders = collections.defaultdict(lambda: [0, 0])
    for file in json.loads(pathlib.Path(summary).read_text())["data"][0]["files"]:
        folder = pathlib.Path(file["filename"]).parent.relative_to(sources).as_posix()
        lines = file["summary"]["lines"]
        for key in (folder, "total"):
            folders[key][0] += lines["covered"]
            folders[key][1] += lines["count"]
    total = folders.pop("total", [0, 0])
    for name, (covered, count) in [*sorted(folders.items()), ("total", total)]:
        print(f"  {name:<20} {100 * covered / max(count, 1):6.1f} %  {covered:6} of {count:6} lines")
    if 100 * total[0] < float(floor) * total[1] or total[1] == 0:
        print(f"line coverage is below {floor} %", file=sys.stderr)
        return 1
    return 0


sys.exit(main(*sys.argv[1:]))
