"""The images of one well for looking at: as the microscope wrote them, and as the results hold them.

    images = source_images(index, "B02")            # or result_images(out, index, "B02")
    picture = images.picture(site=1, channel=2, z=1, t=1, section=WHOLE, size=(40, 40))

Reading is cheap where it can be: results are pyramids, so the smallest level that suffices is read; planes of a
microscope are read whole, once, and kept while there is room. Everything here blocks: call it in a thread.
"""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from openhcs.core.formats import format_named, stage_positions
from openhcs.core.formats.inside import LeadsOutError, check_inside, plain_path
from openhcs.core.formats.ome_zarr_metadata import (
    ImageMetadata,
    read_array,
    read_image,
    read_label_names,
    read_well,
)
from openhcs.core.formats.zarr_plane import place_in_array, read_array_plane
from openhcs.core.model import COMBINED, Channel, PlateIndex
from openhcs.core.plane_facts import LabelFacts, PlaneFacts, label_facts, plane_facts
from openhcs.core.rasters import Colour, FloatArray, Section, sample, shrink
from openhcs.core.results import ResultsFolder
from openhcs.errors import PlaneError, PlateError, StoreError

__all__ = ["OUTLINE_COLOUR", "WellImages", "channel_colours", "place_sites", "result_images", "source_images"]

OUTLINE_COLOUR: Colour = (255, 230, 0)

_PLANES_KEPT_BYTES = 64 << 20
_PICTURES_KEPT_BYTES = 24 << 20

_BLUE, _CYAN, _GREEN, _ORANGE, _RED, _MAGENTA, _WHITE = (
    (70, 110, 255),
    (0, 210, 230),
    (40, 230, 70),
    (255, 150, 20),
    (255, 60, 50),
    (255, 60, 230),
    (255, 255, 255),
)
_BY_WAVELENGTH: tuple[tuple[float, Colour], ...] = (
    (475, _BLUE), (497, _CYAN), (565, _GREEN), (605, _ORANGE), (660, _RED),
)  # fmt: skip
_NAMED: tuple[tuple[str, Colour], ...] = (
    ("dapi", _BLUE), ("hoechst", _BLUE), ("gfp", _GREEN), ("fitc", _GREEN), ("488", _GREEN), ("tritc", _ORANGE),
    ("568", _ORANGE), ("rfp", _RED), ("mcherry", _RED), ("texas", _RED), ("cy5", _MAGENTA), ("647", _MAGENTA),
    ("bright", _WHITE), ("phase", _WHITE),
)  # fmt: skip
_IN_ORDER = (_BLUE, _GREEN, _RED, _MAGENTA, _ORANGE, _CYAN, _WHITE)

_At = tuple[int, int, int, int]
"""Site, channel, z and t."""


@dataclass(frozen=True, slots=True)
class _Plane:
    """Where a plane can be read, the finest level first; a size is None until it has been read."""

    levels: tuple[tuple[str, tuple[int, int] | None], ...]

    def level_for(self, section: Section, size: tuple[int, int]) -> str:
        """The path of the coarsest level that has at least `size` pixels in `section`."""
        rows = size[0] / max(section.bottom - section.top, 1e-9)
        columns = size[1] / max(section.right - section.left, 1e-9)
        enough = [path for path, shape in self.levels if shape is None or (shape[0] >= rows and shape[1] >= columns)]
        return enough[-1] if enough else self.levels[0][0]


@dataclass(frozen=True)
class WellImages:
    """What there is to see of a well, and how to get at it. Every method may be called from any thread.

    `places` maps each site to its row and column among the sites, as the stage stood where that is known.
    A z of 0 is a projection stored by the microscope; a site of 0 a mosaic of all sites.
    """

    well: str
    channels: tuple[Channel, ...]
    sites: tuple[int, ...]
    z_planes: tuple[int, ...]
    time_points: tuple[int, ...]
    labels: tuple[str, ...]
    places: Mapping[int, tuple[int, int]]
    _planes: Mapping[_At, _Plane]
    _label_planes: Mapping[tuple[str, _At], _Plane]
    _read: Callable[[str], npt.NDArray[np.generic]]
    _whole: _Kept = field(default_factory=lambda: _Kept(_PLANES_KEPT_BYTES))
    _pictures: _Kept = field(default_factory=lambda: _Kept(_PICTURES_KEPT_BYTES))

    def size_px(self, site: int) -> tuple[int, int]:
        """Height and width of a site's planes; raises `PlaneError`."""
        first = next((plane for at, plane in self._planes.items() if at[0] == site), None)
        if first is None:
            raise self._no_plane(f"site {site}")
        path, shape = first.levels[0]
        if shape is None:
            height, width = self._plane(path).shape
            return height, width
        return shape

    def picture(self, site: int, channel: int, z: int, t: int, section: Section, size: tuple[int, int]) -> FloatArray:
        """A section of one plane as `size` (rows, columns), counts; raises `PlaneError`."""
        plane = self._plane_at(site, channel, z, t)
        path = plane.level_for(section, size)
        key = (path, section, size)
        kept = self._pictures.get(key)
        if kept is None:
            kept = shrink(self._plane(path), section, size)
            self._pictures.keep(key, kept)
        return kept.astype(np.float32, copy=False)

    def facts(self, site: int, channel: int, z: int, t: int) -> PlaneFacts:
        """What can be said of one plane in numbers; raises `PlaneError`."""
        return plane_facts(self._plane(self._plane_at(site, channel, z, t).levels[0][0]))

    def label_facts(self, name: str, site: int, z: int, t: int) -> LabelFacts | None:
        """What can be said of a label image in numbers; None where there is none of this plane."""
        plane = self._label_planes.get((name, (site, COMBINED, z, t)))
        return label_facts(self._plane(plane.levels[0][0])) if plane is not None else None

    def label_picture(
        self, name: str, site: int, z: int, t: int, section: Section, size: tuple[int, int]
    ) -> npt.NDArray[np.generic] | None:
        """A section of a label image as `size` (rows, columns); None where there is none of this plane."""
        plane = self._label_planes.get((name, (site, COMBINED, z, t)))
        if plane is None:
            return None
        # The finest level: labels in a pyramid are sampled, and small objects are lost on the way up.
        return sample(self._plane(plane.levels[0][0]), section, size)

    def _plane_at(self, site: int, channel: int, z: int, t: int) -> _Plane:
        plane = self._planes.get((site, channel, z, t))
        if plane is None:
            raise self._no_plane(f"site {site}, channel {channel}, z {z}, t {t}")
        return plane

    def _plane(self, path: str) -> npt.NDArray[np.generic]:
        plane = self._whole.get(path)
        if plane is None:
            plane = self._read(path)
            self._whole.keep(path, plane)
        return plane

    def _no_plane(self, what: str) -> PlaneError:
        return PlaneError(f"no image of well {self.well}: {what}; expected one of those the plate has. Choose another.")


class _Kept:
    """Arrays kept while there is room for them, the least recently used making room."""

    def __init__(self, room_bytes: int) -> None:
        self._room_bytes = room_bytes
        self._arrays: OrderedDict[object, npt.NDArray[np.generic]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: object) -> npt.NDArray[np.generic] | None:
        with self._lock:
            if key not in self._arrays:
                return None
            self._arrays.move_to_end(key)
            return self._arrays[key]

    def keep(self, key: object, array: npt.NDArray[np.generic]) -> None:
        with self._lock:
            before = self._arrays.pop(key, None)
            self._bytes += array.nbytes - (before.nbytes if before is not None else 0)
            self._arrays[key] = array
            while self._bytes > self._room_bytes and len(self._arrays) > 1:
                self._bytes -= self._arrays.popitem(last=False)[1].nbytes


def source_images(index: PlateIndex, well: str) -> WellImages:
    """The images of a well as they lie in the plate's folder.

    Raises:
        PlateError: its format is unknown here, or the files that tell the stage positions cannot be read.
    """
    root, own_format = Path(index.root), format_named(index.format)
    keys = {key: file for key, file in index.planes.items() if key.well == well}
    planes = {(key.site, key.channel, key.z, key.t): _Plane(((file, None),)) for key, file in keys.items()}
    labels = {
        (name, (key.site, COMBINED, key.z, key.t)): _Plane(((file, None),))
        for name, files in index.labels.items()
        for key, file in files.items()
        if key.well == well
    }
    # Of this well alone: some formats read a file for each site.
    positions = stage_positions(replace(index, planes=keys)) if keys else {}
    return _well_images(
        well,
        planes,
        labels,
        index.channels,
        {site: place for (name, site), place in positions.items() if name == well},
        index.y_is_up,
        lambda path: own_format.read_plane(root / path),
    )


def result_images(out: Path, index: PlateIndex, well: str) -> WellImages:
    """The images of a well as the results in the folder `out` hold them.

    Raises:
        StoreError: the well has no results there, or they cannot be read.
    """
    results = ResultsFolder(out)
    provenance = results.read_provenance(well)
    files = provenance.get("files") if provenance is not None else None
    images = (
        [str(file) for file in files if str(file).startswith(results.plate.name)] if isinstance(files, list) else []
    )
    if not images:
        raise StoreError(f"results of well {well}: none in {out}; expected a finished well. Run the plate, or wait.")
    unwritten = provenance.get("unwritten") if provenance is not None else None
    found = _Found(frozenset(map(str, unwritten)) if isinstance(unwritten, list) else frozenset())
    try:
        folder = out / plain_path(images[0])
        for image in read_well(folder).images:
            if image.path.isdecimal():
                found.add_site(folder, int(image.path), image.path)
    except (PlateError, LeadsOutError) as error:
        raise StoreError(f"results of well {well} cannot be read: {out}; {error} Run the well again.") from error
    known = {channel.name: channel for channel in index.channels}
    channels = tuple(
        replace(known[name], number=number) if name in known else Channel(number, name)
        for name, number in found.channels.items()
    )
    try:
        source = source_images(index, well).places
    except PlateError:
        source = {}
    sites = {at[0] for at in found.planes}
    images_there = _well_images(
        well, found.planes, found.labels, channels, {}, False, lambda path: read_array_plane(Path(path))
    )
    return replace(images_there, places=source) if source.keys() >= sites else images_there


@dataclass(slots=True)
class _Found:
    """The planes found so far in the results of a well; `unwritten` are places in arrays that hold none."""

    unwritten: frozenset[str]
    planes: dict[_At, _Plane] = field(default_factory=dict)
    labels: dict[tuple[str, _At], _Plane] = field(default_factory=dict)
    channels: dict[str, int] = field(default_factory=dict)

    def add_site(self, folder: Path, site: int, path: str) -> None:
        metadata = read_image(folder / path)
        names = [channel.label for channel in metadata.omero.channels]
        for at, place, plane in self._planes_of(folder, path, metadata):
            number = place.get("c", 0)
            name = names[number] if number < len(names) and names[number] else f"c{number + 1}"
            channel = self.channels.setdefault(str(name), len(self.channels) + 1)
            if at not in self.unwritten:
                self.planes[site, channel, place.get("z", 0) + 1, place.get("t", 0) + 1] = plane
        for label in read_label_names(folder / path):
            inside = f"{path}/labels/{plain_path(label)}"
            for at, place, plane in self._planes_of(folder, inside, read_image(folder / inside)):
                if at not in self.unwritten:
                    key = (site, COMBINED, place.get("z", 0) + 1, place.get("t", 0) + 1)
                    self.labels[label, key] = plane

    def _planes_of(self, folder: Path, path: str, metadata: ImageMetadata) -> list[tuple[str, dict[str, int], _Plane]]:
        """Each plane of an image with its path in the well, and its numbers along the leading axes, from 0."""
        multiscale = metadata.multiscales[0]
        axes = [axis.name for axis in multiscale.axes]
        arrays = [f"{path}/{plain_path(dataset.path)}" for dataset in multiscale.datasets]
        for array in arrays:
            check_inside(folder / array, folder)
        shapes = [tuple(read_array(folder / array).shape) for array in arrays]
        planes = []
        for indices in itertools.product(*map(range, shapes[0][:-2])):
            levels = tuple(
                (place_in_array(str(folder / array), indices), (shape[-2], shape[-1]))
                for array, shape in zip(arrays, shapes, strict=True)
            )
            planes.append((place_in_array(arrays[0], indices), dict(zip(axes, indices, strict=False)), _Plane(levels)))
        return planes


def _well_images(
    well: str,
    planes: Mapping[_At, _Plane],
    labels: Mapping[tuple[str, _At], _Plane],
    channels: Sequence[Channel],
    positions_um: Mapping[int, tuple[float, float]],
    y_is_up: bool,
    read: Callable[[str], npt.NDArray[np.generic]],
) -> WellImages:
    def values(number: int) -> tuple[int, ...]:
        return tuple(sorted({at[number] for at in planes}))

    sites, there = values(0), set(values(1))
    return WellImages(
        well=well,
        channels=tuple(channel for channel in channels if channel.number in there),
        sites=sites,
        z_planes=values(2),
        time_points=values(3),
        labels=tuple(sorted({name for name, _ in labels})),
        places=place_sites(sites, positions_um, y_is_up=y_is_up),
        _planes=planes,
        _label_planes=labels,
        _read=read,
    )


def place_sites(
    sites: Sequence[int], positions_um: Mapping[int, tuple[float, float]], *, y_is_up: bool = False
) -> Mapping[int, tuple[int, int]]:
    """Row and column of each site: by its stage position where every site has one of its own, else in reading order.

    Args:
        positions_um: (x, y) of each site; `y_is_up` says whether y grows towards the top.
    """
    if len(sites) > 1 and all(site in positions_um for site in sites):
        points = [positions_um[site] for site in sites]
        apart = min(
            max(abs(one[0] - other[0]), abs(one[1] - other[1])) for one, other in itertools.combinations(points, 2)
        )
        columns = _ranks([x for x, _ in points], apart / 2)
        rows = _ranks([-y if y_is_up else y for _, y in points], apart / 2)
        if apart > 0 and len(set(zip(rows, columns, strict=True))) == len(sites):
            return dict(zip(sites, zip(rows, columns, strict=True), strict=True))
    across = max(1, round(len(sites) ** 0.5 + 0.49))
    return {site: divmod(number, across) for number, site in enumerate(sites)}


def _ranks(values: Sequence[float], step: float) -> list[int]:
    """The place of each value among groups of values that lie less than `step` apart."""
    ordered = sorted(set(values))
    rank = dict.fromkeys(ordered[:1], 0)
    for before, value in itertools.pairwise(ordered):
        rank[value] = rank[before] + (value - before >= step)
    return [rank[value] for value in values]


def channel_colours(channels: Sequence[Channel]) -> Mapping[int, Colour]:
    """A colour for each channel: that of its light, or of its dye's name, and never the same twice while there are any.

    Seven channels have colours of their own; more of them share white.
    """
    colours: dict[int, Colour] = {}
    for channel in channels:
        wished = _wished_colour(channel)
        if wished is not None and wished not in colours.values():
            colours[channel.number] = wished
    free = [colour for colour in _IN_ORDER if colour not in colours.values()]
    for channel in channels:
        if channel.number not in colours:
            colours[channel.number] = free.pop(0) if free else _WHITE
    return colours


def _wished_colour(channel: Channel) -> Colour | None:
    if channel.wavelength_nm is not None and 350 < channel.wavelength_nm < 900:
        return next((colour for below, colour in _BY_WAVELENGTH if channel.wavelength_nm < below), _MAGENTA)
    name = channel.name.lower()
    return next((colour for part, colour in _NAMED if part in name), None)
