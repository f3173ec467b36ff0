"""What a run costs beside its functions: against a bare `multiprocessing.Pool`, and as plates grow to 1,536 wells.

Both do the same, `process_well` with all that it writes, in as many processes. They take turns, each in a process that
is started for it, so that start-up counts as well: once with imports and workers, and once without, from the first
well's beginning to the last well's end. Medians over the rounds are compared; so is the processor time of all processes
during the wells, which other programs on the machine hardly change. The pool keeps nothing and tells nobody
anything; the run keeps a journal on the disk, tells which step each well is at, can cancel each well within two seconds
and loses one well to a worker that dies.

Run it with `make bench`, or `python benchmarks/engine.py --rounds 3 --growth 96,384`.
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil
from _plates import CELLS, TRIVIAL, make_plate

from openhcs.core.journal import EventKind, replay
from openhcs.core.model import Pipeline, WellPlan
from openhcs.core.orchestrator import Orchestrator
from openhcs.core.progress import RunProgress, RunState
from openhcs.core.results import ResultsFolder

_LOOK_AGAIN_S = 0.1


class Sample(NamedTuple):
    """Seconds on the clock: of starting, of all wells, of both and what comes after; processor time of the wells."""

    starting: float
    wells: float
    whole: float
    processor: float


class ProcessorTime:
    """What a process and those below it take of the processors, looked at now and then."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._seen: list[tuple[float, dict[int, float]]] = []

    def look(self) -> None:
        """Note what each process has taken so far."""
        spent = {}
        with suppress(psutil.Error):
            for process in (self._root, *self._root.children(recursive=True)):
                with suppress(psutil.Error):
                    spent[process.pid] = sum(process.cpu_times()[:2])
        self._seen.append((time.time(), spent))

    def between(self, first: float, last: float) -> float:
        """The seconds that all of them took between two moments."""
        return self._until(last) - self._until(first)

    def of_root(self) -> float:
        """The seconds that the first process took in all."""
        return max(spent.get(self._root.pid, 0.0) for _, spent in self._seen)

    def _until(self, moment: float) -> float:
        known: dict[int, float] = {}
        earlier, before = moment, 0.0
        for seen, spent in self._seen:
            known |= {pid: seconds for pid, seconds in spent.items() if seconds >= known.get(pid, 0.0)}
            total = sum(known.values())
            if seen >= moment:
                part = (moment - earlier) / (seen - earlier) if seen > earlier else 1.0
                return before + part * (total - before)
            earlier, before = seen, total
        return before


def run_sample(orchestrator: Orchestrator, out: Path, workers: int) -> tuple[Sample, float]:
    """A run by the engine, and the CPU seconds that its runner took."""
    shutil.rmtree(out, ignore_errors=True)
    started = time.time()
    run = orchestrator.run(out, workers, check_room=False)
    processors = ProcessorTime(run.pid)
    while not (progress := run.poll()).state.has_ended:
        processors.look()
        time.sleep(_LOOK_AGAIN_S)
    assert progress.state is RunState.FINISHED, progress.message
    assert progress.finished == len(orchestrator.plans)
    events = replay(run.log.parent / "journal.jsonl")
    first = next(event.time_s for event in events if event.kind is EventKind.WELL_STARTED)
    last = max(event.time_s for event in events if event.kind is EventKind.WELL_FINISHED)
    whole = events[-1].time_s - started
    return Sample(first - started, last - first, whole, processors.between(first, last)), processors.of_root()


def pool_sample(plate: Path, pipeline: Pipeline, out: Path, workers: int) -> Sample:
    """The same wells in a pool, in a process started for it."""
    shutil.rmtree(out, ignore_errors=True)
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"), "1")
    started = time.time()
    command = [sys.executable, __file__, "--pool", str(plate), pipeline.name, str(out), "--workers", str(workers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **threads}) as process:
        processors = ProcessorTime(process.pid)
        while process.poll() is None:
            processors.look()
            time.sleep(_LOOK_AGAIN_S)
        assert process.stdout is not None
        first, last = json.loads(process.stdout.read())
    return Sample(first - started, last - first, last - started, processors.between(first, last))


def pool(plate: Path, pipeline: Pipeline, out: Path, workers: int) -> tuple[float, float]:
    """Process a plate in a bare pool; return when its workers were there and when the wells were done."""
    import dask

    from openhcs.core.store import create_plate

    plans = compiled(plate, pipeline).plans
    dask.config.set(scheduler="synchronous")
    ResultsFolder(out).claim(plans[0].plate, plate)
    create_plate(ResultsFolder(out), plans[0].plate)
    multiprocessing.set_forkserver_preload(["openhcs.core.worker"])
    with multiprocessing.get_context("forkserver").Pool(workers) as processes:
        processes.map(int, range(workers), chunksize=1)
        first = time.time()
        for _ in processes.imap_unordered(_process, [(plan, out) for plan in plans], chunksize=1):
            pass
        return first, time.time()


def _process(work: tuple[WellPlan, Path]) -> None:
    from openhcs.core.worker import process_well

    process_well(*work, lambda *_: None)


def compare(
    top: Path, pipeline: Pipeline, wells: int, size_px: int, workers: int, rounds: int, *, sites: int = 1
) -> None:
    """Print what the same wells take by a run and in a pool."""
    plate = make_plate(top / f"{pipeline.name}-{size_px}", wells, size_px=size_px, sites=sites)
    orchestrator = compiled(plate, pipeline)
    runs: list[tuple[Sample, float]] = []
    pools: list[Sample] = []

    def run_once() -> None:
        runs.append(run_sample(orchestrator, top / "run", workers))

    def pool_once() -> None:
        pools.append(pool_sample(plate, pipeline, top / "pool", workers))

    for number in range(rounds):
        for turn in (pool_once, run_once) if number % 2 else (run_once, pool_once):
            turn()
    samples, cpu = [sample for sample, _ in runs], statistics.median(spent for _, spent in runs)
    planes = f"{2 * sites} x {size_px} x {size_px} px"
    print(f"{pipeline.name}: {wells} wells of {planes}, {workers} workers, median of {rounds}")
    for what in Sample._fields:
        ours, theirs = (statistics.median(getattr(one, what) for one in side) for side in (samples, pools))
        print(f"  {what:9} run {ours:7.2f} s   pool {theirs:7.2f} s   throughput {theirs / ours:.3f} x")
    more = statistics.median(ours.wells - theirs.wells for ours, theirs in zip(samples, pools, strict=True))
    print(f"  a well takes {1e3 * more / wells:+.2f} ms more than in the pool")
    print(f"  the runner's CPU, its start included: {1e3 * cpu / wells:.2f} ms a well")


def grow(top: Path, sizes: Sequence[int], workers: int) -> None:
    """Print what a well costs as the plate grows, in each part of a plate's life."""
    print(f"growth: wells of 2 x 64 x 64 px, {workers} workers, ms a well")
    for wells in sizes:
        parts = _life(make_plate(top / f"{wells}", wells, size_px=64), top / "grown", workers)
        print(f"  {wells:5} wells  " + "  ".join(f"{part} {1e3 * spent / wells:.3f}" for part, spent in parts.items()))


def _life(plate: Path, out: Path, workers: int) -> dict[str, float]:
    """Seconds of each part of a plate's life: of the run and its end on the clock, of the rest CPU time."""
    parts: dict[str, float] = {}

    def spend(part: str, work: Callable[[], object]) -> None:
        gc.collect()
        started = time.process_time()
        work()
        parts[part] = time.process_time() - started

    orchestrator = Orchestrator(plate)
    spend("index", orchestrator.initialise)
    spend("compile", lambda: orchestrator.compile(TRIVIAL))
    sample, cpu = run_sample(orchestrator, out, workers)
    events = replay(next(out.glob("runs/*/journal.jsonl")))
    done = [event.time_s for event in events if event.kind is EventKind.WELL_FINISHED]
    last = len(done) // 4  # the last quarter against the first: what grows with the wells that are done
    parts |= {
        "run": sample.wells,
        "last quarter": 4 * (done[-1] - done[-1 - last]),
        "runner's CPU": cpu,
        "end": sample.whole - sample.wells - sample.starting,
    }
    spend("attach", lambda: RunProgress().apply_all(events))
    spend("run again", lambda: orchestrator.run(out, workers, check_room=False).wait())
    return parts


def compiled(plate: Path, pipeline: Pipeline) -> Orchestrator:
    """The plate, ready to run."""
    orchestrator = Orchestrator(plate)
    orchestrator.initialise()
    orchestrator.compile(pipeline)
    return orchestrator


def watch_memory(top: Path, wells: int, workers: int) -> None:
    """Print the memory of every process of `openhcs run` while it processes a plate."""
    plate = make_plate(top / "watched", wells, size_px=64)
    pipeline = top / "trivial.yaml"
    pipeline.write_text(
        "name: trivial\nsteps:\n  - name: Project\n    functions: project_maximum\n    variable_components: [z]\n"
    )
    command = [sys.executable, "-m", "openhcs", "run", str(plate), "--pipeline", str(pipeline), "--quiet"]
    command += ["--out", str(top / "watched-results"), "--workers", str(workers)]
    main_process = psutil.Popen(command)
    sizes: dict[str, list[float]] = {}
    while main_process.poll() is None:
        with suppress(psutil.Error):
            _note(sizes, "openhcs run", main_process)
            for runner in main_process.children():
                _note(sizes, "runner", runner)
                for server in runner.children():
                    for number, worker in enumerate(server.children()):
                        _note(sizes, f"worker {number}", worker)
        time.sleep(1)
    assert main_process.returncode == 0
    print(f"memory during a run of {wells} wells, MiB: at a quarter, at the end, most")
    for name, seen in sizes.items():
        if len(seen) > 4:
            print(f"  {name:12} {seen[len(seen) // 4]:6.1f} {seen[-2]:6.1f} {max(seen):6.1f}")


def _note(sizes: dict[str, list[float]], name: str, process: psutil.Process) -> None:
    sizes.setdefault(name, []).append(process.memory_info().rss / 2**20)


def main() -> None:
    """Compare with the pool, then grow."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--wells", type=int, default=96)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--growth", default="96,384,1536", help="numbers of wells; empty leaves it out")
    parser.add_argument(
        "--pool", nargs=3, metavar=("PLATE", "PIPELINE", "OUT"), help="what the benchmark starts itself"
    )
    arguments = parser.parse_args()
    if arguments.pool:
        plate, name, out = arguments.pool
        pipeline = {pipeline.name: pipeline for pipeline in (TRIVIAL, CELLS)}[name]
        print(json.dumps(pool(Path(plate), pipeline, Path(out), arguments.workers)))
        return
    with tempfile.TemporaryDirectory() as folder:
        compare(Path(folder), CELLS, max(2, arguments.wells // 4), 1080, arguments.workers, arguments.rounds, sites=2)
        compare(Path(folder), CELLS, arguments.wells, 512, arguments.workers, arguments.rounds)
        compare(Path(folder), TRIVIAL, arguments.wells, 64, arguments.workers, arguments.rounds)
        if arguments.growth:
            sizes = [int(wells) for wells in arguments.growth.split(",")]
            grow(Path(folder), sizes, arguments.workers)
            watch_memory(Path(folder), max(sizes), arguments.workers)


if __name__ == "__main__":
    main()
