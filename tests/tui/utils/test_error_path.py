"""The whole way of an error through the fixed names: from wherever it happens to the dialog, the log and stderr."""

from __future__ import annotations

import asyncio
import gc
import io
import logging
import re
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openhcs.tui.utils.dialog_helpers import setup_global_exception_handler, show_global_error, show_global_error_sync
from openhcs.tui.utils.error_journal import ErrorJournal
from openhcs.tui.utils.safe_error_handler import (
    SafeErrorHandler,
    get_error_handler,
    safe_show_error,
    safe_show_error_sync,
)
from openhcs.tui.utils.unified_task_manager import get_task_manager
from tests.tui.utils.kit import AnsweringHost, Records, WaitingHost, fail, in_a_storm, logged, raised, turns, until


def times_logged(records: Records, error: BaseException) -> int:
    """How many ERROR records carry that very exception."""
    return sum(record.exc_info is not None and record.exc_info[1] is error for record in records.errors())


# -- every source, once ------------------------------------------------------------------------------------------------


def _in_task(error: BaseException) -> None:
    get_task_manager().fire_and_forget(fail(error), "task")


def _in_awaitable_task(error: BaseException) -> None:
    get_task_manager().create_task(fail(error), "task nobody awaits")


def _in_thread(error: BaseException) -> None:
    threading.Thread(target=_raise, args=(error,)).start()


def _in_task_of_an_executor_job(error: BaseException) -> None:
    get_task_manager().fire_and_forget(asyncio.to_thread(_raise, error), "job")


def _in_callback(error: BaseException) -> None:
    asyncio.get_running_loop().call_soon(_raise, error)


def _in_timer(error: BaseException) -> None:
    asyncio.get_running_loop().call_later(0.001, _raise, error)


def _in_raw_task(error: BaseException) -> None:
    asyncio.ensure_future(fail(error))  # noqa: RUF006 - nobody looks after it
    asyncio.get_running_loop().call_later(0.01, gc.collect)


def _in_lost_future(error: BaseException) -> None:
    asyncio.get_running_loop().create_future().set_exception(error)
    gc.collect()


def _in_finaliser(error: BaseException) -> None:
    class Doomed:
        def __del__(self) -> None:
            _raise(error)

    Doomed()
    gc.collect()


def _in_complaint_of_the_loop(error: BaseException) -> None:
    asyncio.get_running_loop().call_exception_handler({"message": "something", "exception": error})


def _in_signal_handler(error: BaseException) -> None:
    before = signal.signal(signal.SIGUSR1, lambda *_: safe_show_error_sync(error, "signal"))
    signal.raise_signal(signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, before)


def _by_hand(error: BaseException) -> None:
    show_global_error_sync(error, "hand")


def _by_hand_from_a_thread(error: BaseException) -> None:
    threading.Thread(target=show_global_error_sync, args=(error, "thread")).start()


def _raise(error: BaseException) -> None:
    raise error


SOURCES = [
    _in_task,
    _in_awaitable_task,
    _in_thread,
    _in_task_of_an_executor_job,
    _in_callback,
    _in_timer,
    _in_raw_task,
    _in_lost_future,
    _in_finaliser,
    _in_complaint_of_the_loop,
    _in_signal_handler,
    _by_hand,
    _by_hand_from_a_thread,
]


@pytest.mark.parametrize("source", SOURCES)
async def test_an_error_from_anywhere_is_logged_once_and_shown_once(source: Callable[[BaseException], None]) -> None:
    """Wherever it happens: one ERROR record with that very exception, one entry with its traceback, one dialog."""
    host = AnsweringHost()
    setup_global_exception_handler(host)
    error = ValueError("from anywhere")
    with logged() as records:
        source(error)
        await until(lambda: host.shown, "a dialog")
        await asyncio.sleep(0.03)
        gc.collect()
        await turns()
    assert times_logged(records, error) == 1
    assert len(records.errors()) == 1
    assert len(host.shown) == 1
    (entry,) = get_error_handler().journal.entries()
    assert entry.message == "from anywhere"
    assert entry.shown
    if source not in (_in_lost_future, _in_complaint_of_the_loop, _in_signal_handler, _by_hand, _by_hand_from_a_thread):
        assert "Traceback" in entry.traceback


async def test_one_object_by_every_way_is_one_error() -> None:
    """Task, thread, callback, finaliser and caller with the same exception: one record, one dialog."""
    host = AnsweringHost()
    setup_global_exception_handler(host)
    error = ValueError("the same")
    with logged() as records:
        for source in SOURCES:
            source(error)
        await until(lambda: host.shown, "a dialog")
        await show_global_error(error, "caller", host)
        await safe_show_error(error, "caller", host)
        await asyncio.sleep(0.05)
        gc.collect()
        await turns()
    assert times_logged(records, error) == 1
    assert len(host.shown) == 1
    assert get_error_handler().journal.ledger.received == 1


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_an_exit_in_a_managed_task_is_entered_and_goes_on(kind: type[BaseException]) -> None:
    """The record is made, and the exit ends the loop as it would without us."""
    error = kind("leaving")

    async def main() -> None:
        setup_global_exception_handler(AnsweringHost())
        get_task_manager().fire_and_forget(fail(error), "leaving task")
        await asyncio.sleep(10)

    with logged() as records, pytest.raises(kind):
        asyncio.run(main())
    assert times_logged(records, error) == 1


async def test_cancellations_are_nobodys_error() -> None:
    """Cancelled tasks, futures and callbacks leave no record."""
    host = AnsweringHost()
    setup_global_exception_handler(host)
    with logged() as records:
        tasks = [get_task_manager().create_task(asyncio.sleep(10)) for _ in range(5)]
        await turns()
        for task in tasks:
            task.cancel()
        show_global_error_sync(asyncio.CancelledError(), "hand")
        await show_global_error(asyncio.CancelledError(), "hand", host)
        await turns(20)
    assert records.errors() == []
    assert host.shown == []


class Liar(Exception):
    """Says that it is a cancellation."""

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return asyncio.CancelledError


class Touchy(Exception):
    """Says that it is nothing at all."""

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        raise OSError("ask somebody else")


@pytest.mark.parametrize("kind", [Liar, Touchy])
async def test_an_exception_is_what_it_is_and_not_what_it_says(kind: type[Exception]) -> None:
    """A class that lies about itself does not get its error overlooked."""
    host = AnsweringHost()
    with logged() as records:
        await show_global_error(kind("lie"), "job", host)
    assert len(host.shown) == 1
    assert len(records.errors()) == 1


class Impostor:
    """Says that it is an exception."""

    __class__ = ValueError  # type: ignore[assignment]


async def test_an_impostor_is_told_of() -> None:
    """What only says that it is an exception is an error of whoever handed it over."""
    host = AnsweringHost()
    await show_global_error(Impostor(), "job", host)  # type: ignore[arg-type]
    (entry,) = get_error_handler().journal.entries()
    assert entry.type_name == "TypeError"
    assert "Impostor" in entry.message


# -- counts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [2, 500, 3_000])
async def test_a_run_of_equal_errors_is_two_error_records(times: int) -> None:
    """The first with its exception, and one for all the others: their number, and the last of them attached."""
    host = WaitingHost()
    with logged() as records:
        for _ in range(times):
            last = raised(ValueError("again"))
            show_global_error_sync(last, "job", host)
        assert len(records.errors()) == 1
        await until(lambda: len(records.errors()) == 2)
        await asyncio.sleep(0.3)
    first, run = records.errors()
    assert first.exc_info is not None
    assert first.exc_info[1] is not last
    more = f"{times - 1:,} more {'time' if times == 2 else 'times'}, {times:,} in all"
    assert more in run.getMessage()
    assert run.exc_info is not None
    assert run.exc_info[1] is last
    assert times_logged(records, last) == 1
    assert len(records.errors()) == 2
    host.close()
    await turns()


async def test_distinct_errors_are_an_error_record_each() -> None:
    """Three errors that say different things are three records, each with its own exception, and no more later."""
    host = WaitingHost()
    errors = [raised(ValueError(name)) for name in ("one", "two", "three")]
    with logged() as records:
        for error in errors:
            show_global_error_sync(error, "job", host)
        await asyncio.sleep(0.4)
        get_error_handler().journal.close()
    assert [times_logged(records, error) for error in errors] == [1, 1, 1]
    assert len(records.errors()) == 3
    host.close()
    await turns()


def _failures_in(records: Records) -> int:
    """How many failures the ERROR records tell of, counts included."""
    counts = [re.findall(r"failed ([\d,]+) more", record.getMessage()) for record in records.errors()]
    return sum(int(count[0].replace(",", "")) if count else 1 for count in counts)


async def test_a_storm_in_tasks_is_in_the_log_to_the_last_error() -> None:
    """The records of single errors and the counts of runs add up to all that was received."""
    host = WaitingHost()
    setup_global_exception_handler(host)
    with logged() as records:
        await _storm_of_tasks(1_000)
        await until(lambda: _failures_in(records) == 1_000)
        await asyncio.sleep(0.3)
    assert _failures_in(records) == 1_000
    assert all(record.exc_info is not None for record in records.errors())
    host.close()
    await until(lambda: get_task_manager().active_task_count == 0)


def test_without_a_loop_the_count_reaches_the_log_at_exit() -> None:
    """A program that ends without anybody asking tells its counts all the same."""
    script = """
import logging, sys
from openhcs.tui.utils.dialog_helpers import show_global_error_sync
logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(message)s")
for number in range(1_000):
    show_global_error_sync(ValueError(number), "the job")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30)
    assert "the job failed 980 more times, 981 in all" in done.stdout, done.stdout[-500:]
    assert done.stdout.count("ERROR") == 21
    assert done.stderr.count("the job failed") == 20


async def test_errors_of_ever_new_kinds_are_counted_in_the_log() -> None:
    """What came too fast to be entered is a number in the log."""
    host = AnsweringHost()
    with logged() as records:
        for number in range(2_000):
            show_global_error_sync(ValueError(number), f"job {number}", host)
        await until(lambda: any("came too fast" in record.getMessage() for record in records.records))
    ledger = get_error_handler().journal.ledger
    assert ledger.balances
    assert ledger.received == 2_000
    assert any(f"{ledger.dropped:,} errors" in record.getMessage() for record in records.records)
    assert len(records.errors()) == ledger.received - ledger.dropped + 1
    assert records.errors()[-1].exc_info is not None


async def test_a_journal_that_cannot_be_written_is_told_once(tmp_path: Path) -> None:
    """The full disk is an error like any other, and not one for each error that it could not take."""
    (tmp_path / "errors.jsonl").symlink_to("/dev/full")
    handler = SafeErrorHandler(ErrorJournal(tmp_path / "errors.jsonl"))
    host = AnsweringHost()
    with logged() as records:
        for number in range(10):
            handler.handle_error_sync(raised(ValueError(number)), "job", host)
        await until(lambda: len(host.shown) > 0)
        await turns(20)
    contexts = [entry.context for entry in handler.journal.entries()]
    assert contexts.count("the error journal") == 1
    assert contexts.count("job") == 10
    assert len(records.errors()) == 11
    assert handler.journal.ledger.balances


# -- storms ------------------------------------------------------------------------------------------------------------


async def _fail_with(number: int) -> None:
    raise ValueError(f"failure {number}")


async def _storm_of_tasks(count: int) -> None:
    tasks = get_task_manager()
    for number in range(count):
        tasks.fire_and_forget(_fail_with(number), f"job {number}")
        if number % 500 == 499:
            await until(lambda: tasks.active_task_count < 10)


async def _storm_of_calls(count: int) -> None:
    for number in range(count):
        show_global_error_sync(raised(ValueError(f"failure {number}")), f"job {number}")
        if number % 500 == 499:
            await asyncio.sleep(0)


async def _storm_from_threads(count: int) -> None:
    def report(first: int) -> None:
        for number in range(first, first + count // 4):
            show_global_error_sync(raised(ValueError(f"failure {number}")), f"job {number}")

    await asyncio.gather(*(asyncio.to_thread(report, quarter * count // 4) for quarter in range(4)))


@pytest.mark.parametrize("storm", [_storm_of_tasks, _storm_of_calls, _storm_from_threads])
async def test_a_storm_of_any_length_is_one_dialog_and_flat_memory(storm: Any) -> None:
    """Ten times the errors cost no more memory, there is one dialog, and all are accounted for."""
    host = WaitingHost()
    setup_global_exception_handler(host)
    journal = get_error_handler().journal
    few = in_a_storm(2_000)
    tracemalloc.start()
    try:
        await storm(few)
        await until(lambda: journal.ledger.received == few)
        await until(lambda: len(host.open) == 1)
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        await storm(10 * few)
        await until(lambda: journal.ledger.received == 11 * few)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < 8_000_000
    assert host.most == 1
    assert len(host.shown) == 1
    assert journal.ledger.balances
    host.close()
    await until(lambda: get_task_manager().active_task_count == 0)


async def test_the_loop_answers_while_threads_rage() -> None:
    """With three threads reporting without pause a heartbeat in the loop goes on."""
    host = WaitingHost()
    setup_global_exception_handler(host)
    stop = threading.Event()

    def rage(seed: int) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            show_global_error_sync(ValueError(number), f"rage {seed} {number % 300}")

    threads = [threading.Thread(target=rage, args=(seed,), daemon=True) for seed in range(3)]
    for thread in threads:
        thread.start()
    beats = 0
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        await asyncio.sleep(0.005)
        beats += 1
    stop.set()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert beats >= 10
    assert get_error_handler().journal.ledger.balances
    assert host.most == 1
    host.close()
    await until(lambda: get_task_manager().active_task_count == 0)


# -- loops and threads -------------------------------------------------------------------------------------------------


def test_loops_that_come_and_go() -> None:
    """In each of several loops one after the other, errors from the loop, a thread and in between are all shown."""
    host = AnsweringHost()

    async def main(number: int) -> None:
        shown = len(host.shown)
        setup_global_exception_handler(host)
        _in_task(ValueError(f"task {number}"))
        _in_thread(ValueError(f"thread {number}"))
        await until(lambda: len(host.shown) >= shown + 1)
        await until(lambda: get_error_handler().journal.ledger.shown == get_error_handler().journal.ledger.received)

    for number in range(4):
        asyncio.run(main(number))
    assert get_error_handler().journal.ledger.received == 8
    assert not get_error_handler()._showing_dialog


def test_two_loops_at_once() -> None:
    """Errors of two loops in two threads are entered once each; no call fails, no dialog is left open."""
    problems: list[BaseException] = []

    async def main(name: str) -> None:
        host = AnsweringHost()
        for number in range(50):
            await show_global_error(raised(ValueError(f"{name} {number}")), name, host)
            show_global_error_sync(raised(KeyError(f"{name} {number}")), name, host)
            await asyncio.sleep(0)
        await turns(20)

    def run(name: str) -> None:
        try:
            asyncio.run(main(name))
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=run, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert problems == []
    ledger = get_error_handler().journal.ledger
    assert ledger.balances
    assert ledger.received == 200
    assert not get_error_handler()._showing_dialog


async def test_a_host_with_other_parameter_names() -> None:
    """A host is called by position: what it calls its parameters is its own affair."""

    class Host:
        shown = 0

        async def show_dialog(self, what: Any, until_done: asyncio.Future[Any], /) -> None:
            self.shown += 1
            until_done.set_result(None)
            await until_done

    host = Host()
    await show_global_error(raised(ValueError("x")), "job", host)
    assert host.shown == 1


async def test_an_error_while_handling_a_cancellation() -> None:
    """A task that reports an error in its clean-up shows it, and ends cancelled as it was asked to."""
    host = AnsweringHost()

    async def works() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            await show_global_error(raised(ValueError("clean-up failed")), "clean-up", host)

    task = asyncio.ensure_future(works())
    await turns()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(host.shown) == 1


# -- stderr and the log ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [None, "closed", "raising", "blocking"])
def test_a_stderr_of_any_kind(stream: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stderr is or does, the error is in the journal and in the log, and nothing is raised."""

    class Raising(io.StringIO):
        def write(self, text: str) -> int:
            raise BlockingIOError if stream == "blocking" else RuntimeError

    gone = io.StringIO()
    gone.close()
    monkeypatch.setattr(sys, "stderr", None if stream is None else gone if stream == "closed" else Raising())
    error = raised(ValueError("x"))
    with logged() as records:
        show_global_error_sync(error, "job")
        get_error_handler().tell_untold()
    assert times_logged(records, error) == 1


def test_an_error_is_told_on_stderr_once() -> None:
    """Without any logging set up, and without a screen, the traceback is on stderr a single time."""
    script = """
from openhcs.tui.utils.dialog_helpers import show_global_error_sync
try:
    raise ValueError("only once \\x1b[2J")
except ValueError as error:
    show_global_error_sync(error, "the job")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0
    assert done.stdout == ""
    assert done.stderr.count("only once") == 1 + done.stderr.count('raise ValueError("only once')
    assert "\x1b" not in done.stderr
    assert re.search(r"^Traceback", done.stderr, re.MULTILINE)


def test_a_log_handler_that_reports_errors_itself() -> None:
    """A handler that answers each record with a further error ends by itself."""

    class Eager(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            show_global_error_sync(ValueError(f"about {record.getMessage()}"), "logging")

    handler = Eager(logging.ERROR)
    logger = logging.getLogger("openhcs")
    logger.addHandler(handler)
    try:
        show_global_error_sync(ValueError("the first"), "job")
    finally:
        logger.removeHandler(handler)
    assert get_error_handler().journal.ledger.balances
    assert get_error_handler().journal.ledger.received < 100
