"""The parts of a layout are found although some of them fail."""

from __future__ import annotations

from prompt_toolkit.filters import Condition
from prompt_toolkit.layout.containers import ConditionalContainer, Container, HSplit

from openhcs.tui.utils.layout_walk import visible_windows, walk_safely
from tests.tui.utils.kit import pane


class Childless(HSplit):
    """Cannot name its children."""

    def get_children(self) -> list[Container]:
        raise RuntimeError("children")


def broken() -> bool:
    raise RuntimeError("filter")


def test_the_parts_beside_a_broken_one_are_found() -> None:
    """A container that raises stands for itself; a filter that raises hides its content only."""
    first, last, hidden = pane(), pane(), pane()
    childless, conditional = Childless([pane()]), ConditionalContainer(hidden, Condition(broken))
    root = HSplit([first, childless, conditional, last])
    assert list(walk_safely(root)) == [root, first, childless, conditional, hidden, last]
    assert visible_windows(root) == [first, last]


def test_only_what_is_drawn_is_visible() -> None:
    """Of a conditional container the content or the alternative."""
    content, alternative, alone = pane(), pane(), pane()
    shown = True
    is_shown = Condition(lambda: shown)
    root = HSplit([ConditionalContainer(content, is_shown, alternative), ConditionalContainer(alone, is_shown)])
    assert visible_windows(root) == [content, alone]
    shown = False
    assert visible_windows(root) == [alternative]
