"""A text to read: what its footer offers."""

from __future__ import annotations

import asyncio

import pytest

from openhcs.tui.effects.text_dialog import show_text
from tests.tui.utils.kit import stage


@pytest.mark.parametrize(("count", "scrolls"), [(3, False), (30, False), (200, True)])
def test_scrolling_is_offered_where_there_is_something_to_scroll(count: int, scrolls: bool) -> None:
    """A text that is there as a whole says only how it is closed."""

    async def read() -> None:
        lines = [f"line {number} of a text" for number in range(count)]
        async with stage(rows=50) as here:
            showing = asyncio.ensure_future(show_text("help", lines, app_state=here.host, tasks=here.tasks))
            await here.shows("line 0")
            assert "Close" in here.text
            assert ("Scroll" in here.text) is scrolls
            here.press("\x1b")
            await showing

    asyncio.run(read())
