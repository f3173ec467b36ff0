"""A row of buttons as one focus stop: Left and Right walk it, Tab leaves it behind its last button.

Deliberately absent: Escape, which belongs to the dialog around it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from prompt_toolkit.application import get_app
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyBindingsBase, KeyPressEvent
from prompt_toolkit.layout.containers import Container, Window
from prompt_toolkit.mouse_events import MouseEvent
from prompt_toolkit.utils import get_cwidth

from openhcs.tui.ports import TaskSpawner
from openhcs.tui.utils.screen_output import is_plain
from openhcs.tui.widgets.bindings import Effect, start_effect
from openhcs.tui.widgets.drawn_text import DrawnText, cut, on_click

if TYPE_CHECKING:
    from prompt_toolkit.key_binding.key_bindings import NotImplementedOrNone

__all__ = ["ButtonRow"]

Label = str | Callable[[], str]


class ButtonRow:
    """Buttons beside each other, centred. A label may be a callable that is asked at each frame.

    With the focus on the row, the first letter of a button presses it, unless two buttons begin alike.
    """

    def __init__(self, buttons: Sequence[tuple[Label, Effect]], *, tasks: TaskSpawner, index: int = 0) -> None:
        self._buttons = tuple(buttons)
        self._tasks = tasks
        self._index = min(index, len(self._buttons) - 1)
        self.control = _ButtonControl(self)
        self.window = Window(
            self.control, height=1, dont_extend_height=True, always_hide_cursor=True, style="class:buttons"
        )
        self.control.window = self.window

    def __pt_container__(self) -> Container:
        return self.window

    @property
    def labels(self) -> tuple[str, ...]:
        """What the buttons say now."""
        return tuple(label if isinstance(label, str) else label() for label, _ in self._buttons)

    def press(self, index: int) -> None:
        """Run the button at `index`, as a click on it does."""
        self._index = index
        start_effect(self._buttons[index][1], self.labels[index], self._tasks)

    def fragments(self, width: int) -> StyleAndTextTuples:
        """The row drawn for `width` cells."""
        focused = get_app().layout.has_focus(self.window)
        labels = list(self.labels)
        around = 4 * len(labels) + 2 * (len(labels) - 1)
        while labels and (total := around + sum(map(get_cwidth, labels))) > width:
            longest = max(range(len(labels)), key=lambda i: get_cwidth(labels[i]))
            if get_cwidth(labels[longest]) <= 3:
                break
            labels[longest] = cut(labels[longest], max(3, get_cwidth(labels[longest]) - (total - width)))
        fragments: StyleAndTextTuples = [("", " " * max(0, (width - total) // 2))]
        for i, label in enumerate(labels):
            here = focused and i == self._index
            style = "class:button class:button.focused" if here else "class:button"
            opening, closing = ("[>", "<]") if here and not is_plain() else ("[ ", " ]")
            if here:
                fragments.append(("[SetCursorPosition]", ""))
            fragments.append((style, f"{opening}{label}{closing}", self._click(i)))
            fragments.append(("", "  "))
        return fragments

    def _click(self, index: int) -> Callable[[MouseEvent], NotImplementedOrNone]:
        def act() -> None:
            get_app().layout.focus(self.window)
            self.press(index)

        return on_click(act)

    def move(self, by: int) -> bool:
        """Go to the button `by` places on; False where the row ends."""
        index = self._index + by
        if not 0 <= index < len(self._buttons):
            return False
        self._index = index
        return True

    def _key_bindings(self) -> KeyBindings:
        bindings = KeyBindings()

        @bindings.add("left")
        def _(event: KeyPressEvent) -> None:
            self.move(-1)

        @bindings.add("right")
        def _(event: KeyPressEvent) -> None:
            self.move(1)

        @bindings.add("tab")
        def _(event: KeyPressEvent) -> None:
            if not self.move(1):
                self._index = 0
                event.app.layout.focus_next()

        @bindings.add("s-tab")
        def _(event: KeyPressEvent) -> None:
            if not self.move(-1):
                event.app.layout.focus_previous()

        @bindings.add("enter")
        @bindings.add("space")
        def _(event: KeyPressEvent) -> None:
            self.press(self._index)

        @bindings.add("<any>")
        def _(event: KeyPressEvent) -> None:
            initials = [label[:1].lower() for label in self.labels]
            if initials.count(event.data.lower()) == 1:
                self.press(initials.index(event.data.lower()))

        return bindings


class _ButtonControl(DrawnText):
    def __init__(self, row: ButtonRow) -> None:
        super().__init__(row.fragments)
        self._bindings = row._key_bindings()

    def is_focusable(self) -> bool:
        return True

    def get_key_bindings(self) -> KeyBindingsBase:
        return self._bindings
