"""The wells of a run that failed, grouped by cause: a cause can be opened to its wells, and a well to all about it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout.containers import Container, HSplit, Window
from prompt_toolkit.layout.dimension import Dimension

from openhcs.core.failure_groups import FailureGroup, group_failures
from openhcs.core.progress import Failure, RunProgress
from openhcs.tui.effects.clipboard import copy_text
from openhcs.tui.effects.well_choices import WellChoice, WellKind
from openhcs.tui.ports import DialogHost, TaskSpawner
from openhcs.tui.run_text import count_of
from openhcs.tui.utils.dialog_helpers import show_scrollable_error_dialog
from openhcs.tui.utils.line_view import LineView
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.widgets.bindings import Binding
from openhcs.tui.widgets.drawn_text import cut, text_column
from openhcs.tui.widgets.selectable_list import SelectableList

__all__ = ["FailureRow", "FailuresPage"]


@dataclass(frozen=True, slots=True)
class FailureRow:
    """A cause, or (with `well`) one of its wells."""

    group: FailureGroup
    well: str | None = None


class FailuresPage:
    """Shows the failures of `progress()`, and runs again what failed.

    Args:
        on_open: opens a well; a cause is opened to its wells, here.
        run: runs wells again; `why_not_run` says why that cannot be now.
        tell: takes a remark to the user.
    """

    def __init__(
        self,
        progress: Callable[[], RunProgress | None],
        on_open: Callable[[str], Coroutine[Any, Any, None]],
        run: Callable[[WellChoice], None],
        why_not_run: Callable[[], str | None],
        tell: Callable[[str], None],
        *,
        app_state: DialogHost,
        tasks: TaskSpawner,
    ) -> None:
        self._progress = progress
        self._on_open = on_open
        self._run = run
        self._why_cannot_run = why_not_run
        self._tell = tell
        self._app_state = app_state
        self._grouped: tuple[RunProgress | None, Sequence[FailureGroup]] = (None, ())
        self._open: frozenset[tuple[str, str | None]] = frozenset()
        self._shown: tuple[Sequence[FailureGroup], frozenset[tuple[str, str | None]], Sequence[FailureRow]]
        self._shown = (), frozenset(), ()
        moves = (
            Binding(("enter",), self._activate, "Open", "Show the wells of a cause, or open a well.", self.why_none),
            Binding(("n", "F"), self.next_well, "Next failed", "Go to the next well that failed.", self.why_none),
        )
        self._list: SelectableList[FailureRow] = SelectableList(
            self._items,
            self._draw,
            on_activate=lambda row: self._activate(),
            empty=lambda: [("class:muted", " No well has failed.")],
            bindings=moves,
            tasks=tasks,
            refuse=lambda reason: None,
            name="failures",
        )
        self.rows = (*moves, *self._deeds())
        self.window = self._list.window
        # As high as it is long, where there is room; what is to be told of one failure gets the rest.
        self.window.height = self._list_height
        self._detail = LineView(self._detail_lines, _draw_detail, indent=text_column)
        self._detail.window.height = Dimension(min=3, weight=2)
        line = Window(height=1, char="─", style="class:pane.border")
        self.container = HSplit([self._list, line, self._detail])

    def __pt_container__(self) -> Container:
        return self.container

    @property
    def groups(self) -> Sequence[FailureGroup]:
        """The failures by cause; grouped once for each state of the run."""
        progress = self._progress()
        if self._grouped[0] is not progress:
            self._grouped = progress, group_failures(progress) if progress is not None else ()
        return self._grouped[1]

    @property
    def selected(self) -> FailureRow | None:
        """The row under the cursor."""
        return self._list.selected

    @property
    def failure(self) -> Failure | None:
        """The failure under the cursor: of a well, or of the first one with that cause."""
        row, progress = self.selected, self._progress()
        if row is None:
            return None
        well = progress.wells.get(row.well) if progress is not None and row.well is not None else None
        return (well.failure if well is not None else None) or row.group.first

    def _list_height(self) -> Dimension:
        rows = max(3, len(self._items()))
        return Dimension(min=3, preferred=rows, max=rows, weight=3)

    def why_none(self) -> str | None:
        """Why there is nothing here to go to, or None."""
        return None if self.groups else "No well has failed"

    def next_well(self) -> None:
        """Go to the next failed well, whatever its cause; after the last to the first."""
        groups = self.groups
        self._open = frozenset(_key(group) for group in groups)
        items = self._items()
        wells = [at for at, row in enumerate(items) if row.well is not None]
        here = self._list.index
        if wells:
            self._list.select(next((at for at in wells if at > here), wells[0]))

    def _deeds(self) -> tuple[Binding, ...]:
        return (
            Binding(("r",), self._run_cause, "Run these", "Run the wells of this cause again.", self._why_not_run),
            Binding(
                ("f",),
                lambda: self._run(WellChoice(WellKind.UNDONE)),
                "Run failed",
                "Run all wells again that failed or were cancelled.",
                self._why_not_run,
            ),
            Binding(("e",), self._show_error, "Error", "Show the error with its traceback.", self.why_none),
            Binding(("y",), self._copy, "Copy", "Copy the error.", self.why_none),
        )

    def _why_not_run(self) -> str | None:
        return self._why_cannot_run() or self.why_none()

    def _run_cause(self) -> None:
        if (row := self.selected) is not None:
            wells = frozenset({row.well} if row.well is not None else row.group.wells)
            self._run(WellChoice(WellKind.NAMED, wells))

    async def _show_error(self) -> None:
        failure, row = self.failure, self.selected
        if failure is not None and row is not None:
            well = row.well or row.group.wells[0]
            await show_scrollable_error_dialog(f"Well {well} failed", _text(failure), app_state=self._app_state)

    def _copy(self) -> None:
        if (failure := self.failure) is not None:
            self._tell(copy_text(_text(failure)))

    def _items(self) -> Sequence[FailureRow]:
        """Causes, and the wells of those that are open; made once for each of both."""
        groups = self.groups
        if self._shown[0] is not groups or self._shown[1] != self._open:
            rows: list[FailureRow] = []
            for group in groups:
                rows.append(FailureRow(group))
                if _key(group) in self._open:
                    rows += [FailureRow(group, well) for well in group.wells]
            self._shown = groups, self._open, rows
        return self._shown[2]

    def _activate(self) -> Coroutine[Any, Any, None] | None:
        row = self.selected
        if row is None:
            return None
        if row.well is not None:
            return self._on_open(row.well)
        self._open ^= {_key(row.group)}
        return None

    def _draw(self, row: FailureRow, width: int) -> StyleAndTextTuples:
        if row.well is not None:
            return [("", f"      {visible(row.well)}")]
        is_open = _key(row.group) in self._open
        count = f"{'-' if is_open else '+'} {count_of(len(row.group.wells), 'well')}: "
        step = f"{visible(row.group.step)}: " if row.group.step else ""
        return [("class:error", count), ("", cut(step + visible(row.group.cause), max(0, width - len(count))))]

    def _detail_lines(self) -> Sequence[str]:
        row, failure = self.selected, self.failure
        if row is None or failure is None:
            return ("",)
        wells = ", ".join(row.group.wells)
        lines = [f"Well {row.well}" if row.well else f"{count_of(len(row.group.wells), 'well')}: {wells}"]
        lines += ["", *failure.message.splitlines()]
        places = (("Step", failure.step), ("Plane", failure.plane), ("File", failure.file), ("Kind", failure.kind))
        lines += ["", *(f"{word:<6} {place}" for word, place in places if place)]
        if failure.traceback:
            lines += ["", *failure.traceback.splitlines()]
        return [visible(line) for line in lines]


def _key(group: FailureGroup) -> tuple[str, str | None]:
    return group.cause, group.step


def _text(failure: Failure) -> str:
    return "\n\n".join(part for part in (failure.message, failure.traceback) if part)


def _draw_detail(number: int, line: str) -> StyleAndTextTuples:
    return [("class:title" if number == 0 else "", line)]
