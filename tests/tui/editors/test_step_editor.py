"""The step editor on a screen, by keys and by mouse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from prompt_toolkit.output import ColorDepth

from openhcs.core.functions import catalogue
from openhcs.core.model import Channel, Component, FunctionCall, Step
from openhcs.tui.editors.step_editor import edit_step
from tests.tui.screen import Screen, Tasks, in_loop, shown

BLUR = Step("smooth", (FunctionCall("gaussian_blur"), FunctionCall("normalise_percentile")))


class Editing:
    """An open step editor, and the step it gives in the end."""

    def __init__(self, screen: Screen, result: asyncio.Task[Step | None]) -> None:
        self.screen = screen
        self.result = result

    async def press(self, *keys: str) -> None:
        # A function picker may be waiting in a task: tasks are not waited for.
        await self.screen.press(*keys, tasks=False)

    async def go_to(self, field: str) -> None:
        """Tab to the row that holds `field`."""
        for _ in range(40):
            if f"> {field}" in " ".join(self.screen.text.replace(">", "> ").split()):
                return
            await self.press("tab")
        raise AssertionError(f"no field {field!r}:\n{self.screen.text}")


@asynccontextmanager
async def editing(
    step: Step,
    *,
    columns: int = 80,
    rows: int = 24,
    channels: Sequence[Channel] = (Channel(1, "DAPI"), Channel(2, "FITC")),
    color_depth: ColorDepth = ColorDepth.DEPTH_24_BIT,
) -> AsyncIterator[Editing]:
    tasks = Tasks()
    async with shown(columns=columns, rows=rows, tasks=tasks, color_depth=color_depth) as screen:
        result = asyncio.ensure_future(
            edit_step(
                step,
                app_state=screen,
                functions=catalogue(),
                channels=channels,
                labels=["nuclei", "cells"],
                tables=["shifts"],
                tasks=tasks,
            )
        )
        await screen.wait_for("Step:")
        await screen.idle()
        yield Editing(screen, result)
        await tasks.close()
        result.cancel()
        await asyncio.gather(result, return_exceptions=True)


@in_loop
async def test_nothing_changed_gives_the_same_step() -> None:
    """Enter on an untouched form gives the step back; Escape gives None."""
    async with editing(BLUR) as at:
        await at.press("enter")
        assert await at.result == BLUR
    async with editing(BLUR) as at:
        await at.press("escape")
        assert await at.result is None


@in_loop
async def test_the_fields_of_a_step() -> None:
    """Name and output are typed, enabled and the stack are switched, the group is chosen."""
    async with editing(BLUR) as at:
        await at.press(" all")
        assert "Step: smooth all *" in at.screen.text
        await at.press("tab", "space")
        await at.press("tab", "space", "right", "right", "space")
        assert "[ ] site  [ ] channel  [x] z  [ ] t" in at.screen.text
        await at.press("tab", "soft", "tab", "right", "enter")
        step = await at.result
    assert step == Step("smooth all", BLUR.pattern, (Component.Z,), Component.Z, output="soft", enabled=False)


@in_loop
async def test_a_parameter_is_checked_while_it_is_typed() -> None:
    """A value out of bounds is told beside its field and keeps OK from closing; Ctrl-R gives the default back."""
    async with editing(BLUR) as at:
        await at.go_to("sigma_px")
        assert "Standard deviation of the blur" in at.screen.text
        await at.press("backspace", "5000")
        assert "! expected a number from 0 to 1000" in at.screen.line("5000")
        await at.press("enter")
        assert not at.result.done()
        assert "gaussian_blur, sigma_px: expected a number from 0 to 1000" in at.screen.text
        await at.press("c-r")
        assert "!" not in at.screen.line("sigma_px")
        await at.press("backspace", "2.5", "enter")
        step = await at.result
    assert step is not None
    assert step.pattern == (FunctionCall("gaussian_blur", {"sigma_px": 2.5}), FunctionCall("normalise_percentile"))


@in_loop
async def test_choices_and_switches_of_parameters() -> None:
    """A choice goes round with Right, a yes or no is switched with Space."""
    async with editing(BLUR) as at:
        await at.go_to("over")
        await at.press("right")
        assert "plane" in at.screen.line(" over")
        await at.press("down", "space", "enter")
        step = await at.result
    assert step is not None
    assert step.pattern == (
        FunctionCall("gaussian_blur"),
        FunctionCall("normalise_percentile", {"over": "plane", "clip": False}),
    )


@in_loop
async def test_what_the_engine_fills_in_is_not_shown() -> None:
    """Of a function that learns from the plate: its parameters, the estimator's and the sample's; not the estimate."""
    step = Step("even", (FunctionCall("correct_plate_illumination", {"dark_counts": 110.0}),))
    async with editing(step, columns=100, rows=40) as at:
        text = at.screen.text
        for name in ("dark_counts", "percent", "degree", "sample_planes", "sample_by_site"):
            assert name in text
        assert " light " not in text
        await at.go_to("sample_planes")
        await at.press("backspace", "backspace", "0")
        assert "! expected a whole number from 1 to 1000" in at.screen.line("sample_planes")
        await at.press("backspace", "200", "tab", "space", "enter")
        changed = await at.result
    assert changed is not None
    parameters = {"dark_counts": 110.0, "sample_planes": 200, "sample_by_site": True}
    assert changed.pattern == (FunctionCall("correct_plate_illumination", parameters),)


@in_loop
async def test_functions_are_moved_and_removed() -> None:
    """Shift-Down runs a function later, Delete takes it out, and the focus stays with it."""
    async with editing(BLUR) as at:
        await at.go_to("1. gaussian_blur")
        await at.press("s-up")
        assert "this is the first function" in at.screen.text
        await at.press("s-down")
        assert "> 2. gaussian_blur" in at.screen.text
        await at.press("delete")
        assert "gaussian_blur" not in at.screen.text
        await at.press("c-s")
        step = await at.result
    assert step is not None
    assert step.pattern == (FunctionCall("normalise_percentile"),)


@in_loop
async def test_a_function_is_added_and_changed() -> None:
    """Enter at the end of the chain adds a function found by its name; Enter on a function changes it."""
    async with editing(BLUR) as at:
        await at.go_to("then")
        await at.press("enter")
        await at.screen.wait_for("Choose a function")
        await at.press("count_obj", "enter")
        await at.screen.wait_for("> 3. count_objects")
        assert "nuclei, cells" in at.screen.line(" labels")
        await at.press("home")
        await at.go_to("1. gaussian_blur")
        await at.press("enter")
        await at.screen.wait_for("Choose a function")
        await at.press("median", "enter")
        await at.screen.wait_for("> 1. median_filter")
        await at.press("c-s")
        step = await at.result
    assert step is not None
    assert step.pattern == (
        FunctionCall("median_filter"),
        FunctionCall("normalise_percentile"),
        FunctionCall("count_objects", {"labels": "cells"}),
    )


@in_loop
async def test_escape_in_the_picker_leaves_the_step() -> None:
    """Closing the function picker goes back to the same place with nothing changed."""
    async with editing(BLUR) as at:
        await at.go_to("then")
        await at.press("enter")
        await at.screen.wait_for("Choose a function")
        await at.press("escape")
        await at.screen.wait(lambda: "Choose a function" not in at.screen.text)
        assert "then" in at.screen.line(">")
        await at.press("escape")
        assert await at.result is None


@in_loop
async def test_each_channel_gets_its_own_functions() -> None:
    """Functions split by channel: the first keeps the chain, the next passes through until it gets one."""
    async with editing(BLUR) as at:
        await at.go_to("Functions")
        await at.press("right", "tab")
        assert "1 DAPI" in at.screen.line("Edit channel")
        await at.press("right")
        assert "2 FITC" in at.screen.line("Edit channel")
        assert "2 FITC passes through unchanged" in at.screen.text
        await at.go_to("2 FITC passes")
        await at.press("enter")
        await at.screen.wait_for("Choose a function")
        await at.press("project_max", "enter")
        await at.screen.wait_for("> 1. project_maximum")
        await at.press("c-s")
        step = await at.result
    assert step is not None
    assert step.pattern == {"DAPI": BLUR.pattern, "FITC": (FunctionCall("project_maximum"),)}


@in_loop
async def test_channels_are_added_and_removed() -> None:
    """Without a plate a channel is added by its name; removing one takes its functions away."""
    async with editing(Step("mixed", {"DAPI": BLUR.pattern, "2": BLUR.pattern}), channels=()) as at:  # type: ignore[dict-item]
        assert "functions for DAPI, 2" in at.screen.text
        await at.go_to("channels")
        await at.press("a")
        await at.screen.wait_for("Add a channel")
        await at.press("Cy5", "enter")
        await at.screen.wait_for("Cy5 passes through unchanged")
        await at.go_to("Edit channel")
        await at.press("right")
        assert "DAPI" in at.screen.line("Edit channel")
        await at.go_to("channels")
        await at.press("d")
        assert "DAPI" not in at.screen.text
        await at.press("c-s")
        step = await at.result
    assert step is not None
    assert step.pattern == {"2": BLUR.pattern}


@in_loop
async def test_tables_of_earlier_steps_are_offered() -> None:
    """A parameter that takes a table names those there are; Ctrl-N puts them in, Ctrl-R takes them out."""
    async with editing(Step("stitch", (FunctionCall("stitch_sites"),))) as at:
        await at.go_to("alignment")
        assert "There is shifts (Ctrl-N)" in at.screen.text
        await at.press("c-n", "c-s")
        step = await at.result
    assert step is not None
    assert step.pattern == (FunctionCall("stitch_sites", {"alignment": "shifts"}),)


@in_loop
async def test_escape_asks_before_changes_are_lost() -> None:
    """With changes, the first Escape says so and the second leaves; going on with editing takes the question back."""
    async with editing(BLUR) as at:
        await at.press("x", "escape")
        assert "has changes that would be lost" in at.screen.text
        assert not at.result.done()
        await at.press("y", "escape")
        assert "has changes that would be lost" in at.screen.text
        assert not at.result.done()
        await at.press("escape")
        assert await at.result is None


@in_loop
async def test_what_a_file_got_wrong_can_be_put_right() -> None:
    """A misspelt parameter and an unknown function are shown where they stand, and can be removed."""
    step = Step("odd", (FunctionCall("gaussian_blur", {"sigma": 3}), FunctionCall("nope")))
    async with editing(step) as at:
        assert "sigma = 3  ! not a parameter of gaussian_blur" in at.screen.text
        assert "2. nope  ! no such function" in at.screen.text
        await at.press("enter")
        assert not at.result.done()
        await at.go_to("sigma = 3")
        await at.press("delete")
        await at.go_to("2. nope")
        await at.press("delete", "c-s")
        fixed = await at.result
    assert fixed == Step("odd", (FunctionCall("gaussian_blur"),))


@in_loop
async def test_a_form_higher_than_the_screen_scrolls() -> None:
    """On a small screen the field with the focus is in sight, and the wheel and a bar go through the fields."""
    chain = tuple(FunctionCall("segment_threshold_watershed") for _ in range(5))
    async with editing(BLUR) as at:
        assert not any(line.rstrip("║ ").endswith("^") for line in at.screen.lines)
    async with editing(Step("long", chain), rows=14) as at:
        assert any(line.rstrip("║ ").endswith("^") for line in at.screen.lines)
        for _ in range(30):
            await at.press("tab")
            assert any(">" in line for line in at.screen.lines), at.screen.text
        assert "Name" not in at.screen.text
        for _ in range(40):
            await at.screen.wheel("px", down=False)
            if "Name" in at.screen.text:
                break
        assert "Name" in at.screen.text
        rows = at.screen.lines
        x, top = next((line.rindex("^"), y) for y, line in enumerate(rows) if line.rstrip("║ ").endswith("^"))
        bottom = next(y for y, line in enumerate(rows) if line[: x + 1].endswith("v") and y > top)
        for y, seen in ((bottom, False), (top, True)):
            at.screen._pipe.send_text(f"\x1b[<0;{x + 1};{y + 1}M\x1b[<0;{x + 1};{y + 1}m")
            await at.screen.idle(tasks=False)
            assert ("Name" in at.screen.text) is seen


@in_loop
async def test_a_click_goes_to_a_field_and_the_place_in_it() -> None:
    """On the field, where the cursor is then, or on its label; what is typed goes there, after two clicks as well."""
    async with editing(BLUR) as at:
        await at.screen.click("ooth   ", tasks=False)
        await at.press("X")
        assert "smXooth" in at.screen.line("> Name")
        await at.screen.click("sigma_px", tasks=False)
        await at.press("5")
        assert at.screen.line("> ").split()[1:3] == ["sigma_px", "15"]
        await at.screen.click("smXooth   ", times=2, tasks=False)
        await at.press("Y", "c-s")
        step = await at.result
    assert step is not None
    assert step.name == "YsmXooth"


@in_loop
async def test_the_mouse_edits_a_step() -> None:
    """Clicks switch boxes, cycle choices, focus fields, remove functions and press OK."""
    async with editing(BLUR) as at:
        await at.screen.click("[ ] z", tasks=False)
        await at.screen.click("◂ stack", tasks=False)
        await at.screen.click("1. gaussian", tasks=False)
        await at.screen.click("Del Remove", tasks=False)
        await at.screen.click("[ OK ]", tasks=False)
        step = await at.result
    assert step == Step(
        "smooth",
        (FunctionCall("normalise_percentile", {"over": "plane"}),),
        (Component.SITE, Component.Z),
    )


@pytest.mark.parametrize(("columns", "rows"), [(40, 12), (80, 24), (200, 60)])
@in_loop
async def test_every_size_can_be_worked_with(columns: int, rows: int) -> None:
    """Without colour and at any size, the form, its buttons and its keys are there."""
    async with editing(BLUR, columns=columns, rows=rows, color_depth=ColorDepth.DEPTH_1_BIT) as at:
        assert "> Name" in at.screen.text
        assert "[ OK ]" in at.screen.text
        assert "Enter OK" in at.screen.text
        await at.press("tab", "space", "enter")
        step = await at.result
    assert step is not None
    assert not step.enabled
