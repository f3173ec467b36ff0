"""A run is compared with the machine before it starts: refused, lowered or let through, each with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from openhcs.core import machine, room
from openhcs.core.demo_plate import make_demo_plate
from openhcs.core.estimate import Disk, Estimate, WellEstimate, size_words
from openhcs.core.machine import FreeRoom
from openhcs.core.model import PlaneKey, WellPlan
from openhcs.core.orchestrator import Orchestrator
from openhcs.core.pipeline_file import load_pipeline, shipped_pipelines
from openhcs.core.results import ResultsFolder
from openhcs.core.room import Forecast, Workers, forecast_run
from openhcs.errors import NoRoomError
from tests.core.test_estimate import PIPELINES, estimate_of

GIB = 2**30
NAMES = ("A01", "A02", "A03", "A04")


def plan(well: str) -> WellPlan:
    return WellPlan(
        well=well,
        root="/nowhere",
        plate="plate",
        format="ImageXpress",
        channels=(),
        pixel_size_um=None,
        planes=((PlaneKey(well, 1, 1, 1, 1), "a.tif"),),
        steps=(),
        independent=(),
        versions={},
        hash=f"hash of {well}",
    )


def forecast(
    tmp_path: Path, workers: Workers, *, memory_gib: float = 4, disk_gib: float = 1, large: tuple[str, ...] = NAMES
) -> Forecast:
    """Of four wells that take so much; those that are not `large` take a tenth of the memory."""
    wells = tuple(
        WellEstimate(
            well,
            round(memory_gib * GIB * (1 if well in large else 0.1)),
            Disk(round(disk_gib * GIB), round(2 * disk_gib * GIB), 100),
        )
        for well in NAMES
    )
    return forecast_run([plan(well) for well in NAMES], Estimate(wells), tmp_path / "out", workers)


@pytest.fixture(autouse=True)
def known_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """20 GiB of memory, of which workers share 18, and 10 GiB of disk."""
    monkeypatch.setattr(machine, "memory_bytes", lambda: 20 * GIB)
    monkeypatch.setattr(room, "free_memory_bytes", lambda: 20 * GIB)
    monkeypatch.setattr(room, "free_room", lambda path: FreeRoom(tmp_path, 10 * GIB, 1000))


def test_what_fits_is_let_through(tmp_path: Path) -> None:
    """With as many workers as were asked for, and as there are wells, and what each may use."""
    found = forecast(tmp_path, Workers(8), memory_gib=4)
    assert (found.workers, found.is_lowered, found.worker_memory_bytes) == (4, False, round(4.5 * GIB))
    assert (found.problems, found.notes) == ((), ())
    assert found.to_do == NAMES
    found.require_room()


def test_a_number_that_nobody_insists_on_is_lowered(tmp_path: Path) -> None:
    """To the largest with which every well fits, and that is told."""
    found = forecast(tmp_path, Workers(4), memory_gib=5)
    assert (found.workers, found.is_lowered, found.problems) == (3, True, ())
    assert found.notes == ("3 workers (6.0 GiB each) instead of 4: a well may take 5.0 GiB of memory.",)


def test_a_number_that_the_user_gave_is_refused_with_the_one_that_fits(tmp_path: Path) -> None:
    """Nobody's number is changed behind their back; the message has the number to give, and how to overrule it."""
    found = forecast(tmp_path, Workers(4, is_fixed=True), memory_gib=5)
    with pytest.raises(NoRoomError) as caught:
        found.require_room()
    (problem,) = caught.value.problems
    assert problem.message == (
        "a worker may need 5.0 GiB of memory; expected at most 4.3 GiB, which is what each of 4 workers can use here. "
        "Use --workers 3 (6.0 GiB each). If you know better: --no-room-check, or `check_room: false` in the settings."
    )


def test_wells_that_fit_nowhere_are_named(tmp_path: Path) -> None:
    """Even one worker would not do for two of the wells; the others are not named."""
    found = forecast(tmp_path, Workers(2), memory_gib=30, large=("A02", "A03"))
    assert [problem.well for problem in found.problems] == ["A02-A03"]
    assert "Use a machine with more memory" in found.problems[0].message


def test_a_limit_that_the_user_set_counts(tmp_path: Path) -> None:
    """Fewer workers would not help then; the limit that would is told."""
    (problem,) = forecast(tmp_path, Workers(2, memory_bytes=2 * GIB), memory_gib=4).problems
    assert "expected at most 1.9 GiB" in problem.message
    assert "Set worker_memory_gib to 4.3 or more" in problem.message


def test_workers_elsewhere_are_not_judged(tmp_path: Path) -> None:
    """Of a cluster's machines nothing is known here; the disk is looked at all the same."""
    found = forecast(tmp_path, Workers(64, are_ours=False), memory_gib=500, disk_gib=20)
    assert found.worker_memory_bytes is None
    assert [problem.message.split(":")[0] for problem in found.problems] == ["results"]


def test_memory_that_others_use_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be free again in a minute, so the run starts."""
    monkeypatch.setattr(room, "free_memory_bytes", lambda: 6 * GIB)
    found = forecast(tmp_path, Workers(4), memory_gib=4)
    assert found.notes == ("the workers may take 16.0 GiB together, and 6.0 GiB is free now.",)
    assert found.problems == ()


def test_a_disk_that_will_not_do_is_refused_and_one_that_may_not_is_told(tmp_path: Path) -> None:
    """What is expected decides, what may be at most warns; memory and disk are told together."""
    assert "may take 16.0 GiB; 10.0 GiB is free" in forecast(tmp_path, Workers(1), disk_gib=2).notes[0]
    refused = forecast(tmp_path, Workers(4, is_fixed=True), memory_gib=5, disk_gib=3).problems
    assert len(refused) == 2
    assert "about 12.0 GiB (at most 24.0 GiB) are needed" in refused[1].message
    assert "10.0 GiB is free; expected room for them" in refused[1].message


def test_files_are_counted_where_they_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system may run out of files before it runs out of room."""
    monkeypatch.setattr(room, "free_room", lambda path: FreeRoom(tmp_path, 10 * GIB, 300))
    (problem,) = forecast(tmp_path, Workers(1), disk_gib=0.1).problems
    assert "about 400 files are needed" in problem.message
    monkeypatch.setattr(room, "free_room", lambda path: FreeRoom(tmp_path, 10 * GIB, None))
    assert forecast(tmp_path, Workers(1), disk_gib=0.1).problems == ()


def test_what_is_done_takes_nothing_and_what_is_replaced_room_for_a_moment(tmp_path: Path) -> None:
    """Reused wells are not counted; replaced ones count once a worker, until the old results are gone."""
    results = ResultsFolder(tmp_path / "out")
    results.claim("plate", tmp_path / "plate")
    for well, made_by in (("A01", "hash of A01"), ("A02", "of another pipeline"), ("A03", "of another pipeline")):
        results.provenance_file(well).parent.mkdir(exist_ok=True)
        results.provenance_file(well).write_text(
            f'{{"format": "openhcs provenance 1", "hash": "{made_by}", "files": []}}'
        )
    found = forecast(tmp_path, Workers(1))
    assert (found.reused, found.to_do) == (("A01",), ("A02", "A03", "A04"))
    assert found.disk.expected_bytes == 2 * GIB
    assert forecast(tmp_path, Workers(2)).disk.expected_bytes == 3 * GIB


def test_a_run_is_refused_or_lowered_by_the_orchestrator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written for a run that is refused; overruled, it runs."""
    plate = make_demo_plate(tmp_path / "plate", wells=("B02",), sites=1, z_steps=1, size_px=128)
    orchestrator = Orchestrator(plate.folder)
    orchestrator.initialise()
    orchestrator.compile(load_pipeline(shipped_pipelines()["nuclei"]))
    monkeypatch.setattr(machine, "memory_bytes", lambda: 100 * 2**20)
    with pytest.raises(NoRoomError, match=r"a worker may need 3\d\d MiB of memory"):
        orchestrator.run(tmp_path / "out", 1)
    assert not (tmp_path / "out").exists()
    monkeypatch.undo()
    run = orchestrator.run(tmp_path / "out", 1, check_room=False)
    assert run.wait(60).finished == 1


def test_control_groups_limit_the_memory(tmp_path: Path) -> None:
    """Of both versions, the process's own group and those above it; without a limit, or off Linux, there is none."""
    own = tmp_path / "own"
    own.write_text("4:memory:/batch/job\n2:cpu:/\n0::/slice/session\n")
    for place, file, text in (
        ("memory/batch", "memory.limit_in_bytes", "3000"),
        ("memory/batch/job", "memory.limit_in_bytes", "9000"),
        ("slice", "memory.max", "2000"),
        ("slice/session", "memory.max", "max"),
    ):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        (tmp_path / place / file).write_text(f"{text}\n")
    assert sorted(machine._cgroup_limits(tmp_path, own)) == [2000, 3000, 9000]
    assert list(machine._cgroup_limits(tmp_path, tmp_path / "absent")) == []


def test_the_machine_has_something() -> None:
    """Real figures of this machine; a folder that does not exist yet is looked for upwards."""
    assert machine.free_memory_bytes() > 0
    assert machine.free_room(Path(__file__) / "not" / "there").folder == Path(__file__)
    assert [size_words(count) for count in (1, 3 << 20, 3 << 30, 3 << 40)] == ["1 KiB", "3 MiB", "3.0 GiB", "3.0 TiB"]


def test_an_estimate_and_a_forecast_agree(tmp_path: Path) -> None:
    """What is compared is what was told."""
    told = estimate_of(PIPELINES["nuclei"], wells=4)
    assert forecast_run([plan(well) for well in NAMES], told, tmp_path, Workers(2)).disk.files == told.disk.files
