"""Stitching: the sites of a well become one mosaic, placed by the stage and, on request, by what their overlaps show.

Two functions, because what one channel shows serves all: `align_sites` measures in a channel with good contrast and
writes a table, `stitch_sites` puts the sites of any channel together by it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt

from openhcs.processing.arrays import Plane, mosaic_size
from openhcs.processing.declarations import WorkingMemory
from openhcs.processing.overlaps import Pair, measure_pairs, solve_positions
from openhcs.processing.types import Bounds, Image, Mosaic, PixelSizeUm, SitePositions, StagePositions, Table

__all__ = ["align_sites", "stitch_sites"]

_BAND_PX = 512
"""Rows of the mosaic that are made at a time, so that weights take little memory beside it."""

_UNCOVERED_UNTOLD = 0.02
"""Part of the mosaic that may be uncovered without a warning: alignment leaves a rim of a few pixels."""

_LEAST_COVERED = 0.05
"""Part of the mosaic that sites must cover; with less, they lie too far apart to be one picture."""


def align_sites(
    image: Image,
    *,
    positions: StagePositions,
    pixel_size_um: PixelSizeUm,
    max_shift_px: Annotated[float, Bounds(1, 500)] = 30,
    minimum_correlation: Annotated[float, Bounds(0.05, 1)] = 0.4,
    tolerance_px: Annotated[float, Bounds(0.5, 50)] = 3,
) -> Annotated[Table, WorkingMemory(stacks=0.1, planes=3, mib=2)]:
    """Find where the sites of a well truly lie, from what their overlaps show.

    Every two neighbours are compared by phase correlation in their overlap; all pairs together give the positions, by
    least squares weighted with the pairs' correlation. Pairs whose overlap shows nothing, or that the others
    contradict, are left out and told as warnings; a site without any pair stays where the stage was. Stack the
    sites (variable component `site`) of one channel with contrast in the overlaps. A pair that alone holds a site
    cannot be contradicted.

    Columns: plane, stage_y_px, stage_x_px, shift_y_px, shift_x_px, pairs, pairs_rejected, residual_px.

    Source: Preibisch, Saalfeld and Tomancak, Bioinformatics 25:1463 (2009) for phase correlation with a global
    solution; Chalfoun et al., Sci. Rep. 7:4988 (2017) for its use with stage positions;
    `skimage.registration.phase_cross_correlation`; `scipy.optimize.least_squares`.

    Args:
        image: (N, Y, X), any unit; the sites.
        positions: where the stage stood for each site.
        pixel_size_um: side of a pixel in micrometres.
        max_shift_px: how far, in pixels along each axis, two neighbours may lie from where the stage says; twice the
            error of a single position.
        minimum_correlation: correlation of an overlap, 0 to 1, under which it counts as showing nothing.
        tolerance_px: by how many pixels a pair may differ from the solution before it counts as contradicted.

    Returns:
        One row a site: its place by the stage (y downwards) and what to add to it, in pixels (0 in the mean, give or
        take half a pixel by which all are moved so that rounding loses least); how many pairs were used
        and rejected; the root mean square by which the pairs used differ from the solution, NaN without any.
    """
    _require_single_sites(positions)
    places = _in_pixels(positions.planes_um, pixel_size_um)
    measured = list(measure_pairs(image, places, max_shift_px))
    clear = [pair for pair in measured if pair.correlation >= minimum_correlation]
    solved, used = solve_positions(places, clear, tolerance_px)
    if used:
        solved = _on_pixels(solved, _in_pixels(positions.well_um, pixel_size_um).min(axis=0))
    _tell_rejected(measured, clear, used, positions.sites)
    squares: list[list[float]] = [[] for _ in places]
    rejected = np.zeros(len(places), dtype=np.int64)
    for pair in measured:
        for plane in (pair.first, pair.second):
            if pair in used:
                squares[plane].append(float(np.sum((solved[pair.second] - solved[pair.first] - pair.offset) ** 2)))
            else:
                rejected[plane] += 1
    shifts = solved - places
    return {
        "plane": np.arange(len(places), dtype=np.int32),
        "stage_y_px": places[:, 0],
        "stage_x_px": places[:, 1],
        "shift_y_px": shifts[:, 0],
        "shift_x_px": shifts[:, 1],
        "pairs": np.array([len(found) for found in squares], dtype=np.int64),
        "pairs_rejected": rejected,
        "residual_px": np.array([np.sqrt(np.mean(found)) if found else np.nan for found in squares]),
    }


def stitch_sites(
    image: Image,
    *,
    positions: StagePositions,
    pixel_size_um: PixelSizeUm,
    alignment: Table | None = None,
    blend: Literal["linear", "none"] = "linear",
) -> Annotated[Mosaic, WorkingMemory(planes=3, results=2.3)]:
    """Put the sites of a well together as one image.

    Sites are moved by whole pixels, so that counts stay as they were taken. The mosaic's size follows from the stage
    alone and is the same for every channel and time point; what an alignment moves over its edge is cut off. Places
    that no site covers are 0, with a warning above 2 % of the mosaic. Correct the illumination first, or the seams
    show.

    Source: Preibisch, Saalfeld and Tomancak, Bioinformatics 25:1463 (2009), on blending by the distance to the edge.

    Args:
        image: (N, Y, X), any unit; the sites.
        positions: where the stage stood for each site.
        pixel_size_um: side of a pixel in micrometres.
        alignment: name of the table that `align_sites` wrote in a step before, of one channel; its shifts serve all.
            Nothing places the sites by the stage alone.
        blend: `linear` mixes overlapping sites by their distance to the edge, `none` takes each pixel from the site in
            whose middle it lies most, which keeps the noise as it was.

    Returns:
        (Y, X), the unit of the image; the whole well.

    Raises:
        ValueError: a site occurs twice in the stack or in the alignment, or the sites lie far apart.
    """
    _require_single_sites(positions)
    places = _in_pixels(positions.planes_um, pixel_size_um)
    well = _in_pixels(positions.well_um, pixel_size_um)
    height, width = image.shape[1:]
    rows, columns = mosaic_size(well, (height, width))
    if len(well) * height * width < _LEAST_COVERED * rows * columns:
        raise ValueError(
            f"mosaic of {rows} x {columns} pixels: the {len(well)} sites of the well cover under "
            f"{_LEAST_COVERED:.0%} of it; expected sites that lie beside each other"
        )
    if alignment is not None:
        places = places + _shifts(alignment, positions.sites)
    corners = np.rint(places - well.min(axis=0)).astype(int)
    mosaic = np.zeros((rows, columns), dtype=np.float32)
    uncovered = 0
    for top in range(0, rows, _BAND_PX):
        band = mosaic[top : top + _BAND_PX]
        uncovered += _fill_band(band, image, corners - (top, 0), mix=blend == "linear")
    if uncovered > _UNCOVERED_UNTOLD * mosaic.size:
        warnings.warn(
            f"{uncovered / mosaic.size:.2%} of the mosaic is covered by no site and is 0", UserWarning, stacklevel=2
        )
    return mosaic


def _fill_band(band: Plane, image: npt.NDArray[np.float32], corners: npt.NDArray[np.int_], *, mix: bool) -> int:
    """Fill some rows of the mosaic, which are zero, and return how many of their pixels no site covers.

    Args:
        corners: (N, 2), where the first pixel of each site lies in the band; also outside of it.
    """
    height, width = image.shape[1:]
    edge_y = np.minimum(np.arange(1, height + 1), np.arange(height, 0, -1)).astype(np.float32)
    edge_x = np.minimum(np.arange(1, width + 1), np.arange(width, 0, -1)).astype(np.float32)
    weights = np.zeros_like(band)
    for plane, (y, x) in zip(image, corners, strict=True):
        rows, columns = _seen(y, height, band.shape[0]), _seen(x, width, band.shape[1])
        here = np.s_[rows.start + y : rows.stop + y, columns.start + x : columns.stop + x]
        if rows.start >= rows.stop or columns.start >= columns.stop:
            continue
        weight = np.minimum.outer(edge_y[rows], edge_x[columns])
        part = plane[rows, columns]
        if mix:
            band[here] += weight * part
            weights[here] += weight
        else:
            inner = weight > weights[here]
            band[here] = np.where(inner, part, band[here])
            weights[here] = np.maximum(weight, weights[here])
    covered = weights > 0
    if mix:
        np.divide(band, weights, out=band, where=covered)
    return int(covered.size - np.count_nonzero(covered))


def _seen(corner: int, size: int, room: int) -> slice:
    """The part of `size` pixels beginning at `corner` that lies within 0 to `room`, counted from the corner."""
    return slice(max(0, -corner), min(size, room - corner))


def _on_pixels(places: npt.NDArray[np.float64], origin: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """All places moved together, by half a pixel at most, to where rounding from `origin` loses the least.

    Overlaps say nothing about where the well as a whole lies. The fractions of a pixel are averaged as angles, for 0.9
    and 0.1 have their middle at 0.
    """
    fractions = np.angle(np.exp(2j * np.pi * (places - origin)).mean(axis=0)) / (2 * np.pi)
    return np.asarray(places - fractions, dtype=np.float64)


def _in_pixels(lengths_um: npt.NDArray[np.float64], pixel_size_um: float | None) -> npt.NDArray[np.float64]:
    assert pixel_size_um is not None, "the compiler has seen to it, since the parameter has no default"
    return lengths_um / pixel_size_um


def _require_single_sites(positions: SitePositions) -> None:
    sites, counts = np.unique(positions.sites, return_counts=True)
    if np.any(counts > 1):
        raise ValueError(
            f"site {sites[np.argmax(counts)]} occurs {counts.max()} times in the stack; expected each site once. "
            "Project or combine the other components in a step before"
        )


def _shifts(alignment: Table, sites: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """What to add to each site's place, (N, 2); 0 for sites that the alignment does not know, which is told."""
    planes = np.asarray(alignment.get("plane", np.zeros(0, dtype=np.intp)), dtype=np.intp)
    if len(np.unique(planes)) < len(planes):
        raise ValueError(
            "alignment: a site has several rows; expected one. Align one channel only, named by by_channel"
        )
    shifts = np.zeros((len(sites), 2))
    for axis, column in enumerate(("shift_y_px", "shift_x_px")):
        if planes.size and column not in alignment:
            raise ValueError(f"alignment without a column {column}; expected a table that align_sites wrote")
        if planes.size:
            shifts[planes, axis] = np.asarray(alignment[column], dtype=np.float64)
    if unknown := [str(site) for plane, site in enumerate(sites) if plane not in planes]:
        warnings.warn(f"no alignment of site {', '.join(unknown)}; placed by the stage", UserWarning, stacklevel=3)
    return shifts


def _tell_rejected(
    measured: Sequence[Pair], clear: Sequence[Pair], used: Sequence[Pair], sites: npt.NDArray[np.intp]
) -> None:
    """Warn of pairs that were left out and of sites that so stay where the stage was."""

    def names(pairs: Sequence[Pair]) -> str:
        return ", ".join(f"{sites[pair.first]}-{sites[pair.second]}" for pair in pairs)

    def told() -> Iterator[str]:
        if dim := [pair for pair in measured if pair not in clear]:
            yield f"overlaps that show nothing in common, left out: sites {names(dim)}"
        if odd := [pair for pair in clear if pair not in used]:
            yield f"overlaps that the others contradict, left out: sites {names(odd)}"
        placed = {plane for pair in used for plane in (pair.first, pair.second)}
        if loose := [str(site) for plane, site in enumerate(sites) if plane not in placed]:
            yield f"no overlap to align by, placed by the stage: site {', '.join(loose)}"

    for message in told():
        warnings.warn(message, UserWarning, stacklevel=3)
