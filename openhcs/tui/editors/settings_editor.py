"""The dialog that edits the settings: a field for each, made from the model, with where its value comes from.

Nothing is written before Save; Escape leaves everything as it was, after a second Escape where there is something to
lose.
"""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prompt_toolkit.application import get_app
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout.containers import Container, HSplit
from prompt_toolkit.layout.dimension import Dimension

from openhcs.tui.ports import DialogHost, TaskSpawner
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.widgets.bindings import Binding, footer_fragments, key_bindings
from openhcs.tui.widgets.button_row import ButtonRow
from openhcs.tui.widgets.drawn_text import cut, drawn_window
from openhcs.tui.widgets.form import ChoiceField, Field, FixedField, Form, LineField
from openhcs.tui.widgets.pane_frame import PaneFrame

if TYPE_CHECKING:
    from openhcs.core.config import KnownSettings

__all__ = ["SettingsChange", "SettingsEditor", "edit_settings"]

_HELP_ROWS = 3
_VALUE_CELLS = 30


@dataclass(frozen=True, slots=True)
class SettingsChange:
    """The values to write into the settings file by name, and the names to take out of it."""

    changes: Mapping[str, object]
    resets: Collection[str]


async def edit_settings(known: KnownSettings, *, app_state: DialogHost, tasks: TaskSpawner) -> SettingsChange | None:
    """Let the user edit the settings; None where nothing is to be changed."""
    result: asyncio.Future[SettingsChange | None] = asyncio.get_running_loop().create_future()
    change: SettingsChange | None = await app_state.show_dialog(SettingsEditor(known, result, tasks=tasks), result)
    return change


class SettingsEditor:
    """The dialog itself; sets `result` when it is done."""

    def __init__(
        self, known: KnownSettings, result: asyncio.Future[SettingsChange | None], *, tasks: TaskSpawner
    ) -> None:
        # Deferred: the model imports pydantic (0.25 s), which the first frame of the workbench must not wait for.
        from openhcs.tui.editors.settings_draft import SettingsDraft

        self._file = known.file
        self._result = result
        self._tasks = tasks
        self._notice = ""
        self._noticed_at: object = None
        self._discard_asked_at: object = None
        self.draft = SettingsDraft(known)
        self.form = Form([self._field(name) for name in self.draft.names], on_enter=self.accept)
        self.rows = (
            Binding(("enter", "c-s"), self.accept, "Save", "Write what was changed into the settings file."),
            Binding(("escape", "c-c"), self.cancel, "Cancel", "Leave the settings as they were."),
            Binding(("tab",), lambda: None, "Next", "Go to the next setting; Shift-Tab goes back."),
            Binding(("c-r",), lambda: None, "Default", "Give the setting its default back."),
        )
        buttons = ButtonRow([("Save", self.accept), ("Cancel", self.cancel)], tasks=tasks)
        body = HSplit(
            [self.form, drawn_window(self._help, height=_HELP_ROWS, style="class:help"), buttons],
            key_bindings=key_bindings(self.rows[:2], tasks=tasks, refuse=self._tell),
        )
        frame = PaneFrame(body, self._title, lambda: True, self._footer, style="class:dialog")
        self.container = HSplit(
            [frame], modal=True, width=Dimension(min=30, preferred=100), height=Dimension(min=10, preferred=30)
        )

    def __pt_container__(self) -> Container:
        return self.container

    def accept(self) -> None:
        """Take what was changed, or say what is still wrong and go there."""
        wrong = next((field for field in self.form.fields if field.problem() is not None), None)
        if wrong is not None:
            get_app().layout.focus(wrong.window)
            self._tell(f"{wrong.label}: {wrong.problem()}")
        elif self.draft.is_changed:
            self._finish(SettingsChange(self.draft.changes, self.draft.resets))
        else:
            self._finish(None)

    def cancel(self) -> None:
        """Leave; with something changed, only when asked twice."""
        now = self._state()
        if self.draft.is_changed and now != self._discard_asked_at:
            self._tell("Settings were changed: Esc again discards that, Ctrl-S keeps it.")
            self._discard_asked_at = now
            return
        self._finish(None)

    def _finish(self, change: SettingsChange | None) -> None:
        if not self._result.done():
            self._result.set_result(change)

    def _field(self, name: str) -> Field:
        draft = self.draft
        label, help_text = draft.label(name), draft.help(name)
        reason = draft.why_fixed(name)
        if reason is not None:
            return FixedField(
                label,
                lambda: visible(draft.text(name)),
                help=f"{help_text} It is fixed: {reason}.",
                hint=lambda: draft.origin(name),
                width=_VALUE_CELLS,
            )
        choices = draft.choices(name)
        if choices:
            return ChoiceField(
                label,
                choices,
                lambda: choices.index(draft.text(name)),
                lambda at: draft.type_text(name, choices[at]),
                help=help_text,
                hint=lambda: draft.origin(name),
                reset=lambda: draft.reset(name),
                width=_VALUE_CELLS,
            )

        def default() -> str:
            draft.reset(name)
            return draft.text(name)

        def changed(text: str) -> None:
            if text != draft.text(name):
                draft.type_text(name, text)

        return LineField(
            label,
            draft.text(name),
            changed,
            help=help_text,
            problem=lambda: draft.problem(name),
            hint=lambda: draft.origin(name),
            default=default,
            width=_VALUE_CELLS,
        )

    def _tell(self, text: str) -> None:
        """Show `text` until something is edited or the focus moves."""
        self._notice, self._noticed_at = text, self._state()

    def _state(self) -> object:
        return self.form.focused, tuple(self.draft.text(name) for name in self.draft.names)

    def _title(self) -> str:
        return f"Settings{' *' if self.draft.is_changed else ''}"

    def _help(self, width: int) -> StyleAndTextTuples:
        field = self.form.focused
        text, style = (field.told if field is not None else f"Save writes {self._file}."), "class:muted"
        if self._noticed_at is not None and self._noticed_at == self._state():
            text, style = self._notice, "class:warning"
        lines = textwrap.wrap(visible(text), max(10, width - 4)) or [""]
        shown = [*lines[: _HELP_ROWS - 1], cut(" ".join(lines[_HELP_ROWS - 1 :]), width - 4)]
        return [(style, "\n".join(f"  {line}" for line in shown if line))]

    def _footer(self, width: int) -> StyleAndTextTuples:
        return footer_fragments(self.rows, width, tasks=self._tasks, refuse=self._tell)
