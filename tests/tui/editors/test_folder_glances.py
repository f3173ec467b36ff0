"""Folders are recognised in the background, the nearest first; one that does not answer holds up no other."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from openhcs.tui.editors.folder_glances import Glances
from tests.tui.screen import Tasks, in_loop, wait_until


@in_loop
async def test_moving_on_replaces_what_is_asked_and_answers_are_kept() -> None:
    """Folders are asked about in turn; those left behind are not, and no folder is asked about twice."""
    asked: list[str] = []
    gate = threading.Event()

    def describe(folder: Path) -> str | None:
        asked.append(folder.name)
        assert gate.wait(10)
        return f"plate {folder.name}" if folder.name != "c" else None

    tasks = Tasks()
    glances = Glances(describe, tasks=tasks, on_change=lambda: None)
    glances.look_at([Path("/a"), Path("/b")])
    await wait_until(lambda: asked == ["a"])
    glances.look_at([Path("/c"), Path("/a"), Path("/c")])
    gate.set()
    await wait_until(lambda: not tasks.busy)
    assert asked == ["a", "c"]
    assert glances.of(Path("/a")) == "plate a"
    assert glances.of(Path("/c")) is None
    glances.look_at([Path("/a"), Path("/c")])
    assert not tasks.busy


@in_loop
async def test_a_folder_that_does_not_answer_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next folder is asked about after a while, and an answer that comes late is shown all the same."""
    monkeypatch.setattr("openhcs.tui.editors.folder_glances.PATIENCE_S", 0.02)
    gate = threading.Event()

    def describe(folder: Path) -> str | None:
        if folder.name == "dead":
            assert gate.wait(10)
        return folder.name

    tasks = Tasks()
    glances = Glances(describe, tasks=tasks, on_change=lambda: None)
    glances.look_at([Path("/dead"), Path("/alive")])
    await wait_until(lambda: glances.of(Path("/alive")) == "alive")
    assert glances.of(Path("/dead")) is None
    gate.set()
    await wait_until(lambda: glances.of(Path("/dead")) == "dead")
