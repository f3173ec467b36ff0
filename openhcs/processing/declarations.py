"""What the author of a function may declare beside its result, for what is told before anything runs.

    def segment_nuclei(image: Image) -> Annotated[Labels, WorkingMemory(results=1, planes=12)]
    def project_maximum(image: Image) -> Projection
    def stretch(image: Image, *, low: float, high: float) -> Annotated[Image, Increasing("low", "high")]

Nothing has to be declared: without, memory is guessed generously and an image result may be of either size. That the
functions of the catalogue keep within what they declare is measured in `test_working_memory`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, TypeAlias

from openhcs.processing.types import Image

__all__ = ["UNDECLARED", "Combines", "Increasing", "Projection", "WorkingMemory"]


@dataclass(frozen=True, slots=True)
class WorkingMemory:
    """What a function takes at its peak beside its arguments, its result included.

    The sum of `stacks` times the stack it is given, `planes` times one plane of it, `results` times its result (all
    counted as float32, as large as the int32 of labels) and `mib` MiB. A table counts for nothing as a result.
    """

    stacks: float = 0
    planes: float = 0
    results: float = 0
    mib: float = 0


UNDECLARED = WorkingMemory(stacks=2, planes=10, results=2)
"""What is guessed of functions that declare nothing: few take more."""


@dataclass(frozen=True, slots=True)
class Combines:
    """The image result is `(Y, X)`, whatever the stack."""


@dataclass(frozen=True, slots=True)
class Increasing:
    """The parameter `low` must be less than `high`, or as much, where both are set; else every call fails."""

    low: str
    high: str
    or_equal: bool = False


Projection: TypeAlias = Annotated[Image, Combines()]
