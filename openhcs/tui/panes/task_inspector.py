"""The task inspector: every task of the program as it lives, where each stands, and what blocked the event loop.

It looks four times a second while it is open, and costs nothing while it is not. What it shows is drawn in `task_text`;
while the loop is blocked nothing here can be drawn, and `utils.blocked_notice` speaks instead.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Final

from prompt_toolkit.application import get_app
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout.containers import AnyContainer, HSplit
from prompt_toolkit.layout.dimension import Dimension

from openhcs.core import paths
from openhcs.tui.panes.task_text import (
    LOOP_ROW,
    TreeRow,
    detail_lines,
    loop_fragments,
    report_lines,
    row_fragments,
    task_tree,
)
from openhcs.tui.panes.whole_screen import Opening, whole_screen
from openhcs.tui.ports import DialogHost
from openhcs.tui.utils.daemon_thread import in_daemon_thread
from openhcs.tui.utils.dialog_helpers import confirm
from openhcs.tui.utils.line_view import LineView
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.utils.screen_output import is_plain
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager
from openhcs.tui.utils.watchdog import Watchdog
from openhcs.tui.widgets.bindings import Binding, key_bindings
from openhcs.tui.widgets.drawn_text import cut, drawn_window, text_column
from openhcs.tui.widgets.selectable_list import SelectableList

__all__ = ["TaskInspector"]

REFRESH_S: Final = 0.25


class TaskInspector:
    """Shows the tasks of `tasks`, and what `watchdog` has seen, in a dialog of `app_state`."""

    def __init__(self, tasks: UnifiedTaskManager, watchdog: Watchdog, app_state: DialogHost) -> None:
        self._tasks = tasks
        self._watchdog = watchdog
        self._app_state = app_state
        self._opening = Opening()
        self._tree: tuple[TreeRow, ...] = (LOOP_ROW,)
        self._selected = 0
        self._note = ""

    def why_not(self) -> str | None:
        """Why it cannot be opened now, or None."""
        return "The task inspector is open already" if self._opening else None

    async def show(self) -> None:
        """Show it until the user closes it."""
        if self._opening:
            return
        with self._opening.begin() as closed:
            self._selected, self._note = 0, ""
            self._tree = (LOOP_ROW,)
            self._look()
            async with self._tasks.scope("task inspector") as scope:
                scope.create_task(self._keep_looking(), "look at the tasks")
                await self._app_state.show_dialog(self._dialog(), closed)

    # -- what is seen --------------------------------------------------------------------------------------------

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_S)
            # On a plain screen what changes is read out: tasks that come and go, but not how long each has been there.
            if is_plain() and [row.key for row in (LOOP_ROW, *task_tree(self._tasks.snapshot()))] == [
                row.key for row in self._tree
            ]:
                continue
            self._look()
            get_app().invalidate()

    def _look(self) -> None:
        """Take a snapshot; what was selected stays so, and where it has gone, what is in its place."""
        key = self._row.key
        self._tree = (LOOP_ROW, *task_tree(self._tasks.snapshot()))
        nearest = min(self._selected, len(self._tree) - 1)
        self._selected = next((i for i, row in enumerate(self._tree) if row.key == key), nearest)

    @property
    def _row(self) -> TreeRow:
        return self._tree[self._selected]

    def _draw_row(self, row: TreeRow, width: int) -> StyleAndTextTuples:
        if row is LOOP_ROW:
            return loop_fragments(self._watchdog.last, time.monotonic(), width)
        return row_fragments(row, width)

    # -- how it is drawn -----------------------------------------------------------------------------------------

    def _dialog(self) -> AnyContainer:
        rows = self._rows()

        def select(index: int) -> None:
            self._selected, self._note = index, ""
            details.scroll_home()

        tree: SelectableList[TreeRow] = SelectableList(
            lambda: self._tree,
            self._draw_row,
            index=lambda: self._selected,
            on_select=select,
            empty=list,
            tasks=self._tasks,
            refuse=self._refuse,
            name="tasks",
        )
        tree.window.height = Dimension(min=3, weight=3)
        details = LineView(lambda: detail_lines(self._row, self._watchdog.last), _draw_detail, indent=text_column)
        details.window.height = Dimension(min=3, weight=2)
        body = HSplit(
            [
                tree,
                drawn_window(self._divider),
                details,
            ],
            key_bindings=key_bindings(rows, tasks=self._tasks, refuse=self._refuse),
        )
        return whole_screen(
            body,
            lambda: f"Tasks: {self._tasks.active_task_count} alive, {self._tasks.completed_task_count} ended",
            lambda: rows,
            "Tasks",
            app_state=self._app_state,
            tasks=self._tasks,
            refuse=self._refuse,
        )

    def _divider(self, width: int) -> StyleAndTextTuples:
        note = cut(f" {self._note} ", max(0, width - 4)) if self._note else ""
        return [("class:pane.border", "──"), ("class:warning", note), ("class:pane.border", "─" * (width - len(note)))]

    # -- what the keys do ----------------------------------------------------------------------------------------

    def _rows(self) -> tuple[Binding, ...]:
        return (
            Binding(("x",), self._cancel, "Cancel", "Cancel the selected task.", self._why_not_cancel),
            Binding(("s",), self._save, "Save", "Save all tasks and their stacks as a text file."),
            Binding(("tab", "s-tab"), self._change_focus, "Other half", "Go to the stack and back, to scroll it."),
            Binding(("escape", "q", "f12", "c-c"), self._close, "Close", "Close the task inspector."),
        )

    def _refuse(self, reason: str) -> None:
        self._note = reason

    def _close(self) -> None:
        self._opening.end()

    def _change_focus(self) -> None:
        get_app().layout.focus_next()

    def _why_not_cancel(self) -> str | None:
        return None if self._row.task is not None else "No task is selected"

    async def _cancel(self) -> None:
        row = self._row
        if row.task is None:
            return
        name = visible(row.name)
        if not await confirm("Cancel the task?", f"{name}\nWhat it has begun may stay half done.", self._app_state):
            return
        task = row.task.task()
        if task is None or task.done():
            self._note = f"{name} has ended by itself"
        else:
            self._tasks.cancel(task, "by hand, in the task inspector")
            self._note = f"{name} is told to end"

    async def _save(self) -> None:
        lines = report_lines(self._tasks.snapshot(), self._watchdog.last)
        file = paths.logs_folder() / f"tasks-{time.strftime('%Y%m%d-%H%M%S')}.txt"
        try:
            await in_daemon_thread(lambda: _write(file, lines), "save the tasks")
            self._note = f"saved as {visible(str(file))}"
        except OSError as error:
            self._note = f"not saved: {visible(str(error))}"


def _draw_detail(number: int, line: str) -> StyleAndTextTuples:
    return [("", line)] if line.startswith(" ") else [("class:label", line)]


def _write(file: Path, lines: list[str]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join([*lines, ""]), encoding="utf-8")
