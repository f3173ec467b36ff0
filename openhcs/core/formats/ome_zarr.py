"""OME-Zarr plates (HCS, 0.4 and 0.5), results of this program among them: a folder of arrays -> `PlateIndex`.

The images of a well are its sites, the axes t, c and z the other components; planes are taken from the full resolution.
Images that are no sites (`0_mip` beside `0`), and all acquisitions but the first, are left out by name. All paths come
from metadata, so they are kept inside the plate (`inside`). Nothing is written.

Of our own results, wells whose run did not finish them are no wells, and places in an array that no plane was written
to are no planes (`own_results`). Metadata is read without any library of Zarr; only reading a plane imports zarr.
"""

from __future__ import annotations

import itertools
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from openhcs.core.formats.discrepancies import compare_wells, name_some
from openhcs.core.formats.inside import LeadsOutError, check_inside, plain_path
from openhcs.core.formats.listing import holds_file, list_folder
from openhcs.core.formats.ome_zarr_metadata import (
    ImageMetadata,
    OmeroChannel,
    PlateMetadata,
    WellImage,
    read_array,
    read_image,
    read_label_names,
    read_plate,
    read_well,
)
from openhcs.core.formats.own_results import OwnWell, is_own_plate, read_own_well
from openhcs.core.formats.plate_facts import STANDARD_PLATES, differing_pixel_sizes, plate_grid, told_apart
from openhcs.core.formats.zarr_plane import place_in_array, read_array_plane
from openhcs.core.model import COMBINED, Channel, Discrepancy, PlaneKey, PlateIndex, well_name, well_position
from openhcs.errors import PlateError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["OmeZarr"]

_GROUP_FILES = ("zarr.json", ".zattrs")
_WELL_PATH = re.compile(r"(?P<row>[A-Za-z]{1,2})/(?P<column>\d{1,2})")
_LARGEST_PLATE = (32, 48)
_MOST_PLANES = 1_000_000
"""In one image, and in one of label images; a damaged shape must not ask for all the memory."""

_MOST_PLANES_OF_PLATE = 10_000_000
"""5 GB of index; 1,536 wells of 25 sites, 5 channels and 50 z steps."""

_UNITS = {
    "angstrom": 1e-4,
    "nanometer": 1e-3,
    "micrometer": 1.0,
    "millimeter": 1e3,
    "centimeter": 1e4,
    "meter": 1e6,
    "millisecond": 1e-3,
    "second": 1.0,
    "minute": 60.0,
    "hour": 3600.0,
    "day": 86400.0,
}
"""In micrometres and seconds."""


class OmeZarr:
    """The format of OME-Zarr plates; stateless."""

    name = "OME-Zarr"
    looked_for = "zarr.json or .zattrs with the metadata of a plate, in the folder itself or in a .zarr folder in it"

    def recognises(self, folder: Path) -> bool:
        """Whether `folder`, or a folder in it whose name ends in .zarr, is an OME-Zarr plate."""
        return bool(_plates(folder))

    def index(self, folder: Path) -> PlateIndex:
        """Every plane of the one plate in `folder`, with what its metadata tells; `root` is the plate's folder.

        Raises:
            PlateError: the folder cannot be listed, its metadata cannot be read, or it holds several plates or none,
                or one without images.
        """
        top = Path(os.path.abspath(folder))  # noqa: PTH100 - without `..`, but with links kept as they were given
        root = _only_plate(top)
        metadata = read_plate(root)
        found = _Gathering(root, is_own_plate(root))
        found.add_wells(metadata)
        if not found.planes:
            reason = str(found.remarks[0]).rstrip(".") if found.remarks else "no wells"
            raise PlateError(
                f"no images in: {root}; expected an OME-Zarr plate with images, got {reason}. "
                "Copy the plate again, or finish its run."
            )
        found.remarks += differing_pixel_sizes("sites", found.pixel_sizes_um)
        found.remarks += compare_wells(found.planes)
        told = len(metadata.rows), len(metadata.columns)  # by some writers, ours too, of the used ones only
        wells = {key.well for key in found.planes}
        rows, columns = plate_grid(wells, told if told in STANDARD_PLATES else (None, None))
        return PlateIndex(
            root=str(root),
            name=metadata.name or root.name.partition(".")[0],
            format=self.name,
            rows=rows,
            columns=columns,
            channels=tuple(found.channels.values()),
            planes=dict(sorted(found.planes.items())),
            pixel_size_um=next(iter(found.pixel_sizes_um.values()), None),
            positions_um=found.positions_um,
            discrepancies=tuple(found.remarks),
            z_um=found.z_um,
            labels={name: dict(sorted(planes.items())) for name, planes in sorted(found.labels.items())},
            origins={well: own.plan_hash for well, own in found.own.items() if own.plan_hash},
            t_s=found.t_s,
        )

    def read_plane(self, path: Path) -> npt.NDArray[np.generic]:
        """The pixels `(Y, X)` of the plane at `path`, as stored; raises `PlaneError`."""
        return read_array_plane(path)

    def stage_positions(self, index: PlateIndex) -> Mapping[tuple[str, int], tuple[float, float]]:
        """The stage position (x, y) in micrometres of each (well, site): the index's own."""
        return index.positions_um


def _plates(top: Path) -> list[Path]:
    """The plates at `top` or in it; raises `PlateError` if `top` cannot be listed."""
    listing = list_folder(top)
    if _is_plate(top):
        return [top]
    return [top / name for name in listing.folders if name.lower().endswith(".zarr") and _is_plate(top / name)]


def _is_plate(folder: Path) -> bool:
    if not any(holds_file(folder, name) for name in _GROUP_FILES):
        return False
    try:
        read_plate(folder)
    except PlateError:
        return False
    return True


def _only_plate(top: Path) -> Path:
    found = _plates(top)
    if not found:
        read_plate(top)
        raise PlateError(f"no OME-Zarr plate in: {top}; expected {OmeZarr.looked_for}. Choose the plate's own folder.")
    if len(found) > 1:
        names = name_some([place.name for place in found])
        raise PlateError(f"{len(found)} plates in: {top}; expected one. Choose one of them: {names}.")
    return found[0]


class _Arrays(NamedTuple):
    """The full resolution of one image: the path of its array, its axes and shape, and what they measure."""

    path: str
    axes: tuple[str, ...]
    shape: tuple[int, ...]
    image: ImageMetadata

    def places(self) -> Iterator[tuple[dict[str, int], str]]:
        """Each plane: its numbers along the leading axes, from 0, and its path."""
        for indices in itertools.product(*map(range, self.shape[:-2])):
            yield dict(zip(self.axes, indices, strict=False)), place_in_array(self.path, indices)

    def measured(self, axis: str, values: Sequence[float]) -> float | None:
        """The value for one axis in micrometres or seconds; None without that axis or a unit."""
        if axis not in self.axes:
            return None
        number = self.axes.index(axis)
        factor = _UNITS.get(self.image.multiscales[0].axes[number].unit or "")
        return None if factor is None else values[number] * factor

    def places_on(self, axis: str, exact: Mapping[int, float]) -> dict[int, float]:
        """Height or time of each plane on an axis of several, by its number from 1: `exact` ones, or by even steps."""
        if axis not in self.axes or (count := self.shape[self.axes.index(axis)]) < 2:
            return {}
        if exact:
            return {number: place for number, place in exact.items() if number <= count}
        multiscale = self.image.multiscales[0]
        step = self.measured(axis, multiscale.scale())
        if step is None:
            return {}
        start = self.measured(axis, multiscale.translation() or [0.0] * len(self.axes)) or 0.0
        return {number: start + (number - 1) * step for number in range(1, count + 1)}


@dataclass(slots=True)
class _Gathering:
    """What has been found of a plate so far."""

    root: Path
    is_own: bool
    own: dict[str, OwnWell] = field(default_factory=dict)
    planes: dict[PlaneKey, str] = field(default_factory=dict)
    labels: dict[str, dict[PlaneKey, str]] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    pixel_sizes_um: dict[str, float] = field(default_factory=dict)
    positions_um: dict[tuple[str, int], tuple[float, float]] = field(default_factory=dict)
    z_um: dict[int, float] = field(default_factory=dict)
    t_s: dict[int, float] = field(default_factory=dict)
    counted: int = 0
    remarks: list[Discrepancy] = field(default_factory=list)

    def add_wells(self, metadata: PlateMetadata) -> None:
        """Add every plane of the plate."""
        wells = {well: (path, self._images(well, path)) for well, path in self._well_paths(metadata).items()}
        numbers = _site_numbers([image.path for _, images in wells.values() for image in images])
        for well, (path, images) in wells.items():
            for place, image in enumerate(images, start=1):
                site = numbers.get(image.path, place)
                try:
                    self._add_image(well, site, f"{path}/{plain_path(image.path)}")
                except (LeadsOutError, PlateError) as error:
                    self._remark(f"site {site} left out: {image.path}; {error}", well)

    def _well_paths(self, metadata: PlateMetadata) -> dict[str, str]:
        """The wells with the paths of their groups, in row-major order."""
        wells: dict[str, str] = {}
        for told in metadata.wells:
            well = _well_of_path(told.path)
            if well is None:
                self._remark(f"well left out: {told.path}; expected a row and a column of a plate, such as B/03")
            elif well in wells:
                self._remark(f"two groups for one well: {wells[well]} taken, {told.path} left out", well)
            else:
                wells[well] = told.path
        return dict(sorted(wells.items(), key=lambda one: well_position(one[0])))

    def _images(self, well: str, path: str) -> list[WellImage]:
        """The images of a well that are its sites; what is left out is told."""
        try:
            check_inside(self.root / path, self.root)
            images = read_well(self.root / path).images
        except (LeadsOutError, PlateError) as error:
            self._remark(f"well left out: {error}", well)
            return []
        self.own[well] = read_own_well(self.root, well) if self.is_own else OwnWell(is_done=True)
        if not self.own[well].is_done:
            self._remark("well left out: the run that writes it has not finished it; run again to have it", well)
            return []
        first = min((image.acquisition for image in images if image.acquisition is not None), default=None)
        numbered = any(image.path.isdecimal() for image in images)
        sites = [
            image for image in images if image.acquisition in (None, first) and (image.path.isdecimal() or not numbered)
        ]
        if others := [image.path for image in images if image not in sites]:
            self._remark(f"images of other acquisitions or kinds left out: {name_some(others)}", well)
        return sites

    def _add_image(self, well: str, site: int, path: str) -> None:
        """Add the planes of one image and of its label images; raises `PlateError` or `LeadsOutError`."""
        unwritten = self.own[well].unwritten
        in_well = path.rpartition("/")[0] + "/"
        arrays = _read_arrays(self.root, path)
        self._count(arrays)
        channels = [self._channel(*told) for told in _channels(arrays)]
        for at, plane in arrays.places():
            if plane.removeprefix(in_well) in unwritten:
                self._remark(f"no plane in: {plane}; the run had no image for it", well)
            else:
                z, t = at.get("z", 0) + 1, at.get("t", 0) + 1
                self.planes[PlaneKey(well, site, channels[at.get("c", 0)], z, t)] = plane
        self._measure(well, site, arrays)
        for name in read_label_names(self.root / path):
            try:
                self._add_labels(well, site, name, in_well, f"{path}/labels/{plain_path(name)}")
            except (LeadsOutError, PlateError) as error:
                self._remark(f"label image {name} of site {site} left out: {error}", well)

    def _add_labels(self, well: str, site: int, name: str, in_well: str, path: str) -> None:
        arrays = _read_arrays(self.root, path)
        if "c" in arrays.axes:
            raise PlateError(f"label image has channels: {path}; expected axes among t, z, y, x.")
        self._count(arrays)
        for at, plane in arrays.places():
            if plane.removeprefix(in_well) not in self.own[well].unwritten:
                key = PlaneKey(well, site, COMBINED, at.get("z", 0) + 1, at.get("t", 0) + 1)
                self.labels.setdefault(name, {})[key] = plane

    def _count(self, arrays: _Arrays) -> None:
        """Raise `PlateError` before a plate has more planes than memory holds."""
        self.counted += math.prod(arrays.shape[:-2])
        if self.counted > _MOST_PLANES_OF_PLATE:
            raise PlateError(f"too many planes: {self.root}; expected at most {_MOST_PLANES_OF_PLATE} in a plate.")

    def _channel(self, name: str, emission_nm: float | None, excitation_nm: float | None) -> int:
        """The number of a channel, by its name."""
        channel = Channel(len(self.channels) + 1, name, emission_nm, excitation_nm)
        return self.channels.setdefault(name, channel).number

    def _measure(self, well: str, site: int, arrays: _Arrays) -> None:
        multiscale = arrays.image.multiscales[0]
        size = arrays.measured("x", multiscale.scale())
        if size is not None and size > 0:
            self.pixel_sizes_um.setdefault(f"{well} site {site}", size)
        start = multiscale.translation()
        if start is not None:
            x, y = arrays.measured("x", start), arrays.measured("y", start)
            if x is not None and y is not None:
                self.positions_um[well, site] = (x, y)
        for axis, told, exact in (("z", self.z_um, self.own[well].z_um), ("t", self.t_s, self.own[well].t_s)):
            for number, place in arrays.places_on(axis, exact).items():
                told.setdefault(number, place)

    def _remark(self, message: str, well: str | None = None) -> None:
        self.remarks.append(Discrepancy(message, well))


def _read_arrays(root: Path, path: str) -> _Arrays:
    """The full resolution of the image at `path`; raises `PlateError` or `LeadsOutError`."""
    check_inside(root / path, root)
    image = read_image(root / path)
    multiscale = image.multiscales[0]
    axes = tuple(axis.name for axis in multiscale.axes)
    if axes[-2:] != ("y", "x") or not set(axes[:-2]) <= set("tcz") or len(set(axes)) < len(axes):
        raise PlateError(f"axes not understood: {', '.join(axes)} in {path}; expected some of t, c, z, and then y, x.")
    array = f"{path}/{plain_path(multiscale.datasets[0].path)}"
    check_inside(root / array, root)
    shape = tuple(read_array(root / array).shape)
    if len(shape) != len(axes) or min(shape) < 1 or math.prod(shape[:-2]) > _MOST_PLANES:
        raise PlateError(
            f"array does not fit: {array} has the shape {shape}; expected sizes for the axes {', '.join(axes)}, with "
            f"at most {_MOST_PLANES} planes. Copy the plate again."
        )
    return _Arrays(array, axes, shape, image)


def _channels(arrays: _Arrays) -> list[tuple[str, float | None, float | None]]:
    """Name, emission and excitation in nanometres of each channel of an image; the names all different."""
    count = arrays.shape[arrays.axes.index("c")] if "c" in arrays.axes else 1
    told = arrays.image.omero.channels
    if len(told) != count:
        told = [OmeroChannel()] * count
    names = {number: channel.label or f"c{number}" for number, channel in enumerate(told, start=1)}
    return [
        (name, channel.emission_nm, channel.excitation_nm)
        for name, channel in zip(told_apart(names, "c").values(), told, strict=True)
    ]


def _site_numbers(paths: Sequence[str]) -> dict[str, int]:
    """Site numbers from 1 by image path, where paths are numbers; other writers count them from 0, we from 1."""
    numbers = {path: int(path) for path in paths if path.isdecimal()}
    return {path: number + (0 in numbers.values()) for path, number in numbers.items()}


def _well_of_path(path: str) -> str | None:
    """`B/3` and `B/03` are `B03`; None for what is no well of a plate."""
    match = _WELL_PATH.fullmatch(path)
    row, column = well_position(f"{match['row']}{match['column']}") if match else (-1, -1)
    return well_name(row, column) if 0 <= row < _LARGEST_PLATE[0] and 0 <= column < _LARGEST_PLATE[1] else None
