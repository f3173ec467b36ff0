"""Pictures as text: the right cells and colours, whatever the terminal has, and no frame that costs too much."""

from __future__ import annotations

from prompt_toolkit.formatted_text import StyleAndTextTuples, fragment_list_to_text

from openhcs.core.rasters import Raster
from openhcs.tui.widgets.colour_scale import Palette
from openhcs.tui.widgets.thumbnail import FreshStyles, fitted_size, picture_lines, tile_sites


def raster(*rows: list[tuple[int, int, int]], outlined: bytes = b"") -> Raster:
    return Raster(len(rows[0]), len(rows), bytes(part for row in rows for pixel in row for part in pixel), outlined)


RED, BLUE, BLACK = (240, 0, 0), (0, 0, 240), (0, 0, 0)


def test_a_cell_shows_two_pixels() -> None:
    """The upper pixel is the half block, the lower one what is behind it; equal neighbours share a fragment."""
    assert picture_lines(raster([RED, RED, BLUE], [BLUE, BLUE, BLUE]), Palette.MANY) == [
        [("fg:#f00000 bg:#0000f0", "▀▀"), ("fg:#0000f0 bg:#0000f0", "▀")]
    ]


def test_an_odd_last_row_fills_its_cell() -> None:
    """A picture of an odd height has no black edge."""
    assert picture_lines(raster([RED]), Palette.MANY) == [[("fg:#f00000 bg:#f00000", "▀")]]


def test_grey_has_finer_steps_than_colours() -> None:
    """Colours come in sixteen steps a part, grey in thirty-two: no frame has more styles than it can be told apart."""
    greys = raster([(value, value, value) for value in range(256)])
    styles = {fragment[0] for fragment in picture_lines(greys, Palette.MANY)[0]}
    assert len(styles) == 32
    reds = raster([(value, 0, 0) for value in range(256)])
    assert len({fragment[0] for fragment in picture_lines(reds, Palette.MANY)[0]}) == 16


def test_without_colour_light_is_a_ramp_and_outlines_are_letters() -> None:
    """Brighter pixels have denser characters; an outline is drawn over them, in no colour."""
    picture = raster([BLACK, (120, 120, 120), (255, 255, 255), RED], outlined=bytes([0, 0, 0, 1]))
    (line,) = picture_lines(picture, Palette.SHAPES)
    assert fragment_list_to_text(line) == " =@o"
    assert {fragment[0] for fragment in line} <= {"", "bold"}


def test_sixteen_colours_keep_the_hue() -> None:
    """With sixteen colours the ramp is drawn in the colour that comes nearest."""
    (line,) = picture_lines(raster([RED, BLUE, (240, 240, 240)]), Palette.SIXTEEN)
    assert [fragment[0] for fragment in line] == ["fg:ansibrightred", "fg:ansibrightblue", ""]


def test_a_frame_has_only_so_many_new_styles() -> None:
    """What is beyond waits in coarser colours for the next frames, until everything is as it should be."""
    styles = FreshStyles(most=10)
    line: StyleAndTextTuples = [(f"fg:#{value:02x}0000 bg:#000000", "▀") for value in range(25)]
    frames = []
    for _ in range(4):
        styles.begin()
        frames.append((styles.admit(line), styles.is_waiting))
    assert [waiting for _, waiting in frames] == [True, True, False, False]
    assert sum(drawn[0] != wanted[0] for drawn, wanted in zip(frames[0][0], line, strict=True)) == 15
    assert frames[2][0] == line
    assert fragment_list_to_text(frames[0][0]) == fragment_list_to_text(line)


def reds(*values: int) -> StyleAndTextTuples:
    return [(f"fg:#{value:02x}0000 bg:#000000", "▀") for value in values]


def test_styles_of_pictures_that_are_gone_are_forgotten() -> None:
    """However many pictures are looked at, no more styles are kept than was said, and each comes to all its colours."""
    styles = FreshStyles(most=10, kept=30)
    for first in range(0, 200, 20):
        line = reds(*range(first, first + 20))
        styles.begin()
        while styles.admit(line) != line:
            assert styles.is_waiting
            styles.begin()
        assert not styles.is_waiting
        assert len(styles._known) <= 30


def test_a_picture_of_too_many_styles_comes_to_rest() -> None:
    """What a picture has beyond all that is kept stays coarse, and no frame is asked for that would change nothing."""
    styles = FreshStyles(most=10, kept=30)
    line = reds(*range(50))
    frames = []
    for _ in range(6):
        styles.begin()
        frames.append(styles.admit(line))
    assert not styles.is_waiting
    assert frames[-1] == frames[-2]
    assert sum(drawn == wanted for drawn, wanted in zip(frames[-1], line, strict=True)) == 30


def test_tiles_are_as_large_as_they_fit() -> None:
    """Sites share the screen without distortion; where there are too many, rows scroll to the selected one."""
    two = tile_sites([(0, 0), (0, 1)], (0, 0), 78, 20, 1.0)
    assert (two.rows, two.columns, two.first) == (1, 2, 0)
    assert two.width * two.columns + 1 <= 78
    assert abs(two.width - 2 * two.height) <= 1
    many = [(row, column) for row in range(12) for column in range(4)]
    scrolled = tile_sites(many, (11, 0), 78, 20, 1.0)
    assert scrolled.first + scrolled.rows == 12
    assert scrolled.rows * (scrolled.height + 1) <= 20
    assert fitted_size(80, 20, 2.0) == (20, 20)
