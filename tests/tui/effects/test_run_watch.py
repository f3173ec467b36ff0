"""Runs that begin and end elsewhere are told of."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

from openhcs.core.turns import Turns
from openhcs.tui.effects.plates import PlateEffects
from openhcs.tui.effects.preferences import Preferences
from openhcs.tui.effects.run_watch import RunWatch
from openhcs.tui.state import AppState
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager
from tests.tui.screen import in_loop


@in_loop
async def test_each_change_of_the_tickets_is_told_once(tmp_path: Path) -> None:
    """A run that begins is told of, and one that is given another place; what stays is not, unless asked for."""
    turns = Turns(tmp_path / "turns")
    told: asyncio.Queue[None] = asyncio.Queue()
    watch = RunWatch(lambda: told.put_nowait(None), lambda: turns, every_s=0.01)
    watch.start()
    lock = turns.take("a", Path("out"), Path("plate"), waits=True)
    await asyncio.wait_for(told.get(), 30.0)
    lock_of_other = turns.take("b", Path("out"), Path("plate"), waits=True)
    await asyncio.wait_for(told.get(), 30.0)
    turns.reorder({"b": 1})
    await asyncio.wait_for(told.get(), 30.0)
    watch.look_again()
    await asyncio.wait_for(told.get(), 30.0)
    watch.stop()
    assert told.empty()
    os.close(lock)
    os.close(lock_of_other)


@in_loop
async def test_a_watch_that_is_stopped_tells_no_more(tmp_path: Path) -> None:
    """Its thread ends, and what it had seen but not told yet is not told."""
    turns = Turns(tmp_path / "turns")
    watch = RunWatch(lambda: told.append(None), lambda: turns, every_s=0.01)
    told: list[None] = []
    watch.start()
    (thread,) = (thread for thread in threading.enumerate() if thread.name == "watch for runs")
    lock = turns.take("a", Path("out"), Path("plate"), waits=True)
    watch.stop()
    await asyncio.to_thread(thread.join, 30.0)
    assert not thread.is_alive()
    await asyncio.sleep(0)
    assert not told
    os.close(lock)


@in_loop
async def test_a_run_that_begins_while_the_workbench_is_left_is_nothing_to_it() -> None:
    """Between the end of its tasks and that of the watch, what the watch tells starts no task, and is no error."""
    tasks = UnifiedTaskManager()
    plates = PlateEffects(AppState(), tasks, Preferences())
    await tasks.shutdown(1.0)
    plates.look_for_new_runs()
    assert tasks.total_task_count == 0
