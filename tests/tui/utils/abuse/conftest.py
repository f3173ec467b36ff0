"""Looks, after each case, for what the abuse left behind: hooks, limits, complaints of the loop, an open dialog."""

from __future__ import annotations

import gc
import logging
import sys
import threading
from collections.abc import Iterator

import pytest

from openhcs.tui.utils.safe_error_handler import SafeErrorHandler, get_error_handler
from openhcs.tui.utils.unified_task_manager import get_task_manager
from tests.tui.utils.abuse.fakes import Hostility


class _Complaints(logging.Handler):
    """Keeps what the loop's own exception handler writes."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        # The one thing the core itself tells the loop.
        if "an error dialog failed while it was closed" not in message:
            self.messages.append(message)


def _hooks() -> tuple[object, ...]:
    last_resorts = sys.excepthook, threading.excepthook, sys.unraisablehook, logging.lastResort
    return *last_resorts, logging.raiseExceptions, sys.getrecursionlimit()


@pytest.fixture(autouse=True)
def nothing_out_of_place(nothing_remembered: None) -> Iterator[None]:
    """The interpreter is as it was, the loop had nothing to complain of, and no error dialog is open."""
    complaints = _Complaints()
    logging.getLogger("asyncio").addHandler(complaints)
    before = _hooks()
    yield
    gc.collect()
    logging.getLogger("asyncio").removeHandler(complaints)
    assert _hooks() == before
    assert complaints.messages == []
    assert not get_error_handler()._showing_dialog
    assert get_error_handler().journal.ledger.balances


@pytest.fixture(autouse=True)
def hostility(nothing_out_of_place: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hostile classes are hostile."""
    monkeypatch.setattr(Hostility, "is_on", True)


@pytest.fixture
def errors() -> SafeErrorHandler:
    """The program's error handler, its breaker closed and its journal empty."""
    return get_error_handler()


@pytest.fixture
def reported() -> list[tuple[BaseException, str]]:
    """What the program's task manager reports, in order; nobody else hears of it."""
    heard: list[tuple[BaseException, str]] = []
    get_task_manager().set_error_handler(lambda exception, context: heard.append((exception, context)))
    return heard
