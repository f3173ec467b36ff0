"""The shape of a plate format. A new one is a class with these members; `docs/guides/adding-a-format.md` says how."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from openhcs.core.model import PlateIndex

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["PlateFormat"]


@runtime_checkable
class PlateFormat(Protocol):
    """How the folders of one make of microscope are read; implementations keep no state."""

    @property
    def name(self) -> str:
        """The name users see and `PlateIndex.format` holds."""

    @property
    def looked_for(self) -> str:
        """What `recognises` looks for, in words that follow "looked for"."""

    def recognises(self, folder: Path) -> bool:
        """Whether `folder` looks like a plate of this format, told from as little as possible: names, a first line.

        Raises:
            PlateError: the folder cannot be listed.
        """

    def index(self, folder: Path) -> PlateIndex:
        """Every plane in `folder` and what the metadata tells; raises `PlateError`."""

    def read_plane(self, path: Path) -> npt.NDArray[np.generic]:
        """The pixels `(Y, X)` of one plane, as stored, counts; raises `PlaneError` naming file and cause."""

    def stage_positions(self, index: PlateIndex) -> Mapping[tuple[str, int], tuple[float, float]]:
        """The stage position (x, y) in micrometres of each (well, site) that has one; may read a file for each."""
