"""A plate's index and a pipeline become one frozen plan for each well; everything wrong is told at once.

Pure: no file is opened but the source of the users' own modules, whose digest goes into the plan, and, where a step
takes stage positions that the index does not hold, one image of each site for its tag. The rules that steps
must keep are in `pipeline_rules`; which wells and planes there are is decided here. A missing plane of one well is not
an error here: that well fails in the run, with its cause, and the others finish.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from openhcs.core.formats import format_versions, stage_positions
from openhcs.core.functions import find_function
from openhcs.core.model import (
    COMBINED,
    Component,
    Pipeline,
    PlaneKey,
    PlaneSample,
    PlaneSource,
    PlateIndex,
    Step,
    WellPlan,
    well_position,
)
from openhcs.core.pipeline_rules import check_steps
from openhcs.core.plate_sample import choose_samples
from openhcs.core.problems import merge_wells
from openhcs.core.wording import did_you_mean
from openhcs.errors import PipelineError, Problem, StoreError

__all__ = ["compile_plate", "plans_from_json", "plans_to_json", "source_digest"]

_LIBRARIES = ("openhcs", "numpy", "scipy", "scikit-image")
"""Distributions whose versions can change a result."""

_INDEPENDENT = (Component.SITE, Component.T)


def compile_plate(
    index: PlateIndex,
    pipeline: Pipeline,
    wells: Sequence[str] | None = None,
    modules: Sequence[str] = (),
    whole: PlateIndex | None = None,
) -> tuple[WellPlan, ...]:
    """Plan every well, in row-major order.

    Args:
        index: what the plate holds.
        pipeline: what to do; disabled steps are left out of the plans.
        wells: names of the wells to plan; None plans all.
        modules: dotted names of the users' modules that functions may come from, besides the catalogue.
        whole: the plate that functions learn from, where `index` is a part of it.

    Raises:
        PipelineError: `problems` holds everything wrong in any step and well. What is wrong with a step is told once,
            what is wrong with some wells names them.
    """
    modules = tuple(modules)
    chosen, problems = _choose_wells(index, wells)
    planes, missing = _choose_planes(index, pipeline.planes, chosen)
    problems += missing
    steps, label_names, faults = check_steps(index, pipeline, modules)
    problems += faults
    positions: Mapping[str, Sequence[tuple[int, float, float]]] = defaultdict(list)
    takers = _takers_of_positions(steps, modules) if not problems else {}
    if takers or (not problems and index.positions_um):
        positions, lacking = _positions_by_well(index, planes, chosen)
        problems = _lack_of_positions(positions, lacking, takers)
    if problems:
        raise PipelineError(
            f"pipeline {pipeline.name} on plate {index.name}: it cannot run; expected a pipeline that fits the plate.",
            merge_wells(problems),
        )
    everywhere = planes if whole is None else _choose_planes(whole, pipeline.planes, chosen)[0]
    versions = {
        **_library_versions(),
        **format_versions(index.format),
        **{module: source_digest(module) for module in modules},
    }
    independent = tuple(
        component for component in _INDEPENDENT if all(component not in step.variable_components for step in steps)
    )
    plan = WellPlan(
        well="",
        root=index.root,
        plate=index.name,
        format=index.format,
        channels=index.channels,
        pixel_size_um=index.pixel_size_um,
        planes=(),
        steps=steps,
        independent=independent,
        versions=versions,
        modules=modules,
        time_points=tuple(range(1, 1 + max(key.t for well in planes.values() for key, _ in well))),
        t_s=tuple(sorted(index.t_s.items())),
        z_planes=tuple(range(1, 1 + max(key.z for well in planes.values() for key, _ in well))),
        z_um=tuple(sorted(index.z_um.items())),
        y_is_up=index.y_is_up,
        samples=choose_samples(steps, everywhere, modules),
    )
    labels = _labels_by_well(index, label_names)
    return tuple(
        _with_hash(
            replace(
                plan,
                well=well,
                planes=tuple(planes[well]),
                positions_um=tuple(positions[well]),
                labels=tuple(labels[well]),
                origin=index.origins.get(well, ""),
            )
        )
        for well in chosen
    )


def plans_to_json(plans: Iterable[WellPlan]) -> bytes:
    """Plans as the text that the runner process reads; samples that plans share are written once."""
    groups: dict[tuple[str, ...], tuple[int, tuple[PlaneSample, ...]]] = {}
    content = []
    for plan in plans:
        digests = tuple(sample.digest for sample in plan.samples)
        number, _ = groups.setdefault(digests, (len(groups), plan.samples))
        content.append((number, replace(plan, samples=())))
    return _plans_adapter().dump_json(_Plans(tuple(samples for _, samples in groups.values()), tuple(content)))


def plans_from_json(text: bytes | str) -> tuple[WellPlan, ...]:
    """Plans as `plans_to_json` wrote them; equal to the ones given to it.

    Raises:
        StoreError: the text holds no plans.
    """
    try:
        content = _plans_adapter().validate_json(text)
        return tuple(replace(plan, samples=content.samples[number]) for number, plan in content.plans)
    except ValidationError as error:
        raise StoreError(f"well plans: {error.error_count()} faults in the JSON; expected plans.") from error
    except IndexError as error:
        raise StoreError("well plans: a sample that plans need is missing in the JSON; expected plans.") from error


@dataclass(frozen=True, slots=True)
class _Plans:
    """Plans without their samples, each with the number of those, which would be most of the text if each had them."""

    samples: tuple[tuple[PlaneSample, ...], ...]
    plans: tuple[tuple[int, WellPlan], ...]


@cache
def _plans_adapter() -> TypeAdapter[_Plans]:
    return TypeAdapter(_Plans)  # built once: 10 ms


def _choose_wells(index: PlateIndex, wells: Sequence[str] | None) -> tuple[tuple[str, ...], list[Problem]]:
    existing = index.wells
    if not existing:
        return (), [Problem(f"the plate {index.name} has no image planes; expected at least one")]
    if wells is None:
        return existing, []
    if not wells:
        return (), [Problem("no well was asked for; expected at least one")]
    problems = [
        Problem(f"no such well; expected one of {_some(existing)}.{did_you_mean(well, existing)}", well=well)
        for well in dict.fromkeys(wells)
        if well not in existing
    ]
    return tuple(sorted(set(wells) & set(existing), key=well_position)), problems


def _choose_planes(
    index: PlateIndex, source: PlaneSource, wells: Sequence[str]
) -> tuple[Mapping[str, Sequence[tuple[PlaneKey, str]]], list[Problem]]:
    """The planes of the wanted kind, by well, and which wells have none."""
    planes: dict[str, list[tuple[PlaneKey, str]]] = defaultdict(list)
    for key, file in sorted(index.planes.items()):
        if (key.z == COMBINED) == (source is PlaneSource.PROJECTION):
            planes[key.well].append((key, file))
    without = [well for well in wells if well not in planes]
    if source is PlaneSource.STACK:
        message = "only projections are stored; expected z planes. Set `planes: projection` in the pipeline."
    else:
        message = "no projections are stored; expected some. Set `planes: stack` in the pipeline."
    if without and len(without) == len(wells):
        return planes, [Problem(message)]
    return planes, [Problem(message, well=well) for well in without]


def _takers_of_positions(steps: Iterable[Step], modules: tuple[str, ...]) -> Mapping[str, str]:
    """The steps that take stage positions, each with the function that does."""
    takers: dict[str, str] = {}
    for step in steps:
        for chain in step.pattern.values() if isinstance(step.pattern, Mapping) else (step.pattern,):
            for call in chain:
                if find_function(call.function, modules).takes_positions:
                    takers[step.name] = call.function
    return takers


def _positions_by_well(
    index: PlateIndex, planes: Mapping[str, Sequence[tuple[PlaneKey, str]]], wells: Sequence[str]
) -> tuple[Mapping[str, Sequence[tuple[int, float, float]]], Mapping[str, Sequence[int]]]:
    """(site, x, y) in micrometres by well, y downwards in the image, and the sites that have none."""
    wanted = {key: file for well in wells for key, file in planes[well]}
    told = stage_positions(replace(index, planes=wanted))
    positions: dict[str, list[tuple[int, float, float]]] = defaultdict(list)
    lacking: dict[str, list[int]] = defaultdict(list)
    for well, site in sorted({(key.well, key.site) for key in wanted}):
        if (well, site) in told:
            x, y = told[well, site]
            positions[well].append((site, x, -y if index.y_is_up else y))
        else:
            lacking[well].append(site)
    return positions, lacking


def _lack_of_positions(
    positions: Mapping[str, Sequence[tuple[int, float, float]]],
    lacking: Mapping[str, Sequence[int]],
    takers: Mapping[str, str],
) -> list[Problem]:
    """What is wrong where a step takes the position of a site that has none."""
    if not takers:
        return []
    step, function = next(iter(takers.items()))
    expected = "expected images or an index that tell them"
    if lacking and not positions:
        return [Problem(f"{function} needs stage positions, and the plate has none; {expected}", step=step)]
    return [
        Problem(
            f"{function} needs stage positions, and site {', '.join(map(str, sites))} has none; {expected}",
            well=well,
            step=step,
        )
        for well, sites in lacking.items()
    ]


def _labels_by_well(index: PlateIndex, names: Iterable[str]) -> Mapping[str, Sequence[tuple[str, PlaneKey, str]]]:
    """The planes of the plate's own label images of these names, by well."""
    labels: dict[str, list[tuple[str, PlaneKey, str]]] = defaultdict(list)
    for name in sorted(names):
        for key, file in index.labels[name].items():
            labels[key.well].append((name, key, file))
    return labels


def _with_hash(plan: WellPlan) -> WellPlan:
    """The plan with the digest of all of it but the root: a plate that moved keeps its results."""
    content = _plan_adapter().dump_python(plan, mode="json", exclude={"root", "hash", "samples"})
    content["samples"] = [sample.digest for sample in plan.samples]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return replace(plan, hash=hashlib.sha256(text.encode()).hexdigest())


@cache
def _plan_adapter() -> TypeAdapter[WellPlan]:
    return TypeAdapter(WellPlan)


@cache
def _library_versions() -> Mapping[str, str]:
    return {name: importlib.metadata.version(name) for name in _LIBRARIES}  # cached: 20 ms


def source_digest(module: str) -> str:
    """What stands for the version of a module of the user's, which seldom has one: a digest of its source."""
    spec = importlib.util.find_spec(module)
    source = Path(spec.origin).read_bytes() if spec is not None and spec.has_location and spec.origin else b""
    return f"sha256:{hashlib.sha256(source).hexdigest()[:16]}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 12 else f"{', '.join(names[:10])}, ... {names[-1]} ({len(names)} in all)"
