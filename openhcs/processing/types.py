"""What the parameters and results of a processing function mean; the engine reads these annotations.

A processing function is pure and takes and returns arrays:

    def project_maximum(image: Image) -> Image                            image -> image
    def segment_nuclei(image: Image, *, sigma_px: float = 2) -> Labels    image -> label image
    def measure_objects(image: Image, labels: Labels, ...) -> Table       label image -> rows

- The first parameter is the stack `image: (N, Y, X) float32`, planes that differ in the step's variable components.
- An `Image` result is `(N, Y, X)` (one plane for each given) or `(Y, X)` (the stack combined into one plane).
- A `Labels` parameter is filled with the label image of that name at the same place: `(N, Y, X) int32`, 0 is
  background. In a pipeline file its value is the name of a label image that an earlier step wrote.
- A `Labels` result has the shape of an `Image` result, and is kept under the step's `output`; the planes stay as
  they were, and images that the same step made on the way serve that result only.
- A `Table` result is a dict of equally long columns, kept under the step's `output`. The engine adds the columns that
  say where the rows come from: plate, well, site, channel, z, t. A column `plane` (index into N) tells the planes of a
  stack apart; without it the stack must be one plane.
- A `Mosaic` result is an image of any size, `(Y, X)`: the stack, which must be of sites alone, combined into one plane.
- A `Table` parameter names a table that an earlier step wrote, and is filled with its rows of the same sites, z and t,
  whatever the channel; its column `plane` (index into N) says which plane of the stack each row is about.
- A `StagePositions` parameter is named `positions`, is filled with where the stage stood for each plane of the stack,
  and is not the user's to set. Such a step needs `site` among its variable components.
- A `PixelSizeUm` parameter is named `pixel_size_um`, is filled with the plate's pixel size in micrometres and is not
  the user's to set. With the default None the function does without where the size is unknown; with no default the
  function needs it.
- A parameter annotated with `FromPlate(estimate)` is filled with what `estimate` makes of planes from all over the
  plate: a sequence, one estimate for each plane of the stack, that of the plane's channel.

      def fit_light(sample: PlateSample, *, degree: int = 4) -> Light
      def divide_by_light(image: Image, *, light: Annotated[Sequence[Light], FromPlate(fit_light)]) -> Image

  The parameters of `estimate` are the user's to set like the function's own; those that both have get one value. The
  engine adds two: `sample_planes`, how many planes to take, and `sample_by_site`, whether sites are told apart. It
  chooses the planes, reads them as they are stored, and keeps the estimate for the wells that follow: make it small.

What more a function may declare beside its result, such as the memory it works in, is in `declarations`.

Every other parameter is the user's: keyword-only and of type bool, int, float, str or a `Literal` of texts, a number
within bounds where it has some (`Annotated[float, Bounds(0, 1)]`), any of them `| None`. Without a default the user
must set it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Annotated, Any, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = [
    "Bounds",
    "FromPlate",
    "Image",
    "Labels",
    "Mosaic",
    "PixelSizeUm",
    "PlateSample",
    "Role",
    "SitePositions",
    "StagePositions",
    "Table",
]


class Role(Enum):
    """What the engine passes for, or does with, a value so annotated."""

    IMAGE = auto()
    LABELS = auto()
    TABLE = auto()
    PIXEL_SIZE_UM = auto()
    MOSAIC = auto()
    STAGE_POSITIONS = auto()
    PLATE_SAMPLE = auto()


@dataclass(frozen=True, slots=True)
class Bounds:
    """The closed interval a number must lie in; None leaves a side open."""

    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class FromPlate:
    """Fills a parameter with what `estimate` makes of planes of the plate.

    `estimate` is a pure function of the module's top level: a `PlateSample` first, then parameters of the user's. It
    may go over the sample more than once; each time the files are read anew.
    """

    estimate: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class SitePositions:
    """Where the stage stood for each plane of a stack, in micrometres; only differences mean anything.

    `sites` are the site numbers of the planes, (N,). `planes_um` are their positions, (N, 2): y, which grows downwards
    in the image, and x. `well_um`, (M, 2), are those of all sites of the well, also of such as have no plane in this
    stack, so that what is laid out by them has the same size for every channel and time point.
    """

    sites: npt.NDArray[np.intp]
    planes_um: npt.NDArray[np.float64]
    well_um: npt.NDArray[np.float64]


Image: TypeAlias = Annotated[npt.NDArray[np.float32], Role.IMAGE]
Labels: TypeAlias = Annotated[npt.NDArray[np.int32], Role.LABELS]
Table: TypeAlias = Annotated[Mapping[str, npt.NDArray[np.generic]], Role.TABLE]
PixelSizeUm: TypeAlias = Annotated[float | None, Role.PIXEL_SIZE_UM]
Mosaic: TypeAlias = Annotated[npt.NDArray[np.float32], Role.MOSAIC]
StagePositions: TypeAlias = Annotated[SitePositions, Role.STAGE_POSITIONS]
PlateSample: TypeAlias = Annotated[Iterable[npt.NDArray[np.float32]], Role.PLATE_SAMPLE]
