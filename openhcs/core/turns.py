"""Whose turn it is: the runs of this user on this machine, in the order in which they have their turn.

A run that goes on has a ticket, a small file in a folder of the user's state: its name says its place in the order and
whether the run has its turn, its content where results go. The runner holds a lock on its ticket for as long as its
process lives, however that ends, so a ticket that nobody holds is that of a run that is gone. Nobody hands out turns:
a run that waits looks whether it is the first to wait and whether fewer have their turn than may. What changes tickets
holds the lock of the folder.

Deliberately absent: how a runner waits (`waiting`), and what a run is (`run`). The standard library and `paths` only,
for a run that waits is to take little memory (docs/decisions/0032). Checked by tests/core/test_turns.py.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, TypeVar

from openhcs.core import paths
from openhcs.errors import TurnsError

__all__ = ["Ticket", "Turn", "Turns", "moved", "turns_here"]

_LOCK: Final = "lock"
_LOCKED_WITHIN_S: Final = 2.0
_TRIED_EVERY_S: Final = 0.005
_NEW: Final = "new"
_WAITS: Final = "waits"
_HAS_TURN: Final = "has-turn"

Name = TypeVar("Name")


@dataclass(frozen=True, slots=True)
class Turn:
    """What a run asks for that is to wait for its turn.

    `asked_ns`, nanoseconds since 1970, decides its place. `shared_by` says for how many runs at once its workers and
    memory are a share; None if they are its own, however many there are.
    """

    asked_ns: int = field(default_factory=time.time_ns)
    shared_by: int | None = None


@dataclass(frozen=True, slots=True, order=True)
class Ticket:
    """One living run: its `order` among all, `out` its results folder, `plate` the folder of its images."""

    order: int
    run_id: str
    has_turn: bool
    out: Path
    plate: Path


class Turns:
    """The tickets in `folder`. Every method may be called from any thread and process; each raises `TurnsError`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take(self, run_id: str, out: Path, plate: Path, *, waits: bool, order: int | None = None) -> int:
        """Give a run a ticket; return the descriptor of the lock on it, for the runner to inherit or to keep.

        Args:
            waits: for its turn, which it has at once if it is alone; otherwise it has it in any case.
            order: when it was asked for, in nanoseconds since 1970, if that was not just now.
        """
        order = time.time_ns() if order is None else order
        with self._changing(make=True):
            new = self._folder / _NEW
            descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                os.write(descriptor, json.dumps({"results": os.fspath(out), "plate": os.fspath(plate)}).encode())
                has_turn = not waits or not self._living()
                new.rename(self._file(Ticket(order, run_id, has_turn, out, plate)))
            except OSError:
                os.close(descriptor)
                raise
        return descriptor

    def look(self) -> tuple[Ticket, ...]:
        """The runs that live, in order."""
        if not self._folder.is_dir():
            return ()
        with self._changing():
            return tuple(self._living())

    def mark(self) -> frozenset[str]:
        """What is another whenever a ticket has come, gone or changed; waits for nobody."""
        with suppress(OSError):
            return frozenset(os.listdir(self._folder)) - {_LOCK, _NEW}  # noqa: PTH208 - names are wanted, no paths
        return frozenset()

    def ask(self, run_id: str, at_once: Callable[[], int]) -> int:
        """Take the turn of a run that waits, if it is there; return 0, else its place among those that wait, from 1.

        Args:
            at_once: how many may have their turn at the same time; called only if it matters.

        Raises:
            LookupError: the run has no ticket, somebody has removed it.
        """
        with self._changing(make=True):
            tickets = self._living()
            mine = next((ticket for ticket in tickets if ticket.run_id == run_id), None)
            if mine is None:
                raise LookupError(run_id)
            if mine.has_turn:
                return 0
            waiting = [ticket for ticket in tickets if not ticket.has_turn]
            having = len(tickets) - len(waiting)
            if mine is waiting[0] and (not having or having < at_once()):
                self._file(mine).rename(self._file(replace(mine, has_turn=True)))
                return 0
            return waiting.index(mine) + 1

    def reorder(self, orders: Mapping[str, int]) -> None:
        """Give runs that still wait another order, by their ids."""
        with self._changing():
            for ticket in self._living():
                order = orders.get(ticket.run_id, ticket.order)
                if not ticket.has_turn and order != ticket.order:
                    self._file(ticket).rename(self._file(replace(ticket, order=order)))

    def put(self, run_id: str, place: int) -> int:
        """Put a run that waits at a place among those that wait, or the nearest there is; return that.

        Raises:
            LookupError: the run does not wait.
        """
        waiting = [ticket for ticket in self.look() if not ticket.has_turn]
        ids = [ticket.run_id for ticket in waiting]
        if run_id not in ids:
            raise LookupError(run_id)
        ids.remove(run_id)
        ids.insert(max(place, 1) - 1, run_id)
        self.reorder(dict(zip(ids, (ticket.order for ticket in waiting), strict=True)))
        return ids.index(run_id) + 1

    @contextmanager
    def _changing(self, *, make: bool = False) -> Iterator[None]:
        try:
            if make:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                _lock(descriptor)
                yield
            finally:
                os.close(descriptor)
        except OSError as error:
            raise TurnsError(
                f"turns of runs: {self._folder} ({error.strerror or error}); expected to write there. Check space and "
                "permissions, or run without waiting for a turn."
            ) from error

    def _living(self) -> list[Ticket]:
        """All tickets that somebody holds, in order; those of runs that are gone are removed."""
        found = []
        for file in self._folder.iterdir():
            order, _, rest = file.name.partition(".")
            state, _, run_id = rest.partition(".")
            if state not in (_WAITS, _HAS_TURN) or not order.isdigit():
                continue
            descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                found.append(Ticket(int(order), run_id, state == _HAS_TURN, *_places(descriptor)))
            else:
                with suppress(FileNotFoundError):
                    file.unlink()
            finally:
                os.close(descriptor)
        return sorted(found)

    def _file(self, ticket: Ticket) -> Path:
        return self._folder / f"{ticket.order:020d}.{_HAS_TURN if ticket.has_turn else _WAITS}.{ticket.run_id}"


def _lock(descriptor: int) -> None:
    """Lock a file that others hold for milliseconds; raises `TimeoutError` where one of them was stopped meanwhile."""
    end_s = time.monotonic() + _LOCKED_WITHIN_S
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        if time.monotonic() > end_s:
            raise TimeoutError(errno.ETIMEDOUT, "a process that was stopped holds its lock")
        time.sleep(_TRIED_EVERY_S)


def _places(ticket: int) -> tuple[Path, Path]:
    """The results folder and the plate's; where a full disk took a part of them only, none: the turn does without."""
    try:
        content = json.loads(os.read(ticket, os.fstat(ticket).st_size))
        return Path(content["results"]), Path(content["plate"])
    except (ValueError, KeyError, TypeError):
        return Path(), Path()


def turns_here() -> Turns:
    """The turns of this user on this machine: with a home folder on several machines, each has its own."""
    return Turns(paths.state_folder() / "turns" / socket.gethostname())


def moved(line: Sequence[Name], names: Collection[Name], by: int) -> list[Name]:
    """`line` with those of `names` one place ahead (-1) or back (1), past those that are not of them."""
    there = list(line) if by < 0 else list(reversed(line))
    for at in range(1, len(there)):
        if there[at] in names and there[at - 1] not in names:
            there[at - 1], there[at] = there[at], there[at - 1]
    return there if by < 0 else there[::-1]
