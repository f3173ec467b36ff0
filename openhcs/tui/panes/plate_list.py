"""The list of plates on the screen: filtered as one types, sorted, several marked, and below it the sum of all runs.

Lines are drawn by `plate_rows`, what is shown of the list is decided by `tui.plate_list`. Deliberately absent: what the
keys do to plates (`plate_manager`).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from prompt_toolkit.application import get_app
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout.containers import ConditionalContainer, Container, HSplit, VSplit
from prompt_toolkit.layout.dimension import AnyDimension
from prompt_toolkit.mouse_events import MouseEvent, MouseModifier

from openhcs.tui import actions
from openhcs.tui.panes.place import Place
from openhcs.tui.panes.plate_rows import Columns, batch_text, labels_of, plate_line
from openhcs.tui.plate_list import batch_progress, shown_plates
from openhcs.tui.state import AppState
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.utils.screen_output import is_plain
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager
from openhcs.tui.widgets.bindings import Binding, key_bindings, key_of
from openhcs.tui.widgets.drawn_text import cut, drawn_window
from openhcs.tui.widgets.kept import Kept
from openhcs.tui.widgets.keymap import Keymap
from openhcs.tui.widgets.pane_frame import PaneFrame
from openhcs.tui.widgets.selectable_list import SelectableList
from openhcs.tui.widgets.text_field import TextField
from openhcs.tui.workbench import PlateOrder, PlateRow

__all__ = ["PlateList"]

_FILTERS: Final = "Show plates with certain words in name, folder, format or status; Esc shows all again."
_HINT: Final = "Type to filter by name, folder, format or status   Enter keep   Esc show all"


class PlateList:
    """The frame with the list in it. `place` is where its focus stands, `rows` are its own keys behind `bindings`.

    Args:
        bindings: the keys that do something to plates.
        on_activate: what Enter does with a plate.
        height: of the whole frame.
    """

    def __init__(
        self,
        state: AppState,
        tasks: UnifiedTaskManager,
        refuse: Callable[[str], None],
        keymap: Keymap,
        bindings: Sequence[Binding],
        *,
        on_activate: Callable[[PlateRow], Coroutine[Any, Any, Any]],
        height: AnyDimension,
    ) -> None:
        self._state = state
        self._shown: Kept[tuple[int, ...]] = Kept()
        self._items: Kept[tuple[PlateRow, ...]] = Kept()
        self._columns: Kept[dict[int, Columns]] = Kept()
        self._labels: Kept[dict[Path, str]] = Kept()
        self._places: Kept[dict[object, int]] = Kept()
        self.rows = keymap.rows("Plates", self._bindings())
        self._add_key = key_of(bindings, "Add")
        self._filter_key = key_of(self.rows, "Filter")
        self._list = SelectableList[PlateRow](
            self.items,
            self._line,
            index=self._index,
            on_select=self._select,
            on_activate=on_activate,
            on_click=self._click,
            empty=self._empty,
            bindings=(*bindings, *self.rows),
            tasks=tasks,
            refuse=refuse,
            name="plate details",
            keys=self._escape(),
        )
        self.place = Place("Plates", self._list.window, self._list.rows)
        self._field = TextField(
            on_change=self._filter,
            keys=key_bindings(self._field_rows(), tasks=tasks, refuse=refuse),
        )
        label = drawn_window(lambda width: [("class:key", f" {self._filter_key} ")])
        label.width = 3
        is_filtered = Condition(lambda: self.is_typed_into or bool(state.workbench.plate_view.filter))
        field = ConditionalContainer(VSplit([label, self._field], height=1), is_filtered)
        self.container = PaneFrame(
            HSplit([field, self._list]),
            self._title,
            lambda: self.place.has_focus or self.is_typed_into,
            self._footer,
            height=height,
        )

    def __pt_container__(self) -> Container:
        return self.container.container

    @property
    def is_typed_into(self) -> bool:
        """Whether somebody types the filter."""
        return get_app().layout.has_focus(self._field.window)

    @property
    def hint(self) -> str:
        """What the keys do while the filter is typed; nothing otherwise."""
        return _HINT if self.is_typed_into else ""

    @property
    def lines(self) -> int:
        """How many lines it would fill, the frame's included."""
        return len(self.items()) + 3 + bool(self._state.workbench.plate_view.filter)

    def items(self) -> Sequence[PlateRow]:
        """The plates that are shown, in their order."""
        workbench = self._state.workbench
        return self._items.made_from(
            (workbench.plates, self._positions()), lambda: tuple(workbench.plates[at] for at in self._positions())
        )

    @property
    def marked(self) -> tuple[PlateRow, ...]:
        """The marked plates among those that are shown: what is not seen is left alone."""
        marked = self._state.workbench.marked
        return tuple(row for row in self.items() if row.folder in marked) if marked else ()

    # -- what is shown -------------------------------------------------------------------------------------------

    def _positions(self) -> tuple[int, ...]:
        workbench = self._state.workbench
        parts = (workbench.plates, workbench.plate_view, workbench.queue)
        return self._shown.made_from(parts, lambda: shown_plates(workbench))

    def _index(self) -> int:
        positions, plate = self._positions(), self._state.workbench.plate
        return positions.index(plate) if plate in positions else 0

    def _select(self, index: int) -> None:
        positions = self._positions()
        if positions:
            self._state.dispatch(actions.PlateSelected(positions[index]))

    def _line(self, row: PlateRow, width: int) -> StyleAndTextTuples:
        workbench = self._state.workbench
        # Those of all plates: filtering is not to move them.
        columns = self._columns.made_from((workbench.plates,), dict)
        if width not in columns:
            columns[width] = Columns.fitting(workbench.plates, width)
        labels = self._labels.made_from((workbench.plates,), lambda: labels_of(workbench.plates))
        queue = workbench.queue
        places = self._places.made_from(
            (queue,), lambda: {folder: number for number, folder in enumerate(queue, start=1)}
        )
        return plate_line(
            row,
            columns[width],
            workbench.now_s,
            label=labels.get(row.folder),
            marked=row.folder in workbench.marked,
            place=places.get(row.folder),
            plain=is_plain(),
        )

    def _title(self) -> str:
        workbench = self._state.workbench
        shown, count = len(self.items()), len(workbench.plates)
        if not count:
            return "Plates"
        marked = len(self.marked)
        order = workbench.plate_view.order
        parts = [
            f"Plates ({count})" if shown == count else f"Plates ({shown} of {count})",
            order.value if order is not PlateOrder.ADDED else "",
            f"{marked} marked" if marked else "",
        ]
        return ", ".join(filter(None, parts))

    def _footer(self, width: int) -> StyleAndTextTuples:
        workbench = self._state.workbench
        batch = batch_progress(workbench, workbench.now_s)
        text = batch_text(batch, width, plain=is_plain())
        return [("class:busy" if batch is not None and not batch.is_over else "class:muted", text)] if text else []

    def _empty(self) -> StyleAndTextTuples:
        if self._state.workbench.plates:
            words = visible(self._state.workbench.plate_view.filter)
            return [("class:muted", f"{cut(f' No plate is like “{words}”.', 60)}\n Esc shows all plates again.")]
        here = "" if self.place.has_focus else " With the focus here"  # elsewhere the same key does something else
        return [
            ("class:muted", f" No plates yet.{here}\n\n "),
            ("class:key", self._add_key),
            ("class:muted", " adds the folder of a plate as the\n microscope wrote it. It is only read."),
        ]

    # -- keys ----------------------------------------------------------------------------------------------------

    def _bindings(self) -> tuple[Binding, ...]:
        def why_no_plate() -> str | None:
            return None if self.items() else "There is no plate to be seen"

        return (
            Binding(("/",), self._type, "Filter", _FILTERS),
            Binding(("s",), self._sort, "Sort", "Sort by name, status, failed wells, progress, or as added."),
            Binding(("space",), self._toggle_here, "Mark", "Mark the plate for what is to come, or not.", why_no_plate),
            Binding(
                ("*",),
                self._toggle_all,
                "Mark all",
                "Mark all plates that are shown, or none where all are.",
                why_no_plate,
                on_footer=False,
            ),
            Binding(
                ("s-down",),
                lambda: self._extend(1),
                "Mark down",
                "Mark the plate and the one below.",
                why_no_plate,
                on_footer=False,
            ),
            Binding(
                ("s-up",),
                lambda: self._extend(-1),
                "Mark up",
                "Mark the plate and the one above.",
                why_no_plate,
                on_footer=False,
            ),
        )

    def _field_rows(self) -> tuple[Binding, ...]:
        def leave() -> None:
            self.place.take_focus()

        def clear() -> None:
            self._field.text = ""
            leave()

        def move(by: int) -> Callable[[], None]:
            return lambda: self._list.select(self._list.index + by)

        return (
            Binding(("enter", "tab", "s-tab"), leave, "Keep", "Go to the plates that are shown."),
            Binding(("escape", "c-c"), clear, "Show all", "Show all plates again."),
            Binding(("up",), move(-1), "Up", "Select the plate above."),
            Binding(("down",), move(1), "Down", "Select the plate below."),
        )

    def _escape(self) -> KeyBindings:
        """Esc ends the filter, and is no row: without a filter it does nothing, which is not to be told each time."""
        keys = KeyBindings()

        @keys.add("escape", filter=Condition(lambda: bool(self._state.workbench.plate_view.filter)))
        def _(event: KeyPressEvent) -> None:
            self._field.text = ""

        return keys

    def _type(self) -> None:
        words = self._state.workbench.plate_view.filter
        if self._field.text != words:  # it has been ended elsewhere, since a plate was added
            self._field.text = words
        get_app().layout.focus(self._field.window)

    def _filter(self) -> None:
        view = self._state.workbench.plate_view
        self._state.dispatch(actions.PlatesViewed(replace(view, filter=self._field.text)))

    def _sort(self) -> None:
        orders = list(PlateOrder)
        view = self._state.workbench.plate_view
        order = orders[(orders.index(view.order) + 1) % len(orders)]
        self._state.dispatch(actions.PlatesViewed(replace(view, order=order)))
        self._state.dispatch(actions.MessageShown(f"Plates {order.value}"))

    def _click(self, index: int, mouse_event: MouseEvent) -> bool:
        """A click with Ctrl marks."""
        if MouseModifier.CONTROL not in mouse_event.modifiers:
            return False
        self._select(index)
        self._toggle(self.items()[index])
        return True

    def _toggle(self, row: PlateRow) -> None:
        is_marked = row.folder in self._state.workbench.marked
        self._state.dispatch(actions.PlatesMarked(frozenset({row.folder}), not is_marked))

    def _toggle_here(self) -> None:
        if self._list.selected is not None:
            self._toggle(self._list.selected)

    def _toggle_all(self) -> None:
        items = self.items()
        folders = frozenset(row.folder for row in items)
        self._state.dispatch(actions.PlatesMarked(folders, len(self.marked) < len(items)))

    def _extend(self, by: int) -> None:
        items, here = self.items(), self._list.index
        there = max(0, min(here + by, len(items) - 1))
        self._state.dispatch(actions.PlatesMarked(frozenset({items[here].folder, items[there].folder})))
        self._select(there)
