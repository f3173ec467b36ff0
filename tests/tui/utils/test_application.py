"""An application in which one faulty part stays one fault, driven by keys and looked at as its user sees it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Point
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.key_binding import KeyBindings, KeyBindingsBase, KeyPressEvent
from prompt_toolkit.key_binding.key_processor import KeyPress
from prompt_toolkit.layout.containers import Container, FloatContainer, HSplit, Window
from prompt_toolkit.layout.controls import FormattedTextControl, UIContent
from prompt_toolkit.layout.layout import Layout
from prompt_toolkit.mouse_events import MouseEvent
from prompt_toolkit.output import DummyOutput
from prompt_toolkit.widgets import TextArea

from openhcs.tui.utils import guarded_keys
from openhcs.tui.utils.application import GuardedApplication, GuardedLayout
from openhcs.tui.utils.dialog_helpers import setup_global_exception_handler
from tests.tui.utils.kit import Failures, Stage, fail, pane, stage, turns, until


class Panic(BaseException):
    """As native code raises it: no Exception."""


class Faulty(FormattedTextControl):
    """Draws its text until `fault` is set, then raises that."""

    def __init__(self, text: str = "faultless") -> None:
        super().__init__(text, focusable=True, show_cursor=False)
        self.fault: BaseException | None = None

    def create_content(self, width: int, height: int | None) -> UIContent:
        if self.fault is not None:
            raise self.fault
        return super().create_content(width, height)


def collect(here: Stage) -> Failures:
    """Have the stage's application report to a list."""
    failures = Failures()
    here.app._report = failures
    here.app.key_processor._report = failures  # type: ignore[attr-defined]
    here.app.key_processor._faults._on_error = failures  # type: ignore[attr-defined]
    here.app.after_render._faults._on_error = failures  # type: ignore[attr-defined]
    return failures


def typed(here: Stage, keys: str = "abcdefgh") -> list[str]:
    """Record which of `keys` are handled."""
    seen: list[str] = []
    for key in keys:
        here.keys.add(key)(lambda event: seen.append(event.data))
    return seen


class TestKeys:
    """A key that fails is one fault; what is typed behind it counts."""

    @pytest.mark.parametrize("fault", [ValueError("in a key"), asyncio.CancelledError(), Panic()])
    async def test_a_handler_that_fails_is_reported_once_and_the_keys_behind_are_handled(
        self, fault: BaseException
    ) -> None:
        """All keys came in one read."""
        async with stage() as here:
            failures, seen = collect(here), typed(here, "ab")

            @here.keys.add("f1")
            def _broken(event: KeyPressEvent) -> None:
                raise fault

            here.press("a\x1bOPb")
            await until(lambda: seen == ["a", "b"])
            ((error, context),) = failures
            assert context == "key f1"
            assert error is fault or error.__cause__ is fault

    async def test_a_handler_that_fails_a_thousand_times(self) -> None:
        """A thousand reports, and the key behind them is handled."""
        async with stage() as here:
            failures, seen = collect(here), typed(here, "b")

            @here.keys.add("a")
            def _broken(event: KeyPressEvent) -> None:
                raise ValueError

            here.press("a" * 1000 + "b")
            await until(lambda: seen)
            assert len(failures) == 1000

    async def test_a_handler_that_is_a_coroutine_fails_like_any_other(self) -> None:
        """prompt_toolkit runs it as a task; with our hooks its failure is one entry."""
        async with stage() as here:
            seen = typed(here, "b")

            @here.keys.add("a")
            async def _broken(event: KeyPressEvent) -> None:
                await fail(ValueError("in a coroutine"))

            setup_global_exception_handler(here.host)
            here.press("ab")
            await here.shows("in a coroutine")
            assert seen == ["b"]
            assert here.handler.journal.ledger.received == 1

    async def test_a_filter_that_fails_switches_its_own_key_off(self) -> None:
        """Other bindings of the same key work; it is reported once although it is asked again and again."""
        async with stage() as here:
            failures, seen, works = collect(here), typed(here, "abc"), list[bool]()

            @Condition
            def broken() -> bool:
                return bool(works) or 1 // 0 > 0

            here.keys.add("b", filter=broken)(lambda event: seen.append("the guarded b"))
            here.keys.add("b", "c", filter=broken)(lambda event: seen.append("a sequence"))
            here.keys.add("c", eager=broken)(lambda event: seen.append("the eager c"))
            here.press("abca")
            await until(lambda: seen == ["a", "b", "c", "a"])
            assert len(failures) == 1
            works.append(True)
            here.press("b")
            await turns()
            here.press("a")
            await until(lambda: seen[4:] == ["the guarded b", "a"])

    async def test_a_container_that_cannot_name_its_keys_leaves_those_of_the_application(self) -> None:
        """Otherwise nothing could be done any more, not even to leave."""

        class Keyless(HSplit):
            def get_key_bindings(self) -> KeyBindingsBase | None:
                raise RuntimeError("keys")

        async with stage(Keyless([pane("a pane")])) as here:
            failures, seen = collect(here), typed(here, "ab")
            here.press("ab")
            await until(lambda: seen == ["a", "b"])
            assert failures.messages == ["keys"]

    async def test_handlers_of_key_events_that_fail_miss_their_key_only(self) -> None:
        """Both `before_key_press` and `after_key_press`."""

        def broken(sender: object) -> None:
            raise RuntimeError("in an event")

        async with stage() as here:
            failures, seen, told = collect(here), typed(here), list[object]()
            here.app.key_processor.before_key_press += broken
            here.app.key_processor.before_key_press += told.append
            here.app.key_processor.after_key_press += broken
            here.press("abc")
            await until(lambda: seen == ["a", "b", "c"])
            assert len(told) == 3
            # The same function on two events is one part that fails.
            assert failures.messages == ["in an event"]

    async def test_keys_typed_ahead_go_to_the_dialog(self) -> None:
        """F1 opens it from a managed task; what came in the same read is for it, and only it."""
        async with stage() as here:
            beneath = typed(here, "xyz")
            inside: list[str] = []
            keys = KeyBindings()
            answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            for key in "xyz":
                keys.add(key)(lambda event: inside.append(event.data))
            keys.add("z")(lambda event: answer.set_result(None))
            dialog = HSplit([pane("a dialog")], key_bindings=keys)

            @here.keys.add("f1")
            def _open(event: KeyPressEvent) -> None:
                here.tasks.fire_and_forget(here.host.show_dialog(dialog, answer), "dialog")

            here.press("x\x1bOPxyzx")
            await until(lambda: inside == ["x", "y"] and len(beneath) == 2)
            assert beneath == ["x", "x"]

    async def test_keys_typed_ahead_wait_for_a_dialog_that_takes_a_moment(self) -> None:
        """What F1 starts looks something up before its dialog is up; the keys behind it are for the dialog."""
        async with stage() as here:
            beneath = typed(here, "xy")
            inside: list[str] = []
            keys = KeyBindings()
            answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            keys.add("x")(lambda event: inside.append("x"))
            keys.add("y")(lambda event: answer.set_result(None))
            dialog = HSplit([pane("a dialog")], key_bindings=keys)

            async def look_up_and_ask() -> None:
                await asyncio.sleep(0.05)
                await here.host.show_dialog(dialog, answer)

            @here.keys.add("f1")
            def _open(event: KeyPressEvent) -> None:
                here.tasks.fire_and_forget(here.app.holding_keys(look_up_and_ask()), "dialog")

            here.press("\x1bOPxyx")
            await until(lambda: beneath)
            assert (inside, beneath) == (["x"], ["x"])

    @pytest.mark.parametrize("end", ["returns", "fails", "is refused", "never ends"])
    async def test_keys_typed_ahead_wait_no_longer_than_they_must(
        self, end: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Work that opens no dialog lets the keys go when it ends, however it ends, and in bounded time."""
        monkeypatch.setattr(guarded_keys, "_HOLD_S", 0.1)
        async with stage() as here:
            beneath = typed(here, "x")

            async def work() -> None:
                await asyncio.sleep(100 if end == "never ends" else 0.01)
                if end == "fails":
                    raise KeyError(end)

            @here.keys.add("f1")
            def _start(event: KeyPressEvent) -> None:
                held = here.app.holding_keys(work())
                if end == "is refused":
                    held.close()
                else:
                    here.tasks.fire_and_forget(held, "work")

            here.press("\x1bOPx")
            await until(lambda: beneath)
            if end == "fails":
                here.press("q")

    async def test_typed_ahead_text_goes_to_the_field_in_order(self) -> None:
        """Hundreds of characters in one read, behind a key that moves the focus."""
        field = TextArea(multiline=False)
        async with stage(HSplit([pane("top"), field])) as here:

            @here.keys.add("f1")
            def _move(event: KeyPressEvent) -> None:
                event.app.layout.focus(field)

            text = "".join(chr(97 + number % 26) for number in range(300))
            here.press("\x1bOP" + text)
            await until(lambda: len(field.text) == 300)
            assert field.text == text

    async def test_a_handler_may_feed_keys(self) -> None:
        """They are handled before those that were typed behind it."""
        async with stage() as here:
            seen = typed(here, "abc")

            @here.keys.add("f1")
            def _feed(event: KeyPressEvent) -> None:
                event.key_processor.feed(KeyPress("b"), first=True)

            here.press("a\x1bOPc")
            await until(lambda: len(seen) == 3)
            assert here.app.key_processor._previous_key_sequence[0].key == "c"

    async def test_what_is_typed_behind_the_key_that_exits_is_for_the_next_application(self) -> None:
        """As with prompt_toolkit, and its containers know their keys although nothing is drawn yet."""
        seen: list[str] = []
        with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
            leave = KeyBindings()
            leave.add("q")(lambda event: event.app.exit(result="left"))
            first: GuardedApplication[Any] = GuardedApplication(
                GuardedLayout(pane()), on_error=Failures(), key_bindings=leave
            )
            pipe.send_text("qabz")
            assert await first.run_async(handle_sigint=False) == "left"
            keys = KeyBindings()
            keys.add("a")(lambda event: seen.append("a"))
            keys.add("b")(lambda event: seen.append("b"))
            keys.add("z")(lambda event: event.app.exit(result="left too"))
            second: GuardedApplication[Any] = GuardedApplication(
                GuardedLayout(HSplit([pane()], key_bindings=keys)), on_error=Failures()
            )
            assert await second.run_async(handle_sigint=False) == "left too"
        assert seen == ["a", "b"]

    async def test_the_end_of_the_input_ends_the_application(self) -> None:
        """The keys before it are handled."""
        seen: list[str] = []
        with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
            keys = KeyBindings()
            keys.add("a")(lambda event: seen.append("a"))
            app: GuardedApplication[Any] = GuardedApplication(
                GuardedLayout(pane()), on_error=Failures(), key_bindings=keys
            )
            running = asyncio.ensure_future(app.run_async(handle_sigint=False))
            await until(lambda: app.render_counter)
            pipe.send_text("aaa")
            pipe.close()
            with pytest.raises(EOFError):
                await running
        assert seen == ["a", "a", "a"]

    @pytest.mark.parametrize(
        "noise",
        ["\x1b[Mh!!", "\x1b[Mÿÿÿ", "\x1b[5M", "\x1b[;;M", "\x1b[<;;m", f"\x1b[<0;{'9' * 5000};1M"],
    )
    async def test_reports_of_a_mouse_that_cannot_be_are_passed_over(self, noise: str) -> None:
        """A noisy line invents buttons and forgets places; the keys and clicks behind are handled."""
        async with stage() as here:
            failures, seen = collect(here), typed(here, "ab")
            here.press(f"a{noise}\x1b[<0;1;1M\x1b[M !!b")
            await until(lambda: seen == ["a", "b"])
            assert failures == []

    async def test_a_mouse_handler_that_fails_is_reported_and_the_next_click_works(self) -> None:
        """The keys typed behind the click as well."""
        clicked: list[Point] = []

        def on_click(event: MouseEvent) -> None:
            clicked.append(event.position)
            if len(clicked) == 1:
                raise ValueError("in the mouse")

        text: StyleAndTextTuples = [("", "click here", on_click)]
        async with stage(Window(FormattedTextControl(text, focusable=True))) as here:
            failures, seen = collect(here), typed(here, "a")
            # Until the terminal's height is known prompt_toolkit ignores the mouse.
            here.press("\x1b[<0;3;1Ma\x1b[<0;3;1m")
            await until(lambda: len(clicked) == 2)
            assert [(str(error), context) for error, context in failures] == [("in the mouse", "the mouse")]
            assert seen == ["a"]


class TestFrames:
    """A frame that fails costs a dialog, or the screen, but never the program."""

    @pytest.mark.parametrize("event", ["before_render", "after_render", "on_invalidate"])
    async def test_an_event_handler_that_fails_is_reported_and_the_screen_stays(self, event: str) -> None:
        """The handlers behind it are called, in every frame."""

        def broken(sender: object) -> None:
            raise RuntimeError(f"in {event}")

        async with stage(pane("the pane")) as here:
            failures, told = collect(here), list[object]()
            getattr(here.app, event).add_handler(broken)
            getattr(here.app, event).add_handler(told.append)
            await here.frame()
            await here.frame()
            assert failures.messages == [f"in {event}"]
            assert len(told) >= 2
            assert "the pane" in here.text
            assert "could not be drawn" not in here.text

    async def test_a_screen_that_cannot_be_drawn_is_replaced_by_a_notice(self) -> None:
        """`r` tries again; while it fails the notice stays, and then the screen is back."""
        control = Faulty()
        async with stage(Window(control)) as here:
            failures, seen = collect(here), typed(here, "a")
            control.fault = RuntimeError("cannot draw")
            here.app.invalidate()
            await here.shows("The screen could not be drawn.")
            await here.shows("RuntimeError: cannot draw")
            assert failures.messages == ["cannot draw"]
            here.press("r")
            await until(lambda: len(failures) == 2)
            await here.frame()
            assert "could not be drawn" in here.text
            control.fault = None
            here.press("ra")
            await here.shows("faultless")
            await until(lambda: seen == ["a"])
            assert len(failures) == 2

    async def test_each_attempt_that_fails_is_told(self) -> None:
        """The frame, the frame without the dialog: two faults are two reports."""
        faults = iter([RuntimeError("with the dialog"), Panic("without it")])

        def draw() -> str:
            if draws_badly and (fault := next(faults, None)) is not None:
                raise fault
            return "the pane"

        draws_badly = False
        async with stage(Window(FormattedTextControl(draw, focusable=True))) as here:
            failures = collect(here)
            answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            showing = asyncio.ensure_future(here.host.show_dialog(pane("a dialog"), answer))
            await here.shows("a dialog")
            draws_badly = True
            here.app.invalidate()
            await here.shows("The screen could not be drawn.")
            with pytest.raises(RuntimeError):
                await showing
            assert failures.messages == ["with the dialog", "without it"]

    async def test_a_screen_that_never_could_be_drawn(self) -> None:
        """The first frame is like any other."""
        control = Faulty()
        control.fault = RuntimeError("from the start")
        async with stage(Window(control)) as here:
            await here.shows("from the start")
            control.fault = None
            here.press("r")
            await here.shows("faultless")

    @pytest.mark.parametrize("key", ["q", "\x03"])
    async def test_leaving_from_the_notice_raises_the_fault(self, key: str) -> None:
        """The program's caller learns why it ended."""
        control = Faulty()
        fault = RuntimeError("cannot draw")
        control.fault = fault
        with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
            app: GuardedApplication[Any] = GuardedApplication(GuardedLayout(Window(control)), on_error=Failures())
            pipe.send_text(key)
            with pytest.raises(RuntimeError) as raised:
                await app.run_async(handle_sigint=False)
            assert raised.value is fault

    async def test_a_cancelled_future_that_is_drawn_does_not_cancel_the_program(self) -> None:
        """`future.result()` in a control raises CancelledError where nobody was cancelled."""
        control = Faulty()
        async with stage(Window(control)) as here:
            control.fault = asyncio.CancelledError()
            here.app.invalidate()
            await here.shows("The screen could not be drawn.")
            control.fault = None
            here.press("r")
            await here.shows("faultless")

    async def test_a_dialog_that_cannot_be_drawn_is_closed_with_its_fault(self) -> None:
        """The screen beneath is drawn in the same frame and has the focus."""
        async with stage(pane("the pane")) as here:
            failures, control = collect(here), Faulty("a dialog")
            answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            showing = asyncio.ensure_future(here.host.show_dialog(Window(control), answer))
            await here.shows("a dialog")
            fault = control.fault = RuntimeError("cannot draw the dialog")
            here.app.invalidate()
            with pytest.raises(RuntimeError) as raised:
                await showing
            assert raised.value is fault
            await here.shows_no("a dialog")
            assert "the pane" in here.text
            assert "could not be drawn" not in here.text
            assert failures == [(fault, "drawing the screen")]

    async def test_an_error_dialog_over_the_notice_has_the_focus_when_the_screen_comes_back(self) -> None:
        """It was opened while its screen was away; no key goes beneath it."""
        control = Faulty()
        async with stage(Window(control)) as here:
            beneath = typed(here, "d")
            control.fault = RuntimeError("cannot draw")
            here.app.invalidate()
            await here.shows("The screen could not be drawn.")
            await until(lambda: here.host.depth == 1)
            control.fault = None
            await asyncio.sleep(0.15)  # longer than a target is usually waited for
            here.press("r")
            await here.shows("Error in drawing the screen")
            here.press("d")
            await here.shows("Traceback")
            assert beneath == []
            here.press("\x1b")
            await here.shows_no("Error in drawing")
            here.press("d")
            await until(lambda: beneath)

    async def test_the_last_frame_does_not_take_the_place_of_the_result(self) -> None:
        """It is reported."""
        control, failures = Faulty(), Failures()
        with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
            app: GuardedApplication[Any] = GuardedApplication(GuardedLayout(Window(control)), on_error=failures)
            running = asyncio.ensure_future(app.run_async(handle_sigint=False))
            await until(lambda: app.render_counter)
            control.fault = RuntimeError("the last frame")
            app.exit(result="the result")
            assert await running == "the result"
        assert failures.messages == ["the last frame"]

    async def test_a_container_without_children_is_a_screen_that_cannot_be_drawn(self) -> None:
        """The parents' relations are part of the frame."""

        class Childless(HSplit):
            broken = False

            def get_children(self) -> list[Container]:
                if self.broken:
                    raise RuntimeError("children")
                return super().get_children()

        body = Childless([pane("the pane")])
        async with stage(body) as here:
            body.broken = True
            here.app.invalidate()
            await here.shows("children")
            body.broken = False
            here.press("r")
            await here.shows("the pane")

    async def test_another_size_is_drawn_once(self) -> None:
        """By the signal that tells of it, or where that got lost by looking from time to time, and not by both."""
        async with stage() as here:
            here.app.terminal_size_polling_interval = 0.0  # in each turn of the loop
            looking = asyncio.create_task(here.app._poll_output_size())
            frames = here.app.render_counter
            here.terminal.screen.resize(30, 90)
            await until(lambda: here.app.render_counter > frames, "the frame in another size")
            here.terminal.screen.resize(20, 70)
            here.app._on_resize()
            await turns()
            assert here.app.render_counter == frames + 2
            looking.cancel()

    async def test_a_resize_that_cannot_be_drawn(self) -> None:
        """As any other frame."""
        control = Faulty()
        async with stage(Window(control)) as here:
            control.fault = RuntimeError("too small")
            here.app._on_resize()
            await here.shows("too small")

    @pytest.mark.parametrize("text", ["\x1b[31mred\x1b]0;title\x07", "wide 漢字 🙂", "x" * 100_000, ""])
    async def test_the_notice_shows_any_message(self, text: str) -> None:
        """Escape sequences in it are shown and not executed."""
        control = Faulty()
        control.fault = RuntimeError(text)
        async with stage(Window(control), columns=40, rows=10) as here:
            await here.shows("RuntimeError")
            await here.shows("q  quit")
            assert here.terminal.screen.title == ""


class TestEnding:
    """Leaving is bounded, and nobody is asked to press ENTER."""

    async def test_a_stubborn_background_task_does_not_hold_up_the_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is waited for a moment and left."""
        monkeypatch.setattr("openhcs.tui.utils.application._EXIT_S", 0.05)
        release = asyncio.Event()

        async def stubborn() -> None:
            while not release.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await release.wait()

        with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
            app: GuardedApplication[Any] = GuardedApplication(GuardedLayout(pane()), on_error=Failures())
            running = asyncio.ensure_future(app.run_async(handle_sigint=False))
            await until(lambda: app.render_counter)
            left = app.create_background_task(stubborn())
            await turns()
            app.exit(result="done")
            async with asyncio.timeout(5):
                assert await running == "done"
            assert not left.done()
            release.set()
            await left

    def test_run_without_async_asks_nobody_to_press_enter(self) -> None:
        """An exception in the loop while it runs goes to the loop's handler; the keys behind are handled."""
        with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
            complaints: list[dict[str, Any]] = []
            keys = KeyBindings()

            @keys.add("a")
            def _broken(event: KeyPressEvent) -> None:
                loop = asyncio.get_running_loop()
                loop.set_exception_handler(lambda loop, context: complaints.append(context))
                loop.call_soon(lambda: 1 // 0)
                raise ValueError

            @keys.add("q")
            def _leave(event: KeyPressEvent) -> None:
                asyncio.get_running_loop().call_later(0.05, lambda: event.app.exit(result="done"))

            failures = Failures()
            app: GuardedApplication[Any] = GuardedApplication(
                GuardedLayout(pane()), on_error=failures, key_bindings=keys
            )
            pipe.send_text("aq")
            assert app.run(handle_sigint=False, set_exception_handler=True) == "done"
            assert isinstance(complaints[0]["exception"], ZeroDivisionError)
            assert len(failures) == 1

    def test_one_application_runs_on_two_loops(self) -> None:
        """Keys that the first had not handled when its loop was stopped do not stop the second's."""
        with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
            seen: list[str] = []
            keys = KeyBindings()
            keys.add("a")(lambda event: seen.append("a"))
            keys.add("q")(lambda event: event.app.exit())
            app: GuardedApplication[Any] = GuardedApplication(
                GuardedLayout(pane()), on_error=Failures(), key_bindings=keys
            )

            async def interrupted() -> None:
                running = asyncio.ensure_future(app.run_async(handle_sigint=False))
                await until(lambda: app.render_counter)
                app.key_processor.feed_multiple([KeyPress("a")] * 3)
                app.key_processor.process_keys()
                running.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await running

            asyncio.run(interrupted())
            pipe.send_text("aq")
            app.run(handle_sigint=False)
            assert seen[-1] == "a"

    async def test_cancelled_it_ends_as_cancelled(self) -> None:
        """The cancellation of whoever runs it goes on."""
        with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
            app: GuardedApplication[Any] = GuardedApplication(GuardedLayout(pane()), on_error=Failures())
            running = asyncio.ensure_future(app.run_async(handle_sigint=False))
            await until(lambda: app.render_counter)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running


class TestLayout:
    """`GuardedLayout` remembers where the focus has been, and no more than there are windows."""

    def test_the_history_stays_as_small_as_the_layout(self) -> None:
        """Each window is named once, gone ones are not."""
        panes = [pane(str(number)) for number in range(3)]
        root = FloatContainer(HSplit(panes), [])
        layout = GuardedLayout(root)
        for number in range(1000):
            layout.focus(panes[number % 3])
        assert len(layout._stack) == 3
        layout.focus(panes[0])
        layout.focus_last()
        assert layout.current_window is panes[2]
        root.content = HSplit(panes[:2])
        layout.focus(panes[1])
        assert panes[2] not in layout._stack
        assert isinstance(layout, Layout)
