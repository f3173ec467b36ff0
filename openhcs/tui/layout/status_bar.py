"""The bottom two lines: the keys of where the focus stands, and what was last told beside what is going on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prompt_toolkit.formatted_text import StyleAndTextTuples, fragment_list_width
from prompt_toolkit.layout.containers import Container, HSplit
from prompt_toolkit.utils import get_cwidth

from openhcs.core.model import Status
from openhcs.tui.ports import TaskSpawner
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.widgets.bindings import Binding, footer_fragments
from openhcs.tui.widgets.drawn_text import cut, drawn_window
from openhcs.tui.workbench import Severity, Workbench

__all__ = ["StatusBar", "jobs_text"]


class StatusBar:
    """Draws the keys of where the focus is and, at the right, those that work everywhere; below, message and jobs.

    `hint()` is shown in place of the keys when it is not empty: the description of a menu's row. `notice()` stands
    before the jobs: what does not work at this time.
    """

    def __init__(
        self,
        workbench: Callable[[], Workbench],
        here: Callable[[], Sequence[Binding]],
        everywhere: Callable[[], Sequence[Binding]],
        hint: Callable[[], str],
        notice: Callable[[], str],
        *,
        tasks: TaskSpawner,
        refuse: Callable[[str], None],
    ) -> None:
        self._workbench = workbench
        self._here = here
        self._everywhere = everywhere
        self._hint = hint
        self._notice = notice
        self._tasks = tasks
        self._refuse = refuse
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
        return footer_fragments(rows, width, tasks=self._tasks, refuse=self._refuse)

    def _status_line(self, width: int) -> StyleAndTextTuples:
        workbench = self._workbench()
        jobs = "   ".join(part for part in (self._notice(), jobs_text(workbench)) if part)
        message = workbench.message
        text = cut(f" {_MARKS[message.severity]}{message.text}", max(0, width - get_cwidth(jobs) - 3))
        space = " " * max(0, width - get_cwidth(text) - get_cwidth(jobs) - 1)
        return [(f"class:{message.severity.value}", text), ("", space), ("class:busy", jobs), ("", " ")]


_MARKS = {Severity.INFO: "", Severity.OK: "", Severity.WARNING: "! ", Severity.ERROR: "X "}


def jobs_text(workbench: Workbench) -> str:
    """What is going on, in a few words: `demo 5/8`, `2 plates busy`."""
    busy = workbench.busy
    if len(busy) > 1:
        return f"{len(busy)} plates busy"
    if not busy:
        return ""
    row = busy[0]
    name = cut(visible(row.name), 20)
    if row.status is Status.RUNNING and row.progress is not None and row.progress.total and row.activity is None:
        return f"{name} {row.progress.finished + row.progress.failed}/{row.progress.total}"
    return f"{name}: {row.activity.value}" if row.activity is not None else name
