"""Differences between what metadata tells and the planes found, and between the wells, said briefly.

The plan is compared with the plate as a whole; each well is compared with the plate as a whole. So what is missing
everywhere is told once, and what is missing in one well is told for that well. Pure; standard library only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TypeVar

from openhcs.core.formats.htd import AcquisitionPlan
from openhcs.core.model import COMBINED, Discrepancy, PlaneKey, well_position

__all__ = ["compare_values", "compare_wells", "compare_with_plan", "describe_missing", "name_some"]

_NAMED_AT_MOST = 6

_Value = TypeVar("_Value", int, str)


def compare_with_plan(planes: Collection[PlaneKey], plan: AcquisitionPlan) -> Iterator[Discrepancy]:
    """How the planes found differ from the plan of the .HTD file, component by component."""
    if plan.wells is not None:
        wells = {key.well for key in planes}
        yield from compare_values(
            "HTD", "well", sorted(plan.wells, key=well_position), sorted(wells, key=well_position), name_some
        )
    if plan.sites is not None:
        yield from _count_difference("site", plan.sites, {key.site for key in planes})
    if plan.waves is not None:
        waves = plan.waves
        found = sorted({key.channel for key in planes})
        yield from compare_values(
            "HTD",
            "wave",
            sorted(waves),
            found,
            lambda numbers: name_some([f"w{n} ({waves[n]})" if n in waves else f"w{n}" for n in numbers]),
        )
    if plan.z_steps is not None:
        yield from _count_difference("z step", plan.z_steps, {key.z for key in planes} - {COMBINED})
    if plan.time_points is not None:
        yield from _count_difference("time point", plan.time_points, {key.t for key in planes})


def compare_wells(planes: Iterable[PlaneKey]) -> Iterator[Discrepancy]:
    """Channels that lack a z or t the others have, and wells that lack planes the rest of the plate has.

    A well is expected to have, at every site of the plate, each (channel, z, t) that occurs anywhere on it.
    """
    found: dict[str, set[tuple[int, ...]]] = defaultdict(set)
    for key in planes:
        found[key.well].add((key.site, key.channel, key.z, key.t))
    everywhere: set[tuple[int, ...]] = set().union(*found.values())
    kinds = {place[1:] for place in everywhere}
    channels = {kind[0] for kind in kinds}
    moments = {kind[1:] for kind in kinds}
    for channel in sorted(channels):
        absent = moments - {kind[1:] for kind in kinds if kind[0] == channel}
        if absent:
            yield Discrepancy(f"channel {channel} has no planes at {_describe(absent, moments, ('z', 't'))}")
    expected = {(site, *kind) for site in {place[0] for place in everywhere} for kind in kinds}
    for well in sorted(found, key=well_position):
        missing = expected - found[well]
        if missing:
            what = describe_missing(missing, expected)
            yield Discrepancy(f"{len(missing)} of {len(expected)} planes missing: {what}", well)


def compare_values(
    source: str, what: str, planned: Sequence[_Value], found: Sequence[_Value], name: Callable[[Sequence[_Value]], str]
) -> Iterator[Discrepancy]:
    """One sentence if the values that `source` tells and those found are not the same ones.

    Args:
        what: what the values are, in the singular.
        name: puts values into words.
    """
    known, here = set(planned), set(found)
    absent = [value for value in planned if value not in here]
    extra = [value for value in found if value not in known]
    if absent or extra:
        details = ([f"no {name(absent)}"] if absent else []) + ([f"{name(extra)} not planned"] if extra else [])
        counted = f"{len(planned)} {what}{'' if len(planned) == 1 else 's'}"
        yield Discrepancy(f"{source} says {counted}, {len(found)} found: {'; '.join(details)}")


def describe_missing(missing: set[tuple[int, ...]], expected: set[tuple[int, ...]]) -> str:
    """The places (site, channel, z, t) that are missing from those expected, as briefly as they can be named."""
    return _describe(missing, expected, ("site", "channel", "z", "t"))


def name_some(names: Sequence[str]) -> str:
    """The names with commas between, cut to a few: `A01, A02, A03, A04, A05 and 7 more`."""
    if len(names) <= _NAMED_AT_MOST:
        return ", ".join(names)
    return f"{', '.join(names[: _NAMED_AT_MOST - 1])} and {len(names) - _NAMED_AT_MOST + 1} more"


def _count_difference(what: str, planned: int, found: Collection[int]) -> Iterator[Discrepancy]:
    yield from compare_values(
        "HTD", what, range(1, planned + 1), sorted(found), lambda numbers: f"{what} {_name_ranges(numbers)}"
    )


def _describe(missing: set[tuple[int, ...]], expected: set[tuple[int, ...]], components: Sequence[str]) -> str:
    """Name whole components where all their planes are missing, and what remains one by one."""
    present = expected - missing
    rest = set(missing)
    parts = []
    for position, component in enumerate(components):
        gone = {place[position] for place in rest} - {place[position] for place in present}
        if gone:
            parts.append(_name_values(component, gone))
            rest = {place for place in rest if place[position] not in gone}
    singles = [
        " ".join(_name_values(component, {value}) for component, value in zip(components, place, strict=True))
        for place in sorted(rest)
    ]
    return "; ".join([*parts, *([name_some(singles)] if singles else [])])


def _name_values(component: str, values: set[int]) -> str:
    """`channel 2`, `t 3-6`; what is combined over z is called by its name."""
    if component == "z" and COMBINED in values:
        steps = values - {COMBINED}
        return "projection" + (f", z {_name_ranges(steps)}" if steps else "")
    return f"{component} {_name_ranges(values)}"


def _name_ranges(numbers: Iterable[int]) -> str:
    """The numbers in order, with runs drawn together: `1, 3-6`."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return name_some([f"{first}" if first == last else f"{first}-{last}" for first, last in runs])
