"""Which planes of the plate an estimate is made from: chosen when the pipeline is compiled, the same for every well.

The choice depends on the plate's planes and on the pipeline, never on which wells are run, so that a well's result does
not either. Reading them and making the estimate is `plate_estimates`, in the worker.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from openhcs.core.functions import SAMPLE_BY_SITE, SAMPLE_PLANES, find_function
from openhcs.core.model import COMBINED, Component, FunctionCall, PlaneKey, PlaneSample, Step, well_position

__all__ = ["choose_samples", "spread_over_wells"]

_Plane = tuple[PlaneKey, str]

_ALONG_WELLS, _ALONG_PLANES = 0.7548776662466927, 0.5698402909980532
"""The powers -1 and -2 of the real root of x**3 = x + 1."""


def choose_samples(
    steps: Iterable[Step], planes: Mapping[str, Sequence[_Plane]], modules: tuple[str, ...]
) -> tuple[PlaneSample, ...]:
    """The samples that the steps need, each once.

    Args:
        steps: made whole, see `pipeline_rules`.
        planes: of every well of the plate, of the kind that the pipeline starts from.
    """
    wells = sorted(planes, key=well_position)
    channels = sorted({key.channel for well in wells for key, _ in planes[well]})
    wanted: dict[tuple[int, int, bool], None] = {}
    for step, group, call in _calls(steps):
        if find_function(call.function, modules).estimate is None:
            continue
        asked, by_site = call.parameters[SAMPLE_PLANES.name], call.parameters[SAMPLE_BY_SITE.name]
        assert isinstance(asked, int), "the rules have checked it"
        one_channel = group is not None and step.group_by is Component.CHANNEL
        for channel in channels:
            if not one_channel or str(channel) == group:
                wanted[channel, asked, bool(by_site)] = None
    return tuple(
        _sample(
            channel, site, asked, [[plane for plane in planes[well] if _is_of(plane, channel, site)] for well in wells]
        )
        for channel, asked, by_site in wanted
        for site in _sites(planes, channel, by_site)
    )


def spread_over_wells(wells: Sequence[Sequence[_Plane]], count: int) -> tuple[_Plane, ...]:
    """`count` of the planes of `wells`, or all if there are no more, in the order given.

    Wells get equal shares, whatever they hold, and the planes of a well are taken evenly along its order; neighbouring
    wells get other planes. A fixed stride would meet the same columns of the plate, or the same sites, again and again,
    where treatments or edges lie. Source: the two-dimensional Kronecker sequence of the plastic number, a
    low-discrepancy sequence, Roberts, "The unreasonable effectiveness of quasirandom sequences" (2018).
    """
    wells = [well for well in wells if well]
    if sum(map(len, wells)) <= count:
        return tuple(plane for well in wells for plane in well)
    taken: set[tuple[int, int]] = set()
    for number in range(count):
        well = int((0.5 + number * _ALONG_WELLS) % 1 * len(wells))
        place = int((0.5 + number * _ALONG_PLANES) % 1 * len(wells[well]))
        while (well, place) in taken:
            place += 1
            if place == len(wells[well]):
                well, place = (well + 1) % len(wells), 0
        taken.add((well, place))
    return tuple(wells[well][place] for well, place in sorted(taken))


def _sample(channel: int, site: int, asked: int, wells: Sequence[Sequence[_Plane]]) -> PlaneSample:
    planes = spread_over_wells(wells, asked)
    listed = json.dumps([[str(key), file] for key, file in planes], separators=(",", ":"))
    return PlaneSample(channel, site, asked, planes, hashlib.sha256(listed.encode()).hexdigest())


def _sites(planes: Mapping[str, Sequence[_Plane]], channel: int, by_site: bool) -> Sequence[int]:
    if not by_site:
        return (COMBINED,)
    return sorted({key.site for well in planes.values() for key, _ in well if key.channel == channel})


def _is_of(plane: _Plane, channel: int, site: int) -> bool:
    return plane[0].channel == channel and site in (COMBINED, plane[0].site)


def _calls(steps: Iterable[Step]) -> Iterator[tuple[Step, str | None, FunctionCall]]:
    """Every call, with its step and its group, None where all groups have the same chain."""
    for step in steps:
        chains = step.pattern.items() if isinstance(step.pattern, Mapping) else [(None, step.pattern)]
        for group, chain in chains:
            for call in chain:
                yield step, group, call
