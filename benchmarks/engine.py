"""What a run costs beside its functions: against a bare `multiprocessing.Pool`, and as plates grow to 1,536 wells.

Both do the same, `process_well` with all that it writes, in as many processes. They take turns, each in a process that
is started for it, so that start-up counts as well: once with imports and workers, and once without, from the first
well's beginning to the last well's end. Medians over the rounds are compared. The pool keeps nothing and tells nobody
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
    """Seconds on the clock: of starting, of all wells, of both and what comes after."""

    starting: float
    wells: float
    whole: float


def run_sample(orchestrator: Orchestrator, out: Path, workers: int) -> tuple[Sample, float]:
    """A run by the engine, and the CPU seconds that its runner took."""
    shutil.rmtree(out, ignore_errors=True)
    started, cpu = time.time(), 0.0
    run = orchestrator.run(out, workers, check_room=False)
    runner = psutil.Process(run.pid)
    while not (progress := run.poll()).state.has_ended:
        with suppress(psutil.Error):
            cpu = sum(runner.cpu_times()[:2]) or cpu
        time.sleep(_LOOK_AGAIN_S)
    assert progress.state is RunState.FINISHED, progress.message
    assert progress.finished == len(orchestrator.plans)
    events = replay(run.log.parent / "journal.jsonl")
    first = next(event.time_s for event in events if event.kind is EventKind.WELL_STARTED)
    last = max(event.time_s for event in events if event.kind is EventKind.WELL_FINISHED)
    return Sample(first - started, last - first, events[-1].time_s - started), cpu


def pool_sample(plate: Path, pipeline: Pipeline, out: Path, workers: int) -> Sample:
    """The same wells in a pool, in a process started for it."""
    shutil.rmtree(out, ignore_errors=True)
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"), "1")
    started = time.time()
    command = [sys.executable, __file__, "--pool", str(plate), pipeline.name, str(out), "--workers", str(workers)]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, env={**os.environ, **threads})
    first, last = json.loads(told.stdout)
    return Sample(first - started, last - first, last - started)


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


def compare(top: Path, pipeline: Pipeline, wells: int, size_px: int, workers: int, rounds: int) -> None:
    """Print what the same wells take by a run and in a pool."""
    plate = make_plate(top / pipeline.name, wells, size_px=size_px)
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
    print(f"{pipeline.name}: {wells} wells of 2 x {size_px} x {size_px} px, {workers} workers, median of {rounds}")
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
        compare(Path(folder), CELLS, arguments.wells, 512, arguments.workers, arguments.rounds)
        compare(Path(folder), TRIVIAL, arguments.wells, 64, arguments.workers, arguments.rounds)
        if arguments.growth:
            sizes = [int(wells) for wells in arguments.growth.split(",")]
            grow(Path(folder), sizes, arguments.workers)
            watch_memory(Path(folder), max(sizes), arguments.workers)


if __name__ == "__main__":
    main()
