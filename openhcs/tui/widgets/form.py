"""A form: labelled fields below each other, scrolled when they need more room, with a message beside each.

Switches and choices pull their value at every frame and push a change; only a line of text keeps its own, because a
text that cannot be parsed yet has no value. Deliberately absent: parsing and checking, which belong to the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from prompt_toolkit.application import get_app
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples, fragment_list_width
from prompt_toolkit.key_binding import KeyBindings, KeyBindingsBase, KeyPressEvent
from prompt_toolkit.layout import walk
from prompt_toolkit.layout.containers import Container, HSplit, VSplit, Window
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.layout.mouse_handlers import MouseHandlers
from prompt_toolkit.layout.screen import Screen, WritePosition
from prompt_toolkit.layout.scrollable_pane import ScrollablePane
from prompt_toolkit.mouse_events import MouseEvent, MouseEventType
from prompt_toolkit.utils import get_cwidth

from openhcs.tui.ports import TaskSpawner
from openhcs.tui.utils.screen_output import is_plain
from openhcs.tui.utils.scrolled_window import is_held
from openhcs.tui.widgets.bindings import Binding, footer_fragments, key_bindings
from openhcs.tui.widgets.drawn_text import DrawnText, cut, drawn_window, fit, on_click
from openhcs.tui.widgets.text_field import TextField

if TYPE_CHECKING:
    from prompt_toolkit.key_binding.key_bindings import NotImplementedOrNone

__all__ = ["ChoiceField", "Field", "FixedField", "Form", "HeadingField", "LineField", "SwitchesField"]

LABEL_CELLS = 23
NARROW_LABEL_CELLS = 14
NARROW_COLUMNS = 66


def _label_width() -> Dimension:
    columns = get_app().output.get_size().columns
    return Dimension.exact(LABEL_CELLS if columns >= NARROW_COLUMNS else NARROW_LABEL_CELLS)


def _silent() -> str | None:
    return None


class Field:
    """One row of a form.

    `problem` says what is wrong with the value now, `hint` what is worth knowing where nothing is; `help` is shown
    while the field has the focus. `reset` gives the default back.
    """

    message_cells = 36

    def __init__(
        self,
        label: str,
        window: Window,
        *,
        help: str = "",
        problem: Callable[[], str | None] = _silent,
        hint: Callable[[], str | None] = _silent,
        reset: Callable[[], None] | None = None,
    ) -> None:
        self.label = label
        self.window = window
        self.help = help
        self.problem = problem
        self.hint = hint
        self.reset = reset

    @property
    def is_focused(self) -> bool:
        """Whether the field has the focus."""
        return get_app().layout.has_focus(self.window)

    @property
    def told(self) -> str:
        """The help, behind what is wrong with the value, for which there may be little room beside it."""
        problem = self.problem()
        return f"{problem[:1].upper()}{problem[1:]}. {self.help}" if problem is not None else self.help

    def row(self) -> Container:
        """Label, field and message beside each other."""
        label = drawn_window(self._label)
        label.width = _label_width
        message = drawn_window(self._message)
        message.width = Dimension(min=0, preferred=self.message_cells)
        return VSplit([label, self.window, message], height=1)

    def _label(self, width: int) -> StyleAndTextTuples:
        mark, style = ("> ", "class:title") if self.is_focused else ("  ", "class:label")
        if is_plain():  # the cursor marks the field; behind the label it is read on
            return [(style, cut(f"{self.label}: ", width))]
        take_focus = on_click(lambda: get_app().layout.focus(self.window))
        return [("class:mark", mark), (style, fit(self.label, max(0, width - 3)), take_focus)]

    def _message(self, width: int) -> StyleAndTextTuples:
        problem = self.problem()
        if problem is not None:
            return [("class:error", cut(f" {'Error:' if is_plain() else '!'} {problem}", width))]
        return [("class:muted", cut(f"   {self.hint() or ''}", width))]


class LineField(Field):
    """A line of text; `changed` gets the text after each edit. Ctrl-N walks through `suggestions`, if there are any."""

    def __init__(
        self,
        label: str,
        text: str,
        changed: Callable[[str], None],
        *,
        help: str = "",
        problem: Callable[[], str | None] = _silent,
        hint: Callable[[], str | None] = _silent,
        default: Callable[[], str] | None = None,
        suggestions: Sequence[str] = (),
        width: int = 18,
    ) -> None:
        keys = KeyBindings()
        if suggestions:

            @keys.add("c-n")
            @keys.add("c-space")
            def _(event: KeyPressEvent) -> None:
                now = self.line.text
                place = suggestions.index(now) + 1 if now in suggestions else 0
                self.line.text = suggestions[place % len(suggestions)]

        self.line = TextField(
            text,
            on_change=lambda: changed(self.line.text),
            style=lambda: "class:field.invalid" if self.problem() is not None else "",
            width=Dimension(min=8, preferred=width),
            keys=keys,
        )

        def reset() -> None:
            if default is not None:
                self.line.text = default()

        super().__init__(
            label, self.line.window, help=help, problem=problem, hint=hint, reset=reset if default else None
        )


class _Painted(DrawnText):
    """A focusable line that is drawn by its field."""

    def __init__(self, draw: Callable[[int], StyleAndTextTuples], keys: KeyBindingsBase) -> None:
        super().__init__(draw)
        self._keys = keys

    def is_focusable(self) -> bool:
        return True

    def get_key_bindings(self) -> KeyBindingsBase:
        return self._keys


def _painted_window(draw: Callable[[int], StyleAndTextTuples], keys: KeyBindingsBase, width: Dimension) -> Window:
    control = _Painted(draw, keys)
    window = Window(control, height=1, width=width, dont_extend_height=True, always_hide_cursor=True)
    control.window = window
    return window


class ChoiceField(Field):
    """One of several words: Left and Right, Space or a click go on to the next."""

    def __init__(
        self,
        label: str,
        choices: Sequence[str],
        index: Callable[[], int],
        changed: Callable[[int], None],
        *,
        help: str = "",
        problem: Callable[[], str | None] = _silent,
        hint: Callable[[], str | None] = _silent,
        reset: Callable[[], None] | None = None,
        width: int = 22,
    ) -> None:
        self._choices = tuple(choices)
        self._index = index
        self._changed = changed
        keys = KeyBindings()

        @keys.add("left")
        def _(event: KeyPressEvent) -> None:
            self._step(-1)

        @keys.add("right")
        @keys.add("space")
        def _(event: KeyPressEvent) -> None:
            self._step(1)

        window = _painted_window(self._draw, keys, Dimension(min=8, preferred=width))
        super().__init__(label, window, help=help, problem=problem, hint=hint, reset=reset)

    def _step(self, by: int) -> None:
        self._changed((self._index() + by) % len(self._choices))

    def _draw(self, width: int) -> StyleAndTextTuples:
        style = "class:field class:field.focused" if self.is_focused else "class:field"
        word = cut(self._choices[self._index()], max(0, width - 4))
        if is_plain():
            return [(style, word, self._click(1))]
        return [
            (style, "◂ ", self._click(-1)),
            (style, fit(word, max(0, width - 4)), self._click(1)),
            (style, " ▸", self._click(1)),
        ]

    def _click(self, by: int) -> Callable[[MouseEvent], NotImplementedOrNone]:
        def act() -> None:
            get_app().layout.focus(self.window)
            self._step(by)

        return on_click(act)


class SwitchesField(Field):
    """Check boxes beside each other: Left and Right walk, Space or a click switches. One alone is a yes or no."""

    def __init__(
        self,
        label: str,
        names: Sequence[str],
        value: Callable[[int], bool],
        changed: Callable[[int, bool], None],
        *,
        help: str = "",
        problem: Callable[[], str | None] = _silent,
        hint: Callable[[], str | None] = _silent,
        reset: Callable[[], None] | None = None,
    ) -> None:
        self._names = tuple(names)
        self._value = value
        self._changed = changed
        self._at = 0
        keys = KeyBindings()

        @keys.add("left")
        def _(event: KeyPressEvent) -> None:
            self._at = max(0, self._at - 1)

        @keys.add("right")
        def _(event: KeyPressEvent) -> None:
            self._at = min(len(self._names) - 1, self._at + 1)

        @keys.add("space")
        def _(event: KeyPressEvent) -> None:
            self._switch(self._at)

        cells = sum(get_cwidth(name) + 6 for name in self._names)
        if len(self._names) > 1:
            self.message_cells = 0
        window = _painted_window(self._draw, keys, Dimension(min=8, preferred=max(22, cells)))
        super().__init__(label, window, help=help, problem=problem, hint=hint, reset=reset)

    def _switch(self, at: int) -> None:
        self._changed(at, not self._value(at))

    def _draw(self, width: int) -> StyleAndTextTuples:
        fragments: StyleAndTextTuples = []
        first = 0
        while first < self._at and sum(get_cwidth(name) + 6 for name in self._names[first : self._at + 1]) > width:
            first += 1
        for i, name in enumerate(self._names):
            if i < first:
                continue
            here = self.is_focused and i == self._at
            if here:
                fragments.append(("[SetCursorPosition]", ""))
            text = _switch_text(name, self._value(i), plain=is_plain())
            fragments.append(("class:field.focused" if here else "class:field", text, self._click(i)))
            fragments.append(("", "  "))
        return fragments

    def _click(self, at: int) -> Callable[[MouseEvent], NotImplementedOrNone]:
        def act() -> None:
            get_app().layout.focus(self.window)
            self._at = at
            self._switch(at)

        return on_click(act)


def _switch_text(name: str, is_on: bool, *, plain: bool) -> str:
    box = "[x]" if is_on else "[ ]"
    words = (name, "yes" if is_on else "no") if plain else (box, name)
    return " ".join(filter(None, words))


class FixedField(Field):
    """A value that is shown and cannot be changed; `help` says why."""

    def __init__(
        self,
        label: str,
        text: Callable[[], str],
        *,
        help: str = "",
        hint: Callable[[], str | None] = _silent,
        width: int = 30,
    ) -> None:
        self._text = text
        if hint is _silent:
            self.message_cells = 0
        window = _painted_window(self._draw, KeyBindings(), Dimension(min=8, preferred=width))
        super().__init__(label, window, help=help, hint=hint)

    def _draw(self, width: int) -> StyleAndTextTuples:
        return [("class:disabled", fit(f"{self._text()}  (fixed)", width))]


class HeadingField(Field):
    """A line of its own that can have the focus and offers `rows` to do with what follows it.

    Several rows are shown only with the focus on it, so that the text has room.
    """

    def __init__(
        self,
        text: Callable[[], str],
        rows: Sequence[Binding],
        *,
        tasks: TaskSpawner,
        refuse: Callable[[str], None],
        help: str = "",
        problem: Callable[[], str | None] = _silent,
    ) -> None:
        self._text = text
        self.rows = tuple(rows)
        self._tasks = tasks
        self._refuse = refuse
        window = _painted_window(self._draw, key_bindings(rows, tasks=tasks, refuse=refuse), Dimension(min=20))
        super().__init__("", window, help=help, problem=problem)

    def row(self) -> Container:
        return VSplit([self.window], height=1)

    def _draw(self, width: int) -> StyleAndTextTuples:
        mark, style = ("> ", "class:title class:selected") if self.is_focused else ("  ", "class:title")
        if is_plain():
            mark = ""
        problem = self.problem()
        text = self._text() if problem is None else f"{self._text()}  ! {problem}"
        actions: StyleAndTextTuples = []
        if self.is_focused or len(self.rows) == 1:
            actions = footer_fragments(self.rows, max(0, width - 16), tasks=self._tasks, refuse=self._refuse)
        room = max(0, width - 5 - fragment_list_width(actions))
        return [
            ("class:mark", mark),
            (style if problem is None else f"{style} class:error", fit(text, room), self._focus),
            ("", "  "),
            *actions,
            ("", " "),
        ]

    def _focus(self, mouse_event: MouseEvent) -> None:
        if mouse_event.event_type is MouseEventType.MOUSE_UP:
            get_app().layout.focus(self.window)


_NARROWEST = 2
"""Cells, one of them for the bar: in less prompt_toolkit's pane has no width left and fails."""


class _WheelPane(ScrollablePane):
    """A scrollable pane that also scrolls by mouse: its content follows the focus, so wheel and scroll bar move that.

    The bar shows only where there is more than fits.
    """

    def __init__(self, content: Container, height: Dimension) -> None:
        self._overflows = False
        super().__init__(content, height=height, show_scrollbar=Condition(lambda: self._overflows))

    def write_to_screen(
        self,
        screen: Screen,
        mouse_handlers: MouseHandlers,
        write_position: WritePosition,
        parent_style: str,
        erase_bg: bool,
        z_index: int | None,
    ) -> None:
        if write_position.width < _NARROWEST:
            return
        wanted = self.content.preferred_height(write_position.width, self.max_available_height).preferred
        self._overflows = wanted > write_position.height
        super().write_to_screen(screen, mouse_handlers, write_position, parent_style, erase_bg, z_index)
        at = write_position
        inside = {y: dict(mouse_handlers.mouse_handlers[y]) for y in range(at.ypos, at.ypos + at.height)}

        def handler(mouse_event: MouseEvent) -> NotImplementedOrNone:
            if mouse_event.event_type is MouseEventType.SCROLL_DOWN:
                get_app().layout.focus_next()
                return None
            if mouse_event.event_type is MouseEventType.SCROLL_UP:
                get_app().layout.focus_previous()
                return None
            if self._overflows and mouse_event.position.x == at.xpos + at.width - 1:
                return self._on_bar(mouse_event, (mouse_event.position.y - at.ypos) / max(1, at.height - 1))
            inner = inside.get(mouse_event.position.y, {}).get(mouse_event.position.x)
            return inner(mouse_event) if inner is not None else NotImplemented

        mouse_handlers.set_mouse_handler_for_range(
            x_min=at.xpos, x_max=at.xpos + at.width, y_min=at.ypos, y_max=at.ypos + at.height, handler=handler
        )

    def _on_bar(self, mouse_event: MouseEvent, share: float) -> NotImplementedOrNone:
        if not is_held(mouse_event):
            return NotImplemented
        inside = [part for part in walk(self.content, skip_hidden=True) if isinstance(part, Window)]
        fields = [window for window in inside if window.content.is_focusable()]
        get_app().layout.focus(fields[round(share * (len(fields) - 1))])
        return None


class Form:
    """The fields, Tab or Up and Down between them, Ctrl-R for the default of one; `on_enter` takes Enter."""

    def __init__(self, fields: Sequence[Field], *, on_enter: Callable[[], None]) -> None:
        self.fields = tuple(fields)
        keys = KeyBindings()

        @keys.add("down")
        @keys.add("tab")
        def _(event: KeyPressEvent) -> None:
            event.app.layout.focus_next()

        @keys.add("up")
        @keys.add("s-tab")
        def _(event: KeyPressEvent) -> None:
            event.app.layout.focus_previous()

        @keys.add("enter")
        def _(event: KeyPressEvent) -> None:
            on_enter()

        @keys.add("c-r")
        def _(event: KeyPressEvent) -> None:
            field = self.focused
            if field is not None and field.reset is not None:
                field.reset()

        rows = HSplit([*(field.row() for field in self.fields), Window(height=0)], key_bindings=keys)
        self.container = _WheelPane(rows, Dimension(min=3, preferred=len(self.fields)))

    def __pt_container__(self) -> Container:
        return self.container

    @property
    def focused(self) -> Field | None:
        """The field that has the focus."""
        return next((field for field in self.fields if field.is_focused), None)
