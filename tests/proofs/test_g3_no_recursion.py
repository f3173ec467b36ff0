"""G3: showing an error cannot cause the showing of an error, and the handler never raises."""

from __future__ import annotations

import logging
import sys

from openhcs.testing.explore import World
from tests.proofs.scenery import Boom, DisplayFault, ErrorDesk, Host, coming, ended, raised, swallowed, theorem


def _no_fault_of_showing_was_shown(host: Host) -> None:
    assert not [title for title in host.contexts if "showing" in title], "an error of the display was displayed"


@theorem
async def test_one_dialog_at_a_time_whatever_showing_it_does(world: World) -> None:
    """Two callers show an error each and a third comes from a key, and showing fails in every way a host can: at most
    one dialog is open, nothing is raised, each error is told, and no error of showing is ever shown."""
    host = Host(world, *Host.WAYS_TO_FAIL)
    desk = ErrorDesk(world, host)
    third = coming(world, "F5", lambda: desk.handler.handle_error_sync(raised(Boom("third")), "key"))
    calls = [world.operation(name, desk.handler.handle_error(raised(Boom(name)), name)) for name in ("first", "second")]
    await ended(*calls, third)
    await desk.tasks.shutdown(1.0)
    desk.handler.tell_untold()
    assert [swallowed(call) for call in calls] == [None, None], "the handler raised"
    _no_fault_of_showing_was_shown(host)
    for entry in desk.journal.entries():
        cancelled = [call.get_name() for call in calls if call.cancelled()]
        assert entry.context == "showing an error" or entry.context in cancelled or desk.was_told(entry.message)
    assert not desk.handler._showing_dialog


class _BrokenStream:
    """A stderr that is gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError("stderr is gone")

    def flush(self) -> None:
        raise BrokenPipeError("stderr is gone")


class _BrokenLog(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        raise OSError("the log is gone")


class _Mute(Exception):
    """Cannot say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


@theorem
async def test_the_handler_raises_nothing_whatever_fails_beneath_it(world: World) -> None:
    """Two errors, one of which cannot say what it is, one awaited and one from a thread at any moment, while the host,
    the status line, the log or stderr fails: the handler raises nothing and both are entered."""
    place = world.fault("the status line", "the log", "stderr")

    def status(text: str) -> None:
        if place == "the status line":
            raise DisplayFault("no status line")

    desk = ErrorDesk(world, Host(world, *Host.WAYS_TO_FAIL) if place is None else None, show_status=status)
    if place == "the log":
        world.patch(logging.getLogger("openhcs"), "handlers", [_BrokenLog()])
        world.patch(logging, "raiseExceptions", False)
    elif place == "stderr":
        world.patch(sys, "stderr", _BrokenStream())
    mute, boom = raised(_Mute()), raised(Boom("boom"))
    thread = coming(world, "a thread", lambda: desk.handler.handle_error_sync(boom, "thread"), thread=True)
    call = world.operation("caller", desk.handler.handle_error(mute, "caller"))
    await ended(call, thread)
    await desk.tasks.shutdown(1.0)
    assert swallowed(call) is None
    assert desk.entered(mute)
    assert desk.entered(boom)


@theorem
async def test_an_error_while_one_is_shown_joins_its_dialog(world: World) -> None:
    """While a dialog is open, two more errors come from a key and from a thread at any moment: they are pages of that
    dialog, or of the next one; nothing is left when the person has closed what was shown."""
    host = Host(world)
    desk = ErrorDesk(world, host)
    report = desk.handler.handle_error_sync
    key = coming(world, "F5", lambda: report(raised(Boom("key")), "key"))
    thread = coming(world, "a thread", lambda: report(raised(Boom("thread")), "thread"), thread=True)
    await desk.handler.handle_error(raised(Boom("first")), "first")
    await ended(key, thread)
    while desk.tasks.tasks():
        await ended(*desk.tasks.tasks())
    assert sorted(host.contexts) == ["Error in first", "Error in key", "Error in thread"]
    assert desk.journal.ledger.shown == 3
