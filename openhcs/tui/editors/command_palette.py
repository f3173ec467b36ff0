"""Every action of the workbench in one list: type a few letters of its name, read its key, run it.

An action that is refused now stays in the list and says why. The actions are the binding rows of the panes; nothing
is listed here a second time.
"""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout.containers import Container, HSplit, VSplit
from prompt_toolkit.layout.dimension import Dimension

from openhcs.tui.ports import DialogHost, TaskSpawner
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.widgets.bindings import Binding, footer_fragments, key_bindings, key_name, run_binding
from openhcs.tui.widgets.drawn_text import drawn_window, fit
from openhcs.tui.widgets.pane_frame import PaneFrame
from openhcs.tui.widgets.selectable_list import SelectableList
from openhcs.tui.widgets.text_field import TextField

__all__ = ["Command", "CommandPalette", "choose_command", "run_chosen", "search_commands"]

_LABEL_CELLS = 16
_PLACE_CELLS = 12
_KEY_CELLS = 10
_HINT_ROWS = 2
_NARROW = 64
"""Below this width the place is left out."""


@dataclass(frozen=True, slots=True)
class Command:
    """An action as people look for it: what the keys file calls it, where it belongs, and its binding row."""

    name: str
    place: str
    row: Binding


async def choose_command(commands: Sequence[Command], *, app_state: DialogHost, tasks: TaskSpawner) -> Command | None:
    """Let the user choose one of `commands`, which come in the order to show them in; None where it was cancelled."""
    result: asyncio.Future[Command | None] = asyncio.get_running_loop().create_future()
    chosen: Command | None = await app_state.show_dialog(CommandPalette(commands, result, tasks=tasks), result)
    return chosen


async def run_chosen(
    rows: Sequence[Binding],
    place: str,
    *,
    app_state: DialogHost,
    tasks: TaskSpawner,
    refuse: Callable[[str], None],
) -> None:
    """Let the user choose one of `rows`, which are the keys of a dialog called `place`, and run it."""
    # What is looked for is most likely something that the footer would have shown.
    in_order = sorted(rows, key=lambda row: not row.on_footer)
    commands = [Command(row.label, place, row) for row in in_order]
    chosen = await choose_command(commands, app_state=app_state, tasks=tasks)
    if chosen is not None:
        run_binding(chosen.row, tasks=tasks, refuse=refuse)


def search_commands(commands: Sequence[Command], text: str) -> list[Command]:
    """The commands whose words hold those of `text`, or whose label has its letters in their order; best first.

    A label that begins with the text goes before one that holds it, that before the letters scattered in a label, that
    before place and description; else the order is kept.
    """
    wanted = text.casefold().split()
    if not wanted:
        return list(commands)
    whole, letters = " ".join(wanted), "".join(wanted)

    def rank(command: Command) -> int | None:
        label = command.row.label.casefold()
        if label.startswith(whole):
            return 0
        if whole in label:
            return 1
        rest = iter(label)
        if all(letter in rest for letter in letters):
            return 2
        words = f"{label} {command.place} {command.row.description}".casefold()
        return 3 if all(word in words for word in wanted) else None

    ranked = [(at, command) for command in commands if (at := rank(command)) is not None]
    return [command for _, command in sorted(ranked, key=lambda pair: pair[0])]


class CommandPalette:
    """The dialog itself; sets `result` when it is done. Typing always goes to the search."""

    def __init__(
        self, commands: Sequence[Command], result: asyncio.Future[Command | None], *, tasks: TaskSpawner
    ) -> None:
        self._commands = commands
        self._result = result
        self._tasks = tasks
        self._found: Sequence[Command] = commands
        self._refusal = ""
        self.list: SelectableList[Command] = SelectableList(
            lambda: self._found,
            self._row,
            on_select=lambda _: self._refuse(""),
            on_activate=self._take,
            empty=lambda: [("class:muted", "  no action is like that; Backspace takes letters away")],
            tasks=tasks,
            refuse=self._refuse,
            name="run action",
            letter_keys=False,
            focusable=False,
        )
        self.rows = (
            Binding(("enter",), self.list.activate, "Run", "Run the highlighted action."),
            Binding(("escape", "c-c", "c-p"), lambda: self._finish(None), "Close", "Leave without running anything."),
        )
        moves = [row for row in self.list.rows if row.keys[0] in ("up", "down", "pageup", "pagedown")]
        keys = key_bindings([*moves, *self.rows], tasks=tasks, refuse=self._refuse)
        self.field = TextField(on_change=self._search, keys=keys)
        label = drawn_window(lambda width: [("class:label", "  Action: ")])
        label.width = 10
        hint = drawn_window(self._hint, height=_HINT_ROWS)
        body = HSplit([VSplit([label, self.field], height=1), self.list, hint])
        self.list.window.height = Dimension(min=3, preferred=len(commands))
        frame = PaneFrame(body, lambda: "Commands", lambda: True, self._footer, style="class:dialog")
        self.container = HSplit(
            [frame], modal=True, width=Dimension(min=30, preferred=100), height=Dimension(min=8, preferred=24)
        )

    def __pt_container__(self) -> Container:
        return self.container

    def _take(self, command: Command) -> None:
        reason = command.row.why_disabled()
        if reason is None:
            self._finish(command)
        else:
            self._refuse(reason)

    def _refuse(self, reason: str) -> None:
        self._refusal = reason

    def _finish(self, command: Command | None) -> None:
        if not self._result.done():
            self._result.set_result(command)

    def _search(self) -> None:
        self._found = search_commands(self._commands, self.field.text)
        self.list.select(0)

    def _row(self, command: Command, width: int) -> StyleAndTextTuples:
        row = command.row
        reason = row.why_disabled()
        place = _PLACE_CELLS if width >= _NARROW else 0
        room = max(0, width - _LABEL_CELLS - place - _KEY_CELLS)
        text = row.description if reason is None else f"not now: {visible(reason)}"
        return [
            ("" if reason is None else "class:disabled", fit(row.label, min(_LABEL_CELLS, width))),
            ("class:muted", fit(command.place, place)),
            ("class:label" if reason is None else "class:disabled", fit(text, room)),
            ("class:key", fit(f"{key_name(row.keys[0])} ", _KEY_CELLS, right=True)),
        ]

    def _hint(self, width: int) -> StyleAndTextTuples:
        """The highlighted action in full, since its row may be cut; what was refused, once it was."""
        command = self.list.selected
        text = f"! {visible(self._refusal)}" if self._refusal else command.row.description if command else ""
        lines = textwrap.wrap(text, max(1, width - 4), max_lines=_HINT_ROWS, placeholder=" …")
        # The list keeps its height, whichever action is highlighted.
        lines += [""] * (_HINT_ROWS - len(lines))
        style = "class:warning" if self._refusal else "class:muted"
        return [(style, "\n".join(fit(f"  {line}", width) for line in lines))]

    def _footer(self, width: int) -> StyleAndTextTuples:
        return footer_fragments(self.rows, width, tasks=self._tasks, refuse=self._refuse)
