"""What a processing function may return, checked before it goes on, and where in the work that was.

`openhcs.processing.types` says what functions return; here is what happens when one does not. Imported by `worker`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from openhcs.core.model import Component, PlaneKey, WellPlan
from openhcs.core.tables import Rows
from openhcs.errors import WellError

__all__ = [
    "FloatArray",
    "LabelArray",
    "Place",
    "checked_image",
    "checked_labels",
    "checked_mosaic",
    "checked_rows",
    "rows_at",
    "size_text",
]

FloatArray = npt.NDArray[np.float32]
LabelArray = npt.NDArray[np.int32]

_PLACE_COLUMNS = ("plate", "well", "site", "channel", "z", "t", "t_s")
_PLANE_COLUMN = "plane"


@dataclass(frozen=True, slots=True)
class Place:
    """A function called on some planes in a step of a well."""

    well: str
    step: str
    function: str
    keys: Sequence[PlaneKey]

    def error(self, message: str) -> WellError:
        """The well's failure here, for this reason."""
        first, last = self.keys[0], self.keys[-1]
        plane = str(first) if first == last else f"{first} to {last}"
        return WellError(f"{self.function}: {message}", well=self.well, step=self.step, plane=plane)


def checked_image(result: object, shape: tuple[int, ...], at: Place) -> tuple[FloatArray, bool]:
    """An image result as `(N, Y, X)` float32, and whether it was `(Y, X)`: the stack `shape` combined into one."""
    image, combined = _checked_array(result, shape, at)
    if image.dtype.kind not in "fiub":
        raise at.error(f"image result of type {image.dtype}; expected real numbers.")
    bad = image.size - int(np.count_nonzero(np.isfinite(image)))
    if bad:
        raise at.error(f"{bad} of {image.size} pixels of the image result are not finite; expected numbers only.")
    return image.astype(np.float32, copy=False), combined


def checked_mosaic(result: object, at: Place) -> FloatArray:
    """A mosaic as `(1, Y, X)` float32; it has a size of its own."""
    if not isinstance(result, np.ndarray) or result.ndim != 2 or 0 in result.shape:
        what = size_text(result.shape) if isinstance(result, np.ndarray) else type(result).__name__
        raise at.error(f"mosaic of {what}; expected an array (Y, X).")
    image, _ = checked_image(result, (1, *result.shape), at)
    return image


def checked_labels(result: object, shape: tuple[int, ...], at: Place) -> tuple[LabelArray, bool]:
    """A label result as `(N, Y, X)` int32, and whether it was `(Y, X)`: the stack `shape` combined into one."""
    labels, combined = _checked_array(result, shape, at)
    if labels.dtype.kind not in "iu":
        raise at.error(f"label result of type {labels.dtype}; expected integers, 0 being the background.")
    if labels.size and (labels.min() < 0 or labels.max() > np.iinfo(np.int32).max):
        raise at.error(f"labels from {labels.min()} to {labels.max()}; expected 0 to {np.iinfo(np.int32).max}.")
    return labels.astype(np.int32, copy=False), combined


def _checked_array(result: object, shape: tuple[int, ...], at: Place) -> tuple[npt.NDArray[Any], bool]:
    if not isinstance(result, np.ndarray):
        raise at.error(f"result of type {type(result).__name__}; expected an array.")
    if result.shape not in (shape, shape[1:]):
        raise at.error(f"result of {size_text(result.shape)}; expected {size_text(shape)} or {size_text(shape[1:])}.")
    return (result, False) if result.ndim == 3 else (result[np.newaxis], True)


def checked_rows(result: object, keys: Sequence[PlaneKey], plan: WellPlan, at: Place) -> Rows:
    """A table result with the columns before it that say where each row comes from."""
    if not isinstance(result, Mapping):
        raise at.error(f"table result of type {type(result).__name__}; expected a mapping from names to columns.")
    columns = {str(name): np.asarray(column) for name, column in result.items()}
    shapes = {name: column.shape for name, column in columns.items()}
    if not columns or any(len(shape) != 1 for shape in shapes.values()) or len(set(shapes.values())) != 1:
        raise at.error(f"table result with columns of shapes {shapes}; expected equally long columns.")
    taken = sorted(set(columns) & set(_PLACE_COLUMNS))
    if taken:
        raise at.error(f"table result with the columns {', '.join(taken)}; expected none that the engine adds itself.")
    planes = columns.pop(_PLANE_COLUMN, None)
    (rows,) = next(iter(shapes.values()))
    if planes is None:
        if len(keys) != 1:
            raise at.error(f"table result without a column 'plane', of {len(keys)} planes; expected it to tell them.")
        planes = np.zeros(rows, dtype=np.intp)
    if planes.dtype.kind not in "iu" or (rows and not 0 <= planes.min() <= planes.max() < len(keys)):
        raise at.error(f"column 'plane' of a table result; expected whole numbers from 0 to {len(keys) - 1}.")
    places: dict[str, npt.NDArray[np.generic]] = {
        component.value: np.array([key.component(component) for key in keys], dtype=np.int64)[planes]
        for component in Component
    }
    if plan.t_s:
        seconds = dict(plan.t_s)
        places["t_s"] = np.array([seconds.get(key.t, np.nan) for key in keys], dtype=np.float64)[planes]
    return {"plate": np.full(rows, plan.plate), "well": np.full(rows, plan.well), **places, **columns}


def rows_at(parts: Sequence[Rows], keys: Sequence[PlaneKey]) -> Rows:
    """The rows of a table that are about the planes at `keys`, whatever their channel; `plane` says which plane."""
    places = {(key.site, key.z, key.t): plane for plane, key in enumerate(keys)}
    chosen: list[dict[str, npt.NDArray[np.generic]]] = []
    for part in parts:
        planes = np.array(
            [
                places.get((int(site), int(z), int(t)), -1)
                for site, z, t in zip(part["site"], part["z"], part["t"], strict=True)
            ],
            dtype=np.intp,
        )
        rows = planes >= 0
        columns = {name: column[rows] for name, column in part.items() if name not in _PLACE_COLUMNS}
        chosen.append({_PLANE_COLUMN: planes[rows], **columns})
    names = dict.fromkeys(name for part in chosen for name in part)
    return {name: np.concatenate([part[name] for part in chosen if name in part]) for name in names}


def size_text(shape: tuple[int, ...]) -> str:
    """A shape as people write it: `3 x 512 x 512`."""
    return " x ".join(map(str, shape)) or "no size"
