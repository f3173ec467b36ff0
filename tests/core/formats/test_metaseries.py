"""The MetaSeries tag of ImageXpress files."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import tifffile

from openhcs.core.formats import index_plate, stage_positions
from openhcs.core.formats.metaseries import MetaSeriesTag, read_tag
from openhcs.errors import PlaneError


def test_a_real_tag_is_read(plates_folder: Path) -> None:
    """Pixel size, wavelength, stage, focus and time of a real image."""
    path = plates_folder / "imagexpress/9987_Plate_3434/TimePoint_1/ZStep_1/9987_B02_s1_w1.TIF"
    assert read_tag(path) == MetaSeriesTag(
        pixel_size_um=1.3672,
        wavelength_nm=452.0,
        position_um=(22985.0, 19885.0),
        z_um=9988.88,
        taken=datetime(2024, 7, 9, 13, 13, 3, 6000),
    )


@pytest.mark.parametrize(
    ("properties", "pixel_size_um"),
    [
        ({"spatial-calibration-x": "0.65", "spatial-calibration-units": "um"}, 0.65),
        ({"spatial-calibration-x": "0.65", "spatial-calibration-units": "pixel"}, None),
        ({"spatial-calibration-x": "0", "spatial-calibration-units": "um"}, None),
        ({}, None),
    ],
)
def test_only_a_calibrated_pixel_has_a_size(
    tmp_path: Path, properties: dict[str, str], pixel_size_um: float | None
) -> None:
    """A size that is absent, zero or in another unit than micrometres is unknown, not wrong."""
    listed = "".join(
        f'<prop id="{key}" type="{"string" if "units" in key else "float"}" value="{value}"/>'
        for key, value in properties.items()
    )
    path = tmp_path / "p_A01.tif"
    tifffile.imwrite(
        path,
        np.zeros((8, 8), np.uint16),
        metadata=None,
        software="MetaSeries",
        description=f"<MetaData><PlaneInfo>{listed}</PlaneInfo></MetaData>",
    )
    assert read_tag(path).pixel_size_um == pixel_size_um


def test_a_file_without_the_tag_tells_nothing(tmp_path: Path) -> None:
    """An ordinary TIFF has an empty tag; that is no error."""
    path = tmp_path / "p_A01.tif"
    tifffile.imwrite(path, np.zeros((8, 8), np.uint16))
    assert read_tag(path) == MetaSeriesTag()


def test_stage_positions_are_read_when_asked_for(plates_folder: Path) -> None:
    """Every site of a real plate has its position, though the index holds none."""
    index = index_plate(plates_folder / "imagexpress/9987_Plate_3434")
    assert index.positions_um == {}
    assert stage_positions(index) == {
        ("B02", 1): (22985.0, 19885.0),
        ("B02", 2): (23300.0, 19885.0),
        ("B03", 1): (31984.9, 19885.0),
        ("B03", 2): (32300.0, 19885.0),
    }


@pytest.mark.parametrize(
    "entity", ['<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">', '<!ENTITY b SYSTEM "file:///etc/passwd">']
)
def test_a_tag_with_a_document_type_is_refused(tmp_path: Path, entity: str) -> None:
    """Nothing is expanded or fetched; the error names the file, and the index goes on without the tag."""
    path = tmp_path / "x_Plate_1" / "TimePoint_1" / "x_A01_s1_w1.TIF"
    path.parent.mkdir(parents=True)
    prop = '<prop id="b" type="string" value="&b;"/>'
    description = f"<!DOCTYPE m [{entity}]><MetaData><PlaneInfo>{prop}</PlaneInfo></MetaData>"
    tifffile.imwrite(path, np.zeros((8, 8), np.uint16), description=description, metadata=None, software="MetaSeries")
    with pytest.raises(PlaneError, match=r"image metadata refused: .*x_A01_s1_w1\.TIF; .*document type"):
        read_tag(path)
    (remark,) = index_plate(tmp_path / "x_Plate_1").discrepancies
    assert "no pixel size or wavelength for w1" in str(remark)


def test_a_file_cut_short_is_told_as_such(tmp_path: Path) -> None:
    """A file that ends before its directory has no image, which is said in words and not by a name of Python's."""
    path = tmp_path / "x_A01_s1_w1.TIF"
    tifffile.imwrite(path, np.zeros((64, 64), np.uint16))
    whole = path.read_bytes()
    offset = (1 << 20).to_bytes(4, "little")
    path.write_bytes(whole[:4] + offset + whole[8:])  # the directory would be behind the file's end
    with pytest.raises(PlaneError, match=r"expected a complete TIFF file, got one without an image"):
        read_tag(path)
