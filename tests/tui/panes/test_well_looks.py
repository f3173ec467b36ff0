"""How a well looks on the map, and what is told below it."""

from __future__ import annotations

import pytest
from prompt_toolkit.formatted_text import fragment_list_to_text
from prompt_toolkit.output.vt100 import FG_ANSI_COLORS

from openhcs.core.progress import WellProgress, WellState
from openhcs.tui.panes.well_looks import measure_legend, state_legend, state_look, told_fragments, value_look
from openhcs.tui.widgets.colour_scale import Palette, Scale
from openhcs.tui.widgets.themes import PALETTES, Theme
from openhcs.tui.workbench import Measure
from tests.tui.widgets.test_themes import contrast

AREA = Measure("area_um2", "measurements")


def test_every_state_has_a_shape_and_a_colour_of_its_own() -> None:
    """No two states look alike, with colour or without, also where a terminal with 16 colours takes the nearest."""
    for palette in Palette:
        looks = [state_look(WellProgress("B02", state=state), palette) for state in WellState]
        assert len({look.shape for look in looks}) == len({look.colour for look in looks}) == len(WellState)
        if not palette.has_many:
            assert all(look.colour in FG_ANSI_COLORS for look in looks)


@pytest.mark.parametrize("palette", [Palette.MANY, Palette.MANY_ON_LIGHT], ids=lambda palette: palette.name)
def test_failure_is_told_from_success_without_hues(palette: Palette) -> None:
    """Where a colour is all there is room for, failed wells differ from finished ones by 2 to 1 in lightness."""
    colours = {state: str(state_look(WellProgress("B02", state=state), palette).colour) for state in WellState}
    for done in (WellState.FINISHED, WellState.REUSED):
        assert contrast(colours[WellState.FAILED], colours[done]) >= 2.0
    ground = PALETTES[Theme.LIGHT if palette.is_on_light else Theme.DARK].ground
    assert min(contrast(colour, ground) for colour in colours.values()) >= 1.7


def test_a_well_is_painted_by_its_state() -> None:
    """Where there are colours a well stands on that of its state, in black or white, whichever is read on it."""
    for palette in Palette:
        for state in WellState:
            look = state_look(WellProgress("B02", state=state), palette)
            assert bool(look.painted) is palette.has_many
            if look.painted:
                ground, ink = look.painted.removeprefix("bg:").split()
                assert ground == look.colour
                assert contrast(ink, ground) >= 4.5


def test_numbers_are_colours_or_else_shapes() -> None:
    """With colour a well is filled with it; without, the fuller shape is the higher number; none is a question mark."""
    scale = Scale(0, 10)
    assert value_look(0, scale, Palette.MANY).shape == value_look(10, scale, Palette.MANY).shape == "█"
    assert value_look(0, scale, Palette.MANY).colour != value_look(10, scale, Palette.MANY).colour
    assert [value_look(value, scale, Palette.SHAPES).shape for value in (0, 10)] == ["·", "█"]
    assert value_look(None, scale, Palette.MANY).shape == "?"


def test_the_well_under_the_cursor_is_told_in_words() -> None:
    """Name, mark, number and state are read without any colour, within the width there is."""
    well = WellProgress("B02", state=WellState.FINISHED, objects={"nuclei": 121})
    told = fragment_list_to_text(told_fragments(well, AREA, 168.04, 70, marked=True))
    assert told == "* B02 ✓ area_um2 168, finished: 121 nuclei"
    assert "area_um2 ?" in fragment_list_to_text(told_fragments(well, AREA, None, 70, marked=False))
    assert len(fragment_list_to_text(told_fragments(well, AREA, 168.04, 20, marked=True))) <= 20


def test_legends_count_states_and_name_units() -> None:
    """The states there are with how many wells each; a measure with its table, unit and both ends."""
    states = [WellState.PENDING] * 3 + [WellState.FAILED]
    legend = fragment_list_to_text(state_legend(states, Palette.MANY, 60))
    assert legend.split() == ["·", "pending", "3", "X", "failed", "1"]
    # Where the words do not fit all states are told by their shapes, rather than some of them not at all.
    assert fragment_list_to_text(state_legend(states, Palette.MANY, 15)).split() == ["·", "3", "X", "1"]
    legend = fragment_list_to_text(measure_legend(AREA, Scale(168, 197), Palette.MANY, 80))
    assert legend.startswith("measurements: mean area_um2 [µm²]  168 ")
    assert legend.endswith(" 197")
