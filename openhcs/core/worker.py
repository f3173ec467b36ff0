"""One well plan, executed: planes in, images, label images and rows out.

`process_well` reads planes as late as it can and works part by part (a site, a time point) where the plan's stacks
allow it, so that memory holds one part and not the well. Every result of a function is checked before it goes on: an
image that is not finite, or labels of another shape, are the well's failure, at the step that made them.

Deliberately absent: which process this runs in (`cluster`), where results go (`store`).
"""

from __future__ import annotations

import time
import traceback
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from openhcs.core.circumstances import Circumstances
from openhcs.core.formats import PlateFormat, format_named, stage_positions
from openhcs.core.functions import Function, PlateEstimate, find_function
from openhcs.core.model import FunctionCall, PlaneKey, PlateIndex, Step, WellPlan
from openhcs.core.parameters import ParameterKind
from openhcs.core.pattern import Stack, group_stacks, label_key, split_parts
from openhcs.core.plate_estimates import estimates_for
from openhcs.core.plate_folder import lost_plate
from openhcs.core.progress import Failure
from openhcs.core.result_checks import (
    FloatArray,
    LabelArray,
    Place,
    checked_image,
    checked_labels,
    checked_mosaic,
    checked_rows,
    rows_at,
    size_text,
)
from openhcs.core.retries import is_transient
from openhcs.core.store import PartResult, WellStore
from openhcs.core.tables import Rows
from openhcs.errors import OpenHCSError, PlaneError, StoreError, WellError
from openhcs.processing.types import Role, SitePositions

__all__ = ["WellResult", "failure_of", "process_well"]

Report = Callable[[int, int, str, str], None]


@dataclass(frozen=True, slots=True)
class WellResult:
    """What came of a well: objects by label image, rows by table, warnings with how often each was given."""

    well: str
    seconds: float
    objects: Mapping[str, int]
    rows: Mapping[str, int]
    warnings: Mapping[str, int]


def process_well(plan: WellPlan, out: Path, report: Report) -> WellResult:
    """Do all steps of `plan` and put the results in the results folder `out`, all of them or none.

    Args:
        report: is told what begins: which step (from 1), of how many, its name, and where in the well that is, in
            words: `site 2, step 3 of 5`. In numbers steps count once for each part.

    Raises:
        WellError: anything went wrong; its fields say where, its cause why.
    """
    started, circumstances = time.perf_counter(), Circumstances()
    well = _Well(plan, report)
    try:
        with WellStore(plan, out, well.positions_um()) as store:
            for site in well.sites():
                for part in site:
                    store.add_part(well.process_part(part))
                store.write_images()
            seconds = time.perf_counter() - started
            rows = store.commit(
                well.tables,
                {
                    "seconds": round(seconds, 3),
                    "step_seconds": {name: round(spent, 3) for name, spent in well.step_seconds.items()},
                    "objects": dict(well.objects),
                    "warnings": dict(well.warnings),
                    **circumstances.told(),
                },
            )
    except StoreError as error:
        raise WellError(str(error), well=plan.well) from error
    except WellError as error:
        lost = lost_plate(Path(plan.root))
        if lost is None:
            raise
        raise WellError(str(lost), well=plan.well, step=error.step, plane=error.plane, file=error.file) from lost
    return WellResult(plan.well, seconds, well.objects, rows, well.warnings)


def failure_of(error: Exception) -> Failure:
    """`error` in plain data, for the journal: of a `WellError` the place and the cause, of others the error itself."""
    text = "".join(traceback.format_exception(error))
    if isinstance(error, WellError):
        cause = error.__cause__ or error
        kind, may_pass = type(cause).__name__, is_transient(cause)
        return Failure(str(error), kind, error.step, error.plane, error.file, text, may_pass)
    return Failure(f"{type(error).__name__}: {error}", type(error).__name__, traceback=text)


class _Well:
    """A well while it is being processed: what all its parts share."""

    def __init__(self, plan: WellPlan, report: Report) -> None:
        self.plan = plan
        self.format = format_named(plan.format)
        self.objects: Counter[str] = Counter()
        self.warnings: Counter[str] = Counter()
        self.step_seconds: defaultdict[str, float] = defaultdict(float)
        self.tables: dict[str, list[Rows]] = {}
        self._report = report
        self._begun = 0
        self._kinds: dict[int, tuple[str, str]] = {}  # size and type by channel, with the first file that has them
        self._parts = split_parts(plan.planes, plan.independent)

    def sites(self) -> Sequence[Sequence[Mapping[PlaneKey, str]]]:
        """The parts of the well, together where they belong into the same images."""
        return self._parts

    def positions_um(self) -> Mapping[int, tuple[float, float]]:
        """Where the stage stood (x, y) for each site, y downwards in the image: the plan's, or as the files tell."""
        if self.plan.positions_um:
            return {site: (x, y) for site, x, y in self.plan.positions_um}
        told = stage_positions(
            PlateIndex(
                root=self.plan.root,
                name=self.plan.plate,
                format=self.plan.format,
                rows=0,
                columns=0,
                channels=self.plan.channels,
                planes=dict(self.plan.planes),
            )
        )
        return {site: (x, -y if self.plan.y_is_up else y) for (_, site), (x, y) in told.items()}

    def process_part(self, files: Mapping[PlaneKey, str]) -> PartResult:
        """Do all steps on one part; raises `WellError`."""
        part = _Part(self.plan, self.format, dict(files), self._kinds)
        steps = len(self.plan.steps) * sum(len(site) for site in self._parts)
        of_part = self._part_words(files)
        for number, step in enumerate(self.plan.steps, start=1):
            self._begun += 1
            self._report(self._begun, steps, step.name, f"{of_part}step {number} of {len(self.plan.steps)}")
            started = time.perf_counter()
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                for stack in group_stacks(part.keys(), step):
                    self._process_stack(part, step, stack)
            self.warnings.update(f"{step.name}: {w.category.__name__}: {w.message}" for w in caught)
            self.step_seconds[step.name] += time.perf_counter() - started
        self.objects.update({name: sum(map(_count, planes.values())) for name, planes in part.labels.items()})
        return PartResult(part.all_images(), part.labels)

    def _part_words(self, files: Mapping[PlaneKey, str]) -> str:
        """What a part is called among the well's parts, `site 2, t 3, `; nothing where there is only one."""
        first = next(iter(files))
        site = f"site {first.site}, " if len(self._parts) > 1 else ""
        return site + (f"t {first.t}, " if any(len(times) > 1 for times in self._parts) else "")

    def _process_stack(self, part: _Part, step: Step, stack: Stack) -> None:
        """Call the step's functions in order; an image result is what the next one gets.

        The planes change if the last function returns an image. In a step that ends in labels or a table, images made
        on the way serve that result only.
        """
        keys = stack.keys
        changes = False
        image = _stacked((part.image(key, step.name) for key in keys), keys, step.name)
        for call in stack.calls:
            at = Place(self.plan.well, step.name, call.function, keys)
            try:
                function = find_function(call.function, self.plan.modules)
            except OpenHCSError as error:
                raise at.error(str(error)) from error
            result = self._call(function, call, image, part, at)
            output = step.output or function.default_output
            changes = function.returns is Role.IMAGE
            match function.returns:
                case Role.IMAGE if function.resizes:
                    image, keys = checked_mosaic(result, at), (stack.combined,)
                case Role.IMAGE:
                    image, combined = checked_image(result, image.shape, at)
                    keys = (stack.combined,) if combined else keys
                case Role.LABELS:
                    labels, combined = checked_labels(result, image.shape, at)
                    places = (stack.combined,) if combined else keys
                    part.keep_labels(output, places, labels, writer=(step.name, stack.combined), at=at)
                case Role.TABLE:
                    self.tables.setdefault(output, []).append(checked_rows(result, keys, self.plan, at))
        if changes:
            part.replace(stack.keys, keys, image)

    def _call(self, function: Function, call: FunctionCall, image: FloatArray, part: _Part, at: Place) -> object:
        """What the function returns, given its stack, the user's parameters and what the engine fills in."""
        arguments: dict[str, object] = dict(call.parameters)
        for parameter in function.parameters:
            name = call.parameters.get(parameter.name)
            if parameter.kind is ParameterKind.LABELS:
                arguments[parameter.name] = part.labels_at(str(name), at.keys, image.shape[1:], at)
            elif parameter.kind is ParameterKind.TABLE and name is not None:
                arguments[parameter.name] = rows_at(self.tables.get(str(name), ()), at.keys)
        if function.takes_pixel_size:
            arguments["pixel_size_um"] = self.plan.pixel_size_um
        if function.takes_positions:
            arguments["positions"] = _positions(self.plan, at)
        if function.estimate is not None:
            arguments = {name: value for name, value in arguments.items() if name not in function.estimate.not_own}
            arguments[function.estimate.argument] = self._estimates(function.estimate, call, image.shape[1:], at)
        try:
            result: object = function.callable(image, **arguments)
        except (Exception, SystemExit) as error:  # a function of the catalogue or of the user's may raise anything
            raise at.error(f"{type(error).__name__}: {error}") from error
        return result

    def _estimates(
        self, estimate: PlateEstimate, call: FunctionCall, shape: tuple[int, ...], at: Place
    ) -> Sequence[object]:
        """What the function wants to know of the whole plate, for each plane."""
        try:
            return estimates_for(estimate, call, self.plan, shape, at)
        except WellError:
            raise
        except (Exception, SystemExit) as error:  # as above
            raise at.error(f"{type(error).__name__}: {error}") from error


class _Part:
    """The planes of one part as they are now: still in their files, or in memory once a step has changed them."""

    def __init__(
        self,
        plan: WellPlan,
        plate_format: PlateFormat,
        files: dict[PlaneKey, str],
        kinds: dict[int, tuple[str, str]],
    ) -> None:
        self._plan = plan
        self._format = plate_format
        self._files = files
        self._kinds = kinds
        self._images: dict[PlaneKey, FloatArray] = {}
        self.labels: dict[str, dict[PlaneKey, LabelArray]] = {}
        self._label_files = {(name, key): file for name, key, file in plan.labels}
        self._writers: dict[tuple[str, PlaneKey], tuple[str, PlaneKey]] = {}

    def keys(self) -> Sequence[PlaneKey]:
        return (*self._files, *self._images)

    def image(self, key: PlaneKey, step: str | None) -> FloatArray:
        """The plane at `key`, `(Y, X)` float32, counts where it is read from its file."""
        if key in self._images:
            return self._images[key]
        return self._read_image(key, self._files[key], step)

    def all_images(self) -> Mapping[PlaneKey, FloatArray]:
        """Every plane, read now if no step did."""
        return {key: self.image(key, None) for key in sorted(self.keys())}

    def replace(self, before: Sequence[PlaneKey], after: Sequence[PlaneKey], image: FloatArray) -> None:
        """Put the planes of `image` in the place of those at `before`."""
        for key in before:
            self._files.pop(key, None)
            self._images.pop(key, None)
        self._images.update(zip(after, image, strict=True))

    def keep_labels(
        self,
        name: str,
        keys: Sequence[PlaneKey],
        labels: LabelArray,
        *,
        writer: tuple[str, PlaneKey],
        at: Place,
    ) -> None:
        """Keep a label image; a later call may replace it, another stack of the same step may not."""
        for key, plane in zip(map(label_key, keys), labels, strict=True):
            earlier = self._writers.get((name, key), writer)
            if earlier[0] == writer[0] and earlier[1] != writer[1]:
                raise at.error(
                    f"label image {name!r} is made twice at {key}, from two groups of planes; expected once. "
                    "Use by_channel to segment one channel only, or give the channels steps with outputs of their own."
                )
            self._writers[name, key] = writer
            self.labels.setdefault(name, {})[key] = plane

    def labels_at(self, name: str, keys: Sequence[PlaneKey], size: tuple[int, ...], at: Place) -> LabelArray:
        """The label image of that name for each plane of `size` (Y, X), `(N, Y, X)` int32."""
        kept = self.labels.get(name, {})
        on_plate = {key for other, key in self._label_files if other == name}
        missing = [str(key) for key in keys if label_key(key) not in kept and label_key(key) not in on_plate]
        if missing:
            there = ", ".join(map(str, sorted({*kept, *on_plate})))
            raise at.error(
                f"label image {name!r} does not exist at {missing[0]}; expected one that an earlier step wrote there, "
                f"or that lies on the plate, with the same site, z and t. There is: {there or 'none of that name'}."
            )
        return np.stack(
            [
                kept[place] if (place := label_key(key)) in kept else self._read_labels(name, key, size, at)
                for key in keys
            ]
        )

    def _read_labels(self, name: str, key: PlaneKey, size: tuple[int, ...], at: Place) -> LabelArray:
        """A plane of a label image of the plate, which must fit the image at `key`."""
        file = self._label_files[name, label_key(key)]
        labels = self._read(key, file, at.step)
        whole = labels.dtype.kind in "ui"
        if (
            not whole
            or labels.min(initial=0) < 0
            or labels.max(initial=0) > np.iinfo(np.int32).max
            or labels.shape != size
        ):
            raise at.error(
                f"label image {name!r} of the plate does not fit: {file} is {size_text(labels.shape)} of "
                f"{labels.dtype}; expected whole numbers from 0 to 2^31 of {size_text(size)}, as the image has."
            )
        return labels.astype(np.int32, copy=False)

    def _read(self, key: PlaneKey, file: str, step: str | None) -> npt.NDArray[np.generic]:
        """The plane in `file`, as stored."""
        try:
            return self._format.read_plane(Path(self._plan.root) / file)
        except PlaneError as error:
            raise WellError(str(error), well=self._plan.well, step=step, plane=str(key), file=file) from error

    def _read_image(self, key: PlaneKey, file: str, step: str | None) -> FloatArray:
        """The plane in `file`, which must be like the others of its channel: another is not what the name says."""
        plane = self._read(key, file, step)
        kind = f"{size_text(plane.shape)} of {plane.dtype}"
        like, first = self._kinds.setdefault(key.channel, (kind, file))
        if kind != like:
            raise WellError(
                f"image does not fit: {file} is {kind}; expected {like}, as {first} of the same channel is. "
                "Copy both files from the microscope again.",
                well=self._plan.well,
                step=step,
                plane=str(key),
                file=file,
            )
        return plane.astype(np.float32, copy=False)


def _stacked(planes: Iterable[FloatArray], keys: Sequence[PlaneKey], step: str) -> FloatArray:
    """The planes as `(N, Y, X)`, each put in its place as it comes: a well of many sites is in memory once only."""
    stack = np.empty((0, 0, 0), np.float32)
    for number, (key, plane) in enumerate(zip(keys, planes, strict=True)):
        if number == 0:
            stack = np.empty((len(keys), *plane.shape), np.float32)
        elif plane.shape != stack.shape[1:]:
            raise WellError(
                f"plane of {size_text(plane.shape)} among planes of {size_text(stack.shape[1:])} in one stack; "
                "expected the same size. Use fewer variable_components.",
                well=key.well,
                step=step,
                plane=str(key),
            )
        stack[number] = plane
    return stack


def _positions(plan: WellPlan, at: Place) -> SitePositions:
    """Where the stage stood for each plane at `at`; sites that an earlier step combined stood nowhere."""
    known = {site: (y, x) for site, x, y in plan.positions_um}
    sites = [key.site for key in at.keys]
    if unknown := [key for key in at.keys if key.site not in known]:
        raise at.error(f"no stage position of {unknown[0]}; expected sites that no step before has combined.")
    return SitePositions(
        np.array(sites, dtype=np.intp),
        np.array([known[site] for site in sites], dtype=np.float64),
        np.array(list(known.values()), dtype=np.float64),
    )


def _count(labels: LabelArray) -> int:
    """How many different labels a plane has, the background left out."""
    return int(np.count_nonzero(np.unique(labels)))
