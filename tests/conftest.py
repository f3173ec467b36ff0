"""What more than one part of the tests needs; and after every test, a look for tasks and coroutines left behind.

What a forgotten coroutine, task or thread complains of while it is collected fails the test, for warnings are errors.
What asyncio only logs is looked for here.
"""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

_LEAKS = ("never retrieved", "was destroyed but it is pending", "never awaited", "exception ignored in")


def pytest_collection_finish() -> None:
    """Keep the collections below quick: nothing that was imported can be garbage."""
    gc.collect()
    gc.freeze()


class _Complaints(logging.Handler):
    """Keeps what asyncio says about tasks and futures that nobody looked after."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if any(leak in message.lower() for leak in _LEAKS):
            self.messages.append(message)


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """No test leaves a task, a coroutine or an unread failure behind."""
    complaints = _Complaints()
    logging.getLogger("asyncio").addHandler(complaints)
    yield
    gc.collect()
    logging.getLogger("asyncio").removeHandler(complaints)
    assert complaints.messages == []


@pytest.fixture(scope="session")
def plates_folder() -> Path:
    """The folder of real plates: `OPENHCS_TEST_DATA`, or `shared/data` beside the checkout."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("OPENHCS_TEST_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no real plates at {folder}; set OPENHCS_TEST_DATA to their folder")
    return folder
