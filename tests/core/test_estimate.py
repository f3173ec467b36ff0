"""What a run takes is told before it starts: never less memory than workers take, and not many times as much."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhcs.core.compiler import compile_plate
from openhcs.core.demo_plate import make_demo_plate
from openhcs.core.estimate import Estimate, estimate_plans
from openhcs.core.formats import index_plate
from openhcs.core.model import Channel, Pipeline, PlaneKey, PlateIndex
from openhcs.core.orchestrator import Orchestrator
from openhcs.core.pipeline_file import load_pipeline, shipped_pipelines
from openhcs.core.plane_sizes import PlaneSizes, read_plane_sizes
from openhcs.core.results import ResultsFolder
from openhcs.core.run import Run
from tests.core.made_plates import write_plane

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PIPELINES = {
    "nuclei": load_pipeline(shipped_pipelines()["nuclei"]),
    **{name: load_pipeline(EXAMPLES / f"{name}.yaml") for name in ("cells", "quality", "spots", "stitching")},
}
PIXEL_SIZE_UM = 0.5


def estimate_of(
    pipeline: Pipeline, *, size: int = 512, sites: int = 2, channels: int = 2, zs: int = 2, wells: int = 1
) -> Estimate:
    """Of a plate that is nowhere on disk, whose planes are of this size."""
    names = [f"A{number:02d}" for number in range(1, wells + 1)]
    keys = [
        PlaneKey(well, site, channel, z, 1)
        for well in names
        for site in range(1, sites + 1)
        for channel in range(1, channels + 1)
        for z in range(1, zs + 1)
    ]
    index = PlateIndex(
        root="/nowhere",
        name="plate",
        format="ImageXpress",
        rows=8,
        columns=12,
        channels=tuple(Channel(number, f"c{number}") for number in range(1, channels + 1)),
        planes=dict.fromkeys(keys, "a.tif"),
        pixel_size_um=PIXEL_SIZE_UM,
        positions_um={(well, site): (site * 100.0, 0.0) for well in names for site in range(1, sites + 1)},
    )
    sizes = PlaneSizes({(channel, False): (size, size) for channel in range(1, channels + 1)})
    return estimate_plans(compile_plate(index, pipeline), pipeline.name, sizes=sizes)


pipelines = st.sampled_from(sorted(PIPELINES)).map(PIPELINES.__getitem__)
shapes = st.fixed_dictionaries(
    {
        "size": st.integers(128, 2600),
        "sites": st.integers(1, 5),
        "channels": st.integers(2, 4),
        "zs": st.integers(1, 4),
    }
)


@settings(max_examples=60, deadline=None)
@given(pipeline=pipelines, shape=shapes, more=st.sampled_from(["size", "sites", "channels", "zs"]))
def test_more_takes_more(pipeline: Pipeline, shape: dict[str, int], more: str) -> None:
    """Larger planes, more sites, channels or z never take less, neither of memory nor of disk."""
    before = estimate_of(pipeline, **shape)
    after = estimate_of(pipeline, **{**shape, more: shape[more] + (64 if more == "size" else 1)})
    assert after.memory_bytes >= before.memory_bytes
    assert after.disk.expected_bytes >= before.disk.expected_bytes
    assert after.disk.most_bytes >= before.disk.most_bytes
    assert after.disk.files >= before.disk.files
    assert before.disk.expected_bytes <= before.disk.most_bytes


def test_wells_take_as_much_as_each() -> None:
    """Wells alike take the same, disk adds up, memory does not; some wells are a part of all."""
    one, four = (estimate_of(PIPELINES["nuclei"], wells=wells) for wells in (1, 4))
    assert four.memory_bytes == one.memory_bytes
    assert four.disk.expected_bytes == 4 * one.disk.expected_bytes
    assert [well.well for well in four.of(["A03", "A01"]).wells] == ["A01", "A03"]


def test_a_large_plate_is_estimated_at_once() -> None:
    """1,536 wells take little longer than one: wells that are alike are rehearsed once."""
    started = time.process_time()
    estimate_of(PIPELINES["nuclei"])
    one = time.process_time() - started
    started = time.process_time()
    assert len(estimate_of(PIPELINES["nuclei"], wells=384).wells) == 384
    assert time.process_time() - started < 384 * max(one, 0.01)


def test_the_estimate_reads_in_a_line() -> None:
    """Memory and disk with their units; without any readable plane that is said instead."""
    known = estimate_of(PIPELINES["nuclei"])
    assert known.text.startswith("up to ")
    assert known.text.count("MiB") == 3
    assert replace(known, sizes_known=False).text == "not known: no plane could be looked at"


def test_workers_keep_within_the_estimate(tmp_path: Path) -> None:
    """A worker never takes more memory than told, nor half of it or less; results lie between expected and bound."""
    if not Path("/proc/self/status").exists():
        pytest.skip("the peak of another process can be read on Linux only")
    plate = make_demo_plate(tmp_path / "plate", wells=("B02",), sites=2, z_steps=1, size_px=1024)
    orchestrator = Orchestrator(plate.folder)
    orchestrator.initialise()
    orchestrator.compile(PIPELINES["stitching"])
    run = orchestrator.run(tmp_path / "out", 1)
    peak = peak_of_workers(run)
    assert run.progress.finished == 1
    told = orchestrator.estimate
    assert 0.5 * told.memory_bytes < peak <= told.memory_bytes
    results = ResultsFolder(tmp_path / "out")
    found = [file for place in (results.plate, results.tables) for file in place.rglob("*")]
    used = sum(file.stat().st_blocks * 512 for file in found if file.is_file())
    assert 0.5 * told.disk.expected_bytes < used <= told.disk.most_bytes
    assert len(found) <= told.disk.files


def peak_of_workers(run: Run) -> int:
    """The most memory that any worker of `run` had, which ends meanwhile."""
    peak = 0
    while not run.poll().state.has_ended:
        try:
            children = psutil.Process(run.pid).children(recursive=True)
        except psutil.Error:
            children = []
        for child in children:
            try:
                if child.ppid() != run.pid:  # the fork server's: workers
                    status = Path(f"/proc/{child.pid}/status").read_text()
                    peak = max(peak, *(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line))
            except (psutil.Error, OSError, TypeError):  # it has ended
                continue
        run.wait(0.02)
    return peak * 1024


def test_sizes_are_told_by_headers(tmp_path: Path, plates_folder: Path) -> None:
    """Of each channel, from a few files; where planes differ the larger counts; broken files are passed by."""
    plate = tmp_path / "x_Plate_1"
    for site in (1, 2, 3):
        write_plane(plate, np.ones((20, 30)), site=site)
        write_plane(plate, np.ones((20, 30) if site < 3 else (40, 60)), site=site, channel=2)
        write_plane(plate, np.ones((10, 15)), site=site, channel=3).write_bytes(b"" if site == 1 else b"II")
    index = index_plate(plate)
    found = read_plane_sizes(Path(index.root), index.format, index.planes.items())
    assert found.sizes == {(1, False): (20, 30), (2, False): (40, 60)}
    assert found.differ == {(2, False)}
    assert found.at(PlaneKey("B02", 1, 3, 1, 1)) == (40, 60)
    real = index_plate(plates_folder / "opera_phenix" / "BR00121482")
    sizes = read_plane_sizes(Path(real.root), real.format, real.planes.items()).sizes
    assert set(sizes.values()) == {(1080, 1080)}
