"""Whatever shows errors, whatever they are, and wherever they end: each is entered once and nobody is hurt."""

from __future__ import annotations

import asyncio
import copy
import gc
import logging
import pickle
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from openhcs.tui.utils.dialog_helpers import show_global_error, show_global_error_sync
from openhcs.tui.utils.safe_error_handler import SafeErrorHandler, safe_show_error, safe_show_error_sync
from openhcs.tui.utils.unified_task_manager import get_task_manager
from tests.tui.utils.abuse.fakes import EXCEPTIONS, HOSTS, STREAMS, Evil, Host, RaisingLog, failing, raised, turns
from tests.tui.utils.kit import until


@pytest.fixture
def log() -> Iterator[list[logging.LogRecord]]:
    """The ERROR records of all loggers."""
    records: list[logging.LogRecord] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    handler = Keep(logging.ERROR)
    logging.getLogger().addHandler(handler)
    yield records
    logging.getLogger().removeHandler(handler)


def entries_about(errors: SafeErrorHandler, error: BaseException) -> int:
    """How many entries of the journal are of `error` itself."""
    return sum(entry.exception is error for entry in errors.journal.entries())


WAYS: dict[str, Callable[[SafeErrorHandler, BaseException, Any], Any]] = {
    "handle_error": lambda errors, error, host: errors.handle_error(error, "abuse", host),
    "safe_show_error": lambda errors, error, host: safe_show_error(error, "abuse", host),
    "show_global_error": lambda errors, error, host: show_global_error(error, "abuse", host),
}


class TestHosts:
    @pytest.mark.parametrize("kind", HOSTS)
    async def test_awaited(self, kind: str, errors: SafeErrorHandler, log: list[logging.LogRecord]) -> None:
        """An awaited error returns to its caller from any host; its error is one entry and one record."""
        make, works = HOSTS[kind]
        error = raised(ValueError("to show"))
        async with asyncio.timeout(5):
            assert await errors.handle_error(error, "abuse", make()) is None
        assert not errors._showing_dialog
        assert errors._circuit_breaker_active is not works
        assert entries_about(errors, error) == 1
        assert sum(record.exc_info is not None and record.exc_info[1] is error for record in log) == 1
        assert errors.journal.ledger.balances

    @pytest.mark.parametrize("kind", HOSTS)
    async def test_not_awaited(self, kind: str, errors: SafeErrorHandler) -> None:
        """An error handed over in passing is one entry, whatever the host does, and ends no task but its own."""
        make, works = HOSTS[kind]
        error = raised(ValueError("to show"))
        errors.handle_error_sync(error, "abuse", make())
        await until(lambda: not get_task_manager().active_task_count)
        assert not errors._showing_dialog
        assert errors._circuit_breaker_active is not works
        assert entries_about(errors, error) == 1

    @pytest.mark.parametrize("kind", [kind for kind, (_, works) in HOSTS.items() if not works])
    async def test_the_error_is_told_elsewhere(
        self, kind: str, errors: SafeErrorHandler, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """What a broken host could not show is told on stderr, where no screen is live."""
        await errors.handle_error(ValueError("cannot be shown"), "abuse", HOSTS[kind][0]())
        assert "cannot be shown" in capsys.readouterr().err

    @pytest.mark.parametrize("kind", HOSTS)
    async def test_a_good_host_after_a_bad_one(self, kind: str, errors: SafeErrorHandler) -> None:
        """After a reset the next error is shown, whatever the last host did."""
        await errors.handle_error(ValueError("first"), "abuse", HOSTS[kind][0]())
        errors.reset_circuit_breaker()
        good = Host()
        showing = asyncio.ensure_future(errors.handle_error(KeyError("second"), "abuse", good))
        await turns()
        assert good.deepest == 1
        good.answer()
        await showing

    @pytest.mark.parametrize("way", WAYS)
    async def test_hosts_that_never_return(self, way: str, errors: SafeErrorHandler) -> None:
        """A host that never comes back is left by a timeout of the caller, and the next error has a dialog again."""
        host = Host()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await WAYS[way](errors, ValueError("stuck"), host)
        assert host.open == []
        assert not errors._showing_dialog
        assert not errors._circuit_breaker_active

    @pytest.mark.parametrize("exit_", [SystemExit(3), KeyboardInterrupt()], ids=repr)
    async def test_an_exit_of_the_host(self, exit_: BaseException, errors: SafeErrorHandler) -> None:
        """An exit that comes out of a host goes up, and the error it was to show has been entered and is let go."""

        async def leave(dialog: Any, future: asyncio.Future[Any]) -> None:
            raise exit_

        error = ValueError("was on its way")
        with pytest.raises(type(exit_)):
            await errors.handle_error(error, "abuse", Host(leave))
        assert not errors._showing_dialog
        assert entries_about(errors, error) == 1

    async def test_a_host_that_reports_its_own_error(self, errors: SafeErrorHandler) -> None:
        """A host that reports an error while it shows one does not get a second dialog."""

        async def report(dialog: Any, future: asyncio.Future[Any]) -> None:
            for number in range(5):
                errors.handle_error_sync(RuntimeError(f"within {number}"), f"host {number}", host)
                await errors.handle_error(KeyError(number), f"host {number}", host)
            await turns()
            future.set_result(None)

        host = Host(report)
        await errors.handle_error(ValueError("outer"), "abuse", host)
        await turns()
        assert (host.calls, host.deepest) == (1, 1)
        assert errors.journal.ledger.received == 11

    async def test_a_host_that_shows_the_error_by_the_handler(self, errors: SafeErrorHandler) -> None:
        """A host that hands the dialog back to the handler's own door does not recurse."""

        async def recurse(dialog: Any, future: asyncio.Future[Any]) -> None:
            await show_global_error(RuntimeError("again"), "abuse", host)
            raise RuntimeError("and failed")

        host = Host(recurse)
        await errors.handle_error(ValueError("outer"), "abuse", host)
        assert host.calls == 1
        assert errors._circuit_breaker_active

    async def test_a_hundred_at_once(self, errors: SafeErrorHandler) -> None:
        """A hundred tasks that show different errors at once share one dialog; all return."""
        host = Host()
        shows = [asyncio.ensure_future(errors.handle_error(ValueError(n), f"task {n}", host)) for n in range(100)]
        await turns()
        assert host.deepest == 1
        while host.open:
            host.answer()
            await turns()
        await asyncio.gather(*shows)
        assert host.deepest == 1
        assert errors.journal.ledger.received == 100

    async def test_the_presenter_is_cancelled_and_others_are_not(self, errors: SafeErrorHandler) -> None:
        """Cancelling the task whose error is up closes its dialog; an error that had joined gets one of its own."""
        host = Host()
        first = asyncio.ensure_future(errors.handle_error(ValueError("first"), "first", host))
        await turns()
        await errors.handle_error(KeyError("joined"), "second", host)
        first.cancel()
        await asyncio.wait([first])
        await turns()
        assert first.cancelled()
        assert len(host.open) == 1
        assert errors._showing_dialog
        host.answer()
        await turns()
        assert host.open == []

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("steps", range(8))
    async def test_cancelled_at_each_step(self, way: str, steps: int, errors: SafeErrorHandler) -> None:
        """A cancellation at any step of an error's showing goes on, closes the dialog, and loses nothing."""

        async def act(dialog: Any, future: asyncio.Future[Any]) -> Any:
            await turns(2)
            try:
                return await future
            finally:
                await turns(2)

        host, error = Host(act), ValueError("shown")
        showing = asyncio.ensure_future(WAYS[way](errors, error, host))
        await turns(steps)
        showing.cancel()
        await turns(1)
        # A second one, in the middle of the clean-up.
        showing.cancel()
        await asyncio.wait([showing])
        assert showing.cancelled()
        assert host.open == []
        assert not errors._showing_dialog
        assert entries_about(errors, error) == 1
        assert not errors._circuit_breaker_active

    async def test_closed_and_cancelled_in_one_tick(self, errors: SafeErrorHandler) -> None:
        """A dialog whose host fails it in the tick of its cancellation leaves no failure unread."""
        host = Host()
        showing = asyncio.ensure_future(errors.handle_error(ValueError("first"), "first", host))
        await turns()
        host.open[-1][1].set_exception(RuntimeError("drawing failed"))
        showing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await showing
        del showing
        gc.collect()
        await turns()

    async def test_reset_time_and_again(self, errors: SafeErrorHandler) -> None:
        """A display that fails time and again, the breaker reset each time, is asked each time."""

        async def fail(dialog: Any, future: asyncio.Future[Any]) -> None:
            raise RuntimeError("no display")

        host = Host(fail)
        for number in range(20):
            await errors.handle_error(ValueError(number), f"error {number}", host)
            assert errors._circuit_breaker_active
            errors.reset_circuit_breaker()
            assert not errors._circuit_breaker_active
        assert host.calls == 20
        assert errors.journal.ledger.balances


class TestExceptions:
    @pytest.mark.parametrize("kind", EXCEPTIONS)
    @pytest.mark.parametrize("with_host", [False, True], ids=["no host", "a host"])
    async def test_sync(self, kind: str, with_host: bool, errors: SafeErrorHandler) -> None:
        """Any exception can be handed over; it is one error however often and by whatever way it comes."""
        error = raised(EXCEPTIONS[kind]())
        host = Host() if with_host else None
        for _ in range(3):
            errors.handle_error_sync(error, "abuse", host)
            safe_show_error_sync(error, "otherwise", host)
            show_global_error_sync(error, "elsewhere", host)
        await turns()
        if host is not None:
            assert len(host.open) == 1
            host.answer()
            await turns()
        ledger = errors.journal.ledger
        assert ledger.received == 1 or kind == "class that raises itself"
        assert ledger.balances

    @pytest.mark.parametrize("kind", EXCEPTIONS)
    async def test_awaited(self, kind: str, errors: SafeErrorHandler) -> None:
        """Any exception can be shown and awaited."""
        error = raised(EXCEPTIONS[kind]())
        host = Host()
        showing = asyncio.ensure_future(errors.handle_error(error, "abuse", host))
        await turns()
        assert len(host.open) == 1
        host.answer()
        await showing

    @pytest.mark.parametrize("kind", [k for k in EXCEPTIONS if k not in ("SystemExit", "KeyboardInterrupt")])
    async def test_out_of_a_task(self, kind: str, errors: SafeErrorHandler) -> None:
        """Any exception may end a managed task, and is then one error."""
        error = EXCEPTIONS[kind]()
        get_task_manager().set_error_handler(errors.handle_error_sync)
        get_task_manager().fire_and_forget(failing(error), "abused")
        await turns()
        assert errors.journal.ledger.received == 1
        assert get_task_manager().active_task_count == 0

    @pytest.mark.parametrize(
        "thing", [None, 3, "text", ValueError, object(), [], lambda: None], ids=lambda t: repr(t)[:9]
    )
    async def test_what_is_no_exception(self, thing: Any, errors: SafeErrorHandler) -> None:
        """What is not an exception at all is an error too, and said to be none."""
        errors.handle_error_sync(thing, "abuse")
        await errors.handle_error(thing, "abuse again")
        assert errors.journal.ledger.received == 2
        assert errors.journal.entries()[0].type_name == "TypeError"

    @pytest.mark.parametrize(
        "context", [None, b"bytes", 7, "", "\x1b[2J\n\r\x00", "x" * 10_000_000, object()], ids=str.__class__
    )
    def test_any_context(self, context: Any, errors: SafeErrorHandler, capsys: pytest.CaptureFixture[str]) -> None:
        """A context of any kind and length will do, and does not reach the terminal unseen."""
        errors.handle_error_sync(ValueError("contextual"), context)
        written = capsys.readouterr().err
        assert "contextual" in written
        assert "\x1b" not in written
        assert len(written) < 10_000

    def test_ten_ways(self, errors: SafeErrorHandler, log: list[logging.LogRecord]) -> None:
        """One exception object that arrives by ten ways is one entry and one record of the log."""
        error = raised(ValueError("once"))

        async def main() -> None:
            loop = asyncio.get_running_loop()
            manager = get_task_manager()
            manager.set_error_handler(errors.handle_error_sync)
            errors.handle_error_sync(error, "1")
            await errors.handle_error(error, "2")
            await safe_show_error(error, "3")
            await show_global_error(error, "4")
            show_global_error_sync(error, "5")
            manager.fire_and_forget(failing(error), "6")
            manager.create_task(failing(error), "7")
            await asyncio.to_thread(errors.handle_error_sync, error, "8")
            loop.call_soon(errors.handle_error_sync, error, "9")
            await asyncio.sleep(0.05)

        asyncio.run(main())
        errors.handle_error_sync(error, "10")
        assert errors.journal.ledger.received == 1
        assert sum(record.exc_info is not None and record.exc_info[1] is error for record in log) == 1

    def test_a_pickled_copy_is_another_error(self, errors: SafeErrorHandler) -> None:
        """An exception that was reported can be pickled and copied; the copy is an error of its own."""
        error = ValueError("travelled")
        errors.handle_error_sync(error, "here")
        there = pickle.loads(pickle.dumps(error))
        copied = copy.deepcopy(error)
        errors.handle_error_sync(there, "there")
        errors.handle_error_sync(copied, "beside")
        assert errors.journal.ledger.received == 3

    @pytest.mark.parametrize("size", ["50 MB in one line", "1,000,000 lines"])
    async def test_a_huge_message(self, size: str, errors: SafeErrorHandler) -> None:
        """A message of 50 MB or of a million lines costs a moment, and the journal keeps what can be read of it."""
        message = "x" * 50_000_000 if size.startswith("50") else "line\n" * 1_000_000
        began = time.process_time()
        host = Host()
        errors.handle_error_sync(RuntimeError(message), "abuse", host)
        await turns()
        host.answer()
        await turns()
        assert time.process_time() - began < 2
        assert len(errors.journal.entries()[0].message) < 100_000

    @pytest.mark.parametrize("distance", [5, 6, 7, 8, 10, 20, 40, 60, 80, 120, 200])
    async def test_at_the_end_of_the_stack(self, distance: int, errors: SafeErrorHandler) -> None:
        """An error reported near the recursion limit is entered, and the limit is as before."""
        depths: list[int] = []

        def deep(depth: int) -> None:
            try:
                deep(depth + 1)
            except RecursionError as error:
                depths.append(depth)
                if depths[0] - depth == distance:
                    errors.handle_error_sync(error, "at the end of the stack")
                raise

        limit = sys.getrecursionlimit()
        with pytest.raises(RecursionError):
            deep(0)
        await turns()
        assert sys.getrecursionlimit() == limit
        assert errors.journal.ledger.received >= 1

    def test_reporting_at_each_depth(self, errors: SafeErrorHandler) -> None:
        """Of a recursion that reports at every level on its way up each error is counted, but where no call fits."""
        made = 0

        def deep() -> None:
            nonlocal made
            try:
                deep()
            except RecursionError:
                made += 1
                errors.handle_error_sync(ValueError("on the way up"), "deep")
                raise

        with pytest.raises(RecursionError):
            deep()
        assert errors.journal.ledger.balances
        assert errors.journal.ledger.received >= made - 4

    def test_an_exception_whose_text_reports_it(self, errors: SafeErrorHandler) -> None:
        """An exception that reports itself, and another, when it is asked for its text does not recurse."""

        class Reporting(Exception):
            def __str__(self) -> str:
                errors.handle_error_sync(self, "from its own text")
                errors.handle_error_sync(RuntimeError("another"), "from its text")
                return "reported"

        errors.handle_error_sync(error := Reporting(), "abuse")
        assert entries_about(errors, error) == 1
        assert errors.journal.ledger.received < 10


class TestWhereErrorsEnd:
    @pytest.mark.parametrize("stream", STREAMS)
    @pytest.mark.parametrize("log_raises", [False, True], ids=["log works", "log raises"])
    async def test_streams(
        self, stream: str, log_raises: bool, errors: SafeErrorHandler, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With no place left to tell it an error is still entered, and nothing is raised."""
        handler = RaisingLog(lambda: OSError("disk full"))
        if log_raises:
            logging.getLogger().addHandler(handler)
        monkeypatch.setattr(sys, "stderr", STREAMS[stream]())
        try:
            error = raised(ValueError("ünsayable"))
            errors.handle_error_sync(error, "abuse")
            await errors.handle_error(raised(KeyError("another")), "abuse")
        finally:
            logging.getLogger().removeHandler(handler)
            monkeypatch.undo()
        assert entries_about(errors, error) == 1

    @pytest.mark.parametrize(
        "error",
        [
            RuntimeError,
            RecursionError,
            MemoryError,
            asyncio.CancelledError,
            lambda: HOSTS and ExceptionGroup("g", [OSError()]),
        ],
        ids=["RuntimeError", "RecursionError", "MemoryError", "CancelledError", "group"],
    )
    async def test_logging_handlers_that_raise(
        self, error: Callable[[], BaseException], errors: SafeErrorHandler
    ) -> None:
        """A logging handler that raises loses its record, not the error, the dialog or the coroutine."""
        handler = RaisingLog(error)
        logging.getLogger().addHandler(handler)
        try:
            host = Host()
            showing = asyncio.ensure_future(errors.handle_error(ValueError("to show"), "abuse", host))
            await turns()
            host.answer()
            await showing
            errors.handle_error_sync(KeyError("another"), "abuse")
            errors.reset_circuit_breaker()
            get_task_manager().fire_and_forget(failing(), "fails")
            get_task_manager().fire_and_forget(7, "is no coroutine")  # type: ignore[arg-type]
            await turns()
        finally:
            logging.getLogger().removeHandler(handler)
        assert handler.calls
        assert host.calls == 1

    @pytest.mark.parametrize("same", [True, False], ids=["the same message", "ever new messages"])
    def test_a_logging_handler_that_reports(self, same: bool, errors: SafeErrorHandler) -> None:
        """A logging handler that hands an error over for each record it gets does not recurse without end."""
        calls = 0

        class Reporting(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                nonlocal calls
                calls += 1
                errors.handle_error_sync(RuntimeError("from the log" if same else f"from the log: {calls}"), "log")

        handler = Reporting(logging.ERROR)
        logging.getLogger().addHandler(handler)
        try:
            errors.handle_error_sync(ValueError("the first"), "abuse")
        finally:
            logging.getLogger().removeHandler(handler)
        assert calls < 100

    async def test_an_error_handler_that_raises_a_cancellation(self, caplog: pytest.LogCaptureFixture) -> None:
        """A task manager's error handler that raises CancelledError costs neither the failure nor the caller."""

        def cancelled(exception: BaseException, context: str) -> None:
            raise asyncio.CancelledError

        manager = get_task_manager()
        manager.set_error_handler(cancelled)
        manager.fire_and_forget(failing(RuntimeError("not to be lost")), "fails")
        manager.fire_and_forget(7, "no coroutine")  # type: ignore[arg-type]
        await turns()
        assert "not to be lost" in caplog.text

    async def test_a_status_line_that_raises_a_cancellation(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A status line that raises CancelledError is passed over, and stderr tells."""

        def show_status(text: str) -> None:
            raise asyncio.CancelledError

        errors = SafeErrorHandler(show_status=show_status)
        errors.handle_error_sync(ValueError("to tell"), "abuse")
        await errors.handle_error(KeyError("to tell as well"), "abuse")
        told = capsys.readouterr().err
        assert "to tell" in told
        assert "to tell as well" in told


class TestStorms:
    async def test_ten_thousand_at_once(self, errors: SafeErrorHandler) -> None:
        """Ten thousand tasks that fail at once are all counted, and the loop gets its turn within a second."""
        manager = get_task_manager()
        manager.set_error_handler(errors.handle_error_sync)
        began = time.process_time()
        for number in range(10_000):
            manager.fire_and_forget(failing(RuntimeError(f"number {number}")), f"storm {number}")
        await turns()
        assert time.process_time() - began < 5
        assert manager.active_task_count == 0
        assert errors.journal.ledger.received == 10_000
        assert errors.journal.ledger.balances
        assert len(errors.journal.entries()) < 1_000

    def test_flat_memory(self, errors: SafeErrorHandler) -> None:
        """Twenty thousand errors, each with a message of its own and a payload in its frame, keep little memory."""

        def storm(count: int) -> None:
            for number in range(count):
                payload = bytes(100_000)
                try:
                    raise RuntimeError(f"number {number} of {len(payload)}")
                except RuntimeError as error:
                    errors.handle_error_sync(error, "storm")

        storm(1_000)
        tracemalloc.start()
        storm(3_000)
        kept, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert kept < 10_000_000
        assert errors.journal.ledger.received == 4_000

    def test_a_storm_of_classes(self, errors: SafeErrorHandler) -> None:
        """A storm in which every error is of a class made for it is bounded too."""
        for number in range(3_000):
            kind = type(f"Kind{number}", (RuntimeError,), {})
            errors.handle_error_sync(kind("one of a kind"), f"context {number}")
        ledger = errors.journal.ledger
        assert ledger.received == 3_000
        assert ledger.balances
        assert ledger.dropped > 0
        assert len(errors.journal.entries()) <= 200

    async def test_a_storm_of_evil(self, errors: SafeErrorHandler) -> None:
        """Errors whose texts, classes and attributes are hostile make a storm like any other."""
        for _ in range(30):
            for kind in ("hostile text", "hostile class", "hostile attributes", "evil text", "endless text"):
                errors.handle_error_sync(raised(EXCEPTIONS[kind]()), "storm")
        assert errors.journal.ledger.received == 150
        assert errors.journal.ledger.balances

    def test_garbage_in_every_step(self, errors: SafeErrorHandler) -> None:
        """With the collector running at every allocation and finalisers that report, nothing is lost or locked."""

        class Reports:
            def __init__(self) -> None:
                self.me = self

            def __del__(self) -> None:
                errors.handle_error_sync(RuntimeError("collected"), "finaliser")

        threshold = gc.get_threshold()
        gc.set_threshold(1, 1, 1)
        try:
            for _ in range(100):
                Reports()
                errors.handle_error_sync(raised(ValueError("in between")), "abuse")
        finally:
            gc.set_threshold(*threshold)
        gc.collect()
        assert errors.journal.ledger.received == 200
        assert errors.journal.ledger.balances


def test_evil_is_evil() -> None:
    """The exception the hosts raise is none that `except Exception` catches."""
    assert not issubclass(Evil, Exception)
