"""Strict mode tells what it should, nothing else, and leaves no trace."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import logging
import subprocess
import sys
import textwrap
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.layout.containers import Window
from prompt_toolkit.output import DummyOutput

from openhcs.tui.utils import strict as strict_module
from openhcs.tui.utils.program import Program
from openhcs.tui.utils.strict import Strict, strict_mode
from openhcs.tui.utils.swallowed_cancel import SwallowedCancel
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager
from tests.tui.utils import swallowing
from tests.tui.utils.kit import Failures, logged, turns, until

watches = pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is new in Python 3.12")

FIXTURE = Path(swallowing.__file__)
SOURCE = FIXTURE.read_text()
HERE = Strict(files=(FIXTURE,))


def line_marked(name: str) -> int:
    """The line of the fixture that is marked as where `name` swallows."""
    lines = SOURCE.splitlines()
    return next(number for number, line in enumerate(lines, 1) if f"# {name} swallows" in line)


async def cancel_begun(sleeper: swallowing.Sleeper) -> asyncio.Task[Any]:
    """Run `sleeper` as a task until it sleeps, cancel it, and wait for its end."""
    task = asyncio.ensure_future(sleeper())
    await turns(3)
    task.cancel()
    await asyncio.wait([task], timeout=10)
    return task


@contextmanager
def strictly(strict: Strict = HERE) -> Iterator[Failures]:
    failures = Failures()
    with strict_mode(failures, strict):
        yield failures


def state_of_the_interpreter() -> tuple[object, ...]:
    tools: tuple[object, ...] = ()
    if sys.version_info >= (3, 12):
        tools = tuple(sys.monitoring.get_tool(tool) for tool in range(6))
    return (
        sys.get_coroutine_origin_tracking_depth(),
        warnings.showwarning,
        faulthandler.is_enabled(),
        threading.active_count(),
        tools,
    )


@watches
class TestSwallowedCancellations:
    """A cancellation that our code handled and did not let go on is an error; nothing else is."""

    @pytest.mark.parametrize("sleeper", swallowing.SWALLOWING, ids=lambda sleeper: sleeper.__name__)
    async def test_one_is_told_with_its_function_file_and_line(self, sleeper: swallowing.Sleeper) -> None:
        """Whichever statement swallows, the error names the line on which its handler begins, and the task."""
        with strictly() as failures:
            task = await cancel_begun(sleeper)
        assert not task.cancelled()
        [(error, context)] = failures
        assert isinstance(error, SwallowedCancel)
        assert (error.function, error.file) == (sleeper.__name__, str(FIXTURE))
        assert error.line == line_marked(sleeper.__name__)
        assert context == task.get_name()
        assert f"{sleeper.__name__} at {FIXTURE}:{error.line}" in str(error)
        assert error.__traceback__ is not None

    async def test_a_place_is_told_once(self) -> None:
        """However often a place swallows, it is one error."""
        with strictly() as failures:
            for _ in range(3):
                await cancel_begun(swallowing.by_suppress)
        assert len(failures) == 1

    @pytest.mark.parametrize(
        "sleeper",
        [swallowing.times_out_and_is_then_cancelled, swallowing.waits_too_long_and_is_then_cancelled],
        ids=lambda sleeper: sleeper.__name__,
    )
    async def test_one_after_a_timeout_is_told(self, sleeper: swallowing.Sleeper) -> None:
        """What a timeout asked for and took back does not hide a cancellation that comes later."""
        with strictly() as failures:
            task = asyncio.ensure_future(sleeper())
            await asyncio.sleep(0.05)
            task.cancel()
            await asyncio.wait([task])
        assert [error.line for error, _ in failures if isinstance(error, SwallowedCancel)] == [
            line_marked("in_an_except_clause")
        ]

    async def test_a_child_ended_after_one_was_swallowed_is_not_told(self) -> None:
        """The task is still asked to end, but that this child ends is not its cancellation."""
        with strictly() as failures:
            await cancel_begun(swallowing.swallows_and_then_ends_a_child)
        assert len(failures) == 1

    @pytest.mark.parametrize("sleeper", swallowing.HARMLESS, ids=lambda sleeper: sleeper.__name__)
    async def test_one_that_goes_on_is_not_told(self, sleeper: swallowing.Sleeper) -> None:
        """Clean-up, whatever it awaits, suppresses and raises on the way, is no swallowing."""
        with strictly() as failures:
            task = await cancel_begun(sleeper)
        assert task.cancelled() or sleeper is swallowing.takes_it_back
        assert failures == []

    @pytest.mark.parametrize("sleeper", swallowing.UNDISTURBED, ids=lambda sleeper: sleeper.__name__)
    async def test_one_that_is_not_the_tasks_own_is_not_told(self, sleeper: swallowing.Sleeper) -> None:
        """Those of timeouts, groups and children may end where they are awaited."""
        with strictly() as failures:
            await asyncio.ensure_future(sleeper())
        assert failures == []

    @pytest.mark.parametrize(
        "files",
        [(FIXTURE.with_name("other.py"),), (FIXTURE.parent / "swallow",), (FIXTURE.parent / "utils",)],
        ids=["another file", "the beginning of its name", "another folder"],
    )
    async def test_other_code_is_not_told(self, files: tuple[Path, ...]) -> None:
        """Only code in the files and folders given is ours."""
        with strictly(Strict(files=files)) as failures:
            await cancel_begun(swallowing.by_suppress)
        assert failures == []

    @pytest.mark.parametrize("files", [(), (FIXTURE.parent,), (FIXTURE.parent.parent,)], ids=["none", "its", "above"])
    async def test_our_code_is_told(self, files: tuple[Path, ...]) -> None:
        """Code below a folder given is ours; where none is given, all but libraries'."""
        with strictly(Strict(files=files)) as failures:
            await cancel_begun(swallowing.by_suppress)
        assert len(failures) == 1

    async def test_an_installed_package_is_not_ours_unless_it_is_named(self, tmp_path: Path) -> None:
        """Without files given, what lies in site-packages is somebody else's."""
        folder = tmp_path / "site-packages"
        names: dict[str, Any] = {"__name__": "theirs"}
        exec(compile(SOURCE, str(folder / "theirs.py"), "exec"), names)
        with strictly(Strict()) as failures, strictly(Strict(files=(folder,))) as named:
            await cancel_begun(names["by_suppress"])
        assert (len(failures), len(named)) == (0, 1)

    async def test_a_sink_that_raises_does_not_disturb_the_program(self) -> None:
        """What the error handler raises goes to the log, not into the code that was watched."""

        def refuse(error: BaseException, context: str) -> None:
            raise ZeroDivisionError

        with logged() as records, strict_mode(refuse, HERE):
            task = await cancel_begun(swallowing.in_a_bare_clause_and_returns)
        assert task.result() == "done"
        assert len(records.errors()) == 1

    async def test_an_exception_that_answers_nothing_goes_its_way(self) -> None:
        """The watch asks nothing of exceptions, whose class may raise whatever it is asked."""

        class Touchy(Exception):
            def __getattribute__(self, name: str) -> object:
                raise OSError(name)

        async def touch() -> type[BaseException]:
            try:
                try:
                    raise KeyError
                finally:
                    raise Touchy
            except BaseException as met:
                return type(met)

        with strictly():
            assert await touch() is Touchy

    async def test_tasks_and_exceptions_are_not_kept(self) -> None:
        """Nothing of a task that was watched is held when it has ended."""

        def cancellations() -> list[object]:
            gc.collect()
            return [thing for thing in gc.get_objects() if type(thing) is asyncio.CancelledError]

        # Tests before this one may have left some in a cache.
        others = cancellations()
        known = {id(thing) for thing in others}
        with strictly() as failures:
            task = await cancel_begun(swallowing.after_clean_up)
            await cancel_begun(swallowing.raises_again)
            failures.clear()
            del task
            assert not [thing for thing in cancellations() if id(thing) not in known]
        del others

    async def test_no_code_stays_instrumented(self) -> None:
        """A tool that takes the place afterwards finds nothing there."""
        with strictly():
            await cancel_begun(swallowing.by_suppress)
        sys.monitoring.use_tool_id(3, "the next one")
        try:
            assert sys.monitoring.get_local_events(3, swallowing.by_suppress.__code__) == 0
            assert sys.monitoring.get_events(3) == 0
        finally:
            sys.monitoring.free_tool_id(3)

    async def test_where_no_tool_can_be_had_the_rest_is_on(self) -> None:
        """Strict mode does without its watch where other tools take all places, and says so."""
        taken = [tool for tool in (3, 4) if sys.monitoring.get_tool(tool) is None]
        strict_module._said.clear()
        for tool in taken:
            sys.monitoring.use_tool_id(tool, "somebody else's")
        try:
            with logged() as records, strictly() as failures:
                assert sys.get_coroutine_origin_tracking_depth() >= 1
                await cancel_begun(swallowing.by_suppress)
        finally:
            for tool in taken:
                sys.monitoring.free_tool_id(tool)
        assert failures == []
        assert [record.levelno for record in records.records] == [logging.WARNING]


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="there all of it works")
async def test_before_python_3_12_it_says_once_what_it_cannot_do() -> None:
    """Without sys.monitoring everything else works, and one log record tells what does not."""
    strict_module._said.clear()
    with logged() as records:
        for _ in range(2):
            with strictly() as failures:
                await cancel_begun(swallowing.by_suppress)
    assert failures == []
    assert len(records.records) == 1
    assert "3.12" in records.records[0].getMessage()


class TestTheRest:
    """Coroutines never awaited, creators, faults, debug mode; and all of it undone."""

    async def test_everything_is_restored(self) -> None:
        """After the block the interpreter is as before, also when the block raised."""
        before = state_of_the_interpreter()

        async def fail_strictly() -> None:
            with strictly():
                await cancel_begun(swallowing.by_suppress)
                assert state_of_the_interpreter() != before
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail_strictly()
        assert state_of_the_interpreter() == before

    def test_full_restores_the_loop_and_the_tracking_of_origins(self) -> None:
        """In full the loop is in debug mode, and neither it nor the interpreter stays so."""
        before = state_of_the_interpreter()

        async def main() -> None:
            loop = asyncio.get_running_loop()
            with strictly(Strict(files=(FIXTURE,), full=True)):
                await turns()
                assert loop.get_debug()
                assert sys.get_coroutine_origin_tracking_depth() > 1
            assert not loop.get_debug()
            await turns()
            assert sys.get_coroutine_origin_tracking_depth() == before[0]

        asyncio.run(main())
        assert state_of_the_interpreter() == before

    async def test_a_coroutine_never_awaited_is_an_error_with_its_origin(self) -> None:
        """It is told through the error handler, and says which line made it."""

        async def forgotten() -> None:
            return

        with warnings.catch_warnings():
            warnings.simplefilter("default")
            with strictly() as failures:
                forgotten()
                gc.collect()
        [message] = failures.messages
        assert "was never awaited" in message
        assert __file__ in message

    async def test_each_way_to_start_a_task_tells_its_creator(self) -> None:
        """A snapshot names the line that asked for the task, whichever method it asked and from whichever thread."""
        tasks = UnifiedTaskManager()

        async def wait() -> None:
            await asyncio.sleep(swallowing.ENDLESS_S)

        with strict_mode(Failures(), HERE, tasks=tasks):
            tasks.create_task(wait())
            tasks.fire_and_forget(wait())
            tasks.exclusive("group", wait())
            thread = threading.Thread(target=lambda: tasks.fire_and_forget(wait()))
            thread.start()
            async with tasks.scope("scope") as scope:
                scope.create_task(wait())
                scope.fire_and_forget(wait())
                await until(lambda: tasks.active_task_count == 6)
                creators = [snapshot.creator or "" for snapshot in tasks.snapshot()]
            thread.join()
            await tasks.shutdown()
        assert all(creator.startswith(f"{__file__}:") for creator in creators), creators
        assert len(set(creators)) == 6
        assert sum(creator.endswith(" in <lambda>") for creator in creators) == 1

    async def test_outside_of_it_creators_are_not_recorded(self) -> None:
        """They would cost every task."""
        tasks = UnifiedTaskManager()
        with strict_mode(Failures(), HERE, tasks=tasks):
            pass
        tasks.create_task(asyncio.sleep(swallowing.ENDLESS_S))
        assert [snapshot.creator for snapshot in tasks.snapshot()] == [None]
        await tasks.shutdown()

    def test_a_fault_leaves_the_stacks_in_the_file(self, tmp_path: Path) -> None:
        """When native code takes the process down, the file tells where each thread stood."""
        file = tmp_path / "faults.log"
        program = f"""
            import os, signal
            from openhcs.tui.utils.strict import Strict, strict_mode
            def stand_here():
                os.kill(os.getpid(), signal.SIGSEGV)
            with strict_mode(print, Strict(faults={str(file)!r})):
                stand_here()
        """
        subprocess.run([sys.executable, "-c", textwrap.dedent(program)], stderr=subprocess.DEVNULL, check=False)
        assert "stand_here" in file.read_text()


class TestProgram:
    """A Program that is given a Strict runs in strict mode."""

    async def test_its_errors_creators_and_watchdog_are_strict(self) -> None:
        """Swallowed cancellations are in its journal, its tasks know their creators, and all ends with it."""
        before = state_of_the_interpreter()
        program = Program(strict=Strict(files=(FIXTURE,), blocked_s=0.05))
        seen: list[str | None] = []

        async def look() -> None:
            task = program.tasks.create_task(swallowing.by_suppress(), "swallower")
            await turns(3)
            seen.extend(snapshot.creator for snapshot in program.tasks.snapshot() if snapshot.name == "swallower")
            program.tasks.cancel(task, "for the test")
            await task
            program.exit()

        with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
            assert await program.run_async(Window(), start=look) == 0
        assert [str(place).rpartition(" in ")[2] for place in seen] == ["look"]
        told = [entry.type_name for entry in program.errors.journal.entries()]
        assert told == (["SwallowedCancel"] if sys.version_info >= (3, 12) else [])
        assert state_of_the_interpreter()[:3] == before[:3]
