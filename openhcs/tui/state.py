"""How the workbench changes: a pure function from one snapshot and an action to the next, and the holder of both.

A key or a task's result becomes an action; `AppState.dispatch` reduces it to the next `Workbench` and tells the
subscribers, who draw again. Nothing else changes state. Deliberately absent: drawing (`panes`, `layout`), starting
anything (`effects`), and prompt_toolkit itself.

Anybody in the workbench may import this; it imports the engine's values only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import zip_longest
from typing import Any, TypeAlias, assert_never

from openhcs.core.model import Pipeline, Status, Step
from openhcs.core.progress import RunProgress, RunState
from openhcs.tui import actions, plate_list
from openhcs.tui.actions import Action
from openhcs.tui.workbench import Activity, EditedPipeline, PlateRow, Revision, Severity, StatusMessage, Workbench

__all__ = ["AppState", "ShowDialog", "free_name", "reduce"]

UNDO_LIMIT = 200

ShowDialog: TypeAlias = Callable[[Any, "asyncio.Future[Any]"], Awaitable[Any]]
"""How a dialog gets on the screen: `DialogHost.show_dialog`. The dialog is prompt_toolkit's, hence `Any` here."""


def reduce(workbench: Workbench, action: Action) -> Workbench:
    """The workbench after `action`. Total: an action that makes no sense (any more) changes nothing."""
    match action:
        case actions.MessageShown(text, severity):
            return _tell(workbench, text, severity)
        case actions.ClockTicked(now_s):
            return replace(workbench, now_s=now_s)
        case actions.PlatesAdded(folders):
            return plate_list.add_plates(workbench, folders)
        case actions.PlatesRemoved(folders):
            return plate_list.remove_plates(workbench, folders)
        case actions.PlatesRestored():
            return plate_list.restore_plates(workbench, lambda row: _settle(row, workbench.editing.pipeline))
        case actions.PlatesMarked(folders, on):
            return plate_list.mark_plates(workbench, folders, on)
        case actions.PlatesViewed(view):
            return plate_list.change_view(workbench, view)
        case actions.PlatesQueued(waiting, running):
            return plate_list.queue_plates(workbench, waiting, running)
        case actions.PlateSelected(index):
            return plate_list.select_plate(workbench, index)
        case actions.WellSelected(index):
            return replace(workbench, well=_clamp(index, _well_count(workbench.selected)))
        case actions.WellsMarked():
            return _mark_wells(workbench, action)
        case actions.WellsShownAsMap(on):
            return replace(workbench, wells_as_map=on)
        case actions.PaneZoomed(on):
            return replace(workbench, zoomed=on)
        case actions.MeasureChosen(measure):
            return replace(workbench, measure=measure)
        case actions.ValuesRead(values):
            return replace(workbench, values=values)
        case actions.ActivityChanged(folder, activity):
            return _change_plate(workbench, folder, lambda row: replace(row, activity=activity))
        case actions.PlateInitialised():
            return _initialised(workbench, action)
        case actions.PlateCompiled():
            return _compiled(workbench, action)
        case actions.PlateFailed(folder, problems):
            return _change_plate(
                workbench,
                folder,
                lambda row: replace(row, status=Status.FAILED, activity=None, compiled=None, problems=problems),
            )
        case actions.RunWaits(folder, wells):
            return _change_plate(workbench, folder, lambda row: replace(row, to_do=wells))
        case actions.RunProgressed():
            return _progressed(workbench, action)
        case actions.PipelineLoaded(pipeline, path, text):
            editing = EditedPipeline(pipeline=pipeline, path=path, saved=pipeline, text=text, saved_text=text)
            return _edit(workbench, editing)
        case actions.PipelineSaved(pipeline, path, text):
            editing = replace(workbench.editing, saved=pipeline, path=path, text=text, saved_text=text)
            return replace(workbench, editing=editing)
        case actions.PipelineRewritten(pipeline, text):
            return _change_pipeline(workbench, pipeline, text=text)
        case actions.PipelineUndone():
            return _undo(workbench)
        case actions.PipelineRedone():
            return _redo(workbench)
        case actions.StepSelected(index):
            step = _clamp(index, len(workbench.editing.pipeline.steps))
            return replace(workbench, editing=replace(workbench.editing, step=step))
        case actions.PlaneSourceChosen(planes):
            return _change_pipeline(workbench, replace(workbench.editing.pipeline, planes=planes))
        case actions.PipelineRenamed(name):
            return _change_pipeline(workbench, replace(workbench.editing.pipeline, name=name))
        case actions.StepInserted(index, step):
            steps = workbench.editing.pipeline.steps
            index = max(0, min(index, len(steps)))
            return _change_steps(workbench, (*steps[:index], step, *steps[index:]), cursor=index)
        case (
            actions.StepReplaced()
            | actions.StepDeleted()
            | actions.StepDuplicated()
            | actions.StepMoved()
            | actions.StepToggled()
        ):
            return _change_step(workbench, action)
        case _:
            assert_never(action)


StepAction: TypeAlias = (
    actions.StepReplaced | actions.StepDeleted | actions.StepDuplicated | actions.StepMoved | actions.StepToggled
)


def _change_step(workbench: Workbench, action: StepAction) -> Workbench:
    steps = workbench.editing.pipeline.steps
    at = action.index
    if not 0 <= at < len(steps):
        return workbench
    before, step, after = steps[:at], steps[at], steps[at + 1 :]
    match action:
        case actions.StepReplaced(step=new):
            return _change_steps(workbench, (*before, new, *after), cursor=at)
        case actions.StepDeleted():
            return _change_steps(workbench, (*before, *after), cursor=at)
        case actions.StepDuplicated():
            copy = replace(step, name=free_name(step.name, steps))
            return _change_steps(workbench, (*before, step, copy, *after), cursor=at + 1)
        case actions.StepMoved(by=by):
            rest = (*before, *after)
            to = max(0, min(at + by, len(rest)))
            return _change_steps(workbench, (*rest[:to], step, *rest[to:]), cursor=to)
        case actions.StepToggled():
            toggled = replace(step, enabled=not step.enabled)
            return _change_steps(workbench, (*before, toggled, *after), cursor=at)
        case _:
            assert_never(action)


def _clamp(index: int, length: int) -> int:
    return max(0, min(index, length - 1))


def _well_count(row: PlateRow | None) -> int:
    return len(row.wells) if row is not None else 0


def _tell(workbench: Workbench, text: str, severity: Severity) -> Workbench:
    return replace(workbench, message=StatusMessage(text, severity))


def _change_plate(workbench: Workbench, folder: Any, change: Callable[[PlateRow], PlateRow]) -> Workbench:
    """Change the row of `folder`, if it is still there."""
    plates = tuple(change(row) if row.folder == folder else row for row in workbench.plates)
    return plate_list.keep_cursor_in_sight(replace(workbench, plates=plates))


def _mark_wells(workbench: Workbench, action: actions.WellsMarked) -> Workbench:
    def marked(row: PlateRow) -> PlateRow:
        wells = action.wells & {well.well for well in row.wells}
        return replace(row, marked=row.marked | wells if action.on else row.marked - wells)

    return _change_plate(workbench, action.folder, marked)


def _only_marked_wells(row: PlateRow) -> PlateRow:
    """Take marks away from wells that are no longer there."""
    return replace(row, marked=row.marked & {well.well for well in row.wells}) if row.marked else row


def _status_of(row: PlateRow, progress: RunProgress) -> Status:
    """The status an ended run leaves; after one that was cancelled, or of some wells, the plate's plans decide."""
    wells = len(row.facts.wells) if row.facts is not None else 0
    match progress.state:
        case RunState.FINISHED if progress.failed:
            return Status.FAILED
        case RunState.FINISHED if progress.finished >= wells:
            return Status.FINISHED
        case RunState.FINISHED | RunState.CANCELLED:
            return Status.INITIALISED if row.facts is not None else Status.ADDED
        case _:
            return Status.FAILED


def _settle(row: PlateRow, pipeline: Pipeline) -> PlateRow:
    """Whether an idle plate counts as compiled depends on the pipeline being edited now."""
    if row.status not in (Status.INITIALISED, Status.COMPILED):
        return row
    status = Status.COMPILED if row.compiled == pipeline else Status.INITIALISED
    return row if status is row.status else replace(row, status=status)


def _initialised(workbench: Workbench, action: actions.PlateInitialised) -> Workbench:
    return _change_plate(
        workbench,
        action.folder,
        lambda row: _only_marked_wells(
            replace(row, status=Status.INITIALISED, activity=None, facts=action.facts, compiled=None, problems=())
        ),
    )


def _compiled(workbench: Workbench, action: actions.PlateCompiled) -> Workbench:
    pipeline = workbench.editing.pipeline

    def compiled(row: PlateRow) -> PlateRow:
        # The pipeline may have been edited while its compilation ran; `_settle` tells.
        row = replace(
            row,
            status=Status.COMPILED,
            activity=None,
            compiled=action.pipeline,
            takes=action.takes,
            problems=(),
        )
        return _settle(row, pipeline)

    return _change_plate(workbench, action.folder, compiled)


def _progressed(workbench: Workbench, action: actions.RunProgressed) -> Workbench:
    progress = action.progress
    pipeline = workbench.editing.pipeline

    def progressed(row: PlateRow) -> PlateRow:
        if not progress.state.has_ended:
            activity = None if row.activity is Activity.STARTING else row.activity
            return replace(row, status=Status.RUNNING, activity=activity, progress=progress, problems=())
        row = replace(row, status=_status_of(row, progress), activity=None, progress=progress, to_do=0)
        return _settle(row, pipeline)

    workbench = _change_plate(workbench, action.folder, lambda row: _only_marked_wells(progressed(row)))
    return replace(workbench, well=_clamp(workbench.well, _well_count(workbench.selected)))


def _edit(workbench: Workbench, editing: EditedPipeline) -> Workbench:
    plates = tuple(_settle(row, editing.pipeline) for row in workbench.plates)
    return plate_list.keep_cursor_in_sight(replace(workbench, editing=editing, plates=plates))


def _change_pipeline(
    workbench: Workbench, pipeline: Pipeline, cursor: int | None = None, text: str | None = None
) -> Workbench:
    """One undoable change of the pipeline, or of the text that has its comments; none where nothing differs."""
    editing = workbench.editing
    step = _clamp(editing.step if cursor is None else cursor, len(pipeline.steps))
    changed = Revision(pipeline, editing.text if text is None else text)
    if changed == editing.revision:
        return replace(workbench, editing=replace(editing, step=step))
    past = (*editing.past, editing.revision)[-UNDO_LIMIT:]
    return _edit(workbench, replace(editing, pipeline=pipeline, text=changed.text, past=past, future=(), step=step))


def _change_steps(workbench: Workbench, steps: tuple[Step, ...], cursor: int) -> Workbench:
    return _change_pipeline(workbench, replace(workbench.editing.pipeline, steps=steps), cursor)


def _undo(workbench: Workbench) -> Workbench:
    editing = workbench.editing
    if not editing.past:
        return workbench
    *past, revision = editing.past
    return _travel(workbench, revision, tuple(past), (editing.revision, *editing.future))


def _redo(workbench: Workbench) -> Workbench:
    editing = workbench.editing
    if not editing.future:
        return workbench
    revision, *future = editing.future
    return _travel(workbench, revision, (*editing.past, editing.revision), tuple(future))


def _travel(
    workbench: Workbench, revision: Revision, past: tuple[Revision, ...], future: tuple[Revision, ...]
) -> Workbench:
    """The pipeline of `revision`, with the cursor on what has changed."""
    editing = workbench.editing
    pairs = zip_longest(editing.pipeline.steps, revision.pipeline.steps)
    changed = next((at for at, (one, other) in enumerate(pairs) if one != other), editing.step)
    step = _clamp(changed, len(revision.pipeline.steps))
    return _edit(
        workbench,
        replace(editing, pipeline=revision.pipeline, text=revision.text, past=past, future=future, step=step),
    )


def free_name(name: str, steps: tuple[Step, ...]) -> str:
    """`name`, where a step is called that already with the first free number behind it, in place of the one it has."""
    taken = {step.name for step in steps}
    if name not in taken:
        return name
    head, _, end = name.rpartition(" ")
    name = head if head and end.isdecimal() else name
    return next(free for number in range(2, len(steps) + 3) if (free := f"{name} {number}") not in taken)


class AppState:
    """Holds the current `Workbench`, takes actions, tells subscribers, and shows dialogs.

    Use it on the event loop's thread only. It satisfies `ports.DialogHost`.
    """

    def __init__(self, workbench: Workbench | None = None) -> None:
        self._workbench = workbench or Workbench()
        self._subscribers: list[Callable[[], None]] = []
        self._show: ShowDialog | None = None

    @property
    def workbench(self) -> Workbench:
        """The current snapshot."""
        return self._workbench

    def dispatch(self, action: Action) -> None:
        """Replace the snapshot by the one after `action`; subscribers hear of it when it differs."""
        after = reduce(self._workbench, action)
        if after is self._workbench or after == self._workbench:
            return
        self._workbench = after
        for subscriber in tuple(self._subscribers):
            subscriber()

    def subscribe(self, subscriber: Callable[[], None]) -> Callable[[], None]:
        """Call `subscriber` after every change; the result ends that."""
        self._subscribers.append(subscriber)

        def unsubscribe() -> None:
            if subscriber in self._subscribers:
                self._subscribers.remove(subscriber)

        return unsubscribe

    def use_dialogs(self, show: ShowDialog) -> None:
        """Show dialogs through `show` from now on; the layout calls this once there is a screen."""
        self._show = show

    async def show_dialog(self, dialog: Any, result_future: asyncio.Future[Any]) -> Any:
        """Show `dialog` until `result_future` is done, as `ports.DialogHost` asks."""
        if self._show is None:
            raise RuntimeError("dialog cannot be shown: no screen yet; expected use_dialogs() to have been called.")
        return await self._show(dialog, result_future)
