"""Runs from the workbench, by real keys, with the real engine: finished, failed, cancelled, left and found again.

A pipeline that holds at a gate (a function of the user's own, waiting for a file) makes the moments of a run certain.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from openhcs.core import paths
from openhcs.core.config import load_settings
from openhcs.core.model import Status
from openhcs.core.orchestrator import Orchestrator, Run
from openhcs.core.pipeline_file import load_pipeline, shipped_pipelines
from openhcs.core.progress import RunState, WellState
from openhcs.core.results import ResultsFolder
from openhcs.errors import RunError, StoreError
from openhcs.testing.driver import WorkbenchDriver, workbench
from openhcs.tui.effects.leaving import told_at_the_end
from tests.tui.layout.gate import RUN_S, Gate, closed_gate

NUCLEI = shipped_pipelines()["nuclei"]


@pytest.fixture
def gate(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """A pipeline whose wells wait until `open` is called."""
    monkeypatch.syspath_prepend(home)
    with closed_gate(home, "held", "hold", "return image") as gate:
        yield gate


def _ended(out: Path | None) -> RunState | None:
    """How the last run into `out` ended; None while there is none, or it goes on."""
    try:
        state = Run.attach(out).poll().state if out is not None else None
    except RunError:
        return None
    return state if state is not None and state.has_ended else None


def status(wb: WorkbenchDriver) -> Status:
    assert wb.state.selected is not None
    return wb.state.selected.status


async def wait_running(wb: WorkbenchDriver, *wells: str) -> None:
    """Wait until exactly `wells` are being processed."""

    def is_so() -> bool:
        row = wb.state.selected
        running = [well.well for well in row.wells if well.state is WellState.RUNNING] if row else []
        return running == list(wells)

    await wb.wait_until(is_so, f"{wells} to run", RUN_S)


async def test_one_key_brings_a_plate_from_its_folder_to_results(demo: Path, home: Path) -> None:
    """`r` on a plate just added initialises, compiles and runs it; the wells count nuclei; the results are on disk."""
    async with workbench([demo], pipeline=NUCLEI, size=(100, 30)) as wb:
        await wb.press("r")
        await wb.wait_for("2 wells done", RUN_S)
        await wb.wait_idle()
        assert "> ✓ demo" in wb.text
        assert "nuclei" in wb.line("✓ B02")
        assert "finished 2 wells in" in wb.text
        row = wb.state.selected
        assert row is not None
        assert row.out == home / "openhcs-results" / "demo" / "nuclei"
        assert "o shows the results" in wb.text
        await wb.press("tab", "enter", "s-tab")
        await wb.wait_for("Objects  ")
        await wb.press("escape")
        await wb.press("s-tab", "r")
        await wb.wait_for("from an earlier run", RUN_S)
    assert (home / "openhcs-results" / "demo" / "nuclei").is_dir()


async def test_the_end_of_a_run_is_told_to_who_looks_elsewhere(demo: Path, gate: Gate, home: Path) -> None:
    """The terminal rings and gets the text for the desktop when a run ends, unless it was shorter than wished."""
    settings = home / "home" / "config" / "settings.yaml"
    settings.write_text(f"{settings.read_text()}notify_after_s: 0\n")
    async with workbench([demo], pipeline=gate.pipeline) as wb:
        await wb.press("r")
        await wait_running(wb, "B02")
        assert "\a" not in wb.written
        gate.open()
        await wb.wait_for("2 wells done", RUN_S)
        await wb.wait_until(lambda: "\x1b]9;OpenHCS: demo finished 2 wells" in wb.written, "the notification")


async def test_a_truncated_image_fails_its_well_and_no_other(demo: Path, home: Path) -> None:
    """The plate is X with the count; `n` goes to the failed well and Enter names the file and the cause."""
    plate = home / "demo"
    shutil.copytree(demo, plate)
    broken = next(file for file in sorted(plate.rglob("*B03*.TIF")) + sorted(plate.rglob("*B03*.tif")))
    broken.write_bytes(broken.read_bytes()[:1000])
    async with workbench([plate], pipeline=NUCLEI, size=(100, 30)) as wb:
        await wb.press("r")
        await wb.wait_for("1 of 2 failed", RUN_S)
        await wb.wait_idle()
        assert "> X demo" in wb.text
        assert "✓ B02" in wb.text
        await wb.press("tab", "n")
        assert "> X B03" in wb.text
        await wb.press("enter")
        await wb.wait_for("PlaneError")
        assert broken.name in wb.text


async def test_a_plate_runs_where_turns_cannot_be_kept(demo: Path, gate: Gate) -> None:
    """A home that cannot be written is told, and keeps no plate from running."""
    turns = paths.state_folder() / "turns"
    turns.parent.mkdir(parents=True)
    turns.write_text("no folder")
    gate.open()
    async with workbench([demo], pipeline=gate.pipeline, size=(160, 24)) as wb:
        await wb.press("r")
        await wb.wait_for("waits for no other: turns of runs:", RUN_S)
        await wb.wait_for("2 wells done", RUN_S)
        await wb.wait_idle()


async def test_a_run_is_cancelled_after_a_question(demo: Path, gate: Gate) -> None:
    """`x` asks; going on changes nothing, cancelling ends the run and leaves the plate ready to run again."""
    async with workbench([demo], pipeline=gate.pipeline) as wb:
        await wb.press("r")
        await wait_running(wb, "B02")
        assert "> ! demo" in wb.text
        await wb.press("x")
        await wb.wait_for("Cancel the run?")
        assert "0 of 2 wells finished." in wb.text
        await wb.press("escape")
        await wb.wait_gone("Cancel the run?")
        assert status(wb) is Status.RUNNING
        await wb.press("x")
        await wb.wait_for("Cancel the run?")
        await wb.press("enter")
        await wb.wait_until(lambda: status(wb) is Status.COMPILED, "the run to end", RUN_S)
        await wb.wait_idle()
        assert "> o demo" in wb.text
        assert "cancelled in" in wb.text


async def test_one_well_is_cancelled_and_the_others_finish(demo: Path, gate: Gate) -> None:
    """`x` on a well that waits takes it out of the run."""
    async with workbench([demo], pipeline=gate.pipeline) as wb:
        await wb.press("r")
        await wait_running(wb, "B02")
        await wb.press("tab", "down", "x")
        await wb.wait_for("- B03  cancelled", RUN_S)
        gate.open()
        await wb.wait_for("✓ B02", RUN_S)
        await wb.wait_idle()


async def test_a_plate_that_runs_refuses_what_would_disturb_it(demo: Path, gate: Gate) -> None:
    """While a plate runs it can be neither run again nor removed, and the reason is told."""
    async with workbench([demo], pipeline=gate.pipeline) as wb:
        await wb.press("r")
        await wait_running(wb, "B02")
        await wb.press("d")
        await wb.wait_for("demo is running: x cancels that first")
        await wb.press("r")
        await wb.wait_for("demo is running: x cancels that")
        gate.open()
        await wb.wait_for("2 wells done", RUN_S)


async def test_the_details_tell_what_the_workers_do(demo: Path, gate: Gate) -> None:
    """While a plate runs they say which worker is at which well, for how long, and with how much memory."""
    async with workbench([demo], pipeline=gate.pipeline) as wb:
        await wb.press("r")
        await wait_running(wb, "B02")
        await wb.press("enter")
        await wb.wait_for("Workers      B02 for ", RUN_S)
        assert re.search(r"B02 for .* s, \d+ MiB; process \d+", wb.line("Workers "))
        gate.open()
        await wb.wait_gone("Workers ", RUN_S)
        await wb.press("escape")
        await wb.wait_for("2 wells done", RUN_S)


async def test_a_second_run_waits_its_turn(demo: Path, home: Path, gate: Gate) -> None:
    """Two plates do not run at the same time; the second begins when the first has ended, or is cancelled before."""
    other = home / "other"
    shutil.copytree(demo, other)
    async with workbench([demo, other], pipeline=gate.pipeline) as wb:
        await wb.press("r")
        await wait_running(wb, "B02")
        await wb.press("down", "r")
        await wb.wait_for("waiting its turn")
        assert "1 running 0/2, 1 waiting" in wb.screen()[-1]
        await wb.press("x")
        await wb.wait_gone("waiting its turn")
        gate.open()
        await wb.wait_for("2 wells done", RUN_S)


async def test_a_run_left_running_goes_on_and_is_found_again(demo: Path, gate: Gate) -> None:
    """Quitting asks; left running, the run survives the workbench, and the next one follows it instead of a new one."""
    async with workbench([demo], pipeline=gate.pipeline) as wb:
        await wb.press("r")
        await wait_running(wb, "B02")
        await wb.press("q")
        await wb.wait_for("Quit while something runs?")
        assert "openhcs attach openhcs-results/demo/held" in wb.text
        await wb.press("escape")
        await wb.wait_gone("Quit while something runs?")
        await wb.press("q")
        await wb.wait_for("Quit while something runs?")
        await wb.press("enter")
        assert await wb.wait_exit() == 0
        told = told_at_the_end(wb.state)
    assert "\n".join(told) == (
        "demo goes on without the workbench. To follow:\n  openhcs attach openhcs-results/demo/held"
    )
    assert Run.attach(gate.out).poll().state is RunState.RUNNING
    async with workbench([demo], pipeline=gate.pipeline, comes_to_rest=False) as wb:
        await wb.wait_for("> ! demo", RUN_S)
        await wait_running(wb, "B02")
        await wb.press("r")
        await wb.wait_for("demo is running: x cancels that")
        gate.open()
        await wb.wait_for("2 wells done", RUN_S)


async def test_a_run_that_is_begun_elsewhere_is_shown(demo: Path, home: Path, gate: Gate) -> None:
    """`openhcs run` in another shell puts its plate on the list, where it is followed; the cursor stays."""
    other = home / "other"
    shutil.copytree(demo, other)

    def begin() -> Run:
        engine = Orchestrator(demo, load_settings().function_modules)
        engine.initialise()
        engine.compile(load_pipeline(gate.pipeline))
        return engine.run(gate.out, workers=1)

    async with workbench([other], pipeline=gate.pipeline) as wb:
        await asyncio.to_thread(begin)
        await wb.wait_for("! demo", RUN_S)
        assert "> ? other" in wb.text
        await wb.press("down")
        await wait_running(wb, "B02")
        gate.open()
        await wb.wait_for("2 wells done", RUN_S)


async def test_leaving_asks_for_the_pipeline_before_it_cancels_a_run(demo: Path, gate: Gate) -> None:
    """Whoever goes back because of an unsaved pipeline finds the run going on."""
    async with workbench([demo], pipeline=gate.pipeline) as wb:
        await wb.press("r")
        await wait_running(wb, "B02")
        await wb.press("s-tab", "y", "q")
        await wb.wait_for("not saved")
        await wb.press("escape")
        await wb.wait_gone("not saved")
        assert "Quit while something runs?" not in wb.text
        assert status(wb) is Status.RUNNING
        gate.open()
        await wb.wait_until(lambda: status(wb) is not Status.RUNNING, "the run to end", RUN_S)


async def test_leaving_can_cancel_what_runs(demo: Path, gate: Gate) -> None:
    """Answered with cancel, quitting ends the run before the workbench closes."""
    async with workbench([demo], pipeline=gate.pipeline) as wb:
        await wb.press("r")
        await wait_running(wb, "B02")
        await wb.press("q")
        await wb.wait_for("Quit while something runs?")
        await wb.press("c")
        assert await wb.wait_exit(RUN_S) == 0
        assert not told_at_the_end(wb.state)
    assert Run.attach(gate.out).poll().state is RunState.CANCELLED


async def test_a_run_cancelled_while_it_starts_does_not_go_on_unseen(demo: Path, gate: Gate) -> None:
    """`x` on a plate whose run is only starting gives it back at once; the run is cancelled when it is there."""
    results = ResultsFolder(gate.out)
    gate.out.mkdir(parents=True)
    results.claim("demo", demo)
    async with workbench([demo], pipeline=gate.pipeline) as wb:
        with results.lock():  # which starting a run waits for
            await wb.press("r")
            await wb.wait_until(
                lambda: any(thread.name == "start demo" for thread in threading.enumerate()), "the start", RUN_S
            )
            await wb.press("x")
            await wb.wait_for("demo: cancelled")
            assert not wb.state.busy
        await wb.wait_until(
            lambda: any("run_cancelled" in journal.read_text() for journal in results.runs.glob("*/journal.jsonl")),
            "the run to be cancelled",
            RUN_S,
        )


async def test_what_ended_while_the_question_stood_is_not_cancelled(demo: Path, home: Path, gate: Gate) -> None:
    """A plate that waited when the question came, and had its turn before the answer, is cancelled as a run is."""
    other = home / "other"
    shutil.copytree(demo, other)
    async with workbench([demo, other], pipeline=gate.pipeline) as wb:
        await wb.press("r")
        await wait_running(wb, "B02")
        await wb.press("down", "r")
        await wb.wait_for("waiting its turn")
        await wb.press("*", "x")
        await wb.wait_for("Cancel the run?")
        Run.attach(gate.out).cancel()
        await wait_running(wb, "B02")
        await wb.press("enter")
        await wb.wait_until(lambda: not wb.state.busy, "both to end", RUN_S)
        assert _ended(wb.state.plates[1].out) is RunState.CANCELLED


async def test_leaving_with_cancel_starts_nothing_that_waited(demo: Path, home: Path, gate: Gate) -> None:
    """Answered with cancel, quitting gives up the plates that wait before the one that runs makes room for them."""
    other = home / "other"
    shutil.copytree(demo, other)
    async with workbench([demo, other], pipeline=gate.pipeline) as wb:
        await wb.press("r")
        await wait_running(wb, "B02")
        await wb.press("down", "r")
        await wb.wait_for("waiting its turn")
        await wb.press("q")
        await wb.wait_for("Quit while something runs?")
        await wb.press("c")
        assert await wb.wait_exit(RUN_S) == 0
        assert wb.state.plates[1].out is None
    assert _ended(gate.out) is RunState.CANCELLED


async def test_results_that_cannot_be_written_are_refused_in_words(demo: Path, home: Path) -> None:
    """Where the results folder cannot be made, the dialog names it and the plate is X."""
    (home / "openhcs-results").write_text("a file where the folder should be")
    async with workbench([demo], pipeline=NUCLEI) as wb:
        await wb.press("r")
        await wb.wait_for("Cannot run demo", RUN_S)
        assert "openhcs-results" in wb.text
        assert [type(error) for error in wb.take_errors()] == [StoreError]
        await wb.press("escape")
        await wb.wait_idle()
        assert "> X demo" in wb.text
