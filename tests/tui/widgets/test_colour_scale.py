"""Numbers as colours and shapes, and the legend that tells them."""

from __future__ import annotations

import math

import pytest
from prompt_toolkit.application.current import set_app
from prompt_toolkit.formatted_text import fragment_list_to_text
from prompt_toolkit.layout import Window
from prompt_toolkit.output import ColorDepth

from openhcs.tui.widgets.colour_scale import (
    NO_VALUE,
    Palette,
    Scale,
    legend_fragments,
    palette_for,
    palette_of_screen,
)
from openhcs.tui.widgets.themes import PALETTES, Theme, style_of
from tests.tui.screen import in_loop, shown
from tests.tui.widgets.test_themes import contrast


def test_shapes_and_colours_rise_with_the_number() -> None:
    """Five shapes from low to high; colours grow brighter, so that the order is seen without knowing hues."""
    scale = Scale(0, 100)
    assert [scale.shape(value) for value in (0, 25, 50, 75, 100)] == ["·", "░", "▒", "▓", "█"]
    colours = [scale.colour(value, Palette.MANY) for value in range(0, 101, 5)]

    def light(colour: str | None) -> float:
        assert colour is not None
        red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    assert [light(colour) for colour in colours] == sorted(map(light, colours))
    assert len({scale.colour(value, Palette.SIXTEEN) for value in range(101)}) == 5
    assert scale.colour(50, Palette.SHAPES) is None


@pytest.mark.parametrize("theme", [Theme.DARK, Theme.LIGHT, Theme.CONTRAST], ids=lambda theme: theme.value)
def test_every_colour_of_a_scale_is_told_from_its_ground(theme: Theme) -> None:
    """The colours of a theme reach 2.4 to 1 on panes and dialogs, and what is high stands out most."""
    palette = palette_for(ColorDepth.DEPTH_24_BIT, on_light=theme is Theme.LIGHT)
    scale = Scale(0, 100)
    for ground in (PALETTES[theme].ground, PALETTES[theme].dialog):
        ratios = [contrast(str(scale.colour(value, palette)), ground) for value in range(0, 101, 5)]
        assert min(ratios) >= 2.4
        assert ratios == sorted(ratios)


@in_loop
async def test_the_palette_of_a_screen_follows_its_theme() -> None:
    """On a light ground the scale is one for light grounds; the theme without colour gets shapes."""
    found = {}
    async with shown(Window()) as screen:
        for theme in Theme:
            screen.app.style = style_of(theme)
            with set_app(screen.app):
                found[theme] = palette_of_screen()
                screen.app.style = style_of(theme, sixteen=True)
                assert palette_of_screen().is_on_light is (theme is Theme.LIGHT)
    assert found == {
        Theme.DARK: Palette.MANY,
        Theme.LIGHT: Palette.MANY_ON_LIGHT,
        Theme.CONTRAST: Palette.MANY,
        Theme.NONE: Palette.SHAPES,
    }


def test_what_has_no_number_has_a_shape_of_its_own() -> None:
    """Missing and not finite values are a question mark and have no colour."""
    scale = Scale.of([1.0, math.nan, 3.0, math.inf])
    assert scale == Scale(1.0, 3.0)
    assert scale.shape(None) == scale.shape(math.nan) == NO_VALUE
    assert scale.colour(None, Palette.MANY) is None
    assert Scale.of([]) is None
    assert Scale(2, 2).fraction(2) == 1.0


def test_the_legend_names_both_ends_and_fits() -> None:
    """Name, lowest and highest number are told; a narrow pane loses the scale, then the end of the name."""
    wide = fragment_list_to_text(legend_fragments("mean area_um2 [µm²]", Scale(12, 5400), Palette.SHAPES, 60))
    assert wide.startswith("mean area_um2 [µm²]  12 ")
    assert wide.endswith(" 5400")
    assert "·" in wide
    assert "█" in wide
    for width in range(8, 80):
        assert len(fragment_list_to_text(legend_fragments("mean area", Scale(0.5, 1), Palette.MANY, width))) <= width
    assert "no numbers yet" in fragment_list_to_text(legend_fragments("mean area", None, Palette.MANY, 60))


def test_the_palette_follows_the_terminal() -> None:
    """No colour, sixteen, or enough of them; for a light ground others."""
    depths = (ColorDepth.DEPTH_1_BIT, ColorDepth.DEPTH_4_BIT, ColorDepth.DEPTH_8_BIT, ColorDepth.DEPTH_24_BIT)
    assert [palette_for(depth) for depth in depths] == [
        Palette.SHAPES,
        Palette.SIXTEEN,
        Palette.MANY,
        Palette.MANY,
    ]
    assert palette_for(ColorDepth.DEPTH_4_BIT, on_light=True) is Palette.SIXTEEN_ON_LIGHT
    assert palette_for(ColorDepth.DEPTH_8_BIT, on_light=True) is Palette.MANY_ON_LIGHT
