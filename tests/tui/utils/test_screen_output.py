"""What is written to a terminal that cannot show everything, or whose reader cannot see."""

from __future__ import annotations

import io
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.data_structures import Size
from prompt_toolkit.utils import get_cwidth

from openhcs.tui.utils.screen_output import ScreenOutput, terminal_encoding

TEXT = "╔═ Plates ═╗│▀█…✓ Zürich µm² 細胞 e\u0301"


def written(text: str, characters: str, *, plain: bool = False, term: str = "xterm") -> str:
    stream = io.StringIO()
    output = ScreenOutput(stream, lambda: Size(24, 80), term, characters=characters, plain=plain)
    output.write(text)
    output.flush()
    return stream.getvalue().partition("\x1b")[0]  # a plain screen shows the cursor as well


@pytest.mark.parametrize(
    ("characters", "shown"),
    [
        ("utf-8", TEXT),
        ("ascii", '#= Plates =#|"#~v Zurich um2 ???? e'),
        ("iso8859-1", '#= Plates =#|"#~v Zürich µm² ???? e'),
        ("koi8-r", "╔═ Plates ═╗│▀█~v Zurich um² ???? e"),
    ],
)
def test_what_an_encoding_lacks_has_a_stand_in(characters: str, shown: str) -> None:
    """Each encoding keeps what it has; the rest is drawn with what is nearest to it."""
    assert written(TEXT, characters) == shown


def test_bars_of_braille_dots_have_stand_ins_too() -> None:
    """Full ones, partly filled ones and empty ones are told apart; a plain screen, which is read out, has none."""
    assert written("⣿⣿⡇\u28003", "ascii") == "##= 3"
    assert written("⣿⣿⡇\u28003", "utf-8", plain=True) == "    3"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("👩\u200d👧 x", "👩👧 x"),
        ("❤\ufe0f\u200d🔥", "❤🔥"),
        ("👍🏽!", "👍  !"),
        ("🇩🇪", "D E "),
        ("soft\u00adhyphen", "soft-hyphen"),
        ("zero\u200bwidth", "zerowidth"),
        ("क्\u200dष e\u0301 عربی\u200cها", "क्\u200dष e\u0301 عربی\u200cها"),
    ],
)
def test_emoji_take_the_cells_they_are_counted_for(name: str, shown: str) -> None:
    """Nothing is written that some terminals draw in fewer cells; joiners inside words stay."""
    assert written(name, "utf-8") == shown


def test_a_plain_screen_has_no_lines() -> None:
    """Lines and blocks are blanks on a plain screen, while letters of all scripts stay."""
    assert written(TEXT, "utf-8", plain=True) == "   Plates      …✓ Zürich µm² 細胞 e\u0301"


def test_the_linux_console_shows_what_its_fonts_have() -> None:
    """Borders and full blocks stay on the Linux console, check marks and eighths of blocks get stand-ins."""
    assert written("╔═│█░✓▎細é", "utf-8", term="linux") == "╔═│█░v=細é"


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])), st.sampled_from(["ascii", "iso8859-1", "cp437"]))
def test_stand_ins_are_as_wide_as_what_they_stand_for(text: str, characters: str) -> None:
    """Whatever is written takes the cells it would take, and can be encoded."""
    for character in text:
        shown = written(character, characters)
        shown.encode(characters)
        assert get_cwidth(shown) == get_cwidth(character)


def test_a_table_of_stand_ins_is_printable() -> None:
    """No stand-in is a control character, so that none can move the cursor."""
    lacking = "".join(map(chr, range(0xA0, 0x3000)))
    assert set(written(lacking, "ascii")) <= set(string.printable) - set("\t\n\r\v\f")


@pytest.mark.parametrize(
    ("environment", "encoding"),
    [
        ({}, "utf-8"),
        ({"LANG": "en_GB.UTF-8"}, "utf-8"),
        ({"LANG": "C"}, "ascii"),
        ({"LANG": "POSIX"}, "ascii"),
        ({"LANG": "C.UTF-8"}, "utf-8"),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, "ascii"),
        ({"LC_CTYPE": "C.UTF-8"}, "utf-8"),
        ({"LANG": "C", "LC_CTYPE": "en_GB.UTF-8"}, "utf-8"),
        ({"LC_ALL": "C", "LANG": "en_GB.UTF-8"}, "ascii"),
        ({"LC_ALL": "C.UTF-8", "LANG": "C"}, "utf-8"),
        ({"LANG": "de_DE.ISO-8859-1"}, "iso8859-1"),
        ({"LANG": "de_DE.ISO8859-15@euro"}, "iso8859-15"),
        ({"LANG": "de_DE.ISO-8859-1", "LC_CTYPE": "C.UTF-8"}, "iso8859-1"),
        ({"LANG": "de_DE"}, "utf-8"),
        ({"LANG": "xx.nonsense"}, "ascii"),
    ],
)
def test_the_locale_tells_the_encoding(environment: dict[str, str], encoding: str) -> None:
    """The first of LC_ALL, LC_CTYPE and LANG counts, but not what Python wrote into LC_CTYPE itself."""
    assert terminal_encoding(environment, "utf-8") == encoding
