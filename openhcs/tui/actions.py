"""Everything that can happen to the workbench, one small frozen value each; `state.reduce` says what follows.

Deliberately absent: behaviour. A task that ends dispatches one of these and never touches the state itself.

Anybody in the workbench may import this; it imports the engine's values only.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from openhcs.core.model import Pipeline, PlaneSource, Step
from openhcs.core.progress import RunProgress
from openhcs.errors import Problem
from openhcs.tui.workbench import Activity, Measure, PlateFacts, PlateView, Severity, WellValues

__all__ = [
    "Action",
    "ActivityChanged",
    "ClockTicked",
    "MeasureChosen",
    "MessageShown",
    "PaneZoomed",
    "PipelineLoaded",
    "PipelineRedone",
    "PipelineRenamed",
    "PipelineRewritten",
    "PipelineSaved",
    "PipelineUndone",
    "PlaneSourceChosen",
    "PlateCompiled",
    "PlateFailed",
    "PlateInitialised",
    "PlateSelected",
    "PlatesAdded",
    "PlatesMarked",
    "PlatesQueued",
    "PlatesRemoved",
    "PlatesRestored",
    "PlatesViewed",
    "RunProgressed",
    "RunWaits",
    "StepDeleted",
    "StepDuplicated",
    "StepInserted",
    "StepMoved",
    "StepReplaced",
    "StepSelected",
    "StepToggled",
    "ValuesRead",
    "WellSelected",
    "WellsMarked",
    "WellsShownAsMap",
]


@dataclass(frozen=True, slots=True)
class MessageShown:
    """Something to tell the user in the status bar."""

    text: str
    severity: Severity = Severity.INFO


@dataclass(frozen=True, slots=True)
class ClockTicked:
    """Time has gone on while something runs; seconds since the epoch."""

    now_s: float


@dataclass(frozen=True, slots=True)
class PlatesAdded:
    """Plate folders to append; those already there are only selected."""

    folders: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class PlatesRemoved:
    """Plates to take off the list together. Nothing on disk changes; busy plates stay."""

    folders: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class PlatesRestored:
    """The plates removed last to put back."""


@dataclass(frozen=True, slots=True)
class PlatesMarked:
    """Plates to be marked, or to have their marks taken away."""

    folders: frozenset[Path]
    on: bool = True


@dataclass(frozen=True, slots=True)
class PlatesViewed:
    """Another filter or order for the list of plates."""

    view: PlateView


@dataclass(frozen=True, slots=True)
class PlatesQueued:
    """Which plates wait for their turn to run, the next one first, and which have it."""

    waiting: tuple[Path, ...]
    running: frozenset[Path]


@dataclass(frozen=True, slots=True)
class PlateSelected:
    """The plate the cursor is to be on."""

    index: int


@dataclass(frozen=True, slots=True)
class WellSelected:
    """The well of the selected plate the cursor is to be on."""

    index: int


@dataclass(frozen=True, slots=True)
class WellsMarked:
    """Wells of a plate to be marked, or to have their marks taken away."""

    folder: Path
    wells: frozenset[str]
    on: bool = True


@dataclass(frozen=True, slots=True)
class WellsShownAsMap:
    """Whether the wells are to be shown where they lie on the plate, or as a list."""

    on: bool


@dataclass(frozen=True, slots=True)
class PaneZoomed:
    """Whether the pane with the focus is to have the whole screen."""

    on: bool


@dataclass(frozen=True, slots=True)
class MeasureChosen:
    """What the map is to be coloured by; None is the state of each well."""

    measure: Measure | None


@dataclass(frozen=True, slots=True)
class ValuesRead:
    """What has been read of a measure."""

    values: WellValues


@dataclass(frozen=True, slots=True)
class ActivityChanged:
    """Something began on a plate, or (None) ended without a result."""

    folder: Path
    activity: Activity | None


@dataclass(frozen=True, slots=True)
class PlateInitialised:
    """A plate folder has been read."""

    folder: Path
    facts: PlateFacts


@dataclass(frozen=True, slots=True)
class PlateCompiled:
    """A plate has plans for all its wells, made from `pipeline`; `takes` is what they take of memory and disk."""

    folder: Path
    pipeline: Pipeline
    takes: str = ""


@dataclass(frozen=True, slots=True)
class PlateFailed:
    """A plate could not be initialised, compiled or started; `problems` say why."""

    folder: Path
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class RunWaits:
    """A run that is to do so many wells waits for its turn."""

    folder: Path
    wells: int


@dataclass(frozen=True, slots=True)
class RunProgressed:
    """A run told something new."""

    folder: Path
    progress: RunProgress


@dataclass(frozen=True, slots=True)
class PipelineLoaded:
    """A pipeline to edit from now on; `path` is None for one that is not the user's file yet.

    `text` is what it was read from, whose comments are to be kept.
    """

    pipeline: Pipeline
    path: Path | None
    text: str = ""


@dataclass(frozen=True, slots=True)
class PipelineSaved:
    """`pipeline` is now on disk at `path`, as `text`."""

    pipeline: Pipeline
    path: Path
    text: str = ""


@dataclass(frozen=True, slots=True)
class PipelineRewritten:
    """The pipeline has been edited as text, which is a change like any other."""

    pipeline: Pipeline
    text: str


@dataclass(frozen=True, slots=True)
class StepInserted:
    """A step to put before position `index`."""

    index: int
    step: Step


@dataclass(frozen=True, slots=True)
class StepReplaced:
    """A step to put in the place of the one at `index`."""

    index: int
    step: Step


@dataclass(frozen=True, slots=True)
class StepDeleted:
    """A step to take out."""

    index: int


@dataclass(frozen=True, slots=True)
class StepDuplicated:
    """A step to repeat after itself."""

    index: int


@dataclass(frozen=True, slots=True)
class StepMoved:
    """A step to move by `by` positions, as far as there is room; the cursor goes with it."""

    index: int
    by: int


@dataclass(frozen=True, slots=True)
class StepToggled:
    """A step to switch on or off."""

    index: int


@dataclass(frozen=True, slots=True)
class PlaneSourceChosen:
    """Which planes of the plate the pipeline is to start from."""

    planes: PlaneSource


@dataclass(frozen=True, slots=True)
class PipelineRenamed:
    """A new name for the pipeline."""

    name: str


@dataclass(frozen=True, slots=True)
class StepSelected:
    """The step the cursor is to be on."""

    index: int


@dataclass(frozen=True, slots=True)
class PipelineUndone:
    """The last change of the pipeline to take back."""


@dataclass(frozen=True, slots=True)
class PipelineRedone:
    """The last change taken back to make again."""


Action: TypeAlias = (
    MessageShown
    | ClockTicked
    | PlatesAdded
    | PlatesRemoved
    | PlatesRestored
    | PlatesMarked
    | PlatesViewed
    | PlatesQueued
    | PlateSelected
    | WellSelected
    | WellsMarked
    | WellsShownAsMap
    | PaneZoomed
    | MeasureChosen
    | ValuesRead
    | ActivityChanged
    | PlateInitialised
    | PlateCompiled
    | PlateFailed
    | RunWaits
    | RunProgressed
    | PipelineLoaded
    | PipelineSaved
    | PipelineRewritten
    | StepInserted
    | StepReplaced
    | StepDeleted
    | StepDuplicated
    | StepMoved
    | StepToggled
    | PlaneSourceChosen
    | PipelineRenamed
    | StepSelected
    | PipelineUndone
    | PipelineRedone
)
