"""What several tests of the engine share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import psutil
import pytest

from openhcs.core.orchestrator import Run
from tests.core.held_runs import processes_of


@pytest.fixture
def runs() -> Iterator[list[Run]]:
    """Runs that a test starts; whatever is left of them afterwards is ended."""
    started: list[Run] = []
    yield started
    for run in started:
        run.poll()
        for process in processes_of(run.pid) if run.pid else ():
            with suppress(psutil.NoSuchProcess):  # those of a killed run end by themselves
                process.kill()
