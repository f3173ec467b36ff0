"""What can be asked of a run's log, and what is answered: values, light enough for any front end.

`run_log` answers. Standard library only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

__all__ = ["LogKind", "LogLevel", "LogPage", "LogQuery"]


class LogKind(Enum):
    """Which log; the value is the word for it."""

    EVENTS = "What happened"
    PRINTED = "What was printed"


class LogLevel(Enum):
    """How bad a line must be to be shown; the value is the word for it."""

    ALL = "all lines"
    WARNINGS = "warnings and errors"
    ERRORS = "errors"


@dataclass(frozen=True, slots=True)
class LogQuery:
    """What is asked of a log: lines of a well (empty: of all), of a level, what to search, which blocks of lines."""

    kind: LogKind = LogKind.EVENTS
    well: str = ""
    level: LogLevel = LogLevel.ALL
    search: str = ""
    blocks: frozenset[int] = frozenset()

    @property
    def is_filtered(self) -> bool:
        """Whether some lines are left out."""
        return bool(self.well) or self.level is not LogLevel.ALL


@dataclass(frozen=True, slots=True)
class LogPage:
    """A log at one moment: `total` lines; the numbers of those that a filter lets `passing` (None: all) and a search
    `found`, rising; and the texts of some blocks of lines, `block_of(number)` being the block and the place in it.
    """

    path: Path
    total: int
    passing: Sequence[int] | None
    found: Sequence[int]
    blocks: Mapping[int, Sequence[str]]
    block_of: Callable[[int], tuple[int, int]]
    is_behind: bool
