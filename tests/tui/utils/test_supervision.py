"""Services: started again as often as their policy says, and given up in the end."""

from __future__ import annotations

import asyncio

import pytest

from openhcs.tui.utils.supervision import Restart, ServiceGivenUp, supervise
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager
from tests.tui.utils.kit import Failures, turns, until


@pytest.fixture
def failures() -> Failures:
    return Failures()


@pytest.fixture
def tasks(failures: Failures) -> UnifiedTaskManager:
    tasks = UnifiedTaskManager()
    tasks.set_error_handler(failures)
    return tasks


class Service:
    """Ends each run as the next of `ends` says: by raising it, or in order where it is None; then waits."""

    def __init__(self, *ends: BaseException | None) -> None:
        self._ends = list(ends)
        self.runs = 0
        self.cleaned_up = False

    async def __call__(self) -> None:
        self.runs += 1
        if not self._ends:
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                self.cleaned_up = True
        end = self._ends.pop(0)
        if end is not None:
            raise end


@pytest.mark.parametrize(
    ("restart", "end", "runs", "reported"),
    [
        (Restart.PERMANENT, OSError("failed"), 2, ["failed"]),
        (Restart.PERMANENT, None, 2, []),
        (Restart.TRANSIENT, OSError("failed"), 2, ["failed"]),
        (Restart.TRANSIENT, None, 1, []),
        (Restart.TEMPORARY, OSError("failed"), 1, ["failed"]),
        (Restart.TEMPORARY, None, 1, []),
    ],
)
async def test_a_policy_says_when_to_start_again(
    tasks: UnifiedTaskManager,
    failures: Failures,
    restart: Restart,
    end: Exception | None,
    runs: int,
    reported: list[str],
) -> None:
    """Always, after a failure, or never; each failure is told once."""
    service = Service(end)
    task = supervise(tasks, service, "follower", restart)
    await turns(10)
    assert service.runs == runs
    assert failures.messages == reported
    assert task.done() == (runs == 1)
    task.cancel()
    await asyncio.wait([task])


async def test_a_service_that_fails_too_often_is_given_up(tasks: UnifiedTaskManager, failures: Failures) -> None:
    """Past its restarts it is left alone, which is told with its last failure as the cause."""
    service = Service(*(OSError(f"failure {number}") for number in range(9)))
    supervise(tasks, service, "follower", restarts=3, within_s=1000.0)
    await until(lambda: any(isinstance(error, ServiceGivenUp) for error, _ in failures))
    assert service.runs == 4
    assert failures.messages[:4] == [f"failure {number}" for number in range(4)]
    given_up, context = failures[4]
    assert isinstance(given_up, ServiceGivenUp)
    assert (given_up.name, context) == ("follower", "follower")
    assert str(given_up.__cause__) == "failure 3"
    assert len(failures) == 5


async def test_restarts_long_ago_do_not_count(tasks: UnifiedTaskManager, failures: Failures) -> None:
    """A service may fail any number of times if it does so seldom."""
    now_s = 0.0
    service = Service(*(OSError() for _ in range(20)))

    def clock() -> float:
        nonlocal now_s
        now_s += 3.0
        return now_s

    task = supervise(tasks, service, "follower", restarts=2, within_s=5.0, clock=clock)
    await until(lambda: service.runs == 21)
    assert len(failures) == 20
    task.cancel()
    await asyncio.wait([task])


async def test_without_restarts_the_first_failure_is_the_end(tasks: UnifiedTaskManager, failures: Failures) -> None:
    """An intensity of none gives up at once."""
    with pytest.raises(ServiceGivenUp):
        await supervise(tasks, Service(OSError("only")), "follower", restarts=0)
    assert failures.messages == ["only"]


async def test_cancelling_waits_for_the_clean_up(tasks: UnifiedTaskManager, failures: Failures) -> None:
    """The end of the task is the end of the service, with its `finally`; it is not started again, nor told."""
    service = Service()
    task = supervise(tasks, service, "follower", Restart.PERMANENT)
    await turns()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert service.cleaned_up
    assert service.runs == 1
    assert failures == []


async def test_a_service_cancelled_by_what_it_awaits_has_ended(tasks: UnifiedTaskManager, failures: Failures) -> None:
    """A cancelled future within the service is no failure, and no reason for a permanent one to stay away."""
    service = Service(asyncio.CancelledError())
    task = supervise(tasks, service, "follower", Restart.PERMANENT)
    await turns(10)
    assert service.runs == 2
    assert failures == []
    task.cancel()
    await asyncio.wait([task])


async def test_a_service_that_never_waits_leaves_the_loop_to_others(tasks: UnifiedTaskManager) -> None:
    """Others run between its restarts."""
    runs = 0

    async def busy() -> None:
        nonlocal runs
        runs += 1

    task = supervise(tasks, busy, "busy", Restart.PERMANENT, restarts=10**9)
    await turns(20)
    assert 5 <= runs <= 25
    task.cancel()
    await asyncio.wait([task])


async def test_shutdown_ends_services(tasks: UnifiedTaskManager, failures: Failures) -> None:
    """The manager ends a service like any task of its own, and it is not started again."""
    service = Service()
    supervise(tasks, service, "follower", Restart.PERMANENT)
    await turns()
    assert await tasks.shutdown(2.0) == ()
    assert service.cleaned_up
    assert service.runs == 1
    assert failures == []


async def test_what_is_no_coroutine_function_is_a_failure(tasks: UnifiedTaskManager, failures: Failures) -> None:
    """A service that cannot be awaited is told of and given up like one that fails."""
    with pytest.raises(ServiceGivenUp):
        await supervise(tasks, lambda: None, "odd", restarts=1)  # type: ignore[arg-type, return-value]
    assert [type(error) for error, _ in failures] == [TypeError, TypeError]
