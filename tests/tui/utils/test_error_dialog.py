"""The error dialog on a screen: pages, details, keys, and text that cannot drive the terminal."""

from __future__ import annotations

from openhcs.tui.utils.error_dialog import show_scrollable_error_dialog
from tests.tui.utils.kit import raised, stage


async def test_a_message_is_shown_until_escape() -> None:
    """The dialog shows title and message, and Escape closes it."""
    async with stage() as here:
        here.tasks.fire_and_forget(
            show_scrollable_error_dialog("It broke", "the reason", raised(ValueError("why")), here.host), "show"
        )
        await here.shows("the reason")
        assert "It broke" in here.text
        here.press("\x1b")
        await here.shows_no("the reason")
