"""How the workbench looks: a few colours by what they mean, and the rules drawn from them.

Every state that matters is told by a mark, weight or reversal too, so the screen reads the same without colour; the
theme `NONE` keeps only these. Text stands out from its ground by at least 4.5 to 1, in the theme of high contrast by
7 to 1 (WCAG 2.2, 1.4.3 and 1.4.6): tests/tui/widgets/test_themes.py.

A dotted class inherits from its parent: `selected.unfocused` starts from `selected` and takes its reversal back.
Anybody under openhcs.tui may import this.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from typing import Final

from prompt_toolkit.styles import BaseStyle, Style

__all__ = ["PALETTES", "SIXTEEN", "Palette", "Theme", "rules", "style_of"]


class Theme(StrEnum):
    """The looks there are, by the names that the settings use."""

    DARK = "dark"
    LIGHT = "light"
    CONTRAST = "high contrast"
    NONE = "no colour"


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours `#rrggbb`, or names where there are few: grounds, and the text that stands on them."""

    ground: str
    dialog: str
    bar: str
    field: str
    field_focused: str
    alarm: str
    text: str
    strong: str
    soft: str
    muted: str
    disabled: str
    border: str
    accent: str
    folder: str
    ok: str
    warning: str
    error: str


PALETTES: Final[Mapping[Theme, Palette]] = {
    Theme.DARK: Palette(
        ground="#16191d",
        dialog="#20252b",
        bar="#2a3037",
        field="#2d343c",
        field_focused="#3a4550",
        alarm="#5c2326",
        text="#d4d7da",
        strong="#ffffff",
        soft="#b8c0c7",
        muted="#939ea8",
        disabled="#7a8591",
        border="#5b6570",
        accent="#6cb6ff",
        folder="#8fc7ff",
        ok="#7ccf8a",
        warning="#e6b450",
        error="#ff8f88",
    ),
    Theme.LIGHT: Palette(
        ground="#fbfbf9",
        dialog="#f0f1f3",
        bar="#e1e5ea",
        field="#ffffff",
        field_focused="#dcebfb",
        alarm="#f8d7d7",
        text="#22272e",
        strong="#000000",
        soft="#3d4650",
        muted="#525c66",
        disabled="#737c85",
        border="#8b959f",
        accent="#0a55a8",
        folder="#0b4f92",
        ok="#17652b",
        warning="#7a4d00",
        error="#ab1d1d",
    ),
    Theme.CONTRAST: Palette(
        ground="#000000",
        dialog="#000000",
        bar="#1c1c1c",
        field="#1c1c1c",
        field_focused="#00305f",
        alarm="#5f0000",
        text="#ffffff",
        strong="#ffffff",
        soft="#ffffff",
        muted="#d7d7d7",
        disabled="#bcbcbc",
        border="#ffffff",
        accent="#87d7ff",
        folder="#87d7ff",
        ok="#87ff87",
        warning="#ffd75f",
        error="#ffafaf",
    ),
}


# The nearest of sixteen colours to a soft green or red is a grey, and a terminal's own grey may not be read at all.
_DARK_IN_SIXTEEN: Final = Palette(
    ground="ansiblack",
    dialog="ansiblack",
    bar="ansiblack",
    field="ansiblack",
    field_focused="ansiblue",
    alarm="ansired",
    text="ansigray",
    strong="ansiwhite",
    soft="ansigray",
    muted="ansigray",
    disabled="ansibrightblack",
    border="ansibrightblack",
    accent="ansibrightcyan",
    folder="ansibrightcyan",
    ok="ansibrightgreen",
    warning="ansibrightyellow",
    error="ansibrightred",
)
SIXTEEN: Final[Mapping[Theme, Palette]] = {
    Theme.DARK: _DARK_IN_SIXTEEN,
    Theme.LIGHT: Palette(
        ground="ansiwhite",
        dialog="ansigray",
        bar="ansigray",
        field="ansiwhite",
        field_focused="ansiwhite",
        alarm="ansigray",
        text="ansiblack",
        strong="ansiblack",
        soft="ansiblack",
        muted="ansibrightblack",
        disabled="ansibrightblack",
        border="ansibrightblack",
        accent="ansiblue",
        folder="ansiblue",
        ok="ansigreen",
        warning="ansimagenta",
        error="ansired",
    ),
    Theme.CONTRAST: replace(
        _DARK_IN_SIXTEEN,
        text="ansiwhite",
        soft="ansiwhite",
        muted="ansiwhite",
        disabled="ansigray",
        border="ansiwhite",
    ),
}
"""The same looks for terminals with sixteen colours, by prompt_toolkit's names."""


def rules(palette: Palette) -> dict[str, str]:
    """The style rules of a palette, for `Style.from_dict`."""
    p = palette
    return {
        "screen": f"bg:{p.ground} {p.text}",
        # panes
        "pane": "",
        "pane.border": p.border,
        "pane.border.focused": f"{p.accent} bold",
        "pane.title": p.soft,
        "pane.title.focused": f"{p.strong} bold",
        "pane.footer": p.muted,
        "tile": f"bg:{p.alarm} {p.strong}",
        "tile.title": "bold",
        # rows; the selected one has colours of its own, since others would be reversed into blocks
        "selected": f"reverse {p.text} bg:{p.ground}",
        "selected.unfocused": f"noreverse bold bg:{p.bar}",
        "mark": "bold",
        "muted": p.muted,
        "key": f"{p.accent} bold",
        "label": p.soft,
        "disabled": p.disabled,
        "folder": f"{p.folder} bold",
        # how things stand
        "error": f"{p.error} bold",
        "warning": p.warning,
        "ok": p.ok,
        "busy": p.accent,
        "title": "bold",
        # dialogs and their fields
        "dialog": f"bg:{p.dialog} {p.text}",
        "dialog.frame": f"{p.accent} bold",
        "dialog.border": p.muted,
        "dialog.title": f"{p.strong} bold",
        "field": f"bg:{p.field} {p.strong}",
        "field.focused": f"bg:{p.field_focused} {p.strong} bold",
        "field.invalid": f"{p.error} underline",
        "button": p.soft,
        "button.focused": f"reverse {p.text} bg:{p.dialog} bold",
        "button.disabled": p.disabled,
        # chrome
        "status": f"bg:{p.bar} {p.text}",
        "status.error": f"bg:{p.alarm} {p.strong} bold",
        "menu": f"bg:{p.bar} {p.text}",
        "menu.key": "underline",
        "menu.selected": "reverse bold",
        "menu.border": p.border,
        "scrollbar.background": f"bg:{p.dialog}",
        "scrollbar.button": f"bg:{p.border}",
    }


@cache
def style_of(theme: Theme, *, sixteen: bool = False) -> BaseStyle:
    """The style of a theme; built once, since prompt_toolkit caches what it draws by style."""
    palette = (SIXTEEN if sixteen else PALETTES).get(theme)
    if palette is not None:
        return Style.from_dict(rules(palette))
    # prompt_toolkit rules some of these classes itself, a dialog's ground blue: what is not said here shines through.
    colourless = {
        name: " ".join(["fg:default bg:default", *(word for word in rule.split() if "#" not in word)])
        for name, rule in rules(PALETTES[Theme.DARK]).items()
    }
    # Without colours a scroll bar is drawn by reversal, a field by its line, and what cannot run now by italics.
    extra = {"scrollbar.button": "reverse", "field": "underline", "disabled": "italic", "warning": "bold"}
    return Style.from_dict({name: f"{rule} {extra.get(name, '')}".strip() for name, rule in colourless.items()})
