"""The pictures of the README: a screen becomes an SVG that shows the same text in the same places and colours."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as Xml

import pyte
import pytest

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Xml.Element:
    """A small screen with text, colours, a frame and a block, drawn and read back."""
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[1] / "scripts"))
    from terminal_svg import to_svg

    screen = pyte.Screen(12, 3)
    pyte.Stream(screen).feed("┌──┐ a<b&c\r\n│\x1b[1;38;2;255;0;100mno\x1b[0m│\x1b[44m x \x1b[0m\r\n██\x1b[?25l")
    return Xml.fromstring(to_svg(screen, "A <title>"))


def test_text_keeps_its_columns(drawn: Xml.Element) -> None:
    """Every run of text starts at its column and is as wide as its cells; markup characters are text."""
    texts = {(text.text or "").strip(): text for text in drawn.iter(f"{SVG}text")}
    cell = float(texts["no"].attrib["textLength"]) / 2
    assert float(texts["no"].attrib["x"]) == pytest.approx(12 + cell, abs=0.1)
    assert float(texts["a<b&c"].attrib["x"]) < float(texts["no"].attrib["x"]) + 4 * cell
    assert drawn.findtext(f"{SVG}title") == "A <title>"


def test_colours_and_weights_are_kept(drawn: Xml.Element) -> None:
    """A colour given in full is drawn exactly, bold is bold, a background is a shape behind the text."""
    (bold,) = [text for text in drawn.iter(f"{SVG}text") if text.attrib.get("font-weight") == "bold"]
    assert bold.text == "no"
    assert bold.attrib["fill"] == "#ff0064"
    fills = [shape.attrib["fill"] for shape in drawn.iter(f"{SVG}path")]
    assert "#6aa6f0" in fills


def test_frames_and_blocks_are_shapes(drawn: Xml.Element) -> None:
    """Lines and blocks are not left to a font, which would leave gaps between rows."""
    assert not any(set(text.text or "") & set("┌─┐│█") for text in drawn.iter(f"{SVG}text"))
    assert len(list(drawn.iter(f"{SVG}path"))) >= 5
