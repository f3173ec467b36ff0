"""Opera Phenix and Operetta plates (Harmony): a folder of single-plane TIFF files with their index -> `PlateIndex`.

Which file is which plane stands in the index (`harmony_index`), not in the file's name. A plane is there if the index
names it and says that its state is Ok, and its file lies in the plate. What of this does not hold is told for its well.

A site is where a field lies (`site_order`), not Harmony's number of it, which follows the way of the stage;
`PlateIndex.fields` keeps that number. Files that the index names must lie in the plate (`inside`). Nothing is written.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from openhcs.core.formats.discrepancies import compare_values, compare_wells, describe_missing, name_some
from openhcs.core.formats.harmony_index import HarmonyIndex, IndexedImage, read_harmony_index
from openhcs.core.formats.inside import LeadsOutError, check_inside, plain_path
from openhcs.core.formats.listing import Listing, list_folder
from openhcs.core.formats.plate_facts import differing_pixel_sizes, longest_series, plate_grid, since_first, told_apart
from openhcs.core.formats.site_order import Place, have_one_layout, number_sites
from openhcs.core.formats.tiff import read_tiff_plane
from openhcs.core.model import Channel, Discrepancy, PlaneKey, PlateIndex, well_name, well_position
from openhcs.errors import PlateError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["OperaPhenix", "is_phenix_image"]

_INDEX_FILES = ("index.idx.xml", "index.xml", "index.ref.xml")
"""In the order they are tried; names are compared without regard to letter case."""

_ROOT_TAG = "EvaluationInputData"
_PEEK_BYTES = 4096

_FILE = re.compile(
    r"r(?P<row>\d+)c(?P<column>\d+)f\d+(?:p\d+)?(?:-ch\d+(?:sk\d+)?(?:fk\d+)?(?:fl\d+)?)?\.tiff?", re.IGNORECASE
)
_TIFF = (".tif", ".tiff")
_LARGEST_PLATE = (32, 48)


class OperaPhenix:
    """The format of PerkinElmer's (Revvity's) Opera Phenix and Operetta microscopes; stateless."""

    name = "Opera Phenix"
    looked_for = "Index.idx.xml, Index.xml or Index.ref.xml of Harmony, in the folder itself or in its Images folder"

    def recognises(self, folder: Path) -> bool:
        """Whether an index lies in `folder`, in its `Images`, or in the `Images` of a folder in it."""
        return any(True for _ in _measurements(folder))

    def index(self, folder: Path) -> PlateIndex:
        """Every plane of the one measurement in `folder`, with what its index tells; `root` is the plate's folder.

        Raises:
            PlateError: the folder cannot be listed, its index cannot be read, it holds several measurements, or none
                of the files the index names.
        """
        top = Path(os.path.abspath(folder))  # noqa: PTH100 - without `..`, but with links kept as they were given
        place = _only_measurement(top)
        root = place.parent if _is_images_folder(place.name) else place
        read, remarks = _read_first(place, list_folder(place))
        if read.unplaced:
            remarks.append(Discrepancy(f"{read.unplaced} images of the index left out: no well, channel or file told"))

        wells = _places(read.images)
        sites = number_sites(wells)
        shift = _Shift.of(read.images)
        named, doubles = _by_plane(read.images, sites, shift)
        files = _PlateFiles(root, place)
        planes, absent, left_out = _planes(named, files)
        if not planes:
            raise PlateError(
                f"no images in: {place}; expected the files that the index there names, {len(named)} in all"
                f"{''.join(f', such as {image.url}' for image in list(named.values())[:1])}. "
                "Copy them from the microscope again."
            )
        found = {key.well for key in planes}
        facts = {number + shift.channel: told for number, told in read.channels.items()}
        names = told_apart({number: told.name or f"ch{number}" for number, told in facts.items()}, "ch")
        remarks += _compare_with_index(read, named, planes, absent, names)
        if have_one_layout(wells):
            remarks += compare_wells(key for key in named if key.well in found)
        remarks += doubles + left_out
        remarks += _strangers(files.images_here(), read.images)

        channels = sorted({key.channel for key in planes})
        sizes = {names[number]: size for number in channels if (size := facts[number].pixel_size_um) is not None}
        remarks += differing_pixel_sizes("channels", sizes)
        rows, columns = plate_grid(found, (read.rows, read.columns))
        by_site = sorted((well, site, field) for (well, field), site in sites.items() if well in found)
        return PlateIndex(
            root=str(root),
            name=_plate_name(root, read.plate_name),
            format=self.name,
            rows=rows,
            columns=columns,
            channels=tuple(
                Channel(number, names[number], facts[number].emission_nm, facts[number].excitation_nm)
                for number in channels
            ),
            planes=planes,
            pixel_size_um=next(iter(sizes.values()), None),
            positions_um={
                (well, site): position for well, site, field in by_site if (position := wells[well][field]) is not None
            },
            discrepancies=tuple(remarks),
            y_is_up=True,
            fields={(well, site): field for well, site, field in by_site},
            z_um=_heights(named),
            t_s=since_first({t: named[key].offset_s for t, key in longest_series(named).items()}),
        )

    def read_plane(self, path: Path) -> npt.NDArray[np.generic]:
        """The pixels `(Y, X)` of the file at `path`, as stored, counts; raises `PlaneError`."""
        return read_tiff_plane(path)

    def stage_positions(self, index: PlateIndex) -> Mapping[tuple[str, int], tuple[float, float]]:
        """The stage position (x, y) in micrometres of each (well, site): the index's own."""
        return index.positions_um


def is_phenix_image(name: str) -> bool:
    """Whether a file is named as Harmony names images."""
    return _well_in(name) is not None


def _measurements(top: Path) -> Iterator[Path]:
    """The folders with an index, nearest first; raises `PlateError` if `top` cannot be listed."""
    listing = list_folder(top)
    if _index_files(top, listing):
        yield top
        return
    for name in listing.folders:
        if _is_images_folder(name) and _index_files_at(top / name):
            yield top / name
            return
    for name in listing.folders:
        images = top / name / "Images"
        if _index_files_at(images):
            yield images


def _only_measurement(top: Path) -> Path:
    found = list(_measurements(top))
    if not found:
        raise PlateError(
            f"no Opera Phenix plate in: {top}; expected {OperaPhenix.looked_for}. Choose the plate's own folder."
        )
    if len(found) > 1:
        names = name_some([str(place.parent.relative_to(top)) for place in found])
        raise PlateError(f"{len(found)} measurements in: {top}; expected one. Choose one of them: {names}.")
    return found[0]


def _is_images_folder(name: str) -> bool:
    return name.lower() == "images"


def _index_files_at(folder: Path) -> list[str]:
    try:
        return _index_files(folder, list_folder(folder))
    except PlateError:
        return []


def _index_files(folder: Path, listing: Listing) -> list[str]:
    """The index files in a folder, the best first. `Index.xml` could be anybody's, so its beginning is looked at."""
    by_name = {name.lower(): name for name in reversed(listing.files)}
    return [
        by_name[name]
        for name in _INDEX_FILES
        if name in by_name and (name == _INDEX_FILES[0] or _begins_as_index(folder / by_name[name]))
    ]


def _begins_as_index(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            beginning = file.read(_PEEK_BYTES)
    except OSError:
        return True  # reading it as an index says what is wrong with it
    return any(_ROOT_TAG.encode(encoding) in beginning for encoding in ("utf-8", "utf-16-le", "utf-16-be"))


def _read_first(place: Path, listing: Listing) -> tuple[HarmonyIndex, list[Discrepancy]]:
    """The first index that can be read, and what is wrong with those before it; raises `PlateError` if none can."""
    errors: list[PlateError] = []
    for name in _index_files(place, listing):
        try:
            return read_harmony_index(place / name), [Discrepancy(str(error)) for error in errors]
        except PlateError as error:
            errors.append(error)
    raise errors[0]


class _Shift(NamedTuple):
    """What is added to Harmony's numbers so that they count from 1; some versions count time points from 0."""

    channel: int
    plane: int
    time_point: int

    @classmethod
    def of(cls, images: Sequence[IndexedImage]) -> _Shift:
        return cls(
            int(any(image.channel == 0 for image in images)),
            int(any(image.plane == 0 for image in images)),
            int(any(image.time_point == 0 for image in images)),
        )


class _PlateFiles:
    """The files of a plate, found by the paths that its index gives; each folder is listed once."""

    def __init__(self, root: Path, place: Path) -> None:
        self._root = root
        self._place = place
        self._before = f"{place.relative_to(root).as_posix()}/" if place != root else ""
        self._listings: dict[str, tuple[frozenset[str], frozenset[str]]] = {}

    def find(self, url: str) -> str | None:
        """The path, relative to the plate's folder, of the file at `url`, relative to the index; None if it is absent.

        Raises:
            LeadsOutError: `url` is no path within the plate, or leads out of it by a link.
        """
        path = plain_path(url)
        folder, _, name = path.rpartition("/")
        files, links = self._list(folder)
        if name not in files:
            return None
        if name in links:
            check_inside(self._place / path, self._root, self._place)
        return self._before + path

    def images_here(self) -> Sequence[str]:
        """The names of the TIFF files beside the index."""
        return sorted(name for name in self._list("")[0] if name.lower().endswith(_TIFF))

    def _list(self, folder: str) -> tuple[frozenset[str], frozenset[str]]:
        """The files in a folder, and which names in it are links."""
        if folder not in self._listings:
            check_inside(self._place / folder, self._root, self._place)
            try:
                listing = list_folder(self._place / folder)
            except PlateError:
                listing = Listing(folder, (), ())
            self._listings[folder] = frozenset(listing.files), listing.links
        return self._listings[folder]


def _places(images: Sequence[IndexedImage]) -> dict[str, dict[int, Place | None]]:
    """Where the fields of each well lie, by the first image of each that tells."""
    wells: dict[str, dict[int, Place | None]] = {}
    for image in images:
        fields = wells.setdefault(image.well, {})
        if fields.get(image.field) is None:
            place = None if image.x_um is None or image.y_um is None else (image.x_um, image.y_um)
            fields[image.field] = place
    return wells


def _by_plane(
    images: Sequence[IndexedImage], sites: Mapping[tuple[str, int], int], shift: _Shift
) -> tuple[dict[PlaneKey, IndexedImage], list[Discrepancy]]:
    """The images by their keys, in the keys' order; of two for one plane the first by its file's name is taken."""
    # Sorted as tuples, with the key made last: comparing 50,000 dataclasses would take longer than all the rest.
    rows = sorted(
        (
            image.well,
            sites[image.well, image.field],
            image.channel + shift.channel,
            image.plane + shift.plane,
            image.time_point + shift.time_point,
            image.url,
            place,
        )
        for place, image in enumerate(images)
    )
    named: dict[PlaneKey, IndexedImage] = {}
    doubles: dict[str, list[str]] = defaultdict(list)
    for well, site, channel, z, t, url, place in rows:
        taken = named.setdefault(PlaneKey(well, site, channel, z, t), images[place])
        if taken is not images[place]:
            doubles[well].append(f"{taken.url} taken, {url} left out")
    return named, [Discrepancy(f"two images for one plane: {name_some(said)}", well) for well, said in doubles.items()]


def _planes(
    named: Mapping[PlaneKey, IndexedImage], files: _PlateFiles
) -> tuple[dict[PlaneKey, str], dict[PlaneKey, IndexedImage], list[Discrepancy]]:
    """The planes that can be read, the images whose files are absent, and what is said of images left out."""
    planes: dict[PlaneKey, str] = {}
    absent: dict[PlaneKey, IndexedImage] = {}
    remarks: list[Discrepancy] = []
    bad: dict[tuple[str, str], list[str]] = {}
    for key, image in named.items():
        try:
            path = files.find(image.url)
        except LeadsOutError as error:
            remarks.append(Discrepancy(f"image left out: {error}", image.well))
            continue
        if not image.is_ok:
            bad.setdefault((image.well, image.state), []).append(image.url)
        elif path is None:
            absent[key] = image
        else:
            planes[key] = path
    remarks += [
        Discrepancy(f"{_count(urls, 'image')} left out, the index says their state is {state}: {name_some(urls)}", well)
        for (well, state), urls in bad.items()
    ]
    return planes, absent, remarks


def _compare_with_index(
    read: HarmonyIndex,
    named: Mapping[PlaneKey, IndexedImage],
    planes: Mapping[PlaneKey, str],
    absent: Mapping[PlaneKey, IndexedImage],
    names: Mapping[int, str],
) -> Iterator[Discrepancy]:
    """Wells and channels without any file, told for the plate; files that a well lacks, told for that well."""
    found = {key.well for key in planes}
    selected = {key.well for key in named} | read.wells
    yield from compare_values(
        "index", "well", sorted(selected, key=well_position), sorted(found, key=well_position), name_some
    )
    yield from compare_values(
        "index",
        "channel",
        sorted({key.channel for key in named}),
        sorted({key.channel for key in planes}),
        lambda numbers: name_some([f"{number} ({names[number]})" for number in numbers]),
    )
    expected: dict[str, set[tuple[int, ...]]] = defaultdict(set)
    missing: dict[str, dict[tuple[int, ...], str]] = defaultdict(dict)
    for key in named:
        expected[key.well].add((key.site, key.channel, key.z, key.t))
    for key, image in absent.items():
        missing[key.well][key.site, key.channel, key.z, key.t] = image.url
    for well in sorted(found & missing.keys(), key=well_position):
        what = describe_missing(set(missing[well]), expected[well])
        files = name_some(list(missing[well].values()))
        yield Discrepancy(
            f"{len(missing[well])} of {len(expected[well])} planes missing: {what}; no file {files}", well
        )


def _strangers(here: Sequence[str], named: Sequence[IndexedImage]) -> Iterator[Discrepancy]:
    """TIFF files that the index does not name, by the well in their names."""
    known = {image.url.replace("\\", "/").rpartition("/")[2] for image in named}
    by_well: dict[str | None, list[str]] = {}
    for name in here:
        if name not in known:
            by_well.setdefault(_well_in(name), []).append(name)
    for well, names in sorted(by_well.items(), key=lambda one: one[0] or ""):
        yield Discrepancy(f"{_count(names, 'TIFF file')} left out, not in the index: {name_some(names)}", well)


def _well_in(name: str) -> str | None:
    match = _FILE.fullmatch(name)
    row, column = (int(match["row"]), int(match["column"])) if match else (0, 0)
    return well_name(row - 1, column - 1) if 0 < row <= _LARGEST_PLATE[0] and 0 < column <= _LARGEST_PLATE[1] else None


def _heights(named: Mapping[PlaneKey, IndexedImage]) -> dict[int, float]:
    """The height of each z, by the first image of each that tells."""
    heights: dict[int, float] = {}
    for key, image in named.items():
        if image.z_um is not None:
            heights.setdefault(key.z, image.z_um)
    return dict(sorted(heights.items()))


def _plate_name(root: Path, told: str | None) -> str:
    """The folder's name where it begins with the plate's, since it then tells the measurement too."""
    return told if told and not root.name.startswith(told) else root.name


def _count(names: Sequence[str], what: str) -> str:
    return f"{len(names)} {what}{'' if len(names) == 1 else 's'}"
