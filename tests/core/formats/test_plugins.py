"""Formats of other distributions, installed as a distribution is: a folder on the path with its metadata."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

MODULE = """
from pathlib import Path
from openhcs.core.model import Channel, PlaneKey, PlateIndex

class Snapshot:
    name = "Snapshot"
    looked_for = "snapshot.txt"
    def recognises(self, folder): return (folder / "snapshot.txt").is_file()
    def index(self, folder):
        planes = {PlaneKey(path.stem, 1, 1, 1, 1): path.name for path in sorted(folder.glob("*.raw"))}
        return PlateIndex(str(folder.absolute()), folder.name, self.name, 8, 12, (Channel(1, "light"),), planes, 1.0)
    def read_plane(self, path):
        import numpy as np
        return np.frombuffer(path.read_bytes(), "uint8").reshape(16, 16)
    def stage_positions(self, index): return {}
"""

INDEX = "import sys, pathlib; from openhcs.core.formats import *; index_plate(pathlib.Path(sys.argv[1]))"


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    """A plate of the made-up format."""
    folder = tmp_path / "plate"
    folder.mkdir()
    (folder / "snapshot.txt").touch()
    for well in ("A01", "A02"):
        (folder / f"{well}.raw").write_bytes(bytes(range(256)))
    return folder


def install(folder: Path, code: str, value: str = "snapshot_format:Snapshot") -> dict[str, str]:
    """Install a distribution with one format; return the environment in which it is there."""
    folder.mkdir()
    (folder / "snapshot_format.py").write_text(code)
    metadata = folder / "snapshot_format-1.2.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: snapshot-format\nVersion: 1.2\n")
    (metadata / "entry_points.txt").write_text(f"[openhcs.formats]\nsnapshot = {value}\n")
    return {"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin", "HOME": str(folder)}


def python(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def test_a_plate_of_an_installed_format_runs_from_end_to_end(plate: Path, tmp_path: Path) -> None:
    """The workbench's process and the workers find the format; its distribution's version is part of the plan."""
    environment = install(tmp_path / "site", MODULE)
    (tmp_path / "measure.yaml").write_text("name: measure\nsteps:\n  - name: m\n    functions: measure_image\n")
    out = tmp_path / "out"
    run = python(
        environment,
        *("-m", "openhcs", "run", str(plate), "--pipeline", str(tmp_path / "measure.yaml")),
        *("--out", str(out), "--workers", "1", "--json"),
    )
    assert run.returncode == 0, run.stderr
    recipe = json.loads((out / "provenance" / "A02.json").read_text())["recipe"]
    assert (recipe["format"], recipe["versions"]["snapshot-format"]) == ("Snapshot", "1.2")


@pytest.mark.parametrize(
    ("code", "value", "told"),
    [
        ("raise RuntimeError('broken')", "snapshot_format:Snapshot", "RuntimeError: broken"),
        ("raise SystemExit(3)", "snapshot_format:Snapshot", "SystemExit: 3"),
        (MODULE, "snapshot_format:Missing", "AttributeError"),
        ("Snapshot = 3", "snapshot_format:Snapshot", "has not the members of a PlateFormat"),
    ],
)
def test_a_format_that_cannot_be_loaded_is_named(plate: Path, tmp_path: Path, code: str, value: str, told: str) -> None:
    """Where no format fits, the message names the one that may have fitted, its distribution and what is wrong."""
    environment = install(tmp_path / "site", code, value)
    run = python(environment, "-c", INDEX, str(plate))
    assert "PlateError: no plate recognised in" in run.stderr
    assert "Format snapshot of snapshot-format could not be loaded: " in run.stderr
    assert told in run.stderr


def test_a_format_that_fails_is_an_error_with_its_name(plate: Path, tmp_path: Path) -> None:
    """An exception nobody foresaw comes out as a `PlateError` that says whom to tell."""
    environment = install(tmp_path / "site", MODULE.replace("planes = {", "planes = 1 / 0, {"))
    run = python(environment, "-c", INDEX, str(plate))
    assert "PlateError: format Snapshot failed: " in run.stderr
    assert "got ZeroDivisionError: division by zero. Report it to the authors of snapshot-format." in run.stderr


def test_doctor_names_the_formats_there_are(tmp_path: Path) -> None:
    """Our own formats, and those of other distributions with their versions."""
    environment = install(tmp_path / "site", MODULE)
    doctor = python(environment, "-c", "from openhcs.doctor import *; print(to_text(examine(try_imports=False)))")
    assert "ImageXpress, Opera Phenix, OME-Zarr" in doctor.stdout, doctor.stderr
    assert "Snapshot of snapshot-format 1.2" in doctor.stdout
