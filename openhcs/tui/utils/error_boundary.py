"""A broken control stays one broken control.

G11. What raises while it is drawn is reported once and replaced by a tile that names the error and takes `r` to restart
and `d` for details; the rest of the screen goes on. After three restarts in ten seconds the tile stays.
Checked by tests/tui/utils/test_error_boundary.py.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from prompt_toolkit.application import get_app
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyBindingsBase, KeyPressEvent
from prompt_toolkit.layout.containers import AnyContainer, Container, Window, to_container
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.layout.layout import walk
from prompt_toolkit.layout.mouse_handlers import MouseHandlers
from prompt_toolkit.layout.screen import Screen, WritePosition

from openhcs.tui.ports import ErrorSink
from openhcs.tui.utils.faults import ENDINGS, as_error
from openhcs.tui.utils.layout_walk import is_focusable, visible_windows, walk_safely
from openhcs.tui.utils.safe_text import describe, visible

__all__ = ["ErrorBoundary"]


class ErrorBoundary(Container):
    """Holds the container that `build` makes; reports what it raises to `on_error` and shows a tile in its place.

    `on_details(exception)` is called by the tile's `d` key; without it there is none. At most `restarts` restarts are
    done in `within_s` seconds.
    """

    def __init__(
        self,
        build: Callable[[], AnyContainer],
        name: str,
        on_error: ErrorSink,
        *,
        on_details: Callable[[BaseException], None] | None = None,
        restarts: int = 3,
        within_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.failure: BaseException | None = None
        self._build = build
        self._report = on_error
        self._on_details = on_details
        self._restarts = restarts
        self._within_s = within_s
        self._clock = clock
        self._restarted_s: deque[float] = deque()
        self._tile = Window(
            FormattedTextControl(self._tile_text, focusable=True, key_bindings=self._tile_keys()),
            wrap_lines=True,
            style="class:tile",
        )
        self._inside: Container = self._tile
        self._guard("building", self._rebuild)

    def restart(self) -> bool:
        """Build the inside anew; False once it has been restarted too often."""
        if self._is_exhausted():
            return False
        self._restarted_s.append(self._clock())
        had_focus = get_app().layout.has_focus(self._tile)
        self.failure = None
        self._guard("restarting", self._rebuild)
        if had_focus and self.failure is None:
            self._move_focus_to(self._inside)
        return True

    # -- Container -----------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Reset the inside."""
        if self.failure is None:
            self._guard("resetting", self._inside.reset)

    def preferred_width(self, max_available_width: int) -> Dimension:
        """The inside's, or what the tile wants."""
        if self.failure is not None:
            return self._tile.preferred_width(max_available_width)
        width = self._guard("measuring", lambda: self._inside.preferred_width(max_available_width))
        return width if width is not None else self._tile.preferred_width(max_available_width)

    def preferred_height(self, width: int, max_available_height: int) -> Dimension:
        """The inside's, or what the tile wants."""
        if self.failure is not None:
            return self._tile.preferred_height(width, max_available_height)
        height = self._guard("measuring", lambda: self._inside.preferred_height(width, max_available_height))
        return height if height is not None else self._tile.preferred_height(width, max_available_height)

    def write_to_screen(
        self,
        screen: Screen,
        mouse_handlers: MouseHandlers,
        write_position: WritePosition,
        parent_style: str,
        erase_bg: bool,
        z_index: int | None,
    ) -> None:
        """Draw the inside, or the tile where it fails."""

        def draw_tile(z_index: int | None) -> None:
            # It erases what is there: half a frame of the broken control must not stay.
            self._tile.write_to_screen(screen, mouse_handlers, write_position, parent_style, True, z_index)

        def draw_inside() -> None:
            deferring: Any = _DeferringScreen(
                screen, lambda late: self._contain("drawing", late, lambda: draw_tile(None))
            )
            self._inside.write_to_screen(deferring, mouse_handlers, write_position, parent_style, erase_bg, z_index)

        if self.failure is None:
            self._guard("drawing", draw_inside)
        if self._is_broken():
            draw_tile(z_index)

    def is_modal(self) -> bool:
        """As the inside."""
        return self.failure is None and bool(self._guard("looking inside", self._inside.is_modal))

    def get_key_bindings(self) -> KeyBindingsBase | None:
        """As the inside; the tile has its own."""
        return self._guard("looking up keys", self._inside.get_key_bindings) if self.failure is None else None

    def get_children(self) -> list[Container]:
        """The inside, or the tile."""
        if self.failure is None:
            # Asked here for all of them: whoever walks the layout stops at the first that raises.
            self._guard("looking inside", lambda: deque(walk(self._inside), maxlen=0))
        return [self._tile if self.failure is not None else self._inside]

    # -- the tile ------------------------------------------------------------------------------------------------

    def _rebuild(self) -> None:
        self._inside = to_container(self._build())

    def _is_broken(self) -> bool:
        return self.failure is not None

    def _guard(self, doing: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except ENDINGS:
            raise
        except BaseException as fault:
            self._fail(as_error(fault), doing)
            return None

    def _contain(self, doing: str, call: Callable[[], None], instead: Callable[[], None]) -> None:
        if self.failure is None:
            self._guard(doing, call)
            if self._is_broken():
                instead()

    def _fail(self, failure: BaseException, doing: str) -> None:
        self.failure = failure
        had_focus = self._holds_focus()
        self._report(failure, f"{doing} {self.name}")
        if had_focus:
            self._move_focus_to(self._tile)
        # What fails after the drawing, or between two frames, is seen in the next one only.
        get_app().invalidate()

    def _holds_focus(self) -> bool:
        layout = get_app().layout
        part: Container | None = layout.current_window
        if any(part is inner for inner in walk_safely(self._inside)):
            return True
        # What cannot name its children any more is asked as it was in the last frame.
        while part is not None and part is not self:
            part = layout.get_parent(part)
        return part is self

    def _move_focus_to(self, container: Container) -> None:
        layout = get_app().layout
        for window in visible_windows(container):
            if is_focusable(window):
                layout.current_window = window
                layout.update_parents_relations()
                return

    def _is_exhausted(self) -> bool:
        now = self._clock()
        while self._restarted_s and now - self._restarted_s[0] > self._within_s:
            self._restarted_s.popleft()
        return len(self._restarted_s) >= self._restarts

    def _tile_text(self) -> StyleAndTextTuples:
        failure = self.failure
        if failure is None:
            return []
        message = visible(describe(failure), 500)
        exhausted = self._is_exhausted()
        offered = [(not exhausted, "r restart"), (self._on_details is not None, "d details")]
        keys = "   ".join(key for is_on, key in offered if is_on)
        return [
            ("class:tile.title", f" {visible(self.name)} stopped working \n"),
            ("class:key", f" {keys}\n"),
            ("", f" It failed again after {self._restarts} restarts.\n" if exhausted else ""),
            ("class:error", f" {visible(type(failure).__name__, 100)}: "),
            ("", message),
        ]

    def _tile_keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("r")
        def _restart(event: KeyPressEvent) -> None:
            self.restart()
            event.app.invalidate()

        @keys.add("d")
        def _details(event: KeyPressEvent) -> None:
            if self._on_details is not None and self.failure is not None:
                self._on_details(self.failure)

        return keys


class _DeferringScreen:
    """Stands for a Screen; what is drawn later, above the rest, goes through `contain` as what is drawn now does."""

    def __init__(self, screen: Screen, contain: Callable[[Callable[[], None]], None]) -> None:
        object.__setattr__(self, "_screen", screen)
        object.__setattr__(self, "_contain", contain)

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "_screen"), name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(object.__getattribute__(self, "_screen"), name, value)

    def draw_with_z_index(self, z_index: int, draw_func: Callable[[], None]) -> None:
        """As Screen's, with `draw_func` contained."""
        contain = object.__getattribute__(self, "_contain")
        object.__getattribute__(self, "_screen").draw_with_z_index(z_index, lambda: contain(draw_func))
