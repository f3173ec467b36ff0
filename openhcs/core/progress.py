"""What a run's events add up to: where each well is, how much is done, how long it will take.

Pure: `RunProgress.apply_all(events)` is the next value; nothing here reads a file or a clock. `journal` supplies the
events, `run` applies them, the front ends draw the result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property

from openhcs.core.journal import Event, EventKind, Json

__all__ = ["Failure", "RunProgress", "RunState", "WellDone", "WellProgress", "WellState"]


class RunState(Enum):
    """Where a run is; WAITING for its turn; FINISHED says that every well was tried, not that every well succeeded."""

    STARTING = "starting"
    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen."""
        return self not in (RunState.STARTING, RunState.WAITING, RunState.RUNNING)


class WellState(Enum):
    """Where a well is; REUSED has results of an earlier run under the same plan."""

    PENDING = "pending"
    RUNNING = "running"
    FINISHED = "finished"
    REUSED = "reused"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen in this run."""
        return self not in (WellState.PENDING, WellState.RUNNING)


@dataclass(frozen=True, slots=True)
class WellDone:
    """A well whose results are in place, and how many objects it has by label image."""

    objects: dict[str, int]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a well failed.

    `kind` is the name of the error's type; places are None where they do not apply; `may_pass` says that another try
    may succeed, see `retries`.
    """

    message: str
    kind: str = ""
    step: str | None = None
    plane: str | None = None
    file: str | None = None
    traceback: str = ""
    may_pass: bool = False


@dataclass(frozen=True, slots=True)
class WellProgress:
    """One well: `step` of `steps` is the one being done, from 1; `objects` counts objects by label image.

    `retries` counts how often it was put back to be tried again, and `retried` says why it was the last time.
    """

    well: str
    state: WellState = WellState.PENDING
    step: int = 0
    steps: int = 0
    step_name: str = ""
    started_s: float | None = None
    seconds: float | None = None
    objects: Mapping[str, int] = field(default_factory=dict)
    failure: Failure | None = None
    retries: int = 0
    retried: str = ""

    @property
    def fraction(self) -> float:
        """The share of this well's steps that is done, from 0 to 1."""
        if self.state.has_ended:
            return 1.0
        return (self.step - 1) / self.steps if self.step and self.steps else 0.0


@dataclass(frozen=True)
class RunProgress:
    """One run at one moment. Times are the system clock, seconds since 1970; `wells` keeps the plate's order.

    `message`, `kind` and `traceback` are those of the error that ended it, if one did; of one that the runner did not
    tell itself only the message is known. `waiting` says what the run waits for, if nothing can go on; `place` is its
    place among the runs that wait for their turn, from 1, while it is one of them; `warnings` are what the user should
    know of its workers.
    """

    state: RunState = RunState.STARTING
    plate: str = ""
    pipeline: str = ""
    out: str = ""
    started_s: float | None = None
    ended_s: float | None = None
    wells: Mapping[str, WellProgress] = field(default_factory=dict)
    message: str = ""
    kind: str = ""
    traceback: str = ""
    waiting: str = ""
    place: int | None = None
    warnings: tuple[str, ...] = ()

    def apply(self, event: Event) -> RunProgress:
        """The progress after `event`."""
        return self.apply_all((event,))

    def apply_all(self, events: Iterable[Event]) -> RunProgress:
        """The progress after all `events`, in order.

        The wells are copied once, not for every event: a run of 1,536 wells has some ten thousand, and who attaches to
        it gets them at once.
        """
        progress, wells = self, dict(self.wells)
        for event in events:
            if event.well is None:
                progress = replace(progress, wells=wells)._apply_to_run(event)
                wells = dict(progress.wells)
            elif event.well in wells:
                wells[event.well] = _apply_to_well(wells[event.well], event)
        return replace(progress, wells=wells)

    def _apply_to_run(self, event: Event) -> RunProgress:
        match event.kind:
            case EventKind.RUN_QUEUED:
                return replace(self._introduced(event), state=RunState.WAITING)
            case EventKind.RUN_STARTED:
                began = replace(self._introduced(event), state=RunState.RUNNING, started_s=event.time_s)
                return replace(began, waiting="", place=None)
            case EventKind.RUN_WAITING:
                return replace(self, waiting=_text(event.data, "message"), place=_count(event.data, "place") or None)
            case EventKind.RUN_WARNED:
                return replace(self, warnings=(*self.warnings, _text(event.data, "message")))
            case EventKind.RUN_FINISHED:
                return self._ended(RunState.FINISHED, event)
            case EventKind.RUN_CANCELLED:
                return self._ended(RunState.CANCELLED, event)
            case EventKind.RUN_FAILED:
                return self._ended(RunState.FAILED, event)
        return self

    @cached_property
    def counts(self) -> Mapping[WellState, int]:
        """How many wells are in each state."""
        return Counter(well.state for well in self.wells.values())

    @property
    def total(self) -> int:
        """How many wells the run has."""
        return len(self.wells)

    @property
    def finished(self) -> int:
        """How many wells have results: those of this run and those reused."""
        return self.counts[WellState.FINISHED] + self.counts[WellState.REUSED]

    @property
    def failed(self) -> int:
        """How many wells failed."""
        return self.counts[WellState.FAILED]

    @property
    def cancelled(self) -> int:
        """How many wells were cancelled."""
        return self.counts[WellState.CANCELLED]

    @property
    def fraction(self) -> float:
        """The share of all wells' steps that is done, from 0 to 1."""
        return sum(well.fraction for well in self.wells.values()) / self.total if self.wells else 0.0

    @cached_property
    def is_starting(self) -> bool:
        """Whether it has its turn and no well was begun yet: workers are starting, which a busy machine draws out."""
        if self.state is not RunState.RUNNING:
            return self.state is RunState.STARTING
        untouched = self.counts[WellState.PENDING]
        begun = untouched + self.counts[WellState.REUSED] < self.total or any(w.retries for w in self.wells.values())
        return untouched > 0 and not begun

    @property
    def took_s(self) -> float | None:
        """Seconds from its start to its end; None while it lasts."""
        return None if self.started_s is None or self.ended_s is None else self.ended_s - self.started_s

    def eta_s(self, now_s: float) -> float | None:
        """Seconds until the end at the pace so far; None until there is a pace. Reused wells do not count."""
        if self.state is not RunState.RUNNING or self.started_s is None:
            return None
        fractions = [well.fraction for well in self.wells.values() if well.state is not WellState.REUSED]
        done = sum(fractions)
        return (now_s - self.started_s) * (len(fractions) - done) / done if done else None

    def _introduced(self, event: Event) -> RunProgress:
        """The run with what it is, of which nothing is done yet."""
        names = event.data.get("wells")
        return replace(
            self,
            plate=_text(event.data, "plate"),
            pipeline=_text(event.data, "pipeline"),
            out=_text(event.data, "out"),
            wells={str(name): WellProgress(str(name)) for name in names} if isinstance(names, list) else {},
        )

    def _ended(self, state: RunState, event: Event) -> RunProgress:
        """The run at its end: a well that was still running shares its fate, one that had not begun was cancelled."""
        message = _text(event.data, "message")

        def end(well: WellProgress) -> WellProgress:
            if well.state.has_ended:
                return well
            if well.state is WellState.PENDING or state is RunState.CANCELLED:
                return replace(well, state=WellState.CANCELLED)
            return replace(well, state=WellState.FAILED, failure=Failure(message or "the run ended"))

        wells = {name: end(well) for name, well in self.wells.items()}
        return replace(
            self,
            state=state,
            ended_s=event.time_s,
            wells=wells,
            message=message,
            kind=_text(event.data, "kind"),
            traceback=_text(event.data, "traceback"),
            waiting="",
            place=None,
        )


def _apply_to_well(well: WellProgress, event: Event) -> WellProgress:
    data = event.data
    match event.kind:
        case EventKind.WELL_STARTED:
            return replace(well, state=WellState.RUNNING, started_s=event.time_s)
        case EventKind.WELL_RETRIED:
            # What it had done is done anew.
            return replace(
                well,
                state=WellState.PENDING,
                step=0,
                step_name="",
                started_s=None,
                retries=well.retries + 1,
                retried=_text(data, "message"),
            )
        case EventKind.STEP_STARTED:
            return replace(well, step=_count(data, "step"), steps=_count(data, "steps"), step_name=_text(data, "name"))
        case EventKind.WELL_FINISHED:
            return replace(
                well, state=WellState.FINISHED, seconds=_since_start(well, event), objects=_objects(data.get("objects"))
            )
        case EventKind.WELL_REUSED:
            return replace(well, state=WellState.REUSED, objects=_objects(data.get("objects")))
        case EventKind.WELL_FAILED:
            failure = Failure(
                message=_text(data, "message"),
                kind=_text(data, "kind"),
                step=_optional_text(data, "step"),
                plane=_optional_text(data, "plane"),
                file=_optional_text(data, "file"),
                traceback=_text(data, "traceback"),
            )
            return replace(well, state=WellState.FAILED, seconds=_since_start(well, event), failure=failure)
        case EventKind.WELL_CANCELLED:
            return replace(well, state=WellState.CANCELLED, seconds=_since_start(well, event))
    return well


def _since_start(well: WellProgress, event: Event) -> float | None:
    return None if well.started_s is None else event.time_s - well.started_s


def _text(data: Mapping[str, Json], name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) else ""


def _optional_text(data: Mapping[str, Json], name: str) -> str | None:
    return _text(data, name) or None


def _count(data: Mapping[str, Json], name: str) -> int:
    value = data.get(name)
    return value if isinstance(value, int) else 0


def _objects(value: Json) -> Mapping[str, int]:
    return {name: count for name, count in value.items() if isinstance(count, int)} if isinstance(value, dict) else {}
