"""The frame of the core's dialogs."""

from __future__ import annotations

import pytest
from prompt_toolkit.layout.containers import Window
from prompt_toolkit.layout.controls import FormattedTextControl

from openhcs.tui.utils.dialog_frame import framed, key_hints
from openhcs.tui.widgets.pane_frame import PaneFrame
from tests.tui.screen import in_loop, shown

KEYS = key_hints(("Enter", "Choose"), ("Esc", "Cancel"))


def body() -> Window:
    return Window(FormattedTextControl("What now?", focusable=True))


@pytest.mark.parametrize("with_keys", [True, False])
@in_loop
async def test_it_looks_as_the_frames_of_all_other_dialogs(with_keys: bool) -> None:
    """Title, border and keys stand where `PaneFrame` has them."""
    keys = KEYS if with_keys else []
    ours = framed(body(), "Question", "class:dialog", keys)
    theirs = PaneFrame(body(), lambda: "Question", lambda: True, (lambda _: keys) if with_keys else None)
    async with shown(ours, columns=40, rows=5) as screen:
        drawn = screen.lines
    async with shown(theirs, columns=40, rows=5) as screen:
        assert drawn == screen.lines
    assert drawn[0].startswith("╔═ Question ═")
    assert ("Enter Choose  Esc Cancel" in drawn[-1]) is with_keys


@in_loop
async def test_a_long_title_leaves_the_corners_in_their_places() -> None:
    """Title and keys are cut where the dialog is narrower than they are."""
    async with shown(framed(body(), "Question " * 9, "class:dialog", KEYS), columns=20, rows=4) as screen:
        assert screen.lines[0].startswith("╔═ Question")
        assert [line[-1] for line in screen.lines] == ["╗", "║", "║", "╝"]
