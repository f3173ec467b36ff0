"""One moment of the workbench, as plain frozen values: its plates, the edited pipeline, cursors, the last message.

Deliberately absent: how it changes (`actions`, `state`) and how it is drawn (`panes`, `layout`).

Anybody in the workbench may import this; it imports the engine's values only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from openhcs.core.model import Channel, Discrepancy, Pipeline, PlateIndex, Status, Step
from openhcs.core.progress import RunProgress, WellProgress
from openhcs.errors import Problem

__all__ = [
    "Activity",
    "EditedPipeline",
    "Measure",
    "PlateFacts",
    "PlateOrder",
    "PlateRow",
    "PlateView",
    "Revision",
    "Severity",
    "StatusMessage",
    "WellValues",
    "Workbench",
]


class Severity(Enum):
    """How a message is shown; the value is its style class."""

    INFO = "status"
    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


class Activity(Enum):
    """What is being done to a plate at this moment, in the word shown to the user."""

    INITIALISING = "initialising"
    COMPILING = "compiling"
    QUEUED = "waiting its turn"
    STARTING = "starting"
    CANCELLING = "cancelling"


@dataclass(frozen=True, slots=True)
class StatusMessage:
    """The last thing the workbench told the user."""

    text: str = ""
    severity: Severity = Severity.INFO


@dataclass(frozen=True, slots=True)
class PlateFacts:
    """What initialising a plate found: the plate index without its planes, small enough to draw from."""

    name: str
    format: str
    rows: int
    columns: int
    wells: tuple[str, ...]
    sites: int
    channels: tuple[Channel, ...]
    z_planes: int
    time_points: int
    images: int
    has_projections: bool
    pixel_size_um: float | None
    discrepancies: tuple[Discrepancy, ...]
    labels: tuple[str, ...] = ()

    @classmethod
    def of(cls, index: PlateIndex) -> PlateFacts:
        """Count `index`; takes a pass over its planes, so call it off the event loop."""
        sites, z_planes, times = set(), set(), set()
        has_projections = False
        for key in index.planes:
            sites.add(key.site)
            times.add(key.t)
            if key.z:
                z_planes.add(key.z)
            else:
                has_projections = True
        return cls(
            name=index.name,
            format=index.format,
            rows=index.rows,
            columns=index.columns,
            wells=index.wells,
            sites=len(sites),
            channels=index.channels,
            z_planes=len(z_planes),
            time_points=len(times),
            images=len(index.planes),
            has_projections=has_projections,
            pixel_size_um=index.pixel_size_um,
            discrepancies=index.discrepancies,
            labels=tuple(index.labels),
        )


@dataclass(frozen=True, slots=True)
class PlateRow:
    """One plate of the workbench: where it is in its life and what is known about it.

    `compiled` is the pipeline its plans were last made from; the row is COMPILED only while that is the pipeline
    being edited. `takes` is what a run by these plans takes of memory and disk, in words. `problems` are those of the
    last failure. `marked` are the wells the user chose for what is to come. `to_do` is how many wells the run is to do
    that waits for its turn, 0 where that is not known.
    """

    folder: Path
    status: Status = Status.ADDED
    activity: Activity | None = None
    facts: PlateFacts | None = None
    compiled: Pipeline | None = None
    takes: str = ""
    problems: tuple[Problem, ...] = ()
    progress: RunProgress | None = None
    marked: frozenset[str] = frozenset()
    to_do: int = 0

    @property
    def name(self) -> str:
        """The plate's name, or its folder's until the metadata has been read."""
        return self.facts.name if self.facts else self.folder.name

    @property
    def out(self) -> Path | None:
        """The results folder of the last run, if there was one."""
        return Path(self.progress.out) if self.progress and self.progress.out else None

    @property
    def wells(self) -> tuple[WellProgress, ...]:
        """How each well stands in the last run; wells that it did not take, or all before there was one, wait."""
        ran = self.progress.wells if self.progress is not None else {}
        known = self.facts.wells if self.facts is not None else tuple(ran)
        return tuple(ran.get(well) or WellProgress(well) for well in dict.fromkeys((*known, *ran)))

    @property
    def busy(self) -> bool:
        """Whether something is being done to this plate."""
        return self.activity is not None or self.status is Status.RUNNING


class PlateOrder(Enum):
    """What the list of plates is sorted by; the value is the word for it."""

    ADDED = "as added"
    NAME = "by name"
    STATUS = "by status"
    FAILED = "by failed wells"
    PROGRESS = "by progress"


@dataclass(frozen=True, slots=True)
class PlateView:
    """How the list of plates is looked at: the words a plate must have to be shown, and the order."""

    filter: str = ""
    order: PlateOrder = PlateOrder.ADDED


@dataclass(frozen=True, slots=True)
class Measure:
    """A number that wells have: the mean of a column of `table`, or without one the objects of a label image."""

    name: str
    table: str | None = None


@dataclass(frozen=True, slots=True)
class WellValues:
    """What has been read of a measure for one run of a plate, by well; wells that have no number are left out."""

    folder: Path
    measure: Measure
    started_s: float | None
    by_well: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Revision:
    """A pipeline as it was before a change or is after it, and the text whose comments are kept with it."""

    pipeline: Pipeline
    text: str


@dataclass(frozen=True, slots=True)
class EditedPipeline:
    """The pipeline on the right: its present, past and future, and what is on disk.

    `text` is the text whose comments are kept when it is saved, `saved_text` what the file held when it was last seen.
    """

    pipeline: Pipeline = field(default_factory=lambda: Pipeline(name="untitled"))
    path: Path | None = None
    saved: Pipeline = field(default_factory=lambda: Pipeline(name="untitled"))
    past: tuple[Revision, ...] = ()
    future: tuple[Revision, ...] = ()
    step: int = 0
    text: str = ""
    saved_text: str = ""

    @property
    def unsaved(self) -> bool:
        """Whether closing now would lose a change."""
        return self.pipeline != self.saved or self.text != self.saved_text

    @property
    def revision(self) -> Revision:
        """What undo and redo come back to."""
        return Revision(self.pipeline, self.text)

    @property
    def selected(self) -> Step | None:
        """The step the cursor is on; None when there are no steps."""
        return self.pipeline.steps[self.step] if self.pipeline.steps else None


@dataclass(frozen=True, slots=True)
class Workbench:
    """One moment of the workbench. `plate` and `well` are cursor positions, 0 where the list is empty.

    `plates` are in the order in which they were added; `plate_view` says how they are shown. `marked` are the folders
    of plates chosen for what is to come. `removed` are plates taken off the list, those of one removal together, with
    their positions. `queue` are plates that wait for their turn to run, the next one first, and `having_turn` those
    that have it; `batch` are all that had either since there was last nothing to do.

    The wells are a list or, with `wells_as_map`, where they lie on the plate, coloured by `measure` or, without one, by
    their state. While `zoomed`, the pane with the focus has the whole screen.

    `now_s` is the time (seconds since the epoch) by which running times are drawn; it moves while something runs.
    """

    plates: tuple[PlateRow, ...] = ()
    plate: int = 0
    well: int = 0
    plate_view: PlateView = field(default_factory=PlateView)
    marked: frozenset[Path] = frozenset()
    removed: tuple[tuple[tuple[int, PlateRow], ...], ...] = ()
    queue: tuple[Path, ...] = ()
    having_turn: frozenset[Path] = frozenset()
    batch: frozenset[Path] = frozenset()
    editing: EditedPipeline = field(default_factory=EditedPipeline)
    message: StatusMessage = field(default_factory=StatusMessage)
    now_s: float = 0.0
    wells_as_map: bool = False
    zoomed: bool = False
    measure: Measure | None = None
    values: WellValues | None = None

    @property
    def selected(self) -> PlateRow | None:
        """The plate the cursor is on; None when there are no plates."""
        return self.plates[self.plate] if self.plates else None

    @property
    def selected_well(self) -> WellProgress | None:
        """The well of that plate that the cursor is on, as it stands; None when it has no wells."""
        wells = self.selected.wells if self.selected is not None else ()
        return wells[min(self.well, len(wells) - 1)] if wells else None

    def find(self, folder: Path) -> PlateRow | None:
        """The row of the plate in `folder`."""
        return next((row for row in self.plates if row.folder == folder), None)

    @property
    def busy(self) -> tuple[PlateRow, ...]:
        """The plates something is being done to."""
        return tuple(row for row in self.plates if row.busy)
