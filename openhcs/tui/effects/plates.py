"""Working on plates: initialise, compile, run, cancel.

The engine is called in threads; each outcome is dispatched as an action. One job a plate at a time, and few runs at a
time, for a run uses all the cores it may: others wait their turn (`run_queue`). A run belongs to its runner process,
also while it waits, so leaving the workbench ends the following of it, never the run. Deliberately absent: which plates
there are (`plate_list`), drawing, and which key does what (`panes`).

The orchestrator is imported in a thread at first use: with the compiler it brings pydantic and numpy, which the first
frame need not wait for.
"""

from __future__ import annotations

import asyncio
import shlex
import time
from collections.abc import AsyncIterator, Collection, Coroutine, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from openhcs.core.model import Pipeline, PlateIndex, Status
from openhcs.core.progress import RunProgress, RunState
from openhcs.core.selection import WELL_SYNTAX, choose_wells, parse_wells
from openhcs.core.turns import Turn
from openhcs.errors import (
    InputError,
    NoRoomError,
    OpenHCSError,
    PipelineError,
    Problem,
    RunError,
    SettingsError,
    StoreError,
    TurnsError,
)
from openhcs.tui import actions
from openhcs.tui.effects.live_runs import find_last_runs, remember_run
from openhcs.tui.effects.plate_list import PlateListEffects
from openhcs.tui.effects.preferences import Preferences
from openhcs.tui.effects.run_errors import ErrorPlace, RunErrors
from openhcs.tui.effects.run_queue import RunQueue
from openhcs.tui.effects.well_choices import ALL_WELLS, WellChoice, WellKind, with_done
from openhcs.tui.run_text import count_of, end_words, some
from openhcs.tui.state import AppState
from openhcs.tui.utils import dialog_helpers
from openhcs.tui.utils.daemon_thread import in_daemon_thread, make_in_daemon_thread
from openhcs.tui.utils.safe_text import describe, visible
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager
from openhcs.tui.workbench import Activity, PlateFacts, PlateRow, Severity

if TYPE_CHECKING:
    from openhcs.core.orchestrator import Orchestrator, Run

__all__ = ["Goal", "PlateEffects"]

POLL_S: Final = 0.15
WAITING_POLL_S: Final = 0.5
"""Many plates may wait, and each look takes a thread."""

CANCEL_S: Final = 10.0
"""How long leaving waits for cancelled runs to end."""

PREPARED_AT_ONCE: Final = 2
"""How many plates are read and compiled at the same time: a disk is not faster for more, and each takes memory."""

ATTACHED: Final = 3
"""How many commands to follow runs are told at most when leaving."""


class Goal(Enum):
    """How far a job is to bring a plate; the value is the word for it."""

    INITIALISED = "initialise"
    COMPILED = "compile"
    FINISHED = "run"


class PlateEffects:
    """Does what the user asks of plates; every method may be called whatever state the plate is in.

    `list` changes which plates there are. `results_hint`, where a pane sets it, says at the end of a run how to see its
    results.
    """

    def __init__(self, state: AppState, tasks: UnifiedTaskManager, preferences: Preferences) -> None:
        self._state = state
        self._tasks = tasks
        self._preferences = preferences
        self._orchestrators: dict[Path, Orchestrator] = {}
        self._runs: dict[Path, Run] = {}
        self._jobs: dict[Path, asyncio.Task[None]] = {}
        self._queue = RunQueue(lambda waiting, running: state.dispatch(actions.PlatesQueued(waiting, running)))
        self._preparing = asyncio.Semaphore(PREPARED_AT_ONCE)
        self.list = PlateListEffects(state, tasks, preferences)
        self._errors = RunErrors(state, tasks)
        self.results_hint = ""

    async def tell_what_was_left(self) -> None:
        """Tell what went wrong in runs since an earlier workbench that followed them was left."""
        await self._errors.tell_what_was_left()

    def place_of_error(self, context: str) -> ErrorPlace | None:
        """To which plate and well an error belongs that was told in `context`, if it came from a run."""
        return self._errors.places.get(context)

    def index_of(self, folder: Path) -> PlateIndex | None:
        """Every plane of the plate in `folder`, once it is initialised."""
        orchestrator = self._orchestrators.get(folder)
        return orchestrator.index if orchestrator is not None else None

    # -- jobs ----------------------------------------------------------------------------------------------------

    def bring(self, folder: Path, goal: Goal, wells: WellChoice = ALL_WELLS) -> None:
        """Start the job that brings the plate in `folder` to `goal`, the steps before it included; runs `wells`."""
        if folder not in self._jobs:
            # The pipeline as it is now: it may be another one by the time that the plate is reached.
            job = self._bring(folder, goal, wells, self._state.workbench.editing.pipeline)
            self._begin_job(folder, job, f"{goal.value} {folder.name}")

    async def move_in_queue(self, folders: Collection[Path], by: int) -> None:
        """Let plates that wait for their turn have it sooner (-1) or later (1)."""
        try:
            await self._queue.move(folders, by)
        except StoreError as error:
            await dialog_helpers.show_refusal(error, "change who is next", self._state)

    async def run_wells(self, row: PlateRow) -> None:
        """Run the marked wells of `row`; without marks, those that the user names."""
        wells: Collection[str] = row.marked
        if not wells:
            words = f"Wells of {visible(row.name)}: {WELL_SYNTAX}"
            asked = await dialog_helpers.prompt_for_text_input("Run chosen wells", words, self._state)
            if not asked:
                return
            try:
                wells = choose_wells(parse_wells(asked), row.facts.wells if row.facts is not None else ())
            except InputError as error:
                await dialog_helpers.show_refusal(error, "choose wells", self._state)
                return
        self.bring(row.folder, Goal.FINISHED, WellChoice(WellKind.NAMED, frozenset(wells)))

    async def show_last_runs(self) -> None:
        """Follow the runs that go on without us, their plates put on the list; tell the last run of other plates."""
        try:
            runs = await in_daemon_thread(find_last_runs, "look for runs")
        except SettingsError:
            return  # told when they are needed
        live = [(folder, run) for folder, run in runs if not run.progress.state.has_ended]
        for folder, run in runs:
            row = self._state.workbench.find(folder)
            if run.progress.state.has_ended and row is not None and row.progress is None and not row.busy:
                self._state.dispatch(actions.RunProgressed(folder, run.progress))
        cursor = self._state.workbench.plate
        was_empty = not self._state.workbench.plates
        for folder, run in live:
            if folder not in self._jobs:
                self._state.dispatch(actions.PlatesAdded((folder,)))
                self._begin_job(folder, self._join(folder, run), f"follow {folder.name}")
        if live:
            self._state.dispatch(actions.PlateSelected(0 if was_empty else cursor))

    def _begin_job(self, folder: Path, job: Coroutine[Any, Any, None], name: str) -> None:
        task = self._jobs[folder] = self._tasks.create_task(job, name)
        task.add_done_callback(lambda _: self._jobs.pop(folder, None))

    async def cancel(self, folders: Collection[Path]) -> None:
        """Cancel what is going on with the plates in `folders`, asking once where runs would lose work."""
        running, others = self._running_and_others(folders)
        if running and not await self._may_cancel(running, waiting=len(others)):
            return
        # While the question stood, what ran may have ended, and what waited may have begun to run.
        running, others = self._running_and_others(folders)
        if others:
            self._tell(f"{some(self._called(folder) for folder in others)}: cancelled")
        await self._cancel_all(running, others)

    def _running_and_others(self, folders: Collection[Path]) -> tuple[list[Path], list[Path]]:
        """Of the plates in `folders` that have a job, those that run, and those that do not yet or wait for it."""
        busy = [folder for folder in folders if folder in self._jobs]
        running = [folder for folder in busy if folder in self._runs and not self._waits(folder)]
        return running, [folder for folder in busy if folder not in running]

    def _waits(self, folder: Path) -> bool:
        """Whether the plate has a run that waits for its turn."""
        return folder in self._runs and self._runs[folder].progress.state is RunState.WAITING

    async def _cancel_all(self, running: Collection[Path], others: Collection[Path]) -> None:
        """Cancel runs and jobs; those that do not run first, lest one of them takes the turn of one that ends."""
        for folder in others:
            if folder not in self._runs:
                self._jobs[folder].cancel("the user cancelled it")  # noqa: HCS101 - the task manager awaits it
        for folder in (*others, *running):
            await self.cancel_run(folder)

    async def _may_cancel(self, folders: Collection[Path], waiting: int) -> bool:
        rows = [row for folder in folders if (row := self._state.workbench.find(folder)) is not None]
        runs = [row.progress for row in rows if row.progress is not None]
        done, total = sum(run.finished for run in runs), sum(run.total for run in runs)
        many = len(folders) > 1
        more = f"\n{count_of(waiting, 'plate')} that did not start yet will not start." if waiting else ""
        return await dialog_helpers.confirm(
            f"Cancel {len(folders)} runs?" if many else "Cancel the run?",
            f"{some(visible(row.name) for row in rows)}: {done} of {count_of(total, 'well')} finished. "
            f"What is finished stays, and the next run reuses it.{more}",
            self._state,
            yes="Cancel the runs" if many else "Cancel the run",
            no="Go on",
        )

    async def cancel_run(self, folder: Path) -> None:
        """Cancel the run of the plate in `folder`, if there is one, without asking."""
        run = self._runs.get(folder)
        if run is not None:
            self._state.dispatch(actions.ActivityChanged(folder, Activity.CANCELLING))
            await in_daemon_thread(run.cancel, f"cancel {folder.name}")

    async def cancel_well(self, folder: Path, well: str) -> None:
        """Cancel one well of a run; the others go on."""
        run = self._runs.get(folder)
        if run is not None:
            await in_daemon_thread(lambda: run.cancel_well(well), f"cancel {folder.name} {well}")
            self._tell(f"Well {well} is being cancelled")

    async def may_leave(self) -> bool:
        """Whether to close the workbench: asks once while something runs, and cancels it if that is the answer."""
        busy = self._state.workbench.busy
        if any(row.folder in self._runs for row in busy):
            may = await self._may_leave_runs(busy)
        elif busy:
            names = some(visible(row.name) for row in busy)
            may = await dialog_helpers.confirm(
                "Quit?", f"Still at work: {names}. Nothing is lost; it can be started again.", self._state, yes="Quit"
            )
        else:
            may = True
        if may:
            await self.list.keep()
        return may

    async def _may_leave_runs(self, busy: Sequence[PlateRow]) -> bool:
        waiting = [row for row in busy if self._waits(row.folder)]
        running = [row for row in busy if row.folder in self._runs and row not in waiting]
        unbegun = len(busy) - len(running) - len(waiting)
        many = len(running) + len(waiting) > 1
        leave, cancel = ("Leave them", "Cancel them") if many else ("Leave it running", "Cancel it")
        told = [
            f"{words}: {some(visible(row.name) for row in rows)}."
            for words, rows in (("Running", running), ("Waiting for their turn", waiting))
            if rows
        ]
        if unbegun:
            told.append(f"{count_of(unbegun, 'plate')} that did not start yet will not start.")
        turn = "; those that wait have their turn" if waiting else ""
        told += [f"Runs go on without the workbench{turn}.", "The next one finds them. To follow them elsewhere:"]
        outs = [_shown(row.out) for row in running if row.out][:ATTACHED]
        told += [f"openhcs attach {shlex.quote(out)}" for out in outs]
        if waiting or len(running) > len(outs):
            told.append("openhcs runs")
        title = "Quit while something runs?" if running else "Quit while plates wait for their turn?"
        answer = await dialog_helpers.choose(title, "\n".join(told), (leave, cancel, "Stay"), self._state)
        if answer == cancel:
            await self._cancel_all(*self._running_and_others(tuple(self._jobs)))
            # Bounded: a runner that does not answer must not hold the user here.
            jobs = [job for folder, job in self._jobs.items() if folder in self._runs]
            if jobs:
                await asyncio.wait(jobs, timeout=CANCEL_S)
        return answer in (leave, cancel)

    async def _join(self, folder: Path, run: Run) -> None:
        try:
            await self._follow_found(folder, run)
        finally:
            self._runs.pop(folder, None)

    async def _follow_found(self, folder: Path, run: Run) -> None:
        """Follow a run that was begun elsewhere, or waits for its turn."""
        progress = run.progress
        how = f"goes on, {progress.finished + progress.failed} of {count_of(progress.total, 'well')} done"
        how = "waits for its turn" if progress.state is RunState.WAITING else how
        self._tell(f"{self._called(folder)}: a run with {visible(progress.pipeline)} {how}")
        self._state.dispatch(actions.ActivityChanged(folder, Activity.STARTING))
        with nullcontext() if folder in self._queue else self._queue.place(folder):
            self._tell_end(folder, await self._follow(folder, run))

    async def _bring(self, folder: Path, goal: Goal, wells: WellChoice, pipeline: Pipeline) -> None:
        try:
            with self._queue.place(folder) if goal is Goal.FINISHED else nullcontext():
                await self._steps(folder, goal, wells, pipeline)
        except asyncio.CancelledError:
            self._state.dispatch(actions.ActivityChanged(folder, None))
            raise
        except OpenHCSError as error:
            # Said on purpose, in words meant for the user: shown as it is, with nothing about the code.
            self._fail(folder, goal, error)
            await dialog_helpers.show_refusal(error, f"{goal.value} {self._called(folder)}", self._state)
        except Exception as error:
            self._fail(folder, goal, error)
            raise
        finally:
            self._runs.pop(folder, None)

    async def _steps(self, folder: Path, goal: Goal, wells: WellChoice, pipeline: Pipeline) -> None:
        row = self._state.workbench.find(folder)
        if row is None:
            return
        orchestrator = await self._orchestrator(folder)
        run: Run | None = None
        async with self._turn_to_prepare(folder):
            if row.facts is None or goal is Goal.INITIALISED:
                await self._initialise(folder, orchestrator)
            if goal is not Goal.INITIALISED:
                run = await self._find_live_run(folder, pipeline)
                is_ready = row.status is Status.COMPILED and row.compiled == pipeline
                if run is None and (goal is Goal.COMPILED or not is_ready):
                    await self._compile(folder, orchestrator, pipeline)
        if run is not None:
            await self._follow_found(folder, run)
        elif goal is Goal.FINISHED:
            await self._run(folder, orchestrator, wells, pipeline)

    @asynccontextmanager
    async def _turn_to_prepare(self, folder: Path) -> AsyncIterator[None]:
        if self._preparing.locked():
            self._begin(folder, Activity.QUEUED)
        async with self._preparing:
            yield

    async def _orchestrator(self, folder: Path) -> Orchestrator:
        settings = await self._preferences.settings()

        def make() -> Orchestrator:
            from openhcs.core.orchestrator import Orchestrator

            return Orchestrator(folder, settings.function_modules)

        if folder not in self._orchestrators:
            self._orchestrators[folder] = await in_daemon_thread(make, "import the engine")
        return self._orchestrators[folder]

    async def _find_live_run(self, folder: Path, pipeline: Pipeline) -> Run | None:
        """A run of this plate and pipeline that goes on without us, begun before the workbench was opened, say."""
        out = await self._results_folder(folder, pipeline)

        def find() -> Run | None:
            from openhcs.core.orchestrator import Run

            try:
                run = Run.attach(out)
            except (RunError, StoreError):
                return None
            is_ours = run.plate_folder in (None, folder, folder.resolve())
            return run if is_ours and not run.poll().state.has_ended else None

        return await in_daemon_thread(find, f"look for a run of {folder.name}")

    async def _initialise(self, folder: Path, orchestrator: Orchestrator) -> None:
        self._begin(folder, Activity.INITIALISING)
        facts = await in_daemon_thread(lambda: PlateFacts.of(orchestrator.initialise()), f"initialise {folder.name}")
        self._state.dispatch(actions.PlateInitialised(folder, facts))
        found = f"{visible(facts.name)}: {count_of(facts.images, 'image')} in {count_of(len(facts.wells), 'well')}"
        count = len(facts.discrepancies)
        if count:
            self._tell(f"{found}; {count} {'discrepancy' if count == 1 else 'discrepancies'}", Severity.WARNING)
        else:
            self._tell(found, Severity.OK)

    async def _compile(self, folder: Path, orchestrator: Orchestrator, pipeline: Pipeline) -> None:
        self._begin(folder, Activity.COMPILING)
        plans = await in_daemon_thread(lambda: orchestrator.compile(pipeline), f"compile {folder.name}")
        self._state.dispatch(actions.PlateCompiled(folder, pipeline, orchestrator.estimate.text))
        wells = count_of(len(plans), "well")
        self._tell(f"{self._called(folder)}: {wells} compiled with {visible(pipeline.name)}", Severity.OK)

    async def _run(self, folder: Path, orchestrator: Orchestrator, choice: WellChoice, pipeline: Pipeline) -> None:
        self._begin(folder, Activity.QUEUED)
        await self._queue.wait_for_earlier(folder)
        self._begin(folder, Activity.STARTING)
        settings = await self._preferences.settings()
        out = await self._results_folder(folder, pipeline)
        chosen = await self._choose(folder, orchestrator, choice, out)
        if not chosen:
            return
        asked_ns = self._queue.order_of(folder)

        def begin() -> tuple[Run, TurnsError | None]:
            # pydantic and psutil, which are there by now with the engine.
            from openhcs.core.shares import share_of

            share = share_of(settings, settings.execution)
            start = partial(
                orchestrator.run,
                out,
                share.workers,
                share.memory_bytes,
                with_done(chosen, orchestrator, out),
                settings.execution,
                check_room=settings.check_room,
                csv=settings.csv,
            )
            try:
                return start(turn=Turn(asked_ns, share.runs)), None
            except TurnsError as error:  # a home that is full must not keep from running what goes elsewhere
                return start(), error

        run, no_turns = await make_in_daemon_thread(begin, lambda begun: begun[0].cancel(), f"start {folder.name}")
        if no_turns is not None:
            self._tell(f"{self._called(folder)} waits for no other: {visible(str(no_turns))}", Severity.WARNING)
        words = f" {len(chosen)} of {count_of(len(orchestrator.plans), 'well')}"
        words = "" if choice.kind is WellKind.ALL else words
        begins = f"{self._called(folder)}: running{words}; results go to {_shown(out)}"
        self._tell_end(folder, await self._follow(folder, run, begins))

    async def _choose(self, folder: Path, orchestrator: Orchestrator, choice: WellChoice, out: Path) -> tuple[str, ...]:
        """The wells to run; none, and the user has been told why, where there is nothing to run."""
        why: RunError | None = None
        try:
            chosen = await in_daemon_thread(partial(choice.chosen, orchestrator, out), f"choose wells of {folder.name}")
        except RunError as error:
            chosen, why = (), error
        if not chosen:
            # The plate is as it was: what was asked for is refused, nothing has failed.
            self._state.dispatch(actions.ActivityChanged(folder, None))
            self._tell(
                f"{self._called(folder)}: nothing to run, there are none of {choice.kind.value}", Severity.WARNING
            )
        if why is not None:
            refusal = dialog_helpers.show_refusal(why, f"run {choice.kind.value}", self._state)
            self._tasks.fire_and_forget(refusal, "refuse to run")  # those behind it do not wait for its reader
        return chosen

    async def _follow(self, folder: Path, run: Run, begins: str = "") -> RunProgress:
        """Dispatch what is new in a run until it ends; `begins` is told when its turn has come."""
        self._runs[folder] = run
        self._queue.enter(folder, run.run_id)
        await in_daemon_thread(partial(remember_run, run.out), "remember the run")
        await self._errors.begin(run)
        progress = await self._wait_turn(folder, run)
        if progress.state is RunState.CANCELLED and progress.started_s is None:
            # It was no run: the plate stands as it did.
            self._state.dispatch(actions.ActivityChanged(folder, None))
            self._errors.look(run, self._name(folder), progress)
            return progress
        self._queue.take_turn(folder)
        if begins:
            self._tell(begins)
        while True:
            self._state.dispatch(actions.RunProgressed(folder, progress))
            self._errors.look(run, self._name(folder), progress)
            self._state.dispatch(actions.ClockTicked(round(time.time() * 2) / 2))
            if progress.state.has_ended:
                return progress
            await asyncio.sleep(POLL_S)
            progress = await in_daemon_thread(run.poll, f"follow {folder.name}")

    async def _wait_turn(self, folder: Path, run: Run) -> RunProgress:
        """How a run stands once it has begun, or has ended without."""
        while True:
            progress = await in_daemon_thread(run.poll, f"follow {folder.name}")
            row = self._state.workbench.find(folder)
            shown = row.activity if row is not None else None
            if progress.state is RunState.WAITING:
                if shown is Activity.STARTING:
                    self._begin(folder, Activity.QUEUED)
                with suppress(StoreError):  # places are shown as they were
                    await self._queue.look()
            elif progress.state is not RunState.STARTING:
                if shown is Activity.QUEUED:
                    self._state.dispatch(actions.ActivityChanged(folder, Activity.STARTING))
                return progress
            await asyncio.sleep(WAITING_POLL_S if progress.state is RunState.WAITING else POLL_S)

    async def results_folder(self, row: PlateRow) -> Path:
        """Where the results of the last run of `row` are, or those of the next one will be."""
        return row.out or await self._results_folder(row.folder, self._state.workbench.editing.pipeline)

    async def _results_folder(self, folder: Path, pipeline: Pipeline) -> Path:
        settings = await self._preferences.settings()
        plate = self._name(folder)

        def find() -> Path:
            from openhcs.core.orchestrator import default_results_folder

            return default_results_folder(plate, pipeline.name, settings.results_folder, root=folder).absolute()

        return await in_daemon_thread(find, "find the results folder")

    async def tell_results(self, row: PlateRow) -> None:
        """Say where the results of `row` are, or will be."""
        out = await self.results_folder(row)
        self._tell(f"{'Results' if row.out else 'Results will go to'}: {_shown(out)}")

    # -- what the user is told -----------------------------------------------------------------------------------

    def _name(self, folder: Path) -> str:
        """What the plate in `folder` is called on the list."""
        row = self._state.workbench.find(folder)
        return row.name if row is not None else folder.name

    def _called(self, folder: Path) -> str:
        return visible(self._name(folder))

    def _begin(self, folder: Path, activity: Activity) -> None:
        self._state.dispatch(actions.ActivityChanged(folder, activity))
        self._tell(f"{self._called(folder)}: {activity.value}")

    def _fail(self, folder: Path, goal: Goal, error: Exception) -> None:
        problems = error.problems if isinstance(error, PipelineError | NoRoomError) else ()
        message = describe(error).splitlines()[0]
        self._state.dispatch(actions.PlateFailed(folder, problems or (Problem(message),)))
        self._tell(f"{self._called(folder)}: cannot {goal.value}: {visible(message)}", Severity.ERROR)

    def _tell_end(self, folder: Path, progress: RunProgress) -> None:
        if progress.state is RunState.CANCELLED and progress.started_s is None:
            self._tell(f"{self._called(folder)}: cancelled before its turn came", Severity.WARNING)
            return
        words, severity = end_words(progress)
        where = self.results_hint or f"results in {_shown(Path(progress.out))}"
        self._tell(f"{self._called(folder)}: {words}; {where}", severity)

    def _tell(self, text: str, severity: Severity = Severity.INFO) -> None:
        self._state.dispatch(actions.MessageShown(text, severity))


def _shown(path: Path) -> str:
    """`path` as people say it: from the working directory where it lies below that."""
    here = Path.cwd()
    return visible(str(path.relative_to(here) if path.is_relative_to(here) else path))
