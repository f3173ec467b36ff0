"""What the scenarios of the theorems share: the budgets, and the little that stands around the shipped classes.

Only what the core does not own is made up here: the coroutines it is given, whoever shows its dialogs, the person at
the keys, the terminal. Every class a theorem is about is imported from `openhcs.tui.utils` as it is shipped.
"""

from __future__ import annotations

import asyncio
import inspect
import io
import logging
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from prompt_toolkit.layout.containers import Float, FloatContainer, HSplit, Window
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.utils import Event

from openhcs.testing.explore import World, explore
from openhcs.tui.utils import error_boundary, error_dialog, focus_manager, safe_error_handler, unified_task_manager
from openhcs.tui.utils.application import GuardedLayout
from openhcs.tui.utils.circuit_breaker import CircuitBreaker
from openhcs.tui.utils.error_dialog import ErrorDialog
from openhcs.tui.utils.error_journal import ErrorJournal
from openhcs.tui.utils.focus_manager import FocusManager
from openhcs.tui.utils.safe_error_handler import SafeErrorHandler
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager

T = TypeVar("T")

BUDGETS = {"cancels": 1, "faults": 1, "rush": 1, "slow": 2}
theorem = explore(**BUDGETS)
"""The budgets of every commit: one cancellation, one fault, one event that comes while the loop is busy, two slow
steps; every schedule of the stock loop within them is run."""


class Boom(Exception):
    """What the work given to the core fails with."""


class DisplayFault(Exception):
    """What showing something fails with."""


class Coroutines:
    """Remembers the coroutines that were handed to the core; each must have come to its end."""

    def __init__(self, world: World) -> None:
        self.made: list[Coroutine[Any, Any, Any]] = []
        world.final(lambda: self.all_ended, name="every coroutine handed over was awaited to its end or closed")

    def __call__(self, coro: Coroutine[Any, Any, T]) -> Coroutine[Any, Any, T]:
        self.made.append(coro)
        return coro

    @property
    def all_ended(self) -> bool:
        return all(inspect.getcoroutinestate(coro) == inspect.CORO_CLOSED for coro in self.made)


def task_manager(world: World, max_tasks: int = 1000) -> UnifiedTaskManager:
    """A new task manager, which is the program's own for this run."""
    keep_log(world)
    tasks = UnifiedTaskManager(max_tasks)
    world.patch(unified_task_manager, "_global_task_manager", tasks)
    world.final(lambda: not tasks.tasks(), name="the manager owns no task any more")
    return tasks


class LogRecords(logging.Handler):
    """Keeps the records of the log."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def of(self, kind: type[BaseException]) -> list[BaseException]:
        """The exceptions of a kind that were logged as errors, one for each record."""
        attached = [
            record.exc_info[1] for record in self.records if record.levelno >= logging.ERROR and record.exc_info
        ]
        return [exception for exception in attached if isinstance(exception, kind)]


def keep_log(world: World) -> LogRecords:
    """What the core writes into the log in this run, and nowhere else."""
    log = LogRecords()
    logger = logging.getLogger("openhcs")
    world.patch(logger, "handlers", [log])
    world.patch(logger, "propagate", False)
    return log


class Told:
    """An error handler that remembers what it was told."""

    def __init__(self) -> None:
        self.errors: list[tuple[BaseException, str]] = []

    def __call__(self, exception: BaseException, context: str) -> None:
        self.errors.append((exception, context))

    def of(self, kind: type[BaseException]) -> list[str]:
        return [context for exception, context in self.errors if isinstance(exception, kind)]


def swallowed(task: asyncio.Future[Any]) -> BaseException | None:
    """Take what a finished task ended with, so that nobody has to look again."""
    return None if task.cancelled() else task.exception()


async def ended(*tasks: asyncio.Future[Any]) -> None:
    """Wait until all of these are over, whichever way."""
    if tasks:
        await asyncio.wait(tasks)


def coming(
    world: World, name: str, callback: Callable[[], object], *, thread: bool = False, within: float | None = None
) -> asyncio.Future[None]:
    """An event that may come at any moment; the result is done once it has come."""
    come: asyncio.Future[None] = world.loop.create_future()

    def happen() -> None:
        try:
            callback()
        finally:
            world.loop.call_soon_threadsafe(come.set_result, None)

    world.event(name, happen, thread=thread, within=within)
    return come


# -- the screen --------------------------------------------------------------------------------------------------


class Screen:
    """An application as the focus manager sees it: a real layout of real windows, frames when the scenario says so."""

    def __init__(self, world: World | None = None) -> None:
        self.base = pane("base")
        self.root = FloatContainer(self.base, floats=[])
        self.layout = GuardedLayout(self.root, focused_element=self.base)
        self.after_render: Event[Any] = Event(self)
        self.focus = FocusManager(self)  # type: ignore[arg-type]  # what it uses of an application is all here
        if world is not None:
            world.patch(focus_manager, "_global_focus_manager", self.focus)
            for module in (error_boundary, error_dialog):
                world.patch(module, "get_app", lambda: self)

    is_done = False

    def invalidate(self) -> None:
        """Frames are drawn by `render`."""

    def render(self) -> None:
        """Draw a frame, for those who wait for one."""
        self.after_render()

    def add(self, window: Window) -> None:
        """Put a window on the layout, as part of the next frame."""
        self.root.floats.append(Float(window))

    @property
    def focused(self) -> Window:
        return self.layout.current_window


def pane(text: str) -> Window:
    """A window that can have the focus."""
    return Window(FormattedTextControl(text, focusable=True))


# -- the way of an error -----------------------------------------------------------------------------------------


class Host:
    """Shows dialogs to a person who presses Escape once for each, at any moment; may fail in every way a host can."""

    WAYS_TO_FAIL = ("show_dialog raises", "a frame fails", "the host ends without an answer", "the host is cancelled")

    def __init__(self, world: World, *faults: str) -> None:
        self.screen: Screen | None = None
        self._world = world
        self._faults = faults
        self._shown = 0
        self.open: list[ErrorDialog] = []
        self.contexts: list[str] = []
        self.failures = 0
        world.invariant(lambda: len(self.open) <= 1, name="at most one error dialog is open")
        world.final(lambda: not self.open, name="every dialog is closed")

    async def show_dialog(self, dialog: ErrorDialog, result: asyncio.Future[Any]) -> None:
        fault = self._world.fault(*self._faults)
        if fault == "show_dialog raises":
            self.failures += 1
            raise DisplayFault(fault)
        self._shown += 1
        name = f"dialog {self._shown}"
        self.open.append(dialog)
        place = Float(HSplit([dialog]))
        if self.screen is not None:
            self.screen.root.floats.append(place)
        self._world.note(f"{name} opens: {dialog.pages.current.title}")
        if fault is None:
            self._world.event(
                f"Escape closes {name}", lambda: self._read_and_close(dialog), lambda: dialog in self.open
            )
        try:
            if fault == "a frame fails":
                await asyncio.sleep(0)
                self.failures += 1
                result.set_exception(DisplayFault(fault))
            elif fault == "the host ends without an answer":
                await asyncio.sleep(0)
                return
            elif fault == "the host is cancelled":
                result.cancel()
            await result
        finally:
            self.open.remove(dialog)
            if self.screen is not None:
                self.screen.root.floats.remove(place)
            self._world.note(f"{name} closes")

    def _read_and_close(self, dialog: ErrorDialog) -> None:
        for _ in range(len(dialog.pages)):
            self.contexts.append(dialog.pages.current.title)
            dialog._title()
            dialog.pages.move(1)
        dialog.close()


class ErrorDesk:
    """The way of an error as the program has it: journal, handler, breaker, tasks, log, stderr, and a host or none."""

    def __init__(
        self,
        world: World,
        host: Any = None,
        *,
        show_status: Callable[[str], None] | None = None,
        real_screen: bool = False,
    ) -> None:
        self.screen = Screen(None if real_screen else world)
        if isinstance(host, Host):
            host.screen = self.screen
        self.tasks = task_manager(world)
        self.journal = ErrorJournal(clock=world.time, wall_clock=world.time)
        self.breaker = CircuitBreaker(cool_down_s=5.0, clock=world.time)
        self.handler = SafeErrorHandler(
            self.journal,
            app_state=host,
            show_status=show_status,
            screen_is_live=lambda: False,
            breaker=self.breaker,
            tasks=self.tasks,
        )
        self.tasks.set_error_handler(self.handler.handle_error_sync)
        self.log = keep_log(world)
        self.stderr = io.StringIO()
        world.patch(safe_error_handler, "_global_error_handler", self.handler)
        world.patch(sys, "stderr", self.stderr)
        world.invariant(lambda: self.journal.ledger.balances, name="the journal's ledger balances")

    def entered(self, exception: BaseException) -> bool:
        """Whether the journal has an entry of this very exception."""
        return any(entry.exception is exception for entry in self.journal.entries())

    def was_told(self, text: str) -> bool:
        """Whether an error was before a person's eyes: in a dialog, or on stderr."""
        entries = [entry for entry in self.journal.entries() if text in entry.message]
        return any(entry.shown for entry in entries) or text in self.stderr.getvalue()


def raised(exception: BaseException) -> BaseException:
    """`exception` with a traceback of its own."""
    try:
        raise exception
    except BaseException as caught:
        return caught
