"""Dialogs come and go over a screen in any order, each with the keyboard while it is the newest."""

from __future__ import annotations

import asyncio
import itertools
import random
from typing import Any

import pytest
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.layout.containers import AnyContainer, Float, FloatContainer, HSplit, Window
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.mouse_events import MouseEvent
from prompt_toolkit.widgets import Frame, Label, TextArea

from openhcs.tui.utils.dialog_host import FloatDialogHost
from tests.tui.utils.kit import Stage, pane, stage, turns, until


class Shown:
    """A dialog that is up: its answer, and the task that shows it."""

    def __init__(self, here: Stage, dialog: AnyContainer, **options: Any) -> None:
        self.answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.task = asyncio.ensure_future(here.host.show_dialog(dialog, self.answer, **options))

    async def gone(self) -> Any:
        """Wait until whoever shows it is done; the outcome."""
        await asyncio.wait([self.task])
        return None if self.task.cancelled() else self.task.exception() or self.task.result()

    async def end(self, how: str) -> None:
        if how == "answered":
            self.answer.set_result("answer")
        elif how == "failed":
            self.answer.set_exception(KeyError("answer"))
        elif how == "unanswered":
            self.answer.cancel()
        else:
            self.task.cancel()
        await self.gone()


class TestFocus:
    """The newest dialog has the keyboard at once, and it goes back to where it was."""

    async def test_a_dialog_has_the_focus_in_the_step_that_shows_it(self) -> None:
        """No frame has been drawn yet."""
        async with stage() as here:
            target, frames = pane("a dialog"), here.app.render_counter
            shown = Shown(here, Frame(target))
            await asyncio.sleep(0)
            assert here.app.layout.has_focus(target)
            assert here.app.render_counter == frames
            assert here.host.depth == 1
            await shown.end("answered")
            assert shown.task.result() == "answer"
            assert here.host.depth == 0

    async def test_the_window_asked_for_has_it(self) -> None:
        """`focus_target` inside the dialog."""
        async with stage() as here:
            first, second = pane("first"), TextArea("second")
            shown = Shown(here, HSplit([first, second]), focus_target=second)
            await asyncio.sleep(0)
            assert here.app.layout.has_focus(second)
            await shown.end("answered")

    @pytest.mark.parametrize("dialog", [Label("please wait"), HSplit([Window(), Window()])])
    async def test_a_dialog_that_takes_no_keys_keeps_them_from_what_lies_beneath(self, dialog: AnyContainer) -> None:
        """Nothing in it is focusable, and still no key goes past it."""
        keys, beneath = KeyBindings(), list[str]()
        keys.add("x")(lambda event: beneath.append("x"))
        async with stage(HSplit([pane("the pane")], key_bindings=keys)) as here:
            seen: list[str] = []
            here.keys.add("a")(lambda event: seen.append("a"))
            here.press("x")
            await until(lambda: beneath == ["x"])
            shown = Shown(here, dialog)
            await asyncio.sleep(0)
            here.press("xa")
            await until(lambda: seen)
            assert beneath == ["x"]
            await shown.end("answered")
            here.press("x")
            await until(lambda: beneath == ["x", "x"])

    @pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
    @pytest.mark.parametrize("how", ["answered", "failed", "cancelled", "unanswered"])
    async def test_dialogs_may_close_in_any_order_and_way(self, order: tuple[int, ...], how: str) -> None:
        """Each leaves by identity; the focus is on the newest that is left."""
        async with stage() as here:
            before = here.app.layout.current_window
            targets = [pane(f"dialog {number}") for number in range(3)]
            shown = []
            for target in targets:
                shown.append(Shown(here, target))
                await asyncio.sleep(0)
            left = [0, 1, 2]
            for number in order:
                await shown[number].end(how)
                left.remove(number)
                assert here.app.layout.current_window is (targets[max(left)] if left else before)
                contents = [window for window in here.app.layout.find_all_windows() if window in targets]
                assert contents == [targets[number] for number in left]
            assert here.root.floats == []
            assert not here.focus._claims
            assert not here.focus._focusing_active

    async def test_all_may_be_cancelled_at_once(self) -> None:
        """In one tick, newest or oldest first."""
        for newest_first in (True, False):
            async with stage() as here:
                before = here.app.layout.current_window
                shown = []
                for number in range(5):
                    shown.append(Shown(here, pane(f"dialog {number}")))
                    await asyncio.sleep(0)
                for one in reversed(shown) if newest_first else shown:
                    one.task.cancel()
                await asyncio.gather(*(one.gone() for one in shown))
                assert here.app.layout.current_window is before
                assert here.root.floats == []

    async def test_a_dialog_opened_by_a_dialog_gives_back_to_the_field_it_was_opened_from(self) -> None:
        """Not to the first field."""
        async with stage() as here:
            first, second = pane("first field"), pane("second field")
            outer = Shown(here, HSplit([first, second]))
            await asyncio.sleep(0)
            here.app.layout.focus(second)
            inner = Shown(here, pane("a question"))
            await asyncio.sleep(0)
            await inner.end("answered")
            assert here.app.layout.has_focus(second)
            await outer.end("answered")

    async def test_the_end_of_an_older_dialog_leaves_the_newest_as_it_is(self) -> None:
        """The user stays where Tab has brought them."""
        async with stage() as here:
            first, second = pane("first field"), pane("second field")
            older = Shown(here, pane("older"))
            await asyncio.sleep(0)
            newer = Shown(here, HSplit([first, second]))
            await asyncio.sleep(0)
            here.app.layout.focus(second)
            await older.end("answered")
            assert here.app.layout.has_focus(second)
            await newer.end("answered")

    async def test_nobody_takes_the_focus_from_a_dialog(self) -> None:
        """A call for a window beneath it is refused; one for a window in it is not."""
        async with stage() as here:
            beneath = here.app.layout.current_window
            first, second = pane("first"), pane("second")
            shown = Shown(here, HSplit([first, second]))
            await asyncio.sleep(0)
            assert not await here.focus.set_focus_after_delay(beneath, 0.01)
            assert here.app.layout.has_focus(first)
            assert await here.focus.set_focus_after_delay(second, 0.01)
            assert here.app.layout.has_focus(second)
            await shown.end("answered")
            assert here.app.layout.has_focus(beneath)

    async def test_a_dialog_whose_root_comes_later_has_the_focus_then(self) -> None:
        """However long it takes."""
        async with stage() as here:
            root, target = FloatContainer(pane("another screen"), floats=[]), pane("a dialog")
            answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            showing = asyncio.ensure_future(FloatDialogHost(root).show_dialog(target, answer))
            await asyncio.sleep(0.15)  # longer than a target is usually waited for
            here.root.content = root
            await here.frame()
            assert here.app.layout.has_focus(target)
            showing.cancel()
            await asyncio.wait([showing])
            assert not here.focus._focusing_active

    async def test_cancelled_before_its_first_step_nothing_is_shown(self) -> None:
        """And nothing is left over."""
        async with stage() as here:
            shown = Shown(here, pane("a dialog"))
            shown.task.cancel()
            await shown.gone()
            assert here.root.floats == []
            assert not here.focus._claims

    async def test_an_answer_that_is_there_already_is_returned(self) -> None:
        """The dialog does not stay."""
        async with stage() as here:
            answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            answer.set_result("at once")
            before = here.app.layout.current_window
            assert await here.host.show_dialog(pane("a dialog"), answer) == "at once"
            assert here.app.layout.current_window is before
            assert here.root.floats == []

    @pytest.mark.parametrize("dialog", [None, 7, "text", object()])
    async def test_what_is_not_a_dialog_is_refused(self, dialog: Any) -> None:
        """The screen stays as it was."""
        async with stage() as here:
            answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            with pytest.raises(ValueError, match="container"):
                await here.host.show_dialog(dialog, answer)
            assert here.host.depth == 0
            assert not here.focus._claims

    async def test_a_timeout_around_a_dialog_closes_it(self) -> None:
        """The cancellation is not swallowed."""
        async with stage() as here:
            answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await here.host.show_dialog(pane("a dialog"), answer)
            await here.shows_no("a dialog")


class TestAnything:
    """Whatever happens in whatever order."""

    @pytest.mark.parametrize("seed", range(12))
    async def test_the_focus_is_in_the_newest_dialog_whatever_happened(self, seed: int) -> None:
        """Dialogs of this host, of a foreign one, late ones, Tab, direct calls and frames; ended in every way."""
        chance = random.Random(seed)
        async with stage() as here:
            before = here.app.layout.current_window
            shown: list[tuple[Shown | Foreign, tuple[Window, Window]]] = []
            direct: list[asyncio.Task[bool]] = []
            for number in range(60):
                match chance.choice(["own", "foreign", "late", "end", "end", "tab", "direct", "frame"]):
                    case "own":
                        fields = (pane(f"own {number}"), pane())
                        shown.append((Shown(here, HSplit(list(fields))), fields))
                    case "foreign" | "late" as kind:
                        fields = (pane(f"{kind} {number}"), pane())
                        shown.append((Foreign(here, fields, turns_before=3 if kind == "late" else 0), fields))
                    case "end" if shown:
                        ending, _ = shown.pop(chance.randrange(len(shown)))
                        await ending.end(chance.choice(["answered", "failed", "cancelled", "unanswered"]))
                    case "tab" if shown:
                        here.app.layout.focus(chance.choice(shown[-1][1]))
                    case "direct":
                        direct.append(asyncio.ensure_future(here.focus.set_focus_after_delay(pane(), 0.001)))
                    case "frame":
                        await here.frame()
                await turns(6)
                current = here.app.layout.current_window
                assert current in shown[-1][1] if shown else current is before
            for ending, _ in shown:
                await ending.end("cancelled")
            assert not any(await asyncio.gather(*direct))
            assert here.app.layout.current_window is before
            assert here.root.floats == []
            assert not here.focus._claims
            assert not here.focus._focusing_active


class Foreign(Shown):
    """A dialog shown by a host that knows nothing of focus, around which only the focus is managed."""

    def __init__(self, here: Stage, fields: tuple[Window, Window], turns_before: int) -> None:
        self.answer = asyncio.get_running_loop().create_future()

        async def show() -> Any:
            await turns(turns_before)
            floating = Float(HSplit(list(fields)))
            here.root.floats.append(floating)
            try:
                return await self.answer
            finally:
                here.root.floats.remove(floating)

        self.task = asyncio.ensure_future(here.focus.managed_focus_during_dialog(fields[0], show(), 10))


class TestMouse:
    """Clicks beside a dialog are not for what lies beneath."""

    async def test_what_lies_beneath_gets_no_clicks_while_a_dialog_is_up(self) -> None:
        """And gets them again afterwards."""
        clicked: list[str] = []

        def on_click(name: str) -> Any:
            def handler(event: MouseEvent) -> None:
                clicked.append(name)

            return handler

        body = Window(FormattedTextControl([("", "click the pane", on_click("pane"))]))
        async with stage(body) as here:
            here.press("\x1b[<0;3;1M")
            await until(lambda: clicked == ["pane"])
            dialog = Window(FormattedTextControl([("", "click the dialog", on_click("dialog"))]), height=1, width=16)
            shown = Shown(here, dialog)
            await here.shows("click the dialog")
            here.press("\x1b[<0;3;1M")
            row = next(row for row, line in enumerate(here.terminal.screen.display) if "the dialog" in line)
            column = here.terminal.screen.display[row].index("click the dialog")
            here.press(f"\x1b[<0;{column + 2};{row + 1}M")
            await until(lambda: len(clicked) == 2)
            assert clicked == ["pane", "dialog"]
            await shown.end("answered")
            await here.shows_no("click the dialog")
            here.press("\x1b[<0;3;1M")
            await until(lambda: clicked == ["pane", "dialog", "pane"])


class TestClosing:
    """`close_newest`: for whoever finds that a dialog is broken."""

    async def test_the_newest_unanswered_dialog_ends_with_the_reason(self) -> None:
        """It is off the layout at once, before its owner wakes; the next call closes the next."""
        async with stage() as here:
            older, newer = Shown(here, pane("older")), Shown(here, pane("newer"))
            await turns(1)
            reason = RuntimeError("broken")
            assert here.host.close_newest(reason)
            assert len(here.root.floats) == 2
            assert await newer.gone() is reason
            assert here.host.close_newest(reason)
            assert not here.host.close_newest(reason)
            assert await older.gone() is reason
            assert not here.host.close_newest(reason)
