"""Every question the workbench can ask, answered by keys and mouse on a screen."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from prompt_toolkit.layout.containers import Float, FloatContainer
from prompt_toolkit.widgets import TextArea

from openhcs.tui.utils import dialog_helpers
from openhcs.tui.utils.dialog_helpers import (
    choose,
    confirm,
    focus_text_area,
    prompt_for_file_dialog,
    prompt_for_multi_folder_dialog,
    prompt_for_save_file_dialog,
    prompt_for_text_input,
    setup_global_exception_handler,
    show_error_dialog,
    show_global_error,
    show_global_error_sync,
    show_scrollable_error_dialog,
)
from openhcs.tui.utils.safe_error_handler import get_error_handler
from tests.tui.utils.kit import Stage, WaitingHost, logged, pane, raised, stage, turns, until

AnyPrompt = Callable[[Any], Coroutine[Any, Any, Any]]


def click_at(here: Stage, text: str) -> str:
    """The press and release of the mouse on `text`."""
    for row, line in enumerate(here.terminal.screen.display):
        if text in line:
            column = line.index(text) + 1
            return f"\x1b[<0;{column + 1};{row + 1}M\x1b[<0;{column + 1};{row + 1}m"
    raise AssertionError(f"{text!r} is not on the screen:\n{here.text}")


def ask(here: Stage, prompt: AnyPrompt) -> asyncio.Task[Any]:
    return asyncio.ensure_future(prompt(here.host))


def pick(folder: Path) -> AnyPrompt:
    return lambda host: prompt_for_file_dialog("Open", "Which file?", host, initial_path=folder)


def save(folder: Path) -> AnyPrompt:
    return lambda host: prompt_for_save_file_dialog("Save", "Where to?", host, initial_path=folder)


def folders(folder: Path) -> AnyPrompt:
    return lambda host: prompt_for_multi_folder_dialog("Plates", "Which plates?", host, initial_path=folder)


def every_prompt(folder: Path) -> dict[str, tuple[AnyPrompt, str]]:
    """Each prompt, and something it shows."""
    return {
        "choose": (lambda host: choose("A question", "What now?", ("Go", "Stop"), host), "[ Stop ]"),
        "text": (lambda host: prompt_for_text_input("A name", "Its name?", host, "default"), "default"),
        "file": (pick(folder), "one.yaml"),
        "save": (save(folder), "one.yaml"),
        "folders": (folders(folder), "plate"),
        "error": (lambda host: show_error_dialog("An error", "it went wrong", host), "it went wrong"),
    }


PROMPTS = ["choose", "text", "file", "save", "folders", "error"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two files and two folders."""
    (tmp_path / "one.yaml").write_text("1")
    (tmp_path / "two.yaml").write_text("2")
    (tmp_path / "plate a").mkdir()
    (tmp_path / "plate b").mkdir()
    return tmp_path


class TestEveryPrompt:
    """What all of them have in common."""

    @pytest.mark.parametrize("name", PROMPTS)
    async def test_escape_is_no_answer_and_gives_the_focus_back(self, name: str, folder: Path) -> None:
        """Typed ahead or not."""
        prompt, text = every_prompt(folder)[name]
        async with stage() as here:
            before = here.app.layout.current_window
            asking = ask(here, prompt)
            await here.shows(text)
            here.press("\x1b")
            assert await asking is None
            assert here.app.layout.current_window is before
            await here.shows_no(text)

    @pytest.mark.parametrize("name", PROMPTS)
    async def test_the_prompt_has_the_focus_before_it_is_drawn(self, name: str, folder: Path) -> None:
        """In the tick in which it is asked for."""
        prompt, _ = every_prompt(folder)[name]
        async with stage() as here:
            before, frames = here.app.layout.current_window, here.app.render_counter
            asking = ask(here, prompt)
            await asyncio.sleep(0)
            assert here.app.render_counter == frames
            assert here.app.layout.current_window is not before
            assert here.app.layout.current_window in here.app.layout.find_all_windows()
            here.press("\x1b")
            await asking

    @pytest.mark.parametrize("name", PROMPTS)
    async def test_cancelling_whoever_asks_closes_it(self, name: str, folder: Path) -> None:
        """The cancellation goes on; nothing of the prompt is left, nor any task."""
        prompt, text = every_prompt(folder)[name]
        async with stage() as here:
            before = here.app.layout.current_window
            asking = ask(here, prompt)
            await here.shows(text)
            asking.cancel("enough")
            with pytest.raises(asyncio.CancelledError):
                await asking
            assert here.root.floats == []
            assert here.app.layout.current_window is before
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await prompt(here.host)
            assert here.app.layout.current_window is before
            assert not here.focus._focusing_active

    @pytest.mark.parametrize("name", PROMPTS)
    async def test_never_started_or_cancelled_before_the_first_step(self, name: str, folder: Path) -> None:
        """No coroutine is left to warn of."""
        prompt, _ = every_prompt(folder)[name]
        async with stage() as here:
            prompt(here.host).close()
            asking = ask(here, prompt)
            asking.cancel()
            await asyncio.wait([asking])
            assert here.root.floats == []

    @pytest.mark.parametrize("name", PROMPTS)
    @pytest.mark.parametrize("size", [(80, 24), (60, 16)])
    async def test_control_and_wide_characters_are_shown(self, name: str, size: tuple[int, int], folder: Path) -> None:
        """In titles and messages; none reaches the terminal."""
        text = "\x1b]0;owned\x07\x1b[2J漢字🙂\u202e"
        prompts: dict[str, AnyPrompt] = {
            "choose": lambda host: choose(text, text, ("Go", "漢字"), host),
            "text": lambda host: prompt_for_text_input(text, text, host, "漢字"),
            "file": lambda host: prompt_for_file_dialog(text, text, host, initial_path=folder),
            "save": lambda host: prompt_for_save_file_dialog(text, text, host, initial_path=folder),
            "folders": lambda host: prompt_for_multi_folder_dialog(text, text, host, initial_path=folder),
            "error": lambda host: show_error_dialog(text, text, host),
        }
        async with stage(columns=size[0], rows=size[1]) as here:
            asking = ask(here, prompts[name])
            await here.shows("␛]0;owned␇␛[2J漢")
            assert here.terminal.screen.title == ""
            assert "\x1b]0;owned" not in here.terminal.getvalue()
            here.press("\x1b")
            assert await asking is None

    @pytest.mark.parametrize("name", PROMPTS)
    async def test_a_host_that_only_knows_the_answer_by_position(self, name: str, folder: Path) -> None:
        """It appends a Float, awaits the future, returns nothing: the answer is had from the future."""
        prompt, text = every_prompt(folder)[name]

        async with stage() as here:

            class Foreign:
                async def show_dialog(self, dialog: Any, fut: asyncio.Future[Any], /) -> None:
                    shown = Float(dialog)
                    here.root.floats.append(shown)
                    try:
                        await fut
                    finally:
                        here.root.floats.remove(shown)

            before = here.app.layout.current_window
            asking = asyncio.ensure_future(prompt(Foreign()))
            await turns(2)
            assert here.app.layout.current_window is not before
            await here.shows(text)
            here.press("\x1b")
            assert await asking is None
            await here.shows_no(text)
            assert here.app.layout.current_window is before

    @pytest.mark.parametrize("name", ["choose", "text", "file", "save", "folders"])
    async def test_a_host_that_takes_the_dialog_away_unanswered(self, name: str, folder: Path) -> None:
        """Nothing was chosen."""

        class Forgetful:
            async def show_dialog(self, dialog: Any, result_future: asyncio.Future[Any]) -> None:
                await asyncio.sleep(0)

        async with stage():
            assert await every_prompt(folder)[name][0](Forgetful()) is None

    @pytest.mark.parametrize("name", PROMPTS)
    async def test_a_host_that_fails_is_the_callers_to_know(self, name: str, folder: Path) -> None:
        """The focus is where it was."""

        class Failing:
            async def show_dialog(self, dialog: Any, result_future: asyncio.Future[Any]) -> None:
                raise OSError("no dialogs here")

        async with stage() as here:
            before = here.app.layout.current_window
            with pytest.raises(OSError, match="no dialogs here"):
                await every_prompt(folder)[name][0](Failing())
            assert here.app.layout.current_window is before


class TestChoose:
    """One of several answers."""

    @pytest.mark.parametrize(
        ("keys", "answer"),
        [
            ("\r", "Delete"),
            ("\t\r", "Keep"),
            ("\x1b[C\r", "Keep"),
            ("\x1b[C\x1b[C\r", "Ask later"),
            ("\t\t\t\r", "Delete"),
            ("\x1b[Z\r", "Ask later"),
            ("\x1b[D\r", "Ask later"),
            ("k", "Keep"),
            ("a", "Ask later"),
            ("xyzk", "Keep"),
            ("\x03", None),
        ],
    )
    async def test_by_keys(self, keys: str, answer: str | None) -> None:
        """Enter, Tab, the arrows, an initial letter, Ctrl-C; all in one read."""
        async with stage() as here:
            asking = ask(here, lambda host: choose("Files", "What now?", ("Delete", "Keep", "Ask later"), host))
            await here.shows("What now?")
            here.press(keys)
            assert await asking == answer

    async def test_by_mouse(self) -> None:
        """A click on the answer; one beside the dialog is for nobody."""
        async with stage() as here:
            asking = ask(here, lambda host: choose("Files", "What now?", ("Delete", "Keep"), host))
            await here.shows("What now?")
            here.press("\x1b[<0;2;2M\x1b[<0;2;2m" + click_at(here, "Keep"))
            assert await asking == "Keep"

    @pytest.mark.parametrize(("key", "answer"), [("y", True), ("\r", True), ("n", False), ("\x1b", False)])
    async def test_a_question_of_yes_and_no(self, key: str, answer: bool) -> None:
        """Escape is no."""
        async with stage() as here:
            asking = ask(here, lambda host: confirm("Files", "Delete?", host))
            await here.shows("Delete?")
            here.press(key)
            assert await asking is answer

    @pytest.mark.parametrize("size", [(80, 24), (40, 10), (20, 8)])
    async def test_on_any_screen_its_answers_can_be_seen_and_chosen(self, size: tuple[int, int]) -> None:
        """With a message longer than the screen; buttons that do not fit beside each other stand in a column."""
        message = "A message that is longer than the dialog is wide. " * 30
        async with stage(columns=size[0], rows=size[1]) as here:
            asking = ask(here, lambda host: choose("Files", message, ("Delete", "Keep", "Ask later"), host))
            await here.shows("[ Keep ]")
            assert "[>Delete<]" in here.text
            assert "[ Ask later ]" in here.text
            assert "A message" in here.text
            here.press(click_at(here, "Ask later"))
            assert await asking == "Ask later"

    async def test_a_question_ends_its_rows_between_words(self) -> None:
        """No word is cut in two where a question is wider than its dialog, and its text is no stop of Tab."""
        message = "What is finished stays, and the next run reuses it. " * 3
        async with stage(columns=50, rows=20) as here:
            asking = ask(here, lambda host: choose("Files", message, ("Yes", "No"), host))
            await here.shows("[>Yes<]")
            rows = [line.strip("║ ") for line in here.text.splitlines() if "║" in line]
            assert " ".join(row for row in rows if row and "[" not in row) == message.strip()
            here.press("\t\t\r")
            assert await asking == "Yes"

    async def test_which_answer_enter_gives_is_seen_without_colours(self) -> None:
        """The brackets of the answer with the focus are others than those of the rest."""
        async with stage() as here:
            asking = ask(here, lambda host: choose("Files", "What now?", ("Delete", "Keep"), host))
            await here.shows("[>Delete<] [ Keep ]")
            here.press("\t")
            await here.shows("[ Delete ] [>Keep<]")
            here.press("\r")
            assert await asking == "Keep"

    async def test_two_answers_with_the_same_initial_have_no_letter(self) -> None:
        """The letter would be ambiguous."""
        async with stage() as here:
            asking = ask(here, lambda host: choose("Files", "What now?", ("Save", "Skip", "Quit"), host))
            await here.shows("What now?")
            here.press("sq")
            assert await asking == "Quit"


class TestText:
    """One line of text."""

    @pytest.mark.parametrize(
        ("keys", "answer"),
        [
            ("\r", "default"),
            (" and more\r", "default and more"),
            ("\x15other\r", "other"),
            ("\x15漢字🙂\r", "漢字🙂"),
            ("x\t\r", "defaultx"),
            ("x\t\t\r", None),
            ("x\x1b[Z\r", None),
            ("\x03", None),
        ],
    )
    async def test_by_keys(self, keys: str, answer: str | None) -> None:
        """Typing, Enter, Tab to the buttons, Ctrl-C; all in one read, before the first frame of the dialog."""
        async with stage() as here:
            asking = ask(here, lambda host: prompt_for_text_input("Plate", "Its name?", host, "default"))
            if "\t" in keys or "\x1b" in keys:
                await here.shows("Its name?")
            else:
                await asyncio.sleep(0)
            here.press(keys)
            assert await asking == answer

    async def test_by_mouse(self) -> None:
        """OK takes the text; Cancel does not."""
        for button, answer in (("OK", "default!"), ("Cancel", None)):
            async with stage() as here:
                asking = ask(here, lambda host: prompt_for_text_input("Plate", "Its name?", host, "default"))
                await here.shows("Its name?")
                here.press("!")
                await here.shows("default!")
                here.press(click_at(here, button))
                assert await asking == answer

    async def test_a_password_is_not_shown(self) -> None:
        """But given to the caller."""
        async with stage() as here:
            asking = ask(here, lambda host: prompt_for_text_input("Login", "Password?", host, password=True))
            await here.shows("Password?")
            here.press("secret")
            await here.shows("******")
            assert "secret" not in here.terminal.getvalue()
            here.press("\r")
            assert await asking == "secret"

    async def test_what_was_typed_ahead_of_the_dialog_is_in_it(self) -> None:
        """A key opens it from a managed task; the name and Enter came in the same read."""
        names: list[str | None] = []
        async with stage() as here:

            async def ask_name() -> None:
                names.append(await prompt_for_text_input("Plate", "Its name?", here.host))

            here.keys.add("f1")(lambda event: here.tasks.fire_and_forget(ask_name(), "ask"))
            here.press("\x1bOPplate 7\r")
            await until(lambda: names == ["plate 7"])

    @pytest.mark.parametrize("size", [(40, 10), (20, 8)])
    async def test_an_error_on_a_small_screen(self, size: tuple[int, int]) -> None:
        """Its message is there, and the key that closes it."""
        async with stage(columns=size[0], rows=size[1]) as here:
            asking = ask(here, lambda host: show_error_dialog("Error", "it went wrong", host))
            await here.shows("it went wrong")
            await here.shows("Esc Close")
            here.press("\x1b")
            await asking

    @pytest.mark.parametrize("size", [(40, 10), (20, 8)])
    async def test_on_a_small_screen(self, size: tuple[int, int]) -> None:
        """The field and both buttons are there."""
        async with stage(columns=size[0], rows=size[1]) as here:
            asking = ask(here, lambda host: prompt_for_text_input("Plate", "Its name?", host, "a name"))
            await here.shows("a name")
            await here.shows("OK")
            await here.shows("Cancel")
            here.press("\r")
            assert await asking == "a name"

    async def test_focus_text_area(self) -> None:
        """True when it has the focus, False when it is nowhere."""
        area = TextArea("text")
        async with stage(FloatContainer(pane(), [Float(area)])) as here:
            assert await focus_text_area(area)
            assert here.app.layout.has_focus(area)
            assert await focus_text_area(TextArea("elsewhere")) is False
            assert await focus_text_area("no text area") is False  # type: ignore[arg-type]


class TestFiles:
    """With the project's own file browser, on a real folder."""

    async def test_a_file_is_chosen_by_keys(self, folder: Path) -> None:
        """Typing filters, Enter takes."""
        async with stage() as here:
            asking = ask(here, pick(folder))
            await here.shows("one.yaml")
            assert "Which file?" in here.text
            here.press("two")
            await here.shows_no("one.yaml")
            here.press("\r")
            assert await asking == folder / "two.yaml"

    async def test_a_file_is_chosen_by_mouse(self, folder: Path) -> None:
        """A click on the file, a click on the button."""
        async with stage() as here:
            asking = ask(here, pick(folder))
            await here.shows("one.yaml")
            here.press(click_at(here, "two.yaml"))
            await here.shows("> two.yaml")
            here.press(click_at(here, "Select ]"))
            assert await asking == folder / "two.yaml"

    async def test_a_file_to_write_is_named(self, folder: Path) -> None:
        """The name need not exist."""
        async with stage() as here:
            asking = asyncio.ensure_future(
                prompt_for_save_file_dialog("Save", "", here.host, initial_path=folder, save_name="new.yaml")
            )
            await here.shows("new.yaml")
            here.press("\x13")
            assert await asking == folder / "new.yaml"

    async def test_several_folders_are_marked(self, folder: Path) -> None:
        """Space marks, Ctrl-S takes them."""
        async with stage() as here:
            asking = ask(here, folders(folder))
            await here.shows("plate b")
            here.press("\x1b[B \x1b[B")
            await here.shows("[x] plate a")
            here.press(" ")
            here.press("\x13")
            chosen = await asking
            assert sorted(chosen) == [folder / "plate a", folder / "plate b"]

    async def test_a_browser_of_ones_own(self, folder: Path) -> None:
        """`use_file_browser` takes its place."""

        class Browser:
            def __init__(self, **options: Any) -> None:
                self.options = options
                self.focus_target = pane("my browser").content

            def __pt_container__(self) -> Any:
                return pane("my browser")

        made: list[Browser] = []

        def make(**options: Any) -> Browser:
            made.append(Browser(**options))
            return made[-1]

        dialog_helpers.use_file_browser(make)
        async with stage() as here:
            asking = ask(here, pick(folder))
            await here.shows("my browser")
            made[0].options["on_path_selected"]([folder / "one.yaml"])
            made[0].options["on_cancel"]()
            assert await asking == folder / "one.yaml"
            assert made[0].options["initial_path"] == folder

    async def test_a_browser_that_cannot_be_built_is_the_callers_to_know(self, folder: Path) -> None:
        """Nothing is shown."""

        def make(**options: Any) -> Any:
            raise OSError("no disk")

        dialog_helpers.use_file_browser(make)
        async with stage() as here:
            with pytest.raises(OSError, match="no disk"):
                await pick(folder)(here.host)
            assert here.root.floats == []


class TestErrors:
    """The fixed names that show errors."""

    async def test_without_anybody_to_show_it_an_error_is_logged(self) -> None:
        """Title, message, and the exception with its traceback."""
        error = raised(ValueError("why"))
        with logged() as log:
            await show_scrollable_error_dialog("A title", "a message", error)
            await show_error_dialog("Another", "message", None)
        messages = [record.getMessage() for record in log.errors()]
        assert messages == ["A title: a message", "Another: message"]
        logged_exception = log.errors()[0].exc_info
        assert logged_exception is not None
        assert logged_exception[1] is error

    async def test_show_global_error_goes_to_the_programs_handler(self) -> None:
        """Awaited it returns when its dialog is closed; the other goes on at once."""
        async with stage() as here:
            telling = asyncio.ensure_future(show_global_error(raised(ValueError("first")), "one", here.host))
            await here.shows("ValueError: first")
            show_global_error_sync(raised(ValueError("second")), "two")
            await here.shows("1 of 2")
            assert not telling.done()
            here.press("\x1b")
            await telling
            assert here.handler.journal.ledger.received == 2


class TestGlobalHandler:
    """`setup_global_exception_handler`: what nobody caught."""

    async def test_inside_a_loop_it_takes_the_loops_complaints_too(self) -> None:
        """A callback, a thread and a message without an exception; restored, all is as before."""
        host = WaitingHost()
        loop = asyncio.get_running_loop()
        before = (sys.excepthook, sys.unraisablehook, threading.excepthook, loop.get_exception_handler())
        hooks = setup_global_exception_handler(host)
        loop.call_soon(lambda: 1 // 0)
        await until(lambda: host.open)
        thread = threading.Thread(target=lambda: [][1], name="a thread")
        thread.start()
        thread.join()
        loop.call_exception_handler({"message": "only a message"})
        await turns(10)
        assert get_error_handler().journal.ledger.received == 3
        assert host.most == 1
        host.close()
        await turns(10)
        hooks.restore()
        assert (sys.excepthook, sys.unraisablehook, threading.excepthook, loop.get_exception_handler()) == before

    async def test_twice_it_is_installed_once(self) -> None:
        """With the newer `app_state`; one restore undoes both."""
        loop = asyncio.get_running_loop()
        before = (sys.excepthook, loop.get_exception_handler())
        first, second = WaitingHost(), WaitingHost()
        setup_global_exception_handler(first)
        hooks = setup_global_exception_handler(second)
        loop.call_soon(lambda: 1 // 0)
        await until(lambda: second.open)
        assert not first.open
        assert get_error_handler().journal.ledger.received == 1
        second.close()
        await turns(10)
        hooks.restore()
        hooks.restore()
        assert (sys.excepthook, loop.get_exception_handler()) == before

    def test_outside_a_loop_it_takes_the_interpreters_hooks(self, capsys: pytest.CaptureFixture[str]) -> None:
        """And the loop's when it is called again inside one."""
        before = sys.excepthook
        host = WaitingHost()
        setup_global_exception_handler(host)
        sys.excepthook(ValueError, raised(ValueError("uncaught")), None)
        assert get_error_handler().journal.ledger.received == 1

        async def inside() -> None:
            setup_global_exception_handler(host)
            asyncio.get_running_loop().call_soon(lambda: 1 // 0)
            await until(lambda: host.open)
            host.close()
            await turns(10)

        asyncio.run(inside())
        hooks = setup_global_exception_handler(host)
        hooks.restore()
        assert sys.excepthook is before
        assert "uncaught" in capsys.readouterr().err
