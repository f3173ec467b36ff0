"""The light is found again on plates as they come: a made-up lamp laid over images of the demo plate and real ones."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from openhcs.core.demo_plate import make_demo_plate
from openhcs.core.formats import format_named, index_plate
from openhcs.processing.illumination import fit_plate_light
from tests.processing.mosaics import DARK_COUNTS, vignette

Planes = list[npt.NDArray[np.float32]]


def read_planes(folder: Path, channel: int) -> tuple[Planes, Planes]:
    """All planes of a channel, and those of one well at one z and t."""
    index = index_plate(folder)
    plate_format = format_named(index.format)
    planes = {
        key: plate_format.read_plane(folder / file).astype(np.float32)
        for key, file in index.planes.items()
        if key.channel == channel
    }
    first = next(iter(planes))
    return list(planes.values()), [
        plane for key, plane in planes.items() if (key.well, key.z, key.t) == (first.well, first.z, first.t)
    ]


def percent_off(planes: Planes, dark_counts: float) -> tuple[float, float]:
    """How far the light that is found with the lamp is from that without it times the lamp: median and most.

    The images' own uneven light, which nobody knows, is in both.
    """
    lamp = vignette(planes[0].shape[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of few planes
        own = fit_plate_light(planes, dark_counts=dark_counts).surface()
        under = [dark_counts + (plane - dark_counts) * lamp for plane in planes]
        found = fit_plate_light(under, dark_counts=dark_counts).surface()
    ratio = found / own / lamp
    off = 100 * np.abs(ratio / np.median(ratio) - 1)
    return float(np.median(off)), float(off.max())


def test_the_demo_plate_shows_the_lamp(tmp_path: Path) -> None:
    """Of its nuclei within 0.5 per cent everywhere; a well alone is several times as far off."""
    folder = make_demo_plate(tmp_path / "demo", size_px=256, z_steps=2).folder
    plate, well = read_planes(folder, 1)
    of_plate, of_well = percent_off(plate, DARK_COUNTS), percent_off(well, DARK_COUNTS)
    assert of_plate[1] < 0.5
    assert of_plate[1] < of_well[1] / 2


@pytest.mark.parametrize("name", ["9987_Plate_3434", "9987_Plate_3435"])
def test_real_plates_show_the_lamp(plates_folder: Path, name: str) -> None:
    """Of nuclei, turned so that a dozen images stand for many: little more than half as far off, at most, as a well."""
    plate, well = read_planes(plates_folder / "imagexpress" / name, 1)
    dark = 0.9 * min(float(np.percentile(plane, 0.1)) for plane in plate)
    turned = [np.rot90(side, turn) for plane in plate for side in (plane, plane[:, ::-1]) for turn in range(4)]
    of_plate, of_well = percent_off(turned[:64], dark), percent_off(well, dark)
    assert of_plate[0] < 0.5
    assert of_plate[1] < 5
    assert of_plate[1] < 0.6 * of_well[1]
