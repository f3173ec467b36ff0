"""Channels by themselves beside the pictures of a well."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.formatted_text import fragment_list_to_text

from openhcs.tui.effects.wells import Tile
from openhcs.tui.panes.channel_strip import ChannelStrip, StripSize, fit_strip
from openhcs.tui.widgets.thumbnail import tile_sites


@pytest.mark.parametrize(
    ("width", "height", "sites", "channels", "found"),
    [
        (118, 32, 4, 2, StripSize(63, 1, 30, 15)),
        (118, 32, 4, 3, StripSize(63, 2, 15, 8)),
        (298, 95, 1, 2, StripSize(190, 3, 62, 31)),
        (118, 32, 4, 1, None),
        (78, 20, 4, 2, StripSize(39, 1, 18, 9)),
        (40, 20, 1, 2, None),
        (198, 55, 1, 5, StripSize(110, 4, 27, 14, 2)),
        (298, 95, 1, 5, StripSize(190, 4, 47, 24, 2)),
    ],
)
def test_channels_stand_where_there_is_room(
    width: int, height: int, sites: int, channels: int, found: StripSize | None
) -> None:
    """As large as they fit beside the sites, in as few columns as can be; not at all where they would show nothing."""
    side = int(sites**0.5)
    tiling = tile_sites([(at // side, at % side) for at in range(sites)], (0, 0), width, height, 1.0)
    assert fit_strip(tiling, width, height, channels) == found


@given(st.integers(20, 300), st.integers(8, 100), st.integers(1, 4), st.integers(1, 6), st.floats(0.4, 2.5))
def test_the_strip_keeps_to_its_room(width: int, height: int, side: int, channels: int, aspect: float) -> None:
    """Whatever the screen, nothing is drawn beside it or below it."""
    tiling = tile_sites([(at // side, at % side) for at in range(side * side)], (0, 0), width, height, aspect)
    size = fit_strip(tiling, width, height, channels)
    if size is not None:
        assert size.left > tiling.columns * (tiling.width + 1)
        assert size.left + size.columns * (size.width + 1) - 1 <= width
        assert -(-channels // size.columns) * (size.height + 1) <= height


def test_the_strip_stands_beside_the_lines_and_knows_its_channels() -> None:
    """Captions above pictures, in one column; a cell of it belongs to one channel."""
    tile = Tile(1, lines=[[("", "####")], [("", "####")]])
    strip = ChannelStrip(StripSize(6, 1, 4, 2), ["DAPI", "GFP"], [tile, tile])
    lines = [fragment_list_to_text(line) for line in strip.beside([[("", "abc")]])]
    assert lines == ["abc    1 …", "      ####", "      ####", "       2 …", "      ####", "      ####"]
    assert [strip.place_at(7, y) for y in (-1, 0, 2, 3, 5, 6)] == [None, 1, 1, 2, 2, None]
    assert strip.place_at(5, 0) is None


def test_channels_that_do_not_fit_below_each_other_stand_in_columns() -> None:
    """Row by row, as they are numbered; what is between them belongs to none."""
    tile = Tile(1, lines=[[("", "####")], [("", "####")]])
    strip = ChannelStrip(StripSize(2, 1, 4, 2, 2), ["A", "B", "C"], [tile] * 3)
    lines = [fragment_list_to_text(line) for line in strip.beside([[("", "a")]])]
    assert lines == ["a  1 A  2 B", "  #### ####", "  #### ####", "   3 C", "  ####", "  ####"]
    assert [strip.place_at(x, 1) for x in (1, 2, 5, 6, 7, 10, 11)] == [None, 1, 1, None, 2, 2, None]
    assert (strip.place_at(2, 3), strip.place_at(7, 3)) == (3, None)
