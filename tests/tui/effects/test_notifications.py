"""Telling the end of a run to somebody who is not looking: which ends are told."""

from __future__ import annotations

from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from openhcs.core.journal import Event, EventKind
from openhcs.core.progress import RunProgress
from openhcs.tui.actions import PlatesAdded, RunProgressed
from openhcs.tui.effects.notifications import Notifications
from openhcs.tui.effects.preferences import Preferences
from openhcs.tui.state import AppState

PLATE = Path("/plates/demo")


class Names:
    """Takes tasks, keeps their names and runs none."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def create_task(self, coro: Coroutine[Any, Any, Any], name: str | None = None) -> Any:
        raise AssertionError("nobody waits for a notification")

    def fire_and_forget(self, coro: Coroutine[Any, Any, Any], name: str | None = None) -> None:
        coro.close()
        self.names.append(name or "")


@pytest.fixture
def names() -> Names:
    return Names()


@pytest.fixture
def state(names: Names) -> AppState:
    state = AppState()
    Notifications(state, names, Preferences())
    state.dispatch(PlatesAdded((PLATE,)))
    return state


def progress(*kinds: EventKind) -> RunProgress:
    run = RunProgress().apply(Event(100.0, EventKind.RUN_STARTED, data={"wells": ["A01"]}))
    for kind in kinds:
        run = run.apply(Event(200.0, kind))
    return run


@pytest.mark.parametrize("end", [EventKind.RUN_FINISHED, EventKind.RUN_FAILED], ids=str)
def test_a_run_that_was_seen_going_is_told_when_it_ends(state: AppState, names: Names, end: EventKind) -> None:
    """Once, however often its progress is looked at."""
    state.dispatch(RunProgressed(PLATE, progress()))
    assert names.names == []
    state.dispatch(RunProgressed(PLATE, progress(end)))
    state.dispatch(RunProgressed(PLATE, progress(end)))
    assert names.names == ["notify of demo"]


def test_a_cancelled_run_is_not_told(state: AppState, names: Names) -> None:
    """Who cancels a run looks at it."""
    state.dispatch(RunProgressed(PLATE, progress()))
    state.dispatch(RunProgressed(PLATE, progress(EventKind.RUN_CANCELLED)))
    assert names.names == []


def test_a_run_found_ended_is_not_told(state: AppState, names: Names) -> None:
    """What ended while the workbench was closed is told otherwise."""
    state.dispatch(RunProgressed(PLATE, progress(EventKind.RUN_FINISHED)))
    assert names.names == []
