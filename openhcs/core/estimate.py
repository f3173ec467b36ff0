"""What a run will take: memory of a worker, room on the disk, told before it starts.

Memory is an upper bound, since a worker that goes beyond what it may use is killed; on the plates and pipelines of
docs/decisions/0024 it is 1.1 to 1.8 times what workers were measured to take. Disk is told twice: what is expected, and
a bound that is reached where nothing can be compressed. Tables depend on how many objects there are and are guessed.

Deliberately absent: what the machine has (`machine`), and whether that is enough (`room`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from openhcs.core.model import WellPlan
from openhcs.core.plane_sizes import PlaneSizes, Size, read_plane_sizes
from openhcs.core.problems import merge_wells
from openhcs.core.rehearsal import Rehearsal, WrittenImage, rehearse_well
from openhcs.errors import PipelineError, Problem

__all__ = ["Disk", "Estimate", "WellEstimate", "estimate_plans", "size_words"]

_WORKER_BYTES = 300 * 2**20
"""Of a worker that has loaded what wells need, and none of their planes: Python, Dask, ngio, scikit-image."""

_FRAGMENTS = 1.5
"""What a worker's memory grows to, in times what it holds at most at once: freed memory stays in pieces."""

_EXPECTED_RAW, _EXPECTED_IMAGE, _EXPECTED_LABELS = 0.4, 0.8, 0.05
"""Size of an array on disk in times its planes with their pyramid: as a camera took them, processed, labels."""

_PYRAMID = 4 / 3
_BLOCK_BYTES = 4096
_INCOMPRESSIBLE = 1.01
_CHUNK_PX = 2048
_LEVELS = 5

_WELL_FILES, _IMAGE_FILES, _CHUNK_FILES = 16, 6 + 3 * _LEVELS, 3
"""Files and folders of a well, of an array and of a chunk: metadata, provenance, groups, folders of chunks."""

_ROW_ON_DISK_BYTES = 3 * 150
"""Of a table's row, three times: the well's file, that of all wells, and the CSV file."""

_TABLE_BYTES = 3 * 8192
_WELL_BYTES = 32 * 1024
"""Provenance, metadata, and the well's part of plans and journal."""


@dataclass(frozen=True, slots=True)
class Disk:
    """Room on a disk: bytes as expected and at most, and the files and folders that are made."""

    expected_bytes: int = 0
    most_bytes: int = 0
    files: int = 0

    def __add__(self, other: Disk) -> Disk:
        return Disk(
            self.expected_bytes + other.expected_bytes, self.most_bytes + other.most_bytes, self.files + other.files
        )


@dataclass(frozen=True, slots=True)
class WellEstimate:
    """What one well takes: memory of its worker at most, its results, and `spooled_bytes` on disk only meanwhile."""

    well: str
    memory_bytes: int
    disk: Disk
    spooled_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the wells of a plate take. Without `sizes_known` no plane could be looked at, and nothing is told."""

    wells: tuple[WellEstimate, ...]
    sizes_known: bool = True

    @property
    def memory_bytes(self) -> int:
        """What a worker takes at most, whichever well it has."""
        return max((well.memory_bytes for well in self.wells), default=0)

    @property
    def disk(self) -> Disk:
        """What the results of all wells take together."""
        return sum((well.disk for well in self.wells), Disk())

    @property
    def text(self) -> str:
        """Both in a line: `up to 1.2 GiB a worker, about 3.4 GiB of results (at most 5.1 GiB)`."""
        if not self.sizes_known:
            return "not known: no plane could be looked at"
        disk = self.disk
        return (
            f"up to {size_words(self.memory_bytes)} a worker, about {size_words(disk.expected_bytes)} of results "
            f"(at most {size_words(disk.most_bytes)})"
        )

    def of(self, wells: Iterable[str]) -> Estimate:
        """The same for some of the wells."""
        chosen = frozenset(wells)
        return Estimate(tuple(well for well in self.wells if well.well in chosen), self.sizes_known)


def estimate_plans(
    plans: Sequence[WellPlan], pipeline: str, names: Sequence[str] = (), sizes: PlaneSizes | None = None
) -> Estimate:
    """Rehearse every well, and say what each takes.

    Args:
        pipeline: the pipeline's name, for messages.
        names: what messages call each step; by default its own name.
        sizes: of the planes; None looks at a few of them.

    Raises:
        PipelineError: images and label images that the steps make do not go together; `problems` holds all of it.
    """
    first = plans[0]
    if sizes is None:
        sizes = read_plane_sizes(Path(first.root), first.format, (plane for plan in plans for plane in plan.planes))
    rehearsed = _rehearse(plans, sizes, names)
    problems = _problems(rehearsed)
    if problems:
        raise PipelineError(
            f"pipeline {pipeline} on plate {first.plate}: it cannot run; expected a pipeline that fits the plate.",
            problems,
        )
    return _estimate_wells(rehearsed, sizes)


def _problems(rehearsed: Mapping[str, Rehearsal]) -> tuple[Problem, ...]:
    """What is wrong with all wells, told without a well, and what with some."""
    found = [replace(problem, well=well) for well, one in rehearsed.items() for problem in one.problems]
    everywhere = {
        problem
        for problem in next(iter(rehearsed.values())).problems
        if all(problem in one.problems for one in rehearsed.values())
    }
    return merge_wells(
        problem if (bare := replace(problem, well=None)) not in everywhere else bare for problem in found
    )


def _rehearse(plans: Sequence[WellPlan], sizes: PlaneSizes, names: Sequence[str]) -> Mapping[str, Rehearsal]:
    """Rehearse every well; wells whose planes differ in nothing but the well are rehearsed once."""
    known: dict[tuple[object, ...], Rehearsal] = {}
    rehearsed: dict[str, Rehearsal] = {}
    for plan in plans:
        kind = _kind(plan)
        if kind not in known:
            known[kind] = rehearse_well(plan, sizes, names)
        rehearsed[plan.well] = known[kind]
    return rehearsed


def _estimate_wells(rehearsed: Mapping[str, Rehearsal], sizes: PlaneSizes) -> Estimate:
    """What each rehearsed well takes."""
    by_rehearsal = {id(rehearsal): _estimate(rehearsal) for rehearsal in rehearsed.values()}
    wells = []
    for well, rehearsal in rehearsed.items():
        memory, disk = by_rehearsal[id(rehearsal)]
        wells.append(WellEstimate(well, memory, disk, rehearsal.spooled_bytes))
    return Estimate(tuple(wells), sizes.are_known)


def size_words(count: int) -> str:
    """Bytes as people read them: `40 KiB`, `812 MiB`, `3.4 GiB`."""
    if count < 2**20:
        return f"{math.ceil(count / 2**10)} KiB"
    if count < 2**30:
        return f"{math.ceil(count / 2**20)} MiB"
    return f"{count / 2**30:.1f} GiB" if count < 2**40 else f"{count / 2**40:.1f} TiB"


def _estimate(rehearsal: Rehearsal) -> tuple[int, Disk]:
    memory = _WORKER_BYTES + round(_FRAGMENTS * rehearsal.peak_bytes)
    tables = rehearsal.table_rows * _ROW_ON_DISK_BYTES + rehearsal.tables * _TABLE_BYTES
    own = Disk(_WELL_BYTES + tables // 8, _WELL_BYTES + tables, _WELL_FILES + rehearsal.tables)
    return memory, sum(map(_disk_of, rehearsal.images), own)


def _disk_of(image: WrittenImage) -> Disk:
    share = _EXPECTED_LABELS if image.name else _EXPECTED_RAW if image.is_raw else _EXPECTED_IMAGE
    whole = image.planes * image.plane_bytes * _PYRAMID
    chunks = image.planes * (_chunks(image.size) + _LEVELS - 1)
    blocks = (chunks + _IMAGE_FILES) * _BLOCK_BYTES
    return Disk(
        round(share * whole) + blocks // 2,
        round(_INCOMPRESSIBLE * whole) + blocks,
        chunks * _CHUNK_FILES + _IMAGE_FILES,
    )


def _chunks(size: Size) -> int:
    return math.ceil(size[0] / _CHUNK_PX) * math.ceil(size[1] / _CHUNK_PX)


def _kind(plan: WellPlan) -> tuple[object, ...]:
    """What decides a rehearsal of a plan, its steps apart, which all plans of a run share."""
    places = tuple((key.site, key.channel, key.z, key.t) for key, _ in plan.planes)
    labels = tuple((name, key.site, key.z, key.t) for name, key, _ in plan.labels)
    if not plan.positions_um or not plan.pixel_size_um:
        return places, labels
    spans = [
        round((max(values) - min(values)) / plan.pixel_size_um)
        for values in ([x for _, x, _ in plan.positions_um], [y for _, _, y in plan.positions_um])
    ]
    return places, labels, tuple(site for site, _, _ in plan.positions_um), *spans
