"""Every error this project raises on purpose, in one tree.

    OpenHCSError
    ├── InputError                  what the user gave cannot be used (exit code 2)
    │   ├── PlateError              a folder is not a plate, or not a readable one   (ValueError)
    │   ├── PipelineError           a pipeline file or step is wrong                 (ValueError)
    │   ├── SettingsError           a setting is wrong                               (ValueError)
    │   └── NoRoomError             a run needs more memory or disk than there is    (RuntimeError)
    ├── PlaneError                  an image file is missing, truncated or odd       (OSError)
    ├── SampleError                 too few images of the plate can be read          (OSError)
    │   └── PlateLostError          the plate's whole folder is gone or unreadable   (OSError)
    ├── StoreError                  results could not be written or read             (OSError)
    │   ├── DiskFullError           there is no room left for results                (OSError)
    │   └── TableChangedError       a table changed while somebody looks at it       (OSError)
    ├── WellError                   a well failed: well, step, plane and cause named (RuntimeError)
    ├── RunError                    the runner process failed or vanished            (RuntimeError)
    └── TerminalError               this terminal cannot show the workbench          (RuntimeError)

Each is also the builtin it resembles, so that a caller who knows nothing of us can catch it. A message reads
`<what failed>: <value>; expected <...>. <next step>`. Nothing parses messages: what a program needs is a field.

Standard library only; anybody may import this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "DiskFullError",
    "InputError",
    "NoRoomError",
    "OpenHCSError",
    "PipelineError",
    "PlaneError",
    "PlateError",
    "PlateLostError",
    "Problem",
    "RunError",
    "SampleError",
    "SettingsError",
    "StoreError",
    "TableChangedError",
    "TerminalError",
    "TurnsError",
    "WellError",
]


class OpenHCSError(Exception):
    """The root of the tree."""


class InputError(OpenHCSError):
    """What the user gave cannot be used; the message says what was expected."""


class PlateError(InputError, ValueError):
    """A folder is not a plate of a known format, or the plate cannot be read."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a pipeline or a plate, placed as exactly as is known.

    `well` names one well, or all that have the problem as people write them: `A01-A12, B03`. None means any well.
    `line`, from 1, is that of the file it stands in.
    """

    message: str
    well: str | None = None
    step: str | None = None
    parameter: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        well = "wells" if self.well is not None and ("," in self.well or "-" in self.well) else "well"
        place = ", ".join(
            f"{word} {value}"
            for word, value in ((well, self.well), ("step", self.step), ("parameter", self.parameter))
            if value is not None
        )
        message = self.message if self.line is None else f"line {self.line}: {self.message}"
        return f"{place}: {message}" if place else message


class PipelineError(InputError, ValueError):
    """A pipeline cannot be read or compiled; `problems` holds every fault found, not only the first."""

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join([message, *(f"- {problem}" for problem in self.problems)]))


class SettingsError(InputError, ValueError):
    """A settings file or value cannot be used."""


class NoRoomError(InputError, RuntimeError):
    """A run needs more memory or disk than there is; `problems` say how much, and what would fit."""

    def __init__(self, message: str, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join([message, *(f"- {problem}" for problem in self.problems)]))


class PlaneError(OpenHCSError, OSError):
    """One image file cannot be read as the plane the index promised."""


class PlateLostError(PlaneError):
    """The plate's own folder is gone or cannot be read: no other image of it can be either."""


class SampleError(OpenHCSError, OSError):
    """Too few of the planes that something about the whole plate is learnt from can be used."""


class StoreError(OpenHCSError, OSError):
    """Results could not be written or read back."""


class DiskFullError(StoreError):
    """The disk or the quota is full: nothing else can be written there either."""


class TurnsError(StoreError):
    """Which run has its turn can be neither kept nor read."""


class TableChangedError(StoreError):
    """A table is no longer what was opened: a run goes on. Opened again it can be read."""


class WellError(OpenHCSError, RuntimeError):
    """One well failed; the fields say where, `__cause__` says why."""

    def __init__(
        self,
        message: str,
        *,
        well: str,
        step: str | None = None,
        plane: str | None = None,
        file: str | None = None,
    ) -> None:
        self.well = well
        self.step = step
        self.plane = plane
        self.file = file
        super().__init__(message)


class RunError(OpenHCSError, RuntimeError):
    """The runner process failed to start, refused a request or vanished."""


class TerminalError(OpenHCSError, RuntimeError):
    """This terminal cannot show the workbench; the message names the headless command."""
