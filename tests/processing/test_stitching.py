"""Sites cut from a known picture come together again, and what cannot be known is said."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest

from openhcs.processing.overlaps import Pair, solve_positions
from openhcs.processing.stitching import align_sites, stitch_sites
from openhcs.processing.types import SitePositions, Table
from tests.processing.mosaics import DARK_COUNTS, PIXEL_SIZE_UM, CutMosaic, cut_mosaic, vignette


@pytest.fixture(scope="module")
def cut() -> CutMosaic:
    """3 x 3 sites with 10 % overlap, up to 8 px off, with noise and an uneven lamp."""
    return cut_mosaic(light=vignette(400))


@pytest.fixture(scope="module")
def alignment(cut: CutMosaic) -> Table:
    """What `align_sites` finds on them."""
    return align_sites(cut.image, positions=cut.positions, pixel_size_um=PIXEL_SIZE_UM)


def errors_px(table: Table, cut: CutMosaic) -> np.ndarray:
    found = np.column_stack([table["shift_y_px"], table["shift_x_px"]])
    assert np.all(np.abs(found.mean(axis=0)) <= 0.5)
    return np.linalg.norm(found - found.mean(axis=0) - cut.true_shifts, axis=1)


def test_positions_are_found_within_half_a_pixel(cut: CutMosaic, alignment: Table) -> None:
    """Noise, vignette and play of the stage notwithstanding; every one of the 12 pairs is used."""
    errors = errors_px(alignment, cut)
    assert np.median(errors) < 0.5
    assert errors.max() < 1
    assert alignment["pairs"].sum() == 2 * 12
    assert alignment["pairs_rejected"].sum() == 0
    assert np.all(alignment["residual_px"] < 0.5)


def test_a_mosaic_is_the_picture_it_was_cut_from(cut: CutMosaic, alignment: Table) -> None:
    """With the light known and taken out, smoothed counts differ by less than 2 % from the picture."""
    even = (cut.image - DARK_COUNTS) / vignette(400)
    mosaic = stitch_sites(even, positions=cut.positions, pixel_size_um=PIXEL_SIZE_UM, alignment=alignment)
    # The picture's pixel that is the mosaic's first: of the first site's corner, less where it came to lie.
    placed = [alignment[name][0] for name in ("shift_y_px", "shift_x_px")]
    corner = np.rint(cut.true_px[0] - placed).astype(int)
    margin = 12
    inner = tuple(slice(margin, size - margin) for size in mosaic.shape)
    truth = cut.picture[corner[0] :, corner[1] :][: mosaic.shape[0], : mosaic.shape[1]][inner]

    def blocks(image: np.ndarray) -> np.ndarray:
        height, width = (side // 16 * 16 for side in image.shape)
        return image[:height, :width].reshape(height // 16, 16, width // 16, 16).mean(axis=(1, 3))

    difference = np.abs(blocks(mosaic[inner]) / blocks(truth) - 1)
    assert np.median(difference) < 0.01
    assert np.percentile(difference, 95) < 0.02
    by_stage = stitch_sites(even, positions=cut.positions, pixel_size_um=PIXEL_SIZE_UM)
    assert by_stage.shape == mosaic.shape
    assert np.percentile(np.abs(blocks(by_stage[inner]) / blocks(truth) - 1), 95) > 0.1


def test_overlaps_without_signal_leave_the_sites_where_the_stage_was() -> None:
    """Noise alone gives no pair; the warning names the sites."""
    dark = cut_mosaic(cells_per_mpx=0)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        table = align_sites(dark.image, positions=dark.positions, pixel_size_um=PIXEL_SIZE_UM)
    messages = [str(warning.message) for warning in told]
    assert any("show nothing in common, left out: sites 1-2, 1-4" in message for message in messages)
    assert any("placed by the stage: site 1, 2, 3, 4, 5, 6, 7, 8, 9" in message for message in messages)
    assert np.all(table["shift_y_px"] == 0)
    assert np.all(np.isnan(table["residual_px"]))
    assert table["pairs_rejected"].sum() == 24


def test_one_empty_site_costs_only_itself(cut: CutMosaic) -> None:
    """A site without signal in a corner stays near the stage; the others are found as well as before."""
    image = cut.image.copy()
    image[8] = np.random.default_rng(0).normal(DARK_COUNTS, 6, image[8].shape)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        table = align_sites(image, positions=cut.positions, pixel_size_um=PIXEL_SIZE_UM)
    assert [str(warning.message) for warning in told] == [
        "overlaps that show nothing in common, left out: sites 6-9, 8-9",
        "no overlap to align by, placed by the stage: site 9",
    ]
    assert table["pairs"][8] == 0
    assert table["pairs_rejected"][8] == 2
    shifts = np.column_stack([table["shift_y_px"], table["shift_x_px"]])[:8]
    errors = (cut.true_px - cut.stage_px)[:8]
    assert np.linalg.norm((shifts - shifts.mean(axis=0)) - (errors - errors.mean(axis=0)), axis=1).max() < 1


def test_a_pair_that_the_others_contradict_is_left_out() -> None:
    """One clear but wrong pair among those of a 3 x 3 grid changes nothing."""
    places = np.array([(90.0 * row, 90.0 * column) for row in range(3) for column in range(3)])
    true = places + np.random.default_rng(3).uniform(-8, 8, places.shape)
    true += (places - true).mean(axis=0)
    ends = [(0, 1), (1, 2), (3, 4), (4, 5), (6, 7), (7, 8), (0, 3), (3, 6), (1, 4), (4, 7), (2, 5), (5, 8)]
    pairs = [Pair(one, other, tuple(true[other] - true[one]), 0.9) for one, other in ends]
    wrong = replace(pairs[2], offset=(pairs[2].offset[0] + 20, pairs[2].offset[1] - 15))
    solved, used = solve_positions(places, [*pairs[:2], wrong, *pairs[3:]], 3)
    assert wrong not in used
    assert len(used) == 11
    assert np.abs(solved - true).max() < 0.01


@pytest.mark.parametrize("blend", ["linear", "none"])
def test_even_sites_make_an_even_mosaic(blend: str) -> None:
    """Where sites agree, the seams cannot be seen, and counts are what they were."""
    place_um = np.array([(0.0, 0.0), (0.0, 45.0), (45.0, 0.0), (45.0, 45.0)])
    positions = SitePositions(np.arange(1, 5), place_um, place_um)
    mosaic = stitch_sites(
        np.full((4, 100, 100), 40_000, np.float32), positions=positions, pixel_size_um=0.5, blend=blend
    )
    assert mosaic.shape == (190, 190)
    assert np.allclose(mosaic, 40_000, rtol=1e-6)


def test_a_site_is_where_the_stage_was() -> None:
    """Positions in micrometres become places in pixels, y down and x right; `none` takes the nearer site."""
    place_um = np.array([(0.0, 0.0), (50.0, 10.0)])
    positions = SitePositions(np.array([1, 2]), place_um, place_um)
    image = np.stack([np.full((60, 60), value, np.float32) for value in (1, 2)])
    with pytest.warns(UserWarning, match=r"of the mosaic is covered by no site and is 0"):
        mosaic = stitch_sites(image, positions=positions, pixel_size_um=1, blend="none")
    assert mosaic.shape == (110, 70)
    assert (mosaic[0, 0], mosaic[109, 69], mosaic[30, 65], mosaic[109, 0]) == (1, 2, 0, 0)
    assert (mosaic[53, 30], mosaic[57, 30]) == (1, 2)


@pytest.mark.parametrize(("missing", "hole"), [([4], np.s_[420:700, 420:700]), ([6, 7, 8], np.s_[780:, :])])
def test_missing_sites_leave_a_hole_of_their_size(
    cut: CutMosaic, alignment: Table, missing: list[int], hole: tuple[slice, slice]
) -> None:
    """The mosaic of a channel or time point that lacks sites has the size of the others, also at its edge."""
    rest = np.delete(np.arange(9), missing)
    whole = cut.positions
    positions = SitePositions(whole.sites[rest], whole.planes_um[rest], whole.well_um)
    rows = {name: column[rest] for name, column in alignment.items()} | {"plane": np.arange(len(rest))}
    with pytest.warns(UserWarning, match="covered by no site"):
        mosaic = stitch_sites(cut.image[rest], positions=positions, pixel_size_um=PIXEL_SIZE_UM, alignment=rows)
    assert mosaic.shape == (1120, 1120)
    assert np.all(mosaic[hole] == 0)


def test_what_cannot_be_one_mosaic_is_refused(cut: CutMosaic, alignment: Table) -> None:
    """A site twice in the stack or the alignment, a table of another kind, and sites far apart."""
    whole = cut.positions
    twice = replace(whole, sites=np.array([1, 1, *range(3, 10)]))
    with pytest.raises(ValueError, match="site 1 occurs 2 times"):
        stitch_sites(cut.image, positions=twice, pixel_size_um=PIXEL_SIZE_UM)
    doubled = {name: np.concatenate([column, column]) for name, column in alignment.items()}
    with pytest.raises(ValueError, match="Align one channel only"):
        stitch_sites(cut.image, positions=whole, pixel_size_um=PIXEL_SIZE_UM, alignment=doubled)
    with pytest.raises(ValueError, match="without a column shift_y_px"):
        stitch_sites(cut.image, positions=whole, pixel_size_um=PIXEL_SIZE_UM, alignment={"plane": np.arange(9)})
    far = replace(whole, planes_um=whole.planes_um * 1000, well_um=whole.well_um * 1000)
    with pytest.raises(ValueError, match="expected sites that lie beside each other"):
        stitch_sites(cut.image, positions=far, pixel_size_um=PIXEL_SIZE_UM)


def test_a_site_without_alignment_is_placed_by_the_stage(cut: CutMosaic, alignment: Table) -> None:
    """And named."""
    rows = {name: column[:8] for name, column in alignment.items()}
    with pytest.warns(UserWarning, match="no alignment of site 9; placed by the stage"):
        stitch_sites(cut.image, positions=cut.positions, pixel_size_um=PIXEL_SIZE_UM, alignment=rows)
