"""Binding rows: what keys do, what the footer says, how keys are named."""

from __future__ import annotations

import pytest
from prompt_toolkit.formatted_text import fragment_list_to_text
from prompt_toolkit.layout.containers import HSplit, Window
from prompt_toolkit.layout.controls import FormattedTextControl

from openhcs.tui.widgets.bindings import Binding, footer_fragments, key_bindings, key_name
from openhcs.tui.widgets.drawn_text import drawn_window
from tests.tui.screen import Tasks, in_loop, shown


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("a", "a"),
        ("K", "K"),
        ("c-n", "Ctrl-N"),
        ("s-up", "Shift-Up"),
        ("c-s-left", "Ctrl-Shift-Left"),
        ("pagedown", "PgDn"),
        ("enter", "Enter"),
        ("c-m", "Enter"),
        ("f12", "F12"),
        ("escape", "Esc"),
        ("escape f", "Alt-F"),
        ("escape enter", "Alt-Enter"),
        ("space", "Space"),
        (" ", "Space"),
        ("-", "-"),
        ("?", "?"),
    ],
)
def test_a_key_is_named_as_people_write_it(key: str, name: str) -> None:
    """A prompt_toolkit key name reads as it is printed on a keyboard."""
    assert key_name(key) == name


class Rows:
    """Rows that note what they did."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.refused: list[str] = []
        self.reason: str | None = None

        async def work() -> None:
            self.done.append("work")

        self.rows = (
            Binding(("a", "c-n"), lambda: self.done.append("add"), "Add", "Add one."),
            Binding(("w",), work, "Work", "Start the work."),
            Binding(("d",), lambda: self.done.append("delete"), "Delete", "Delete it.", lambda: self.reason),
            Binding(("x",), lambda: self.done.append("hidden"), "Hidden", "Not on the footer.", on_footer=False),
        )


@in_loop
async def test_a_key_runs_its_row() -> None:
    """Each key of a row runs it; a coroutine goes to the task spawner under the row's label."""
    rows, tasks = Rows(), Tasks()
    keys = key_bindings(rows.rows, tasks=tasks, refuse=rows.refused.append)
    control = FormattedTextControl("here", focusable=True, key_bindings=keys)
    async with shown(Window(control), tasks=tasks) as screen:
        await screen.press("a", "c-n", "w", "x")
    assert rows.done == ["add", "add", "work", "hidden"]
    assert tasks.names == ["Work"]


@in_loop
async def test_a_disabled_row_tells_why() -> None:
    """A row that is refused now does nothing and gives its reason."""
    rows, tasks = Rows(), Tasks()
    rows.reason = "nothing is selected"
    keys = key_bindings(rows.rows, tasks=tasks, refuse=rows.refused.append)
    control = FormattedTextControl("here", focusable=True, key_bindings=keys)
    async with shown(Window(control), tasks=tasks) as screen:
        await screen.press("d")
    assert rows.done == []
    assert rows.refused == ["nothing is selected"]


@pytest.mark.parametrize("width", range(60))
def test_the_footer_keeps_to_its_width(width: int) -> None:
    """The footer shows whole entries and never more cells than it has; what is left out is hinted at."""
    rows = Rows()
    fragments = footer_fragments(rows.rows, width, tasks=Tasks(), refuse=rows.refused.append)
    text = fragment_list_to_text(fragments)
    assert len(text) <= width
    whole = "a Add  w Work  d Delete"
    assert text == whole or width < len(whole)
    assert "Hidden" not in text
    if text and text != whole:
        assert text.endswith("…")
        assert whole.startswith(text.removesuffix("…").rstrip())


@in_loop
async def test_a_click_on_the_footer_runs_the_row() -> None:
    """The words of the footer are buttons."""
    rows, tasks = Rows(), Tasks()
    footer = drawn_window(lambda width: footer_fragments(rows.rows, width, tasks=tasks, refuse=rows.refused.append))
    async with shown(HSplit([Window(), footer]), tasks=tasks) as screen:
        await screen.click("Delete")
        rows.reason = "not now"
        await screen.click("Delete")
    assert rows.done == ["delete"]
    assert rows.refused == ["not now"]


@in_loop
async def test_a_click_on_the_dots_brings_what_did_not_fit() -> None:
    """The "…" of a footer that is cut is a button too, where its owner has something behind it."""
    rows, tasks = Rows(), Tasks()
    opened: list[str] = []
    footer = drawn_window(
        lambda width: footer_fragments(
            rows.rows, 8, tasks=tasks, refuse=rows.refused.append, more=lambda: opened.append("more")
        )
    )
    async with shown(HSplit([Window(), footer]), tasks=tasks) as screen:
        await screen.click("…")
    assert opened == ["more"]
    assert rows.done == []
