"""Targets that vanish, never come or lie; dialogs closed out of order, by cancellation, in the tick they open."""

from __future__ import annotations

import asyncio
import inspect
import random
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prompt_toolkit.application import Application, create_app_session, get_app
from prompt_toolkit.application.current import set_app
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.filters import Condition
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.layout import Float, FloatContainer, HSplit, Layout, Window
from prompt_toolkit.layout.containers import ConditionalContainer, DynamicContainer
from prompt_toolkit.layout.controls import DummyControl, FormattedTextControl
from prompt_toolkit.output import DummyOutput
from prompt_toolkit.widgets import Button, Frame, TextArea

from openhcs.tui.utils.dialog_helpers import (
    focus_text_area,
    prompt_for_file_dialog,
    prompt_for_multi_folder_dialog,
    prompt_for_save_file_dialog,
    prompt_for_text_input,
    setup_global_exception_handler,
    show_error_dialog,
    show_scrollable_error_dialog,
)
from openhcs.tui.utils.dialog_host import FloatDialogHost
from openhcs.tui.utils.focus_manager import focus_after_delay, get_focus_manager
from openhcs.tui.utils.safe_error_handler import SafeErrorHandler, get_error_handler
from openhcs.tui.utils.unified_task_manager import get_task_manager, shutdown_task_manager
from tests.tui.utils.abuse.fakes import HOSTS, Evil, Host, HostileObject, turns
from tests.tui.utils.kit import until


class App:
    """A plain prompt_toolkit application over two text areas, with floats; no part of the core."""

    def __init__(self, app: Application[Any], root: FloatContainer, areas: list[TextArea], pipe: Any) -> None:
        self.app = app
        self.root = root
        self.areas = areas
        self.pipe = pipe

    async def show_dialog(self, dialog: Any, result_future: asyncio.Future[Any]) -> Any:
        """As an application without the core's own host would: a Float for as long as the future is open."""
        shown = Float(dialog)
        self.root.floats.append(shown)
        self.app.invalidate()
        try:
            return await result_future
        finally:
            self.root.floats.remove(shown)
            self.app.invalidate()

    @property
    def focused(self) -> Window:
        return self.app.layout.current_window

    async def drawn(self) -> None:
        """Wait for a frame."""
        count = self.app.render_counter
        self.app.invalidate()
        await until(lambda: self.app.render_counter != count)


def in_app(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., Coroutine[Any, Any, None]]:
    """Run a test as a task of a running application, which ends with it."""

    async def run(self: Any = None, **arguments: Any) -> None:
        with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
            areas = [TextArea("first"), TextArea("second")]
            root = FloatContainer(HSplit(list(areas)), floats=[])
            app: Application[Any] = Application(Layout(root, areas[0]), full_screen=True)
            running = asyncio.ensure_future(app.run_async(set_exception_handler=False))
            try:
                screen = App(app, root, areas, pipe)
                await screen.drawn()
                with set_app(app):
                    async with asyncio.timeout(10):
                        await test(self, screen, **arguments)
            finally:
                if not app.is_done and app.is_running:
                    app.exit()
                await asyncio.wait([running])
                running.result()

    parameters = list(inspect.signature(test).parameters.values())
    run.__signature__ = inspect.Signature([p for p in parameters if p.name != "screen"])  # type: ignore[attr-defined]
    run.__name__, run.__doc__, run.__qualname__ = test.__name__, test.__doc__, test.__qualname__
    return run


class _RaisingContainer:
    def __pt_container__(self) -> Any:
        raise RuntimeError("no container")


class _WrongContainer:
    def __pt_container__(self) -> Any:
        return 7


class _SelfContainer:
    def __pt_container__(self) -> Any:
        return self


NO_TARGETS: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "a number": lambda: 7,
    "an unknown name": lambda: "no such buffer",
    "an unknown buffer": Buffer,
    "a window elsewhere": Window,
    "an unfocusable control": lambda: FormattedTextControl("text"),
    "a dummy control": DummyControl,
    "a text area elsewhere": TextArea,
    "an empty container": lambda: HSplit([]),
    "a button elsewhere": lambda: Button("OK"),
    "a class": lambda: TextArea,
    "a raising container": _RaisingContainer,
    "a wrong container": _WrongContainer,
    "its own container": _SelfContainer,
    "hostile": HostileObject,
    "a mock": SimpleNamespace,
}


class TestTargets:
    @pytest.mark.parametrize("kind", NO_TARGETS)
    @in_app
    async def test_that_never_come(self, screen: App, kind: str) -> None:
        """What is not on the screen, or is nothing at all, is waited for in vain and in time; the focus stays."""
        target = NO_TARGETS[kind]()
        before = screen.focused
        began = time.monotonic()
        assert await get_focus_manager().set_focus_after_delay(target, 0.02) is False
        assert time.monotonic() - began < 1
        assert screen.focused is before
        assert not get_focus_manager()._focusing_active

    @pytest.mark.parametrize("kind", NO_TARGETS)
    @in_app
    async def test_of_dialogs(self, screen: App, kind: str) -> None:
        """A dialog goes on, and ends with its own result, whatever its target is."""

        async def dialog() -> str:
            await asyncio.sleep(0.005)
            return "answer"

        managed = get_focus_manager().managed_focus_during_dialog(NO_TARGETS[kind](), dialog(), 0.001)
        assert await managed == "answer"
        assert not get_focus_manager()._focusing_active

    @pytest.mark.parametrize("delay", [0, -1, 1e-12, float("nan")], ids=str)
    @in_app
    async def test_delays(self, screen: App, delay: float) -> None:
        """Any number will do for a delay; what is on the screen is focused at once."""
        assert await focus_after_delay(screen.areas[1], delay) is True
        assert screen.focused is screen.areas[1].window
        assert await focus_after_delay("nowhere", delay) is False

    @pytest.mark.parametrize("way", ["text area", "window", "buffer", "control", "container"])
    @in_app
    async def test_ways_to_name_one(self, screen: App, way: str) -> None:
        """A text area, its window, buffer or control, and a container around it, all name it; in the same tick."""
        area = screen.areas[1]
        targets = {
            "text area": area,
            "window": area.window,
            "buffer": area.buffer,
            "control": area.control,
            "container": area.__pt_container__(),
        }
        step = get_focus_manager().set_focus_after_delay(targets[way])
        with pytest.raises(StopIteration) as end:
            step.send(None)
        assert end.value.value is True
        assert screen.focused is area.window

    @in_app
    async def test_that_comes_later(self, screen: App) -> None:
        """A target in a float that is added while it is waited for is focused with the first frame that has it."""
        late = TextArea("late")
        waiting = asyncio.ensure_future(focus_text_area(late))
        await turns()
        assert get_focus_manager()._focusing_active
        assert await focus_after_delay(screen.areas[1]) is False
        screen.root.floats.append(Float(Frame(late)))
        screen.app.invalidate()
        assert await waiting is True
        assert screen.focused is late.window

    @in_app
    async def test_that_vanishes_while_it_is_waited_for(self, screen: App) -> None:
        """A target that comes, hides and goes leaves the focus on something that is on the screen."""
        late, shown = TextArea("late"), True
        hiding = ConditionalContainer(late, Condition(lambda: shown))
        floating = Float(hiding)
        screen.root.floats.append(floating)
        assert await focus_after_delay(late, 0.05) is True
        shown = False
        await screen.drawn()
        assert await focus_after_delay(late, 0.01) is False
        screen.root.floats.remove(floating)
        await screen.drawn()
        assert await focus_after_delay(screen.areas[0]) is True

    @in_app
    async def test_a_layout_that_is_replaced(self, screen: App) -> None:
        """A dialog whose application gets another layout under it ends as ever."""
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        field = TextArea()
        showing = asyncio.ensure_future(
            get_focus_manager().managed_focus_during_dialog(field, screen.show_dialog(Frame(field), answer))
        )
        await turns()
        assert screen.focused is field.window
        screen.app.layout = Layout(TextArea("another world"))
        await screen.drawn()
        answer.set_result("answer")
        assert await showing == "answer"
        assert await focus_after_delay(screen.areas[0], 0.01) is False

    @in_app
    async def test_a_layout_that_raises(self, screen: App) -> None:
        """A container that raises when it is asked for what it holds costs the focus, not the dialog."""
        broken = False

        def content() -> Any:
            if broken:
                raise RuntimeError("no content")
            return Window()

        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        field = TextArea()
        # A plain application lets the failing frames out to the loop.
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        showing = asyncio.ensure_future(
            get_focus_manager().managed_focus_during_dialog(field, screen.show_dialog(Frame(field), answer))
        )
        await turns()
        safe, screen.app.layout.container = screen.app.layout.container, DynamicContainer(content)
        broken = True
        answer.set_result("answer")
        assert await showing == "answer"
        assert await focus_after_delay(field, 0.01) is False
        screen.app.layout.container = safe
        assert await focus_after_delay(screen.areas[0]) is True

    async def test_without_an_application(self) -> None:
        """Where no application runs a focus is refused in time, and a dialog is awaited as it is."""
        assert await focus_after_delay(TextArea(), 0.01) is False
        assert await get_focus_manager().managed_focus_during_dialog(TextArea(), asyncio.sleep(0, "answer")) == "answer"

    @in_app
    async def test_a_thousand_at_once(self, screen: App) -> None:
        """Of a thousand focus operations at once one is in flight; the others return False."""
        late = TextArea("late")
        waiting = [asyncio.ensure_future(focus_after_delay(late, 10)) for _ in range(1000)]
        await turns()
        screen.root.floats.append(Float(late))
        screen.app.invalidate()
        assert sum(await asyncio.gather(*waiting)) == 1
        assert len(screen.app.after_render._handlers) <= 1

    @in_app
    async def test_nothing_piles_up(self, screen: App) -> None:
        """Hundreds of dialogs, cancelled or closed, leave no render handler and no float behind."""
        handlers = len(screen.app.after_render._handlers)
        for number in range(200):
            answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            target = TextArea() if number % 3 else Window()
            showing = asyncio.ensure_future(
                get_focus_manager().managed_focus_during_dialog(target, screen.show_dialog(HSplit([]), answer), 60)
            )
            await turns(number % 4)
            if number % 2:
                showing.cancel()
            else:
                answer.set_result("done")
            await asyncio.wait([showing])
        assert len(screen.app.after_render._handlers) == handlers
        assert screen.root.floats == []
        assert screen.focused is screen.areas[0].window
        assert not get_focus_manager()._focusing_active


class TestDialogCoroutines:
    @pytest.mark.parametrize("error", [RuntimeError, Evil, asyncio.CancelledError, SystemExit, StopAsyncIteration])
    @pytest.mark.parametrize("steps", [0, 1, 3])
    @in_app
    async def test_that_raise(self, screen: App, error: type[BaseException], steps: int) -> None:
        """What a dialog raises, at once or later, is its caller's, and the focus is where it was."""
        field = TextArea()

        async def dialog() -> None:
            shown = Float(field)
            screen.root.floats.append(shown)
            try:
                await turns(steps)
                raise error()
            finally:
                screen.root.floats.remove(shown)

        with pytest.raises(error):
            await get_focus_manager().managed_focus_during_dialog(field, dialog())
        assert screen.focused is screen.areas[0].window
        assert not get_focus_manager()._focusing_active

    @in_app
    async def test_never_awaited(self, screen: App) -> None:
        """Managing a dialog and throwing that away, closing it, or cancelling it unstarted, closes the dialog."""
        started = False

        async def dialog() -> None:
            nonlocal started
            started = True

        focus = get_focus_manager()
        focus.managed_focus_during_dialog(screen.areas[1], dialog())
        focus.managed_focus_during_dialog(screen.areas[1], dialog()).close()
        task = asyncio.ensure_future(focus.managed_focus_during_dialog(screen.areas[1], dialog()))
        task.cancel()
        await asyncio.wait([task])
        get_task_manager().max_tasks = 0
        get_task_manager().fire_and_forget(focus.managed_focus_during_dialog(screen.areas[1], dialog()))
        get_task_manager().max_tasks = 10
        assert not started
        assert screen.focused is screen.areas[0].window

    @pytest.mark.parametrize("kind", ["future", "task", "awaitable", "nested"])
    @in_app
    async def test_any_awaitable(self, screen: App, kind: str) -> None:
        """A dialog may be any awaitable."""
        focus = get_focus_manager()

        class Awaitable:
            def __await__(self) -> Any:
                yield from asyncio.sleep(0).__await__()
                return "answer"

        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        future.set_result("answer")
        dialogs = {
            "future": lambda: future,
            "task": lambda: asyncio.ensure_future(asyncio.sleep(0, "answer")),
            "awaitable": Awaitable,
            "nested": lambda: focus.managed_focus_during_dialog(screen.areas[0], asyncio.sleep(0, "answer")),
        }
        assert await focus.managed_focus_during_dialog(screen.areas[1], dialogs[kind]()) == "answer"

    @pytest.mark.parametrize("thing", [None, 7, "text", HostileObject()], ids=["None", "number", "text", "hostile"])
    @in_app
    async def test_no_awaitable(self, screen: App, thing: Any) -> None:
        """A dialog that cannot be awaited is a TypeError of the caller."""
        with pytest.raises(TypeError):
            await get_focus_manager().managed_focus_during_dialog(screen.areas[1], thing)
        assert not get_focus_manager()._focusing_active

    @pytest.mark.parametrize("seed", range(8))
    @in_app
    async def test_any_order(self, screen: App, seed: int) -> None:
        """Dialogs opened and closed in any order, by answer or cancellation: the newest open one has the focus."""
        chance = random.Random(seed)
        host = FloatDialogHost(screen.root) if seed % 2 else screen
        open_: list[tuple[asyncio.Task[Any], asyncio.Future[Any], TextArea]] = []
        for _ in range(40):
            if not open_ or chance.random() < 0.55:
                field = TextArea()
                answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
                showing = get_focus_manager().managed_focus_during_dialog(field, host.show_dialog(field, answer))
                open_.append((asyncio.ensure_future(showing), answer, field))
                await asyncio.sleep(0)
            else:
                task, answer, _ = open_.pop(chance.randrange(len(open_)))
                task.cancel() if chance.random() < 0.5 else answer.set_result(None)
                await asyncio.wait([task])
            if chance.random() < 0.3:
                await screen.drawn()
            assert screen.focused is (open_[-1][2].window if open_ else screen.areas[0].window)
            assert len(get_focus_manager()._claims) in (len(open_), 2 * len(open_))
        for task, _, _ in reversed(open_):
            task.cancel()
        if open_:
            await asyncio.wait([task for task, _, _ in open_])
        assert screen.focused is screen.areas[0].window
        assert screen.root.floats == []

    @in_app
    async def test_typed_ahead(self, screen: App) -> None:
        """Keys that come in the tick in which a dialog opens go to the dialog."""
        showing = asyncio.ensure_future(prompt_for_text_input("Title", "Prompt", screen))
        await asyncio.sleep(0)
        screen.pipe.send_text("typed\r")
        assert await showing == "typed"
        assert screen.areas[0].text == "first"


# -- prompts -----------------------------------------------------------------------------------------------------


PROMPTS: dict[str, Callable[[Any], Coroutine[Any, Any, Any]]] = {
    "text": lambda host: prompt_for_text_input("Title", "Prompt", host),
    "file": lambda host: prompt_for_file_dialog("Title", "Prompt", host),
    "save": lambda host: prompt_for_save_file_dialog("Title", "Prompt", host),
    "folders": lambda host: prompt_for_multi_folder_dialog("Title", "Prompt", host),
}
QUIET = ("closes", "returns", "returns something", "answers by a future", "answers by a task")


class TestPrompts:
    @pytest.mark.parametrize("prompt", PROMPTS)
    @pytest.mark.parametrize("kind", HOSTS)
    async def test_hosts(self, prompt: str, kind: str) -> None:
        """A prompt whose host closes it or comes back is unanswered; what the host raises is the caller's, not lost."""
        host = HOSTS[kind][0]()
        async with asyncio.timeout(5):
            if kind in QUIET or kind.startswith("cancels the future"):
                assert await PROMPTS[prompt](host) is None
            else:
                with pytest.raises(BaseException):  # noqa: B017, PT011  whatever the host raises
                    await PROMPTS[prompt](host)
        assert not get_focus_manager()._focusing_active
        assert get_focus_manager()._claims == []

    @pytest.mark.parametrize("prompt", PROMPTS)
    @in_app
    async def test_cancelled_at_each_step(self, screen: App, prompt: str) -> None:
        """A prompt cancelled at any step of its life passes that on, closes, and gives the focus back."""
        for steps in range(6):
            asking = asyncio.ensure_future(PROMPTS[prompt](screen))
            await turns(steps)
            asking.cancel()
            await asyncio.wait([asking])
            assert asking.cancelled()
            assert screen.root.floats == []
            assert screen.focused is screen.areas[0].window
            await turns()
        await shutdown_task_manager(1)

    @pytest.mark.parametrize("prompt", PROMPTS)
    @in_app
    async def test_timed_out(self, screen: App, prompt: str) -> None:
        """`asyncio.timeout` around a prompt works."""
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await PROMPTS[prompt](screen)
        assert screen.root.floats == []
        assert screen.focused is screen.areas[0].window
        await shutdown_task_manager(1)

    @pytest.mark.parametrize("prompt", PROMPTS)
    @in_app
    async def test_left_by_escape(self, screen: App, prompt: str) -> None:
        """Escape leaves any prompt without an answer."""
        screen.app.ttimeoutlen = 0.01
        asking = asyncio.ensure_future(PROMPTS[prompt](screen))
        await turns()
        await screen.drawn()
        screen.pipe.send_text("\x1b")
        assert await asking is None
        assert screen.focused is screen.areas[0].window
        await shutdown_task_manager(1)

    @pytest.mark.parametrize(
        "text",
        ["\x1b[2J\x07", "x" * 20_000_000, "line\n" * 1_000_000, "\u202e" * 1000, "\ud800"],
        ids=["escapes", "20 MB", "a million lines", "bidi", "surrogate"],
    )
    @in_app
    async def test_any_text(self, screen: App, text: str) -> None:
        """Titles and prompts of any kind and length are drawn in a moment."""
        began = time.process_time()
        asking = asyncio.ensure_future(prompt_for_text_input(text, text, screen))
        await turns()
        await screen.drawn()
        await screen.drawn()
        asking.cancel()
        await asyncio.wait([asking])
        assert time.process_time() - began < 3

    @pytest.mark.parametrize(
        "text",
        ["\x1b[2J\x07", "x" * 20_000_000, "line\n" * 1_000_000, ""],
        ids=["escapes", "20 MB", "a million lines", "none"],
    )
    @in_app
    async def test_any_error_text(self, screen: App, text: str) -> None:
        """An error of any length is drawn in a moment."""
        began = time.process_time()
        asking = asyncio.ensure_future(show_scrollable_error_dialog(text, text, RuntimeError(text), screen))
        await turns()
        await screen.drawn()
        screen.pipe.send_text("d\x1b[6~\x1b[F")
        await screen.drawn()
        asking.cancel()
        await asyncio.wait([asking])
        assert time.process_time() - began < 4

    @pytest.mark.parametrize("thing", [None, 7, b"bytes", HostileObject()], ids=["None", "number", "bytes", "hostile"])
    async def test_what_is_no_text(self, thing: Any) -> None:
        """An error dialog takes anything for a title and a message, and shows what can be said of it."""
        host = Host()
        showing = asyncio.ensure_future(show_error_dialog(thing, thing, host))
        await turns()
        host.answer()
        await showing
        await show_scrollable_error_dialog(thing, thing)

    @in_app
    async def test_ten_prompts_at_once(self, screen: App) -> None:
        """Ten prompts at once are answered newest first by the keys."""
        asking = [asyncio.ensure_future(prompt_for_text_input("Title", str(number), screen)) for number in range(10)]
        await turns()
        await screen.drawn()
        for number in reversed(range(10)):
            screen.pipe.send_text(f"answer {number}\r")
            assert await asking[number] == f"answer {number}"
        assert screen.focused is screen.areas[0].window

    @in_app
    async def test_a_prompt_in_an_error_dialog_in_a_prompt(self, screen: App) -> None:
        """Prompts and error dialogs over each other each get their own keys."""
        first = asyncio.ensure_future(prompt_for_text_input("Title", "first", screen))
        await turns()
        error = asyncio.ensure_future(get_error_handler().handle_error(ValueError("between"), "between", screen))
        await turns()
        last = asyncio.ensure_future(prompt_for_text_input("Title", "last", screen))
        await turns()
        await screen.drawn()
        screen.pipe.send_text("to the last\r")
        assert await last == "to the last"
        await screen.drawn()
        screen.pipe.send_text("q")
        await error
        await screen.drawn()
        screen.pipe.send_text("to the first\r")
        assert await first == "to the first"


class TestErrorsOnAPlainApplication:
    @pytest.fixture
    def hooks(self) -> Iterator[Callable[[Any], SafeErrorHandler]]:
        """Installs the global hooks, and gives them back."""
        installed = []

        def install(app_state: Any) -> SafeErrorHandler:
            installed.append(setup_global_exception_handler(app_state))
            return get_error_handler()

        yield install
        for hooks in installed:
            hooks.restore()

    @in_app
    async def test_every_source(self, screen: App, hooks: Callable[[Any], SafeErrorHandler]) -> None:
        """Errors of tasks, callbacks and the loop reach one dialog of an application that knows nothing of the core."""
        errors = hooks(screen)
        loop = asyncio.get_running_loop()

        async def fail() -> None:
            raise RuntimeError("a task")

        def raise_() -> None:
            raise KeyError("a callback")

        get_task_manager().fire_and_forget(fail(), "a task")
        loop.call_soon(raise_)
        loop.call_exception_handler({"message": "only a message"})
        await turns()
        assert errors._showing_dialog
        assert len(screen.root.floats) == 1
        await screen.drawn()
        assert errors.journal.ledger.received == 3
        screen.pipe.send_text("nnnq")
        await until(lambda: not errors._showing_dialog)
        await turns()
        assert screen.root.floats == []
        assert screen.focused is screen.areas[0].window

    @pytest.mark.parametrize(
        "context",
        [
            {},
            {"message": None},
            {"message": HostileObject()},
            {"exception": None},
            {"exception": "text"},
            {"message": "m", "task": 7, "future": None},
            {"exception": HostileObject()},
        ],
        ids=lambda context: ",".join(context) or "nothing",
    )
    @in_app
    async def test_odd_loop_contexts(
        self, screen: App, context: dict[str, Any], hooks: Callable[[Any], SafeErrorHandler]
    ) -> None:
        """Whatever the loop is told, even nothing, is one error."""
        errors = hooks(None)
        asyncio.get_running_loop().call_exception_handler(context)
        assert errors.journal.ledger.received == 1

    @in_app
    async def test_installed_ten_times(self, screen: App, hooks: Callable[[Any], SafeErrorHandler]) -> None:
        """Installing the hooks ten times reports each error once."""
        for _ in range(10):
            errors = hooks(screen)
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        await turns()
        assert errors.journal.ledger.received == 1
        assert len(screen.root.floats) == 1
        await screen.drawn()
        screen.pipe.send_text("q")
        await until(lambda: not errors._showing_dialog)

    @in_app
    async def test_the_application_leaves_under_a_dialog(
        self, screen: App, hooks: Callable[[Any], SafeErrorHandler]
    ) -> None:
        """Leaving while an error dialog is up ends its task, and the error counts as told."""
        errors = hooks(screen)
        errors.handle_error_sync(ValueError("on screen"), "abuse")
        await turns()
        assert errors._showing_dialog
        screen.app.exit()
        await turns()
        await shutdown_task_manager(1)
        assert not errors._showing_dialog
        assert screen.root.floats == []


def test_fixtures_restore(tmp_path: Path) -> None:
    """No application is left over from a case."""
    assert not get_app().is_running
