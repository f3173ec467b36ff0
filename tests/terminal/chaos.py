"""An application under attack: panes, dialogs, and a key for every kind of fault. Stands on the core's `Program` alone.

Ctrl-F and a letter inject a fault (`FAULTS`), F9 tells the state of the application in the terminal's title, F2 goes to
the list, where `q` leaves. Every error that is about to be raised is first entered in `injected.jsonl`, so that what
arrives in the error journal can be compared with it. Run by `chaos_run`, with the folder for both files.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NoReturn

from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout.containers import Float, FloatContainer, HSplit, VSplit, Window
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.layout.layout import walk
from prompt_toolkit.mouse_events import MouseEvent, MouseEventType
from prompt_toolkit.widgets import Frame, TextArea

from openhcs.tui.utils.bounded_run import exit_bounded
from openhcs.tui.utils.dialog_helpers import choose, confirm, prompt_for_file_dialog, prompt_for_text_input
from openhcs.tui.utils.error_boundary import ErrorBoundary
from openhcs.tui.utils.error_journal import ErrorJournal
from openhcs.tui.utils.program import Program

HOSTILE = "\x1b]2;PWNED\x07\x1b[7;31mPWNED\x9b2JPWNED\x1b[?1049l\r\x00\u202e"
EXIT_CODE = 7
Effect = Callable[[], Coroutine[Any, Any, object] | None]


class Injected(RuntimeError):
    """A fault that was asked for."""


class Mute(Injected):
    """Its text cannot be had, nor anything else that is asked of it in a friendly way."""

    def __str__(self) -> NoReturn:
        raise self

    __repr__ = __str__


class Odd(BaseException):
    """Not an Exception."""


class Chaos:
    """The application; `folder` is where its journal and its list of injected faults go."""

    def __init__(self, folder: Path) -> None:
        # Small files, all kept: rotation is part of what is tried.
        journal = ErrorJournal(folder / "errors.jsonl", max_bytes=400_000, keep=1000)
        self.program = Program(journal=journal, show_status=self._show_status)
        self.errors = self.program.errors.handle_error_sync
        self._injected = os.open(folder / "injected.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._numbers = itertools.count(1)
        self._pings = 0
        self._status = ""
        self._pane_fails = 0
        self._frame_fails = 0
        self._owners: list[asyncio.Task[Any]] = []
        self._answers: list[asyncio.Future[Any]] = []
        self.root = self._screen()

    def run(self) -> int:
        """Show it until it is left; the exit code."""
        return self.program.show(self.root, focus=self.list, key_bindings=self._keys(), start=self._tick)

    # -- faults --------------------------------------------------------------------------------------------------

    def next_fault(self, kind: str, times: int = 1) -> str:
        """Enter that `times` errors of `kind` are about to be raised; their message."""
        number = next(self._numbers)
        line = json.dumps({"number": number, "kind": kind, "times": times}) + "\n"
        os.write(self._injected, line.encode())
        return f"fault #{number}# {kind}"

    def fail(self, kind: str) -> NoReturn:
        raise Injected(self.next_fault(kind))

    async def fail_soon(self, kind: str, after_s: float = 0.0) -> NoReturn:
        await asyncio.sleep(after_s)
        self.fail(kind)

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        self.program.tasks.fire_and_forget(work, name)

    def break_pane(self, times: int) -> None:
        self._pane_fails = times

    def break_frame(self, times: int) -> None:
        self._frame_fails = times

    async def call_back(self) -> None:
        async def nothing() -> None:
            return

        task = self.program.tasks.create_task(nothing(), "a task with a callback")
        task.add_done_callback(lambda task: self.fail("done callback"))
        await task

    def complain(self) -> None:
        asyncio.get_running_loop().call_exception_handler({"message": self.next_fault("message only")})

    def thread(self) -> None:
        threading.Thread(target=self.fail, args=("thread",), name="a thread that fails").start()

    def threads(self) -> None:
        message = self.next_fault("thread storm", times=80)

        def report() -> None:
            for _ in range(20):
                try:
                    raise Injected(message)
                except Injected as error:
                    self.errors(error, "a thread of many")

        for _ in range(4):
            threading.Thread(target=report).start()

    async def executor(self) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self.fail, "executor job")

    def executor_unwatched(self) -> None:
        asyncio.get_running_loop().run_in_executor(None, self.fail, "executor job nobody awaits")

    def finalise(self) -> None:
        class Heirloom:
            def __del__(inner) -> None:  # noqa: N805 - both selves are needed
                self.fail("finaliser")

        Heirloom()

    async def ignore_cancellation(self) -> None:
        until_s = time.monotonic() + 8
        while time.monotonic() < until_s:
            try:
                await asyncio.sleep(0.5)
            except asyncio.CancelledError:
                self._status = "cancellation ignored"

    def storm(self) -> None:
        message = self.next_fault("storm", times=300)

        async def fail() -> NoReturn:
            raise Injected(message)

        for _ in range(300):
            self.spawn(fail(), "a storm")

    def flood(self) -> None:
        message = self.next_fault("flood", times=120)
        for number in range(120):
            kind: type[Exception] = type(f"Kind{number}", (Injected,), {})
            self.errors(kind(message), f"flood {number}")

    def mute(self) -> NoReturn:
        self.next_fault("mute")
        raise Mute

    def odd(self) -> NoReturn:
        raise Odd(self.next_fault("base exception"))

    def group(self) -> NoReturn:
        raise ExceptionGroup(self.next_fault("group"), [ValueError(HOSTILE), ExceptionGroup("inner", [KeyError("x")])])

    def circle(self) -> NoReturn:
        first, second = ValueError("one"), Injected(self.next_fault("circle"))
        first.__cause__, second.__cause__ = second, first
        raise second

    def hostile(self) -> NoReturn:
        raise Injected(self.next_fault("hostile") + HOSTILE)

    def megabyte(self) -> NoReturn:
        raise Injected(self.next_fault("megabyte") + "漢x\x1b[2J" * 200_000)

    def recurse(self) -> NoReturn:
        message = self.next_fault("recursion")

        def deeper(level: int) -> int:
            return deeper(level + 1) + 1

        try:
            deeper(0)
        except RecursionError as error:
            error.args = (message,)
            raise
        raise AssertionError("there is no end of the stack")

    def recurse_and_report(self) -> None:
        """Report an error where there is no room left on the stack."""
        error = Injected(self.next_fault("reported at the recursion limit"))

        def deeper() -> None:
            try:
                deeper()
            except RecursionError:
                self.errors(error, "the end of the stack")
                raise

        try:
            deeper()
        except RecursionError:
            return

    def exhaust(self) -> NoReturn:
        raise MemoryError(self.next_fault("memory"))

    def twice(self) -> NoReturn:
        error = Injected(self.next_fault("reported and raised"))
        self.errors(error, "the first way")
        self.spawn(_raise(error), "the second way")
        raise error

    def leave_by_exit(self) -> None:
        async def leave() -> NoReturn:
            raise SystemExit(EXIT_CODE)

        # An error with a number of its own would be one more: this one has the exit code for its text.
        self.next_fault("SystemExit")
        self.spawn(leave(), "a task that leaves")

    # -- dialogs -------------------------------------------------------------------------------------------------

    async def ask(self) -> None:
        await prompt_for_text_input("Text", f"Letters go here: {HOSTILE}", self.program, default=HOSTILE)

    async def ask_and_fail(self) -> None:
        if await confirm("Question", "Fail when this is answered?", self.program):
            self.fail("after a dialog")

    async def ask_for_a_while(self) -> None:
        try:
            async with asyncio.timeout(0.3):
                await choose("Hurry", "This goes away by itself", ("Yes", "No", "Later"), self.program)
        except TimeoutError:
            self._status = "too late"

    async def browse(self) -> None:
        await prompt_for_file_dialog("A file", "", self.program, initial_path=Path.cwd())

    async def show_and_cancel(self) -> None:
        task = self.program.tasks.create_task(self.ask(), "a dialog whose owner is cancelled")
        await asyncio.sleep(0.05)
        task.cancel()

    async def open_two_close_the_first(self) -> None:
        first, second = self._plain_dialog("first"), self._plain_dialog("second")
        self.spawn(first[1], "the first dialog")
        await asyncio.sleep(0)
        self.spawn(second[1], "the second dialog")
        await asyncio.sleep(0.05)
        if not first[0].done():
            first[0].set_result(None)

    def _plain_dialog(self, name: str) -> tuple[asyncio.Future[None], Coroutine[Any, Any, Any]]:
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        keys = KeyBindings()
        keys.add("escape", eager=True)(lambda event: None if answer.done() else answer.set_result(None))
        body = HSplit([TextArea(multiline=False)], key_bindings=keys)
        return answer, self.program.show_dialog(Frame(body, title=name), answer)

    async def show_what_is_no_container(self) -> None:
        class Impostor:
            def __pt_container__(inner) -> NoReturn:  # noqa: N805 - both selves are needed
                self.fail("__pt_container__")

        await self.program.show_dialog(Impostor(), asyncio.get_running_loop().create_future())

    async def show_what_cannot_be_drawn(self) -> None:
        window = Window(FormattedTextControl(lambda: self.fail("drawing a dialog"), focusable=True))
        await self.program.show_dialog(window, asyncio.get_running_loop().create_future())

    async def show_what_breaks_later(self) -> None:
        """A dialog that draws, and whose answer is an error."""
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        error = Injected(self.next_fault("a dialog's answer"))
        asyncio.get_running_loop().call_later(0.1, answer.set_exception, error)
        await self.program.show_dialog(Window(FormattedTextControl("soon broken", focusable=True)), answer)

    # -- the screen ----------------------------------------------------------------------------------------------

    def _screen(self) -> FloatContainer:
        list_keys = KeyBindings()
        list_keys.add("q")(lambda event: self.program.exit(0))
        for key, by in (("up", -1), ("down", 1), ("pageup", -10), ("pagedown", 10)):
            list_keys.add(key)(lambda event, by=by: self._move(by))
        list_keys.add("enter")(lambda event: self.spawn(self.ask(), "a dialog"))
        self._row = 0
        self.list = Window(FormattedTextControl(self._list_text, focusable=True, key_bindings=list_keys))
        self.editor = TextArea("Type or paste here.", scrollbar=True)
        fragile = Window(FormattedTextControl(self._fragile_text, focusable=True))
        boundary = ErrorBoundary(
            lambda: fragile, "fragile pane", self.errors, on_details=lambda failure: self.spawn(self.ask(), "details")
        )
        mines = Window(FormattedTextControl(self._mines_text, focusable=True))
        unguarded = Window(FormattedTextControl(self._unguarded_text), height=1)
        panes = VSplit([Frame(self.list, "list"), Frame(self.editor, "editor"), HSplit([boundary, mines])])
        return FloatContainer(HSplit([unguarded, panes]), floats=list[Float]())

    def _move(self, by: int) -> None:
        self._row = max(0, min(999, self._row + by))

    def _list_text(self) -> StyleAndTextTuples:
        return [("reverse" if row == self._row else "", f"row {row} {HOSTILE!a}\n") for row in range(1000)]

    def _fragile_text(self) -> str:
        if self._pane_fails:
            self._pane_fails -= 1
            self.fail("drawing a pane")
        return "This pane is fragile."

    def _unguarded_text(self) -> str:
        if self._frame_fails:
            self._frame_fails -= 1
            self.fail("drawing the screen")
        return f"READY {self._status}"

    def _mines_text(self) -> StyleAndTextTuples:
        def click(event: MouseEvent) -> object:
            if event.event_type is MouseEventType.MOUSE_UP:
                self.fail("mouse")
            return NotImplemented

        return [("reverse", "[BOOM]" * 4, click)]

    def _show_status(self, text: str) -> None:
        self._status = text

    async def _tick(self) -> None:
        """Something goes on all the time."""
        while True:
            await asyncio.sleep(0.05)
            self.program.invalidate()

    # -- keys ----------------------------------------------------------------------------------------------------

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()
        for letter, effect in self.faults().items():
            keys.add("c-f", letter)(lambda event, letter=letter, effect=effect: self._inject(letter, effect))
        keys.add("f9", eager=True)(self._ping)
        keys.add("f2")(self._go_to_list)
        return keys

    def _go_to_list(self, event: KeyPressEvent) -> None:
        if event.app.layout.container is self.root and not self.root.floats:
            event.app.layout.focus(self.list)

    def _inject(self, letter: str, effect: Effect) -> None:
        work = effect()
        if work is not None:
            self.spawn(work, f"effect {letter}")

    def faults(self) -> dict[str, Effect]:
        """What Ctrl-F and each letter does."""
        return {
            "a": lambda: self.fail("key"),
            "b": lambda: self.break_pane(1),
            "c": lambda: self.break_pane(6),
            "d": lambda: self.break_frame(1),
            "e": lambda: self.break_frame(3),
            "f": self.call_back,
            "g": lambda: _call_soon(lambda: self.fail("loop callback")),
            "h": self.complain,
            "i": self.thread,
            "j": self.threads,
            "k": self.executor,
            "l": self.executor_unwatched,
            "m": self.finalise,
            "n": self.ignore_cancellation,
            "o": lambda: time.sleep(0.3),
            "p": self.storm,
            "r": self.flood,
            "s": self.mute,
            "t": self.odd,
            "u": self.group,
            "v": self.circle,
            "w": self.hostile,
            "x": self.megabyte,
            "y": self.recurse,
            "z": self.recurse_and_report,
            "A": self.exhaust,
            "B": self.twice,
            "C": lambda: self.fail_soon("task"),
            "D": lambda: self.fail_soon("a task that fails later", after_s=0.2),
            "E": lambda: print("to stderr", file=sys.stderr, flush=True),  # noqa: T201 - a fault
            "F": self.ask,
            "G": self.ask_and_fail,
            "H": self.ask_for_a_while,
            "I": self.browse,
            "J": self.show_and_cancel,
            "K": self.open_two_close_the_first,
            "L": self.show_what_is_no_container,
            "M": self.show_what_cannot_be_drawn,
            "N": self.show_what_breaks_later,
            "X": self.leave_by_exit,
        }

    def _ping(self, event: KeyPressEvent) -> None:
        self._pings += 1
        ledger = self.program.errors.journal.ledger
        layout = event.app.layout
        dialogs = [shown.content for shown in self.root.floats]
        buffer = layout.current_buffer
        state = {
            "ping": self._pings,
            "ledger": [ledger.received, ledger.shown, ledger.coalesced, ledger.logged_only, ledger.dropped],
            "dialogs": len(dialogs) // 2,
            "error_dialogs": sum(
                isinstance(part, ErrorBoundary) and part.name == "error dialog"
                for dialog in dialogs
                for part in walk(dialog)
            ),
            "notice": layout.container is not self.root,
            "focus_in_top": not dialogs or layout.current_window in walk(dialogs[-1]),
            "typed": len(buffer.text) if buffer is not None and not buffer.read_only() else None,
        }
        event.app.output.set_title(json.dumps(state))
        event.app.output.flush()


def _call_soon(call: Callable[[], object]) -> None:
    asyncio.get_running_loop().call_soon(call)


async def _raise(error: BaseException) -> NoReturn:
    raise error


if __name__ == "__main__":
    exit_bounded(Chaos(Path(sys.argv[1])).run())
