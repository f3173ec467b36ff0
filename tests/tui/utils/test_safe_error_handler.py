"""Errors are entered first, shown second, and showing them cannot make new ones."""

from __future__ import annotations

import asyncio
import gc
import io
import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from openhcs.tui.utils.circuit_breaker import BreakerState, CircuitBreaker
from openhcs.tui.utils.error_journal import ErrorJournal, Ledger
from openhcs.tui.utils.safe_error_handler import (
    SafeErrorHandler,
    get_error_handler,
    initialize_error_handler,
    safe_show_error,
    safe_show_error_sync,
)
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager, get_task_manager
from tests.tui.utils.kit import (
    AnsweringHost,
    RaisingHost,
    Records,
    WaitingHost,
    broken_logging,
    fail,
    in_a_storm,
    logged,
    raised,
    stage,
    turns,
    until,
)


@pytest.fixture
def handler() -> SafeErrorHandler:
    return get_error_handler()


@pytest.fixture(autouse=True)
def log() -> Iterator[Records]:
    with logged("openhcs.errors") as records:
        yield records


def messages(handler: SafeErrorHandler) -> list[str]:
    return [entry.message for entry in handler.journal.entries()]


def pages_of(dialog: Any) -> list[str]:
    return [page.message for page in dialog.pages._pages]


class Clock:
    """A monotonic clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


# -- entered ---------------------------------------------------------------------------------------------------------


class TestEntering:
    def test_it_is_journalled_and_logged_once(self, handler: SafeErrorHandler, log: Records) -> None:
        """Without anywhere to show it an error is one entry and one ERROR record with its exception."""
        error = raised(ValueError("x"))
        handler.handle_error_sync(error, "job")
        assert messages(handler) == ["x"]
        (record,) = log.errors()
        assert record.levelno == logging.ERROR
        assert record.exc_info is not None
        assert record.exc_info[1] is error
        assert "job" in record.getMessage()

    async def test_the_same_object_by_several_ways_is_one_error(self, handler: SafeErrorHandler, log: Records) -> None:
        """Task, hook and caller may all hand over the same exception."""
        error = raised(ValueError("x"))
        tasks = get_task_manager()
        tasks.set_error_handler(handler.handle_error_sync)
        tasks.fire_and_forget(fail(error), "task")
        await turns()
        await handler.handle_error(error, "caller")
        safe_show_error_sync(error, "hook")
        await safe_show_error(error, "another")
        assert handler.journal.ledger.received == 1
        assert len(log.errors()) == 1

    async def test_being_cancelled_is_no_error(self, handler: SafeErrorHandler, log: Records) -> None:
        """CancelledError is neither entered nor logged."""
        host = AnsweringHost()
        await handler.handle_error(asyncio.CancelledError(), "a", host)
        handler.handle_error_sync(asyncio.CancelledError(), "a", host)
        assert handler.journal.ledger == Ledger()
        assert log.errors() == []
        assert host.shown == []

    async def test_it_is_entered_although_its_task_never_starts(self, handler: SafeErrorHandler, log: Records) -> None:
        """A task cancelled before its first step, and a refused one, lose what they were to show, not the error."""
        host = AnsweringHost()
        task = asyncio.create_task(handler.handle_error(raised(ValueError("cancelled")), "a", host))
        task.cancel()
        await asyncio.wait([task])
        tasks = UnifiedTaskManager()
        await tasks.shutdown()
        tasks.fire_and_forget(handler.handle_error(raised(ValueError("refused")), "b", host))
        assert messages(handler) == ["cancelled", "refused"]
        assert len(log.errors()) == 2

    async def test_it_is_entered_before_it_is_shown(self, handler: SafeErrorHandler, log: Records) -> None:
        """The journal and the log have an error when its dialog is built."""
        seen = []

        class LookingHost(AnsweringHost):
            async def show_dialog(self, dialog: Any, result_future: asyncio.Future[Any]) -> Any:
                seen.append((messages(handler), len(log.errors())))
                return await super().show_dialog(dialog, result_future)

        await handler.handle_error(raised(ValueError("x")), "a", LookingHost())
        assert seen == [(["x"], 1)]

    @pytest.mark.parametrize("wrong", [None, "text", 3, ValueError, object()])
    async def test_what_is_no_exception_is_an_error_too(self, handler: SafeErrorHandler, wrong: Any) -> None:
        """Handing over something else is entered as such."""
        handler.handle_error_sync(wrong, "a")
        await handler.handle_error(wrong, "b")
        assert handler.journal.ledger.received == 2
        assert "expected an exception" in messages(handler)[0]

    @pytest.mark.parametrize("context", [None, 3, object(), "", "x" * 1_000_000, "\x1b[2J\ud800\n"])
    async def test_any_context_will_do(self, handler: SafeErrorHandler, context: Any) -> None:
        """The context may be anything."""
        handler.handle_error_sync(raised(ValueError("a")), context)
        await handler.handle_error(raised(ValueError("b")), context, AnsweringHost())
        assert handler.journal.ledger.received == 2
        assert handler.journal.ledger.shown == 1

    async def test_a_context_that_raises(self, handler: SafeErrorHandler) -> None:
        """Not even the context's text is trusted."""

        class Unspeakable:
            def __str__(self) -> str:
                raise SystemExit(3)

            __repr__ = __str__

        handler.handle_error_sync(raised(ValueError("x")), Unspeakable())  # type: ignore[arg-type]
        handler.handle_error_sync(Unspeakable(), Unspeakable())  # type: ignore[arg-type]
        assert handler.journal.ledger.received == 2

    @pytest.mark.parametrize("reason", [OSError, SystemExit, KeyboardInterrupt, RecursionError])
    async def test_an_exception_that_cannot_speak(self, handler: SafeErrorHandler, reason: type[BaseException]) -> None:
        """Whatever `str(exception)` does, the error is entered, logged and shown."""

        class Unspeakable(Exception):
            def __str__(self) -> str:
                raise reason

            __repr__ = __str__

        host = AnsweringHost()
        handler.handle_error_sync(raised(Unspeakable()), "a")
        await handler.handle_error(raised(Unspeakable()), "b", host)
        assert handler.journal.ledger.received == 2
        assert len(host.shown) == 1

    async def test_an_exception_that_forbids_everything(self, handler: SafeErrorHandler) -> None:
        """An exception class whose attributes raise is an error like others."""

        class Hostile(Exception):
            def __getattribute__(self, name: str) -> Any:
                raise OSError(name)

            def __setattr__(self, name: str, value: object) -> None:
                raise OSError(name)

        handler.handle_error_sync(Hostile("x"), "a")
        await handler.handle_error(Hostile("x"), "b", AnsweringHost())
        assert handler.journal.ledger.received >= 2

    async def test_an_exception_that_reports_itself_when_asked_for_its_text(self, handler: SafeErrorHandler) -> None:
        """An error reported while another is being described is entered, and the recursion ends."""

        class Confiding(Exception):
            def __str__(self) -> str:
                handler.handle_error_sync(self, "from within")
                handler.handle_error_sync(Confiding(), "from within")
                return "confided"

        handler.handle_error_sync(Confiding(), "a")
        assert handler.journal.ledger.balances
        assert handler.journal.ledger.received >= 2

    async def test_a_broken_log_is_told_once_and_loses_nothing(self, handler: SafeErrorHandler) -> None:
        """A log handler that raises costs its record."""
        host = AnsweringHost()
        with broken_logging():
            handler.handle_error_sync(raised(ValueError("a")), "a")
            await handler.handle_error(raised(ValueError("b")), "b", host)
            handler.reset_circuit_breaker()
        assert {"a", "b", "the log is gone"} <= set(messages(handler))
        assert len(host.shown) == 1

    async def test_groups(self, handler: SafeErrorHandler) -> None:
        """An exception group is one error whose parts are in its text."""
        group = BaseExceptionGroup("several", [ValueError("one"), asyncio.CancelledError(), KeyboardInterrupt()])
        handler.handle_error_sync(raised(group), "a")
        (entry,) = handler.journal.entries()
        assert "one" in entry.traceback

    def test_many_threads(self, handler: SafeErrorHandler) -> None:
        """Errors from many threads at once are each entered once."""

        def report(thread: int) -> None:
            for number in range(200):
                handler.handle_error_sync(ValueError(f"{thread}.{number}"), f"thread {thread}")

        threads = [threading.Thread(target=report, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert handler.journal.ledger.received == 1_600
        assert handler.journal.ledger.balances


class TestRefusing:
    async def test_it_is_said_in_words_and_is_in_the_journal(self, handler: SafeErrorHandler, log: Records) -> None:
        """The page is "Cannot" and what the user wanted, with the message alone; the traceback is under "details"."""
        host = WaitingHost()
        error = raised(OSError("the disk is full"))
        showing = asyncio.ensure_future(handler.handle_refusal(error, "save the pipeline", host))
        await until(lambda: host.open)
        page = host.shown[0].pages.current
        assert page.title == "Cannot save the pipeline"
        assert page.message == "the disk is full"
        assert "Traceback" in page.details
        assert messages(handler) == ["the disk is full"]
        assert len(log.errors()) == 1
        host.close()
        await showing
        assert handler.journal.ledger == Ledger(received=1, shown=1)

    async def test_it_joins_the_dialog_that_is_up(self, handler: SafeErrorHandler) -> None:
        """A refusal while an error is on the screen is another page of the same dialog, and returns at once."""
        host = WaitingHost()
        handler.handle_error_sync(raised(ValueError("x")), "job", host)
        await until(lambda: host.open)
        await handler.handle_refusal(raised(OSError("no")), "load it", host)
        assert host.most == 1
        assert [page.title for page in host.shown[0].pages._pages] == ["Error in job", "Cannot load it"]
        host.close()
        await turns()

    async def test_a_noted_error_opens_nothing(self, handler: SafeErrorHandler, log: Records) -> None:
        """What stands in view already is entered and logged, and the ledger balances either way."""
        handler.app_state = host = WaitingHost()
        handler.note_error(raised(ValueError("behind")), "worker, well A01")
        handler.note_error(raised(KeyError("in view")), "worker, well A02", is_in_view=True)
        await turns()
        assert host.shown == []
        assert handler.journal.ledger == Ledger(received=2, shown=1, logged_only=1)
        assert len(log.errors()) == 2


# -- shown -----------------------------------------------------------------------------------------------------------


class TestShowing:
    async def test_it_returns_when_the_dialog_is_closed(self, handler: SafeErrorHandler) -> None:
        """The dialog holds the message; the flag says that it is up."""
        host = WaitingHost()
        task = asyncio.create_task(handler.handle_error(raised(ValueError("x")), "the job", host))
        await until(lambda: host.open)
        assert handler._showing_dialog
        (dialog,) = host.shown
        assert pages_of(dialog) == ["ValueError: x"]
        assert "the job" in dialog.pages.current.title
        host.close()
        await task
        assert not handler._showing_dialog
        assert handler.journal.ledger == Ledger(received=1, shown=1)

    async def test_errors_that_come_meanwhile_join_it(self, handler: SafeErrorHandler) -> None:
        """However many errors arrive and from wherever, one dialog holds them all, in order."""
        host = WaitingHost()
        first = asyncio.create_task(handler.handle_error(raised(ValueError(0)), "a", host))
        await until(lambda: host.open)
        for number in range(1, 9):
            await handler.handle_error(raised(ValueError(number)), "a", host)
            handler.handle_error_sync(raised(KeyError(number)), "a", host)
        await asyncio.to_thread(handler.handle_error_sync, OSError("from a thread"), "a", host)
        await until(lambda: len(host.shown[0].pages) == 18)
        assert host.most == 1
        assert pages_of(host.shown[0])[-1] == "OSError: from a thread"
        host.close()
        await first
        assert host.open == []
        assert handler.journal.ledger == Ledger(received=18, shown=18)

    async def test_the_order_of_arrival_is_the_order_of_pages(self, handler: SafeErrorHandler) -> None:
        """Errors reported in one breath are shown in the order in which they came."""
        host = WaitingHost()
        handler.app_state = host
        for number in range(12):
            handler.handle_error_sync(raised(ValueError(number)), "a")
        await until(lambda: host.open and len(host.shown[0].pages) == 12)
        assert pages_of(host.shown[0]) == [f"ValueError: {number}" for number in range(12)]
        assert host.most == 1
        host.close()
        await until(lambda: get_task_manager().active_task_count == 0)

    async def test_many_at_once_open_one_dialog(self, handler: SafeErrorHandler) -> None:
        """Concurrent calls of `handle_error` show one dialog."""
        host = WaitingHost()
        calls = [
            asyncio.create_task(handler.handle_error(raised(ValueError(number)), "a", host)) for number in range(10)
        ]
        await until(lambda: sum(call.done() for call in calls) == 9)
        assert host.most == 1
        assert len(host.shown[0].pages) == 10
        host.close()
        await asyncio.gather(*calls)

    async def test_repeats_are_counted_on_the_page(self, handler: SafeErrorHandler, log: Records) -> None:
        """The same error many times is one page with a count, and one record."""
        host = WaitingHost()
        call = asyncio.create_task(handler.handle_error(raised(ValueError("x")), "a", host))
        await until(lambda: host.open)
        for _ in range(99):
            handler.handle_error_sync(raised(ValueError("x")), "a", host)
        await turns()
        assert len(host.shown[0].pages) == 1
        assert host.shown[0].pages.current.count() == 100
        assert len(log.errors()) == 1
        host.close()
        await call
        assert handler.journal.ledger == Ledger(received=100, shown=1, coalesced=99)

    async def test_an_error_that_comes_again_after_its_dialog_is_shown_again(self, handler: SafeErrorHandler) -> None:
        """Closing a dialog does not silence what happens next."""
        host = AnsweringHost()
        for _ in range(3):
            await handler.handle_error(raised(ValueError("x")), "a", host)
        assert len(host.shown) == 3

    async def test_handle_error_sync_shows_through_the_loop(self, handler: SafeErrorHandler) -> None:
        """The synchronous call returns at once; the dialog follows."""
        host = AnsweringHost()
        handler.handle_error_sync(raised(ValueError("x")), "a", host)
        assert host.shown == []
        await until(lambda: handler.journal.ledger.shown == 1)
        assert len(host.shown) == 1

    async def test_the_handlers_own_host_is_used_where_none_is_given(self, handler: SafeErrorHandler) -> None:
        """`app_state` of the call goes before `app_state` of the handler."""
        own, given = AnsweringHost(), AnsweringHost()
        handler.app_state = own
        await handler.handle_error(raised(ValueError("a")), "a")
        await handler.handle_error(raised(ValueError("b")), "b", given)
        assert (len(own.shown), len(given.shown)) == (1, 1)

    async def test_a_dialog_has_a_bounded_number_of_pages(self) -> None:
        """Errors beyond what a dialog can hold are told elsewhere, none is lost."""
        status: list[str] = []
        clock = Clock()
        handler = SafeErrorHandler(ErrorJournal(clock=clock), show_status=status.append, screen_is_live=lambda: True)
        host = WaitingHost()
        call = asyncio.create_task(handler.handle_error(raised(ValueError("first")), "a", host))
        await until(lambda: host.open)
        for number in range(300):
            clock.now_s += 1
            await handler.handle_error(ValueError(number), f"context {number}", host)
        assert len(host.shown[0].pages) == 200
        assert len(status) == 101
        host.close()
        await call
        assert handler.journal.ledger.balances


# -- hosts that fail -------------------------------------------------------------------------------------------------


class SyncHost:
    def show_dialog(self, dialog: Any, result_future: asyncio.Future[Any]) -> Any:
        return None


class NotCallableHost:
    show_dialog = None


class ForgetfulHost:
    """Comes back at once, and leaves the dialog where it is."""

    def __init__(self) -> None:
        self.results: list[asyncio.Future[Any]] = []

    async def show_dialog(self, dialog: Any, result_future: asyncio.Future[Any]) -> Any:
        self.results.append(result_future)


class ShowsThenRaises:
    async def show_dialog(self, dialog: Any, result_future: asyncio.Future[Any]) -> Any:
        await asyncio.sleep(0)
        raise RuntimeError("after showing")


class CancelsTheFuture:
    async def show_dialog(self, dialog: Any, result_future: asyncio.Future[Any]) -> Any:
        result_future.cancel()
        return await result_future


class SpoilsTheFuture:
    async def show_dialog(self, dialog: Any, result_future: asyncio.Future[Any]) -> Any:
        result_future.set_exception(OSError("spoilt"))


@pytest.mark.parametrize(
    "make",
    [object, SyncHost, NotCallableHost, RaisingHost, ShowsThenRaises, SpoilsTheFuture, lambda: 3, lambda: "text"],
    ids=lambda make: getattr(make, "__name__", "value"),
)
async def test_a_host_that_fails(make: Any, capsys: pytest.CaptureFixture[str], log: Records) -> None:
    """Whatever the host does wrong, the caller comes back, the breaker opens and stderr has the error."""
    handler = get_error_handler()
    await handler.handle_error(raised(ValueError("the error")), "the job", make())
    assert not handler._showing_dialog
    assert handler._circuit_breaker_active
    assert "ValueError: the error" in capsys.readouterr().err
    assert handler.journal.ledger.received == 2
    assert len(log.errors()) == 2
    handler.handle_error_sync(raised(ValueError("the next")), "the job", make())
    await turns(20)
    assert "the next" in capsys.readouterr().err


@pytest.mark.parametrize("make", [ForgetfulHost, CancelsTheFuture], ids=lambda make: make.__name__)
async def test_a_host_that_gives_no_answer(make: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A host that comes back without the user's answer is not broken, but the error is told elsewhere."""
    handler = get_error_handler()
    host = make()
    await handler.handle_error(raised(ValueError("the error")), "the job", host)
    assert not handler._showing_dialog
    assert not handler._circuit_breaker_active
    assert "the error" in capsys.readouterr().err
    if isinstance(host, ForgetfulHost):
        assert all(result.done() for result in host.results)
    handler.handle_error_sync(raised(ValueError("the next")), "the job", host)
    await turns(20)
    assert "the next" in capsys.readouterr().err


async def test_without_a_host_everything_goes_to_stderr(
    handler: SafeErrorHandler, capsys: pytest.CaptureFixture[str]
) -> None:
    """No dialog is possible: stderr has the traceback, with nothing in it that drives a terminal."""
    await handler.handle_error(raised(ValueError("danger \x1b[2J \x9b")), "a\x1bb")
    handler.handle_error_sync(raised(ValueError("danger too \x1b]0;x\x07")), "c")
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "danger" in err
    assert not set(err) & {"\x1b", "\x9b", "\x07"}


@pytest.mark.parametrize("broken", [None, "closed", "raising"])
async def test_a_stderr_that_is_gone(
    handler: SafeErrorHandler, monkeypatch: pytest.MonkeyPatch, broken: str | None
) -> None:
    """The end of the line is silence."""

    class Raising(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", {None: None, "closed": closed, "raising": Raising()}[broken])
    handler.handle_error_sync(raised(ValueError("a")), "a")
    await handler.handle_error(raised(ValueError("b")), "b", RaisingHost())
    assert handler.journal.ledger.received == 3


async def test_a_status_line_that_raises(capsys: pytest.CaptureFixture[str]) -> None:
    """The next best place is tried."""

    def broken(text: str) -> None:
        raise OSError("no status line")

    handler = SafeErrorHandler(show_status=broken)
    handler.handle_error_sync(raised(ValueError("x")), "a")
    assert "x" in capsys.readouterr().err
    assert "no status line" in messages(handler)


async def test_the_status_line_is_one_safe_line(handler: SafeErrorHandler) -> None:
    """What the status line gets cannot break it."""
    status: list[str] = []
    handler.show_status = status.append
    handler.handle_error_sync(raised(ValueError("a\nb\x1b[2J" + "x" * 100_000)), "job")
    assert status[0].isprintable()
    assert len(status[0]) <= 300


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_an_exit_from_the_host_goes_on(kind: type[BaseException]) -> None:
    """Only exits and cancellations leave the handler, and they leave it ready for more."""
    handler = get_error_handler()

    async def main() -> None:
        await handler.handle_error(raised(ValueError("a")), "a", RaisingHost(kind()))

    with pytest.raises(kind):
        asyncio.run(main())
    assert not handler._showing_dialog
    host = AnsweringHost()
    asyncio.run(_show(handler, host))
    assert len(host.shown) == 1


async def _show(handler: SafeErrorHandler, host: Any, error: BaseException | None = None) -> None:
    await handler.handle_error(error if error is not None else raised(ValueError("b")), "b", host)


# -- the breaker -----------------------------------------------------------------------------------------------------


class TestBreaker:
    async def test_it_opens_and_heals(self) -> None:
        """A failed dialog stops dialogs until the cool-down is over; one probe that succeeds closes the breaker."""
        clock = Clock()
        handler = SafeErrorHandler(breaker=CircuitBreaker(5.0, clock=clock), screen_is_live=lambda: True)
        broken, sound = RaisingHost(), AnsweringHost()
        await _show(handler, broken, ValueError(1))
        await _show(handler, sound, ValueError(2))
        assert handler._circuit_breaker_active
        assert sound.shown == []
        clock.now_s += 5
        await _show(handler, broken, ValueError(3))
        clock.now_s += 5
        await _show(handler, sound, ValueError(4))
        assert sound.shown == []
        clock.now_s += 5
        await _show(handler, sound, ValueError(5))
        assert len(sound.shown) == 1
        assert handler.breaker.state is BreakerState.CLOSED
        assert broken.attempts == 2

    async def test_reset_allows_dialogs_at_once(self, handler: SafeErrorHandler) -> None:
        """`reset_circuit_breaker` needs no waiting."""
        host = AnsweringHost()
        await _show(handler, RaisingHost())
        handler.reset_circuit_breaker()
        assert not handler._circuit_breaker_active
        await _show(handler, host)
        assert len(host.shown) == 1

    async def test_the_fixed_names_may_be_set(self, handler: SafeErrorHandler) -> None:
        """Setting `_circuit_breaker_active` or `_showing_dialog` stops dialogs, clearing it allows them."""
        host = AnsweringHost()
        handler._circuit_breaker_active = True
        await _show(handler, host)
        handler._circuit_breaker_active = False
        handler._showing_dialog = True
        await _show(handler, host)
        assert host.shown == []
        handler._showing_dialog = False
        await _show(handler, host)
        assert len(host.shown) == 1

    async def test_a_cancelled_probe_lets_another_try(self) -> None:
        """A probe whose caller is cancelled does not block the next one."""
        clock = Clock()
        handler = SafeErrorHandler(breaker=CircuitBreaker(5.0, clock=clock), screen_is_live=lambda: True)
        await _show(handler, RaisingHost())
        clock.now_s += 5
        waiting = WaitingHost()
        probe = asyncio.create_task(_show(handler, waiting, ValueError("probe")))
        await until(lambda: waiting.open)
        probe.cancel()
        await asyncio.wait([probe])
        assert probe.cancelled()
        host = AnsweringHost()
        await _show(handler, host, ValueError("next"))
        assert len(host.shown) == 1

    async def test_errors_in_a_dialog_that_breaks_are_all_told(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Those that had joined a dialog that fails are told elsewhere."""
        handler = get_error_handler()
        host = WaitingHost()
        call = asyncio.create_task(handler.handle_error(raised(ValueError("first")), "a", host))
        await until(lambda: host.open)
        await handler.handle_error(raised(ValueError("second")), "a", host)
        host.open[0][1].set_exception(OSError("drawing failed"))
        await call
        err = capsys.readouterr().err
        assert "first" in err
        assert "second" in err
        assert handler._circuit_breaker_active


# -- cancellation ----------------------------------------------------------------------------------------------------


class TestCancelling:
    async def test_a_timeout_around_it_works(self, handler: SafeErrorHandler) -> None:
        """Cancelling the caller closes its dialog and goes on."""
        host = WaitingHost()
        for show in (handler.handle_error, safe_show_error):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await show(raised(ValueError("x")), "a", host)
            assert host.open == []
            assert not handler._showing_dialog
            assert not handler._circuit_breaker_active

    async def test_those_that_had_joined_are_shown_anew(self, handler: SafeErrorHandler) -> None:
        """The errors of others do not go with the caller whose dialog they were in."""
        host = WaitingHost()
        call = asyncio.create_task(handler.handle_error(raised(ValueError("mine")), "a", host))
        await until(lambda: host.open)
        await handler.handle_error(raised(ValueError("another's")), "b", host)
        call.cancel()
        await asyncio.wait([call])
        assert call.cancelled()
        await until(lambda: host.open)
        assert pages_of(host.shown[1]) == ["ValueError: another's"]
        host.close()
        await until(lambda: handler.journal.ledger.shown == 1)
        assert handler.journal.ledger == Ledger(received=2, shown=1, logged_only=1)

    async def test_at_shutdown_everything_left_is_told(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Errors whose dialog is closed by the end of the program are told on stderr."""
        handler = get_error_handler()
        host = WaitingHost()
        handler.handle_error_sync(raised(ValueError("first")), "a", host)
        await until(lambda: host.open)
        handler.handle_error_sync(raised(ValueError("second")), "a", host)
        await turns()
        await get_task_manager().shutdown()
        handler.handle_error_sync(raised(ValueError("third")), "a", host)
        err = capsys.readouterr().err
        assert "second" in err
        assert "third" in err
        assert host.open == []

    async def test_no_task_to_be_had(self, capsys: pytest.CaptureFixture[str]) -> None:
        """At the limit of tasks errors are told on stderr, and shown again once there is room."""
        tasks = UnifiedTaskManager(max_tasks=0)
        handler = SafeErrorHandler(tasks=tasks)
        host = AnsweringHost()
        handler.handle_error_sync(raised(ValueError("first")), "a", host)
        assert "first" in capsys.readouterr().err
        await asyncio.to_thread(handler.handle_error_sync, raised(ValueError("second")), "a", host)
        await turns()
        gc.collect()
        assert "second" in capsys.readouterr().err
        tasks.max_tasks = 5
        handler.handle_error_sync(raised(ValueError("third")), "a", host)
        await until(lambda: host.shown)
        assert tasks.get_task_stats()["refused"] == 0


# -- any thread, any loop, any moment --------------------------------------------------------------------------------


class TestAnywhere:
    def test_before_a_loop_and_after_it_died(
        self, handler: SafeErrorHandler, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Without a loop errors go to stderr, with the next loop to dialogs again."""
        host = AnsweringHost()
        handler.app_state = host
        handler.handle_error_sync(raised(ValueError("before")), "a")

        async def main() -> None:
            handler.handle_error_sync(raised(ValueError("during")), "a")
            await until(lambda: len(host.shown) % 2 == 1)

        asyncio.run(main())
        handler.handle_error_sync(raised(ValueError("between")), "a")
        host.shown.append(None)
        asyncio.run(main())
        err = capsys.readouterr().err
        assert "before" in err
        assert "between" in err
        assert "during" not in err
        assert handler.journal.ledger.shown == 2

    def test_a_loop_that_ends_before_the_error_is_shown(
        self, handler: SafeErrorHandler, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """An error reported in the last breath of a loop is told on stderr, and does not block the next loop's."""
        host = AnsweringHost()

        async def last_breath() -> None:
            handler.handle_error_sync(raised(ValueError("last breath")), "a", host)

        async def from_a_thread() -> None:
            get_task_manager()
            thread = threading.Thread(target=handler.handle_error_sync, args=(ValueError("thread's"), "a", host))
            thread.start()
            thread.join()

        asyncio.run(last_breath())
        asyncio.run(from_a_thread())
        gc.collect()
        asyncio.run(self._shows(handler))
        told = capsys.readouterr().err + str([pages_of(dialog) for dialog in host.shown])
        assert "last breath" in told
        assert "thread's" in told

    async def _shows(self, handler: SafeErrorHandler) -> None:
        host = AnsweringHost()
        handler.handle_error_sync(raised(ValueError("next loop")), "a", host)
        await until(lambda: host.shown)

    def test_a_dialog_that_dies_with_its_loop(self, handler: SafeErrorHandler) -> None:
        """A loop closed under an open dialog does not swallow the errors of the next."""
        host = WaitingHost()

        async def main() -> None:
            handler.handle_error_sync(raised(ValueError("x")), "a", host)
            await until(lambda: host.open)

        loop = asyncio.new_event_loop()
        loop.run_until_complete(main())
        loop.close()
        asyncio.run(self._shows(handler))
        assert not handler._showing_dialog

    async def test_from_a_signal_handler_while_the_loop_sleeps(self, handler: SafeErrorHandler) -> None:
        """A signal handler's error is shown although the loop was asleep."""
        host = AnsweringHost()
        get_task_manager()
        shown = asyncio.Event()

        class EventHost(AnsweringHost):
            async def show_dialog(self, dialog: Any, result_future: asyncio.Future[Any]) -> Any:
                shown.set()
                return await super().show_dialog(dialog, result_future)

        host = EventHost()
        before = signal.signal(
            signal.SIGALRM, lambda number, frame: handler.handle_error_sync(ValueError("alarm"), "signal", host)
        )
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            async with asyncio.timeout(5):
                await shown.wait()
        finally:
            signal.signal(signal.SIGALRM, before)
        await until(lambda: handler.journal.ledger.shown == 1)

    async def test_signals_during_a_storm(self, handler: SafeErrorHandler) -> None:
        """Signal handlers may interrupt the handler anywhere, the accessors included."""
        fired = sent = 0

        def on_alarm(number: int, frame: object) -> None:
            nonlocal fired
            fired += 1
            safe_show_error_sync(KeyError(fired), f"alarm {fired % 5}", host)

        host = AnsweringHost()
        before = signal.signal(signal.SIGALRM, on_alarm)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
            end = time.monotonic() + 0.4
            while time.monotonic() < end:
                sent += 1
                safe_show_error_sync(ValueError(sent), f"main {sent % 9}", host)
                await asyncio.sleep(0)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        await until(lambda: get_task_manager().active_task_count == 0)
        assert handler.journal.ledger.received == fired + sent
        assert handler.journal.ledger.balances

    async def test_from_a_finaliser(self, handler: SafeErrorHandler) -> None:
        """`__del__` may report, in any thread."""
        host = AnsweringHost()
        get_task_manager()

        class Doomed:
            def __init__(self, name: str) -> None:
                self._name = name

            def __del__(self) -> None:
                handler.handle_error_sync(ValueError(self._name), "finaliser", host)

        Doomed("here")
        doomed = [Doomed("there")]
        await asyncio.to_thread(doomed.clear)
        await until(lambda: handler.journal.ledger.shown == 2)

    def test_many_threads_get_one_handler(self) -> None:
        """Asking for the handler from many threads at once makes one."""
        found = []
        barrier = threading.Barrier(8)

        def ask() -> None:
            barrier.wait()
            found.append(get_error_handler())

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(map(id, found))) == 1

    def test_at_any_depth_of_the_stack(self, handler: SafeErrorHandler) -> None:
        """Where there is room for the call itself the error is entered, whatever else there is no room for."""
        failures = []

        def report_at(depth: int) -> None:
            if depth:
                report_at(depth - 1)
            else:
                handler.handle_error_sync(ValueError(f"at {limit}"), f"depth {limit}")

        base = len(_frames())
        for limit in range(3, 140, 4):
            before = handler.journal.ledger.received
            try:
                report_at(_LIMIT - base - limit)
            except RecursionError:
                # The call itself did not fit.
                if limit > 20:
                    failures.append((limit, "raised"))
                continue
            if handler.journal.ledger.received != before + 1:
                failures.append((limit, handler.journal.ledger.received - before))
        assert failures == []
        assert sys.getrecursionlimit() == _LIMIT

    def test_a_recursion_reported_where_it_hit_the_limit(self, handler: SafeErrorHandler) -> None:
        """Reporting a RecursionError at the bottom of the recursion ends in an entry."""

        def recurse() -> None:
            try:
                recurse()
            except RecursionError as error:
                handler.handle_error_sync(error, "recursion")

        recurse()
        assert handler.journal.ledger.received >= 1
        handler.handle_error_sync(RecursionError("one more"), "later")
        assert all(entry.type_name == "RecursionError" for entry in handler.journal.entries())
        assert sys.getrecursionlimit() == _LIMIT

    async def test_shown_although_the_stack_is_full(self, handler: SafeErrorHandler) -> None:
        """An error awaited near the limit gets its dialog from the bottom of the stack, and the breaker stays shut."""
        host = AnsweringHost()

        async def descend(depth: int) -> None:
            if depth:
                await descend(depth - 1)
            else:
                await handler.handle_error(raised(ValueError("deep")), "a", host)

        await descend(_LIMIT - len(_frames()) - 50)
        await until(lambda: host.shown)
        assert not handler._circuit_breaker_active


_LIMIT = sys.getrecursionlimit()


def _frames() -> list[object]:
    frames = []
    frame: Any = sys._getframe()
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    return frames


# -- storms ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["one line", "many lines", "no line"])
async def test_ten_thousand_errors(handler: SafeErrorHandler, log: Records, kind: str) -> None:
    """A storm is all in the ledger, in one dialog, and the loop goes on."""
    host = WaitingHost()
    handler.app_state = host
    tasks = get_task_manager()
    tasks.max_tasks = 20_000
    tasks.set_error_handler(handler.handle_error_sync)
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0)
            beats += 1

    heart = asyncio.create_task(beat())
    count = in_a_storm(10_000)
    for number in range(count):
        if kind == "one line":
            tasks.fire_and_forget(fail(ValueError(number)), f"job {number % 10}")
        elif kind == "many lines":
            handler.handle_error_sync(ValueError(number), f"context {number}")
        else:
            handler.handle_error_sync(ValueError(number), "context")
        if number % (count // 10) == 0:
            await asyncio.sleep(0)
    await until(lambda: handler.journal.ledger.received == count and host.open)
    await until(lambda: tasks.active_task_count == 1)
    heart.cancel()
    await asyncio.wait([heart])
    ledger = handler.journal.ledger
    assert ledger.balances
    assert host.most == 1
    assert len(host.shown) == 1
    assert len(log.errors()) <= 200
    assert beats > 5
    host.close()
    await until(lambda: tasks.active_task_count == 0)
    assert handler.journal.ledger.balances


# -- the screen ------------------------------------------------------------------------------------------------------


async def test_never_on_a_live_screen(capsys: pytest.CaptureFixture[str]) -> None:
    """While a full-screen application runs nothing is written to stderr; afterwards it is."""
    async with stage() as here:
        handler = initialize_error_handler(SafeErrorHandler())  # knows of no screen but prompt_toolkit's own
        here.host = None  # type: ignore[assignment]
        await asyncio.create_task(_report_in_context(here.app, handler))
        assert capsys.readouterr().err == ""
    handler.tell_untold()
    assert "no host" in capsys.readouterr().err
    handler.tell_untold()
    assert capsys.readouterr().err == ""


async def _report_in_context(app: Any, handler: SafeErrorHandler) -> None:
    app.context.copy().run(handler.handle_error_sync, raised(ValueError("no host")), "a")


def test_what_was_told_nowhere_is_told_at_exit() -> None:
    """A program that does not call `tell_untold` leaves no error in the dark."""
    script = """
from openhcs.tui.utils.safe_error_handler import SafeErrorHandler
handler = SafeErrorHandler(screen_is_live=lambda: live)
live = True
handler.handle_error_sync(ValueError("in the dark"), "a")
live = False
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20)
    assert done.stderr.count("ValueError: in the dark") == 1


async def test_a_fatal_error_is_told_although_it_is_known(
    handler: SafeErrorHandler, capsys: pytest.CaptureFixture[str], log: Records
) -> None:
    """What ends the program is on stderr, once journalled and once logged."""
    error = raised(ValueError("the end"))
    await handler.handle_error(error, "a", AnsweringHost())
    assert capsys.readouterr().err == ""
    handler.handle_fatal(error, "the program")
    assert "ValueError: the end" in capsys.readouterr().err
    assert handler.journal.ledger.received == 1
    assert len(log.errors()) == 1


async def test_on_a_real_screen_an_error_is_shown_and_closed() -> None:
    """The dialog appears over the panes, Escape closes it, the panes have the focus again."""
    async with stage() as here:
        beneath = here.app.layout.current_window
        here.handler.handle_error_sync(raised(ValueError("it went wrong")), "the job")
        await here.shows("it went wrong")
        assert here.app.layout.current_window is not beneath
        here.press("\x1b")
        await here.shows_no("it went wrong")
        assert here.app.layout.current_window is beneath
        assert here.handler.journal.ledger == Ledger(received=1, shown=1)


async def test_an_error_from_a_bare_thread_has_the_keyboard_too() -> None:
    """A dialog for a thread's error is focused although the thread knows no application."""
    async with stage() as here:
        get_task_manager()
        thread = threading.Thread(target=here.handler.handle_error_sync, args=(ValueError("threaded"), "a thread"))
        thread.start()
        await here.shows("threaded")
        thread.join()
        here.handler.handle_error_sync(raised(KeyError("second")), "b")
        await here.shows("1 of 2")
        here.press("n")
        await here.shows("second")
        assert here.handler.journal.ledger.shown == 2
        here.press("q")
        await here.shows_no("second")


async def test_an_error_of_a_managed_task_has_the_keyboard_too() -> None:
    """A dialog opened for a task's failure is focused on the application that runs."""
    async with stage() as here:
        here.tasks.fire_and_forget(fail(ValueError("task failed")), "job")
        await here.shows("task failed")
        here.press("\r")
        await here.shows_no("task failed")
