"""What is asked when the workbench is left while plates are at work, and what the shell is told of them then."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from enum import Enum, auto
from typing import Final

from openhcs.core.progress import RunState
from openhcs.tui.effects.run_following import RunFollowing
from openhcs.tui.run_text import count_of, shown_path, some
from openhcs.tui.state import AppState
from openhcs.tui.utils import dialog_helpers
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.workbench import Activity, PlateRow, Workbench

__all__ = ["Leave", "ask_to_leave", "told_at_the_end"]

ATTACHED: Final = 3
"""How many commands to follow runs are told at most."""


class Leave(Enum):
    """What the user wants to happen."""

    STAY = auto()
    LEAVE = auto()
    CANCEL_AND_LEAVE = auto()


async def ask_to_leave(state: AppState, runs: RunFollowing) -> Leave:
    """Ask what is to become of what goes on; where nothing does, nothing is asked."""
    busy = state.workbench.busy
    if any(row.folder in runs for row in busy):
        return await _ask_about_runs(state, busy, runs)
    if not busy:
        return Leave.LEAVE
    names = some(visible(row.name) for row in busy)
    text = f"Still at work: {names}. Nothing is lost; it can be started again."
    return Leave.LEAVE if await dialog_helpers.confirm("Quit?", text, state, yes="Quit") else Leave.STAY


def told_at_the_end(workbench: Workbench) -> Sequence[str]:
    """What the shell is told where runs go on without the workbench: how to follow them."""
    going_on = [
        row
        for row in workbench.busy
        if row.activity is not Activity.CANCELLING and row.progress is not None and not row.progress.state.has_ended
    ]
    waiting = [row for row in going_on if row.progress is not None and row.progress.state is RunState.WAITING]
    running = [row for row in going_on if row not in waiting]
    if not going_on:
        return ()
    goes_on = "goes on" if len(going_on) == 1 else "go on"
    commands = (f"  {command}" for command in _commands(running, waiting))
    return (f"{some(visible(row.name) for row in going_on)} {goes_on} without the workbench. To follow:", *commands)


def _commands(running: Sequence[PlateRow], waiting: Sequence[PlateRow]) -> Sequence[str]:
    """The commands that follow these runs."""
    outs = [shown_path(row.out) for row in running if row.out][:ATTACHED]
    every = ["openhcs runs"] if waiting or len(running) > len(outs) else []
    return [*(f"openhcs attach {shlex.quote(out)}" for out in outs), *every]


async def _ask_about_runs(state: AppState, busy: Sequence[PlateRow], runs: RunFollowing) -> Leave:
    waiting = [row for row in busy if runs.waits(row.folder)]
    running = [row for row in busy if row.folder in runs and row not in waiting]
    unbegun = len(busy) - len(running) - len(waiting)
    many = len(running) + len(waiting) > 1
    leave, cancel = ("Leave them", "Cancel them") if many else ("Leave it running", "Cancel it")
    told = [
        f"{words}: {some(visible(row.name) for row in rows)}."
        for words, rows in (("Running", running), ("Waiting for their turn", waiting))
        if rows
    ]
    if unbegun:
        told.append(f"{count_of(unbegun, 'plate')} that did not start yet will not start.")
    turn = "; those that wait have their turn" if waiting else ""
    told.append(f"Runs go on without the workbench{turn}. Opened again, it shows them where they are.")
    told += ["", "To follow them elsewhere:"]
    told += (f"  {command}" for command in _commands(running, waiting))
    title = "Quit while something runs?" if running else "Quit while plates wait for their turn?"
    answer = await dialog_helpers.choose(title, "\n".join(told), (leave, cancel, "Stay"), state)
    if answer == leave:
        return Leave.LEAVE
    return Leave.CANCEL_AND_LEAVE if answer == cancel else Leave.STAY
