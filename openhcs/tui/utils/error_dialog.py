"""The dialog that shows errors: one dialog, any number of errors.

`ErrorDialog` shows one page of `ErrorPages` at a time (`2 of 17`). Beyond the message a page has details, the tree of
causes and the traceback, and the local variables of the frames. It draws only the lines that are visible, so the length
of a traceback costs nothing, and text from errors is made visible first, so it cannot drive the terminal (G12). A fault
in drawing the dialog ends it with that fault, for whoever shows it to handle (G3).

Checked by tests/tui/utils/test_error_dialog.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import logging
from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, Final

from prompt_toolkit.application import get_app
from prompt_toolkit.clipboard import ClipboardData
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples, fragment_list_width
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout.containers import ConditionalContainer, HSplit, Window
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.mouse_events import MouseEvent, MouseEventType

from openhcs.tui.ports import DialogHost
from openhcs.tui.utils.dialog_frame import framed
from openhcs.tui.utils.error_boundary import ErrorBoundary
from openhcs.tui.utils.error_pages import ErrorPage, ErrorPages
from openhcs.tui.utils.exception_tree import cause_tree, frame_locals
from openhcs.tui.utils.focus_manager import get_focus_manager
from openhcs.tui.utils.line_view import LineView
from openhcs.tui.utils.safe_log import log_safely
from openhcs.tui.utils.safe_text import as_text, describe, format_exception, visible, visible_lines, visible_path
from openhcs.tui.utils.terminal_clipboard import copy_to_terminal
from openhcs.tui.utils.text_lines import TextLines
from openhcs.tui.utils.traceback_colours import highlight_traceback

__all__ = ["ErrorDialog", "show_error_pages", "show_scrollable_error_dialog"]

logger = logging.getLogger(__name__)

_COLUMNS: Final = 100
_AROUND_KEYS: Final = 6
"""Cells of the lower border that are never the keys'."""


class _View(Enum):
    """What of a page is before the user."""

    MESSAGE = "message"
    DETAILS = "details"
    LOCALS = "locals"


class ErrorDialog:
    """A dialog over `pages`; `result` is done when the user closes it, or has the fault that ended it."""

    def __init__(self, pages: ErrorPages, result: asyncio.Future[None]) -> None:
        self.pages = pages
        self.result = result
        pages.are_closed = result.done
        self.seen: set[int] = set()
        self._view = _View.MESSAGE
        self._notice = ""
        self._lines_of: tuple[object, TextLines, int] = (None, TextLines(""), 0)
        self.view = LineView(self._lines, self._draw_line, prefer_rows=14)
        self._boundary = ErrorBoundary(self._build, "error dialog", self._failed)

    def __pt_container__(self) -> ErrorBoundary:
        return self._boundary

    def close(self) -> None:
        """Close the dialog."""
        if not self.result.done():
            self.result.set_result(None)

    # -- what is shown -------------------------------------------------------------------------------------------

    def _build(self) -> HSplit:
        """The keys stand in the border as in other dialogs; those that there is no room for there, in rows above it."""
        rule = Window(height=1, char="─", style="class:dialog.rule")
        buttons = Window(
            FormattedTextControl(lambda: [("", " "), *self._button_text()]),
            wrap_lines=True,
            height=Dimension(min=1, max=3),
            dont_extend_height=True,
            style="class:dialog.buttons",
        )
        # A row of its own, as long as it takes: the path of a saved file must be readable.
        notice = ConditionalContainer(
            Window(
                FormattedTextControl(lambda: f" {self._notice}"),
                wrap_lines=True,
                height=Dimension(min=1, max=8),
                dont_extend_height=True,
                style="class:muted",
            ),
            Condition(lambda: bool(self._notice)),
        )
        width, keys = Dimension(preferred=_COLUMNS, max=140), self._keys()
        style = "class:dialog.error"
        above = ConditionalContainer(HSplit([rule, buttons]), ~Condition(self._keys_fit))
        body = HSplit([self.view, above, notice], width=width, key_bindings=keys)
        frame = framed(body, self._title, style, lambda: self._button_text() if self._keys_fit() else [])
        return HSplit([frame], style="class:dialog")

    def _keys_fit(self) -> bool:
        columns = min(get_app().output.get_size().columns, _COLUMNS)
        return fragment_list_width(self._button_text()) <= columns - _AROUND_KEYS

    def _title(self) -> StyleAndTextTuples:
        self._mark_seen()
        page = self.pages.current
        number = f"   {self.pages.position + 1} of {len(self.pages)}" if len(self.pages) > 1 else ""
        times = f"   {page.count():,} times" if page.count() > 1 else ""
        return [("class:error", visible(page.title, 80)), ("", f"{number}{times}")]

    def _mark_seen(self) -> None:
        # The last frame is wiped as soon as it is drawn.
        if self.pages.position not in self.seen and not get_app().is_done:
            self.seen.add(self.pages.position)
            self.pages.current.on_seen()

    def _lines(self) -> TextLines:
        key = (self.pages.position, self._view)
        if self._lines_of[0] != key:
            message = self.pages.current.message
            text = "\n\n".join([message, *self._further_parts()])
            self._lines_of = (key, TextLines(text), message.count("\n") + 1)
        return self._lines_of[1]

    def _further_parts(self) -> list[str]:
        page = self.pages.current
        exception = page.exception()
        if self._view is _View.LOCALS:
            return ["\n".join(_locals_of(exception))]
        if self._view is _View.MESSAGE or not page.details:
            return []
        tree = cause_tree(exception) if exception is not None else []
        return [*(["\n".join(tree)] if tree else []), page.details.rstrip("\n")]

    def _draw_line(self, number: int, line: str) -> StyleAndTextTuples:
        return highlight_traceback(line) if number >= self._lines_of[2] else [("", line)]

    def _button_text(self) -> StyleAndTextTuples:
        several = len(self.pages) > 1
        page = self.pages.current
        details = bool(page.details)
        buttons: list[tuple[str, str, Callable[[], None], bool]] = [
            ("Esc", "Close", self.close, True),
            ("←", "Previous", lambda: self._turn(-1), several),
            ("→", "Next", lambda: self._turn(1), several),
            ("d", "Hide details" if self._view is _View.DETAILS else "Details", self._toggle_details, details),
            ("l", "Hide locals" if self._view is _View.LOCALS else "Locals", self._toggle_locals, page.has_locals),
            ("c", "Copy", self._copy, True),
            ("s", "Save", self._save, True),
        ]
        fragments: StyleAndTextTuples = []
        for key, label, run, offered in buttons:
            if offered:
                click = _on_click(partial(self._attempt, run))
                gap = "  " if fragments else ""
                fragments += [("", gap), ("class:key", key, click), ("class:label", f" {label}", click)]
        return fragments

    # -- what the user does --------------------------------------------------------------------------------------

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        def bind(names: Sequence[str], run: Callable[[], None]) -> None:
            for name in names:

                @keys.add(name, eager=name == "escape")
                def _run(event: KeyPressEvent) -> None:
                    self._attempt(run)

        bind(("escape", "enter", "q"), self.close)
        bind(("left", "p"), lambda: self._turn(-1))
        bind(("right", "n"), lambda: self._turn(1))
        bind(("d",), self._toggle_details)
        bind(("l",), self._toggle_locals)
        bind(("c",), self._copy)
        bind(("s",), self._save)
        return keys

    def _attempt(self, run: Callable[[], None]) -> None:
        try:
            run()
        except Exception as failure:  # the dialog tells of errors, so one in a key of its own must not end it
            self._failed(failure, "using the error dialog")

    def _turn(self, by: int) -> None:
        self.pages.move(by)
        if self._view is _View.LOCALS:
            self._view = _View.DETAILS
        self.view.scroll_home()
        self._notice = ""

    def _toggle_details(self) -> None:
        self._toggle(_View.DETAILS)

    def _toggle_locals(self) -> None:
        if self.pages.current.has_locals:
            self._toggle(_View.LOCALS)

    def _toggle(self, view: _View) -> None:
        if self.pages.current.details:
            self._view = _View.MESSAGE if self._view is view else view
            self.view.scroll_home()

    def _copy(self) -> None:
        app, text = get_app(), self.pages.current.text
        app.clipboard.set_data(ClipboardData(text))
        taken = copy_to_terminal(app.output, text)
        cut = 0 < taken < len(visible_lines(text))
        self._notice = (
            f"copied; of that the first {taken:,} characters to the terminal's clipboard" if cut else "copied"
        )

    def _save(self) -> None:
        try:
            path = _save_beside_the_user(visible_lines(self.pages.current.text) + "\n")
        except OSError as error:
            self._notice = visible(f"not saved: {error}", 400)
        else:
            self._notice = f"saved as {visible_path(path)}"

    def _failed(self, exception: BaseException, context: str) -> None:
        if not self.result.done():
            self.result.set_exception(exception)


async def show_error_pages(pages: ErrorPages, app_state: DialogHost) -> bool:
    """Show `pages` through `app_state`; True when the user has closed them, False when it came back by itself.

    Raises what made showing them fail.
    """
    result: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    dialog = ErrorDialog(pages, result)
    try:
        # Whoever shows it need not know of focus, nor that there is something new to draw.
        showing = app_state.show_dialog(dialog, result)
        await get_focus_manager().managed_focus_during_dialog(dialog.view, showing)
        if not result.done():
            return False
        if not result.cancelled():
            # A host that does not await the result itself would lose a fault in drawing.
            result.result()
        return True
    except BaseException as ending:
        fault = _fault_of(result)
        if fault is not None and fault is not ending:
            # What the host raises, or the caller's cancellation, goes on in its place.
            told = {"message": "an error dialog failed while it was closed", "exception": fault}
            result.get_loop().call_exception_handler(told)
        raise
    finally:
        # Whatever the host still draws of it must not fail into a result that nobody looks at.
        if not result.get_loop().is_closed():
            dialog.close()


async def show_scrollable_error_dialog(
    title: str, message: str, exception: BaseException | None = None, app_state: Any = None
) -> None:
    """Show one message, with the traceback of `exception` under "details", until the user closes it.

    Without an `app_state` to show it, it goes to the log.
    """
    title, message = as_text(title), as_text(message)
    if app_state is None:
        log_safely(logger, logging.ERROR, "%s: %s", visible(title), visible(message), exc_info=exception)
        return
    details = format_exception(exception) if exception is not None else ""
    page = ErrorPage(title, message or (describe(exception) if exception is not None else ""), details)
    await show_error_pages(ErrorPages([page]), app_state)


def _fault_of(result: asyncio.Future[None]) -> BaseException | None:
    return result.exception() if result.done() and not result.cancelled() else None


def _on_click(run: Callable[[], None]) -> Callable[[MouseEvent], object]:
    def handler(event: MouseEvent) -> object:
        if event.event_type != MouseEventType.MOUSE_UP:
            return NotImplemented
        run()
        return None

    return handler


def _locals_of(exception: BaseException | None) -> list[str]:
    if exception is None:
        return ["The variables of this error are not kept any more."]
    return frame_locals(exception) or ["Nothing raised this error, so there are no variables."]


def _save_beside_the_user(text: str) -> Path:
    """Write `text` to a new file in the current folder, or at home where that is read-only."""
    try:
        return _save_new(Path.cwd(), text)
    except PermissionError:
        return _save_new(Path.home(), text)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        return _save_new(Path.home(), text)


def _save_new(folder: Path, text: str) -> Path:
    for number in itertools.count(1):
        path = folder / f"openhcs-error-{number}.txt"
        with contextlib.suppress(FileExistsError), path.open("x", encoding="utf-8") as file:
            file.write(text)
            return path
    raise AssertionError("there is always another number")
