"""The themes: legible by contrast, and the same screen without colour."""

from __future__ import annotations

import itertools
import re
from dataclasses import asdict

import pytest
from prompt_toolkit.styles import ANSI_COLOR_NAMES, default_ui_style, merge_styles

from openhcs.core.config import Settings
from openhcs.tui.widgets.themes import PALETTES, SIXTEEN, Palette, Theme, rules, style_of

GROUNDS = ("ground", "dialog", "bar")
TEXTS = ("text", "strong", "soft", "muted", "accent", "folder", "ok", "warning", "error")


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb`, from 0 to 1 (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio, from 1 to 21 (WCAG 2.2)."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def pairs(palette: Palette) -> list[tuple[str, str]]:
    """Every text with every ground it may stand on."""
    on_fields = [("strong", "field"), ("strong", "field_focused"), ("strong", "alarm"), ("error", "field")]
    return [*itertools.product(TEXTS, GROUNDS), *on_fields]


@pytest.mark.parametrize("theme", PALETTES, ids=lambda theme: theme.value)
def test_text_stands_out_from_its_ground(theme: Theme) -> None:
    """Every text reaches 4.5 to 1 on every ground, in high contrast 7 to 1; what is disabled may be weaker, 3 to 1."""
    palette = PALETTES[theme]
    least = 7.0 if theme is Theme.CONTRAST else 4.5
    weak = {
        (text, ground): round(contrast(getattr(palette, text), getattr(palette, ground)), 2)
        for text, ground in pairs(palette)
        if contrast(getattr(palette, text), getattr(palette, ground)) < least
    }
    assert not weak
    for ground in GROUNDS:
        assert contrast(palette.disabled, getattr(palette, ground)) >= (7.0 if theme is Theme.CONTRAST else 3.0)


@pytest.mark.parametrize("theme", SIXTEEN, ids=lambda theme: theme.value)
def test_sixteen_colours_are_named_and_told_apart(theme: Theme) -> None:
    """With sixteen colours none is left to the nearest: states keep hues of their own, not the ground's."""
    palette = SIXTEEN[theme]
    assert all(colour in ANSI_COLOR_NAMES for colour in asdict(palette).values())
    states = [palette.ok, palette.warning, palette.error, palette.accent, palette.text]
    assert len(set(states)) == len(states)
    for ground in GROUNDS:
        assert getattr(palette, ground) not in {getattr(palette, text) for text in (*TEXTS, "disabled", "border")}
    assert style_of(theme, sixteen=True).get_attrs_for_style_str("class:ok").color == palette.ok


@pytest.mark.parametrize("theme", PALETTES, ids=lambda theme: theme.value)
def test_no_colour_of_the_library_shines_through(theme: Theme) -> None:
    """A dialog's parts have the theme's colours, whatever prompt_toolkit gives their classes by itself."""
    style, own = merge_styles([default_ui_style(), style_of(theme)]), set(asdict(PALETTES[theme]).values())
    for part in ("", "class:dialog.title", "class:dialog.frame", "class:button", "class:button.focused", "class:field"):
        attributes = style.get_attrs_for_style_str(f"class:screen class:dialog {part}")
        assert {f"#{attributes.color}", f"#{attributes.bgcolor}"} <= own, part


@pytest.mark.parametrize("theme", Theme, ids=lambda theme: theme.value)
def test_every_theme_tells_the_states_apart_without_colour(theme: Theme) -> None:
    """The selected row, the focused button, field and frame differ from their like by more than a colour."""
    style = style_of(theme)
    plain = style.get_attrs_for_style_str("class:screen")
    selected = style.get_attrs_for_style_str("class:screen class:selected")
    unfocused = style.get_attrs_for_style_str("class:screen class:selected class:selected.unfocused")
    assert selected.reverse
    assert not plain.reverse
    assert not unfocused.reverse
    assert unfocused.bold
    assert style.get_attrs_for_style_str("class:button.focused").reverse
    assert style.get_attrs_for_style_str("class:field.invalid").underline
    assert style.get_attrs_for_style_str("class:field class:field.focused").bold
    assert style.get_attrs_for_style_str("class:pane.border.focused").bold


def test_the_theme_without_colour_has_none() -> None:
    """No class has a colour, not even one that prompt_toolkit gives it, so the terminal's own are kept."""
    on_screen = merge_styles([default_ui_style(), style_of(Theme.NONE)])
    for name in rules(PALETTES[Theme.DARK]):
        attributes = on_screen.get_attrs_for_style_str(f"class:{name}")
        assert attributes.color in ("", "default"), name
        assert attributes.bgcolor in ("", "default"), name


def test_every_palette_gives_whole_rules() -> None:
    """All themes rule the same classes, with colours written in full."""
    for palette in PALETTES.values():
        for rule in rules(palette).values():
            assert all(re.fullmatch(r"(bg:)?#[0-9a-f]{6}|[a-z]+", word) for word in rule.split())


def test_the_settings_know_every_theme() -> None:
    """What the settings take for a theme is what there is."""
    choices = Settings.model_json_schema()["properties"]["theme"]["enum"]
    assert choices == [theme.value for theme in Theme]
