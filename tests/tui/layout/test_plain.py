"""The workbench on a plain screen, as a screen reader finds it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from openhcs.core.demo_plate import make_demo_plate
from openhcs.core.pipeline_file import shipped_pipelines
from openhcs.testing.driver import WorkbenchDriver, workbench
from openhcs.tui.effects.screen_settings import ScreenSettings

PLAIN = ScreenSettings(plain=True)


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plate of two small wells."""
    return make_demo_plate(tmp_path_factory.mktemp("plates") / "two", wells=("B02", "B03"), size_px=128).folder


def line_at_cursor(wb: WorkbenchDriver) -> str:
    """What a screen reader reads out: the line of the cursor."""
    assert wb.cursor is not None, "the cursor is hidden"
    return wb.screen()[wb.cursor[1]].strip()


async def test_one_pane_at_a_time_is_read_line_by_line(plate: Path) -> None:
    """Each pane has the whole width, without borders, and the cursor stands where the selected line begins."""
    async with workbench([plate], pipeline=shipped_pipelines()["nuclei"], screen=PLAIN) as wb:
        assert wb.screen()[1:3] == ["Plates (1)", "two: not initialised"]
        assert wb.cursor == (0, 2)
        await wb.press("i")
        await wb.wait_for("two: 2 wells")
        await wb.press("tab", "down")
        assert wb.screen()[1] == "Wells of two"
        assert line_at_cursor(wb) == "B03: pending"
        await wb.press("space")
        await wb.press("up")
        assert "B03: pending, marked" in wb.text
        await wb.press("tab", "down")
        assert wb.screen()[1].startswith("Pipeline nuclei")
        assert line_at_cursor(wb).startswith("2 ")
        assert "[x]" not in wb.text


async def test_dialogs_have_the_screen_and_the_cursor(plate: Path) -> None:
    """Nothing shows beside a dialog, the cursor goes with the choice in it, and nothing is drawn with lines."""
    async with workbench([plate], screen=PLAIN) as wb:
        await wb.press("c-p")
        assert "Plates (1)" not in wb.text
        await wb.press("escape")
        await wb.press("T")
        await wb.press("down")
        assert line_at_cursor(wb).startswith("light")
        await wb.press("escape")
        await wb.press("tab", "tab", "a")
        await wb.wait_for("Choose a function")
        await wb.press("escape")
        await wb.press("f10", "down")
        assert line_at_cursor(wb) == "Load, l"
        await wb.press("escape")
        assert not set(wb.written) & set(map(chr, range(0x2500, 0x2600)))


async def test_menus_have_the_screen_and_tell_why_not(plate: Path) -> None:
    """An open menu is a list below its name, nothing of the panes beside it, and what is refused says why."""
    async with workbench([plate], screen=PLAIN) as wb:
        await wb.press("f10", "right")
        assert wb.screen()[0] == "Menu Plate, 2 of 6: Left and Right for the others"
        assert line_at_cursor(wb) == "Add, a"
        assert "Plates (1)" not in wb.text
        await wb.press("down", "down")
        assert line_at_cursor(wb) == "Put back, u (not now: No plate was removed)"
        await wb.press("escape")
        assert wb.screen()[1] == "Plates (1)"


async def test_the_cursor_goes_from_a_search_to_what_was_found(plate: Path) -> None:
    """The first Down reads the row that Enter would take, further ones go on, and typing is back in the search."""
    async with workbench([plate], screen=PLAIN) as wb:
        await wb.press("c-p")
        await wb.type("theme")
        assert line_at_cursor(wb) == "Action: theme"
        await wb.press("down")
        assert line_at_cursor(wb).startswith("Theme ")
        await wb.type("x")
        assert line_at_cursor(wb) == "Action: themex"
        await wb.press("backspace", "down", "enter")
        assert wb.screen()[0] == "Theme"


async def test_texts_are_read_line_by_line(plate: Path) -> None:
    """In a text that fits, and in one that does not, Down goes on by a line and End goes to the last."""
    async with workbench([plate], screen=PLAIN) as wb:
        await wb.press("i")
        await wb.wait_for("two: 2 wells")
        await wb.press("enter")
        await wb.wait_for("Esc Close")
        first = line_at_cursor(wb)
        assert first == wb.screen()[1].strip()
        await wb.press("down")
        assert line_at_cursor(wb) == wb.screen()[2].strip() != first
        await wb.press("escape", "?", "down", "down")
        assert line_at_cursor(wb).startswith("Down, j")
        await wb.press("pagedown")
        assert wb.cursor == (0, 1)
        await wb.press("end")
        assert line_at_cursor(wb).endswith("failed, or some of its wells did")
        await wb.press("up", "home")
        assert line_at_cursor(wb) == "Plates: the keys here"


async def test_fields_are_read_with_their_labels(plate: Path) -> None:
    """A field is its label and its value in words: a switch is yes or no, and the cursor alone points at a field."""
    async with workbench([plate], pipeline=shipped_pipelines()["nuclei"], screen=PLAIN) as wb:
        await wb.press("tab", "tab", "enter")
        await wb.wait_for("Stack of:")
        await wb.press("down", "down")
        assert line_at_cursor(wb).startswith("Stack of:")
        assert line_at_cursor(wb).endswith("site no  channel no  z yes  t no")
        await wb.press("space")
        assert "site yes" in line_at_cursor(wb)


async def test_the_tour_is_one_text(plate: Path) -> None:
    """Who is new is told everything from top to bottom; nothing floats over the panes."""
    async with workbench([plate], tour=True, screen=PLAIN) as wb:
        await wb.wait_for("Finding your way")
        assert wb.screen()[:2] == ["Tour", "Plates"]
        assert "Plates (1)" not in wb.text
        await wb.press("escape")
        assert wb.screen()[1] == "Plates (1)"


async def test_a_key_that_moves_through_a_list_draws_nothing_anew(plate: Path) -> None:
    """The cursor alone goes on: rows that are drawn again may be read out again."""
    async with workbench([plate], pipeline=shipped_pipelines()["nuclei"], screen=PLAIN) as wb:
        await wb.press("i")
        await wb.wait_for("images in")
        await wb.press("tab")
        wb.forget_written()
        await wb.press("down")
        assert not any(character.isalnum() for character in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", wb.written))


async def test_questions_are_a_title_and_words(plate: Path) -> None:
    """A question has its title on a line of its own, its words below, and the cursor on the answer."""
    async with workbench([plate], pipeline=shipped_pipelines()["nuclei"], screen=PLAIN) as wb:
        await wb.press("tab", "tab", "d", "q")
        await wb.wait_for("Go back")
        assert wb.screen()[0] == "Quit?"
        assert "|" not in wb.text
        assert wb.cursor is not None
        assert wb.screen()[wb.cursor[1]][wb.cursor[0] :].startswith("Save it first ]")


async def test_the_file_browser_is_read_in_words(plate: Path) -> None:
    """What is marked says so in its own line, and the order of the rows is told, not drawn."""
    async with workbench([plate], screen=PLAIN) as wb:
        await wb.press("a")
        await wb.wait_for("two/")
        assert wb.screen()[0] == "Add plates"
        assert "order: name" in wb.text
        await wb.press("down", "space", "up")
        await wb.wait_for("marked two/")
        assert "[ ]" not in wb.text


async def test_a_well_is_told_in_words(plate: Path) -> None:
    """In place of pictures there are sizes and intensities, line by line; no key is offered that moves a picture."""
    async with workbench([plate], screen=PLAIN) as wb:
        await wb.press("i")
        await wb.wait_for("two: 2 wells")
        await wb.press("tab", "enter")
        await wb.wait_for("Site 2")
        assert wb.screen()[0] == "Well B02 of two: pending"
        assert line_at_cursor(wb) == "2 sites as acquired, z 2 of 3"
        assert "page 1 of 4. Others: Measurements, Provenance, Log." in wb.text
        await wb.press("down", "down")
        assert line_at_cursor(wb).startswith("Channel DAPI: 128 x 128 pixels, ")
        assert "l Labels" not in wb.text
        await wb.press("b")
        await wb.wait_for("none yet; expected a finished run")
        await wb.press("escape")


async def test_a_step_is_tried_in_words(plate: Path) -> None:
    """Before and after a step are told below each other, and no key is offered that moves a picture."""
    async with workbench([plate], pipeline=shipped_pipelines()["nuclei"], screen=PLAIN) as wb:
        await wb.press("i")
        await wb.wait_for("two: 2 wells")
        await wb.press("tab", "tab", "down", "down", "p")
        await wb.wait_for("Objects nuclei: ", timeout_s=120)
        assert [line.strip() for line in wb.screen() if line.strip() in ("Before", "After")] == ["Before", "After"]
        assert "c Channel" not in wb.text
        await wb.press("escape")


async def test_what_cannot_be_shown_is_told_in_words(plate: Path) -> None:
    """The map of wells is refused on a plain screen, and the last line says so in words."""
    async with workbench([plate], screen=PLAIN) as wb:
        await wb.press("tab", "m")
        assert wb.screen()[-1].startswith(" Note: A plain screen has the wells as a list only")
