"""What goes wrong in a run's processes reaches the error journal of the workbench, once, by real runs."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from openhcs.core.orchestrator import Run
from openhcs.core.pipeline_file import shipped_pipelines
from openhcs.core.remembered_runs import RememberedRuns
from openhcs.errors import RunError, WellError
from openhcs.testing.driver import WorkbenchDriver, workbench
from openhcs.tui.utils.error_journal import ErrorEntry
from tests.tui.layout.gate import RUN_S, Gate, closed_gate

NUCLEI = shipped_pipelines()["nuclei"]


def journalled(wb: WorkbenchDriver) -> list[ErrorEntry]:
    ledger = wb.launcher.program.errors.journal.ledger
    assert ledger.balances
    return list(wb.launcher.program.errors.journal.entries())


@pytest.fixture
def gate(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """A pipeline whose wells wait until `open` is called, and then fail."""
    monkeypatch.syspath_prepend(home)
    with closed_gate(home, "doomed", "doom", 'raise ArithmeticError("doomed")') as gate:
        yield gate


def test_followed_runs_are_remembered_across_processes(tmp_path: Path) -> None:
    """By whatever name their folder has; and a place that cannot be written is no reason to fail."""
    runs = [tmp_path / "one", tmp_path / "zwei ü\n", tmp_path / "bytes \udcff"]
    for run in runs:
        RememberedRuns(tmp_path / "state").add(run)
        RememberedRuns(tmp_path / "state").add(run)
    assert sorted(RememberedRuns(tmp_path / "state").all()) == sorted(runs)
    RememberedRuns(tmp_path / "state").discard(runs[0])
    assert sorted(RememberedRuns(tmp_path / "state").all()) == sorted(runs[1:])
    nowhere = RememberedRuns(Path("/dev/null/state"))
    nowhere.add(runs[0])
    nowhere.discard(runs[0])
    assert nowhere.all() == ()


async def wait_started(wb: WorkbenchDriver) -> None:
    """Wait until a well is being processed."""
    await wb.wait_until(lambda: any(well.step for row in wb.state.plates for well in row.wells), "a well to run", RUN_S)


async def test_a_well_that_fails_is_one_entry_and_no_dialog(demo: Path, home: Path) -> None:
    """The traceback is that of the worker; the run's view shows the well, so nothing pops up."""
    plate = home / "demo"
    shutil.copytree(demo, plate)
    broken = next(file for file in sorted(plate.rglob("*B03*.TIF")) + sorted(plate.rglob("*B03*.tif")))
    broken.write_bytes(broken.read_bytes()[:1000])
    async with workbench([plate], pipeline=NUCLEI, size=(100, 30)) as wb:
        await wb.press("r")
        await wb.wait_for("1 of 2 failed", RUN_S)
        await wb.wait_idle()
        (entry,) = journalled(wb)
        assert entry.context == "worker, well B03 of demo"
        assert entry.type_name == "WellError"
        assert "read_plane" in entry.traceback
        assert entry.shown
        assert wb.launcher.program.dialogs is not None
        assert wb.launcher.program.dialogs.depth == 0
        assert isinstance(wb.take_errors()[0], WellError)
        await wb.press("r")
        await wb.wait_for("1 of 2 failed", RUN_S)
        await wb.wait_idle()
        assert [entry.context for entry in journalled(wb)] == ["worker, well B03 of demo"] * 2


async def test_a_runner_that_dies_is_one_dialog(demo: Path, gate: Gate) -> None:
    """Killed, it is told in words, with its log's end, and its wells are not told besides."""
    async with workbench([demo], pipeline=gate.pipeline, size=(100, 30)) as wb:
        await wb.press("r")
        await wait_started(wb)
        run = Run.attach(gate.out)
        run.poll()
        os.kill(run.pid, signal.SIGKILL)
        await wb.wait_for("Error in runner of demo", RUN_S)
        assert "the runner process vanished" in wb.text
        await wb.press("escape")
        await wb.wait_idle()
        (entry,) = journalled(wb)
        assert entry.shown
        assert isinstance(wb.take_errors()[0], RunError)
    async with workbench() as wb:
        await wb.wait_idle()
        assert journalled(wb) == []


async def test_a_run_that_cannot_go_on_is_a_refusal(demo: Path, home: Path, gate: Gate) -> None:
    """The runner knows why, and that is told in words: no error of the program, and no variables of its code."""
    plate = home / "demo"
    shutil.copytree(demo, plate)
    async with workbench([plate], pipeline=gate.pipeline, size=(100, 30)) as wb:
        await wb.press("r")
        await wait_started(wb)
        plate.rename(home / "gone")
        gate.open()
        await wb.wait_for("Cannot go on with the run of demo", RUN_S)
        assert "Locals" not in wb.text
        assert "RunError" not in wb.text
        await wb.press("escape")
        await wb.wait_idle()
        assert "1 error" not in wb.text


async def test_what_failed_while_no_workbench_was_open_is_told_once_by_the_next(demo: Path, gate: Gate) -> None:
    """Left running, both wells fail; the next workbench journals them and says so, the one after does not."""
    async with workbench([demo], pipeline=gate.pipeline) as wb:
        await wb.press("r")
        await wait_started(wb)
        await wb.press("q")
        await wb.wait_for("Leave it running")
        await wb.press("l")
        assert await wb.wait_exit(RUN_S) == 0
        assert journalled(wb) == []
    gate.open()
    Run.attach(gate.out).wait(RUN_S)
    async with workbench() as wb:
        await wb.wait_for("2 errors since the workbench was left")
        await wb.wait_idle()
        entries = journalled(wb)
        assert [entry.context for entry in entries] == ["worker, well B02 of demo", "worker, well B03 of demo"]
        assert all("ArithmeticError: doomed" in entry.traceback for entry in entries)
        assert not any(entry.shown for entry in entries)
        await wb.press("E")
        await wb.wait_for("worker, well B02 of demo")
        await wb.press("escape")
        await wb.wait_idle()
        assert all(entry.shown for entry in entries)
    async with workbench() as wb:
        await wb.wait_idle()
        assert journalled(wb) == []
        assert "error" not in wb.text


async def test_a_run_found_again_tells_what_it_has_not_told(demo: Path, gate: Gate) -> None:
    """Attached to while it runs, each failure is told by whoever follows then, and once."""
    async with workbench([demo], pipeline=gate.pipeline) as wb:
        await wb.press("r")
        await wait_started(wb)
        await wb.press("q")
        await wb.wait_for("Leave it running")
        await wb.press("l")
        await wb.wait_exit(RUN_S)
    async with workbench([demo], pipeline=gate.pipeline, comes_to_rest=False) as wb:
        await wb.wait_for("> ! demo", RUN_S)
        gate.open()
        await wb.wait_for("2 of 2 failed", RUN_S)
        await wb.wait_idle()
        contexts = [entry.context for entry in journalled(wb)]
        assert contexts == ["worker, well B02 of demo", "worker, well B03 of demo"]
