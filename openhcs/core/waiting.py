"""A run before its turn: a runner that waits, and may be cancelled meanwhile. Imported by `runner` alone.

It looks once a second whether its turn is there, and the first to wait also at the settings, which may have come to let
more runs go on at once. Takes little memory: the validator of the settings is imported by the first to wait alone, and
only if another run goes on. Checked by tests/core/test_waiting.py.
"""

from __future__ import annotations

import asyncio
import os
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from openhcs.core import paths
from openhcs.core.control import Request
from openhcs.core.journal import Event, EventKind, JournalWriter, Json
from openhcs.core.run_files import RunFiles
from openhcs.core.turns import Turns
from openhcs.errors import RunError, SettingsError, StoreError

__all__ = ["WaitingRun"]

LOOK_EVERY_S: Final = 1.0


class WaitingRun:
    """A run that waits for its turn.

    Args:
        request: what run.json says, as it is there.
    """

    def __init__(self, files: RunFiles, request: Mapping[str, Any], journal: JournalWriter, turns: Turns) -> None:
        self._files = files
        self._run_id = files.run_id
        self._request = request
        self._journal = journal
        self._turns = turns
        self._cancelled = asyncio.Event()
        self._is_told = False
        self._place: int | None = None
        self._in_trouble = False
        self._at_once = 1
        self._settings_stamp: tuple[int, ...] | None = None

    @property
    def is_cancelled(self) -> bool:
        """Whether it has been cancelled, by whatever way."""
        return self._cancelled.is_set() or self._files.cancel_asked.exists()

    def cancel(self) -> None:
        """Wait no longer, and do not run."""
        self._cancelled.set()

    def answer(self, request: Request) -> Mapping[str, Json]:
        """Do what a control request asks; raises `RunError` where that cannot be."""
        match request:
            case {"do": "cancel"}:
                self.cancel()
                return {}
            case {"do": "status"}:
                return {"running": {}, "pending": [*self._request["wells"]], "workers": []}
        raise RunError(f"request: {dict(request)}; expected do: cancel or status while the run waits for its turn.")

    async def wait_turn(self) -> bool:
        """Wait for the turn; False, and the journal tells it, if the run was cancelled instead."""
        while not self.is_cancelled:
            place = self._ask()
            if place == 0:
                return True
            self._tell(place)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._cancelled.wait(), LOOK_EVERY_S)
        self._tell(None)
        self._say(EventKind.RUN_CANCELLED, message="cancelled before its turn came.")
        # It was no run: the last one in that folder is the one before.
        self._files.request_file.unlink(missing_ok=True)
        return False

    def _tell(self, place: int | None) -> None:
        """Tell the journal that the run waits, and its place where that is known and another than before."""
        if not self._is_told:
            self._is_told = True
            names = ("plate", "pipeline", "out", "wells")
            self._say(EventKind.RUN_QUEUED, **{name: self._request[name] for name in names}, pid=os.getpid())
        if place is not None and place != self._place:
            self._place = place
            self._say(EventKind.RUN_WAITING, message=f"for its turn, number {place}", place=place)

    def _ask(self) -> int | None:
        """0 if it has its turn, else its place; None where that cannot be told now."""
        try:
            try:
                return self._turns.ask(self._run_id, self._runs_at_once)
            except LookupError:  # somebody has cleared the folder
                out, plate = Path(self._request["out"]), Path(self._request["root"])
                # The descriptor is never closed: the lock is to end with the process.
                self._turns.take(self._run_id, out, plate, waits=True, order=self._request["turn"]["asked_ns"])
        except StoreError:  # a disk that is full or away for a while must not cost the run its turn
            if not self._in_trouble:
                traceback.print_exc()
            self._in_trouble = True
        return None

    def _runs_at_once(self) -> int:
        """What the settings allow now; what they allowed last where they are wrong by now."""
        # pydantic, some 10 MB: for the first to wait alone, and only if another run goes on.
        from openhcs.core.config import load_settings

        stamp = _stamp(paths.settings_file())
        if stamp != self._settings_stamp:
            self._settings_stamp = stamp
            try:
                self._at_once = load_settings().runs_at_once
            except SettingsError:
                traceback.print_exc()
        return self._at_once

    def _say(self, kind: EventKind, /, **data: Json) -> None:
        self._journal.append(Event(time.time(), kind, data=data))


def _stamp(file: Path) -> tuple[int, ...]:
    """What changes whenever the file does; empty where there is none."""
    try:
        found = file.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino
