"""One parameter of a processing function: which values it takes, in words and checked.

Forms and messages know of parameters before any function is there, so nothing here imports numpy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, TypeGuard

from openhcs.core.model import ParameterValue

if TYPE_CHECKING:
    from openhcs.processing.types import Bounds

__all__ = ["REQUIRED", "Parameter", "ParameterKind", "Required"]


class Required(Enum):
    """The type of `REQUIRED`."""

    REQUIRED = auto()

    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED: Final = Required.REQUIRED
"""The default of a parameter that has none."""


class ParameterKind(Enum):
    """What values a parameter takes; the value is the word for it in messages and forms."""

    BOOL = "true or false"
    INT = "a whole number"
    FLOAT = "a number"
    TEXT = "text"
    CHOICE = "one of a few words"
    LABELS = "the name of a label image"
    TABLE = "the name of a table"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a function that the user may set."""

    name: str
    kind: ParameterKind
    default: ParameterValue | Required = REQUIRED
    bounds: Bounds | None = None
    choices: tuple[str, ...] = ()
    optional: bool = False
    help: str = ""

    @property
    def expected(self) -> str:
        """What a value must be, in words: `a number from 0 to 1`."""
        words = self.kind.value
        if self.kind is ParameterKind.CHOICE:
            words = " or ".join(self.choices)
        low, high = self._limits
        if low is not None and high is not None:
            words += f" from {low:g} to {high:g}"
        elif low is not None:
            words += f", at least {low:g}"
        elif high is not None:
            words += f", at most {high:g}"
        return f"{words}, or nothing" if self.optional else words

    def check(self, value: ParameterValue) -> ParameterValue:
        """Return `value` as the function gets it: a whole number for a FLOAT becomes a float.

        Raises:
            ValueError: the value is of another kind or out of bounds; the message says what was expected.
        """
        if value is None and self.optional:
            return None
        match self.kind:
            case ParameterKind.BOOL if isinstance(value, bool):
                return value
            case ParameterKind.INT if _is_number(value) and value == int(value) and self._within(value):
                return int(value)
            case ParameterKind.FLOAT if _is_number(value) and self._within(value):
                return float(value)
            case ParameterKind.TEXT if isinstance(value, str):
                return value
            case ParameterKind.LABELS | ParameterKind.TABLE if isinstance(value, str) and value:
                return value
            case ParameterKind.CHOICE if value in self.choices:
                return value
        raise ValueError(f"{self.name}: {value!r}; expected {self.expected}")

    @property
    def _limits(self) -> tuple[float | None, float | None]:
        return (self.bounds.low, self.bounds.high) if self.bounds is not None else (None, None)

    def _within(self, value: float) -> bool:
        low, high = self._limits
        return (low is None or low <= value) and (high is None or value <= high)


def _is_number(value: ParameterValue) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
