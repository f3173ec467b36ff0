"""A plate's life without the workbench: what `openhcs run`, `demo` and `attach` do, from folder to exit code.

Everything here goes through the engine's own door, `core.orchestrator`. Which wells: those named, of these the ones
that failed, of these a few to try.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import typer

from openhcs.core.config import Settings
from openhcs.core.execution import Execution
from openhcs.core.known_runs import find_runs
from openhcs.core.model import Pipeline, PlateIndex, WellPlan
from openhcs.core.orchestrator import Orchestrator, Run, Turn, default_results_folder
from openhcs.core.pipeline_file import load_pipeline
from openhcs.core.progress import RunState
from openhcs.core.remembered_runs import known_runs
from openhcs.core.selection import WellRange, choose_wells, sites_text, spread_wells
from openhcs.core.shares import share_of
from openhcs.core.wording import name_wells
from openhcs.dry_run import forecast_json, print_forecast, problems_json
from openhcs.errors import PipelineError, RunError
from openhcs.headless import report, tell_discrepancies
from openhcs.run_follow import Interrupts, exit_code, follow
from openhcs.run_view import tell
from openhcs.tui.run_text import count_of, worker_lines

__all__ = ["Choice", "Telling", "attach_run", "run_plate"]

STARTS_WITHIN_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Choice:
    """Which part of a plate is run; without a word it is all of it."""

    wells: Sequence[WellRange] = ()
    sites: Sequence[int] = ()
    failed: bool = False
    at_most: int | None = None


@dataclass(frozen=True, slots=True)
class Telling:
    """What is told of a run, and whether it is followed at all; `truth` are the counts that a demo plate has."""

    as_json: bool = False
    quiet: bool = False
    detach: bool = False
    truth: Mapping[str, int] | None = field(default=None)


def run_plate(
    plate: Path,
    pipeline_file: Path,
    settings: Settings,
    *,
    choice: Choice = Choice(),
    out: Path | None = None,
    workers: int | None = None,
    execution: Execution | None = None,
    telling: Telling = Telling(),
    dry_run: bool = False,
    check_room: bool = True,
    csv: bool = False,
    waits: bool = False,
) -> int:
    """Take a plate through its life; the exit code. Without `workers` and `execution` the settings decide.

    Args:
        dry_run: start nothing; tell what would be done and whether there is room for it.
        check_room: refuse what there is no room for; the settings may say otherwise as well.
        csv: write the tables of all wells as CSV files too, as the settings may say as well.
        waits: let the runs that were asked for before go first.
    """
    execution = execution or settings.execution
    pipeline = load_pipeline(pipeline_file)
    orchestrator = Orchestrator(plate, settings.function_modules)
    index = orchestrator.initialise()
    if not telling.quiet:
        tell_discrepancies(index.discrepancies)
    try:
        plans = _compile(orchestrator, pipeline, index, choice)
    except PipelineError as error:
        if dry_run and telling.as_json:
            typer.echo(problems_json(index.name, pipeline.name, error.problems))
        raise
    out = out or default_results_folder(index.name, pipeline.name, settings.results_folder, choice.sites, plate)
    wells = _wells_to_run(orchestrator, choice, out)
    if not wells:
        tell(f"Nothing to run again: in {out} no well failed or was cancelled when it was tried last.")
        if telling.as_json:
            report(Run.attach(out).poll(), index.discrepancies, telling.truth, as_json=True)
        return 0
    at_once, memory = workers or settings.wells_at_once(execution), settings.worker_memory_bytes
    turn = None
    if waits and workers is None:
        at_once, memory, runs = share_of(settings, execution)
        turn = Turn(shared_by=runs)
    elif waits:
        turn = Turn()
    check_room = check_room and settings.check_room
    forecast = orchestrator.forecast(
        out, at_once, memory, wells, execution, fixed_workers=workers is not None or not check_room
    )
    if dry_run:
        where = str(out.absolute())
        if telling.as_json:
            typer.echo(forecast_json(forecast, plans, pipeline.name, where, index.discrepancies))
        else:
            print_forecast(forecast, plans, pipeline.name, where)
        return 2 if forecast.problems and check_room else 0
    if check_room:
        forecast.require_room()
        at_once = forecast.workers if forecast.is_lowered else at_once
    _tell_notes([*forecast.notes, *map(str, forecast.problems)])
    with Interrupts() as interrupts:
        started = orchestrator.run(
            out, at_once, memory, wells, execution, csv=csv or settings.csv, check_room=False, turn=turn
        )
        known_runs().add(out)
        if not telling.quiet:
            tell(f"{index.name}: {_size(wells, index.wells)} with pipeline {pipeline.name}; results in {out}")
        if telling.detach:
            return _detached(started, telling)
        progress = follow(started, interrupts, is_ours=True, quiet=telling.quiet)
    if not interrupts.hung_up and (telling.as_json or not telling.quiet):
        report(progress, index.discrepancies, telling.truth, as_json=telling.as_json)
    return exit_code(progress, interrupts)


def _compile(orchestrator: Orchestrator, pipeline: Pipeline, index: PlateIndex, choice: Choice) -> tuple[WellPlan, ...]:
    """Plan the wells that are named, and a few of them only where that is asked for and does not depend on failures."""
    wells = choose_wells(choice.wells, index.wells) if choice.wells else index.wells
    if choice.at_most is not None and not choice.failed:
        wells = spread_wells(wells, choice.at_most)
    plans = orchestrator.compile(pipeline, wells, choice.sites)
    if missing := set(wells) - {plan.well for plan in plans}:
        tell(f"note: {name_wells(missing)}: no image of site {sites_text(choice.sites)}; not run")
    return plans


def _wells_to_run(orchestrator: Orchestrator, choice: Choice, out: Path) -> tuple[str, ...]:
    """The wells that are planned; where those that failed are asked for, these of them, which may be none."""
    if not choice.failed:
        return tuple(plan.well for plan in orchestrator.plans)
    wells = orchestrator.unfinished(out)
    return wells if choice.at_most is None else spread_wells(wells, choice.at_most)


def attach_run(out: Path | None, settings: Settings, telling: Telling = Telling()) -> int:
    """Follow the run in `out`, or the one that is going on, or see how the last one ended; the exit code.

    Raises:
        RunError: there is no run, or several go on and none was named.
    """
    run = Run.attach(out) if out is not None else _the_run(settings.results_folder)
    known_runs().add(run.out)
    with Interrupts() as interrupts:
        if not run.poll().state.has_ended:
            tell(f"Following the run in {run.out}; Ctrl-C lets it go on.")
            if not telling.quiet:
                _tell_workers(run)
        elif out is None:
            tell(f"No run is going on; this is the last one, in {run.out}.")
        progress = follow(run, interrupts, is_ours=False, quiet=telling.quiet)
    if progress.state.has_ended:
        if telling.as_json or not telling.quiet:
            report(progress, as_json=telling.as_json)
    elif not interrupts.hung_up:
        tell(f"The run goes on. {_how_to_follow(run)}")
    return exit_code(progress, interrupts)


def _tell_workers(run: Run) -> None:
    """What the workers of a run that goes on do now, if its runner says so."""
    if run.progress.state is RunState.RUNNING:
        with suppress(RunError):  # one that does not answer is told of while it is followed
            workers = run.workers()
            if workers:
                tell("\n  ".join((f"{count_of(len(workers), 'worker')}:", *worker_lines(workers))))


def _tell_notes(notes: Sequence[str]) -> None:
    for note in notes:
        tell(f"note: {note}")


def _detached(run: Run, telling: Telling) -> int:
    """Wait until the run has begun, so that one that cannot is told; then leave it to itself."""
    progress = run.poll()
    for _ in range(round(STARTS_WITHIN_S / 0.1)):
        if progress.state is not RunState.STARTING:
            break
        progress = run.wait(0.1)
    if progress.state is RunState.WAITING:
        tell(f"The run waits for its turn, and needs no terminal to have it. {_how_to_follow(run)}")
    elif not progress.state.has_ended:
        tell(f"The run goes on by itself. {_how_to_follow(run)}")
    if telling.as_json or progress.state.has_ended:
        report(progress, truth=telling.truth, as_json=telling.as_json)
    return 1 if progress.state in (RunState.FAILED, RunState.CANCELLED) or progress.failed else 0


def _the_run(results_folder: Path) -> Run:
    """The one that goes on; without one, the one that waits for its turn; without that, the last that ended."""
    runs = find_runs(results_folder)
    alive = [run for run in runs if not run.progress.state.has_ended]
    alive = [run for run in alive if run.progress.state is not RunState.WAITING] or alive
    if len(alive) > 1:
        which = "\n".join(f"  openhcs attach {shlex.quote(str(run.out))}" for run in alive)
        raise RunError(f"attach: {len(alive)} runs are going on; expected one. Name the one to follow:\n{which}")
    if not runs:
        raise RunError(
            "attach: no run is known; expected one that you started, or one with results in "
            f"{results_folder.absolute()}. Name its results folder."
        )
    return alive[0] if alive else runs[0]


def _how_to_follow(run: Run) -> str:
    return f"To see it: openhcs attach {shlex.quote(str(run.out))}"


def _size(wells: Sequence[str], existing: Sequence[str]) -> str:
    count = f"{len(wells)} {'well' if len(wells) == 1 else 'wells'}"
    return count if len(wells) == len(existing) else f"{count} of {len(existing)} ({name_wells(wells)})"
