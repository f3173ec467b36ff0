"""ImageXpress plates (MetaXpress): a folder of single-plane TIFF files -> `PlateIndex`.

Two layouts: an export, `{name}_Plate_{id}/TimePoint_t/[ZStep_z/]`, and the microscope's database,
`{name}/{date}/{id}/[TimePoint_t/][ZStep_z/]`, of which any folder down to `{id}` may be given. Only folders named so
are entered, so results or anything else kept in a plate's folder are not taken for planes. Nothing is written there
(`test_imagexpress_real` looks before and after).

Which file is which plane comes from its name and folder alone (`imagexpress_names`); the .HTD file (`htd`) gives the
plate's grid, the channels' names and the plan; the MetaSeries tag (`metaseries`) of one file a channel gives pixel size
and wavelength, those of one file a time point and a z step the times and heights.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from openhcs.core.formats.discrepancies import compare_wells, compare_with_plan, name_some
from openhcs.core.formats.htd import AcquisitionPlan, read_htd
from openhcs.core.formats.imagexpress_names import (
    FileName,
    is_layout_folder,
    is_step_folder,
    is_tiff,
    parse_file_name,
    parse_folder,
)
from openhcs.core.formats.listing import walk_folder
from openhcs.core.formats.metaseries import MetaSeriesTag, read_stage_positions, read_tag
from openhcs.core.formats.plate_facts import (
    above_first,
    differing_pixel_sizes,
    longest_series,
    plate_grid,
    since_first,
    told_apart,
)
from openhcs.core.formats.tiff import read_tiff_plane
from openhcs.core.model import COMBINED, Channel, Component, Discrepancy, PlaneKey, PlateIndex
from openhcs.errors import PlaneError, PlateError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["ImageXpress"]

_TAGS_TRIED = 3


class _ImageFile(NamedTuple):
    """A file that is an image of some plate; `path` and `base` are relative to where the search began."""

    path: str
    base: str
    name: FileName
    t: int
    z: int | None


@dataclass(frozen=True, slots=True)
class _Survey:
    """Everything of interest below a folder, by the acquisition folder it belongs to."""

    images: dict[str, list[_ImageFile]] = field(default_factory=dict)
    htd_files: dict[str, list[str]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


class ImageXpress:
    """The format of Molecular Devices' ImageXpress microscopes; stateless."""

    name = "ImageXpress"
    looked_for = (
        "TIFF files named like plate_A01_s1_w1.tif, in the folder itself or in its TimePoint_1, ZStep_1, "
        "date (2024-07-09) or number folders"
    )

    def recognises(self, folder: Path) -> bool:
        """Whether an ImageXpress image lies in `folder` or in the folders of its layout; stops at the first."""
        for listing in walk_folder(folder, is_layout_folder):
            planned = (
                any(_is_htd(name) for name in listing.files) or parse_folder(listing.path).acquisition != listing.path
            )
            for name in listing.files:
                parsed = parse_file_name(name)
                # A bare `scan_B2.tif` could be anybody's; it takes an .HTD file or the layout to be a plate's.
                if parsed is not None and (planned or parsed.site is not None or parsed.channel is not None):
                    return True
        return False

    def index(self, folder: Path) -> PlateIndex:
        """Every plane of the one acquisition in `folder`, with what its metadata tells; `root` is that acquisition.

        Raises:
            PlateError: the folder cannot be listed, holds no planes or those of several acquisitions, or is only a
                part of one.
        """
        top = Path(os.path.abspath(folder))  # noqa: PTH100 - without `..`, but with links kept as they were given
        _refuse_part(top)
        survey = _survey(top)
        acquisition = _only_acquisition(top, survey)
        root = top / acquisition if acquisition else top
        remarks = [Discrepancy(remark) for remark in survey.remarks]

        images, strangers = _of_one_plate(survey.images[acquisition])
        remarks += strangers
        planes, doubles = _planes(images, acquisition)
        remarks += doubles

        plan, unreadable = _plan(root, acquisition, survey.htd_files.get(acquisition, []))
        remarks += unreadable
        tags, silent = _tags(root, planes)
        remarks += silent
        remarks += compare_with_plan(planes.keys(), plan)
        remarks += compare_wells(planes)

        rows, columns = plate_grid({key.well for key in planes}, (plan.rows, plan.columns))
        return PlateIndex(
            root=str(root),
            name=f"{images[0].name.plate}_Plate_{root.name}" if root.name.isdecimal() else root.name,
            format=self.name,
            rows=rows,
            columns=columns,
            channels=_channels(tags, plan),
            planes=planes,
            pixel_size_um=next((tag.pixel_size_um for tag in tags.values() if tag.pixel_size_um), None),
            discrepancies=tuple(remarks),
            z_um=_heights(root, planes),
            t_s=_times(root, planes),
        )

    def read_plane(self, path: Path) -> npt.NDArray[np.generic]:
        """The pixels `(Y, X)` of the file at `path`, as stored, counts; raises `PlaneError`."""
        return read_tiff_plane(path)

    def stage_positions(self, index: PlateIndex) -> Mapping[tuple[str, int], tuple[float, float]]:
        """The stage position (x, y) in micrometres of each (well, site); reads one file each."""
        return read_stage_positions(index)


def _is_htd(name: str) -> bool:
    return name.lower().endswith(".htd")


def _refuse_part(top: Path) -> None:
    """One time point or z step alone would be indexed as a whole plate, with wrong numbers."""
    whole = next((folder for folder in (top, *top.parents) if not is_step_folder(folder.name)), top)
    if whole != top:
        raise PlateError(f"not a whole plate: {top}; expected the folder around it. Open {whole} instead.")


def _survey(top: Path) -> _Survey:
    survey = _Survey()
    unnamed: list[str] = []
    for listing in walk_folder(top, is_layout_folder, survey.remarks.append):
        place = parse_folder(listing.path)
        t = 1 if place.t is None else place.t
        if t == COMBINED:
            survey.remarks.append(f"folder {listing.path} left out: time points count from 1")
            continue
        for file in listing.files:
            if _is_htd(file):
                survey.htd_files.setdefault(place.acquisition, []).append(listing.below(file))
            elif is_tiff(file):
                name = parse_file_name(file)
                if name is None:
                    unnamed.append(listing.below(file))
                elif not name.thumbnail:
                    image = _ImageFile(listing.below(file), place.base, name, t, place.z)
                    survey.images.setdefault(place.acquisition, []).append(image)
    if unnamed:
        survey.remarks.append(
            f"{len(unnamed)} TIFF {'file' if len(unnamed) == 1 else 'files'} left out, no well in the name: "
            f"{name_some(unnamed)}"
        )
    return survey


def _only_acquisition(top: Path, survey: _Survey) -> str:
    acquisitions = sorted(survey.images)
    if not acquisitions:
        raise PlateError(
            f"no ImageXpress plate in: {top}; expected {ImageXpress.looked_for}. Choose the plate's own folder."
        )
    if len(acquisitions) > 1:
        raise PlateError(
            f"{len(acquisitions)} acquisitions in: {top}; expected one. "
            f"Choose one of them: {name_some([name or '.' for name in acquisitions])}."
        )
    return acquisitions[0]


def _of_one_plate(images: list[_ImageFile]) -> tuple[list[_ImageFile], list[Discrepancy]]:
    """The files of the plate that has most of them; others lying among them would double its planes."""
    counts = Counter(image.name.plate for image in images)
    plate = min(counts, key=lambda name: (-counts[name], name))
    remarks = [
        Discrepancy(f"{count} {'file' if count == 1 else 'files'} left out, named for another plate: {name}_...")
        for name, count in sorted(counts.items())
        if name != plate
    ]
    return [image for image in images if image.name.plate == plate], remarks


def _planes(images: list[_ImageFile], acquisition: str) -> tuple[dict[PlaneKey, str], list[Discrepancy]]:
    """The files by their keys, in the keys' order; of two files for one plane the first by name is taken."""
    stacks = {image.base for image in images if image.z}
    within = len(acquisition) + 1 if acquisition else 0
    # Sorted as tuples, with the key made last: comparing 17,280 dataclasses would take longer than all the rest.
    rows = sorted(
        (
            image.name.well,
            image.name.site or 1,
            image.name.channel or 1,
            _z(image, stacks),
            image.t,
            image.path[within:],
        )
        for image in images
    )
    planes: dict[PlaneKey, str] = {}
    doubles: list[Discrepancy] = []
    for well, site, channel, z, t, path in rows:
        key = PlaneKey(well, site, channel, z, t)
        taken = planes.setdefault(key, path)
        if taken is not path:
            doubles.append(Discrepancy(f"two files for one plane: {taken} taken, {path} left out", well))
    return planes, doubles


def _z(image: _ImageFile, stacks: set[str]) -> int:
    """The z step from the name, else the folder; files beside folders of z steps are their projections."""
    if image.name.z is not None:
        return image.name.z
    if image.z is not None:
        return image.z
    return COMBINED if image.base in stacks else 1


def _plan(root: Path, acquisition: str, files: list[str]) -> tuple[AcquisitionPlan, list[Discrepancy]]:
    """The plan of the .HTD file nearest the top; it is repeated in every folder."""
    if not files:
        return AcquisitionPlan(), []
    within = len(acquisition) + 1 if acquisition else 0
    nearest = min(files, key=lambda path: (path.count("/"), path))[within:]
    try:
        return read_htd(root / nearest), []
    except PlateError as error:
        return AcquisitionPlan(), [Discrepancy(str(error))]


def _tags(root: Path, planes: Mapping[PlaneKey, str]) -> tuple[dict[int, MetaSeriesTag], list[Discrepancy]]:
    """One tag for each channel, by channel: of its first plane, or where that is unreadable, of another well's."""
    firsts: dict[int, dict[str, str]] = {}
    for key, path in planes.items():
        firsts.setdefault(key.channel, {}).setdefault(key.well, path)
    tags: dict[int, MetaSeriesTag] = {}
    failures: dict[int, PlaneError] = {}
    for channel in sorted(firsts):
        tags[channel] = MetaSeriesTag()
        for path in list(firsts[channel].values())[:_TAGS_TRIED]:
            try:
                tags[channel] = read_tag(root / path)
            except PlaneError as error:
                failures.setdefault(channel, error)
            else:
                failures.pop(channel, None)
                break
    remarks = []
    if failures:
        channels = ", ".join(f"w{channel}" for channel in failures)
        remarks.append(Discrepancy(f"no pixel size or wavelength for {channels}: {next(iter(failures.values()))}"))
    remarks += differing_pixel_sizes(
        "channels", {f"w{channel}": tag.pixel_size_um for channel, tag in tags.items() if tag.pixel_size_um is not None}
    )
    return tags, remarks


def _times(root: Path, planes: Mapping[PlaneKey, str]) -> dict[int, float]:
    """The seconds of each time point, from the tags of the place that has most of them: a file for each t."""
    times: dict[int, float | None] = {}
    for t, tag in _read_series(root, planes, longest_series(planes)).items():
        # A local clock without a zone.
        times[t] = None if tag.taken is None else (tag.taken - datetime.min).total_seconds()
    return since_first(times)


def _heights(root: Path, planes: Mapping[PlaneKey, str]) -> dict[int, float]:
    """The micrometres of each z above the first, from the tags of one stack: a file for each z.

    Channels with a single plane, which is copied into every step, tell one height for all: the next one is asked.
    """
    for channel in sorted({key.channel for key in planes}):
        stack = longest_series((key for key in planes if key.channel == channel), Component.Z)
        heights = {z: tag.z_um for z, tag in _read_series(root, planes, stack).items()}
        if found := above_first(heights):
            return found
    return {}


def _read_series(
    root: Path, planes: Mapping[PlaneKey, str], series: Mapping[int, PlaneKey]
) -> dict[int, MetaSeriesTag]:
    """The tags of the planes of a series, as far as they can be read."""
    tags: dict[int, MetaSeriesTag] = {}
    for number, key in series.items():
        with suppress(PlaneError):  # the file fails by name when it is processed
            tags[number] = read_tag(root / planes[key])
    return tags


def _channels(tags: Mapping[int, MetaSeriesTag], plan: AcquisitionPlan) -> tuple[Channel, ...]:
    """The channels that have planes; two of one name are told apart by their number."""
    names = told_apart({number: (plan.waves or {}).get(number, f"w{number}") for number in tags}, "w")
    return tuple(Channel(number, names[number], tag.wavelength_nm) for number, tag in tags.items())
