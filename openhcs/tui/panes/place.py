"""Somewhere the focus can stand: the unit by which Tab moves, and from which footer and help are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prompt_toolkit.application import get_app
from prompt_toolkit.layout.containers import Window

from openhcs.tui.widgets.bindings import Binding

__all__ = ["Place"]


@dataclass(frozen=True, slots=True)
class Place:
    """A focusable window, what to call it, and the rows of the keys that work there."""

    name: str
    window: Window
    rows: Sequence[Binding]

    @property
    def has_focus(self) -> bool:
        """Whether the focus stands here."""
        return get_app().layout.has_focus(self.window)

    def take_focus(self) -> None:
        """Bring the focus here."""
        get_app().layout.focus(self.window)
