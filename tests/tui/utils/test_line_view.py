"""Many lines: what is seen costs what is on the screen."""

from __future__ import annotations

from openhcs.tui.utils.line_view import LineView


def rows(view: LineView, width: int, height: int) -> list[str]:
    """What a frame of `width` x `height` shows, without the scrollbar."""
    content = view.create_content(width, height)
    return [
        "".join(part[1] for part in content.get_line(row))[: width - 1].rstrip() for row in range(content.line_count)
    ]


def test_the_last_line_is_at_the_bottom_of_the_end() -> None:
    """End shows the last of a hundred thousand lines as the last row."""
    view = LineView(lambda: [f"line {number}" for number in range(100_000)])
    rows(view, 40, 10)
    view.scroll_end()
    assert rows(view, 40, 10)[-1] == "line 99999"
