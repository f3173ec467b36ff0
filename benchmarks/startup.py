"""What importing the async core costs over the prompt_toolkit it stands on: time and memory, as ratios.

Each sample is a fresh interpreter. The subjects take turns, so that a busy moment of the machine hits both; medians
are compared. Run it with `make bench`, or `python benchmarks/startup.py --samples 40`.
"""

from __future__ import annotations

import argparse
import pkgutil
import statistics
import subprocess
import sys
from typing import NamedTuple

import openhcs.tui.utils

PROBE = """
import importlib, resource, sys, time
start = time.perf_counter()
for name in sys.argv[1:]:
    importlib.import_module(name)
elapsed = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(elapsed, peak / (2**20 if sys.platform == "darwin" else 2**10))
"""
"""Prints the seconds the imports took and the peak resident memory in MiB (macOS counts bytes, Linux KiB)."""

BARE = ("prompt_toolkit", "prompt_toolkit.application", "prompt_toolkit.layout", "prompt_toolkit.widgets")


class Sample(NamedTuple):
    """One import in a fresh interpreter."""

    seconds: float
    mebibytes: float


def measure(modules: tuple[str, ...]) -> Sample:
    """Import `modules` in a fresh interpreter."""
    probe = subprocess.run([sys.executable, "-c", PROBE, *modules], check=True, capture_output=True, text=True)
    seconds, mebibytes = probe.stdout.split()
    return Sample(float(seconds), float(mebibytes))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--samples", type=int, default=15, help="interpreters started for each subject (default 15)")
    samples = parser.parse_args().samples

    package = openhcs.tui.utils
    core = tuple(module.name for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."))
    subjects = {"prompt_toolkit alone": BARE, "openhcs.tui.utils": (*BARE, *core)}
    taken: dict[str, list[Sample]] = {name: [] for name in subjects}
    for modules in subjects.values():
        measure(modules)  # the first import writes byte code; it is not the cost of a start
    for _ in range(samples):
        for name, modules in subjects.items():
            taken[name].append(measure(modules))

    medians = {
        name: Sample(statistics.median(s.seconds for s in runs), statistics.median(s.mebibytes for s in runs))
        for name, runs in taken.items()
    }
    for name, median in medians.items():
        print(f"{name:24}{median.seconds * 1000:8.0f} ms {median.mebibytes:8.1f} MiB")
    bare, ours = medians.values()
    print(f"{'ratio':24}{ours.seconds / bare.seconds:8.2f}    {ours.mebibytes / bare.mebibytes:8.2f}")


if __name__ == "__main__":
    main()
