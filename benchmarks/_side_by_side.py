"""What the benchmarks share: subjects take turns, medians are compared, and the first subject is the measure.

The machine is shared and noisy, so figures are ratios taken in one run: every round measures every subject once, in an
order that rotates, and a figure is the median over rounds of CPU time or of memory.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping

__all__ = ["compare", "cpu_seconds", "print_ratios"]


def cpu_seconds(run: Callable[[], object]) -> float:
    """CPU seconds of this process that `run()` takes, the garbage it makes the collector look for included."""
    gc.collect()
    start = time.process_time()
    run()
    return time.process_time() - start


def compare(
    subjects: Mapping[str, Callable[[], object]],
    rounds: int,
    measure: Callable[[Callable[[], object]], float] = cpu_seconds,
) -> dict[str, float]:
    """The median of `measure` for each subject over `rounds` interleaved rounds, after one to warm up."""
    names = list(subjects)
    taken: dict[str, list[float]] = {name: [] for name in names}
    for name in names:
        measure(subjects[name])
    for number in range(rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            taken[name].append(measure(subjects[name]))
    return {name: statistics.median(values) for name, values in taken.items()}


def print_ratios(title: str, medians: Mapping[str, float], unit: str = "ms", scale: float = 1e3) -> None:
    """Print each median, and its ratio to the first."""
    base = next(iter(medians.values()))
    print(title)
    for name, value in medians.items():
        print(f"  {name:38}{value * scale:10.2f} {unit}{value / base:8.2f} x")
