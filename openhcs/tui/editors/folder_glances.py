"""What folders are ("ImageXpress, 96 wells"), found out in the background before anybody opens them.

One folder at a time is asked about, the highlighted one first, then its neighbours on the screen. Moving on replaces
what is still to be asked. A folder that does not answer is left to its thread, and the next one asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from openhcs.tui.ports import TaskSpawner
from openhcs.tui.utils.daemon_thread import begin_in_daemon_thread

__all__ = ["Glances"]

PATIENCE_S: Final = 2.0
STUCK_AT_MOST: Final = 4
"""Threads left with folders that do not answer, past which nothing more is asked."""

KEPT: Final = 2000


class Glances:
    """Asks `describe` about folders and keeps its answers; None from it is "nothing special"."""

    def __init__(
        self, describe: Callable[[Path], str | None] | None, *, tasks: TaskSpawner, on_change: Callable[[], None]
    ) -> None:
        self._describe = describe
        self._tasks = tasks
        self._on_change = on_change
        self._known: dict[Path, str | None] = {}
        self._wishes: list[Path] = []
        self._asking = False
        self._stuck: list[asyncio.Future[str | None]] = []

    def of(self, folder: Path) -> str | None:
        """What is known of `folder`, if it has been asked about."""
        return self._known.get(folder)

    def look_at(self, folders: Sequence[Path]) -> None:
        """Ask about `folders`, in this order, instead of those wished for before."""
        if self._describe is None:
            return
        self._wishes = [folder for folder in reversed(folders) if folder not in self._known]
        if self._wishes and not self._asking:
            self._asking = True
            self._tasks.fire_and_forget(self._ask(self._describe), "look at folders")

    def forget(self) -> None:
        """Ask anew from now on."""
        self._known.clear()

    def stop(self) -> None:
        """Ask about nothing more."""
        self._wishes.clear()

    async def _ask(self, describe: Callable[[Path], str | None]) -> None:
        try:
            while self._wishes:
                folder = self._wishes.pop()
                self._stuck = [answer for answer in self._stuck if not answer.done()]
                if folder in self._known or len(self._stuck) >= STUCK_AT_MOST:
                    continue
                self._keep(folder, None)
                answer = begin_in_daemon_thread(lambda folder=folder: _ask_one(describe, folder), "look at folder")  # type: ignore[misc]
                await asyncio.wait([answer], timeout=PATIENCE_S)
                if answer.done():
                    self._take(folder, answer.result())
                else:
                    self._stuck.append(answer)
                    answer.add_done_callback(lambda late, folder=folder: self._take_late(folder, late))  # type: ignore[misc]
        finally:
            self._asking = False

    def _take(self, folder: Path, text: str | None) -> None:
        if text is not None:
            self._keep(folder, text)
            self._on_change()

    def _take_late(self, folder: Path, answer: asyncio.Future[str | None]) -> None:
        if not answer.cancelled() and answer.exception() is None:
            self._take(folder, answer.result())

    def _keep(self, folder: Path, text: str | None) -> None:
        self._known[folder] = text
        if len(self._known) > KEPT:
            del self._known[next(iter(self._known))]


def _ask_one(describe: Callable[[Path], str | None], folder: Path) -> str | None:
    try:
        return describe(folder)
    except OSError:
        return None
