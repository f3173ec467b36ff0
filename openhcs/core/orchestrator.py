"""One plate's life, from a folder to results: the only door to the engine for the front ends.

    folder --initialise--> index --compile--> plans --run--> a run in a process of its own, followed by `Run.poll`

Calls block (index: up to seconds on a network drive), so an event loop makes them in a thread. Importing this imports
none of dask, ngio, polars and skimage.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from openhcs.core.compiler import compile_plate
from openhcs.core.config import available_cores
from openhcs.core.estimate import Estimate, estimate_plans
from openhcs.core.execution import Execution
from openhcs.core.formats import index_plate
from openhcs.core.model import Pipeline, PlateIndex, Status, WellPlan
from openhcs.core.pipeline_rules import step_names
from openhcs.core.plate_folder import lost_plate
from openhcs.core.progress import RunState
from openhcs.core.rerun import only_sites, unfinished_wells
from openhcs.core.results import ResultsFolder, is_done
from openhcs.core.room import Forecast, Workers, forecast_run
from openhcs.core.run import Run, start_run
from openhcs.core.selection import sites_text
from openhcs.core.turns import Turn
from openhcs.errors import RunError

__all__ = ["Orchestrator", "Run", "Turn", "default_results_folder"]


_LONGEST_NAME = 100
"""Of a folder made for a plate or a pipeline, in bytes; systems allow 255, and 143 where folders are encrypted."""


class Orchestrator:
    """A plate and how far it has come.

    Calling `initialise` or `compile` again goes back to that point of the life. One call at a time: the caller sees to
    it that two threads do not change the same plate at once.

    Args:
        folder: the plate's folder; nothing is read before `initialise`.
        modules: dotted names of the users' modules that pipelines may take functions from.
    """

    def __init__(self, folder: Path, modules: Sequence[str] = ()) -> None:
        self.folder = folder
        self._modules = tuple(modules)
        self._index: PlateIndex | None = None
        self._plans: tuple[WellPlan, ...] = ()
        self._estimate = Estimate(())
        self._pipeline = ""
        self._sites: tuple[int, ...] = ()
        self._run: Run | None = None

    @property
    def index(self) -> PlateIndex | None:
        """What the folder holds, once initialised."""
        return self._index

    @property
    def plans(self) -> tuple[WellPlan, ...]:
        """The wells' plans, once compiled."""
        return self._plans

    @property
    def estimate(self) -> Estimate:
        """What the planned wells take of memory and disk, once compiled."""
        return self._estimate

    @property
    def status(self) -> Status:
        """Where the plate is; while it runs, as of the last `Run.poll`. A cancelled run leaves it compiled."""
        if self._run is not None:
            progress = self._run.progress
            match progress.state:
                case RunState.STARTING | RunState.WAITING | RunState.RUNNING:
                    return Status.RUNNING
                case RunState.FINISHED:
                    return Status.FAILED if progress.failed else Status.FINISHED
                case RunState.FAILED:
                    return Status.FAILED
        if self._plans:
            return Status.COMPILED
        return Status.ADDED if self._index is None else Status.INITIALISED

    def initialise(self) -> PlateIndex:
        """Find out what the folder holds.

        Raises:
            PlateError: it is not a plate of a known format.
            RunError: the plate is running.
        """
        self._expect_no_run("initialise")
        self._index, self._plans, self._run = None, (), None
        self._index = index_plate(self.folder)
        return self._index

    def compile(
        self, pipeline: Pipeline, wells: Sequence[str] | None = None, sites: Collection[int] = ()
    ) -> tuple[WellPlan, ...]:
        """Plan every well, or those named.

        Args:
            sites: plan these sites only, as if the plate had no others, but for what is learnt from the whole plate;
                none named means all.

        Raises:
            InputError: the plate has no such site.
            PipelineError: everything that is wrong, told at once.
            PlateLostError: the plate's folder is there no more.
            RunError: the plate is not initialised, or running.
        """
        self._expect_no_run("compile")
        if self._index is None:
            raise RunError(f"compile: {self.folder} is not initialised; expected an initialised plate. Initialise it.")
        self._plans, self._run = (), None
        index = only_sites(self._index, sites) if sites else self._index
        plans = compile_plate(index, pipeline, wells, self._modules, whole=self._index)
        self._estimate = estimate_plans(plans, pipeline.name, step_names(pipeline))
        if not self._estimate.sizes_known and (lost := lost_plate(Path(index.root))) is not None:
            raise lost
        self._plans = plans
        self._pipeline, self._sites = pipeline.name, tuple(sorted(sites))
        return self._plans

    def unfinished(self, out: Path) -> tuple[str, ...]:
        """The planned wells that failed or were cancelled when they were tried last with results in `out`.

        Raises:
            RunError: no run has been there, one is going on, or the last one was of another version of the pipeline.
            StoreError: what an earlier run left cannot be read.
        """
        return unfinished_wells(out, self._plans)

    def done(self, out: Path) -> tuple[str, ...]:
        """The planned wells that have results of their plan in `out`; raises `StoreError`."""
        return tuple(plan.well for plan in self._plans if is_done(plan, out))

    def forecast(
        self,
        out: Path,
        workers: int | None = None,
        memory_limit_bytes: int | None = None,
        wells: Collection[str] | None = None,
        execution: Execution | None = None,
        *,
        fixed_workers: bool = False,
    ) -> Forecast:
        """What `run`, called like this, would do and take, compared with what there is; nothing is started or written.

        Args:
            fixed_workers: the user insists on the number of workers; otherwise fewer are taken where they need more
                memory than there is.

        Raises:
            RunError: the plate is not compiled.
            StoreError: what an earlier run left in `out` cannot be read.
        """
        are_ours = execution is None or execution.scheduler is None
        asked = Workers(workers or available_cores(), fixed_workers, memory_limit_bytes, are_ours)
        return forecast_run(self._chosen(wells), self._estimate, out, asked)

    def run(
        self,
        out: Path,
        workers: int | None = None,
        memory_limit_bytes: int | None = None,
        wells: Collection[str] | None = None,
        execution: Execution | None = None,
        *,
        csv: bool = False,
        check_room: bool = True,
        turn: Turn | None = None,
    ) -> Run:
        """Start processing the planned wells and return at once. Wells with results under the same plan are reused.

        Args:
            out: the results folder; missing, empty, or with earlier results of this plate.
            workers: wells processed at the same time; None takes one for each core, or each worker of a scheduler.
            memory_limit_bytes: for each worker of our own; None shares the machine's memory.
            wells: process these only; None processes all that are planned.
            execution: on whose workers, and how patiently; None takes our own.
            csv: write the tables of all wells as CSV files too.
            check_room: refuse to start what needs more memory or disk than there is, and lower `workers` where that
                helps, see `forecast`.
            turn: to wait for: runs that were asked for before go first, and as many go on at a time as `runs_at_once`
                of the settings says; None begins at once.

        Raises:
            NoRoomError: there is not enough memory or disk for it.
            RunError: the plate is not compiled, or running, or another run is alive in `out`.
            StoreError: `out` is another plate's or not ours, or cannot be written.
        """
        self._expect_no_run("run")
        plans = self._chosen(wells)
        if check_room:
            forecast = self.forecast(out, workers, memory_limit_bytes, wells, execution)
            forecast.require_room()
            workers = forecast.workers if forecast.is_lowered else workers
        execution = execution or Execution()
        if workers is None and execution.scheduler is None:
            workers = available_cores()
        self._run = start_run(
            out,
            plans,
            self._pipeline,
            workers,
            memory_limit_bytes,
            execution,
            self._sites,
            csv=csv,
            turn=turn,
        )
        return self._run

    def _chosen(self, wells: Collection[str] | None) -> tuple[WellPlan, ...]:
        if not self._plans:
            raise RunError(f"run: {self.folder} is not compiled; expected a compiled plate. Compile a pipeline first.")
        plans = self._plans if wells is None else tuple(plan for plan in self._plans if plan.well in wells)
        if not plans:
            raise RunError(f"run: no well of {self.folder} was chosen; expected at least one that is planned.")
        return plans

    def _expect_no_run(self, wish: str) -> None:
        if self._run is not None and not self._run.poll().state.has_ended:
            raise RunError(f"{wish}: {self.folder} is running; expected a plate at rest. Cancel the run, or wait.")


def default_results_folder(
    plate: str, pipeline: str, base: Path, sites: Collection[int] = (), root: Path | None = None
) -> Path:
    """Where results go unless the user says otherwise: a folder for the plate, and in it one for the pipeline.

    Results of some sites have a folder of their own: they are no part of those of all sites, and must not replace them.

    Args:
        root: the plate's folder. Where another plate of that name has its results already, the name of the folder that
            this one lies in comes before it.
    """
    part = f"_sites_{sites_text(sites)}" if sites else ""
    parents = [parent.name for parent in root.resolve().parents if parent.name] if root is not None else []
    names = ["_".join([*reversed(parents[:depth]), plate]) for depth in range(min(len(parents), 3) + 1)]
    folders = [base / _folder_name(name) / _folder_name(f"{pipeline}{part}") for name in names]
    free = (folder for folder in folders if root is None or not ResultsFolder(folder).has_other_plate(root))
    return next(free, folders[0])


def _folder_name(name: str) -> str:
    """`name` as a folder can be called: without what has a meaning in paths, and short enough for every system."""
    plain = re.sub(r"[^\w.-]+", "_", name).strip("._") or "unnamed"
    whole = plain.encode()
    if len(whole) <= _LONGEST_NAME:
        return plain
    # Names that begin alike are told apart.
    return f"{whole[: _LONGEST_NAME - 9].decode(errors='ignore')}-{hashlib.sha256(whole).hexdigest()[:8]}"
