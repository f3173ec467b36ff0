"""The titled frame and the row of buttons."""

from __future__ import annotations

from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout.containers import Float, FloatContainer, HSplit, Window
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.output import ColorDepth

from openhcs.tui.widgets.button_row import ButtonRow
from openhcs.tui.widgets.pane_frame import PaneFrame
from tests.tui.screen import Tasks, in_loop, shown


def _focusable(text: str) -> Window:
    return Window(FormattedTextControl(text, focusable=True))


@in_loop
async def test_the_frame_shows_focus_by_its_shape() -> None:
    """A focused frame has double lines, another single ones, so that it reads without colour."""
    focused = {"now": True}
    frame = PaneFrame(_focusable("body"), lambda: "Plates", lambda: focused["now"])
    async with shown(frame, columns=30, rows=5, color_depth=ColorDepth.DEPTH_1_BIT) as screen:
        assert screen.lines[0] == "╔═ Plates ═══════════════════╗"
        assert screen.lines[1].startswith("║body")
        assert screen.lines[4] == "╚════════════════════════════╝"
        focused["now"] = False
        screen.app.invalidate()
        await screen.idle()
        assert screen.lines[0] == "┌─ Plates ───────────────────┐"


@in_loop
async def test_the_frame_keeps_to_its_width() -> None:
    """A long, wide title and a footer are cut so that the corners stay in place."""

    def footer(width: int) -> StyleAndTextTuples:
        return [("", "f" * width)]

    frame = PaneFrame(_focusable("x"), lambda: "漢字" * 20, lambda: False, footer)
    async with shown(frame, columns=21, rows=4) as screen:
        assert screen.lines[0].endswith("┐")
        assert "…" in screen.lines[0]
        assert screen.lines[3] == "└─ " + "f" * 15 + " ─┘"


@in_loop
async def test_buttons_by_key_letter_and_mouse() -> None:
    """Arrows and Tab walk the buttons, Enter and Space press, a first letter presses, and so does a click."""
    pressed: list[str] = []
    tasks = Tasks()

    async def select() -> None:
        pressed.append("select")

    row = ButtonRow(
        [("Select", select), ("Help", lambda: pressed.append("help")), ("Cancel", lambda: pressed.append("cancel"))],
        tasks=tasks,
    )
    other = _focusable("other")
    async with shown(HSplit([other, row]), tasks=tasks, focus=row.window) as screen:
        assert "[>Select<]" in screen.text
        await screen.press("enter", "right", "space", "tab", "enter")
        assert pressed == ["select", "help", "cancel"]
        await screen.press("h")
        assert pressed[3:] == ["help"]
        await screen.click("Cancel")
        assert pressed[4:] == ["cancel"]
        assert "[>Cancel<]" in screen.text
        await screen.press("tab")
        assert screen.app.layout.has_focus(other)
    assert tasks.names == ["Select"]


@in_loop
async def test_buttons_beneath_a_modal_dialog_are_dead() -> None:
    """While a modal dialog has the input, a click on what lies beneath does nothing."""
    pressed: list[str] = []
    row = ButtonRow([("Beneath", lambda: pressed.append("beneath"))], tasks=Tasks())
    dialog = HSplit([_focusable("dialog")], modal=True, width=10, height=1)
    root = FloatContainer(HSplit([row, Window()]), floats=[Float(dialog)])
    async with shown(root, focus=dialog) as screen:
        await screen.click("Beneath")
    assert pressed == []


@in_loop
async def test_many_buttons_fit_a_narrow_screen() -> None:
    """Labels are cut, longest first, before a button falls off the edge."""
    row = ButtonRow([("Select everything marked", lambda: None), ("Cancel", lambda: None)], tasks=Tasks())
    async with shown(row, columns=30, rows=2) as screen:
        assert "Cancel" in screen.lines[0]
        assert "Select" in screen.lines[0]
