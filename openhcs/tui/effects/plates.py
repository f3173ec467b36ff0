"""Working on plates: initialise, compile, run, cancel.

The engine is called in threads; each outcome is dispatched as an action. One job a plate at a time, and few runs at a
time, for a run uses all the cores it may: others wait their turn (`run_queue`). What a job consists of is beside it:
`plate_preparation`, `run_following`, and what is told of them, `plate_news`. Deliberately absent: which plates there
are (`plate_list`), drawing, and which key does what (`panes`).

Modules of the engine are imported in the threads that call it: with pydantic and numpy they take 0.3 s the first time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Sequence
from contextlib import nullcontext
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from openhcs.core.model import Pipeline, PlateIndex, Status
from openhcs.core.selection import WELL_SYNTAX, choose_wells, parse_wells
from openhcs.core.turns import Turn
from openhcs.errors import InputError, OpenHCSError, RunError, SettingsError, StoreError, TurnsError
from openhcs.tui import actions
from openhcs.tui.effects.leaving import Leave, ask_to_leave
from openhcs.tui.effects.live_runs import find_last_runs, find_live_runs_but
from openhcs.tui.effects.plate_list import PlateListEffects
from openhcs.tui.effects.plate_news import PlateNews
from openhcs.tui.effects.plate_preparation import PlatePreparation
from openhcs.tui.effects.preferences import Preferences
from openhcs.tui.effects.run_errors import ErrorPlace, RunErrors
from openhcs.tui.effects.run_following import RunFollowing
from openhcs.tui.effects.run_queue import RunQueue
from openhcs.tui.effects.run_watch import RunWatch
from openhcs.tui.effects.well_choices import ALL_WELLS, WellChoice, WellKind, with_done
from openhcs.tui.run_text import count_of, shown_path, some
from openhcs.tui.state import AppState
from openhcs.tui.utils import dialog_helpers
from openhcs.tui.utils.daemon_thread import in_daemon_thread, make_in_daemon_thread
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager
from openhcs.tui.workbench import Activity, PlateRow, Severity

if TYPE_CHECKING:
    from openhcs.core.orchestrator import Orchestrator, Run

__all__ = ["Goal", "PlateEffects"]

CANCEL_S: Final = 10.0
"""How long leaving waits for cancelled runs to end."""


class Goal(Enum):
    """How far a job is to bring a plate; the value is the word for it."""

    INITIALISED = "initialise"
    COMPILED = "compile"
    FINISHED = "run"


class PlateEffects:
    """Does what the user asks of plates; every method may be called whatever state the plate is in.

    `list` changes which plates there are, `runs` are those that are followed, `watch` looks for others that begin, and
    `news` tells of all this.
    """

    def __init__(self, state: AppState, tasks: UnifiedTaskManager, preferences: Preferences) -> None:
        self._state = state
        self._tasks = tasks
        self._preferences = preferences
        self._jobs: dict[Path, asyncio.Task[None]] = {}
        self._queue = RunQueue(lambda waiting, running: state.dispatch(actions.PlatesQueued(waiting, running)))
        self._errors = RunErrors(state, tasks)
        self.news = PlateNews(state)
        self._prepared = PlatePreparation(state, preferences, self.news)
        self.runs = RunFollowing(state, self._queue, self._errors, self.news)
        self.list = PlateListEffects(state, tasks, preferences)
        self.watch = RunWatch(self.look_for_new_runs)

    async def tell_what_was_left(self) -> None:
        """Tell what went wrong in runs since an earlier workbench that followed them was left."""
        await self._errors.tell_what_was_left()

    def place_of_error(self, context: str) -> ErrorPlace | None:
        """To which plate and well an error belongs that was told in `context`, if it came from a run."""
        return self._errors.places.get(context)

    def index_of(self, folder: Path) -> PlateIndex | None:
        """Every plane of the plate in `folder`, once it is initialised."""
        return self._prepared.index_of(folder)

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
        self._follow_found(live)

    def look_for_new_runs(self) -> None:
        """Follow soon the runs that have begun elsewhere, unless the workbench is being left."""
        if not self._tasks.is_shut_down:
            self._tasks.fire_and_forget(self._follow_new_runs(), "look for runs begun elsewhere")

    async def _follow_new_runs(self) -> None:
        """Follow the runs that have begun elsewhere since this was looked at last."""
        followed = frozenset(self._jobs)
        self._follow_found(
            await in_daemon_thread(lambda: find_live_runs_but(followed), "look for runs begun elsewhere")
        )

    def _follow_found(self, live: Sequence[tuple[Path, Run]]) -> None:
        """Follow runs that go on without us, their plates put on the list; the cursor stays where it is."""
        live = [(folder, run) for folder, run in live if folder not in self._jobs]
        cursor = self._state.workbench.plate
        was_empty = not self._state.workbench.plates
        for folder, run in live:
            self._state.dispatch(actions.PlatesAdded((folder,)))
            self._begin_job(folder, self.runs.follow_found(folder, run), f"follow {folder.name}")
        if live:
            self._state.dispatch(actions.PlateSelected(0 if was_empty else cursor))

    def _begin_job(self, folder: Path, job: Coroutine[Any, Any, None], name: str) -> None:
        task = self._jobs[folder] = self._tasks.create_task(job, name)
        task.add_done_callback(lambda _: self._end_job(folder))

    def _end_job(self, folder: Path) -> None:
        del self._jobs[folder]
        self.watch.look_again()  # a run of this plate may have begun elsewhere meanwhile

    async def cancel(self, folders: Collection[Path]) -> None:
        """Cancel what is going on with the plates in `folders`, asking once where runs would lose work."""
        running, others = self._running_and_others(folders)
        if running and not await self._may_cancel(running, waiting=len(others)):
            return
        # While the question stood, what ran may have ended, and what waited may have begun to run.
        running, others = self._running_and_others(folders)
        if others:
            self.news.tell(f"{some(self.news.called(folder) for folder in others)}: cancelled")
        await self._cancel_all(running, others)

    def _running_and_others(self, folders: Collection[Path]) -> tuple[list[Path], list[Path]]:
        """Of the plates in `folders` that have a job, those that run, and those that do not yet or wait for it."""
        busy = [folder for folder in folders if folder in self._jobs]
        running = [folder for folder in busy if folder in self.runs and not self.runs.waits(folder)]
        return running, [folder for folder in busy if folder not in running]

    async def _cancel_all(self, running: Collection[Path], others: Collection[Path]) -> None:
        """Cancel runs and jobs; those that do not run first, lest one of them takes the turn of one that ends."""
        for folder in others:
            if folder not in self.runs:
                self._jobs[folder].cancel("the user cancelled it")  # noqa: HCS101 - the task manager awaits it
        for folder in (*others, *running):
            await self.runs.cancel(folder)

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

    async def may_leave(self) -> bool:
        """Whether to close the workbench: asks once while something runs, and cancels it if that is the answer."""
        answer = await ask_to_leave(self._state, self.runs)
        if answer is Leave.CANCEL_AND_LEAVE:
            await self._cancel_all(*self._running_and_others(tuple(self._jobs)))
            # Bounded: a runner that does not answer must not hold the user here.
            jobs = [job for folder, job in self._jobs.items() if folder in self.runs]
            if jobs:
                await asyncio.wait(jobs, timeout=CANCEL_S)
        if answer is Leave.STAY:
            return False
        await self.list.keep()
        return True

    async def _bring(self, folder: Path, goal: Goal, wells: WellChoice, pipeline: Pipeline) -> None:
        try:
            with self._queue.place(folder) if goal is Goal.FINISHED else nullcontext():
                await self._steps(folder, goal, wells, pipeline)
        except asyncio.CancelledError:
            self._state.dispatch(actions.ActivityChanged(folder, None))
            raise
        except OpenHCSError as error:
            # Said on purpose, in words meant for the user: shown as it is, with nothing about the code.
            self.news.fail(folder, goal.value, error)
            await dialog_helpers.show_refusal(error, f"{goal.value} {self.news.called(folder)}", self._state)
        except Exception as error:  # a fault of ours: the row tells of it as well
            self.news.fail(folder, goal.value, error)
            raise

    async def _steps(self, folder: Path, goal: Goal, wells: WellChoice, pipeline: Pipeline) -> None:
        row = self._state.workbench.find(folder)
        if row is None:
            return
        orchestrator = await self._prepared.orchestrator(folder)
        run: Run | None = None
        async with self._prepared.turn(folder):
            if row.facts is None or goal is Goal.INITIALISED:
                await self._prepared.initialise(folder, orchestrator)
            if goal is not Goal.INITIALISED:
                run = await self._find_live_run(folder, pipeline)
                is_ready = row.status is Status.COMPILED and row.compiled == pipeline
                if run is None and (goal is Goal.COMPILED or not is_ready):
                    await self._prepared.compile(folder, orchestrator, pipeline)
        if run is not None:
            await self.runs.follow_found(folder, run)
        elif goal is Goal.FINISHED:
            await self._run(folder, orchestrator, wells, pipeline)

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

    async def _run(self, folder: Path, orchestrator: Orchestrator, choice: WellChoice, pipeline: Pipeline) -> None:
        self.news.begin(folder, Activity.QUEUED)
        await self._queue.wait_for_earlier(folder)
        self.news.begin(folder, Activity.STARTING)
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
            self.news.tell(f"{self.news.called(folder)} waits for no other: {visible(str(no_turns))}", Severity.WARNING)
        words = f" {len(chosen)} of {count_of(len(orchestrator.plans), 'well')}"
        words = "" if choice.kind is WellKind.ALL else words
        begins = f"{self.news.called(folder)}: running{words}; results go to {shown_path(out)}"
        await self.runs.follow(folder, run, begins)

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
            undone = choice.kind is WellKind.UNDONE and why is None
            reason = ", no well failed or was cancelled" if undone else ""
            self.news.tell(f"{self.news.called(folder)}: nothing to run{reason}", Severity.WARNING)
        if why is not None:
            refusal = dialog_helpers.show_refusal(why, f"run {choice.kind.value}", self._state)
            self._tasks.fire_and_forget(refusal, "refuse to run")  # those behind it do not wait for its reader
        return chosen

    async def results_folder(self, row: PlateRow) -> Path:
        """Where the results of the last run of `row` are, or those of the next one will be."""
        return row.out or await self._results_folder(row.folder, self._state.workbench.editing.pipeline)

    async def _results_folder(self, folder: Path, pipeline: Pipeline) -> Path:
        settings = await self._preferences.settings()
        plate = self.news.name(folder)

        def find() -> Path:
            from openhcs.core.orchestrator import default_results_folder

            return default_results_folder(plate, pipeline.name, settings.results_folder, root=folder).absolute()

        return await in_daemon_thread(find, "find the results folder")

    async def tell_results(self, row: PlateRow) -> None:
        """Say where the results of `row` are, or will be."""
        out = await self.results_folder(row)
        self.news.tell(f"{'Results' if row.out else 'Results will go to'}: {shown_path(out)}")
