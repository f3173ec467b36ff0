"""The plate map and the well view in the whole workbench, by real keys and clicks, on plates that are really read."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openhcs.core.demo_plate import make_demo_plate
from openhcs.core.pipeline_file import shipped_pipelines
from openhcs.testing.driver import WorkbenchDriver, workbench
from openhcs.tui.effects.wells import WellReader
from tests.tui.layout.gate import RUN_S, Gate, closed_gate

NUCLEI = shipped_pipelines()["nuclei"]


@pytest.fixture(scope="session")
def sites_plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two wells of two sites and three z planes each."""
    return make_demo_plate(tmp_path_factory.mktemp("plates") / "sites", wells=("B02", "B03"), size_px=128).folder


@pytest.fixture
def gate(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """A pipeline whose wells wait until `open` is called."""
    monkeypatch.syspath_prepend(home)
    with closed_gate(home, "held_wells", "hold", "return image") as gate:
        yield gate


def marked(wb: WorkbenchDriver) -> frozenset[str]:
    assert wb.state.selected is not None
    return wb.state.selected.marked


def picture(wb: WorkbenchDriver) -> list[str]:
    """The colours of a part of the screen."""
    return [wb.background_at(x, y) for y in (10, 12, 14, 16) for x in range(5, 95)]


async def open_well(wb: WorkbenchDriver) -> None:
    """Initialise the plate, go to its wells and open the first."""
    await wb.press("i")
    await wb.wait_for("images in")
    await wb.wait_idle()
    await wb.press("tab", "enter")
    await wb.wait_for("[Pictures]")


async def test_the_map_and_the_list_show_the_same_wells(demo: Path) -> None:
    """`m` turns the list into a map and back; cursor, marks and focus stay; the well is told in words below."""
    async with workbench([demo]) as wb:
        await wb.press("i")
        await wb.wait_for("2 wells")
        await wb.wait_idle()
        await wb.press("tab", "m")
        assert wb.line(" B ").split()[1:4] == ["B", "·>", "·"]
        assert "B02 · pending" in wb.text
        await wb.press("space", "right")
        assert marked(wb) == {"B02"}
        assert "1 marked" in wb.text
        assert "B03 · pending" in wb.text
        await wb.press("m")
        assert "> · B03" in wb.text
        assert "· B02 *" in wb.text
        assert "╔═ Wells of demo" in wb.text
        x, y = wb.find("· B03")
        for wells in ({"B02", "B03"}, {"B02"}):
            await wb.click(x + 2, y, ctrl=True)
            assert marked(wb) == wells
        await wb.press("space", "u")
        assert marked(wb) == frozenset()


async def test_any_pane_can_have_the_whole_screen(demo: Path) -> None:
    """`z` gives the pane with the focus the screen; Tab goes on to the next pane, which then has it; `z` ends it."""
    async with workbench([demo], pipeline=NUCLEI) as wb:
        await wb.press("z")
        assert wb.line("╔═ Plates").endswith("╗")
        assert "Pipeline nuclei" not in wb.text
        await wb.press("tab")
        assert "╔═ Wells of demo" in wb.text
        assert "Plates (1)" not in wb.text
        await wb.press("tab")
        assert "╔═ Pipeline nuclei" in wb.text
        await wb.press("z")
        assert "Plates (1)" in wb.text
        assert "╔═ Pipeline nuclei" in wb.text


@pytest.mark.parametrize("size", [(80, 24), (200, 60)], ids=str)
async def test_a_well_is_looked_at_by_keys(sites_plate: Path, size: tuple[int, int]) -> None:
    """Both sites are drawn as they lie; channel, z, nearness and pages follow their keys; Escape leads back out."""
    async with workbench([sites_plate], size=size) as wb:
        await open_well(wb)
        await wb.wait_until(lambda: wb.text.count("▀") > 200 and "reading" not in wb.text, "both pictures")
        assert ">site 1" in wb.text
        assert " site 2" in wb.text
        assert "z 2 of 3" in wb.text
        await wb.press("2")
        await wb.wait_for("[2 GFP]")
        await wb.press("c", "z", "right")
        await wb.wait_for("z 3 of 3")
        assert ">site 2" in wb.text
        await wb.press("+", "+")
        await wb.wait_for("site 2, 1.5x")
        await wb.press("s")
        await wb.press("escape")
        await wb.wait_for(">site 2")
        await wb.press("n")
        await wb.wait_for("Well B03 of")
        await wb.press("n")
        await wb.wait_for("This is the last well")
        await wb.press("tab")
        await wb.wait_for("No measurements of this well yet.")
        await wb.press("tab")
        await wb.wait_for("nothing made them")
        await wb.press("?")
        await wb.wait_for("Outline the objects of the next label image")
        await wb.press("escape", "escape")
        await wb.wait_gone("[Provenance]")
        assert "╔═ Wells of" in wb.text


async def test_a_well_is_looked_at_by_mouse(sites_plate: Path) -> None:
    """A click chooses a site, a double click goes near; titles turn the pages; the footer's keys are buttons."""
    async with workbench([sites_plate], size=(100, 30)) as wb:
        await open_well(wb)
        await wb.wait_until(lambda: wb.text.count("▀") > 200 and "reading" not in wb.text, "the pictures")
        await wb.click_text(" site 2")
        await wb.wait_for(">site 2")
        await wb.click_text(">site 2", times=2)
        await wb.wait_for("site 2, 1x")
        await wb.click_text("1 DAPI")
        await wb.wait_for("[1 DAPI]")
        await wb.click_text("z 2 of 3")
        await wb.wait_for("z 3 of 3")
        await wb.wheel(40, 15, by=-2)
        await wb.wait_until(lambda: "1x" not in wb.text and "reading" not in wb.text, "a nearer picture")
        before = picture(wb)
        await wb.drag((40, 15), (20, 12))
        await wb.wait_until(lambda: "reading" not in wb.text and picture(wb) != before, "the picture moved")
        await wb.wheel(40, 15, by=3)
        await wb.wait_until(lambda: " site 1" in wb.text and "reading" not in wb.text, "all sites in their places")
        x, y = wb.find(" site 1")
        await wb.wheel(x + 2, y + 3, by=-1)
        await wb.wait_for("site 1, 1x")
        await wb.click_text(" …")
        await wb.click_text("Look from farther away", times=2)
        await wb.wait_for(" site 2")
        await wb.click_text("Log")
        await wb.wait_for("State    pending")
        await wb.click_text("n Next")
        await wb.wait_for("Well B03 of")


async def test_channels_stand_by_themselves_where_there_is_room(sites_plate: Path) -> None:
    """Beside the sites those of the selected one; a click on one shows it alone everywhere, and the room is free."""
    async with workbench([sites_plate], size=(200, 40)) as wb:
        await open_well(wb)
        await wb.wait_until(lambda: "reading" not in wb.text and wb.text.count("DAPI") == 2, "the channels")
        x, y = next((line.rindex("2 GFP"), at) for at, line in enumerate(wb.screen()) if at > 2 and "2 GFP" in line)
        await wb.click(x, y + 2)
        await wb.wait_for("[2 GFP]")
        await wb.wait_until(lambda: wb.text.count("GFP") == 1, "one channel")


async def test_results_are_seen_beside_what_they_were_made_from(
    sites_plate: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a run `b` and `l` show results and outlines; the table sorts; the map is coloured by a number.

    Rows that come in another order when another table is looked at by then are not shown. In another session the plate
    need not be initialised for its wells to be looked at.
    """
    sort, go_on = WellReader.sort_table, asyncio.Event()

    async def held(self: WellReader, table: Any, column: str, *, descending: bool) -> Any:
        await go_on.wait()
        return await sort(self, table, column, descending=descending)

    async with workbench([sites_plate], pipeline=NUCLEI, size=(120, 36)) as wb:
        await wb.press("r")
        await wb.wait_for("2 wells done", RUN_S)
        await wb.wait_idle()
        await wb.press("tab", "enter")
        await wb.wait_for("as acquired")
        await wb.press("b")
        await wb.press("l")
        await wb.wait_for("outlines: nuclei")
        await wb.wait_until(lambda: "reading" not in wb.text, "the pictures")
        await wb.press("tab")
        await wb.wait_for("measurements: ")
        await wb.press("right", "right", "right", "right", "right", "s")
        await wb.wait_for("area_px^")
        monkeypatch.setattr(WellReader, "sort_table", held)
        await wb.press("s", "m")
        await wb.wait_for("counts: ")
        go_on.set()
        await wb.wait_idle()
        assert "counts: " in wb.text
        await wb.press("tab")
        await wb.wait_for("Subtract background")
        await wb.press("tab")
        await wb.wait_for("finished: ")
        await wb.press("q")
        await wb.wait_gone("[Log]")
        await wb.press("v")
        await wb.wait_for("Colour the wells by")
        await wb.press("down", "enter")
        await wb.wait_for("nuclei (objects in the well)")
        await wb.press("v")
        await wb.wait_for("Colour the wells by")
        await wb.press("end", "up", "enter")
        await wb.wait_for("measurements: mean area_um2 [µm²]")
        await wb.wait_until(lambda: wb.state.values is not None and len(wb.state.values.by_well) == 2, "both means")
        assert "area_um2 " in wb.line("B02 ✓")
    async with workbench([sites_plate], pipeline=NUCLEI, size=(120, 36)) as wb:
        await wb.wait_for("2 wells done")
        await wb.press("tab", "enter")
        await wb.wait_until(lambda: wb.text.count("▀") > 200 and "reading" not in wb.text, "the pictures")
        assert wb.state.selected is not None
        assert wb.state.selected.facts is None


async def test_an_image_that_cannot_be_read_is_told_in_its_place(sites_plate: Path, home: Path) -> None:
    """The site with the damaged file says why; the other one is drawn, and keys go on working."""
    plate = home / "broken"
    shutil.copytree(sites_plate, plate)
    for file in plate.rglob("*B02_s1_w1*"):
        file.write_bytes(file.read_bytes()[:900])
    async with workbench([plate], size=(120, 36)) as wb:
        await open_well(wb)
        await wb.wait_for("X image cannot be read")
        await wb.wait_until(lambda: wb.text.count("▀") > 100, "the other site")
        await wb.press("n")
        await wb.wait_for("Well B03 of")
        await wb.wait_gone("cannot be read")


async def test_before_there_are_results_the_view_says_how_to_have_them(sites_plate: Path) -> None:
    """`b` without a run is no error: it says what is missing and how to go on, and `b` leads back."""
    async with workbench([sites_plate]) as wb:
        await open_well(wb)
        await wb.wait_for("z 2 of 3")
        await wb.press("b")
        await wb.wait_for("none yet; expected a finished run")
        await wb.press("b")
        await wb.wait_for("as acquired")
        await wb.wait_gone("none yet")


async def test_without_colour_pictures_are_drawn_by_characters(
    sites_plate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NO_COLOR gives one channel at a time in a ramp of characters, and no half blocks."""
    monkeypatch.setenv("NO_COLOR", "1")
    async with workbench([sites_plate]) as wb:
        await open_well(wb)
        await wb.wait_for("[1 DAPI]")
        await wb.wait_until(lambda: sum(map(wb.text.count, "#%@")) > 10, "a picture")
        assert "▀" not in wb.text


async def test_going_on_cancels_what_was_being_read(sites_plate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However fast wells are passed, at most one is being read; closing ends that too, though it took for ever."""

    async def never(*_: object) -> None:
        await asyncio.get_running_loop().create_future()

    async with workbench([sites_plate]) as wb:

        def reading(what: str) -> list[asyncio.Task[Any]]:
            return [task for task in wb.launcher.program.tasks.tasks() if what in task.get_name()]

        await open_well(wb)
        monkeypatch.setattr(WellReader, "open_images", never)
        for _ in range(10):
            await wb.press("n", "p")
        assert sum(not task.cancelling() for task in reading("pictures of a well")) == 1
        await wb.press("n", "q")
        assert "╔═ Wells of" in wb.text
        await wb.wait_until(lambda: not reading("of a well"), "the reading to end")


async def test_the_map_follows_a_run(demo: Path, gate: Gate) -> None:
    """While wells run the map shows it by their shapes, and a well can be opened and left."""
    async with workbench([demo], pipeline=gate.pipeline) as wb:
        await wb.press("r")
        await wb.press("tab", "m")
        await wb.wait_for(" B ", RUN_S)
        await wb.wait_until(lambda: "!" in wb.line(" B "), "a running well", RUN_S)
        await wb.press("enter")
        await wb.wait_for("Well B02 of demo: running")
        await wb.press("escape")
        await wb.wait_gone("[Pictures]")
        gate.open()
        await wb.wait_until(lambda: wb.line(" B ").count("✓") == 2, "both wells done", RUN_S)
        assert "finished 2" in wb.text
        await wb.wait_idle()
