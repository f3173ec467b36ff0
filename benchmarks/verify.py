"""How fast `openhcs verify` reads: all rules over installed packages and the standard library, beside parsing alone.

    python benchmarks/verify.py [FOLDER ...]

The measure is lines per CPU second of one process. `ast.parse` alone is what nothing built on `ast` can be faster than.
"""

from __future__ import annotations

import ast
import importlib.util
import statistics
import sys
import sysconfig
from pathlib import Path

from _side_by_side import cpu_seconds

from openhcs.verify import check
from openhcs.verify.sources import find_files

ROUNDS = 3
PACKAGES = ("prompt_toolkit", "distributed", "dask", "zarr", "rich", "openhcs")
STANDARD_LIBRARY = ("asyncio", "concurrent", "email", "http", "idlelib", "logging", "multiprocessing", "unittest")
GOAL = 60_000


def subjects() -> dict[str, list[Path]]:
    """What is read: the folders named, or packages that are installed here and parts of the standard library."""
    if len(sys.argv) > 1:
        return {argument: [Path(argument)] for argument in sys.argv[1:]}
    found = {}
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            found[name] = [Path(spec.origin).parent]
    standard = Path(sysconfig.get_path("stdlib"))
    found["standard library"] = [standard / name for name in STANDARD_LIBRARY]
    return found


def parse(paths: list[Path]) -> None:
    """Read and parse, nothing else."""
    for _, path in find_files(paths, lambda _: False):
        ast.parse(path.read_bytes())


def main() -> None:
    """Measure each subject, interleaved with parsing it."""
    print(f"{'':20}{'lines':>9}{'verify':>12}{'ast.parse':>12}   lines per CPU second, medians of {ROUNDS}")
    lines = seconds = 0.0
    for name, paths in subjects().items():
        size = check(paths).lines
        checked, parsed = [], []
        for _ in range(ROUNDS):
            checked.append(cpu_seconds(lambda paths=paths: check(paths)))
            parsed.append(cpu_seconds(lambda paths=paths: parse(paths)))
        took = statistics.median(checked)
        lines, seconds = lines + size, seconds + took
        print(f"{name:20}{size:9}{size / took:12.0f}{size / statistics.median(parsed):12.0f}")
    print(f"{'all':20}{lines:9.0f}{lines / seconds:12.0f}   (goal: {GOAL})")


if __name__ == "__main__":
    main()
