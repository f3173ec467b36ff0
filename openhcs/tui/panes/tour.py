"""A tour for newcomers: a small box that tells, step by step, what each part of the screen is for.

The screen behind it works all the while: the arrow keys Right and Left and Escape belong to the tour, every other key
does what it always does. Each step puts the focus where it speaks of, so that the frame and the last line show it.
On a plain screen, which is read from top to bottom, the steps are one text instead.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from prompt_toolkit.application import get_app
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import ConditionalKeyBindings, KeyBindingsBase
from prompt_toolkit.layout.containers import ConditionalContainer, Float

from openhcs.tui.effects.text_dialog import show_text
from openhcs.tui.panes.place import Place
from openhcs.tui.ports import DialogHost, TaskSpawner
from openhcs.tui.utils.screen_output import is_plain
from openhcs.tui.widgets.bindings import Binding, footer_fragments, key_bindings
from openhcs.tui.widgets.drawn_text import drawn_window
from openhcs.tui.widgets.pane_frame import PaneFrame

__all__ = ["Tour", "TourStep"]

_COLUMNS = 58
_LINES = 4


@dataclass(frozen=True, slots=True)
class TourStep:
    """A sentence or three about one part of the screen, and where the focus is meanwhile."""

    title: str
    text: str
    place: Callable[[], Place]


class Tour:
    """Put `float` into the root and `keys` where they work in every pane.

    Args:
        steps: asked for when the tour begins.
        is_free: whether nothing else, such as a dialog, is in front.
        on_end: told when the tour is left, at its end or before.
    """

    def __init__(
        self,
        steps: Callable[[], Sequence[TourStep]],
        *,
        is_free: Callable[[], bool],
        on_end: Callable[[], None],
        app_state: DialogHost,
        tasks: TaskSpawner,
    ) -> None:
        self._make_steps = steps
        self._app_state = app_state
        self._on_end = on_end
        self._tasks = tasks
        self._steps: Sequence[TourStep] = ()
        self._at = 0
        self.rows = (
            Binding(("right",), self.go_on, "Next", "Go on with the tour."),
            Binding(("left",), self.go_back, "Back", "Go back in the tour."),
            Binding(("escape",), self.leave, "Leave", "Leave the tour."),
        )
        goes_on = Condition(lambda: bool(self._steps) and is_free())
        self.keys: KeyBindingsBase = ConditionalKeyBindings(
            key_bindings(self.rows, tasks=tasks, refuse=lambda _: None, eager=True), goes_on
        )
        frame = PaneFrame(
            drawn_window(self._draw, height=_LINES),
            lambda: f"{self._step.title} ({self._at + 1} of {len(self._steps)})",
            lambda: True,
            self._footer,
            style="class:dialog",
        )
        self.float = Float(ConditionalContainer(frame, goes_on), right=1, bottom=3, width=_COLUMNS, z_index=4)

    def start(self) -> None:
        """Begin, or begin again."""
        if is_plain():
            self._tasks.fire_and_forget(self._tell(), "tour")
            return
        self._steps, self._at = tuple(self._make_steps()), 0
        self._step.place().take_focus()
        get_app().invalidate()

    async def _tell(self) -> None:
        """Show all steps as one text."""
        steps = self._make_steps()
        lines = [line for step in steps for line in (step.title, step.text, "")]
        await show_text("Tour", lines[:-1], app_state=self._app_state, tasks=self._tasks)
        self._on_end()

    def go_on(self) -> None:
        """Show the next step; behind the last one there is nothing more."""
        if self._at + 1 == len(self._steps):
            self.leave()
        else:
            self._move(1)

    def go_back(self) -> None:
        """Show the step before."""
        self._move(-1)

    def leave(self) -> None:
        """End the tour where it is; the focus goes to where it began."""
        self._steps[0].place().take_focus()
        self._steps = ()
        self._on_end()

    @property
    def _step(self) -> TourStep:
        return self._steps[self._at]

    def _move(self, by: int) -> None:
        self._at = max(0, min(self._at + by, len(self._steps) - 1))
        self._step.place().take_focus()

    def _draw(self, width: int) -> StyleAndTextTuples:
        return [("", "\n".join(f" {line}" for line in textwrap.wrap(self._step.text, width - 2)))]

    def _footer(self, width: int) -> StyleAndTextTuples:
        onward, *others = self.rows
        if self._at + 1 == len(self._steps):
            onward = replace(onward, label="Done")
        return footer_fragments((onward, *others), width, tasks=self._tasks, refuse=lambda _: None)
