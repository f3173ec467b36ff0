"""What a run would do and take, compared with what is there, before it starts: nothing starts that cannot end.

Memory is refused by its upper bound, since a worker that goes beyond its limit is killed and its well fails; a number
of workers that nobody insists on is lowered instead. Disk is refused by what is expected and warned of by what it may
be at most. Estimates can be wrong, so every refusal says how it is overruled (docs/decisions/0024).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from openhcs.core.estimate import Disk, Estimate, WellEstimate, size_words
from openhcs.core.machine import DISMISSED_AT, FreeRoom, free_memory_bytes, free_room, worker_share_bytes
from openhcs.core.model import WellPlan
from openhcs.core.results import ResultsFolder, is_done
from openhcs.core.wording import name_wells
from openhcs.errors import NoRoomError, Problem

__all__ = ["Forecast", "Workers", "forecast_run"]

_ELSEWHERE = "choose another results folder (--out, or `results_folder` in the settings)"
_OVERRULE = "If you know better: --no-room-check, or `check_room: false` in the settings."


@dataclass(frozen=True, slots=True)
class Workers:
    """The workers that a run asks for.

    `count` is how many wells may be processed at the same time, `is_fixed` whether the user insists on that number.
    `memory_bytes` is the limit of each; None shares the machine's memory. `are_ours` is false for those of a cluster
    elsewhere, of which nothing is known here.
    """

    count: int
    is_fixed: bool = False
    memory_bytes: int | None = None
    are_ours: bool = True

    def limit_bytes(self, count: int) -> int:
        """What each of `count` workers may use."""
        return self.memory_bytes or worker_share_bytes(count)


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run would do, take and find.

    `to_do` and `reused` are its wells. `estimate` is of the wells to do. `workers` is how many it would have, fewer
    than asked for if `is_lowered`, each with `worker_memory_bytes`, None where they are elsewhere. `disk` is what
    results need beyond what is there already, `free` what there is, None where that cannot be asked. `problems` are
    what keeps the run from ending, `notes` what the user should know besides.
    """

    to_do: tuple[str, ...]
    reused: tuple[str, ...]
    estimate: Estimate
    workers: int
    is_lowered: bool
    worker_memory_bytes: int | None
    disk: Disk
    free: FreeRoom | None
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()

    def require_room(self) -> None:
        """Raise `NoRoomError` if there is a problem."""
        if self.problems:
            raise NoRoomError("the run would not end: there is not enough room for it.", self.problems)


def forecast_run(plans: Sequence[WellPlan], estimate: Estimate, out: Path, workers: Workers) -> Forecast:
    """Compare what the wells of `plans` take with what there is for them.

    Args:
        estimate: of all these wells, and perhaps others.
        out: the results folder, which may not exist yet.

    Raises:
        StoreError: what an earlier run left in `out` cannot be read.
    """
    results = ResultsFolder(out)
    reused = [plan.well for plan in plans if out.is_dir() and is_done(plan, out)]
    to_do = [plan.well for plan in plans if plan.well not in set(reused)]
    takes = estimate.of(to_do)
    wanted = count = max(1, min(workers.count, len(to_do)))
    problems: list[Problem] = []
    notes: list[str] = []
    if takes.sizes_known and workers.are_ours and to_do:
        count, problem, memory_notes = _fit_memory(takes, workers, count)
        problems += problem
        notes += memory_notes
    replaced = {well for well in to_do if results.provenance_file(well).exists()}
    disk = _needed(takes, replaced, count)
    free = _free(out)
    if takes.sizes_known and free is not None and to_do:
        problems += _disk_problems(disk, free)
        if not problems and disk.most_bytes > free.bytes:
            notes.append(
                f"results take about {size_words(disk.expected_bytes)} and may take {size_words(disk.most_bytes)}; "
                f"{size_words(free.bytes)} is free at {free.folder}. On a full disk wells fail; finished ones are kept."
            )
    return Forecast(
        to_do=tuple(to_do),
        reused=tuple(reused),
        estimate=takes,
        workers=count,
        is_lowered=count < wanted,
        worker_memory_bytes=workers.limit_bytes(count) if workers.are_ours else None,
        disk=disk,
        free=free,
        problems=tuple(problems),
        notes=tuple(notes),
    )


def _fit_memory(takes: Estimate, workers: Workers, count: int) -> tuple[int, list[Problem], list[str]]:
    """How many workers there will be, and why none or fewer."""
    usable = _usable_bytes(workers.limit_bytes(count))
    too_large = [well for well in takes.wells if well.memory_bytes > usable]
    if not too_large:
        free, used = free_memory_bytes(), count * takes.memory_bytes
        if used <= free:
            return count, [], []
        return count, [], [f"the workers may take {size_words(used)} together, and {size_words(free)} is free now."]
    fitting = 0
    if workers.memory_bytes is None:
        fitting = next(
            (n for n in range(count - 1, 0, -1) if _usable_bytes(worker_share_bytes(n)) >= takes.memory_bytes), 0
        )
    if fitting and not workers.is_fixed:
        each = size_words(worker_share_bytes(fitting))
        note = (
            f"{_workers(fitting)} ({each} each) instead of {count}: a well may take {size_words(takes.memory_bytes)} "
            "of memory."
        )
        return fitting, [], [note]
    needed = size_words(takes.memory_bytes)
    if fitting:
        step = f"Use --workers {fitting} ({size_words(worker_share_bytes(fitting))} each)."
    elif workers.memory_bytes is not None:
        least = takes.memory_bytes / DISMISSED_AT / 2**30
        step = f"Set worker_memory_gib to {least + 0.1:.1f} or more in the settings, or use fewer sites or planes."
    else:
        step = "Use a machine with more memory, or steps that take fewer planes together (variable_components)."
    problem = Problem(
        f"a worker may need {needed} of memory; expected at most {size_words(usable)}, which is what each of "
        f"{_workers(count)} can use here. {step} {_OVERRULE}",
        well=_named(too_large, takes),
    )
    return count, [problem], []


def _disk_problems(disk: Disk, free: FreeRoom) -> Iterable[Problem]:
    where = f"at {free.folder}"
    if disk.expected_bytes > free.bytes:
        yield Problem(
            f"results: about {size_words(disk.expected_bytes)} (at most {size_words(disk.most_bytes)}) are needed "
            f"{where}, {size_words(free.bytes)} is free; expected room for them. Free some space, {_ELSEWHERE}, or "
            f"run fewer wells. {_OVERRULE}"
        )
    if free.files is not None and disk.files > free.files:
        yield Problem(
            f"results: about {disk.files} files are needed {where}, {free.files} can be made; expected room for them. "
            f"{_ELSEWHERE.capitalize()}, or run fewer wells. {_OVERRULE}"
        )


def _needed(takes: Estimate, replaced: Iterable[str], workers: int) -> Disk:
    """What the results need beyond what is there.

    A well that replaces another needs room for both until it is in place, so as many as there are workers count; what
    it takes in the end is taken for as much as before, where that is expected, and for all of it, where it is bounded.
    """
    there = frozenset(replaced)
    new = [well for well in takes.wells if well.well not in there]
    for_a_moment = sorted((_for_a_moment(well, there) for well in takes.wells), reverse=True)[:workers]
    return Disk(
        sum(well.disk.expected_bytes for well in new) + sum(for_a_moment),
        takes.disk.most_bytes + sum(well.spooled_bytes for well in takes.wells[:workers]),
        takes.disk.files,
    )


def _for_a_moment(well: WellEstimate, there: frozenset[str]) -> int:
    return well.spooled_bytes + (well.disk.expected_bytes if well.well in there else 0)


def _usable_bytes(limit: int) -> int:
    return int(limit * DISMISSED_AT)


def _free(out: Path) -> FreeRoom | None:
    try:
        return free_room(out)
    except OSError:  # writing there will say what is wrong
        return None


def _workers(count: int) -> str:
    return "1 worker" if count == 1 else f"{count} workers"


def _named(wells: Sequence[WellEstimate], takes: Estimate) -> str | None:
    """The wells by name; None where it is all of them."""
    return None if len(wells) == len(takes.wells) else name_wells(well.well for well in wells)
