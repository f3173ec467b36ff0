"""Asking and telling through dialogs: the fixed names, one function for each question.

Each `prompt_for_*` returns what the user chose, or None where they cancelled, or somebody cancelled the answer.
`app_state` is anything that can `show_dialog`; cancelling the caller closes the dialog (G4). Errors go the one way they
always go, through the error handler.

The file browser lives above this module, which may not import it: it is looked up by name when it is first needed, or
given with `use_file_browser`. Checked by tests/tui/utils/test_dialog_helpers.py.
"""

from __future__ import annotations

import asyncio
import pkgutil
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from prompt_toolkit.application import get_app
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.filters import Always
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout.containers import Container, DynamicContainer, HSplit, VSplit, Window
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.utils import get_cwidth
from prompt_toolkit.widgets import Button, TextArea

from openhcs.tui.ports import DialogHost
from openhcs.tui.utils.dialog_frame import framed, key_hints
from openhcs.tui.utils.error_dialog import show_scrollable_error_dialog
from openhcs.tui.utils.exception_hooks import ExceptionHooks
from openhcs.tui.utils.focus_manager import focus_after_delay, get_focus_manager
from openhcs.tui.utils.line_view import LineView
from openhcs.tui.utils.safe_error_handler import get_error_handler, safe_show_error, safe_show_error_sync
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.utils.screen_output import is_plain
from openhcs.tui.utils.task_ending import is_being_cancelled
from openhcs.tui.utils.unified_task_manager import get_task_manager

__all__ = [
    "choose",
    "confirm",
    "focus_text_area",
    "prompt_for_file_dialog",
    "prompt_for_multi_folder_dialog",
    "prompt_for_save_file_dialog",
    "prompt_for_text_input",
    "setup_global_exception_handler",
    "show_error_dialog",
    "show_global_error",
    "show_global_error_sync",
    "show_refusal",
    "show_scrollable_error_dialog",
    "use_file_browser",
]

# -- errors ------------------------------------------------------------------------------------------------------


async def show_error_dialog(title: str, message: str, app_state: Any) -> None:
    """Tell of something that went wrong without an exception, until the user closes it."""
    await show_scrollable_error_dialog(title, message, app_state=app_state)


def show_global_error(
    exception: BaseException, context: str = "operation", app_state: Any = None
) -> Coroutine[Any, Any, None]:
    """Hand `exception` to the program's error handler now; awaiting the result returns when its dialog is closed."""
    return safe_show_error(exception, context, app_state)


def show_global_error_sync(exception: BaseException, context: str = "operation", app_state: Any = None) -> None:
    """Hand `exception` to the program's error handler, from anywhere, and go on."""
    safe_show_error_sync(exception, context, app_state)


async def show_refusal(exception: BaseException, doing: str, app_state: Any = None) -> None:
    """Tell that something cannot be done, in the words of `exception`; returns when its dialog is closed.

    `doing` is what the user wanted, as in "Cannot <doing>".
    """
    await get_error_handler().handle_refusal(exception, doing, app_state)


_global_hooks: ExceptionHooks | None = None


def setup_global_exception_handler(app_state: Any) -> ExceptionHooks:
    """Show whatever nobody caught through `app_state`: in managed tasks, by the interpreter's hooks, in the loop.

    Call it inside the running loop, or again there. `restore()` on the result gives the hooks back.
    """
    global _global_hooks
    handler = get_error_handler()
    handler.app_state = app_state
    get_focus_manager().see_session()
    get_task_manager().set_error_handler(handler.handle_error_sync)
    if _global_hooks is not None:
        _global_hooks.restore()
    _global_hooks = ExceptionHooks(handler)
    _global_hooks.install()
    return _global_hooks


# -- questions ---------------------------------------------------------------------------------------------------


async def choose(title: str, message: str, answers: Sequence[str], app_state: DialogHost) -> str | None:
    """Ask for one of `answers`; the first has the focus, each has its initial letter as a key, Escape is None."""
    answer: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
    keys = _escape_keys(answer)
    buttons = []
    for text in answers:
        buttons.append(_button(text, _answering(answer, text)))
        if text[0].lower() not in {other[0].lower() for other in answers if other is not text}:
            _bind(keys, text[0].lower(), _answering(answer, text))
    _bind_moves(keys, "tab", "s-tab")
    _bind_moves(keys, "right", "left")
    dialog = _framed(title, [_Words(message), _button_row(buttons)], keys, _ANSWER_KEYS)
    answered: str | None = await _show(dialog, answer, buttons[0], app_state)
    return answered


async def confirm(title: str, message: str, app_state: DialogHost, yes: str = "Yes", no: str = "No") -> bool:
    """Ask a question of two answers; Escape is no."""
    return await choose(title, message, (yes, no), app_state) == yes


async def prompt_for_text_input(
    title: str, prompt_message: str, app_state: DialogHost, default: str = "", password: bool = False
) -> str | None:
    """Ask for one line of text."""
    answer: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()

    def accept(buffer: Buffer) -> bool:
        _settle(answer, buffer.text)
        return True

    field = TextArea(default, multiline=False, accept_handler=accept, password=password, style="class:field")
    field.buffer.cursor_position = len(default)
    buttons = [
        _button("OK", lambda: _settle(answer, field.text)),
        _button("Cancel", _answering(answer, None)),
    ]
    keys = _escape_keys(answer)
    _bind_moves(keys, "tab", "s-tab")
    prompt = _Words(prompt_message)
    dialog = _framed(title, [prompt, field, _button_row(buttons)], keys, _TEXT_KEYS)
    answered: str | None = await _show(dialog, answer, field, app_state)
    return answered


async def focus_text_area(text_area: TextArea) -> bool:
    """Focus `text_area` now or when it is rendered; True when it has the focus."""
    return await focus_after_delay(text_area, 0.1)


# -- files -------------------------------------------------------------------------------------------------------

_file_browser: Callable[..., Any] | None = None


def use_file_browser(browser: Callable[..., Any] | None) -> None:
    """Use `browser` for file dialogs, None for the project's own.

    It is called with the keywords of `FileManagerBrowser`; its `focus_target` has the focus first.
    """
    global _file_browser
    _file_browser = browser


async def prompt_for_file_dialog(
    title: str, prompt_message: str, app_state: DialogHost, filemanager: Any = None, **options: Any
) -> Path | None:
    """Ask for one existing file. `options` are further keywords of `FileManagerBrowser`."""
    return await _browse_one(title, prompt_message, app_state, "FILES_ONLY", filemanager, options)


async def prompt_for_save_file_dialog(
    title: str, prompt_message: str, app_state: DialogHost, filemanager: Any = None, **options: Any
) -> Path | None:
    """Ask for the path of a file to write; the browser asks before one that exists is chosen."""
    return await _browse_one(title, prompt_message, app_state, "FILES_ONLY", filemanager, {"save_name": "", **options})


async def prompt_for_multi_folder_dialog(
    title: str, prompt_message: str, app_state: DialogHost, filemanager: Any = None, **options: Any
) -> list[Path] | None:
    """Ask for one or more folders."""
    options = {"allow_multiple": True, **options}
    return await _browse(title, prompt_message, app_state, "DIRECTORIES_ONLY", filemanager, options)


async def _browse_one(
    title: str, message: str, app_state: DialogHost, mode: str, filemanager: Any, options: dict[str, Any]
) -> Path | None:
    paths = await _browse(title, message, app_state, mode, filemanager, options)
    return paths[0] if paths else None


async def _browse(
    title: str, message: str, app_state: DialogHost, mode: str, filemanager: Any, options: dict[str, Any]
) -> list[Path] | None:
    answer: asyncio.Future[list[Path] | None] = asyncio.get_running_loop().create_future()
    make = _file_browser if _file_browser is not None else pkgutil.resolve_name(f"{_EDITORS}:FileManagerBrowser")
    browser = make(
        on_path_selected=lambda paths: _settle(answer, paths),
        on_cancel=lambda: _settle(answer, None),
        selection_mode=getattr(pkgutil.resolve_name(f"{_EDITORS}:SelectionMode"), mode),
        filemanager=filemanager,
        **options,
    )
    prompt = [_Words(message)] if message else []
    body = HSplit([*prompt, browser], width=Dimension(preferred=100), height=Dimension(preferred=30))
    dialog = framed(body, visible(title), "class:dialog")
    result: list[Path] | None = await _show(dialog, answer, browser.focus_target, app_state)
    return result


_EDITORS = "openhcs.tui.editors.file_browser"

# -- parts -------------------------------------------------------------------------------------------------------


async def _show(dialog: Any, answer: asyncio.Future[Any], focus: Any, app_state: DialogHost) -> Any:
    """The answer given to `dialog`; None where whoever shows it takes it away unanswered."""
    try:
        await get_focus_manager().managed_focus_during_dialog(focus, app_state.show_dialog(dialog, answer))
    except asyncio.CancelledError:
        if not answer.cancelled() or is_being_cancelled():
            raise
    finally:
        if answer.done() and not answer.cancelled():
            # What the host raises goes on in the place of what it told the answer.
            answer.exception()
    return answer.result() if answer.done() and not answer.cancelled() else None


class _Words(LineView):
    """A text that ends its rows between words and never has the focus, which belongs to the answers."""

    def __init__(self, text: str) -> None:
        # To know its height all of a text is looked at: what no screen could show of it is left out.
        lines = (text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…").split("\n")
        super().__init__(lambda: lines, prefer_rows=_MOST_ROWS)
        self.window.height = Dimension(min=1)
        self.window.dont_extend_height = Always()

    def is_focusable(self) -> bool:
        return False


_SHOWN = 4_000
_MOST_ROWS = 60


_ANSWER_KEYS = key_hints(("Enter", "Choose"), ("Tab", "Move"), ("Esc", "Cancel"))
_TEXT_KEYS = key_hints(("Enter", "OK"), ("Tab", "Buttons"), ("Esc", "Cancel"))


def _framed(title: str, parts: Sequence[Any], keys: KeyBindings, hints: StyleAndTextTuples) -> Container:
    inside: list[Any] = []
    # The empty lines are the first to go on a small screen.
    for part in parts:
        inside += [Window(height=Dimension(max=1, preferred=1)), part]
    inside.append(Window(height=Dimension(max=1, preferred=1)))
    margin = Dimension(max=2, preferred=2)
    body = VSplit(
        [Window(width=margin), HSplit(inside, key_bindings=keys), Window(width=margin)],
        width=Dimension(preferred=74, max=100),
    )
    return framed(body, visible(title), "class:dialog", hints)


class _Button(Button):
    """A button whose brackets too, not its colours alone, say that Enter presses it; on a plain screen the cursor."""

    def _get_text_fragments(self) -> StyleAndTextTuples:
        here = get_app().layout.has_focus(self.window) and not is_plain()
        self.left_symbol, self.right_symbol = ("[>", "<]") if here else ("[ ", " ]")
        return super()._get_text_fragments()


def _button(text: str, press: Callable[[], None]) -> Button:
    return _Button(visible(text), handler=press, width=get_cwidth(visible(text)) + 4)


def _button_row(buttons: Sequence[Button]) -> DynamicContainer:
    """The buttons side by side, or one below the other where the screen is too narrow."""
    parts: list[Any] = []
    for button in buttons:
        parts += [button, Window(width=1)]
    row = VSplit([*parts, Window()], height=1)
    column = HSplit(list(buttons))
    columns = sum(button.width + 1 for button in buttons) + 6
    return DynamicContainer(lambda: row if columns <= get_app().output.get_size().columns else column)


def _escape_keys(answer: asyncio.Future[Any]) -> KeyBindings:
    keys = KeyBindings()
    _bind(keys, "escape", _answering(answer, None), eager=True)
    _bind(keys, "c-c", _answering(answer, None))
    return keys


def _bind_moves(keys: KeyBindings, following: str, preceding: str) -> None:
    @keys.add(following)
    def _next(event: KeyPressEvent) -> None:
        event.app.layout.focus_next()

    @keys.add(preceding)
    def _previous(event: KeyPressEvent) -> None:
        event.app.layout.focus_previous()


def _bind(keys: KeyBindings, key: str, run: Callable[[], None], eager: bool = False) -> None:
    @keys.add(key, eager=eager)
    def _run(event: KeyPressEvent) -> None:
        run()


def _answering(answer: asyncio.Future[Any], value: object) -> Callable[[], None]:
    return lambda: _settle(answer, value)


def _settle(answer: asyncio.Future[Any], value: object) -> None:
    if not answer.done():
        answer.set_result(value)
