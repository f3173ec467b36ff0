"""The list with one selected row."""

from __future__ import annotations

import time
from collections.abc import Sequence

from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout.containers import HSplit, Window
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.output import ColorDepth

from openhcs.tui.widgets.bindings import Binding
from openhcs.tui.widgets.selectable_list import SelectableList
from openhcs.tui.widgets.themes import PALETTES, Theme, style_of
from tests.tui.screen import Tasks, in_loop, shown


class Names:
    """A list over names that notes what happens."""

    def __init__(self, names: Sequence[str], tasks: Tasks, *, letter_keys: bool = True) -> None:
        self.names = names
        self.selected: list[int] = []
        self.activated: list[str] = []
        self.drawn = 0
        self.widths: set[int] = set()
        self.list: SelectableList[str] = SelectableList(
            lambda: self.names,
            self._row,
            on_select=self.selected.append,
            on_activate=self._activate,
            empty=lambda: [("", "nothing here yet\npress a to add")],
            bindings=[Binding(("home",), lambda: self.selected.append(-1), "Own", "Wins over the list's own key.")],
            tasks=tasks,
            refuse=lambda _: None,
            name="open name",
            letter_keys=letter_keys,
        )

    def _row(self, name: str, width: int) -> StyleAndTextTuples:
        self.drawn += 1
        self.widths.add(width)
        return [("", name)]

    async def _activate(self, name: str) -> None:
        self.activated.append(name)


@in_loop
async def test_keys_move_the_selection() -> None:
    """Arrows, j and k, page keys and End move; the selection stops at both ends; Enter activates as a task."""
    tasks = Tasks()
    names = Names([f"name {i}" for i in range(100)], tasks)
    async with shown(names.list, rows=11, tasks=tasks) as screen:
        await screen.press("up")
        assert names.list.index == 0
        await screen.press("down", "j", "j", "k")
        assert names.list.selected == "name 2"
        await screen.press("pagedown")
        assert names.list.index == 12
        await screen.press("end", "down")
        assert names.list.index == 99
        await screen.press("enter")
        assert screen.line(">").startswith("> name 99")
    assert names.activated == ["name 99"]
    assert tasks.names == ["open name"]


@in_loop
async def test_a_later_binding_wins() -> None:
    """A row given to the list replaces the list's own key."""
    tasks = Tasks()
    names = Names(["a", "b"], tasks)
    async with shown(names.list, tasks=tasks) as screen:
        await screen.press("down", "home")
    assert names.selected == [1, -1]


@in_loop
async def test_a_row_whose_keys_are_all_taken_is_left_out() -> None:
    """Help lists a key once, for what it does: the list's own Enter goes when the caller binds Enter."""
    tasks = Tasks()
    own = SelectableList[str](
        lambda: ["a"],
        lambda name, width: [("", name)],
        on_activate=lambda name: None,
        empty=list,
        bindings=[Binding(("enter",), lambda: None, "Details", "Show more."), Binding(("k",), lambda: None, "K", "K.")],
        tasks=tasks,
        refuse=tasks.names.append,
        name="open",
    )
    assert [row.label for row in own.rows if "enter" in row.keys] == ["Details"]
    assert [row.label for row in own.rows if "k" in row.keys] == ["Up", "K"]


@in_loop
async def test_a_frame_costs_only_the_visible_rows() -> None:
    """A hundred thousand rows are drawn by drawing those on the screen, at the end as at the start."""
    tasks = Tasks()
    names = Names([f"name {i}" for i in range(100_000)], tasks)
    async with shown(names.list, rows=20, tasks=tasks) as screen:
        await screen.press("end")
        names.drawn = 0
        began_s = time.perf_counter()
        await screen.press("up")
        assert time.perf_counter() - began_s < 1
        assert 0 < names.drawn < 100
        assert screen.line(">").startswith("> name 99998")


@in_loop
async def test_the_first_frame_leaves_room_for_the_scroll_bar() -> None:
    """Rows are as wide in the first frame as in those after it, and become wider only when all have room."""
    tasks = Tasks()
    names = Names([f"name {i}" for i in range(100)], tasks)
    async with shown(names.list, rows=11, tasks=tasks) as screen:
        await screen.press("down")
        assert len(names.widths) == 1
        names.names = names.names[:11]
        await screen.press("down")
        assert len(names.widths) == 2


@in_loop
async def test_items_may_vanish() -> None:
    """The selection stays inside the items there are; none show the empty text, and no key then fails."""
    tasks = Tasks()
    names = Names(["a", "b", "c"], tasks)
    async with shown(names.list, tasks=tasks) as screen:
        await screen.press("end")
        names.names = ["a"]
        assert names.list.index == 0
        names.names = []
        await screen.press("down", "pageup", "enter")
        assert names.list.selected is None
        assert "nothing here yet" in screen.text
        assert "press a to add" in screen.text
    assert names.activated == []


@in_loop
async def test_the_index_can_live_elsewhere() -> None:
    """With `index` the list shows the caller's selection and asks the caller to change it."""
    tasks = Tasks()
    state: dict[str, int] = {"at": 1}
    chosen: SelectableList[str] = SelectableList(
        lambda: ["a", "b", "c"],
        lambda name, width: [("", name)],
        index=lambda: state["at"],
        on_select=lambda index: state.update(at=index),
        empty=list,
        tasks=tasks,
        refuse=lambda _: None,
        name="x",
    )
    async with shown(chosen, tasks=tasks) as screen:
        assert screen.line(">") == "> b"
        await screen.press("down")
        assert chosen.selected == "c"
        state["at"] = 0
        assert chosen.index == 0


@in_loop
async def test_the_mouse_selects_activates_and_scrolls() -> None:
    """A click selects and takes the focus, a second one on the same row activates, the wheel scrolls."""
    tasks = Tasks()
    names = Names([f"name {i:03}" for i in range(100)], tasks)
    other = Window(FormattedTextControl("other", focusable=True), height=1)
    async with shown(HSplit([other, names.list]), rows=12, tasks=tasks, focus=other) as screen:
        await screen.click("name 004")
        assert names.list.selected == "name 004"
        assert screen.app.layout.has_focus(names.list.window)
        await screen.click("name 006")
        assert names.activated == []
        await screen.click("name 008", times=2)
        assert names.activated == ["name 008"]
        for _ in range(12):
            await screen.wheel("name", down=True)
        assert "name 000" not in screen.text
        assert ">" in screen.text


@in_loop
async def test_the_selected_row_shows_without_colour() -> None:
    """Without colour, a mark tells the selected row, focused or not, and wide names keep the columns."""
    tasks = Tasks()
    names = Names(["漢字", "plain"], tasks)
    async with shown(names.list, columns=20, tasks=tasks, color_depth=ColorDepth.DEPTH_1_BIT) as screen:
        assert screen.lines[0].startswith("> 漢字")
        assert screen.lines[1].startswith("  plain")


@in_loop
async def test_letters_can_be_left_free() -> None:
    """With `letter_keys=False` j and k are not taken."""
    tasks = Tasks()
    names = Names(["a", "b"], tasks, letter_keys=False)
    async with shown(names.list, tasks=tasks) as screen:
        await screen.press("j")
    assert names.list.index == 0


@in_loop
async def test_the_selected_row_keeps_its_colours_while_the_focus_is_elsewhere() -> None:
    """What is told by red stays red on the ground of the selected row; with the focus the row is reversed whole."""
    rows: SelectableList[str] = SelectableList(
        lambda: ["failed"],
        lambda item, width: [("class:error", item)],
        empty=list,
        tasks=Tasks(),
        refuse=lambda reason: None,
        name="row",
    )
    other = Window(FormattedTextControl("other", focusable=True))
    style = style_of(Theme.DARK)
    async with shown(HSplit([rows, other]), focus=other) as screen:
        away = style.get_attrs_for_style_str(rows._line("failed", 20, selected=True, focused=False)[1][0])
        here = style.get_attrs_for_style_str(rows._line("failed", 20, selected=True, focused=True)[1][0])
        assert "> failed" in screen.text
    dark = PALETTES[Theme.DARK]
    assert (away.color, away.bgcolor, away.reverse) == (dark.error[1:], dark.bar[1:], False)
    assert (here.color, here.reverse) == (dark.text[1:], True)
