"""The menu bar: titles in the top line, and under each a list of binding rows with their keys.

A menu is open exactly while its list has the focus: a dialog closes it by taking the focus. A click elsewhere closes it
and does what it would have done without it, also where there is nothing that could take the focus. On a plain screen an
open menu has the screen to itself. The rows are those of the panes; the menu adds no commands of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prompt_toolkit.application import get_app
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout.containers import ConditionalContainer, Container, Float, Window
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.layout.mouse_handlers import MouseHandlers
from prompt_toolkit.layout.screen import WritePosition
from prompt_toolkit.mouse_events import MouseEvent, MouseEventType
from prompt_toolkit.utils import get_cwidth

from openhcs.tui.ports import TaskSpawner
from openhcs.tui.utils.mouse_shield import MouseShield
from openhcs.tui.utils.screen_output import is_plain
from openhcs.tui.widgets.bindings import Binding, key_name, run_binding
from openhcs.tui.widgets.drawn_text import drawn_window, fit

if TYPE_CHECKING:
    from prompt_toolkit.key_binding.key_bindings import NotImplementedOrNone

__all__ = ["Menu", "MenuBar"]

_Z_INDEX = 5
"""Where open menus lie: above the panes, beneath the dialogs."""
_STATUS_ROWS = 2
"""What stays below a menu that has the screen: the selected row's description, and what was last told."""


@dataclass(frozen=True, slots=True)
class Menu:
    """A title and the rows under it; None is a line between groups."""

    title: str
    rows: tuple[Binding | None, ...]


class MenuBar:
    """Shows `menus` in one line. Put it on top of the layout and its `floats` into the root.

    Args:
        right: What the right end of the line says, in at most the given number of cells.
    """

    def __init__(
        self, menus: Sequence[Menu], *, tasks: TaskSpawner, refuse: Callable[[str], None], right: Callable[[], str]
    ) -> None:
        self._tasks = tasks
        self._refuse = refuse
        self._right = right
        self._lists: list[_MenuList] = []
        left = 1
        for index, menu in enumerate(menus):
            self._lists.append(_MenuList(self, index, menu, left))
            left += get_cwidth(menu.title) + 2
        self._came_from: Window | None = None
        self.window = drawn_window(self._fragments, style="class:menu")
        any_is_open = Condition(lambda: any(menu.is_open() for menu in self._lists))
        shield = ConditionalContainer(MouseShield(self._close_at_clicks), any_is_open)
        self.floats = (
            Float(shield, top=1, right=0, bottom=0, left=0, transparent=True, z_index=_Z_INDEX - 1),
            *(
                Float(
                    ConditionalContainer(menu.window, Condition(menu.is_open) & ~Condition(is_plain)),
                    top=1,
                    left=max(0, menu.left - 1),
                    z_index=_Z_INDEX,
                )
                for menu in self._lists
            ),
            *(
                Float(
                    ConditionalContainer(menu.window, Condition(menu.is_open) & Condition(is_plain)),
                    top=0,
                    right=0,
                    bottom=_STATUS_ROWS,
                    left=0,
                    z_index=_Z_INDEX,
                )
                for menu in self._lists
            ),
        )

    def __pt_container__(self) -> Container:
        return self.window

    @property
    def titles(self) -> tuple[str, ...]:
        """What the menus are called, from left to right."""
        return tuple(menu.menu.title for menu in self._lists)

    @property
    def selected(self) -> Binding | None:
        """The row the cursor is on, while a menu is open."""
        return next((menu.selected for menu in self._lists if menu.is_open()), None)

    def open(self, index: int = 0) -> None:
        """Open the menu at `index`; beyond the last, the first again."""
        layout = get_app().layout
        if not any(menu.is_open() for menu in self._lists):
            self._came_from = layout.current_window
        menu = self._lists[index % len(self._lists)]
        menu.index = 0
        layout.focus(menu.window)

    def close(self) -> None:
        """Give the focus back to where it was."""
        if self._came_from is not None:
            get_app().layout.focus(self._came_from)
            self._came_from = None

    def run(self, row: Binding) -> None:
        """Close, then do what `row` says, or tell why not."""
        self.close()
        run_binding(row, tasks=self._tasks, refuse=self._refuse)

    def _close_at_clicks(self, handlers: MouseHandlers, area: WritePosition) -> None:
        beneath = {y: row.copy() for y, row in handlers.mouse_handlers.items()}

        def handler(mouse_event: MouseEvent) -> NotImplementedOrNone:
            row = beneath.get(mouse_event.position.y)
            is_click = mouse_event.event_type is MouseEventType.MOUSE_DOWN
            if is_click:
                self.close()
            taken = row[mouse_event.position.x](mouse_event) if row is not None else NotImplemented
            # NotImplemented would leave the screen as it is, with the menu on it.
            return None if is_click else taken

        right, bottom = area.xpos + area.width, area.ypos + area.height
        handlers.set_mouse_handler_for_range(area.xpos, right, area.ypos, bottom, handler)

    def _fragments(self, width: int) -> StyleAndTextTuples:
        fragments: StyleAndTextTuples = [("", " ")]
        used = 1
        for menu in self._lists:
            style = "class:menu.selected" if menu.is_open() else ""
            handler = self._click(menu)
            initial, rest = menu.menu.title[:1], menu.menu.title[1:]
            fragments += [
                (style, " ", handler),
                (f"{style} class:menu.key", initial, handler),
                (style, f"{rest} ", handler),
            ]
            used += get_cwidth(menu.menu.title) + 2
        fragments.append(("class:muted", fit(f"{self._right()} ", max(0, width - used), right=True)))
        return fragments

    def _click(self, menu: _MenuList) -> Callable[[MouseEvent], NotImplementedOrNone]:
        def handler(mouse_event: MouseEvent) -> NotImplementedOrNone:
            if mouse_event.event_type is not MouseEventType.MOUSE_DOWN:
                return NotImplemented
            if menu.is_open():
                self.close()
            else:
                self.open(menu.position)
            return None

        return handler


class _MenuList:
    """The rows of one menu, in a frame, with their keys at the right."""

    def __init__(self, bar: MenuBar, position: int, menu: Menu, left: int) -> None:
        self.bar = bar
        self.position = position
        self.menu = menu
        self.left = left
        self.index = 0
        self._label_width = max(get_cwidth(row.label) for row in menu.rows if row) + get_cwidth("()")
        self._key_width = max(get_cwidth(key_name(row.keys[0])) for row in menu.rows if row)
        self.width = self._label_width + self._key_width + 7
        control = FormattedTextControl(
            self._fragments, focusable=True, show_cursor=False, key_bindings=self._key_bindings()
        )
        self.window = Window(
            control,
            style="class:menu",
            width=Dimension.exact(self.width),
            height=Dimension(preferred=len(menu.rows) + 2),
            always_hide_cursor=True,
        )

    @property
    def rows(self) -> tuple[Binding, ...]:
        return tuple(row for row in self.menu.rows if row is not None)

    @property
    def selected(self) -> Binding:
        return self.rows[self.index]

    def is_open(self) -> bool:
        return get_app().layout.has_focus(self.window)

    def _fragments(self) -> StyleAndTextTuples:
        return self._plain_fragments() if is_plain() else self._framed_fragments()

    def _plain_fragments(self) -> StyleAndTextTuples:
        """A line for each row, to be read out, below one that tells which menu this is."""
        count = len(self.bar.titles)
        fragments: StyleAndTextTuples = [
            ("class:title", f"Menu {self.menu.title}, {self.position + 1} of {count}: Left and Right for the others")
        ]
        for position, row in enumerate(self.rows):
            here = position == self.index
            reason = row.why_disabled()
            fragments.append(("", "\n"))
            if here:
                fragments.append(("[SetCursorPosition]", ""))
            refusal = "" if reason is None else f" (not now: {reason})"
            style = "class:menu.selected" if here else ""
            fragments.append((style, f"{row.label}, {key_name(row.keys[0])}{refusal}", self._click(position)))
        return fragments

    def _framed_fragments(self) -> StyleAndTextTuples:
        inside = self.width - 2
        border = "class:menu.border"
        fragments: StyleAndTextTuples = [(border, f"┌{'─' * inside}┐\n")]
        position = 0
        for row in self.menu.rows:
            if row is None:
                fragments.append((border, f"├{'─' * inside}┤\n"))
                continue
            here = position == self.index
            style = "class:menu.selected" if here else ""
            label = row.label
            if row.why_disabled() is not None:
                style += " class:disabled"
                label = f"({label})"
            handler = self._click(position)
            text = f"{fit(label, self._label_width)}  {fit(key_name(row.keys[0]), self._key_width, right=True)}"
            if here:
                fragments.append(("[SetCursorPosition]", ""))
            fragments += [
                (border, "│", handler),
                (style, f"{'>' if here else ' '} {text} ", handler),
                (border, "│\n", handler),
            ]
            position += 1
        fragments.append((border, f"└{'─' * inside}┘"))
        return fragments

    def _click(self, position: int) -> Callable[[MouseEvent], NotImplementedOrNone]:
        def handler(mouse_event: MouseEvent) -> NotImplementedOrNone:
            self.index = position
            if mouse_event.event_type is MouseEventType.MOUSE_UP:
                self.bar.run(self.rows[position])
            return None

        return handler

    def _key_bindings(self) -> KeyBindings:
        bindings = KeyBindings()

        @bindings.add("up")
        def _(event: KeyPressEvent) -> None:
            self.index = (self.index - 1) % len(self.rows)

        @bindings.add("down")
        def _(event: KeyPressEvent) -> None:
            self.index = (self.index + 1) % len(self.rows)

        @bindings.add("left")
        def _(event: KeyPressEvent) -> None:
            self.bar.open(self.position - 1)

        @bindings.add("right")
        @bindings.add("tab")
        def _(event: KeyPressEvent) -> None:
            self.bar.open(self.position + 1)

        @bindings.add("enter")
        @bindings.add("space")
        def _(event: KeyPressEvent) -> None:
            self.bar.run(self.selected)

        @bindings.add("escape", eager=True)
        @bindings.add("f10")
        @bindings.add("c-c")
        def _(event: KeyPressEvent) -> None:
            self.bar.close()

        @bindings.add("<any>")
        def _(event: KeyPressEvent) -> None:
            for row in self.rows:
                if event.data in row.keys:
                    self.bar.run(row)
                    return

        return bindings
