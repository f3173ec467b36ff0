"""G7: any storm, flat memory. The limits of the shipped modules are made small, so that small storms reach them all."""

from __future__ import annotations

import re

from openhcs.testing.explore import World, explore
from openhcs.tui.utils import error_journal, error_runs, error_showing, safe_error_handler
from tests.proofs.scenery import Boom, DisplayFault, ErrorDesk, Host, coming, ended, raised, theorem

_KEPT = 2
_EXCEPTIONS = 1
_RUNS = 1
_WAITING = 3


def _small_limits(world: World) -> None:
    world.patch(error_journal, "_KEPT_ENTRIES", _KEPT)
    world.patch(error_journal, "_KEPT_EXCEPTIONS", _EXCEPTIONS)
    world.patch(error_journal, "_KEPT_STORMS", 1)
    world.patch(error_runs, "_ENTRIES", 2)
    world.patch(error_runs, "_KEPT_RUNS", _RUNS)
    world.patch(error_runs, "_SHOW_LIMIT", 2)
    world.patch(error_runs, "_SAMPLE_LIMIT", 6)
    world.patch(error_showing, "WAITING_LIMIT", _WAITING)
    world.patch(safe_error_handler, "WAITING_LIMIT", _WAITING)


def _stays_small(world: World, desk: ErrorDesk) -> None:
    """After every callback what the core holds of errors is within its limits."""

    def within() -> bool:
        entries = desk.journal.entries()
        opened = desk.handler._open
        return (
            len(entries) <= _KEPT
            and sum(entry.exception is not None for entry in entries) <= _EXCEPTIONS
            and len(desk.handler._waiting) <= _WAITING
            and (opened is None or len(opened.pages) <= _WAITING)
            and len(desk.journal._counting) <= _EXCEPTIONS + 1
            and len(desk.journal._runs) <= _RUNS
        )

    world.invariant(within, name="what is held of errors stays within its limits")


def _from_one_place(desk: ErrorDesk, count: int) -> None:
    for number in range(count):
        desk.handler.handle_error_sync(raised(Boom(f"number {number}")), "one place")


def _of_many_kinds(desk: ErrorDesk, count: int) -> None:
    for number in range(count):
        kind = type(f"Kind{number}", (Boom,), {})
        desk.handler.handle_error_sync(raised(kind("kind")), "many kinds")


@explore(cancels=1, faults=1, rush=1, nightly={"rush": 2})
async def test_two_storms_at_once_are_counted_and_stay_small(world: World) -> None:
    """Five errors from one place and eight of different kinds, at any two moments, while a dialog is open that the
    person closes at any moment: memory stays within its limits, every error is in the ledger, and the loop goes on."""
    _small_limits(world)
    host = Host(world, "a frame fails")
    desk = ErrorDesk(world, host)
    _stays_small(world, desk)
    one = coming(world, "a storm from one place", lambda: _from_one_place(desk, 5))
    many = coming(world, "a storm of many kinds", lambda: _of_many_kinds(desk, 8))
    await ended(world.operation("first", desk.handler.handle_error(raised(Boom("first")), "first")), one, many)
    await desk.tasks.shutdown(1.0)
    ledger = desk.journal.ledger
    assert ledger.received == 1 + 5 + 8 + host.failures
    assert ledger.coalesced + ledger.dropped >= 5
    told = sum(len(desk.log.of(kind)) for kind in (Boom, DisplayFault))
    assert told <= 10, f"{told} records of the log for a storm"


@theorem
async def test_what_a_storm_does_not_enter_is_told_as_a_count(world: World) -> None:
    """A storm from one place in the loop's thread and one in another thread, at any two moments: in the end the log has
    a record with the count of each run, and nothing is told twice."""
    _small_limits(world)
    desk = ErrorDesk(world)
    _stays_small(world, desk)
    here = coming(world, "a storm here", lambda: _from_one_place(desk, 6))
    thread = coming(world, "a storm in a thread", lambda: _from_one_place(desk, 6), thread=True)
    await ended(here, thread)
    await desk.tasks.shutdown(1.0)
    desk.handler.tell_untold()
    ledger = desk.journal.ledger
    assert ledger.received == 12
    counts = [re.search(r"failed (\d+) more", record.getMessage()) for record in desk.log.records]
    told = len(desk.journal.entries()) + sum(int(count[1]) for count in counts if count is not None)
    assert told == 12, f"the log tells of {told} errors"
    assert not desk.journal._counting, "something counted was never told"
