"""The bottom two lines: the keys of where the focus stands, and what was last told beside how things are.

How things are is a row of short entries, each of which a click opens. Where they would take more than half of the line
the least important ones, which come last, are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prompt_toolkit.formatted_text import StyleAndTextTuples, fragment_list_width
from prompt_toolkit.layout.containers import Container, HSplit
from prompt_toolkit.mouse_events import MouseEvent
from prompt_toolkit.utils import get_cwidth

from openhcs.core.model import Status
from openhcs.tui.ports import TaskSpawner
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.utils.screen_output import is_plain
from openhcs.tui.widgets.bindings import Binding, Effect, footer_fragments, run_binding
from openhcs.tui.widgets.drawn_text import cut, drawn_window, on_click
from openhcs.tui.workbench import Activity, PlateRow, Severity, Workbench

if TYPE_CHECKING:
    from prompt_toolkit.key_binding.key_bindings import NotImplementedOrNone

__all__ = ["StatusBar", "StatusEntry", "jobs_text"]

_GAP: Final = "   "


@dataclass(frozen=True, slots=True)
class StatusEntry:
    """How one thing is, in a few words, and the row of the action that a click on it runs."""

    text: str
    style: str
    row: Binding


class StatusBar:
    """Draws the keys of where the focus is and, at the right, those that work everywhere; below, message and entries.

    `hint()` is shown in place of the keys when it is not empty: the description of a menu's row. `entries()` tell how
    things are, the most important first; those without a text are left out. `more` is what a click on the "…" does
    that stands for keys without room.
    """

    def __init__(
        self,
        workbench: Callable[[], Workbench],
        here: Callable[[], Sequence[Binding]],
        everywhere: Callable[[], Sequence[Binding]],
        hint: Callable[[], str],
        entries: Callable[[], Sequence[StatusEntry]],
        *,
        tasks: TaskSpawner,
        refuse: Callable[[str], None],
        more: Effect | None = None,
    ) -> None:
        self._workbench = workbench
        self._here = here
        self._everywhere = everywhere
        self._hint = hint
        self._entries = entries
        self._tasks = tasks
        self._refuse = refuse
        self._more = more
        self.container = HSplit([drawn_window(self._keys_line), drawn_window(self._status_line, style="class:status")])

    def __pt_container__(self) -> Container:
        return self.container

    def _keys_line(self, width: int) -> StyleAndTextTuples:
        hint = self._hint()
        if hint:
            return [("class:label", cut(f" {hint}", width))]
        always = self._footer(self._everywhere(), width - 2)
        room = width - fragment_list_width(always) - 4
        here = self._footer(self._here(), max(0, room))
        return [("", " "), *here, ("", " " * max(0, room - fragment_list_width(here)) + "  "), *always]

    def _footer(self, rows: Sequence[Binding], width: int) -> StyleAndTextTuples:
        return footer_fragments(rows, width, tasks=self._tasks, refuse=self._refuse, more=self._more)

    def _status_line(self, width: int) -> StyleAndTextTuples:
        entries: StyleAndTextTuples = []
        for entry in self._entries():
            cells = fragment_list_width(entries) + get_cwidth(entry.text) + len(_GAP)
            if entry.text and (not entries or cells <= width // 2):
                entries += [("", _GAP), (entry.style, entry.text, self._click(entry))]
        message = self._workbench().message
        room = max(0, width - fragment_list_width(entries) - 1)
        mark = (_WORDS if is_plain() else _MARKS)[message.severity]
        text = cut(f" {mark}{message.text}", room)
        space = " " * max(0, room - get_cwidth(text))
        return [(f"class:{message.severity.value}", text), ("", space), *entries, ("", " ")]

    def _click(self, entry: StatusEntry) -> Callable[[MouseEvent], NotImplementedOrNone]:
        return on_click(lambda: run_binding(entry.row, tasks=self._tasks, refuse=self._refuse))


_MARKS = {Severity.INFO: "", Severity.OK: "", Severity.WARNING: "! ", Severity.ERROR: "X "}
_WORDS = {Severity.INFO: "", Severity.OK: "", Severity.WARNING: "Note: ", Severity.ERROR: "Error: "}


def jobs_text(workbench: Workbench) -> str:
    """What is going on, in a few words: `demo 5/8`, `2 running 60/768, 3 waiting`."""
    busy = workbench.busy
    if len(busy) == 1:
        return _job_text(busy[0])
    running = [row.progress for row in busy if row.status is Status.RUNNING and row.progress is not None]
    waiting = sum(row.activity is Activity.QUEUED for row in busy)
    others = len(busy) - len(running) - waiting
    done, total = sum(run.finished + run.failed for run in running), sum(run.total for run in running)
    parts = [
        f"{len(running)} running {done}/{total}" if running else "",
        f"{others} busy" if others else "",
        f"{waiting} waiting" if waiting else "",
    ]
    return ", ".join(filter(None, parts))


def _job_text(row: PlateRow) -> str:
    name = cut(visible(row.name), 20)
    if row.status is Status.RUNNING and row.progress is not None and row.progress.total and row.activity is None:
        return f"{name} {row.progress.finished + row.progress.failed}/{row.progress.total}"
    return f"{name}: {row.activity.value}" if row.activity is not None else name
