"""Choosing a function."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from openhcs.core.functions import Function, catalogue
from openhcs.tui.editors.function_picker import pick_function, search
from tests.tui.screen import Screen, Tasks, in_loop, shown


@asynccontextmanager
async def picking(
    current: str | None = None, *, columns: int = 80, rows: int = 24
) -> AsyncIterator[tuple[Screen, asyncio.Future[Function | None]]]:
    functions = catalogue()
    tasks = Tasks()
    async with shown(columns=columns, rows=rows, tasks=tasks) as screen:
        chosen = asyncio.ensure_future(
            pick_function(screen, functions, functions[current] if current else None, tasks=tasks)
        )
        await screen.wait_for("Choose a function")
        await screen.idle()
        yield screen, chosen
        chosen.cancel()
        await asyncio.gather(chosen, return_exceptions=True)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("gaussian_b", "gaussian_blur"),
        ("gaussian", "gaussian_blur"),
        ("NUCLEI", "segment_threshold_watershed"),
        ("projection mean", "project_mean"),
        ("rolling ball", "subtract_background_tophat"),
        ("otsu nuclei", "segment_threshold_watershed"),
        ("", "flatten_field"),
    ],
)
def test_words_find_functions(text: str, first: str) -> None:
    """Every word must be in name, module or documentation; a name that begins like it comes first, and docs last."""
    assert search(catalogue(), text)[0].name == first


def test_nonsense_finds_nothing() -> None:
    """Words that are nowhere find nothing."""
    assert search(catalogue(), "gaussian zebra") == []


@in_loop
async def test_search_read_and_choose() -> None:
    """Typing narrows the list and the documentation follows the highlight; Enter takes it."""
    async with picking() as (screen, chosen):
        await screen.press("median")
        assert f" of {len(catalogue())}" in screen.text
        assert f"{len(catalogue())} of {len(catalogue())}" not in screen.text
        assert "median_filter(radius_px)" in screen.text
        await screen.press("enter")
        function = await chosen
        assert function is not None
        assert function.name == "median_filter"


@in_loop
async def test_functions_stand_by_module_with_what_they_take() -> None:
    """Each module is named once; beside a function stand its source, its parameters with bounds, and its result."""
    async with picking("segment_threshold_watershed", columns=130, rows=40) as (screen, _):
        assert screen.text.count("segmentation  segment") == 1
        assert "→ label image" in screen.text
        assert "Source: Otsu" in screen.text
        await screen.press(*["s-down"] * 16)
        assert "minimum_area_px: a whole number, at least 1;" in screen.text
        await screen.press(*["s-down"] * 8)
        assert "objects numbered from 1" in screen.text


@in_loop
async def test_nothing_found_is_told() -> None:
    """Where nothing is found, that is said, and Enter takes nothing."""
    async with picking() as (screen, chosen):
        await screen.press("zebra", "enter")
        assert "no function is like that" in screen.text
        assert not chosen.done()
        await screen.press("escape")
        assert await chosen is None


@in_loop
async def test_the_current_function_is_highlighted() -> None:
    """The function in use is highlighted first; Down goes on from there, and a double click takes another."""
    async with picking("gaussian_blur") as (screen, chosen):
        assert screen.line(">").split()[:2] == ["║>", "gaussian_blur"]
        await screen.press("down")
        assert screen.line(">").split()[:2] == ["║>", "median_filter"]
        await screen.click("difference_of", times=2)
        function = await chosen
        assert function is not None
        assert function.name == "difference_of_gaussians"


@pytest.mark.parametrize(("columns", "rows"), [(40, 12), (80, 24), (200, 60)])
@in_loop
async def test_every_size_shows_list_and_documentation(columns: int, rows: int) -> None:
    """List, documentation and buttons are there at every size; beside each other where there is room."""
    async with picking("project_mean", columns=columns, rows=rows) as (screen, _):
        assert "project_mean" in screen.line(">")
        assert "project_mean()" in screen.text
        assert ("│ project_mean()" in screen.text) is (columns >= 110)
        assert "[ Choose ]" in screen.text


@in_loop
async def test_long_documentation_is_read_on() -> None:
    """Shift-Down scrolls the documentation, and another function starts at its beginning."""
    async with picking("normalise_percentile", rows=14) as (screen, _):
        assert "normalise_percentile(low" in screen.text
        await screen.press("s-down", "s-down")
        assert "normalise_percentile(low" not in screen.text
        await screen.press("down", "up")
        assert "normalise_percentile(low" in screen.text
