"""G3: showing an error cannot cause the showing of an error, and the handler never raises."""

from __future__ import annotations

import atexit
import logging
import sys

from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout.containers import FloatContainer, Window
from prompt_toolkit.layout.controls import FormattedTextControl

from openhcs.testing.explore import World, explore
from openhcs.testing.explore.headless import headless, run_headless
from openhcs.tui.utils import focus_manager, guarded_keys
from openhcs.tui.utils.application import GuardedApplication, GuardedLayout
from openhcs.tui.utils.dialog_host import FloatDialogHost
from openhcs.tui.utils.error_boundary import ErrorBoundary
from openhcs.tui.utils.error_dialog import ErrorDialog
from openhcs.tui.utils.focus_manager import FocusManager
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
    the status line, the log, stderr or the screen fails: the handler raises nothing and both are entered."""
    place = world.fault("the status line", "the log", "stderr", "what tells of the screen")

    def status(text: str) -> None:
        if place == "the status line":
            raise DisplayFault("no status line")

    def cannot_tell() -> bool:
        raise DisplayFault("no screen")

    desk = ErrorDesk(world, Host(world, *Host.WAYS_TO_FAIL) if place is None else None, show_status=status)
    if place == "the log":
        world.patch(logging.getLogger("openhcs"), "handlers", [_BrokenLog()])
        world.patch(logging, "raiseExceptions", False)
    elif place == "what tells of the screen":
        world.patch(atexit, "register", lambda *_: None)
        desk.handler.screen_is_live = cannot_tell
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


@explore(faults=1, rush=1)
async def test_a_frame_that_fails_costs_its_part_of_the_screen_and_no_more(world: World) -> None:
    """In prompt_toolkit's real Application, painted: a pane or the dialog of an error fails on any frame, while a key
    whose handler fails and a letter behind it come at any moment: each error is entered once, no dialog opens about a
    dialog, the letter is handled, and the application goes on until it is told to end."""
    made: list[str] = []
    typed: list[str] = []
    world.virtual_clock(guarded_keys)

    def may_fail(what: str) -> None:
        if world.fault(what):
            made.append(what)
            raise DisplayFault(what)

    keys = KeyBindings()

    @keys.add("f1")
    def _fail(event: KeyPressEvent) -> None:
        made.append("key")
        raise Boom("key")

    @keys.add("x")
    def _type(event: KeyPressEvent) -> None:
        typed.append("x")

    def draw_pane() -> str:
        may_fail("drawing the pane")
        return "pane"

    draw_title = ErrorDialog._title

    def draw_dialog(dialog: ErrorDialog) -> StyleAndTextTuples:
        may_fail("drawing the dialog")
        return draw_title(dialog)

    world.patch(ErrorDialog, "_title", draw_dialog)
    with headless(world) as keyboard:
        root = FloatContainer(Window(), floats=[])
        host = FloatDialogHost(root)
        desk = ErrorDesk(world, host, real_screen=True)
        report = desk.handler.handle_error_sync
        pane = ErrorBoundary(
            lambda: Window(FormattedTextControl(draw_pane, focusable=True)), "pane", report, clock=world.time
        )
        root.content = pane
        app = GuardedApplication(
            GuardedLayout(root), on_error=report, close_dialog=host.close_newest, key_bindings=keys, full_screen=True
        )
        world.patch(focus_manager, "_global_focus_manager", FocusManager(app))
        world.invariant(lambda: host.depth <= 1, name="at most one dialog is open")
        running = world.loop.create_task(run_headless(app), name="application")
        await world.idle()
        await ended(coming(world, "F1 x", lambda: keyboard.press("f1", "x")))
        await world.idle()
        for _ in range(4):
            keyboard.press("escape")
            await world.idle()
        assert host.depth == 0
        assert not running.done(), "the application has ended"
        app.exit()
        await running
        await desk.tasks.shutdown(1.0)
    assert typed == ["x"]
    entered = [entry.message for entry in desk.journal.entries()]
    assert sorted(entered) == sorted(made)
    assert (pane.failure is not None) == ("drawing the pane" in made)
    assert desk.handler._circuit_breaker_active == ("drawing the dialog" in made)
