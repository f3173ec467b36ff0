"""Runs that can be found again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from openhcs.core import paths
from openhcs.core.known_runs import find_live_runs, find_runs
from openhcs.core.progress import RunState
from openhcs.core.remembered_runs import REMEMBERED_AT_MOST, RememberedRuns, known_runs
from openhcs.core.results import ResultsFolder
from openhcs.core.run import Run
from openhcs.core.run_folder import RunFolder, RunRequest
from openhcs.errors import StoreError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(paths.HOME_VARIABLE, str(tmp_path / "home"))
    return tmp_path


def leave_run(out: Path) -> RunFolder:
    """A run's folder, without a runner and without plans."""
    out.mkdir(parents=True)
    (out / "openhcs.json").write_text("{}")
    return RunFolder.create(ResultsFolder(out), RunRequest(plate="p", pipeline="q", out=out, workers=1), ())


def test_runs_are_found_where_results_go_and_where_they_are_remembered(tmp_path: Path) -> None:
    """The newest first, each once; a folder that is gone, or holds no run, is passed over; live ones are told apart."""
    results = tmp_path / "openhcs-results"
    leave_run(results / "p" / "q")
    elsewhere = leave_run(tmp_path / "elsewhere")
    for out in (results / "p" / "q", tmp_path / "elsewhere", tmp_path / "gone"):
        known_runs().add(out)
    (results / "p" / "empty").mkdir()
    (results / "p" / "empty" / "openhcs.json").write_text("{}")
    assert [run.out for run in find_runs(results)] == [tmp_path / "elsewhere", results / "p" / "q"]
    assert [run.out for run in find_runs(results, at_most=1)] == [tmp_path / "elsewhere"]
    assert find_live_runs(results) == ()
    alive = elsewhere.lock()
    try:
        assert [run.progress.state for run in find_live_runs(results)] == [RunState.STARTING]
    finally:
        os.close(alive)


def test_a_request_of_another_version_is_read_and_a_damaged_one_told_in_words(tmp_path: Path) -> None:
    """What a later version asks for besides is passed over; a file that is damaged names its fault and a way out."""
    folder = leave_run(tmp_path / "out")
    text = folder.request_file.read_text(encoding="utf-8")
    folder.request_file.write_text(text.replace("{", '{"later": true,', 1), encoding="utf-8")
    assert folder.request().plate == "p"
    folder.request_file.write_text(text.replace('"workers": 1', '"workers": -1'), encoding="utf-8")
    with pytest.raises(StoreError, match=r"\(workers: Input should be greater than 0\).*Choose another results folder"):
        folder.request()
    folder.request_file.write_text(text[:20], encoding="utf-8")
    with pytest.raises(StoreError, match=r"\(Invalid JSON"):
        folder.request()


def test_a_results_folder_that_cannot_be_has_no_runs(tmp_path: Path) -> None:
    """Those that are remembered are found all the same."""
    leave_run(tmp_path / "elsewhere")
    known_runs().add(tmp_path / "elsewhere")
    impossible = tmp_path / ("x" * 5000)
    assert [run.out for run in find_runs(impossible)] == [tmp_path / "elsewhere"]
    with pytest.raises(StoreError, match="cannot be read"):
        Run.attach(impossible)


def test_what_is_remembered_is_bounded_and_newest_first(tmp_path: Path) -> None:
    """The one added last comes first; the oldest are forgotten; where nothing can be written nothing is said."""
    runs = RememberedRuns(tmp_path / "runs")
    for number in range(REMEMBERED_AT_MOST + 5):
        runs.add(tmp_path / str(number))
        os.utime(runs._file(tmp_path / str(number)), (number, number))
    assert len(runs.all()) == REMEMBERED_AT_MOST
    assert runs.all()[0] == tmp_path / str(REMEMBERED_AT_MOST + 4)
    runs.discard(tmp_path / str(REMEMBERED_AT_MOST + 4))
    assert runs.all()[0] == tmp_path / str(REMEMBERED_AT_MOST + 3)
    nowhere = RememberedRuns(Path("/dev/null/runs"))
    nowhere.add(tmp_path)
    assert nowhere.all() == ()
