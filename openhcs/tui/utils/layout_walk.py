"""The parts of a layout, found also where some of them fail.

prompt_toolkit's `walk` ends with the exception of the first filter or container that raises; whoever looks for a place
for the focus, or for the control that has just failed, needs the others. Anybody may import this.

Checked by tests/tui/utils/test_layout_walk.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from prompt_toolkit.layout.containers import ConditionalContainer, Container, Window

__all__ = ["is_focusable", "visible_windows", "walk_safely"]


def walk_safely(container: Container, skip_hidden: bool = False) -> Iterator[Container]:
    """`container` and all in it; one that cannot name its children has none.

    With `skip_hidden` only what is drawn: of a ConditionalContainer the content or the alternative, and neither where
    its filter raises.
    """
    try:
        children = container.get_children()
        if skip_hidden and isinstance(container, ConditionalContainer):
            drawn = container.content if container.filter() else container.alternative_content
            children = [] if drawn is None else [drawn]
    except Exception:
        # Drawing it will raise the same, and is reported; here it only has nothing to offer.
        children = []
    yield container
    for child in children:
        yield from walk_safely(child, skip_hidden)


def is_focusable(window: Window) -> bool:
    """Whether `window` takes the focus; one that cannot tell does not."""
    try:
        return window.content.is_focusable()
    except Exception:
        # Drawing it will raise the same, and is reported.
        return False


def visible_windows(container: Container) -> list[Window]:
    """The windows in `container` that are drawn."""
    return [part for part in walk_safely(container, skip_hidden=True) if isinstance(part, Window)]
