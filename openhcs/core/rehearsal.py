"""A well's plan carried out on sizes instead of pixels: what cannot go together, how much is held, what is written.

The walk is that of `worker.process_well` and of `store.WellStore`: part by part, stack by stack, call by call. Who
changes these changes this too; `test_estimate` measures workers against it.

What a user's function makes of a stack is known only when it is called, unless it declares it. After such a call only
amounts are rehearsed, with the larger of the possible results; what cannot go together is then found in the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from openhcs.core.functions import Function, find_function
from openhcs.core.held_memory import Buffer, HeldMemory
from openhcs.core.model import COMBINED, FunctionCall, PlaneKey, Step, WellPlan
from openhcs.core.parameters import ParameterKind
from openhcs.core.pattern import Stack, group_stacks, label_key, split_parts
from openhcs.core.plane_sizes import PlaneSizes, Size
from openhcs.errors import Problem
from openhcs.processing.arrays import mosaic_size
from openhcs.processing.types import Role

__all__ = ["Rehearsal", "WrittenImage", "rehearse_well"]

_PIXEL_BYTES = 4
"""Of float32, as images are held, and of int32, as label images are."""

_READING_PLANES = 3
"""What reading a plane takes beside its place in the stack: the file's bytes, decoded pixels, the float32 copy."""

_LEARNT_BYTES = 32 << 20
"""What learning from the plate takes beside the planes it reads."""

_COUNTING_PLANES = 3
"""What counting the objects of one label image takes."""

_WRITING_PLANES = 4
"""What writing a plane takes: a chunk, its compressed copy, and the blocks of the levels that follow."""

_PYRAMID_COPIES = 1.5
"""What building the pyramid of an array in memory takes beside that, in times the array, see `store`."""

_LARGEST_PYRAMID_IN_MEMORY_BYTES = 256 << 20

_LEAST_COVERED = 0.05
"""As in `stitching`, which refuses sites that lie farther apart."""

_ROWS_PER_MPX = 2500
"""Objects that a million pixels may hold; more is noise taken for objects."""

_ROW_BYTES = 400
"""Of a row of measurements in memory, with what says where it is from."""


@dataclass(frozen=True, slots=True)
class WrittenImage:
    """One array of the results: `name` is that of a label image, or empty; `planes` are the places it has for planes.

    `is_raw` says that no step has changed its pixels: those of a camera compress better.
    """

    site: int
    name: str
    planes: int
    size: Size
    is_raw: bool = False

    @property
    def plane_bytes(self) -> int:
        """Of one plane at full resolution, not compressed."""
        return _bytes(self.size)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What came of it: problems (without the well), the most that a worker holds beside what it always does, results.

    `spooled_bytes` is what lies beside the results while the well is made: parts that wait to be written.
    """

    problems: tuple[Problem, ...]
    peak_bytes: int
    spooled_bytes: int
    images: tuple[WrittenImage, ...]
    tables: int
    table_rows: int


def rehearse_well(plan: WellPlan, sizes: PlaneSizes, names: Sequence[str] = ()) -> Rehearsal:
    """Carry out the steps of `plan` on the sizes of its planes.

    Args:
        names: what messages call each step; by default its own name.
    """
    well = _Well(plan, sizes, names or [step.name for step in plan.steps])
    for site in split_parts(plan.planes, plan.independent):
        for files in site:
            well.do_part(files)
        well.write()
    return well.result()


@dataclass(slots=True)
class _Plane:
    """An image or label plane as it is now; without a buffer it is in a file."""

    size: Size
    buffer: Buffer | None = None
    is_raw: bool = False


@dataclass(slots=True)
class _Part:
    images: dict[PlaneKey, _Plane]
    labels: dict[str, dict[PlaneKey, _Plane]] = field(default_factory=dict)
    writers: dict[tuple[str, PlaneKey], tuple[str, PlaneKey]] = field(default_factory=dict)

    def planes(self) -> Iterable[_Plane]:
        yield from self.images.values()
        for planes in self.labels.values():
            yield from planes.values()


class _Well:
    """A well while it is rehearsed."""

    def __init__(self, plan: WellPlan, sizes: PlaneSizes, names: Sequence[str]) -> None:
        self._plan = plan
        self._sizes = sizes
        self._names = names
        self._memory = HeldMemory()
        self._problems: dict[tuple[object, ...], Problem] = {}
        self._is_certain = not sizes.differ
        self._parts: list[_Part] = []
        self._spooled = 0
        self._lingering: Buffer | None = None
        self._most_spooled = 0
        self._images: list[WrittenImage] = []
        self._rows: dict[str, int] = {}
        self._known_sites = {site for site, _, _ in plan.positions_um}
        self._labels_on_plate = {name: set[PlaneKey]() for name, _, _ in plan.labels}
        for name, key, _ in plan.labels:
            self._labels_on_plate[name].add(key)

    def result(self) -> Rehearsal:
        return Rehearsal(
            tuple(self._problems.values()),
            self._memory.peak,
            self._most_spooled,
            tuple(self._images),
            len(self._rows),
            sum(self._rows.values()),
        )

    # -- one part ------------------------------------------------------------------------------------------------

    def do_part(self, files: Iterable[PlaneKey]) -> None:
        """All steps on one part, which then waits to be written."""
        part = _Part({key: _Plane(self._sizes.at(key), is_raw=True) for key in files})
        for name, step in zip(self._names, self._plan.steps, strict=True):
            for stack in group_stacks(part.images, step):
                self._do_stack(part, step, name, stack)
        for plane in part.planes():
            if plane.buffer is None:  # what no step has read is read now, being part of the result
                self._memory.touch(_READING_PLANES * _bytes(plane.size))
                plane.buffer = self._memory.keep(_bytes(plane.size))
        for planes in part.labels.values():
            for plane in planes.values():
                self._memory.touch(_COUNTING_PLANES * _bytes(plane.size))
        if self._parts:  # as `WellStore.add_part` does
            for plane in self._parts[-1].planes():
                self._spooled += _bytes(plane.size)
                self._memory.drop(plane.buffer)
                plane.buffer = None
        self._most_spooled = max(self._most_spooled, self._spooled)
        self._parts.append(part)

    def _do_stack(self, part: _Part, step: Step, name: str, stack: Stack) -> None:
        planes = [part.images[key] for key in stack.keys]
        size = max((plane.size for plane in planes), key=_area)
        if odd := next((plane.size for plane in planes if plane.size != size), None):
            self._report(
                f"planes of {_shown(odd)} and of {_shown(size)} pixels in one stack; expected one size. Use fewer "
                "variable_components.",
                name,
            )
        keys: Sequence[PlaneKey] = stack.keys
        held = len(keys) * _bytes(size)
        self._memory.touch(held + (_READING_PLANES * _bytes(size) if any(p.buffer is None for p in planes) else 0))
        changes = False
        for call in stack.calls:
            function = find_function(call.function, self._plan.modules)
            changes = function.returns is Role.IMAGE
            self._check_arguments(part, function, call, name, keys, size)
            result_size = self._mosaic_size(function, name, size) if function.resizes else size
            count = 1 if function.combines else len(keys)
            result = 0 if function.returns is Role.TABLE else count * _bytes(result_size)
            self._memory.touch(held + self._work(function, len(keys), size, result))
            self._is_certain &= function.combines is not None
            match function.returns:
                case Role.IMAGE:
                    self._memory.touch(held + result + result // 2)  # what is not finite is looked for
                    keys, size, held = (stack.combined,) if function.combines else keys, result_size, result
                case Role.LABELS:
                    places = (stack.combined,) if function.combines else keys
                    output = step.output or function.default_output
                    self._keep_labels(part, output, places, size, (name, stack.combined))
                case Role.TABLE:
                    self._add_rows(step.output or function.default_output, function, len(keys), size)
        if changes:
            for key in stack.keys:
                self._memory.drop(part.images.pop(key).buffer)
            buffer = self._memory.keep(held, len(keys))
            part.images.update({key: _Plane(size, buffer) for key in keys})

    def _work(self, function: Function, planes: int, size: Size, result: int) -> int:
        """What a call takes beside its stack: its label arguments, and what the function declares."""
        plane = _bytes(size)
        labels = sum(parameter.kind is ParameterKind.LABELS for parameter in function.parameters)
        work = function.working_memory
        own = work.stacks * planes * plane + work.planes * plane + work.results * result + work.mib * 2**20
        # What is learnt from the plate is learnt from one plane after the other, before the call.
        learning = _READING_PLANES * plane + _LEARNT_BYTES if function.estimate is not None else 0
        return labels * (planes + 1) * plane + round(max(own, learning))

    def _keep_labels(
        self, part: _Part, output: str, keys: Sequence[PlaneKey], size: Size, writer: tuple[str, PlaneKey]
    ) -> None:
        buffer = self._memory.keep(len(keys) * _bytes(size), len(keys))
        kept = part.labels.setdefault(output, {})
        for place in map(label_key, keys):
            earlier = part.writers.get((output, place), writer)
            if earlier[0] == writer[0] and earlier[1] != writer[1]:
                self._report(
                    f"label image {output!r} is made twice at {_place(place)}, from two groups of planes; expected "
                    "once. Use by_channel to segment one channel only, or give the channels steps with outputs of "
                    "their own.",
                    writer[0],
                )
            part.writers[output, place] = writer
            if place in kept:
                self._memory.drop(kept[place].buffer)
            kept[place] = _Plane(size, buffer)

    def _add_rows(self, output: str, function: Function, planes: int, size: Size) -> None:
        finds = any(parameter.kind is ParameterKind.LABELS for parameter in function.parameters)
        rows = planes * (max(1, round(_ROWS_PER_MPX * _area(size) / 1e6)) if finds else 1)
        self._rows[output] = self._rows.get(output, 0) + rows
        self._memory.keep(rows * _ROW_BYTES)

    # -- what must go together -----------------------------------------------------------------------------------

    def _check_arguments(
        self, part: _Part, function: Function, call: FunctionCall, name: str, keys: Sequence[PlaneKey], size: Size
    ) -> None:
        for parameter in function.parameters:
            if parameter.kind is ParameterKind.LABELS:
                self._check_labels(part, str(call.parameters.get(parameter.name)), name, parameter.name, keys, size)
        if not function.takes_positions:
            return
        sites = [key.site for key in keys]
        if not self._known_sites.issuperset(sites):
            self._report(
                f"{function.name} takes the sites, and a step before has combined them; expected single sites. Move "
                "this step before that one.",
                name,
            )
        elif len(set(sites)) < len(sites):
            self._report(
                f"{function.name} takes each site once, and here it would get {len(sites)} planes of {len(set(sites))} "
                "sites; expected `variable_components: [site]`. Project or combine the others in a step before.",
                name,
            )

    def _check_labels(
        self, part: _Part, output: str, name: str, parameter: str, keys: Sequence[PlaneKey], size: Size
    ) -> None:
        kept, on_plate = part.labels.get(output, {}), self._labels_on_plate.get(output, set())
        for key in keys:
            place = label_key(key)
            if place in kept and kept[place].size != size:
                self._report(
                    f"label image {output!r} is {_shown(kept[place].size)} pixels at {_place(place)} and the image "
                    f"{_shown(size)}; expected one size. Find the objects in the same image.",
                    name,
                    parameter,
                )
            elif place not in kept and place not in on_plate:
                there = ", ".join(dict.fromkeys(_place(other) for other in sorted({*kept, *on_plate})[:3]))
                self._report(
                    f"label image {output!r} does not exist at {_place(place)}; expected one that an earlier step "
                    f"wrote there, with the same site, z and t. There is: {there or 'none'}.",
                    name,
                    parameter,
                )

    def _mosaic_size(self, function: Function, name: str, size: Size) -> Size:
        """The size of a mosaic of the well's sites; without positions, that of all sites in a row."""
        plan = self._plan
        if not function.takes_positions or not plan.positions_um or plan.pixel_size_um is None:
            sites = len({key.site for key, _ in plan.planes})
            return size[0], size[1] * sites
        places = np.array([(y, x) for _, x, y in plan.positions_um], dtype=np.float64) / plan.pixel_size_um
        mosaic = mosaic_size(places, size)
        if len(places) * _area(size) < _LEAST_COVERED * _area(mosaic):
            self._report(
                f"{function.name} would make a mosaic of {_shown(mosaic)} pixels, of which the {len(places)} sites "
                f"cover under {_LEAST_COVERED:.0%}; expected sites that lie beside each other.",
                name,
            )
            return size
        return mosaic

    # -- writing -------------------------------------------------------------------------------------------------

    def write(self) -> None:
        """Write the images of the parts since the last time, and let them go."""
        images = {key: plane for part in self._parts for key, plane in part.images.items()}
        labels: dict[str, dict[PlaneKey, _Plane]] = {}
        for part in self._parts:
            for name, planes in part.labels.items():
                labels.setdefault(name, {}).update(planes)
        for site in sorted({key.site for key in images}):
            here = _of_site(images, site)
            self._write(site, "", here)
            for name, planes in labels.items():
                if own := _of_site(planes, site):
                    self._check_beside(site, name, own, here)
                    self._write(site, name, own)
        self._check_homeless(images, labels)
        done = [plane for part in self._parts for plane in part.planes()]
        for plane in done:
            self._memory.drop(plane.buffer)
        self._parts.clear()
        self._spooled = 0
        # What was written last is held by the library that wrote it until something else is written.
        self._memory.drop(self._lingering)
        self._lingering = self._memory.keep(sum(_bytes(plane.size) for plane in done if plane.buffer is not None))

    def _write(self, site: int, name: str, planes: Mapping[PlaneKey, _Plane]) -> None:
        by_size = {plane.size: key for key, plane in planes.items()}
        size = max(by_size, key=_area)
        if len(by_size) > 1 and not self._problems:
            found = " and ".join(f"{_shown(one)} (channel {key.channel})" for one, key in sorted(by_size.items()))
            what = f"label image {name!r}" if name else "the image"
            self._report(
                f"{what} of {_site(site)} would have planes of {found} pixels; expected one size, since they are "
                "stored as one image. Process such channels alike, or in runs of their own.",
                None,
            )
        times = {key.t for key in planes}
        all_times = set(self._plan.time_points)
        count = len(all_times if times <= all_times else times)
        count *= len({key.channel for key in planes}) * len({key.z for key in planes})
        written = WrittenImage(site, name, count, size, is_raw=all(plane.is_raw for plane in planes.values()))
        self._images.append(written)
        whole = count * written.plane_bytes
        # Larger ones take less, being built in pieces; counted alike, so that more planes never seem to take less.
        pyramid = _PYRAMID_COPIES * min(whole, _LARGEST_PYRAMID_IN_MEMORY_BYTES)
        # The files of parts that waited are mapped into memory and count as the worker's.
        self._memory.touch(self._spooled + round(pyramid) + _WRITING_PLANES * written.plane_bytes)

    def _check_beside(
        self, site: int, name: str, labels: Mapping[PlaneKey, _Plane], images: Mapping[PlaneKey, _Plane]
    ) -> None:
        found, there = next(iter(labels.values())).size, next(iter(images.values())).size
        if found != there and not self._problems:
            self._report(
                f"label image {name!r} of {_site(site)} is {_shown(found)} pixels and the image beside it "
                f"{_shown(there)}; expected one size, since they are stored as one. Find objects after the last step "
                "that changes the size.",
                self._writer(name),
            )

    def _check_homeless(self, images: Iterable[PlaneKey], labels: Mapping[str, Iterable[PlaneKey]]) -> None:
        sites = {key.site for key in images}
        for name, planes in labels.items():
            if (homeless := {key.site for key in planes} - sites) and not self._problems:
                self._report(
                    f"label image {name!r} is of {_site(min(homeless))}, and the images in the end are of "
                    f"{_site(min(sites))}; expected images there. Find the objects after the sites are combined, or "
                    "combine the images over the sites as well.",
                    self._writer(name),
                )

    def _writer(self, name: str) -> str | None:
        """The step that wrote a label image."""
        writers = [writer for part in self._parts for (own, _), (writer, _) in part.writers.items() if own == name]
        return writers[0] if writers else None

    def _report(self, message: str, step: str | None, parameter: str | None = None) -> None:
        """Note what is wrong, once for each step and parameter, where it is certain."""
        if self._is_certain:
            self._problems.setdefault((step, parameter), Problem(message, step=step, parameter=parameter))


def _of_site(planes: Mapping[PlaneKey, _Plane], site: int) -> dict[PlaneKey, _Plane]:
    return {key: plane for key, plane in planes.items() if key.site == site}


def _area(size: Size) -> int:
    return size[0] * size[1]


def _bytes(size: Size) -> int:
    return _area(size) * _PIXEL_BYTES


def _shown(size: Size) -> str:
    return f"{size[0]} x {size[1]}"


def _site(site: int) -> str:
    return "all sites combined" if site == COMBINED else f"site {site}"


def _place(key: PlaneKey) -> str:
    z = "all z combined" if key.z == COMBINED else f"z {key.z}"
    return f"{_site(key.site)}, {z}, t {key.t}"
