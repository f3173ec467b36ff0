"""Images as accidents leave them, among those of a real plate: the well fails, and its error says all there is."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from openhcs.core.compiler import compile_plate
from openhcs.core.formats import index_plate
from openhcs.core.model import Component, FunctionCall, Pipeline, Step, WellPlan
from openhcs.core.results import ResultsFolder
from openhcs.core.store import create_plate
from openhcs.core.worker import failure_of, process_well
from openhcs.errors import PlateLostError, WellError

PIPELINE = Pipeline("project", (Step("Project", (FunctionCall("project_maximum"),), (Component.Z,)),))
BAD = "TimePoint_1/ZStep_2/9987_B02_s2_w1.TIF"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def replace_image(pixels: np.ndarray, **options: object) -> Callable[[Path], None]:
    return lambda path: tifffile.imwrite(path, pixels, **options)


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.fixture
def plate(plates_folder: Path, tmp_path: Path) -> Path:
    """A copy of a real plate, to be written though the original may be kept from that."""
    original = plates_folder / "imagexpress" / "9987_Plate_3434"
    copy = shutil.copytree(original, tmp_path / original.name, copy_function=shutil.copyfile)
    for folder in (copy, *filter(Path.is_dir, copy.rglob("*"))):
        folder.chmod(0o700)
    return copy


def plan_of(plate: Path) -> WellPlan:
    return compile_plate(index_plate(plate), PIPELINE, ["B02"])[0]


def process(plan: WellPlan, out: Path) -> None:
    folder = ResultsFolder(out)
    folder.claim(plan.plate, Path(plan.root))
    create_plate(folder, plan.plate)
    process_well(plan, out, lambda *_: None)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda path: path.write_bytes(b""), "an empty file"),
        (cut, "perhaps cut short"),
        (lambda path: path.write_bytes(b"II*\0" + bytes(300)), "perhaps cut short"),
        (lambda path: path.write_text("moved to the archive"), "not a TIFF file"),
        (Path.unlink, "no such file"),
        (replace_by_folder, "a directory"),
        (replace_image(np.zeros((128, 256), np.uint16)), "is 128 x 256 of uint16; expected 256 x 256 of uint16"),
        (replace_image(np.zeros((256, 256), np.uint8)), "is 256 x 256 of uint8; expected 256 x 256 of uint16"),
        (replace_image(np.zeros((256, 256), np.float32)), "of float32; expected 256 x 256 of uint16"),
        (replace_image(np.zeros((256, 256, 3), np.uint8), photometric="rgb"), "an image of shape (256, 256, 3)"),
        (replace_image(np.zeros((4, 256, 256), np.uint16), photometric="minisblack"), "4 planes in one file"),
    ],
)
def test_a_bad_image_fails_its_well_by_name(
    plate: Path, tmp_path: Path, spoil: Callable[[Path], None], says: str
) -> None:
    """Well, step, site, channel, z, file and cause are told, and nothing of the well is in the results."""
    plan = plan_of(plate)
    spoil(plate / BAD)
    with pytest.raises(WellError) as caught:
        process(plan, tmp_path / "out")
    error = caught.value
    assert says in str(error)
    assert str(plate / BAD) in str(error) or BAD in str(error)
    assert (error.well, error.step, error.file) == ("B02", "Project", BAD)
    assert error.plane == "B02, site 2, channel 1, z 2, t 1"
    assert ResultsFolder(tmp_path / "out").done_wells() == ()
    assert list((tmp_path / "out" / ".tmp").iterdir()) == []


def test_a_plate_that_is_gone_is_told_as_such(plate: Path, tmp_path: Path) -> None:
    """Not as a missing file: the kind of failure tells a run that no other well can be read either."""
    plan = plan_of(plate)
    plate.rename(tmp_path / "elsewhere")
    with pytest.raises(
        WellError, match=r"the plate's folder is gone: .*No such file or directory.*network drive"
    ) as caught:
        process(plan, tmp_path / "out")
    assert failure_of(caught.value).kind == PlateLostError.__name__
