"""The command `openhcs`: what each subcommand takes, and which exit code it ends with.

Imports of the engine and the workbench stand inside the commands: together they take half a second, and `--help`,
completion and `version` need neither.

How a command ends is in `command_boundary`; what exit codes mean, and how help is laid out, in `command_help`; what a
shell offers after Tab, in `completion`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple, NoReturn

import typer

from openhcs import __version__
from openhcs.cluster_command import cluster
from openhcs.command_boundary import Commands
from openhcs.command_help import HelpCommand, HelpGroup
from openhcs.command_options import (
    DEVELOPERS,
    AsciiOption,
    CsvOption,
    DetachOption,
    DryRunOption,
    FailedOption,
    JsonOption,
    MouseOption,
    OutOption,
    PipelineOption,
    PlainOption,
    PlateArgument,
    QueueOption,
    QuietOption,
    RetriesOption,
    RoomCheckOption,
    SchedulerOption,
    SitesOption,
    Strictness,
    StrictOption,
    TryOption,
    WellsOption,
    WellTimeoutOption,
    WorkersOption,
)
from openhcs.completion import (
    complete_function,
    complete_live_run,
    complete_pipeline,
    complete_plate,
    complete_run,
)
from openhcs.errors import InputError, PipelineError
from openhcs.tui.utils.safe_text import visible_lines

__all__ = ["main"]

DEMO_PIPELINE = "nuclei"
CANCELLED_WITHIN_S = 10.0

START = "See it work"
RUNS = "Runs"
PROGRAM = "The program itself"


class WorkbenchCommand(HelpCommand):
    """A command whose `--strict` may stand alone, and takes a value only behind `=`: what follows may be a plate."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        options = [f"{arg}={Strictness.ON.value}" if arg == "--strict" else arg for arg in args[:end]]
        return super().parse_args(ctx, [*options, *args[end:]])


app = typer.Typer(
    name="openhcs",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(cluster, name="cluster", cls=HelpGroup, rich_help_panel=RUNS)


def main() -> None:
    """Run the command line and leave the process with its exit code."""
    app()


@app.command(cls=WorkbenchCommand, rich_help_panel=START)
def tui(
    plates: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PLATE]...", autocompletion=complete_plate, help="Plates to open with."),
    ] = None,
    pipeline: Annotated[
        str | None,
        typer.Option(
            "--pipeline",
            "-p",
            metavar="PIPELINE",
            autocompletion=complete_pipeline,
            help="A pipeline to open with: a file, or the name of one that is shipped or saved.",
        ),
    ] = None,
    plain: PlainOption = None,
    ascii_only: AsciiOption = False,
    mouse: MouseOption = None,
    strict: StrictOption = None,
) -> int:
    """Open the workbench.

    Keys are shown at the bottom of the screen; ? lists them all, q leaves. A run goes on without the workbench.
    """
    file = None
    if pipeline is not None:
        # pydantic, a quarter of a second before the first frame: only where the folder of pipelines is needed.
        from openhcs.core.config import load_settings

        file = _find_pipeline(pipeline, load_settings().pipelines_folder)
    looks = _Looks(plain, ascii_only, mouse)
    return _open_workbench([plate.absolute() for plate in plates or ()], file, looks, strict, tour=not plates)


@app.command(cls=WorkbenchCommand, rich_help_panel=START)
def demo(
    headless: Annotated[
        bool, typer.Option("--headless", help="Run the plate without the workbench, even in a terminal.")
    ] = False,
    folder: Annotated[Path, typer.Option(metavar="FOLDER", help="Where to make the plate.")] = Path("demo-plate"),
    seed: Annotated[int, typer.Option(metavar="N", help="Another seed makes another plate.")] = 1,
    plain: PlainOption = None,
    ascii_only: AsciiOption = False,
    mouse: MouseOption = None,
    strict: StrictOption = None,
) -> int:
    """Make a small plate with known counts, and open the workbench on it.

    Without a terminal, or with --headless, the plate is run instead, and the counts are printed beside the truth.
    """
    from openhcs.core.config import load_settings
    from openhcs.core.demo_plate import make_demo_plate, read_demo_truth
    from openhcs.core.pipeline_file import shipped_pipelines

    if not folder.exists():
        typer.echo(f"Making the demo plate in {visible_lines(str(folder))}, which takes some seconds.", err=True)
    make_demo_plate(folder, seed=seed)
    pipeline = shipped_pipelines()[DEMO_PIPELINE]
    if headless or not (sys.stdin.isatty() and sys.stdout.isatty()):
        from openhcs.plate_run import Telling, run_plate

        return run_plate(folder, pipeline, load_settings(), telling=Telling(truth=read_demo_truth(folder)))
    return _open_workbench([folder.absolute()], pipeline, _Looks(plain, ascii_only, mouse), strict, tour=True)


@app.command(cls=HelpCommand, rich_help_panel=RUNS)
def run(
    plate: PlateArgument,
    pipeline: PipelineOption,
    wells: WellsOption = None,
    sites: SitesOption = None,
    failed: FailedOption = False,
    at_most: TryOption = None,
    out: OutOption = None,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    retries: RetriesOption = None,
    well_timeout_s: WellTimeoutOption = None,
    dry_run: DryRunOption = False,
    check_room: RoomCheckOption = True,
    csv: CsvOption = False,
    queue: QueueOption = False,
    detach: DetachOption = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> int:
    """Run a pipeline over a plate.

    Wells that already have results of the same plan in the results folder are not processed again. Ctrl-C cancels the
    run, a second one kills it; when the terminal is lost the run goes on.
    """
    from openhcs.core.config import load_settings
    from openhcs.core.selection import parse_sites, parse_wells
    from openhcs.plate_run import Choice, Telling, run_plate

    settings = load_settings()
    return run_plate(
        plate,
        _find_pipeline(pipeline, settings.pipelines_folder),
        settings,
        choice=Choice(
            wells=() if wells is None else parse_wells(wells),
            sites=() if sites is None else parse_sites(sites),
            failed=failed,
            at_most=at_most,
        ),
        out=out,
        workers=workers,
        execution=settings.execution.but_with(scheduler, retries, well_timeout_s),
        telling=Telling(as_json=as_json, quiet=quiet, detach=detach),
        dry_run=dry_run,
        check_room=check_room,
        csv=csv,
        waits=queue,
    )


@app.command(cls=HelpCommand, rich_help_panel=RUNS)
def attach(
    out: Annotated[
        Path | None,
        typer.Argument(
            metavar="[RESULTS]",
            autocompletion=complete_run,
            help="The results folder of a run; by default the run that is going on.",
        ),
    ] = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> int:
    """Follow a run that is going on, or see how one ended.

    Ctrl-C leaves the run going on.
    """
    from openhcs.core.config import load_settings
    from openhcs.plate_run import Telling, attach_run

    return attach_run(out, load_settings(), Telling(as_json=as_json, quiet=quiet))


@app.command(cls=HelpCommand, rich_help_panel=RUNS)
def runs(
    every: Annotated[bool, typer.Option("--all", help="Every run that is known, not only the newest.")] = False,
    as_json: JsonOption = False,
) -> int:
    """List the runs that go on, those that wait for their turn, and those that ended.

    For each: how far it is, when it was started, and where its results are. Those that wait come in the order in which
    they have their turn; openhcs move changes it.
    """
    from openhcs.core.config import load_settings
    from openhcs.run_list import RUNS_SHOWN, list_runs, print_runs, runs_json

    found = list_runs(load_settings().results_folder, None if every else RUNS_SHOWN)
    if as_json:
        typer.echo(runs_json(found))
    else:
        print_runs(found)
    return 0


@app.command(cls=HelpCommand, rich_help_panel=RUNS)
def cancel(
    out: Annotated[
        Path,
        typer.Argument(
            metavar="RESULTS",
            autocompletion=complete_live_run,
            help="The results folder of a run that is going on.",
        ),
    ],
    wells: Annotated[
        list[str] | None, typer.Argument(metavar="[WELL]...", help="Only these wells, named as --wells of openhcs run.")
    ] = None,
) -> int:
    """Cancel a run that is going on, or some of its wells.

    Finished wells are kept.
    """
    from openhcs.core.orchestrator import Run
    from openhcs.core.selection import choose_wells, parse_wells

    attached = Run.attach(out)
    if attached.poll().state.has_ended:
        raise InputError(f"cancel: the run in {out} has ended; expected one that is going on.")
    if not wells:
        attached.cancel()
        state = attached.wait(CANCELLED_WITHIN_S).state
        typer.echo(f"The run is {state.value}." if state.has_ended else "The run is being cancelled.", err=True)
    else:
        for well in choose_wells(parse_wells(",".join(wells)), tuple(attached.progress.wells)):
            attached.cancel_well(well)
            typer.echo(f"{well} is cancelled.", err=True)
    return 0


@app.command(cls=HelpCommand, rich_help_panel=RUNS)
def move(
    out: Annotated[
        Path,
        typer.Argument(
            metavar="RESULTS",
            autocompletion=complete_live_run,
            help="The results folder of a run that waits for its turn.",
        ),
    ],
    place: Annotated[
        int, typer.Argument(metavar="[PLACE]", min=1, help="Its place among those that wait; 1 is the next.")
    ] = 1,
) -> int:
    """Give a run that waits another place, the first unless you say which.

    openhcs runs lists those that wait, in order.
    """
    from openhcs.core.orchestrator import Run
    from openhcs.core.turns import turns_here

    try:
        there = turns_here().put(Run.attach(out).run_id, place)
    except LookupError:
        raise InputError(
            f"move: the run in {out} does not wait for its turn on this machine; expected one that does. "
            "See those: openhcs runs."
        ) from None
    typer.echo(f"It is number {there} of those that wait.", err=True)
    return 0


@app.command(cls=HelpCommand, rich_help_panel=PROGRAM)
def doctor(as_json: JsonOption = False) -> int:
    """Examine the installation.

    Says what is installed, what the terminal can do, and where settings, journals and logs live. The exit code is 1
    where something is broken.
    """
    from openhcs.doctor import examine, is_healthy, to_json, to_text

    findings = examine()
    typer.echo(to_json(findings) if as_json else to_text(findings))
    return 0 if is_healthy(findings) else 1


@app.command(cls=HelpCommand, rich_help_panel=PROGRAM)
def functions(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", autocompletion=complete_function, help="One function, to be explained."),
    ] = None,
) -> int:
    """List the functions that pipelines may call, or explain one."""
    from openhcs.core.config import load_settings
    from openhcs.core.functions import catalogue, find_function
    from openhcs.function_help import function_text, functions_text

    modules = load_settings().function_modules
    text = functions_text(catalogue(modules)) if name is None else function_text(find_function(name, modules))
    typer.echo(visible_lines(text), nl=False)
    return 0


@app.command(cls=HelpCommand, rich_help_panel=PROGRAM)
def settings(as_json: JsonOption = False) -> int:
    """Print every setting, with its value and where that comes from.

    The text is a settings file in which what is not set is a comment; its first line says where yours belongs.
    """
    from openhcs.core.config import read_settings
    from openhcs.settings_view import settings_json, settings_text

    known = read_settings()
    typer.echo(settings_json(known) if as_json else settings_text(known), nl=False)
    return 0


@app.command(cls=HelpCommand, rich_help_panel=PROGRAM)
def keys() -> int:
    """Print the workbench's actions with their keys.

    The text is a keys file that changes nothing; its first line says where yours belongs. What yours asks for and
    cannot have is told besides.
    """
    from openhcs.tui.layout.simple_launcher import SimpleOpenHCSTUILauncher

    launcher = SimpleOpenHCSTUILauncher()
    typer.echo(launcher.keys(), nl=False)
    for fault in launcher.key_faults():
        typer.echo(f"note: your keys file: {visible_lines(str(fault))}", err=True)
    return 0


@app.command(
    rich_help_panel=DEVELOPERS,
    add_help_option=False,
    options_metavar="[OPTIONS]",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def verify(context: typer.Context) -> int:
    """Find faults of asyncio and prompt_toolkit programs, without running them.

    openhcs verify --help lists its options.
    """
    # Also a program of its own, `python -m openhcs.verify`, which takes the same arguments.
    from openhcs.verify.command import main as run_verify

    return run_verify(context.args)


@app.command(cls=HelpCommand, rich_help_panel=PROGRAM)
def version() -> int:
    """Print the version."""
    typer.echo(f"openhcs {__version__}")
    return 0


def _print_version(asked: bool) -> None:
    if asked:
        raise typer.Exit(version())


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Run image-processing pipelines over high-content screening plates.

    Alone, in a terminal, `openhcs` opens the workbench. `openhcs COMMAND --help` explains a command. All pages are in
    docs, the tutorial among them.
    """


class _Looks(NamedTuple):
    """What the command line says about the screen; None leaves it to the settings."""

    plain: bool | None
    ascii_only: bool
    mouse: bool | None


def _open_workbench(
    plates: Sequence[Path], pipeline: Path | None, looks: _Looks, strict: Strictness | None, *, tour: bool
) -> NoReturn:
    """Show the workbench until the user leaves it; then leave the process, whatever threads are still at work."""
    # prompt_toolkit and the workbench take 0.2 s to import.
    from openhcs.tui.effects.screen_settings import read_screen_settings
    from openhcs.tui.layout.simple_launcher import SimpleOpenHCSTUILauncher, strict_workbench
    from openhcs.tui.utils.bounded_run import exit_bounded

    screen = read_screen_settings().but_with(
        plain=looks.plain, mouse=looks.mouse, characters="ascii" if looks.ascii_only else None
    )
    how_strict = None
    if strict is not None:
        how_strict, missing = strict_workbench(full=strict is Strictness.FULL)
        if missing is not None:
            typer.echo(f"note: {missing}", err=True)
    workbench = SimpleOpenHCSTUILauncher(plates, pipeline, strict=how_strict, tour=tour, screen=screen)
    exit_bounded(workbench.run())


def _find_pipeline(name: str, saved: Path) -> Path:
    """The file of a pipeline: `name` itself, or the one of that name in the folder `saved`, or a shipped one."""
    from openhcs.core.pipeline_file import shipped_pipelines

    path = Path(name).expanduser()
    if path.is_file() or path.suffix or path.name != name:
        return path  # loading it says what is wrong with it
    if (file := saved / f"{name}.yaml").is_file():
        return file
    shipped = shipped_pipelines()
    if name not in shipped:
        known = ", ".join(sorted(shipped))
        raise PipelineError(f"pipeline: {name}; expected a file, a pipeline saved in {saved}, or one of: {known}.")
    return shipped[name]
