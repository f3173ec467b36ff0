"""`openhcs run --dry-run` and the look at the machine before a run, as a shell sees them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from openhcs.core import paths
from openhcs.core.demo_plate import make_demo_plate

MOSAICS = """
name: mosaics
steps:
  - {name: Find, by_channel: {1: segment_threshold_watershed}, output: nuclei}
  - {name: Stitch, functions: stitch_sites, variable_components: [site]}
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(paths.HOME_VARIABLE, str(tmp_path / "home"))
    monkeypatch.delenv(paths.SETTINGS_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    return make_demo_plate(tmp_path / "plate", wells=("B02", "B03"), sites=2, z_steps=1, size_px=128).folder


def run(plate: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "openhcs", "run", str(plate), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=120)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_it_tells_what_would_be_done_and_does_nothing(plate: Path, tmp_path: Path) -> None:
    """Wells, steps, memory and disk, for people and for programs; neither leaves anything behind."""
    before = sorted(tmp_path.iterdir())
    text = run(plate, "-p", "nuclei", "--dry-run", "--wells", "B02").stdout
    for words in ("nothing is started", "to do     1 well: B02", "1 Subtract background", "memory    at most 3"):
        assert words in text
    assert "(a quota is not seen)" in text
    told = json.loads(run(plate, "-p", "nuclei", "--dry-run", "--json").stdout)
    assert [(well["well"], well["state"]) for well in told["wells"]] == [("B02", "to do"), ("B03", "to do")]
    assert told["steps"][2] == {
        "name": "Find nuclei",
        "functions": {"1": ["normalise_percentile", "segment_threshold_watershed"]},
    }
    assert 200 * 2**20 < told["memory_bytes"] < 500 * 2**20
    assert 0 < told["disk"]["expected_bytes"] < told["disk"]["most_bytes"]
    assert told["problems"] == []
    assert sorted(tmp_path.iterdir()) == before


def test_a_pipeline_that_does_not_fit_is_told_as_a_document_too(plate: Path, tmp_path: Path) -> None:
    """Exit code 2, each problem with its place; standard error says the same."""
    (tmp_path / "mosaics.yaml").write_text(MOSAICS)
    done = run(plate, "-p", "mosaics.yaml", "--dry-run", "--json", code=2)
    (problem,) = json.loads(done.stdout)["problems"]
    assert (problem["well"], problem["step"], problem["parameter"]) == (None, "Find", None)
    assert "step Find: label image 'nuclei' is of site 1" in done.stderr


def test_a_run_without_room_is_refused_and_can_be_overruled(plate: Path, home: Path, tmp_path: Path) -> None:
    """Exit code 2 with what would help, dry or not, and no results; --no-room-check runs and tells it as a note."""
    file = home / "config" / "settings.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("worker_memory_gib: 0.3\n")
    told = run(plate, "-p", "nuclei", "--dry-run", code=2).stdout
    assert "It would be refused:" in told
    refused = run(plate, "-p", "nuclei", "--out", "out", code=2).stderr
    assert "expected at most 292 MiB, which is what each of" in refused
    assert "Set worker_memory_gib to 0.4 or more in the settings" in refused
    assert not (tmp_path / "out").exists()
    overruled = run(plate, "-p", "nuclei", "--out", "out", "--no-room-check", "--wells", "B02")
    assert "note: a worker may need" in overruled.stderr
    assert "1 of 1 wells finished" in overruled.stdout
    again = json.loads(run(plate, "-p", "nuclei", "--out", "out", "--dry-run", "--wells", "B02", "--json").stdout)
    assert again["wells"] == [{"well": "B02", "state": "reused", "memory_bytes": None, "disk_bytes": None}]
    assert again["problems"] == []
