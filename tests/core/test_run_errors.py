"""The errors of a run's processes, as errors, each told once."""

from __future__ import annotations

import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from openhcs.core.journal import Event, EventKind, Json
from openhcs.core.progress import RunProgress
from openhcs.core.run_errors import RunFailure, ToldFailures, failures_of
from openhcs.errors import RunError, WellError


def progress(*events: tuple[EventKind, str | None, dict[str, Json]]) -> RunProgress:
    """What `events` add up to, in a run of two wells."""
    wells: list[Json] = ["A01", "A02"]
    now = RunProgress().apply(Event(0.0, EventKind.RUN_STARTED, None, {"plate": "p", "out": "o", "wells": wells}))
    for kind, well, data in events:
        now = now.apply(Event(1.0, kind, well, data))
    return now


FAILED: dict[str, Json] = {
    "message": "ValueError: too dark",
    "kind": "ValueError",
    "step": "Find",
    "traceback": "Traceback (most recent call last):\n  deep in a worker\nValueError: too dark\n",
}


def test_a_failed_well_is_an_error_with_the_traceback_of_its_worker() -> None:
    """It says which process and well, and its formatted traceback has that of the worker."""
    (failure,) = failures_of(progress((EventKind.WELL_FAILED, "A01", FAILED)))
    assert failure.source == "worker, well A01"
    error = failure.error()
    assert isinstance(error, WellError)
    assert (error.well, error.step) == ("A01", "Find")
    text = "".join(traceback.format_exception(error))
    assert "deep in a worker" in text
    assert text.rstrip().endswith("WellError: ValueError: too dark")


def test_a_runner_that_fails_is_one_error_and_not_one_for_each_well() -> None:
    """Wells that were running when the runner failed share its fate, which is told once."""
    failures = failures_of(
        progress(
            (EventKind.WELL_STARTED, "A01", {}),
            (EventKind.RUN_FAILED, None, {"message": "no workers", "traceback": "Traceback: in the runner"}),
        )
    )
    assert [failure.source for failure in failures] == ["runner"]
    error = failures[0].error()
    assert isinstance(error, RunError)
    assert "in the runner" in str(error.__cause__)


def test_what_did_not_fail_is_no_error() -> None:
    """Finished and cancelled wells, and a run that ended, are nothing to tell."""
    assert failures_of(progress((EventKind.WELL_CANCELLED, "A01", {}), (EventKind.RUN_CANCELLED, None, {}))) == ()


def sources(told: ToldFailures, failures: tuple[RunFailure, ...], limit: int = 10) -> list[str]:
    with told.untold(lambda: failures, limit) as new:
        return [failure.source for failure in new]


def test_each_is_told_once_whoever_asks(tmp_path: Path) -> None:
    """In small portions, by this object or another one on the same folder."""
    failures = failures_of(
        progress((EventKind.WELL_FAILED, "A01", FAILED), (EventKind.RUN_FAILED, None, {"message": "gone"}))
    )
    one, other = ToldFailures(tmp_path / "told"), ToldFailures(tmp_path / "told")
    assert sources(one, failures, 1) == ["worker, well A01"]
    assert sources(other, failures) == ["runner"]
    assert sources(one, failures) == sources(other, failures) == []


def test_two_processes_that_follow_a_run_tell_each_failure_once(tmp_path: Path) -> None:
    """They wait for each other."""
    script = f"""
import sys
from pathlib import Path
from openhcs.core.progress import Failure
from openhcs.core.run_errors import RunFailure, ToldFailures
failures = tuple(RunFailure(f"worker, well {{n}}", Failure("x", "X"), str(n)) for n in range(300))
told = ToldFailures(Path({str(tmp_path / "told")!r}))
print("ready", flush=True)
sys.stdin.readline()
while True:
    with told.untold(lambda: failures, 3) as new:
        for failure in new:
            print(failure.source, flush=True)
    if not new:
        break
"""
    followers = [
        subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for follower in followers:
        assert follower.stdout is not None
        follower.stdout.readline()
    for follower in followers:
        assert follower.stdin is not None
        follower.stdin.write("go\n")
        follower.stdin.flush()
    told = [line for follower in followers for line in follower.communicate(timeout=60)[0].splitlines()]
    assert sorted(told) == sorted(f"worker, well {number}" for number in range(300))


def test_what_could_not_be_told_is_not_told(tmp_path: Path) -> None:
    """A process that dies while it tells leaves the failure to the next one."""
    failures = failures_of(progress((EventKind.WELL_FAILED, "A01", FAILED)))
    with pytest.raises(OSError, match="died"), ToldFailures(tmp_path / "told").untold(lambda: failures, 1):
        raise OSError("died")
    assert sources(ToldFailures(tmp_path / "told"), failures) == ["worker, well A01"]


def test_a_folder_that_cannot_be_written_is_remembered_here(tmp_path: Path) -> None:
    """Results on a read-only disk do not have their failures told again and again."""
    failures = failures_of(progress((EventKind.WELL_FAILED, "A01", FAILED)))
    told = ToldFailures(tmp_path / "gone" / "told")
    assert sources(told, failures) == ["worker, well A01"]
    assert sources(told, failures) == []
