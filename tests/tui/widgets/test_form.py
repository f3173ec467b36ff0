"""A form of fields, as far as it is not told by the dialogs that have one."""

from __future__ import annotations

import pytest

from openhcs.tui.widgets.form import Form, LineField
from openhcs.tui.widgets.pane_frame import PaneFrame
from tests.tui.screen import in_loop, shown


@pytest.mark.parametrize(("columns", "rows"), [(1, 1), (1, 5), (2, 5), (3, 5), (80, 1)])
@in_loop
async def test_a_size_without_room_for_anything_is_drawn_too(columns: int, rows: int) -> None:
    """As terminals have it for a moment, while their window is dragged smaller."""
    names: list[str] = []
    form = Form([LineField("Name", "cells", names.append, width=10) for _ in range(9)], on_enter=lambda: None)
    framed = PaneFrame(form, lambda: "Fields", lambda: True, lambda width: [], style="class:dialog")
    async with shown(framed, columns=columns, rows=rows) as screen:
        await screen.press("x")
    assert names == ["cellsx"]
