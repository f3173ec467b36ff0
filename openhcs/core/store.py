"""Images, label images and tables of a well, put in place in the results folder as one.

A well is written aside, then moved: its provenance is taken away, the well's images and tables are replaced, the plate
comes to list the well, and the new provenance is written last. Whatever interrupts this, the well is not done and the
next run does it again; a reader of the plate finds a well whole or not at all, see `test_store`.

ngio is imported with this module (1.5 s): only worker processes may import it. What lies where is `results`.
"""

from __future__ import annotations

import itertools
import math
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import ngio
import numpy as np
import numpy.typing as npt
import zarr
from ngio.utils import NgioError

from openhcs.core.formats.zarr_plane import place_in_array
from openhcs.core.image_metadata import axis_steps, complete_attributes, shown_channels, window_of
from openhcs.core.journal import Json
from openhcs.core.model import Component, PlaneKey, WellPlan
from openhcs.core.plate_wells import list_well, well_path
from openhcs.core.results import Provenance, ResultsFolder, explained
from openhcs.core.swap import put_in_place
from openhcs.core.tables import Rows, write_well_table
from openhcs.errors import StoreError

__all__ = ["PartResult", "WellStore", "create_plate"]

_NGFF: Literal["0.5"] = "0.5"
"""One metadata file a group, so that each change of a group's metadata is atomic."""

_LARGEST_CHUNK_PX = 2048
_SMALLEST_LEVEL_PX = 64
_LARGEST_PYRAMID_IN_MEMORY_BYTES = 256 << 20

_T, _CHANNEL, _Z = Component.T, Component.CHANNEL, Component.Z
_AXIS = {_T: "t", _CHANNEL: "c", _Z: "z"}

Positions = Mapping[int, tuple[float, float]]
"""Where the stage stood (x, y) for each site, micrometres, y downwards in the image."""

Planes = Mapping[PlaneKey, npt.NDArray[Any]]
"""Planes `(Y, X)` by key, of one type."""


@dataclass(frozen=True, slots=True)
class PartResult:
    """What one part of a well holds after the last step: images float32, labels int32 by name."""

    images: Planes
    labels: Mapping[str, Planes]


def create_plate(folder: ResultsFolder, name: str) -> None:
    """Make the plate without wells, unless there is one; to be called in one process before wells are written.

    Raises:
        StoreError: it cannot be written, or what is there is not a plate that can be opened.
    """
    with _explained(folder.plate), folder.lock():
        if folder.plate.exists():
            ngio.open_ome_zarr_plate(folder.plate, mode="r").wells_paths()
            return
        folder.temporary.mkdir(exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix="plate-", dir=folder.temporary)) / folder.plate.name
        ngio.create_empty_plate(aside, name, ngff_version=_NGFF)
        aside.replace(folder.plate)
        aside.parent.rmdir()


class WellStore:
    """Writes the results of one well aside; `commit` puts them in place. Left without commit, nothing has changed.

    The images of a site are written when all its parts are there: parts beyond the first wait in files, not in memory.
    """

    def __init__(self, plan: WellPlan, out: Path, positions_um: Positions | None = None) -> None:
        self._plan = plan
        self._positions_um = positions_um or {}
        self._folder = ResultsFolder(out)
        self._aside = out
        self._parts: list[PartResult] = []
        self._filled: list[str] = []
        self._unwritten: list[str] = []

    def __enter__(self) -> Self:
        with _explained(self._folder.temporary):
            self._folder.temporary.mkdir(exist_ok=True)
            self._aside = Path(tempfile.mkdtemp(prefix=f"{self._plan.well}-", dir=self._folder.temporary))
            self._well = ngio.create_empty_well(self._aside / "well", ngff_version=_NGFF)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        shutil.rmtree(self._aside, ignore_errors=True)

    def add_part(self, part: PartResult) -> None:
        """Take the planes of the next part of the current site; raises `StoreError`."""
        with _explained(self._aside):
            if self._parts:
                self._parts[-1] = self._spooled(self._parts[-1])
            self._parts.append(part)

    def write_images(self) -> None:
        """Write the images of the parts taken since the last call; raises `StoreError`."""
        images = {key: plane for part in self._parts for key, plane in part.images.items()}
        labels: dict[str, dict[PlaneKey, npt.NDArray[Any]]] = {}
        for part in self._parts:
            for name, planes in part.labels.items():
                labels.setdefault(name, {}).update(planes)
        with _explained(self._aside):
            for site in sorted({key.site for key in images}):
                self._write_site(site, _of_site(images, site), {n: _of_site(p, site) for n, p in labels.items()})
            homeless = {key.site for planes in labels.values() for key in planes} - {key.site for key in images}
            if homeless:
                raise StoreError(
                    f"label images of well {self._plan.well} are of site {homeless.pop()} (0: all sites combined), "
                    "which has no image; expected images there. Combine the images over the sites as well."
                )
        self._parts.clear()

    def commit(self, tables: Mapping[str, Sequence[Rows]], provenance: Provenance) -> Mapping[str, int]:
        """Put images and tables in place, then the provenance; return the number of rows by table.

        Raises:
            StoreError: something could not be written; the well is not done.
        """
        folder, well = self._folder, self._plan.well
        with _explained(folder.path):
            written = {name: self._aside / f"{name}.parquet" for name in tables}
            rows = {name: write_well_table(tables[name], path) for name, path in written.items()}
            earlier = _files_of(folder.read_provenance(well))
            folder.provenance_file(well).unlink(missing_ok=True)
            with folder.lock():
                image_folder = self._place_well()
            places = {name: folder.well_table(name, well) for name in written}
            for name, place in places.items():
                place.parent.mkdir(parents=True, exist_ok=True)
                written[name].replace(place)
            files = [str(path.relative_to(folder.path)) for path in (image_folder, *places.values())]
            for gone in earlier - set(files):
                _remove(folder.path / gone)
            content: dict[str, Json] = {
                "files": list(files),
                "rows": dict(rows),
                "filled": list(self._filled),
                "unwritten": list(self._unwritten),
            }
            folder.write_provenance(self._plan, {**content, **provenance})
        return rows

    def _place_well(self) -> Path:
        """Move the well into the plate and have the plate list it; return where it is."""
        place = self._folder.plate / well_path(self._plan.well)
        if not (place.parent / "zarr.json").exists():
            zarr.open_group(place.parent, mode="a", zarr_format=3)
        earlier = self._folder.replaced_well(self._aside, place)
        earlier.parent.mkdir(parents=True)
        put_in_place(self._aside / "well", place, earlier)
        list_well(self._folder.plate, self._plan.well)
        return place

    def _write_site(self, site: int, images: Planes, labels: Mapping[str, Planes]) -> None:
        plan = self._plan
        every = {
            axis: values
            for axis, planned in ((_T, plan.time_points), (_Z, plan.z_planes))
            if (values := _plate_wide(_values(images, axis), planned))
        }
        deep = [
            axis
            for axis in (_T, _Z)
            if any(len(every.get(axis) or _values(planes, axis)) > 1 for planes in (images, *labels.values()))
        ]
        grid = _Grid.of(images, [axis for axis in (_T, _CHANNEL, _Z) if axis in (_CHANNEL, *deep)], every)
        position = self._positions_um.get(site)
        steps = axis_steps(plan, grid.values, position)
        levels = _levels(grid.size)
        windows = {
            channel: window_of([images[key] for key in images if key.channel == channel], every_px=2 ** (levels - 1))
            for channel in grid.values[_CHANNEL]
        }
        container = ngio.create_empty_ome_zarr(
            self._well.add_image(str(site)),
            shape=grid.shape,
            axes_names=grid.axes_names,
            pixelsize=steps["x"].step,
            z_spacing=steps["z"].step,
            time_spacing=steps["t"].step,
            levels=levels,
            channels_meta=shown_channels(grid.values[_CHANNEL], plan.channels, windows),
            name=f"{plan.plate} {plan.well} site {site}",
            ngff_version=_NGFF,
            chunks=grid.chunks,
            dtype="float32",
        )
        self._fill(container.get_image(), images, grid, f"image, site {site}", f"{site}/0")
        place, is_placed = self._aside / "well" / str(site), position is not None
        for name, planes in labels.items():
            if planes:
                own = _Grid.of(planes, deep, grid.values)
                label = container.derive_label(name, shape=own.shape, dtype="int32", ngff_version=_NGFF)
                self._fill(label, planes, own, f"{name}, site {site}", f"{site}/labels/{name}/0")
                complete_attributes(place / "labels" / name, steps, is_placed=is_placed)
        complete_attributes(
            place,
            steps,
            is_placed=is_placed,
            numbers=grid.values[_CHANNEL],
            channels=plan.channels,
        )

    def _fill(self, target: ngio.Image | ngio.Label, planes: Planes, grid: _Grid, what: str, array: str) -> None:
        """Write the planes, then the levels of the pyramid. Places without a plane stay zero and are noted.

        Args:
            what: what is written, in words.
            array: the path of the array in the well; a reader of the plate knows places without a plane by it.
        """
        at = {grid.place(key): plane for key, plane in planes.items()}
        for place in itertools.product(*grid.values.values()):
            where = dict(zip(grid.values, place, strict=True))
            indices = {_AXIS[axis]: grid.values[axis].index(value) for axis, value in where.items()}
            if place not in at:
                self._filled.append(", ".join([what, *(f"{axis} {value}" for axis, value in where.items())]))
                self._unwritten.append(place_in_array(array, tuple(indices.values())))
                continue
            target.set_array(at[place], **indices)
        pyramid_bytes = math.prod(grid.shape) * 4
        target.consolidate(mode="numpy" if pyramid_bytes <= _LARGEST_PYRAMID_IN_MEMORY_BYTES else "dask")

    def _spooled(self, part: PartResult) -> PartResult:
        """The same part with its arrays in files, read when they are used."""

        def spool(plane: npt.NDArray[Any]) -> npt.NDArray[Any]:
            handle, name = tempfile.mkstemp(suffix=".plane", dir=self._aside)
            with os.fdopen(handle, "wb") as file:
                file.write(np.ascontiguousarray(plane).data)  # np.save does not say why it could not write
            return np.memmap(name, plane.dtype, "r", shape=plane.shape)

        labels = {name: {key: spool(plane) for key, plane in planes.items()} for name, planes in part.labels.items()}
        return PartResult({key: spool(plane) for key, plane in part.images.items()}, labels)


@dataclass(frozen=True, slots=True)
class _Grid:
    """Where planes stand in one array: the values along each axis, in the order of OME-Zarr, and the planes' size."""

    values: Mapping[Component, tuple[int, ...]]
    size: tuple[int, int]

    @classmethod
    def of(cls, planes: Planes, axes: Sequence[Component], known: Mapping[Component, tuple[int, ...]]) -> Self:
        """The grid of planes along `axes`; the values of an axis are those known where these are all that it needs."""
        sizes = Counter(plane.shape for plane in planes.values())
        if len(sizes) > 1:
            found = ", ".join(" x ".join(map(str, size)) for size in sizes)
            raise StoreError(
                f"planes of one site have different sizes: {found}; expected one size, since they are stored as one "
                "image. Process such channels in runs of their own."
            )
        values: dict[Component, tuple[int, ...]] = {}
        for axis in axes:
            own = _values(planes, axis)
            values[axis] = known[axis] if set(own) <= set(known.get(axis, ())) else own
        ((height, width),) = sizes
        return cls(values, (height, width))

    @property
    def shape(self) -> tuple[int, ...]:
        return (*(len(values) for values in self.values.values()), *self.size)

    @property
    def chunks(self) -> tuple[int, ...]:
        return (*(1 for _ in self.values), *(min(side, _LARGEST_CHUNK_PX) for side in self.size))

    @property
    def axes_names(self) -> tuple[str, ...]:
        return (*(_AXIS[axis] for axis in self.values), "y", "x")

    def place(self, key: PlaneKey) -> tuple[int, ...]:
        return tuple(key.component(axis) for axis in self.values)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """As `results.explained`, and for what ngio and zarr say of a damaged store."""
    try:
        with explained(path):
            yield
    except (NgioError, zarr.errors.BaseZarrError) as error:
        raise StoreError(
            f"results cannot be written: {path} ({type(error).__name__}: {error}); expected an OME-Zarr plate made by "
            "OpenHCS. Choose another results folder."
        ) from error


def _values(planes: Iterable[PlaneKey], axis: Component) -> tuple[int, ...]:
    return tuple(sorted({key.component(axis) for key in planes}))


def _of_site(planes: Planes, site: int) -> Planes:
    return {key: plane for key, plane in planes.items() if key.site == site}


def _plate_wide(own: tuple[int, ...], planned: tuple[int, ...]) -> tuple[int, ...]:
    """The numbers along an axis that all wells share, as far as the planes there are of the plan's; else none."""
    return planned if set(own) <= set(planned) else ()


def _levels(size: tuple[int, int]) -> int:
    """How many levels of a pyramid make sense: each halves the sides, down to about 64 pixels."""
    return max(1, min(5, int(math.log2(max(1.0, min(size) / _SMALLEST_LEVEL_PX))) + 1))


def _files_of(provenance: Provenance | None) -> set[str]:
    files = provenance.get("files") if provenance else None
    return {str(file) for file in files} if isinstance(files, list) else set()


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
