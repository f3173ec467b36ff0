"""A list with one selected row. It draws the visible rows only, so 100,000 items cost no more than twenty.

Items are pulled at every frame. So is the selected index where the caller keeps it in its own state; otherwise the
list keeps it. Deliberately absent: filtering, sorting and several selected rows, which belong to the items.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from prompt_toolkit.application import get_app
from prompt_toolkit.data_structures import Point
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples, fragment_list_width, split_lines
from prompt_toolkit.key_binding import KeyBindingsBase, merge_key_bindings
from prompt_toolkit.layout.containers import Container
from prompt_toolkit.layout.controls import UIContent, UIControl
from prompt_toolkit.layout.margins import ConditionalMargin, Margin, ScrollbarMargin
from prompt_toolkit.layout.mouse_handlers import MouseHandlers
from prompt_toolkit.layout.screen import Screen, WritePosition
from prompt_toolkit.mouse_events import MouseButton, MouseEvent, MouseEventType

from openhcs.tui.ports import TaskSpawner
from openhcs.tui.utils.screen_output import is_plain
from openhcs.tui.utils.scrolled_window import ScrolledWindow
from openhcs.tui.widgets.bindings import Binding, key_bindings, start_effect
from openhcs.tui.widgets.double_click import DoubleClick
from openhcs.tui.widgets.drawn_text import is_reachable

if TYPE_CHECKING:
    from prompt_toolkit.key_binding.key_bindings import NotImplementedOrNone

__all__ = ["SelectableList", "on_box"]

T = TypeVar("T")

_MARK: Final = "> "
_BOX: Final = "[x] "


def on_box(turn: Callable[[int], None], *, behind: int = 0) -> Callable[[int, MouseEvent], bool]:
    """What a list asks about a click, `on_click`: on the box `[x]` of a row it turns that.

    Args:
        turn: gets the index of the row.
        behind: cells of the row before its box.
    """
    box = range(len(_MARK) + behind, len(_MARK) + behind + len(_BOX))

    def click(index: int, mouse_event: MouseEvent) -> bool:
        is_box = mouse_event.position.x in box
        if is_box:
            turn(index)
        return is_box

    return click


class SelectableList(Generic[T]):
    """Shows `row(item, width)` for each of `items()`, one line each.

    `index` pulls the selected index from the caller's state; `on_select` must then put it there. Without it the
    list keeps the index itself and `on_select` only tells. `on_activate` runs on Enter and on a double click; a
    coroutine it returns goes to `tasks`, named after `name`. `empty` is shown instead of no rows. `bindings` come
    after the list's own and win over them; a row whose keys are all taken is left out, from help as well.
    `letter_keys=False` leaves j and k free. `keys` are bindings that do not fit a row, such as "any character".
    `on_click` is asked first about a click on the row of an index; True means that it has been dealt with.

    With `focusable=False` the keys come from elsewhere, such as a search field above: the list takes the mouse only,
    and is drawn as if it had the focus. On a plain screen the cursor, which its reader follows, leaves that field
    for the selected row when a key moves through the list; the first Down goes to the row that is selected already.
    """

    def __init__(
        self,
        items: Callable[[], Sequence[T]],
        row: Callable[[T, int], StyleAndTextTuples],
        *,
        on_select: Callable[[int], None] | None = None,
        on_activate: Callable[[T], Coroutine[Any, Any, Any] | None] | None = None,
        index: Callable[[], int] | None = None,
        empty: Callable[[], StyleAndTextTuples],
        bindings: Sequence[Binding] = (),
        tasks: TaskSpawner,
        refuse: Callable[[str], None],
        name: str,
        letter_keys: bool = True,
        keys: KeyBindingsBase | None = None,
        focusable: bool = True,
        on_click: Callable[[int, MouseEvent], bool] | None = None,
    ) -> None:
        self._on_click = on_click
        self._items = items
        self._row = row
        self._on_select = on_select
        self._on_activate = on_activate
        self._pull_index = index
        self._own_index = 0
        self._has_cursor = focusable
        self._empty = empty
        self._tasks = tasks
        self.name = name
        self.focusable = focusable
        taken = {key for row in bindings for key in row.keys}
        moves = (row for row in self._moves(letter_keys) if not taken.issuperset(row.keys))
        self.rows: tuple[Binding, ...] = (*moves, *bindings)
        bound = key_bindings(self.rows, tasks=tasks, refuse=refuse)
        self.control = _ListControl(self, merge_key_bindings([bound, keys]) if keys is not None else bound)
        self.window = _ListWindow(
            self,
            self.control,
            ConditionalMargin(ScrollbarMargin(), Condition(self._overflows)),
            overflows=self._overflows,
            scroll_to=lambda share: self.select(round(share * (len(self._items()) - 1))),
            always_hide_cursor=True,
            style="class:list",
        )

    def __pt_container__(self) -> Container:
        return self.window

    @property
    def index(self) -> int:
        """The selected index, inside the items there are now; 0 where there are none."""
        index = self._own_index if self._pull_index is None else self._pull_index()
        return max(0, min(index, len(self._items()) - 1))

    @property
    def selected(self) -> T | None:
        """The selected item, or None where there are none."""
        items = self._items()
        return items[self.index] if items else None

    def select(self, index: int) -> None:
        """Select the row at `index`, or the nearest one there is."""
        index = max(0, min(index, len(self._items()) - 1))
        self._has_cursor = self.focusable
        self._own_index = index
        if self._on_select is not None:
            self._on_select(index)

    def activate(self) -> None:
        """What Enter does: run `on_activate` on the selected item."""
        activate, items = self._on_activate, self._items()
        if activate is not None and items:
            item = items[self.index]
            start_effect(lambda: activate(item), self.name, self._tasks)

    def _overflows(self) -> bool:
        return len(self._items()) > self.window.rows

    def _page(self) -> int:
        info = self.window.render_info
        return max(1, info.window_height - 1) if info is not None else 10

    def _moves(self, letter_keys: bool) -> tuple[Binding, ...]:
        def move(keys: tuple[str, ...], to: Callable[[], int], label: str, description: str) -> Binding:
            def go() -> None:
                stays = is_plain() and not self._has_cursor and "down" in keys
                self.select(self.index if stays else to())
                self._has_cursor = True

            return Binding(keys, go, label, description, on_footer=False)

        up, down = (("up", "k"), ("down", "j")) if letter_keys else (("up",), ("down",))
        rows = (
            move(up, lambda: self.index - 1, "Up", "Select the row above."),
            move(down, lambda: self.index + 1, "Down", "Select the row below."),
            move(("pageup",), lambda: self.index - self._page(), "Page up", "Go one screenful up."),
            move(("pagedown",), lambda: self.index + self._page(), "Page down", "Go one screenful down."),
            move(("home",), lambda: 0, "First", "Select the first row."),
            move(("end",), lambda: len(self._items()) - 1, "Last", "Select the last row."),
        )
        if self._on_activate is None:
            return rows
        return (*rows, Binding(("enter",), self.activate, "Open", "Open the selected row.", on_footer=False))

    def _line(self, item: T, width: int, *, selected: bool, focused: bool) -> StyleAndTextTuples:
        # On a plain screen the cursor marks the selected row, and nothing else: what is drawn anew may be read anew.
        mark = "" if is_plain() else _MARK if selected else " " * len(_MARK)
        fragments: StyleAndTextTuples = [("class:mark", mark)]
        fragments += self._row(item, max(0, width - len(mark)))
        fragments.append(("", " " * max(0, width - fragment_list_width(fragments))))
        if not selected or is_plain():
            return fragments
        if focused:
            return [(f"{fragment[0]} class:selected", *fragment[1:]) for fragment in fragments]
        # Not reversed, so what failed stays red: the row's own colours come last.
        return [(f"class:selected.unfocused {fragment[0]}", *fragment[1:]) for fragment in fragments]


class _ListWindow(ScrolledWindow):
    """Lends the cursor of the field that has the keys to the selected row, while they move through the list."""

    def __init__(self, owner: SelectableList[Any], content: UIControl, bar: Margin, **options: Any) -> None:
        super().__init__(content, bar, **options)
        self._owner = owner
        self.rows = 0

    def write_to_screen(
        self,
        screen: Screen,
        mouse_handlers: MouseHandlers,
        write_position: WritePosition,
        parent_style: str,
        erase_bg: bool,
        z_index: int | None,
    ) -> None:
        # Whether there is a bar decides how wide the rows of this frame are: `render_info` tells of the one before.
        self.rows = write_position.height
        super().write_to_screen(screen, mouse_handlers, write_position, parent_style, erase_bg, z_index)
        owner = self._owner
        if owner.focusable or not owner._has_cursor or not is_plain():
            return

        def take_cursor() -> None:
            info = self.render_info
            if info is not None:
                row = write_position.ypos + owner.index - info.vertical_scroll
                screen.set_cursor_position(get_app().layout.current_window, Point(write_position.xpos, row))

        # Once the field has been drawn, which puts the cursor where its text ends.
        screen.draw_with_z_index(z_index or 1, take_cursor)


class _ListControl(UIControl):
    def __init__(self, owner: SelectableList[Any], bindings: KeyBindingsBase) -> None:
        self._owner = owner
        self._bindings = bindings
        self._clicks = DoubleClick()

    def is_focusable(self) -> bool:
        return self._owner.focusable

    def get_key_bindings(self) -> KeyBindingsBase:
        return self._bindings

    def create_content(self, width: int, height: int) -> UIContent:
        owner = self._owner
        items = owner._items()
        if not items:
            lines = list(split_lines(owner._empty()))
            return UIContent(get_line=lambda i: lines[i], line_count=len(lines), show_cursor=False)
        index = owner.index
        focused = not owner.focusable or get_app().layout.has_focus(self)
        return UIContent(
            get_line=lambda i: owner._line(items[i], width, selected=i == index, focused=focused),
            line_count=len(items),
            cursor_position=Point(x=0, y=index),
            show_cursor=False,
        )

    def move_cursor_up(self) -> None:
        self._owner.select(self._owner.index - 1)

    def move_cursor_down(self) -> None:
        self._owner.select(self._owner.index + 1)

    def mouse_handler(self, mouse_event: MouseEvent) -> NotImplementedOrNone:
        owner = self._owner
        if not is_reachable(owner.window):
            return None
        if mouse_event.event_type in (MouseEventType.SCROLL_UP, MouseEventType.SCROLL_DOWN):
            return NotImplemented
        if mouse_event.event_type is not MouseEventType.MOUSE_UP or mouse_event.button is MouseButton.RIGHT:
            return None
        if owner.focusable:
            get_app().layout.focus(self)
        index = mouse_event.position.y
        if not 0 <= index < len(owner._items()):
            return None
        if owner._on_click is not None and owner._on_click(index, mouse_event):
            self._clicks.forget()
            return None
        twice = self._clicks.is_second(index)
        owner.select(index)
        if twice:
            owner.activate()
        return None
