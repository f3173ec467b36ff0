"""Choosing a function of the catalogue: type a few letters of what it does, read what it says, take it."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from prompt_toolkit.application import get_app
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.layout.containers import Container, DynamicContainer, HSplit, VSplit, Window
from prompt_toolkit.layout.dimension import Dimension

from openhcs.core.parameters import REQUIRED
from openhcs.core.wording import value_text
from openhcs.tui.editors.current_tasks import CurrentTasks
from openhcs.tui.ports import DialogHost, TaskSpawner
from openhcs.tui.utils.safe_text import visible, visible_lines
from openhcs.tui.widgets.bindings import Binding, footer_fragments, key_bindings
from openhcs.tui.widgets.button_row import ButtonRow
from openhcs.tui.widgets.drawn_text import drawn_window, fit
from openhcs.tui.widgets.pane_frame import PaneFrame
from openhcs.tui.widgets.selectable_list import SelectableList
from openhcs.tui.widgets.text_field import TextField

if TYPE_CHECKING:
    from openhcs.core.functions import Function

__all__ = ["FunctionPicker", "pick_function", "search"]

BESIDE_COLUMNS = 110
"""From this width on, the documentation stands beside the list and not below it."""

_GROUPED_COLUMNS: Final = 44
_CATEGORY_CELLS: Final = 14


async def pick_function(
    app_state: DialogHost,
    functions: Mapping[str, Function],
    current: Function | None = None,
    *,
    tasks: TaskSpawner | None = None,
) -> Function | None:
    """Let the user choose one of `functions`, `current` highlighted first; None where it was cancelled."""
    result: asyncio.Future[Function | None] = asyncio.get_running_loop().create_future()
    picker = FunctionPicker(functions, current, result, tasks=tasks if tasks is not None else CurrentTasks())
    chosen: Function | None = await app_state.show_dialog(picker, result)
    return chosen


def search(functions: Mapping[str, Function], text: str) -> list[Function]:
    """The functions whose name, category or documentation holds every word of `text`, best first.

    A name that begins with the first word goes before one that holds it, that before a summary, and that before the
    rest of the documentation; else the catalogue's order is kept.
    """
    words = text.casefold().split()
    if not words:
        return list(functions.values())

    def rank(function: Function) -> int | None:
        name = function.name.casefold()
        shown = f"{name} {name.replace('_', ' ')} {function.category} {function.summary}".casefold()
        if not all(word in shown for word in words):
            return 3 if all(word in f"{shown} {function.help.casefold()}" for word in words) else None
        if name.startswith(words[0]):
            return 0
        return 1 if all(word in name for word in words) else 2

    ranks = {function.name: rank(function) for function in functions.values()}
    found = [function for function in functions.values() if ranks[function.name] is not None]
    return sorted(found, key=lambda function: ranks[function.name] or 0)


class FunctionPicker:
    """The dialog itself; sets `result` when it is done. Typing always goes to the search."""

    def __init__(
        self,
        functions: Mapping[str, Function],
        current: Function | None,
        result: asyncio.Future[Function | None],
        *,
        tasks: TaskSpawner,
    ) -> None:
        self._functions = functions
        self._result = result
        self._tasks = tasks
        self._show(list(functions.values()))
        self._scroll = 0
        self.list: SelectableList[Function] = SelectableList(
            lambda: self._found,
            self._row,
            on_select=self._highlighted,
            on_activate=self._take,
            empty=lambda: [("class:muted", "  no function is like that; Backspace takes letters away")],
            tasks=tasks,
            refuse=lambda _: None,
            name="choose function",
            letter_keys=False,
            focusable=False,
        )
        if current is not None and current in self._found:
            self.list.select(self._found.index(current))
        self.rows = (
            Binding(("enter",), self.list.activate, "Choose", "Take the highlighted function."),
            Binding(("escape",), self.cancel, "Cancel", "Leave without choosing."),
            Binding(("down",), lambda: None, "Next", "Highlight the next function; Up the one before."),
            Binding(("tab",), self._next_stop, "Buttons", "Go to the buttons and back.", on_footer=False),
            Binding(("s-down",), lambda: self._read_on(1), "Read on", "Scroll the documentation down."),
            Binding(("s-up",), lambda: self._read_on(-1), "Back", "Scroll the documentation up.", on_footer=False),
        )
        moves = [row for row in self.list.rows if row.keys[0] in ("up", "down", "pageup", "pagedown")]
        own = [row for row in self.rows if row.keys[0] != "down"]
        keys = key_bindings([*moves, *own], tasks=tasks, refuse=lambda _: None)
        self.field = TextField(on_change=self._search, keys=keys)
        self.buttons = ButtonRow([("Choose", self.list.activate), ("Cancel", self.cancel)], tasks=tasks)
        self.container = self._layout(key_bindings(self.rows[1:2], tasks=tasks, refuse=lambda _: None))

    def __pt_container__(self) -> Container:
        return self.container

    def _layout(self, keys: KeyBindings) -> HSplit:
        label = drawn_window(lambda width: [("class:label", "  Search: ")])
        label.width = 10
        count = drawn_window(lambda width: [("class:muted", fit(self._count(), width, right=True))])
        count.width = Dimension(min=0, preferred=14)
        share = Dimension(min=3, preferred=3)  # alike, so that list and documentation share the height there is
        docs = drawn_window(self._docs, height=None)
        docs.height = self.list.window.height = share
        beside = VSplit([self.list, Window(width=1, char="│", style="class:dialog.border"), docs])
        below = HSplit([self.list, Window(height=1, char="─", style="class:dialog.border"), docs])
        body = HSplit(
            [
                VSplit([label, self.field, count], height=1),
                DynamicContainer(lambda: beside if get_app().output.get_size().columns >= BESIDE_COLUMNS else below),
                self.buttons,
            ]
        )
        frame = PaneFrame(body, lambda: "Choose a function", lambda: True, self._footer, style="class:dialog")
        return HSplit(
            [frame],
            key_bindings=keys,
            modal=True,
            width=Dimension(min=30, preferred=130),
            height=Dimension(min=10, preferred=32),
        )

    def cancel(self) -> None:
        """Leave without choosing."""
        self._finish(None)

    def _take(self, function: Function) -> None:
        self._finish(function)

    def _finish(self, function: Function | None) -> None:
        if not self._result.done():
            self._result.set_result(function)

    def _search(self) -> None:
        self._show(search(self._functions, self.field.text))
        self.list.select(0)

    def _show(self, found: list[Function]) -> None:
        self._found = found
        self._places = {function.name: at for at, function in enumerate(found)}

    def _highlighted(self, index: int) -> None:
        self._scroll = 0

    def _read_on(self, by: int) -> None:
        self._scroll = max(0, self._scroll + by)

    def _next_stop(self) -> None:
        get_app().layout.focus_next()

    def _count(self) -> str:
        return f"{len(self._found)} of {len(self._functions)} "

    def _row(self, function: Function, width: int) -> StyleAndTextTuples:
        """The function's name, in the first row of its module behind the module's."""
        cells = _CATEGORY_CELLS if width >= _GROUPED_COLUMNS else 0
        at = self._places[function.name]
        begins = at == 0 or self._found[at - 1].category != function.category
        category = visible(function.category) if begins else ""
        return [("class:title", fit(category, cells)), ("", fit(visible(function.name), width - cells))]

    def _docs(self, width: int) -> StyleAndTextTuples:
        function = self.list.selected
        if function is None:
            return [("", "")]
        lines = _documentation(function, max(10, width - 2))
        self._scroll = min(self._scroll, max(0, len(lines) - 2))
        return [(style, f" {line}\n") for style, line in lines[self._scroll :]]

    def _footer(self, width: int) -> StyleAndTextTuples:
        return footer_fragments(self.rows, width, tasks=self._tasks, refuse=lambda _: None)


def _documentation(function: Function, width: int) -> list[tuple[str, str]]:
    """What there is to know of a function, in styled lines: its docstring, the parameters as the signature has them."""

    def wrapped(text: str, style: str = "", indent: str = "") -> list[tuple[str, str]]:
        own = " " * (len(text) - len(text.lstrip()))
        return [(style, line) for line in textwrap.wrap(text, width, subsequent_indent=own + indent) or [""]]

    parameters = ", ".join(parameter.name for parameter in function.parameters)
    lines = wrapped(f"{function.name}({parameters}) → {_RETURNED[function.returns.name]}", "class:title")
    lines += wrapped(visible(f"from {function.module}"), "class:muted")
    sections = _sections(visible_lines(function.help or function.summary))
    for paragraph in _paragraphs(sections.pop("")):
        lines += wrapped(paragraph, "class:label" if paragraph.startswith("Source:") else "")
    for note in _notes(function):
        lines += wrapped(note, "class:muted")
    if function.parameters:
        lines += [("", ""), ("class:title", "Parameters")]
    for parameter in function.parameters:
        default = "needed" if parameter.default is REQUIRED else f"by default {value_text(parameter.default)}"
        lines += wrapped(f"  {parameter.name}: {parameter.expected}; {default}", indent="    ")
        if parameter.help:
            lines += wrapped(f"    {visible(parameter.help)}", "class:muted")
    for title, text in sections.items():
        if title in ("Returns", "Raises"):
            lines += [("", ""), ("class:title", title)]
            for paragraph in _paragraphs(textwrap.indent(textwrap.dedent(text), "  ")):
                lines += wrapped(paragraph, indent="  ")
    return lines


_RETURNED: Final = {"IMAGE": "image", "LABELS": "label image", "TABLE": "table"}


def _notes(function: Function) -> list[str]:
    """What the signature does not show: what else the function is given."""
    notes = []
    if function.takes_positions:
        notes.append("It takes the sites of a well together, with the positions of the stage.")
    if function.needs_pixel_size:
        notes.append("It needs a plate whose metadata tells the pixel size.")
    if function.estimate is not None:
        notes.append("It learns from planes of the whole plate before the first well.")
    return ["", *notes] if notes else []


def _sections(help_text: str) -> dict[str, str]:
    """A docstring by its headings: what stands before the first one under no name."""
    sections: dict[str, list[str]] = {"": []}
    title = ""
    for line in help_text.split("\n"):
        if line.rstrip(":") in ("Args", "Returns", "Raises") and line.endswith(":"):
            title = line.rstrip(":")
        sections.setdefault(title, []).append(line)
    return {name: "\n".join(part if not name else part[1:]).strip("\n") for name, part in sections.items()}


def _paragraphs(text: str) -> list[str]:
    """Lines that belong together joined: plain prose, and an argument's line with the deeper ones after it."""
    joined: list[str] = []
    indent_before: int | None = None
    for line in text.split("\n"):
        indent = len(line) - len(line.lstrip())
        prose = indent == 0 and indent_before == 0 and not joined[-1].endswith(":")
        deeper = indent_before is not None and 0 < indent_before < indent
        if line.strip() and (prose or deeper):
            joined[-1] += " " + line.strip()
        else:
            joined.append(line)
            indent_before = indent if line.strip() else None
    return joined
