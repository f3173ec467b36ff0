"""Plates of many wells: a worker's memory stays as it is, and the last well costs what the first did."""

from __future__ import annotations

import gc
import json
import multiprocessing
import statistics
import time
from pathlib import Path

import dask
import numpy as np
import psutil

from openhcs.core.model import Component, FunctionCall, Pipeline, Step, WellPlan, well_name
from openhcs.core.orchestrator import Orchestrator
from openhcs.core.plate_wells import well_path
from openhcs.core.results import ResultsFolder
from openhcs.core.store import create_plate
from openhcs.core.worker import process_well
from tests.core.made_plates import write_plane

WARM_UP, MEASURED = 8, 24
PIPELINE = Pipeline(
    "count",
    (
        Step("Find", {"1": (FunctionCall("segment_threshold_watershed"),)}, (Component.Z,), output="nuclei"),
        Step("Count", {"1": (FunctionCall("count_objects", {"labels": "nuclei"}),)}, (Component.Z,), output="counts"),
    ),
)


def plans_of(folder: Path, wells: int, size_px: int) -> tuple[WellPlan, ...]:
    pixels = np.full((size_px, size_px), 100.0)
    pixels[20:50, 20:50] = 900
    for number in range(wells):
        write_plane(folder / "P_Plate_1", pixels, well=well_name(number // 12, number % 12))
    orchestrator = Orchestrator(folder / "P_Plate_1")
    orchestrator.initialise()
    return orchestrator.compile(PIPELINE)


def results_for(out: Path, plan: WellPlan) -> ResultsFolder:
    results = ResultsFolder(out)
    results.claim(plan.plate, Path(plan.root))
    create_plate(results, plan.plate)
    return results


def process(plan: WellPlan, out: Path) -> float:
    """Process a well as a worker does; return the CPU seconds that this process spent."""
    started = time.process_time()
    with dask.config.set(scheduler="synchronous"):
        process_well(plan, out, lambda *_: None)
    return time.process_time() - started


def growth_of_a_worker(folder: Path) -> tuple[float, float]:
    """MiB and objects that a process has more after many wells than after the first ones."""
    plans = plans_of(folder, WARM_UP + MEASURED, size_px=384)
    results_for(folder / "out", plans[0])
    held = []
    for number, plan in enumerate(plans, 1):
        process(plan, folder / "out")
        if number in (WARM_UP, len(plans)):
            gc.collect()
            held.append((psutil.Process().memory_info().rss / 2**20, len(gc.get_objects())))
    (first_mib, first_objects), (last_mib, last_objects) = held
    return last_mib - first_mib, last_objects - first_objects


def test_a_worker_keeps_nothing_of_its_wells(tmp_path: Path) -> None:
    """Wells leave no objects in a worker, and its memory within 5 MiB of what it was, with planes of 13 MiB."""
    with multiprocessing.get_context("spawn").Pool(1) as worker:
        mib, objects = worker.apply(growth_of_a_worker, (tmp_path,))
        worker.close()
        worker.join()
    assert mib < 5
    assert objects < 10 * MEASURED


def test_a_well_costs_the_same_on_a_full_plate(tmp_path: Path) -> None:
    """Processing a well takes at most half as much CPU time again when the results hold 1,530 wells already."""
    plans = plans_of(tmp_path, 9, size_px=64)
    empty, full = results_for(tmp_path / "empty", plans[0]), results_for(tmp_path / "full", plans[0])
    metadata = full.plate / "zarr.json"
    content = json.loads(metadata.read_text())
    places = [(row, column) for row in range(32) for column in range(48)][-1530:]
    content["attributes"]["ome"]["plate"] |= {
        "rows": [{"name": well_name(row, 0).removesuffix("01")} for row in range(32)],
        "columns": [{"name": f"{column:02d}"} for column in range(1, 49)],
        "wells": [
            {"path": well_path(well_name(row, column)), "rowIndex": row, "columnIndex": column}
            for row, column in places
        ],
    }
    metadata.write_text(json.dumps(content))
    (full.path / "provenance").mkdir()
    for row, column in places:
        (full.path / "provenance" / f"{well_name(row, column)}.json").touch()
    for results in (empty, full):
        process(plans[0], results.path)
    spent = [(process(plan, empty.path), process(plan, full.path)) for plan in plans[1:]]
    on_empty, on_full = (statistics.median(times) for times in zip(*spent, strict=True))
    assert on_full < 1.5 * on_empty
