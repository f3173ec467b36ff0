"""The map of a plate, by keys and by mouse, from 8 wells to 1536."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence

import pytest
from prompt_toolkit.output import ColorDepth

from openhcs.core.model import well_name, well_position
from openhcs.tui.widgets.map_cells import SELECTED, WellLook, well_lines
from openhcs.tui.widgets.map_layout import Grid, MapLayout, lay_out, row_letters
from openhcs.tui.widgets.plate_map import PlateMap
from tests.tui.screen import Screen, Tasks, in_loop, shown


class Plate:
    """A map over wells that notes what happens."""

    def __init__(self, wells: Sequence[str], tasks: Tasks, size: tuple[int, int] = (8, 12), *, stack: bool = True):
        self.wells = wells
        self.at = 0
        self.marked: set[int] = set()
        self.opened: list[str] = []
        self.drawn = 0
        self.filled = False
        grid = Grid.of(*size, [well_position(well) for well in wells])
        self.map = PlateMap(
            lambda: grid,
            self._look,
            index=lambda: self.at,
            on_select=self._select,
            on_activate=self._open,
            is_marked=lambda number: number in self.marked,
            on_mark=self._mark,
            may_stack=lambda: stack,
            empty=lambda: [("", "no wells yet")],
            tasks=tasks,
            refuse=lambda _: None,
            name="open well",
        )

    @property
    def here(self) -> str:
        return self.wells[self.at]

    def names(self) -> set[str]:
        return {self.wells[number] for number in self.marked}

    def _look(self, number: int) -> WellLook:
        self.drawn += 1
        if self.filled:
            return WellLook("█", "fg:#00ff00", "#00ff00", fills=True, words=str(number), words_style="bg:#00ff00")
        return WellLook("x" if self.wells[number] == "B03" else "o", "", "#00ff00", words="27%")

    def _select(self, number: int) -> None:
        self.at = number

    def _mark(self, numbers: Collection[int], on: bool) -> None:
        self.marked = self.marked | set(numbers) if on else self.marked - set(numbers)

    async def _open(self) -> None:
        self.opened.append(self.here)


def whole(rows: int, columns: int) -> list[str]:
    return [well_name(row, column) for row in range(rows) for column in range(columns)]


async def drag(screen: Screen, start: tuple[int, int], end: tuple[int, int]) -> None:
    (x, y), (to_x, to_y) = start, end
    screen._pipe.send_text(f"\x1b[<0;{x + 1};{y + 1}M\x1b[<32;{to_x + 1};{to_y + 1}M\x1b[<0;{to_x + 1};{to_y + 1}m")
    await screen.idle()


async def press_at(screen: Screen, x: int, y: int, *, button: int = 0) -> None:
    screen._pipe.send_text(f"\x1b[<{button};{x + 1};{y + 1}M\x1b[<{button};{x + 1};{y + 1}m")
    await screen.idle()


@in_loop
async def test_a_plate_is_drawn_with_its_letters_and_numbers() -> None:
    """96 wells stand under their column numbers behind their row letters; each has its own shape."""
    tasks = Tasks()
    plate = Plate(whole(8, 12), tasks)
    async with shown(plate.map, rows=12, tasks=tasks) as screen:
        assert screen.lines[0].split() == [str(number) for number in range(1, 13)]
        assert [line.split()[0] for line in screen.lines[1:9]] == list("ABCDEFGH")
        assert screen.lines[2].split()[1:4] == ["o", "o", "x"]
        assert screen.lines[1].split()[1] == "o>"


@in_loop
async def test_keys_go_from_well_to_well() -> None:
    """Arrows and hjkl skip places without a well; Home, End and the page keys go to the ends; Enter opens."""
    tasks = Tasks()
    plate = Plate(["B02", "B05", "D03", "D10"], tasks)
    async with shown(plate.map, tasks=tasks) as screen:
        for key, well in (
            ("right", "B05"),
            ("l", "B05"),
            ("down", "D03"),
            ("end", "D10"),
            ("k", "B05"),
            ("h", "B02"),
            ("pagedown", "D03"),
            ("up", "B02"),
            ("up", "B02"),
        ):
            await screen.press(key)
            assert plate.here == well, key
        await screen.press("j", "enter")
    assert plate.opened == ["D03"]
    assert tasks.names == ["open well"]


@in_loop
async def test_a_range_is_marked_with_shift() -> None:
    """Shift with the arrows marks the rectangle from where it began; moving without ends it, and keeps the marks."""
    tasks = Tasks()
    plate = Plate(whole(8, 12), tasks)
    async with shown(plate.map, rows=12, tasks=tasks) as screen:
        await screen.press("down", "right", "L", "L", "s-down")
        assert plate.names() == {"B02", "B03", "B04", "C02", "C03", "C04"}
        assert "o*" in screen.lines[2]
        await screen.press("right", "J")
        assert plate.names() == {"B02", "B03", "B04", "C02", "C03", "C04", "C05", "D05"}


@in_loop
async def test_the_mouse_selects_opens_and_marks() -> None:
    """A click selects, a second one on the same well opens it, dragging marks the rectangle between."""
    tasks = Tasks()
    plate = Plate(whole(8, 12), tasks)
    async with shown(plate.map, rows=12, tasks=tasks) as screen:
        x, y = screen.lines[2].index("x"), 2
        await screen.click("x")
        assert plate.here == "B03"
        await screen.click("x")
        await drag(screen, (x, y), (x + 4, y + 1))
        assert plate.here == "C04"
        assert plate.names() == {"B03", "B04", "C03", "C04"}
    assert plate.opened == ["B03"]


@in_loop
async def test_letters_numbers_and_control_mark_by_mouse() -> None:
    """A click on a row's letters or a column's number marks its wells, another unmarks them; so does Control one."""
    tasks = Tasks()
    plate = Plate(whole(8, 12), tasks)
    async with shown(plate.map, rows=12, tasks=tasks) as screen:
        await screen.click("C ")
        assert plate.names() == {f"C{column:02}" for column in range(1, 13)}
        await screen.click("11")
        assert len(plate.names()) == 12 + 7
        await screen.click("C ")
        assert plate.names() == {f"{row}11" for row in "ABDEFGH"}
        x, y = screen.lines[2].index("x"), 2
        for expected in (True, False):
            await press_at(screen, x, y, button=16)
            assert ("B03" in plate.names()) is expected


@in_loop
async def test_both_wells_of_a_cell_are_reached_by_mouse(monkeypatch: pytest.MonkeyPatch) -> None:
    """A click selects the upper of two that share a cell, a later one the lower; clicked twice at once it opens."""
    tasks = Tasks()
    plate = Plate(whole(32, 48), tasks, (32, 48))
    pause = "openhcs.tui.widgets.double_click.DOUBLE_CLICK_S"
    async with shown(plate.map, rows=17, tasks=tasks) as screen:
        await screen.press("right")
        monkeypatch.setattr(pause, 0.0)
        for well in ("A01", "B01", "A01"):
            await press_at(screen, 3, 1)
            assert plate.here == well
        monkeypatch.setattr(pause, 60.0)
        await screen.press("right")
        for _ in range(2):
            await press_at(screen, 3, 1)
        assert plate.opened == ["A01"]
        await press_at(screen, 3, 1)
        await press_at(screen, 3, 1)
    assert plate.opened == ["A01", "B01"]


@in_loop
async def test_of_two_rows_that_share_a_line_the_one_that_is_named_is_marked() -> None:
    """A click on the letters of a line marks the row that they name, which is the cursor's where it stands there."""
    tasks = Tasks()
    plate = Plate(whole(32, 48), tasks, (32, 48))
    async with shown(plate.map, rows=17, tasks=tasks) as screen:
        await press_at(screen, 1, 2)
        assert {name[0] for name in plate.names()} == {"C"}
        assert len(plate.marked) == 48
        await screen.press("down", "down", "down")
        await press_at(screen, 1, 2)
        assert {name[0] for name in plate.names()} == {"C", "D"}


@pytest.mark.parametrize(("columns", "rows", "size"), [(64, 18, (5, 2)), (110, 40, (8, 4)), (40, 30, (3, 2))])
@in_loop
async def test_wells_grow_with_the_screen(columns: int, rows: int, size: tuple[int, int]) -> None:
    """Where there is room a well has several lines, about as high as wide, with words below its shape."""
    tasks = Tasks()
    plate = Plate(whole(8, 12), tasks)
    cell, tall = size
    async with shown(plate.map, columns=columns, rows=rows, tasks=tasks) as screen:
        x, y = 3 + 2 * cell, 1 + tall
        assert screen.lines[y][x] == "x"
        assert (screen.lines[y + 1][x : x + 3] == "27%") is (cell > 3)
        await press_at(screen, x, y + tall - 1)
        assert plate.here == "B03"
        plate.filled = True
        await screen.press("right")
        assert screen.lines[y + tall - 1][x : x + cell].strip() == "▀" * (cell - 1)
        told = screen.lines[y + (tall - 1) // 2][x + cell : x + 2 * cell - 1]
        assert told.strip() == (">15" if cell == 5 else "15")
        await press_at(screen, x + cell, y, button=16)
        assert "*" in screen.lines[y][x + cell : x + 2 * cell] or cell == 3


def test_a_shape_stands_on_the_colour_of_its_well() -> None:
    """What is painted fills its cells but for a gap, also below; the selected well is reversed instead."""
    look = WellLook("x", "class:error", "#ff867c", "bg:#ff867c #000000", words="27%")

    def drawn(cell: int, tall: int, *, cursor: str = "", marked: bool = False) -> list[list[tuple[str, ...]]]:
        layout = MapLayout(cell, tall, 1, 0, 8, 0, 12)
        return [[fragment[:2] for fragment in line] for line in well_lines(look, layout, cursor, marked=marked)]

    assert drawn(1, 1) == [[(look.painted, "x")]]
    assert drawn(2, 1) == [[(look.painted, "x"), ("class:mark", " ")]]
    assert drawn(4, 1, marked=True) == [[(f"{look.painted} bold", "x* "), ("", " ")]]
    shape, words, below = drawn(5, 3)
    assert shape == [(look.painted, "x   "), ("", " ")]
    assert words == [(look.painted, "27% "), ("", " ")]
    assert below == [("fg:#ff867c", "▀▀▀▀"), ("", " ")]
    assert all(SELECTED in style for line in drawn(5, 3, cursor=SELECTED) for style, text in line if text != " ")


@in_loop
async def test_1536_wells_fit_two_rows_a_line_in_colour() -> None:
    """80 x 24 less its header shows 32 rows where colour may tell them apart, and nothing is drawn twice."""
    tasks = Tasks()
    plate = Plate(whole(32, 48), tasks, (32, 48))
    async with shown(plate.map, rows=17, tasks=tasks) as screen:
        assert [line.split()[0] for line in screen.lines[1:]] == [row_letters(row) for row in range(0, 32, 2)]
        assert screen.lines[1].count("▀") == 48
        plate.drawn = 0
        await screen.press("right")
        assert plate.drawn <= 2 * 1536


@pytest.mark.parametrize("columns", [30, 80])
@in_loop
async def test_without_colour_1536_wells_scroll_under_their_headers(columns: int) -> None:
    """Shapes stay; the rows and columns on the screen follow the cursor, letters and numbers stay beside them."""
    tasks = Tasks()
    plate = Plate(whole(32, 48), tasks, (32, 48), stack=False)
    async with shown(plate.map, columns=columns, tasks=tasks, color_depth=ColorDepth.DEPTH_1_BIT) as screen:
        assert "▀" not in screen.text
        assert screen.lines[1].split()[0] == "A"
        await screen.press("pagedown", "end")
        assert plate.here == "AF48"
        assert screen.lines[-1].split()[0] == "AF"
        assert screen.lines[0].split()
        await screen.press("pageup", "home")
        assert screen.lines[1].split()[0] == "A"
        assert screen.lines[0].split()[0] == "1"


@in_loop
async def test_a_frame_costs_only_the_wells_on_the_screen() -> None:
    """A part of a large plate is drawn by looking at that part only, in milliseconds."""
    tasks = Tasks()
    plate = Plate(whole(32, 48), tasks, (32, 48), stack=False)
    async with shown(plate.map, columns=23, rows=11, tasks=tasks):
        plate.drawn = 0
        begin_s = time.perf_counter()
        for _ in range(20):
            plate.map.control.create_content(23, 11)
        assert plate.drawn == 20 * 200
        assert time.perf_counter() - begin_s < 2.0


@in_loop
async def test_a_plate_without_wells_says_so() -> None:
    """Nothing to select is no error, whatever is pressed."""
    tasks = Tasks()
    plate = Plate([], tasks)
    async with shown(plate.map, tasks=tasks) as screen:
        await screen.press("down", "L", "enter", "end")
        assert "no wells yet" in screen.text
    assert plate.opened == []


def test_the_layout_scrolls_no_more_than_it_must() -> None:
    """What was on the screen stays where it was while the cursor is within it; two rows a line keep to pairs."""
    grid = Grid.of(32, 48, [])
    first = lay_out(grid, 80, 11, (0, 0), may_stack=False, before=None)
    assert (first.first_row, first.rows, first.columns, first.cell, first.stacked) == (0, 10, 48, 1, 1)
    down = lay_out(grid, 80, 11, (12, 0), may_stack=False, before=first)
    assert down.first_row == 3
    assert lay_out(grid, 80, 11, (5, 0), may_stack=False, before=down).first_row == 3
    for row in range(32):
        stacked: MapLayout = lay_out(grid, 80, 11, (row, 0), may_stack=True, before=None)
        assert stacked.first_row % 2 == 0
        assert stacked.first_row <= row < stacked.first_row + stacked.rows


def test_a_grid_holds_every_well_it_is_given() -> None:
    """Wells beyond the size that a plate tells widen it."""
    assert (Grid.of(0, 0, [(7, 11)]).rows, Grid.of(0, 0, [(7, 11)]).columns) == (8, 12)
    assert [row_letters(row) for row in (0, 25, 26, 31)] == ["A", "Z", "AA", "AF"]
