"""prompt_toolkit's real Application in the explorer: keys, focus, time-outs, and its end."""

from __future__ import annotations

from typing import Any

import pytest
from prompt_toolkit.application import Application
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.layout import HSplit, Layout
from prompt_toolkit.widgets import TextArea

from openhcs.testing.explore import Bounds, Outcome, World, explore
from openhcs.testing.explore.headless import headless, run_headless, unpainted
from openhcs.testing.explore.run import Scenario


def two_fields(*, painted: bool, delayed: bool = False) -> Scenario:
    """F1 goes to the second field, at once or after a moment; then a letter is typed, and Enter ends."""

    async def scenario(world: World) -> None:
        with headless(world) as keys:
            fields = [TextArea(multiline=False), TextArea(multiline=False)]
            bindings = KeyBindings()
            app: Application[Any] = Application(layout=Layout(HSplit(fields)), key_bindings=bindings)
            pressed: list[str] = []

            @bindings.add("f1")
            def focus(_: object) -> None:
                world.loop.call_later(0.1 if delayed else 0, app.layout.focus, fields[1])

            def press(key: str) -> None:
                pressed.append(key)
                keys.press(key)

            bindings.add("c-q")(lambda event: event.app.exit())
            if not painted:
                unpainted(app)
            world.event("F1", lambda: press("f1"), guard=lambda: keys.attached)
            world.event("x", lambda: press("x"), guard=lambda: pressed == ["f1"])
            world.event("C-Q", lambda: press("c-q"), guard=lambda: pressed == ["f1", "x"])
            await run_headless(app)
            assert [field.text for field in fields] == ["", "x"]

    return scenario


@pytest.mark.parametrize("painted", [False, True])
def test_keys_reach_the_focused_field(painted: bool) -> None:
    """With painting or without, every schedule in which a person waits for the screen is kept."""
    verdict = explore(two_fields(painted=painted), Bounds())
    assert verdict.proved, str(verdict)


def test_a_key_that_overtakes_a_delayed_focus_is_found() -> None:
    """Focus after a delay lets a quick key go to the field behind."""
    verdict = explore(two_fields(painted=False, delayed=True), Bounds())
    assert verdict.outcome is Outcome.VIOLATED
    assert "['x', '']" in verdict.counterexamples[0].violation.sentence


def test_a_lone_escape_waits_in_virtual_time() -> None:
    """The time that prompt_toolkit waits for the rest of an escape sequence passes at once, and counts."""

    async def scenario(world: World) -> None:
        with headless(world) as keys:
            bindings = KeyBindings()
            bindings.add("escape")(lambda event: event.app.exit(result="left"))
            app: Application[str] = unpainted(Application(layout=Layout(TextArea()), key_bindings=bindings))
            pressed_at: list[float] = []

            def press() -> None:
                pressed_at.append(world.time())
                keys.press("escape")

            world.event("Escape", press, guard=lambda: keys.attached)
            assert await run_headless(app) == "left"
            waited_s = world.time() - pressed_at[0]
            assert waited_s == app.ttimeoutlen + (app.timeoutlen or 0)

    assert explore(scenario, Bounds(rush=1)).proved


def test_a_terminal_that_goes_away_ends_the_application() -> None:
    """A closed input is EOFError to who runs the application."""

    async def scenario(world: World) -> None:
        with headless(world) as keys:
            app: Application[None] = unpainted(Application(layout=Layout(TextArea())))
            world.event("hang up", keys.hang_up, guard=lambda: keys.attached)
            with pytest.raises(EOFError):
                await run_headless(app)

    assert explore(scenario, Bounds(rush=1)).proved


def test_an_unknown_key_is_refused() -> None:
    """A typing error in a test is not typed into the program."""

    async def scenario(world: World) -> None:
        with headless(world) as keys, pytest.raises(ValueError, match="not a key: 'f99'"):
            keys.press("f99")

    assert explore(scenario, Bounds()).proved
