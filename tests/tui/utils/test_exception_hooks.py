"""What nobody caught goes to the error handler, whichever hook it comes out of."""

from __future__ import annotations

import asyncio
import gc
import logging
import subprocess
import sys
import threading
import types
import weakref
from pathlib import Path
from typing import Any

import pytest

from openhcs.tui.utils.dialog_helpers import setup_global_exception_handler
from openhcs.tui.utils.error_journal import read_unseen
from openhcs.tui.utils.exception_hooks import ExceptionHooks, hooks_installed
from openhcs.tui.utils.safe_error_handler import SafeErrorHandler, get_error_handler
from openhcs.tui.utils.unified_task_manager import get_task_manager
from tests.tui.utils.kit import AnsweringHost, WaitingHost, fail, raised, turns, until


@pytest.fixture
def handler() -> SafeErrorHandler:
    return get_error_handler()


def entered(handler: SafeErrorHandler) -> list[tuple[str, str]]:
    return [(entry.context, entry.message) for entry in handler.journal.entries()]


def in_thread(target: Any, name: str = "worker") -> None:
    thread = threading.Thread(target=target, name=name)
    thread.start()
    thread.join()


def test_what_ends_the_program(handler: SafeErrorHandler, capsys: pytest.CaptureFixture[str]) -> None:
    """`sys.excepthook` enters the error and writes its traceback to stderr."""
    error = raised(ValueError("the end"))
    with hooks_installed(handler):
        sys.excepthook(type(error), error, error.__traceback__)
    assert entered(handler) == [("the program", "the end")]
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_is_left_to_python(handler: SafeErrorHandler, monkeypatch: pytest.MonkeyPatch) -> None:
    """KeyboardInterrupt ends the program as Python ends it."""
    seen = []
    monkeypatch.setattr(sys, "excepthook", lambda *args: seen.append(args))
    with hooks_installed(handler):
        sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert len(seen) == 1
    assert entered(handler) == []


def test_threads(handler: SafeErrorHandler) -> None:
    """A thread's exception is entered under the thread's name; SystemExit ends a thread in silence."""

    def fails() -> None:
        raise ValueError("in a thread")

    def leaves() -> None:
        raise SystemExit(3)

    with hooks_installed(handler):
        in_thread(fails)
        in_thread(leaves)
        threading.excepthook(types.SimpleNamespace(exc_type=OSError, exc_value=None, exc_traceback=None, thread=None))  # type: ignore[arg-type]
    assert entered(handler) == [("thread worker", "in a thread"), ("thread unknown", "OSError")]


def test_finalisers(handler: SafeErrorHandler) -> None:
    """What a finaliser raises is entered."""

    class Doomed:
        def __del__(self) -> None:
            raise ValueError("in a finaliser")

    with hooks_installed(handler):
        Doomed()
        gc.collect()
        sys.unraisablehook(
            types.SimpleNamespace(exc_type=OSError, exc_value=None, exc_traceback=None, err_msg=None, object=None)  # type: ignore[arg-type]
        )
    assert [message for _, message in entered(handler)] == ["in a finaliser", "OSError"]


async def test_callbacks_of_the_loop(handler: SafeErrorHandler) -> None:
    """A callback that raises is entered once."""

    def fails() -> None:
        raise ValueError("in a callback")

    with hooks_installed(handler):
        asyncio.get_running_loop().call_soon(fails)
        await turns()
    assert [message for _, message in entered(handler)] == ["in a callback"]


async def test_a_task_nobody_looked_after(handler: SafeErrorHandler) -> None:
    """A raw task whose failure is never retrieved is entered under its name."""
    with hooks_installed(handler):
        task = asyncio.create_task(fail(ValueError("raw")), name="raw task")
        await asyncio.wait([task])
        del task
        gc.collect()
        await turns()
    assert entered(handler) == [("raw task", "raw")]


@pytest.mark.parametrize(
    "context",
    [
        {"message": "only a message"},
        {},
        {"message": None, "exception": None},
        {"message": "only a message", "exception": "not an exception"},
        {"message": "only a message", "task": object()},
    ],
)
async def test_complaints_without_an_exception(handler: SafeErrorHandler, context: dict[str, Any]) -> None:
    """A context of the loop that has only a message is an error too."""
    with hooks_installed(handler):
        asyncio.get_running_loop().call_exception_handler(context)
    (entry,) = handler.journal.entries()
    assert entry.type_name == "LoopProblem"
    assert entry.message in ("only a message", "event loop", "None")


def _told(kind: str, loop: asyncio.AbstractEventLoop) -> None:
    """Have the loop complain of something of that kind."""

    def calls_back() -> None:
        raise ValueError("x")

    if kind == "callback":
        loop.call_soon(calls_back)
    elif kind == "future":
        loop.create_future().set_exception(ValueError("x"))
        gc.collect()
    elif kind == "message":
        loop.call_exception_handler({"message": "socket.send() raised"})
    else:
        loop.call_exception_handler({"message": "Fatal read error", "exception": ValueError("x")})


@pytest.mark.parametrize(
    ("kind", "title", "message"),
    [
        ("callback", "Error in callback _told.<locals>.calls_back()", "ValueError: x"),
        ("future", "Error in a future nobody awaited", "ValueError: x"),
        ("message", "Error in the event loop", "LoopProblem: socket.send() raised"),
        ("transport", "Error in the event loop (Fatal read error)", "ValueError: x"),
    ],
)
async def test_titles_read_well(handler: SafeErrorHandler, kind: str, title: str, message: str) -> None:
    """What the loop complains of is titled by the place, and said once."""
    host = WaitingHost()
    handler.app_state = host
    with hooks_installed(handler):
        _told(kind, asyncio.get_running_loop())
        await until(lambda: host.open)
        (dialog,) = host.shown
        assert dialog.pages.current.title.startswith(title)
        assert dialog.pages.current.message == message
        host.close()
        await turns()


@pytest.mark.parametrize(
    ("said", "place"),
    [
        (None, "a finaliser"),
        ("Exception ignored in", "a finaliser"),
        ("Exception ignored in: ", "a finaliser"),
        ("Exception ignored in tp_clear of", "tp_clear of"),
        ("Exception ignored on calling ctypes callback function", "calling ctypes callback function"),
        ("Exception ignored while finalizing coroutine", "finalizing coroutine"),
        ("something of one's own", "something of one's own"),
    ],
)
def test_what_could_not_be_raised_has_a_place(handler: SafeErrorHandler, said: str | None, place: str) -> None:
    """What Python says of an exception that it ignored reads as the place where it was."""
    with hooks_installed(handler):
        sys.unraisablehook(
            types.SimpleNamespace(
                exc_type=ValueError, exc_value=ValueError("x"), exc_traceback=None, err_msg=said, object=None
            )
        )
    assert [entry.context for entry in handler.journal.entries()] == [place]


async def test_executor_jobs_belong_to_their_awaiter(handler: SafeErrorHandler) -> None:
    """A job's failure goes to whoever awaits it, and is entered once if that is a managed task."""

    def job() -> None:
        raise ValueError("in the executor")

    tasks = get_task_manager()
    tasks.set_error_handler(handler.handle_error_sync)
    with hooks_installed(handler):
        with pytest.raises(ValueError, match="executor"):
            await asyncio.to_thread(job)
        assert entered(handler) == []
        tasks.fire_and_forget(asyncio.to_thread(job), "job")
        await until(lambda: entered(handler))
    assert entered(handler) == [("job", "in the executor")]


async def test_everything_is_given_back(handler: SafeErrorHandler) -> None:
    """After the block every hook is what it was."""
    loop = asyncio.get_running_loop()

    def hooks() -> tuple[object, ...]:
        return (
            sys.excepthook,
            sys.unraisablehook,
            threading.excepthook,
            logging.lastResort,
            loop.get_exception_handler(),
        )

    before = hooks()
    with pytest.raises(KeyError):
        _fail_inside(handler, hooks, before)
    assert hooks() == before


def _fail_inside(handler: SafeErrorHandler, hooks: Any, before: tuple[object, ...]) -> None:
    with hooks_installed(handler) as installed:
        installed.install()
        assert all(now is not then for now, then in zip(hooks(), before, strict=True))
        raise KeyError


def test_what_somebody_else_has_installed_since_stays(
    handler: SafeErrorHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Giving back takes nothing from those who came later."""

    def theirs(*args: object) -> None:
        return

    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    hooks = ExceptionHooks(handler)
    hooks.install()
    sys.excepthook = theirs
    hooks.restore()
    hooks.restore()
    assert sys.excepthook is theirs


def test_a_thread_that_goes_on_holds_nothing() -> None:
    """A thread keeps the hooks it began with; when they have been given back it holds no error handler by them."""
    handler = SafeErrorHandler()
    held = weakref.ref(handler)
    going_on = threading.Event()
    with hooks_installed(handler):
        thread = threading.Thread(target=going_on.wait)
        thread.start()
    del handler
    gc.collect()
    assert held() is None
    going_on.set()
    thread.join()


def test_logging_writes_nothing_on_the_screen() -> None:
    """With the hooks installed no record reaches stderr by logging's last resort; afterwards it does."""
    script = """
import logging
from openhcs.tui.utils.exception_hooks import hooks_installed
from openhcs.tui.utils.safe_error_handler import SafeErrorHandler
with hooks_installed(SafeErrorHandler()):
    logging.getLogger("anybody").error("on the screen")
logging.getLogger("anybody").error("afterwards")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20)
    assert done.stderr == "afterwards\n"


def test_a_log_handler_that_fails_writes_nothing_on_the_screen() -> None:
    """With the hooks installed a failing handler is silent; afterwards logging tells of it as before."""
    script = """
import io, logging
from openhcs.tui.utils.exception_hooks import hooks_installed
from openhcs.tui.utils.safe_error_handler import SafeErrorHandler
stream = io.StringIO()
stream.close()
logging.getLogger().addHandler(logging.StreamHandler(stream))
with hooks_installed(SafeErrorHandler()):
    logging.getLogger("anybody").error("on the screen")
assert logging.raiseExceptions
logging.getLogger("anybody").error("afterwards")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("--- Logging error ---")
    assert "on the screen" not in done.stderr


PROGRAM = """
import asyncio, sys
from pathlib import Path
from openhcs.tui.utils.error_journal import ErrorJournal
from openhcs.tui.utils.exception_hooks import ExceptionHooks
from openhcs.tui.utils.safe_error_handler import SafeErrorHandler
handler = SafeErrorHandler(ErrorJournal(Path(sys.argv[1])))
ExceptionHooks(handler).install()
async def main():
    error = ValueError("fatal \\x1b[2J")
    if sys.argv[2] == "known":
        handler.screen_is_live = lambda: True
        handler.handle_error_sync(error, "drawing")
        handler.screen_is_live = lambda: False
    raise error
asyncio.run(main())
"""


@pytest.mark.parametrize("known", ["known", "unknown"])
def test_a_program_that_dies(tmp_path: Path, known: str) -> None:
    """The exit code is 1, the traceback is on stderr, safe to look at, and in the journal once."""
    path = tmp_path / "errors.jsonl"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, path, known], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "ValueError: fatal" in done.stderr
    assert "\x1b" not in done.stderr
    assert [(entry.message, entry.count) for entry in read_unseen(path)] == [("fatal \x1b[2J", 1)]


# -- the fixed name --------------------------------------------------------------------------------------------------


def test_set_up_in_each_of_two_loops() -> None:
    """`setup_global_exception_handler` works for one loop after the other."""
    host = AnsweringHost()

    async def main(expected: int) -> None:
        setup_global_exception_handler(host)
        asyncio.get_running_loop().call_soon(_raise, ValueError(expected))
        await until(lambda: len(host.shown) == expected)

    asyncio.run(main(1))
    asyncio.run(main(2))


def _raise(error: BaseException) -> None:
    raise error


def test_set_up_without_a_loop(capsys: pytest.CaptureFixture[str]) -> None:
    """It may be called before there is a loop, and with no way to show anything."""
    before = sys.excepthook
    hooks = setup_global_exception_handler(None)
    in_thread(lambda: _raise(ValueError("early")))
    assert "early" in capsys.readouterr().err
    hooks.restore()
    assert sys.excepthook == before


async def test_set_up_again_replaces_itself() -> None:
    """Called twice, an error is told once, through the newer `app_state`."""
    old, new = AnsweringHost(), AnsweringHost()
    setup_global_exception_handler(old)
    setup_global_exception_handler(new).install()
    asyncio.get_running_loop().call_soon(_raise, ValueError("once"))
    await until(lambda: new.shown)
    assert old.shown == []
    assert get_error_handler().journal.ledger.received == 1


async def test_managed_tasks_are_included() -> None:
    """After the set-up a managed task's failure is shown without further wiring."""
    host = AnsweringHost()
    setup_global_exception_handler(host)
    get_task_manager().fire_and_forget(fail(ValueError("managed")), "job")
    await until(lambda: host.shown)
    assert entered(get_error_handler()) == [("job", "managed")]
