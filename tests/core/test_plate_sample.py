"""Which planes of the plate something is learnt from, and how plans carry them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from openhcs.core.compiler import compile_plate, plans_from_json, plans_to_json
from openhcs.core.model import (
    COMBINED,
    Channel,
    Component,
    Pipeline,
    PlaneKey,
    PlaneSource,
    PlateIndex,
    Step,
    well_name,
)
from openhcs.core.pattern import normalise_pattern
from openhcs.core.plate_sample import spread_over_wells
from openhcs.errors import StoreError

CORRECT = "correct_plate_illumination"


def plate(rows: int = 4, columns: int = 6, sites: int = 4, channels: int = 2, zs: tuple[int, ...] = (1,)) -> PlateIndex:
    """The index of a plate that needs no files."""
    planes = {}
    for row in range(rows):
        for column in range(columns):
            well = well_name(row, column)
            for site in range(1, sites + 1):
                for channel in range(1, channels + 1):
                    for z in zs:
                        planes[PlaneKey(well, site, channel, z, 1)] = f"Images/{well}_s{site}_w{channel}_z{z}.tiff"
    return PlateIndex(
        root="/plate",
        name="plate",
        format="ImageXpress",
        rows=rows,
        columns=columns,
        channels=tuple(Channel(number, f"ch {number}") for number in range(1, channels + 1)),
        planes=planes,
    )


def pipeline(functions: object = CORRECT, **changes: object) -> Pipeline:
    return replace(Pipeline("p", (Step("s", normalise_pattern(functions), (Component.Z,)),)), **changes)  # type: ignore[arg-type]


def planes_of(well: str, count: int) -> list[tuple[PlaneKey, str]]:
    return [(PlaneKey(well, site, 1, 1, 1), f"{well}-{site}") for site in range(1, count + 1)]


@pytest.mark.parametrize(("rows", "columns", "sites"), [(8, 12, 9), (16, 24, 4), (32, 48, 1), (2, 4, 9)])
def test_wells_sites_and_columns_have_equal_shares(rows: int, columns: int, sites: int) -> None:
    """Of 64 planes: no well twice where there are more wells; rows, columns and sites differ by a few at most."""
    wells = [planes_of(well_name(row, column), sites) for row in range(rows) for column in range(columns)]
    sample = spread_over_wells(wells, 64)
    assert len(set(sample)) == 64
    assert max(Counter(key.well for key, _ in sample).values()) <= max(1, 64 // (rows * columns) + 2)
    for part, parts in (
        (lambda key: key.site, sites),
        (lambda key: key.well[:-2], rows),
        (lambda key: key.well[-2:], columns),
    ):
        shares = Counter(part(key) for key, _ in sample)
        assert max(shares.values()) <= 64 / parts + 5, shares
        if 64 / parts >= 5:
            assert len(shares) == parts, shares


def test_a_well_of_few_planes_does_not_shorten_the_sample() -> None:
    """Others stand in for what a well lacks; a plate of fewer planes gives all of them."""
    wells = [planes_of("A01", 1), [], planes_of("A02", 9)]
    assert len(spread_over_wells(wells, 8)) == 8
    assert len(spread_over_wells(wells, 10)) == len(spread_over_wells(wells, 64)) == 10


def test_the_sample_is_the_plates_whatever_is_run() -> None:
    """One well, or one site, has the plan's sample of a run of all; a well has the same hash."""
    index = plate()
    whole = compile_plate(index, pipeline())
    (one,) = compile_plate(index, pipeline(), ["B03"])
    assert one == next(plan for plan in whole if plan.well == "B03")
    part = replace(index, planes={key: file for key, file in index.planes.items() if key.site == 2})
    (site,) = compile_plate(part, pipeline(), ["B03"], whole=index)
    assert site.samples == one.samples
    assert len(site.planes) < len(one.planes)


def test_another_sample_is_another_plan() -> None:
    """Plates and pipelines that differ only in what is learnt from have other hashes."""
    (one,) = compile_plate(plate(), pipeline(), ["B03"])
    (fewer,) = compile_plate(plate(), pipeline([{CORRECT: {"sample_planes": 32}}]), ["B03"])
    (smaller,) = compile_plate(plate(rows=3), pipeline(), ["B03"])
    assert len({plan.hash for plan in (one, fewer, smaller)}) == 3
    (moved,) = compile_plate(replace(plate(), root="/elsewhere"), pipeline(), ["B03"])
    assert moved.hash == one.hash


def test_only_channels_that_are_corrected_are_sampled() -> None:
    """By number or by name; of two functions that want the same planes, once."""
    by_channel = {"ch 2": [CORRECT, "estimate_plate_illumination"]}
    (plan, *_) = compile_plate(plate(channels=3), pipeline(by_channel))
    assert [(sample.channel, sample.site, sample.asked) for sample in plan.samples] == [(2, COMBINED, 64)]
    assert {key.channel for key, _ in plan.samples[0].planes} == {2}
    (none, *_) = compile_plate(plate(), pipeline("gaussian_blur"))
    assert none.samples == ()


def test_projections_and_stacks_are_not_mixed() -> None:
    """The sample is of the kind of planes that the pipeline starts from, of every z."""
    index = plate(zs=(COMBINED, 1, 2, 3))
    for source, heights in ((PlaneSource.STACK, {1, 2, 3}), (PlaneSource.PROJECTION, {COMBINED})):
        (plan, *_) = compile_plate(index, pipeline(planes=source))
        assert {key.z for key, _ in plan.samples[0].planes} == heights


def test_sites_can_be_told_apart() -> None:
    """Each site has a sample of its own, of that site in all wells."""
    (plan, *_) = compile_plate(plate(), pipeline([{CORRECT: {"sample_by_site": True, "sample_planes": 20}}]))
    assert [(sample.channel, sample.site) for sample in plan.samples] == [
        (channel, site) for channel in (1, 2) for site in (1, 2, 3, 4)
    ]
    for sample in plan.samples:
        assert len({key.well for key, _ in sample.planes}) == 20
        assert {key.site for key, _ in sample.planes} == {sample.site}


def test_plans_of_a_large_plate_carry_the_sample_once() -> None:
    """1,536 wells, four channels: the plans' text grows by less than a tenth, and is read back as it was."""
    index = plate(rows=32, columns=48, sites=2, channels=4)
    plain = plans_to_json(compile_plate(index, pipeline("gaussian_blur")))
    plans = compile_plate(index, pipeline())
    text = plans_to_json(plans)
    assert sum(len(sample.planes) for sample in plans[0].samples) == 4 * 64
    assert len(text) - len(plain) < 0.1 * len(plain)
    back = plans_from_json(text)
    assert back == plans
    assert back[0].samples is back[-1].samples


def test_text_that_lacks_a_sample_holds_no_plans() -> None:
    """It is refused by name."""
    text = plans_to_json(compile_plate(plate(), pipeline())).replace(b"[[0,", b"[[1,", 1)
    with pytest.raises(StoreError, match="a sample that plans need is missing"):
        plans_from_json(text)
