"""The newest dialog has the keyboard in the tick in which it appears, and nothing is left over when it goes."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from prompt_toolkit.application import Application, create_app_session
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.filters import Condition
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.key_binding.key_processor import KeyPress
from prompt_toolkit.layout.containers import (
    AnyContainer,
    ConditionalContainer,
    Container,
    Float,
    FloatContainer,
    HSplit,
    Window,
)
from prompt_toolkit.layout.controls import BufferControl, FormattedTextControl
from prompt_toolkit.layout.layout import Layout
from prompt_toolkit.output import DummyOutput
from prompt_toolkit.widgets import Frame, TextArea

from openhcs.tui.utils.focus_manager import FocusManager, focus_after_delay, get_focus_manager
from tests.tui.utils.kit import logged, pane, turns, until


class Screen:
    """A plain prompt_toolkit application over one pane, without anything of ours around it."""

    def __init__(self, root: FloatContainer, beneath: Window, app: Application[Any]) -> None:
        self.root = root
        self.beneath = beneath
        self.app = app

    def add(self, container: AnyContainer) -> Float:
        added = Float(container)
        self.root.floats.append(added)
        return added

    def has_focus(self, element: Any) -> bool:
        return self.app.layout.has_focus(element)

    def focused(self) -> Window:
        return self.app.layout.current_window

    async def dialog(self, container: AnyContainer, answer: asyncio.Future[Any]) -> Any:
        """What a host that knows nothing of us does: a Float, the answer, and the Float gone."""
        added = self.add(container)
        try:
            return await answer
        finally:
            self.root.floats.remove(added)
            self.app.invalidate()


@asynccontextmanager
async def plain_screen() -> AsyncIterator[Screen]:
    """A plain Application that runs on a dummy output."""
    beneath = pane("beneath")
    root = FloatContainer(beneath, floats=[])
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        app: Application[Any] = Application(Layout(root), full_screen=True)
        running = asyncio.ensure_future(app.run_async(handle_sigint=False, set_exception_handler=False))
        await until(lambda: app.render_counter > 0 or running.done(), "the first frame")
        try:
            yield Screen(root, beneath, app)
        finally:
            if not app.is_done:
                app.exit()
            await running


def future() -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_future()


class TestOneTarget:
    """`set_focus_after_delay`: now, or when the target is rendered, or False."""

    async def test_a_target_on_the_screen_is_focused_before_the_call_returns(self) -> None:
        """No turn of the loop passes."""
        async with plain_screen() as screen:
            target = pane("target")
            screen.add(target)
            step = FocusManager().set_focus_after_delay(target, 10)
            with pytest.raises(StopIteration) as end:
                step.send(None)
            assert end.value.value is True
            assert screen.focused() is target

    @pytest.mark.parametrize(
        "make", ["window", "control", "buffer", "buffer name", "text area", "frame", "split", "boundary object"]
    )
    async def test_whatever_prompt_toolkit_can_focus_can_be_a_target(self, make: str) -> None:
        """Buffers, their names, controls, windows, containers, widgets and anything with `__pt_container__`."""
        async with plain_screen() as screen:
            buffer = Buffer(name="the buffer")
            window = Window(BufferControl(buffer))
            area = TextArea("text")

            class Widget:
                def __pt_container__(self) -> Container:
                    return HSplit([Window(), pane("inside")])

            targets: dict[str, Any] = {
                "window": window,
                "control": window.content,
                "buffer": buffer,
                "buffer name": "the buffer",
                "text area": area,
                "frame": Frame(area),
                "split": HSplit([Window(), window]),
                "boundary object": Widget(),
            }
            container = targets[make] if make in ("text area", "frame", "split") else window
            if make == "boundary object":
                targets[make] = container = targets[make].__pt_container__()
            screen.add(container)
            assert await get_focus_manager().set_focus_after_delay(targets[make], 0)
            assert screen.has_focus(targets[make])

    async def test_a_window_named_as_the_target_is_taken_at_its_word(self) -> None:
        """A Window may be the target although its control takes no focus, as with `Layout.focus`."""
        async with plain_screen() as screen:
            target = Window(FormattedTextControl("cannot be reached by Tab"))
            screen.add(target)
            assert await focus_after_delay(target, 0)
            assert screen.focused() is target

    @pytest.mark.parametrize("delay", [0, 0.0, -1, -math.inf, math.nan, 0.01])
    async def test_a_target_that_never_appears_is_given_up(self, delay: float) -> None:
        """Whatever the delay is, the answer is False, the focus stays and no operation is in flight."""
        async with plain_screen() as screen:
            focus = FocusManager()
            assert await focus.set_focus_after_delay(pane(), delay) is False
            assert not focus._focusing_active
            assert screen.focused() is screen.beneath

    @pytest.mark.parametrize("delay", [1e9, 1e308, math.inf])
    async def test_a_huge_delay_ends_with_the_render(self, delay: float) -> None:
        """The wait is for the target, not for the time."""
        async with plain_screen() as screen:
            focus, target = FocusManager(), pane()
            asking = asyncio.ensure_future(focus.set_focus_after_delay(target, delay))
            await turns()
            await until(lambda: focus._focusing_active)
            screen.add(target)
            screen.app.invalidate()
            assert await asking
            assert not focus._focusing_active
            assert screen.focused() is target

    @pytest.mark.parametrize(
        "target", [None, 7, "no such buffer", object(), Buffer(), [], FormattedTextControl(), HSplit([])]
    )
    async def test_nonsense_is_not_focused_and_not_an_error(self, target: Any) -> None:
        """What is not on the layout, or cannot ever be, is False after the delay."""
        async with plain_screen() as screen:
            focus = FocusManager()
            assert await focus.set_focus_after_delay(target, 0.01) is False
            assert not focus._focusing_active
            assert screen.focused() is screen.beneath

    async def test_a_hidden_target_is_waited_for(self) -> None:
        """A target that cannot be seen does not get the keyboard until it can."""
        async with plain_screen() as screen:
            focus, target, shown = FocusManager(), pane(), list[bool]()
            screen.add(ConditionalContainer(target, Condition(lambda: bool(shown))))
            assert await focus.set_focus_after_delay(target, 0.01) is False
            asking = asyncio.ensure_future(focus.set_focus_after_delay(target, 10))
            await turns()
            shown.append(True)
            screen.app.invalidate()
            assert await asking
            assert screen.focused() is target

    async def test_a_target_that_comes_without_a_render_is_found_at_the_end(self) -> None:
        """Nobody asked for a frame: the last look is when the delay is over."""
        async with plain_screen() as screen:
            focus, target = FocusManager(), pane()
            asking = asyncio.ensure_future(focus.set_focus_after_delay(target, 0.05))
            await until(lambda: focus._focusing_active)
            await screen_rests(screen)
            screen.add(target)
            assert await asking
            assert screen.focused() is target

    async def test_a_target_that_vanishes_while_it_is_waited_for_is_false(self) -> None:
        """It was on the layout between two renders only."""
        async with plain_screen() as screen:
            focus, target = FocusManager(), pane()
            asking = asyncio.ensure_future(focus.set_focus_after_delay(target, 0.02))
            await turns()
            screen.root.floats.remove(screen.add(target))
            assert await asking is False
            assert screen.focused() is screen.beneath

    async def test_a_second_call_while_one_is_in_flight_is_refused_and_logged(self) -> None:
        """The first goes on undisturbed."""
        async with plain_screen() as screen:
            focus, first, second = FocusManager(), pane("first"), pane("second")
            screen.add(second)
            asking = asyncio.ensure_future(focus.set_focus_after_delay(first, 10))
            await turns()
            with logged() as log:
                assert await focus.set_focus_after_delay(second, 10) is False
            assert any("in flight" in record.getMessage() for record in log.records)
            screen.add(first)
            screen.app.invalidate()
            assert await asking
            assert screen.focused() is first
            assert await focus.set_focus_after_delay(second, 0)

    async def test_of_a_hundred_calls_at_once_one_is_in_flight(self) -> None:
        """Ninety-nine are refused."""
        async with plain_screen() as screen:
            focus, target = FocusManager(), pane()
            asking = [asyncio.ensure_future(focus.set_focus_after_delay(target, 10)) for _ in range(100)]
            await turns()
            assert sum(task.done() for task in asking) == 99
            screen.add(target)
            screen.app.invalidate()
            assert sum(await asyncio.gather(*asking)) == 1

    async def test_a_cancelled_wait_leaves_nothing_in_flight(self) -> None:
        """The cancellation goes on to whoever awaits."""
        async with plain_screen() as screen:
            focus = FocusManager()
            asking = asyncio.ensure_future(focus.set_focus_after_delay(pane(), 10))
            await turns()
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            assert not focus._focusing_active
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await focus.set_focus_after_delay(pane(), 10)
            assert not focus._focusing_active
            assert len(screen.app.after_render._handlers) == 0

    async def test_a_filter_that_raises_does_not_stop_the_focus(self) -> None:
        """What cannot tell whether it is shown is not looked into; the rest is."""

        def broken() -> bool:
            raise RuntimeError("a filter")

        async with plain_screen() as screen:
            target = pane()
            hidden = ConditionalContainer(pane("hidden"), Condition(broken))
            screen.app.layout.container = FloatContainer(HSplit([hidden, screen.root]), [])
            focus = FocusManager()
            screen.add(target)
            assert await focus.set_focus_after_delay(target, 0.01)
            assert await focus.set_focus_after_delay(hidden, 0.01) is False
            assert not focus._focusing_active
            screen.app.layout.container = screen.root

    async def test_with_no_application_there_is_nothing_to_focus(self) -> None:
        """The answer is False, no exception."""
        assert await focus_after_delay(pane(), 0.01) is False
        assert not get_focus_manager()._focusing_active

    def test_two_loops_one_after_the_other(self) -> None:
        """A loop that died during a wait does not leave the operation in flight for the next one."""
        dead = asyncio.new_event_loop()
        asking = dead.create_task(focus_after_delay(pane(), 1000))
        dead.run_until_complete(asyncio.sleep(0))
        assert get_focus_manager()._focusing_active
        asking._log_destroy_pending = False  # type: ignore[attr-defined]
        dead.close()
        assert not get_focus_manager()._focusing_active

        async def again() -> None:
            async with plain_screen() as screen:
                target = pane()
                screen.add(target)
                assert await focus_after_delay(target, 0.1)

        asyncio.run(again())

    async def test_two_applications_one_after_the_other(self) -> None:
        """The accessor's manager serves whichever application is there."""
        for _ in range(2):
            async with plain_screen() as screen:
                target = pane()
                screen.add(target)
                assert await focus_after_delay(target, 0.1)
                assert screen.focused() is target

    async def test_a_wait_ends_in_time_although_the_application_has_gone(self) -> None:
        """No render will come; the delay still ends it."""
        focus = FocusManager()
        async with plain_screen():
            asking = asyncio.ensure_future(focus.set_focus_after_delay(pane(), 0.05))
            await turns()
        assert await asking is False
        assert not focus._focusing_active


async def screen_rests(screen: Screen) -> None:
    """Wait until no frame is due."""
    await until(lambda: not screen.app.invalidated)
    await turns()


class TestDuringADialog:
    """`managed_focus_during_dialog` around a host that is not ours."""

    async def test_the_dialog_has_the_focus_at_its_first_suspension(self) -> None:
        """One turn after it was started, without a frame in between."""
        async with plain_screen() as screen:
            target, answer = pane(), future()
            focus = FocusManager()
            showing = asyncio.ensure_future(focus.managed_focus_during_dialog(target, screen.dialog(target, answer)))
            await asyncio.sleep(0)
            assert screen.focused() is target
            assert not focus._focusing_active
            answer.set_result("answer")
            assert await showing == "answer"
            assert screen.focused() is screen.beneath

    async def test_a_host_that_takes_its_time_is_focused_when_it_awaits_the_answer(self) -> None:
        """Each time it suspends is looked, not only the first."""
        async with plain_screen() as screen:
            target, answer = pane(), future()

            async def slow_host() -> Any:
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                return await screen.dialog(target, answer)

            focus = FocusManager()
            showing = asyncio.ensure_future(focus.managed_focus_during_dialog(target, slow_host(), 10))
            await turns(3)
            assert screen.focused() is target
            assert not focus._focusing_active
            answer.set_result(1)
            assert await showing == 1

    async def test_its_own_keys_are_alive_before_the_next_frame(self) -> None:
        """A key that comes in the same tick finds the bindings of the dialog's containers."""
        async with plain_screen() as screen:
            keys, pressed = KeyBindings(), list[str]()
            keys.add("x")(lambda event: pressed.append("x"))
            target, answer = pane(), future()
            dialog = HSplit([target], key_bindings=keys)
            showing = asyncio.ensure_future(
                FocusManager().managed_focus_during_dialog(target, screen.dialog(dialog, answer))
            )
            frames = screen.app.render_counter
            await asyncio.sleep(0)
            assert screen.app.render_counter == frames
            screen.app.key_processor.feed(KeyPress("x"))
            screen.app.key_processor.process_keys()
            assert pressed == ["x"]
            answer.set_result(None)
            await showing

    async def test_a_failure_is_the_callers(self) -> None:
        """As it was raised, at once or later, and the focus is back."""
        async with plain_screen() as screen:
            target = pane()

            async def fails_at_once() -> None:
                raise KeyError("at once")

            async def fails_later() -> None:
                added = screen.add(target)
                await asyncio.sleep(0)
                screen.root.floats.remove(added)
                raise KeyError("later")

            focus = FocusManager()
            for failing in (fails_at_once, fails_later):
                with pytest.raises(KeyError):
                    await focus.managed_focus_during_dialog(target, failing())
                assert screen.focused() is screen.beneath
                assert not focus._focusing_active
                assert not focus._claims

    async def test_an_answer_without_suspending_is_the_answer(self) -> None:
        """The focus is not touched."""
        async with plain_screen() as screen:

            async def at_once() -> int:
                return 7

            assert await FocusManager().managed_focus_during_dialog(pane(), at_once()) == 7
            assert screen.focused() is screen.beneath

    async def test_any_awaitable_may_be_the_dialog(self) -> None:
        """A task that shows it already, or a future."""
        async with plain_screen() as screen:
            target, answer = pane(), future()
            focus = FocusManager()
            shown = asyncio.ensure_future(screen.dialog(target, answer))
            await turns(1)
            showing = asyncio.ensure_future(focus.managed_focus_during_dialog(target, shown))
            await turns(1)
            assert screen.focused() is target
            answer.set_result(3)
            assert await showing == 3
            await turns(1)
            assert screen.focused() is screen.beneath

    async def test_never_awaited_it_closes_the_dialog(self) -> None:
        """Dropped, closed, or cancelled before its first step: no coroutine is left to warn of."""
        async with plain_screen() as screen:
            focus = FocusManager()
            dropped = focus.managed_focus_during_dialog(pane(), screen.dialog(pane(), future()))
            del dropped
            focus.managed_focus_during_dialog(pane(), screen.dialog(pane(), future())).close()
            task = asyncio.ensure_future(focus.managed_focus_during_dialog(pane(), screen.dialog(pane(), future())))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert screen.root.floats == []
            assert not focus._claims

    async def test_cancelled_it_closes_the_dialog_and_gives_the_focus_back(self) -> None:
        """The cancellation reaches the caller, also as a timeout."""
        async with plain_screen() as screen:
            focus, target = FocusManager(), pane()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await focus.managed_focus_during_dialog(target, screen.dialog(target, future()))
            task = asyncio.ensure_future(focus.managed_focus_during_dialog(target, screen.dialog(target, future())))
            await turns()
            assert screen.focused() is target
            task.cancel("enough")
            with pytest.raises(asyncio.CancelledError, match="enough"):
                await task
            assert task.cancelled()
            assert screen.root.floats == []
            assert screen.focused() is screen.beneath

    async def test_cancelled_while_the_target_is_waited_for(self) -> None:
        """Nothing stays in flight."""
        async with plain_screen():
            focus = FocusManager()
            task = asyncio.ensure_future(focus.managed_focus_during_dialog(pane(), asyncio.sleep(100), 100))
            await turns()
            assert focus._focusing_active
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            assert not focus._focusing_active

    async def test_a_target_that_raises_when_it_is_looked_at_cannot_be_focused(self) -> None:
        """Focusing it says False, and a dialog with it goes on to its own end."""

        class Broken:
            def __pt_container__(self) -> Container:
                raise RuntimeError("no container")

        async def dialog() -> str:
            await asyncio.sleep(0)
            return "answered"

        async with plain_screen() as screen:
            focus = FocusManager()
            assert await focus.set_focus_after_delay(Broken(), 0.01) is False
            assert await focus.managed_focus_during_dialog(Broken(), dialog(), 0.01) == "answered"
            assert not focus._focusing_active
            assert screen.focused() is screen.beneath

    @pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (1, 0, 2), (0, 2, 1), (2, 0, 1)])
    @pytest.mark.parametrize("how", ["answered", "cancelled", "failed"])
    async def test_dialogs_may_go_in_any_order(self, order: tuple[int, ...], how: str) -> None:
        """The focus is on the newest that is left, and at last where it was."""
        async with plain_screen() as screen:
            focus = FocusManager()
            targets = [pane(f"dialog {number}") for number in range(3)]
            answers = [future() for _ in targets]
            showing = []
            for target, answer in zip(targets, answers, strict=True):
                dialog = screen.dialog(target, answer)
                showing.append(asyncio.ensure_future(focus.managed_focus_during_dialog(target, dialog)))
                await asyncio.sleep(0)
                assert screen.focused() is target
            left = [0, 1, 2]
            for number in order:
                if how == "answered":
                    answers[number].set_result(None)
                elif how == "failed":
                    answers[number].set_exception(KeyError(number))
                else:
                    showing[number].cancel()
                await asyncio.wait([showing[number]])
                with suppress(asyncio.CancelledError, KeyError):
                    showing[number].result()
                left.remove(number)
                assert screen.focused() is (targets[max(left)] if left else screen.beneath)
            assert not focus._claims
            assert not focus._focusing_active

    async def test_a_newer_dialog_is_not_robbed_by_an_older_one_that_appears_late(self) -> None:
        """The older gets the focus when the newer is gone."""
        async with plain_screen() as screen:
            focus, late, newest = FocusManager(), pane("late"), pane("newest")
            appear, late_answer, newest_answer = asyncio.Event(), future(), future()

            async def late_dialog() -> Any:
                await appear.wait()
                return await screen.dialog(late, late_answer)

            first = asyncio.ensure_future(focus.managed_focus_during_dialog(late, late_dialog(), 100))
            await turns()
            second = asyncio.ensure_future(
                focus.managed_focus_during_dialog(newest, screen.dialog(newest, newest_answer))
            )
            await turns(1)
            assert screen.focused() is newest
            appear.set()
            screen.app.invalidate()
            frames = screen.app.render_counter
            await until(lambda: screen.app.render_counter > frames)
            await turns()
            assert screen.root.floats[-1].content is late
            assert screen.focused() is newest
            newest_answer.set_result(None)
            await second
            assert screen.focused() is late
            late_answer.set_result(None)
            await first
            assert screen.focused() is screen.beneath

    async def test_two_dialogs_that_appear_late_both_get_their_turn(self) -> None:
        """Waiting for the newer does not forget the older."""
        async with plain_screen() as screen:
            focus = FocusManager()
            targets = [pane("older"), pane("newer")]
            appear = [asyncio.Event(), asyncio.Event()]
            answers = [future(), future()]

            async def dialog(number: int) -> Any:
                await appear[number].wait()
                return await screen.dialog(targets[number], answers[number])

            showing = []
            for number in (0, 1):
                coroutine = focus.managed_focus_during_dialog(targets[number], dialog(number), 100)
                showing.append(asyncio.ensure_future(coroutine))
                await turns(1)
            showing[1].cancel()
            await asyncio.wait([showing[1]])
            assert screen.focused() is screen.beneath
            appear[0].set()
            await turns(3)
            assert screen.focused() is targets[0]
            answers[0].set_result(None)
            await showing[0]
            assert not focus._focusing_active

    async def test_a_late_dialog_that_got_its_turn_by_the_end_of_another_is_left_alone(self) -> None:
        """The next frame does not take the user back to where the dialog began."""
        async with plain_screen() as screen:
            focus, late, newest = FocusManager(), pane("late"), pane("newest")
            second_field, answers, appear = pane("second field"), [future(), future()], asyncio.Event()

            async def late_dialog() -> Any:
                await appear.wait()
                return await screen.dialog(HSplit([late, second_field]), answers[0])

            first = asyncio.ensure_future(focus.managed_focus_during_dialog(late, late_dialog(), 100))
            await turns()
            over = focus.managed_focus_during_dialog(newest, screen.dialog(newest, answers[1]))
            second = asyncio.ensure_future(over)
            await turns()
            appear.set()
            await turns()
            answers[1].set_result(None)
            await second
            assert screen.focused() is late
            assert not focus._focusing_active
            screen.app.layout.focus(second_field)
            frames = screen.app.render_counter
            screen.app.invalidate()
            await until(lambda: screen.app.render_counter > frames)
            assert screen.focused() is second_field
            answers[0].set_result(None)
            await first

    async def test_a_direct_call_in_flight_does_not_cost_a_dialog_its_focus(self) -> None:
        """The dialog takes the focus; what the call waited for does not take it away."""
        async with plain_screen() as screen:
            focus, other, target, answer = FocusManager(), pane("other"), pane("dialog"), future()
            asking = asyncio.ensure_future(focus.set_focus_after_delay(other, 0.05))
            await turns()
            dialog = focus.managed_focus_during_dialog(target, screen.dialog(target, answer))
            showing = asyncio.ensure_future(dialog)
            await turns(1)
            assert screen.focused() is target
            screen.add(other)
            screen.app.invalidate()
            assert await asking is False
            assert screen.focused() is target
            answer.set_result(None)
            await showing
            assert screen.focused() is screen.beneath

    async def test_a_direct_call_and_a_dialog_wait_for_the_same_target(self) -> None:
        """Neither waits for ever when the other is done."""
        async with plain_screen() as screen:
            focus, target = FocusManager(), pane()
            asking = asyncio.ensure_future(focus.set_focus_after_delay(target, 0.05))
            await turns()
            showing = asyncio.ensure_future(focus.managed_focus_during_dialog(target, asyncio.sleep(100), 100))
            await turns()
            showing.cancel()
            await asyncio.wait([showing])
            async with asyncio.timeout(5):
                assert await asking is False
            assert not focus._focusing_active
            assert screen.focused() is screen.beneath

    async def test_a_target_waited_for_anew_while_its_dialog_ends(self) -> None:
        """The direct call has its own wait, which the end of the dialog does not take away."""
        async with plain_screen() as screen:
            focus, target, answer = FocusManager(), pane(), future()
            showing = asyncio.ensure_future(focus.managed_focus_during_dialog(target, screen.dialog(target, answer)))
            await turns(1)
            gone = screen.root.floats.pop()
            asking = asyncio.ensure_future(focus.set_focus_after_delay(target, 0.05))
            await turns(1)
            screen.root.floats.append(gone)
            answer.set_result(None)
            await showing
            async with asyncio.timeout(5):
                assert await asking is False

    async def test_where_the_user_went_inside_a_dialog_is_remembered(self) -> None:
        """A dialog over it gives the focus back to the very window."""
        async with plain_screen() as screen:
            focus = FocusManager()
            field, button, newer = pane("field"), pane("button"), pane("newer")
            answers = [future(), future()]
            form = HSplit([field, button])
            showing = [asyncio.ensure_future(focus.managed_focus_during_dialog(field, screen.dialog(form, answers[0])))]
            await turns(1)
            screen.app.layout.focus(button)
            over = focus.managed_focus_during_dialog(newer, screen.dialog(newer, answers[1]))
            showing.append(asyncio.ensure_future(over))
            await turns(1)
            assert screen.focused() is newer
            answers[1].set_result(None)
            await showing[1]
            assert screen.focused() is button
            answers[0].set_result(None)
            await showing[0]
            assert screen.focused() is screen.beneath

    async def test_a_window_that_is_gone_gets_no_focus_back(self) -> None:
        """The focus goes to what can be seen."""
        async with plain_screen() as screen:
            focus, opener, target, answer = FocusManager(), pane("opener"), pane("dialog"), future()
            added = screen.add(opener)
            assert await focus.set_focus_after_delay(opener, 0)
            showing = asyncio.ensure_future(focus.managed_focus_during_dialog(target, screen.dialog(target, answer)))
            await turns(1)
            screen.root.floats.remove(added)
            answer.set_result(None)
            await showing
            assert screen.focused() is screen.beneath

    async def test_a_dialog_outlives_its_application(self) -> None:
        """Its end is its result, whatever has become of the screen."""
        focus, target, answer = FocusManager(), pane(), future()
        async with plain_screen() as screen:
            showing = asyncio.ensure_future(focus.managed_focus_during_dialog(target, screen.dialog(target, answer)))
            await turns(1)
        answer.set_result("late")
        assert await showing == "late"
        assert not focus._claims

    async def test_dialogs_in_two_applications_do_not_mix(self) -> None:
        """Each gives the focus back to the window of its own screen."""
        async with plain_screen() as one:
            focus = FocusManager()
            lower = pane("lower pane of one")
            one.root.content = HSplit([one.beneath, lower])
            assert await focus.set_focus_after_delay(lower, 0)
            targets, answers = [pane("in one"), pane("in two")], [future(), future()]
            dialog = one.dialog(targets[0], answers[0])
            first = asyncio.ensure_future(focus.managed_focus_during_dialog(targets[0], dialog))
            await turns(1)
            async with plain_screen() as two:
                second = asyncio.ensure_future(
                    focus.managed_focus_during_dialog(targets[1], two.dialog(targets[1], answers[1]))
                )
                await turns(1)
                assert two.focused() is targets[1]
                assert one.focused() is targets[0]
                answers[0].set_result(None)
                await first
                assert one.focused() is lower
                assert two.focused() is targets[1]
                answers[1].set_result(None)
                await second
                assert two.focused() is two.beneath

    async def test_a_thousand_dialogs_leave_no_trace(self) -> None:
        """Neither claims nor render handlers pile up."""
        async with plain_screen() as screen:
            focus = FocusManager()

            async def brief(target: Window) -> None:
                added = screen.add(target)
                await asyncio.sleep(0)
                screen.root.floats.remove(added)

            for _ in range(300):
                target = pane()
                await focus.managed_focus_during_dialog(target, brief(target))
            assert not focus._claims
            assert screen.app.after_render._handlers == []
            assert screen.focused() is screen.beneath
