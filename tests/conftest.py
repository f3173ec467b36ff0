"""What more than one part of the tests needs; and after every test, a look for tasks and coroutines left behind.

What a forgotten coroutine, task or thread complains of while it is collected fails the test, for warnings are errors.
What asyncio only logs is looked for here.
"""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from openhcs.core import paths
from openhcs.core.config import Settings, variable_of

# What somebody has set for himself would be that of the tests.
for variable in ("NO_COLOR", paths.HOME_VARIABLE, paths.SETTINGS_VARIABLE, *map(variable_of, Settings.model_fields)):
    os.environ.pop(variable, None)
# Runs would let the tests beside them go first, which compute all the time, and last as long as those.
os.environ[variable_of("niceness")] = "0"

_MANY_OBJECTS = 20_000
"""To look through more than these after each test would sum up to minutes."""

_LEAKS = ("never retrieved", "was destroyed but it is pending", "never awaited", "exception ignored in")

_LONG = (
    "test_cli.py",
    "tui/layout/test_running.py",
    "test_tutorial.py",
    "tui/layout/test_results.py",
    "core/test_kill.py",
    "core/test_cluster.py",
    "test_run_follow.py",
    "tui/layout/test_errors_of_runs.py",
    "tui/layout/test_plates.py",
    "tui/layout/test_wells.py",
    "core/test_runner.py",
    "terminal/test_demo_plate.py",
    "terminal/test_any_terminal.py",
    "test_cluster_command.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where processes share the tests, the files that take longest come first: in the end none waits for another."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        rank = {Path(__file__).parent / name: number for number, name in enumerate(_LONG)}
        items.sort(key=lambda item: rank.get(item.path, len(rank)))


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


@contextmanager
def _nothing_left() -> Iterator[None]:
    """Inside, asyncio complains of nothing that was left behind."""
    complaints = _Complaints()
    logging.getLogger("asyncio").addHandler(complaints)
    try:
        yield
    finally:
        logging.getLogger("asyncio").removeHandler(complaints)
    assert complaints.messages == []


@pytest.fixture(autouse=True)
def nothing_left_behind(nothing_left_in_the_end: None) -> Iterator[None]:
    """No test leaves a task, a coroutine or an unread failure behind."""
    with _nothing_left():
        yield
        gc.collect()
    if len(gc.get_objects(generation=2)) > _MANY_OBJECTS:
        gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def nothing_left_in_the_end() -> Iterator[None]:
    """Nor do all of them together: what was set aside because it lived on after its test is looked through as well."""
    yield
    with _nothing_left():
        gc.unfreeze()
        gc.collect()


@pytest.fixture(scope="session")
def plates_folder() -> Path:
    """The folder of real plates: `OPENHCS_TEST_DATA`, or `shared/data` beside the checkout."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("OPENHCS_TEST_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no real plates at {folder}; set OPENHCS_TEST_DATA to their folder")
    return folder
