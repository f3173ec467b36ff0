"""What one of several runs has of the machine, as the settings have it when it is asked for and when its turn comes."""

from __future__ import annotations

from pathlib import Path

import pytest

from openhcs.core import paths
from openhcs.core.config import Settings
from openhcs.core.machine import worker_share_bytes
from openhcs.core.run_folder import RunRequest
from openhcs.core.shares import share_as_set_now, share_of
from openhcs.core.turns import Turn


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings file, which does not exist yet."""
    monkeypatch.setenv(paths.SETTINGS_VARIABLE, str(tmp_path / "settings.yaml"))
    monkeypatch.delenv("OPENHCS_RUNS_AT_ONCE", raising=False)
    return tmp_path / "settings.yaml"


def request(workers: int | None, shared_by: int | None, memory: int | None = None) -> RunRequest:
    turn = Turn(asked_ns=1, shared_by=shared_by)
    return RunRequest(plate="p", pipeline="q", out=Path("out"), workers=workers, memory_limit_bytes=memory, turn=turn)


def test_runs_at_once_share_workers_and_memory() -> None:
    """Each has its part of the cores and of the memory; who has a cluster, or set a limit, has that."""
    alone, two = Settings(workers=8), Settings(workers=8, runs_at_once=2)
    assert share_of(alone, alone.execution) == (8, None, 1)
    assert share_of(two, two.execution) == (4, worker_share_bytes(8), 2)
    many = Settings(workers=2, runs_at_once=3, worker_memory_gib=1.0)
    assert share_of(many, many.execution) == (1, 2**30, 3)
    cluster = Settings(runs_at_once=2, scheduler="tcp://host:8786")
    assert share_of(cluster, cluster.execution).runs is None


@pytest.mark.parametrize(
    ("then", "now", "workers"), [((8, 1), 2, 4), ((8, 1), 1, 8), ((4, 2), 1, 8), ((1, 2), 4, 1), ((3, 2), 4, 1)]
)
def test_a_run_has_its_share_of_when_its_turn_comes(
    settings: Path, then: tuple[int, int], now: int, workers: int
) -> None:
    """As many workers as go on at once by then; each has the memory that it was to have."""
    settings.write_text(f"runs_at_once: {now}\n")
    shared = share_as_set_now(request(*then, memory=None if then[1] == 1 else 5))
    assert shared.workers == workers
    limit = worker_share_bytes(then[0]) if now > 1 else None
    assert shared.memory_limit_bytes == (limit if then[1] == 1 else 5)


def test_what_is_no_share_stays_as_it_was_asked_for(settings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """So does a share where the settings have become wrong, which is written to the log."""
    settings.write_text("runs_at_once: 2\n")
    for asked in (request(8, None), request(None, 1), request(8, 1).model_copy(update={"turn": None})):
        assert share_as_set_now(asked) == asked
    settings.write_text("runs_at_once: none\n")
    assert share_as_set_now(request(8, 1)) == request(8, 1)
    assert "SettingsError" in capsys.readouterr().err
