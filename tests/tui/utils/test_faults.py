"""A part that fails is told of when it begins to fail, and nothing else stops."""

from __future__ import annotations

import asyncio

import pytest

from openhcs.tui.utils.faults import FaultLog
from tests.tui.utils.kit import Failures


def test_a_part_is_told_of_once_until_it_works_again() -> None:
    """Each begin of failing is one report; parts are told apart by identity, equal or not, hashable or not."""
    failures = Failures()
    faults = FaultLog(failures)
    one: list[int] = []
    two: list[int] = []
    for divisor in (0, 0, 1, 0):
        assert faults.run(one, lambda: 1 // divisor, -1, "one") == (1 if divisor else -1)  # noqa: B023 - called at once
    assert faults.run(two, lambda: 1 // 0, 5, "two") == 5
    assert [context for _, context in failures] == ["one", "one", "two"]


def test_a_cancelled_future_that_is_asked_is_an_error() -> None:
    """It would be taken for the cancellation of whoever runs the part."""
    failures = Failures()

    def ask() -> None:
        raise asyncio.CancelledError

    FaultLog(failures).run(ask, ask, None, "asking")
    ((error, _),) = failures
    assert isinstance(error, RuntimeError)
    assert isinstance(error.__cause__, asyncio.CancelledError)


def test_an_exit_is_no_fault() -> None:
    """SystemExit and KeyboardInterrupt go on."""

    def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        FaultLog(Failures()).run(leave, leave, None, "leaving")
