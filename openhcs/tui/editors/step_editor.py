"""The dialog that edits one step of a pipeline.

Nothing changes before OK: the dialog works on a draft, and Escape throws it away, after a second Escape where there
is something to lose.
"""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from prompt_toolkit.application import get_app
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout.containers import Container, DynamicContainer, HSplit
from prompt_toolkit.layout.dimension import Dimension

from openhcs.core.model import Channel, Component, Step
from openhcs.tui.editors.current_tasks import CurrentTasks
from openhcs.tui.editors.function_picker import pick_function
from openhcs.tui.editors.step_draft import CallDraft, StepDraft
from openhcs.tui.editors.step_form import StepForm
from openhcs.tui.ports import DialogHost, TaskSpawner
from openhcs.tui.utils import dialog_helpers
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.widgets.bindings import Binding, footer_fragments, key_bindings
from openhcs.tui.widgets.button_row import ButtonRow
from openhcs.tui.widgets.drawn_text import cut, drawn_window
from openhcs.tui.widgets.form import HeadingField
from openhcs.tui.widgets.pane_frame import PaneFrame

if TYPE_CHECKING:
    from openhcs.core.functions import Function

__all__ = ["StepEditor", "edit_step"]

HELP_ROWS = 3


async def edit_step(
    step: Step,
    *,
    app_state: DialogHost,
    functions: Mapping[str, Function],
    channels: Sequence[Channel],
    labels: Sequence[str],
    tables: Sequence[str] = (),
    tasks: TaskSpawner | None = None,
) -> Step | None:
    """Let the user edit `step`; the new step, or None where it was cancelled.

    Args:
        channels: those of the plate, to choose from where functions differ by channel; may be empty.
        labels: names of the label images that earlier steps write or the plate has.
        tables: names of the tables that earlier steps write.
        tasks: None takes the task manager at the time of use.
    """
    result: asyncio.Future[Step | None] = asyncio.get_running_loop().create_future()
    editor = StepEditor(
        step,
        result,
        app_state=app_state,
        functions=functions,
        channels=channels,
        labels=labels,
        tables=tables,
        tasks=tasks if tasks is not None else CurrentTasks(),
    )
    edited: Step | None = await app_state.show_dialog(editor, result)
    return edited


class StepEditor:
    """The dialog itself; sets `result` when it is done."""

    def __init__(
        self,
        step: Step,
        result: asyncio.Future[Step | None],
        *,
        app_state: DialogHost,
        functions: Mapping[str, Function],
        channels: Sequence[Channel],
        labels: Sequence[str],
        tables: Sequence[str],
        tasks: TaskSpawner,
    ) -> None:
        self._result = result
        self._app_state = app_state
        self._tasks = tasks
        self._notice = ""
        self._noticed_at: object = None
        self._discard_asked_at: object = None
        self.draft = StepDraft(step, functions, channels, labels, tables)
        self.save_row = Binding(("c-s",), self.accept, "OK", "Keep the step as it is now, wherever the focus is.")
        self.rows = (
            Binding(("enter",), self.accept, "OK", "Keep the step as it is now; on a function, Ctrl-S does."),
            Binding(("escape",), self.cancel, "Cancel", "Leave the step as it was."),
            Binding(("tab",), self._next, "Next", "Go to the next field; Shift-Tab goes back."),
            Binding(("space",), lambda: None, "Switch", "Switch a box, go to the next choice, change a function."),
            Binding(("c-r",), lambda: None, "Default", "Give the field its default back."),
        )
        self.buttons = ButtonRow([("OK", self.accept), ("Cancel", self.cancel)], tasks=tasks)
        self._form = self._make_form()
        body = HSplit(
            [
                DynamicContainer(lambda: self._form.form),
                drawn_window(self._help, height=HELP_ROWS, style="class:help"),
                self.buttons,
            ],
            key_bindings=key_bindings(
                [self.save_row, *(row for row in self.rows if row.keys[0] in ("enter", "escape"))],
                tasks=tasks,
                refuse=self._tell,
            ),
        )
        frame = PaneFrame(body, self._title, lambda: True, self._footer, style="class:dialog")
        self.container = HSplit(
            [frame], modal=True, width=Dimension(min=30, preferred=96), height=Dimension(min=10, preferred=34)
        )

    def __pt_container__(self) -> Container:
        return self.container

    def _make_form(self) -> StepForm:
        return StepForm(
            self.draft,
            pick=self._pick,
            add_group=self._add_group,
            rebuild=self._rebuild,
            accept=self.accept,
            tasks=self._tasks,
            tell=self._tell,
        )

    def _rebuild(self, call: CallDraft | None, *, to_heading: bool = True) -> None:
        """Make the form anew; the focus goes to the heading of `call`, or stays in the same place of the form."""
        focused = self._form.form.focused
        place = self._form.form.fields.index(focused) if focused is not None else 0
        was_heading = isinstance(focused, HeadingField)
        self._form = self._make_form()
        fields = self._form.form.fields
        target = fields[min(place, len(fields) - 1)]
        if call is not None or was_heading:
            target = self._form.headings[call]
        get_app().layout.focus(target.window)
        get_app().layout.update_parents_relations()

    async def _pick(self, current: CallDraft | None) -> None:
        chosen = await pick_function(
            self._app_state,
            self.draft.functions,
            current.function if current is not None else None,
            tasks=self._tasks,
        )
        if chosen is None or self._result.done():
            return
        chain = self.draft.chain
        call = self.draft.new_call(chosen)
        if current is None:
            chain.append(call)
        elif chosen is current.function:
            return
        else:
            chain[chain.index(current)] = call
        self._rebuild(call)
        get_app().invalidate()

    async def _add_group(self) -> None:
        what = self.draft.group_by.value if self.draft.group_by is not None else "group"
        asked = "Its number or its name" if what == Component.CHANNEL else "Its number"
        key = await dialog_helpers.prompt_for_text_input(f"Add a {what}", asked, self._app_state)
        if key is not None and key.strip() and not self._result.done():
            self.draft.add_entry(key.strip())
            self._rebuild(None)
            get_app().invalidate()

    def accept(self) -> None:
        """Keep the step, or say what is still wrong and go there."""
        problems = self.draft.problems
        if not problems:
            self._finish(self.draft.step())
            return
        wrong = next((field for field in self._form.form.fields if field.problem() is not None), None)
        if wrong is not None:
            get_app().layout.focus(wrong.window)
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        self._tell(f"{problems[0]}{more}")

    def cancel(self) -> None:
        """Leave; with something changed, only when asked twice."""
        now = self.draft.snapshot()
        if self.draft.is_changed and now != self._discard_asked_at:
            self._tell("The step has changes that would be lost: Esc again discards them, Ctrl-S keeps them.")
            self._discard_asked_at = now
            return
        self._finish(None)

    def _finish(self, step: Step | None) -> None:
        if not self._result.done():
            self._result.set_result(step)

    def _next(self) -> None:
        get_app().layout.focus_next()

    def _tell(self, text: str) -> None:
        """Show `text` until something is edited or the focus moves."""
        self._notice, self._noticed_at = text, self._place()

    def _place(self) -> object:
        return self._form.form.focused, self.draft.snapshot()

    def _title(self) -> str:
        changed = " *" if self.draft.is_changed else ""
        return f"Step: {visible(self.draft.name)}{changed}"

    def _help(self, width: int) -> StyleAndTextTuples:
        field = self._form.form.focused
        text = field.told if field is not None else "OK keeps the step, Cancel leaves it as it was."
        style = "class:muted"
        if self._noticed_at is not None and self._noticed_at == self._place():
            text, style = self._notice, "class:warning"
        lines = textwrap.wrap(visible(text), max(10, width - 4)) or [""]
        if len(lines) > HELP_ROWS:
            lines[HELP_ROWS - 1] = cut(" ".join(lines[HELP_ROWS - 1 :]), width - 4)
        return [(style, "\n".join(f"  {line}" for line in lines[:HELP_ROWS]))]

    def _footer(self, width: int) -> StyleAndTextTuples:
        """The keys of where the focus stands; on a function, Enter and the rest are the function's."""
        field = self._form.form.focused
        rows: Sequence[Binding] = self.rows
        if isinstance(field, HeadingField):
            rows = [*field.rows, self.save_row, *self.rows[1:3]]
        return footer_fragments(rows, width, tasks=self._tasks, refuse=self._tell)
