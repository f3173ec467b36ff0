"""What breaks in a pane becomes a tile in its place, and nothing else changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prompt_toolkit.filters import Condition
from prompt_toolkit.key_binding import KeyBindings, KeyBindingsBase
from prompt_toolkit.layout.containers import (
    AnyContainer,
    ConditionalContainer,
    Container,
    Float,
    FloatContainer,
    HSplit,
    VSplit,
    Window,
)
from prompt_toolkit.layout.controls import FormattedTextControl, UIContent
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.layout.mouse_handlers import MouseHandlers
from prompt_toolkit.layout.screen import Screen, WritePosition
from prompt_toolkit.mouse_events import MouseEvent

from openhcs.tui.utils.error_boundary import ErrorBoundary
from tests.tui.utils.kit import Failures, Stage, pane, stage, turns, until


class Fault:
    """What the faulty parts below raise, and where; nothing while `where` is empty."""

    def __init__(self, where: str = "", exception: BaseException | None = None) -> None:
        self.where = where
        self.exception = exception if exception is not None else RuntimeError("it broke")

    def at(self, where: str) -> None:
        if where == self.where:
            raise self.exception


class FaultyControl(FormattedTextControl):
    """A control that may fail in each of its methods."""

    def __init__(self, fault: Fault) -> None:
        super().__init__("inside the pane", focusable=True, show_cursor=False)
        self.fault = fault

    def create_content(self, width: int, height: int | None) -> UIContent:
        self.fault.at("content")
        return super().create_content(width, height)

    def preferred_width(self, max_available_width: int) -> Any:
        self.fault.at("width")
        return super().preferred_width(max_available_width)

    def preferred_height(self, width: int, max_available_height: int, wrap_lines: bool, get_line_prefix: Any) -> Any:
        self.fault.at("height")
        return super().preferred_height(width, max_available_height, wrap_lines, get_line_prefix)

    def reset(self) -> None:
        self.fault.at("reset")

    def is_focusable(self) -> bool:
        self.fault.at("focusable")
        return True


class FaultyContainer(HSplit):
    """A container that may fail in each of its methods."""

    def __init__(self, children: list[Any], fault: Fault, where: str = "") -> None:
        super().__init__(children)
        self.fault = fault
        self.where = where

    def get_children(self) -> list[Container]:
        self.fault.at(f"{self.where}children")
        return super().get_children()

    def is_modal(self) -> bool:
        self.fault.at(f"{self.where}modal")
        return False

    def get_key_bindings(self) -> KeyBindingsBase | None:
        self.fault.at(f"{self.where}keys")
        return None

    def write_to_screen(
        self,
        screen: Screen,
        mouse_handlers: MouseHandlers,
        write_position: WritePosition,
        parent_style: str,
        erase_bg: bool,
        z_index: int | None,
    ) -> None:
        self.fault.at(f"{self.where}writing")
        super().write_to_screen(screen, mouse_handlers, write_position, parent_style, erase_bg, z_index)


class Pane:
    """A pane whose parts share one fault, inside a boundary, beside a pane that always works."""

    def __init__(self, fault: Fault, *, restarts: int = 3, clock: Callable[[], float] = lambda: 0.0) -> None:
        self.fault = fault
        self.failures = Failures()
        self.details: list[BaseException] = []
        self.built = 0
        where, fault.where = fault.where, ""
        self.window = Window(FaultyControl(fault))
        fault.where = where
        self.boundary = ErrorBoundary(
            self._build, "Plates", self.failures, on_details=self.details.append, restarts=restarts, clock=clock
        )
        self.neighbour = pane("the neighbour")

    def _build(self) -> AnyContainer:
        self.built += 1
        self.fault.at("building")
        filtered = ConditionalContainer(Window(FormattedTextControl("filtered"), height=1), Condition(self._is_shown))
        inner = FaultyContainer([self.window], self.fault, "inner ")
        return FaultyContainer([Window(height=2, char="#"), filtered, inner], self.fault)

    def _is_shown(self) -> bool:
        self.fault.at("filter")
        return True


@asynccontextmanager
async def beside_a_neighbour(fault: Fault, **options: Any) -> AsyncIterator[tuple[Stage, Pane]]:
    """The faulty pane on the left, with the focus, and one that works on the right."""
    faulty = Pane(fault, **options)
    async with stage(VSplit([faulty.boundary, Window(width=1, char="|"), faulty.neighbour])) as here:
        yield here, faulty


PLACES = ["content", "height", "writing", "children", "filter", "inner writing", "inner children"]


class TestTile:
    """What is raised becomes a tile; reported once; the neighbour stays."""

    @pytest.mark.parametrize("where", [*PLACES, "building", "reset"])
    async def test_a_fault_in_the_first_frame_is_a_tile(self, where: str) -> None:
        """Or before it: while the pane is built or reset."""
        async with beside_a_neighbour(Fault(where)) as (here, faulty):
            await here.shows("Plates stopped working")
            await here.shows("RuntimeError: it broke")
            await here.shows("the neighbour")
            await here.frame()
            assert "#" not in here.text
            assert "could not be drawn" not in here.text
            assert faulty.failures.messages == ["it broke"]

    @pytest.mark.parametrize("where", PLACES)
    async def test_a_fault_in_a_later_frame_is_a_tile_that_has_the_focus(self, where: str) -> None:
        """`r` brings the pane back, with the focus."""
        fault = Fault()
        async with beside_a_neighbour(fault) as (here, faulty):
            await here.shows("inside the pane")
            assert here.app.layout.has_focus(faulty.window)
            fault.where = where
            await here.frame()
            await here.shows("Plates stopped working")
            assert "the neighbour" in here.text
            assert "#" not in here.text
            assert len(faulty.failures) == 1
            fault.where = ""
            here.press("r")
            await here.shows("inside the pane")
            assert here.app.layout.has_focus(faulty.window)
            assert faulty.failures.messages == ["it broke"]

    async def test_a_fault_after_a_resize_is_a_tile(self) -> None:
        """The pane fails only when it is narrow."""

        class Narrow(FormattedTextControl):
            def create_content(self, width: int, height: int | None) -> UIContent:
                return super().create_content(width // (width > 40), height)

        failures = Failures()
        boundary = ErrorBoundary(lambda: Window(Narrow("wide enough")), "Wells", failures)
        size = {"width": 60}
        body = VSplit([HSplit([boundary], width=lambda: Dimension.exact(size["width"])), pane("the neighbour")])
        async with stage(body) as here:
            await here.shows("wide enough")
            size["width"] = 30
            here.app._on_resize()
            await here.shows("Wells stopped")
            assert "the neighbour" in here.text
            assert len(failures) == 1

    @pytest.mark.parametrize("where", ["width", "height"])
    async def test_a_fault_in_measuring_inside_a_float_is_a_tile(self, where: str) -> None:
        """A Float takes the preferred size of what it shows."""
        fault = Fault(where)
        faulty = Pane(fault)
        async with stage(FloatContainer(pane("beneath"), [Float(faulty.boundary)])) as here:
            await here.shows("Plates stopped")
            await here.shows("beneath")
            assert len(faulty.failures) == 1

    async def test_what_is_drawn_later_is_contained_too(self) -> None:
        """A float with a z-index, and one at the cursor, are drawn when the boundary has long returned."""
        for place in ({"z_index": 5}, {"xcursor": True, "ycursor": True}):
            fault, failures = Fault(), Failures()
            floating = Float(Window(FaultyControl(fault), height=1, width=20), **place)
            build = lambda floating=floating: FloatContainer(pane("########"), [floating])  # noqa: E731
            boundary = ErrorBoundary(build, "Menu", failures)
            async with stage(VSplit([boundary, pane("the neighbour")])) as here:
                await here.shows("inside the pane")
                fault.where = "content"
                await here.frame()
                await here.shows("Menu stopped working")
                await here.frame()
                assert "the neighbour" in here.text
                assert "#" not in here.text
                assert len(failures) == 1

    async def test_a_cancelled_future_that_is_drawn_is_a_fault(self) -> None:
        """It does not pass for the cancellation of the program."""
        fault = Fault()
        async with beside_a_neighbour(fault) as (here, faulty):
            fault.exception, fault.where = asyncio.CancelledError(), "content"
            await here.frame()
            await here.shows("Plates stopped working")
            assert isinstance(faulty.failures[0][0], RuntimeError)

    async def test_a_control_that_cannot_tell_its_focusability(self) -> None:
        """Nothing is asked of it that would end the frame; Tab finds the neighbour."""
        fault = Fault()
        async with beside_a_neighbour(fault) as (here, faulty):
            fault.where = "focusable"
            await here.frame()
            assert "the neighbour" in here.text
            assert await here.focus.set_focus_after_delay(faulty.neighbour, 0)

    async def test_two_boundaries_one_in_the_other(self) -> None:
        """The inner one has the fault."""
        fault, outer_failures = Fault(), Failures()
        inner = Pane(fault)
        outer = ErrorBoundary(lambda: HSplit([pane("the rest"), inner.boundary]), "Outer", outer_failures)
        async with stage(outer) as here:
            for where in ("content", "children"):
                fault.where = where
                await here.frame()
                await here.shows("Plates stopped working")
                assert "the rest" in here.text
                fault.where = ""
                inner.boundary.restart()
                await here.frame()
                await here.shows("inside the pane")
            assert outer_failures == []
            assert len(inner.failures) == 2

    @pytest.mark.parametrize("text", ["\x1b[31mred\x1b]0;title\x07", "wide 漢字 🙂", "x" * 100_000, "", "two\nlines"])
    async def test_the_tile_shows_any_message_and_its_keys(self, text: str) -> None:
        """Escape sequences in it are shown and not executed; a small tile still tells its keys."""
        kind = type("Odd\x1b[7mName", (Exception,), {})
        fault = Fault("content", kind(text))
        boundary = Pane(fault).boundary
        async with stage(boundary, columns=40, rows=4) as here:
            await here.shows("Plates stopped working")
            await here.shows("r restart   d details")
            assert here.terminal.screen.title == ""
            assert "\x1b[7m" not in here.terminal.getvalue()

    async def test_the_tile_is_left_by_tab_and_does_not_catch_the_focus(self) -> None:
        """A pane that breaks while the focus is elsewhere leaves it there."""
        fault = Fault()
        async with beside_a_neighbour(fault) as (here, faulty):
            here.app.layout.focus(faulty.neighbour)
            fault.where = "content"
            await here.frame()
            await here.shows("Plates stopped working")
            assert here.app.layout.has_focus(faulty.neighbour)

    async def test_a_dialog_over_a_pane_that_breaks_keeps_the_focus(self) -> None:
        """When it closes the focus is on what can be seen."""
        fault = Fault()
        async with beside_a_neighbour(fault) as (here, _):
            answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            dialog = pane("a dialog")
            showing = asyncio.ensure_future(here.host.show_dialog(dialog, answer))
            await here.shows("a dialog")
            fault.where = "content"
            await here.frame()
            await here.shows("stopped working")
            assert here.app.layout.has_focus(dialog)
            answer.set_result(None)
            await showing
            focused = here.app.layout.current_window
            await here.frame()
            assert focused in here.app.layout.visible_windows


class TestHandlers:
    """Keys and mouse of a pane: reported, the pane stays."""

    @pytest.mark.parametrize("where", ["keys", "inner keys"])
    async def test_keys_that_cannot_be_looked_up_leave_those_of_the_application(self, where: str) -> None:
        """The pane is drawn as before."""
        fault = Fault()
        async with beside_a_neighbour(fault) as (here, _):
            seen: list[str] = []
            here.keys.add("a")(lambda event: seen.append("a"))
            fault.where = where
            here.press("a")
            await until(lambda: seen)
            assert here.handler.journal.ledger.received == 1
            assert "inside the pane" in here.text

    async def test_a_modality_that_cannot_be_told_is_none(self) -> None:
        """Asked for at each key."""
        fault = Fault()
        faulty = Pane(fault)
        body = ErrorBoundary(lambda: faulty.boundary, "Outer", Failures())
        async with stage(body) as here:
            seen: list[str] = []
            here.keys.add("a")(lambda event: seen.append("a"))
            fault.where = "modal"
            assert faulty.boundary.is_modal() is False
            here.press("a")
            await until(lambda: seen)

    async def test_a_click_that_fails_is_reported_and_the_pane_stays(self) -> None:
        """Once for each click."""

        def on_click(event: MouseEvent) -> None:
            raise ValueError("in the mouse")

        failures = Failures()
        control = FormattedTextControl([("", "click here", on_click)], focusable=True)
        boundary = ErrorBoundary(lambda: Window(control), "Plates", failures)
        async with stage(boundary) as here:
            here.press("\x1b[<0;3;1M")
            await until(lambda: here.handler.journal.ledger.received == 1)
            assert boundary.failure is None
            assert failures == []


class TestRestarts:
    """`r` and `d` on the tile."""

    async def test_restarted_too_often_it_stays_until_time_has_passed(self) -> None:
        """Three restarts in ten seconds; the tile does not offer a fourth, and offers it again later."""
        fault, now = Fault("content"), [0.0]
        async with beside_a_neighbour(fault, clock=lambda: now[0]) as (here, faulty):
            for count in range(1, 4):
                await here.shows("r restart")
                here.press("r")
                await until(lambda count=count: len(faulty.failures) == count + 1)  # type: ignore[misc]
            await here.shows("It failed again after 3 restarts.")
            assert "r restart" not in here.text
            here.press("r")
            await turns(10)
            assert len(faulty.failures) == 4
            assert faulty.built == 4
            now[0] = 11.0
            fault.where = ""
            await here.frame()
            await here.shows("r restart")
            here.press("r")
            await here.shows("inside the pane")
            assert faulty.boundary.failure is None

    async def test_building_that_fails_again_is_reported_again(self) -> None:
        """Another failure, another report, and the tile is of the newest."""
        fault = Fault("content")
        async with beside_a_neighbour(fault) as (here, faulty):
            await here.shows("it broke")
            fault.where, fault.exception = "building", KeyError("not built")
            here.press("r")
            await here.shows("not built")
            assert len(faulty.failures) == 2
            assert here.app.layout.has_focus(faulty.boundary._tile)

    async def test_details_gives_the_exception_to_whoever_shows_it(self) -> None:
        """One that fails is the failure of a key."""
        fault = Fault("content")
        async with beside_a_neighbour(fault) as (here, faulty):
            await here.shows("d details")
            here.press("d")
            await until(lambda: faulty.details == [fault.exception])
            faulty.boundary._on_details = lambda failure: 1 // 0  # type: ignore[assignment]
            here.press("d")
            await until(lambda: here.handler.journal.ledger.received == 1)

    async def test_without_somebody_to_show_details_the_tile_does_not_offer_them(self) -> None:
        """A key that would do nothing is not on the screen."""

        def build() -> Window:
            raise RuntimeError("not built")

        async with stage(ErrorBoundary(build, "Plates", Failures()), columns=40, rows=4) as here:
            await here.shows("r restart")
            assert "details" not in "\n".join(here.terminal.screen.display)

    def test_without_an_application_it_can_be_built_and_restarted(self) -> None:
        """As in a test of a pane, or before the screen is there."""
        fault = Fault("building")
        faulty = Pane(fault)
        assert faulty.failures.messages == ["it broke"]
        fault.where = ""
        assert faulty.boundary.restart()
        assert faulty.boundary.failure is None
        keys = faulty.boundary.get_key_bindings()
        assert keys is None or isinstance(keys, KeyBindings)
