"""The command `openhcs`: what each subcommand takes, and which exit code it ends with.

Imports of the engine and the workbench stand inside the commands: together they take half a second, and `--help`,
completion and `version` need neither.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | some wells failed, or `doctor` found something broken |
| 2 | what was given cannot be used |
| 74 | standard output cannot be written, on a full disk say |
| 130 | Ctrl-C |
| 141 | the reader of our output went away |
"""

from __future__ import annotations

import errno
import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from openhcs import __version__
from openhcs.cluster_command import cluster
from openhcs.errors import InputError, OpenHCSError, PipelineError
from openhcs.tui.utils.safe_text import visible_lines

__all__ = ["main"]

BROKEN_PIPE = 141
OUTPUT_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
DEMO_PIPELINE = "nuclei"


class Commands(TyperGroup):
    """The boundary of every command: what it returns is the exit code, an error of ours is one line and a code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            code = super().invoke(ctx)
            print(end="", flush=True)  # noqa: T201 - a reader who went away is to be noticed here
            raise typer.Exit(code)
        except BrokenPipeError:
            # The interpreter flushes standard output once more at exit; that must not fail as well.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(BROKEN_PIPE) from None
        except OpenHCSError as error:
            typer.echo(f"error: {visible_lines(str(error))}", err=True)
            raise typer.Exit(2) from None
        except OSError as error:
            if error.filename is not None or error.errno not in OUTPUT_ERRORS:
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            typer.echo(f"error: standard output cannot be written: {error.strerror}. Write it elsewhere.", err=True)
            raise typer.Exit(os.EX_IOERR) from None


class Strictness(Enum):
    """What `--strict` may be given."""

    ON = "on"
    FULL = "full"


class WorkbenchCommand(TyperCommand):
    """A command whose `--strict` may stand alone, and takes a value only behind `=`: what follows may be a plate."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        options = [f"{arg}={Strictness.ON.value}" if arg == "--strict" else arg for arg in args[:end]]
        return super().parse_args(ctx, [*options, *args[end:]])


app = typer.Typer(
    name="openhcs",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(cluster, name="cluster")

PlateArgument = Annotated[Path, typer.Argument(metavar="PLATE", help="The plate's folder, as the microscope wrote it.")]
PipelineOption = Annotated[
    str, typer.Option("--pipeline", "-p", help="A pipeline file, or the name of one that is shipped or saved.")
]
WorkersOption = Annotated[
    int | None, typer.Option(min=1, help="Wells processed at the same time; by default what the settings say.")
]
StrictOption = Annotated[
    Strictness | None,
    typer.Option(
        "--strict",
        metavar="[=full]",
        help="For developers: tell of swallowed cancellations and coroutines never awaited, and record who creates "
        "each task. --strict=full: asyncio's debug mode as well.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output, nothing else.")]


def main() -> None:
    """Run the command line and leave the process with its exit code."""
    app()


@app.command(cls=WorkbenchCommand)
def tui(
    plates: Annotated[list[Path] | None, typer.Argument(metavar="[PLATE]...", help="Plates to open with.")] = None,
    pipeline: Annotated[str | None, typer.Option("--pipeline", "-p", help="A pipeline to open with.")] = None,
    strict: StrictOption = None,
) -> int:
    """Open the workbench."""
    from openhcs.core.config import load_settings

    file = None if pipeline is None else _find_pipeline(pipeline, load_settings().pipelines_folder)
    return _open_workbench([plate.absolute() for plate in plates or ()], file, strict)


@app.command(cls=WorkbenchCommand)
def demo(
    headless: Annotated[
        bool, typer.Option("--headless", help="Run the plate without the workbench, even in a terminal.")
    ] = False,
    folder: Annotated[Path, typer.Option(help="Where to make the plate.")] = Path("demo-plate"),
    seed: Annotated[int, typer.Option(help="Another seed makes another plate.")] = 1,
    strict: StrictOption = None,
) -> int:
    """Make a small plate with known counts and open the workbench on it.

    Without a terminal, or with --headless, the plate is run instead, and the counts are printed beside the truth.
    """
    from openhcs.core.demo_plate import make_demo_plate, read_demo_truth
    from openhcs.core.pipeline_file import shipped_pipelines

    if not folder.exists():
        typer.echo(f"Making the demo plate in {visible_lines(str(folder))}, which takes some seconds.", err=True)
    make_demo_plate(folder, seed=seed)
    pipeline = shipped_pipelines()[DEMO_PIPELINE]
    if headless or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return _run(folder, pipeline, truth=read_demo_truth(folder))
    return _open_workbench([folder.absolute()], pipeline, strict)


@app.command()
def run(
    plate: PlateArgument,
    pipeline: PipelineOption,
    wells: Annotated[str | None, typer.Option(help="Only these wells, as in A01,B02.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the results; by default one in openhcs-results.")] = None,
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> int:
    """Run a pipeline over a plate.

    Wells that already have results of the same plan in the results folder are not processed again. Ctrl-C cancels.
    """
    from openhcs.core.config import load_settings

    file = _find_pipeline(pipeline, load_settings().pipelines_folder)
    return _run(plate, file, wells=_well_names(wells), out=out, workers=workers, as_json=as_json)


@app.command()
def attach(
    out: Annotated[Path, typer.Argument(metavar="RESULTS", help="The results folder of a run.")],
    as_json: JsonOption = False,
) -> int:
    """Follow a run that is going on, or see how one ended. Ctrl-C leaves the run going on."""
    from openhcs import headless
    from openhcs.core.orchestrator import Run

    attached = Run.attach(out)
    with headless.Interrupts() as interrupts:
        if not attached.poll().state.has_ended:
            headless.tell(f"Following the run in {out}; Ctrl-C lets it go on.")
        progress = headless.follow(attached, interrupts, cancel_on_interrupt=False)
    if progress.state.has_ended:
        headless.report(progress, as_json=as_json)
    else:
        headless.tell(f"The run goes on. To see it again: openhcs attach {shlex.quote(str(out))}")
    return headless.exit_code(progress, interrupts)


@app.command()
def doctor(as_json: JsonOption = False) -> int:
    """Say what is installed, what the terminal can do, and where settings, journals and logs live."""
    from openhcs.doctor import examine, is_healthy, to_json, to_text

    findings = examine()
    typer.echo(to_json(findings) if as_json else to_text(findings))
    return 0 if is_healthy(findings) else 1


@app.command(
    add_help_option=False,
    options_metavar="[OPTIONS]",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def verify(context: typer.Context) -> int:
    """Find faults of asyncio and prompt_toolkit programs without running them; see openhcs verify --help."""
    # Also a program of its own, `python -m openhcs.verify`, which takes the same arguments.
    from openhcs.verify.command import main as run_verify

    return run_verify(context.args)


@app.command()
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
    """Run image-processing pipelines over high-content screening plates."""


def _run(
    plate: Path,
    pipeline_file: Path,
    *,
    wells: Sequence[str] | None = None,
    out: Path | None = None,
    workers: int | None = None,
    as_json: bool = False,
    truth: Mapping[str, int] | None = None,
) -> int:
    """Take a plate through its life without the workbench; the exit code."""
    from openhcs import headless
    from openhcs.core.config import load_settings
    from openhcs.core.orchestrator import Orchestrator, default_results_folder
    from openhcs.core.pipeline_file import load_pipeline

    settings = load_settings()
    pipeline = load_pipeline(pipeline_file)
    orchestrator = Orchestrator(plate, settings.function_modules)
    index = orchestrator.initialise()
    headless.tell_discrepancies(index.discrepancies)
    plans = orchestrator.compile(pipeline, wells)
    out = out or default_results_folder(index.name, pipeline.name, settings.results_folder)
    size = f"{len(plans)} {'well' if len(plans) == 1 else 'wells'}"
    with headless.Interrupts() as interrupts:
        started = orchestrator.run(out, workers or settings.workers, settings.worker_memory_bytes)
        headless.tell(f"{index.name}: {size} with pipeline {pipeline.name}; results in {out}")
        progress = headless.follow(started, interrupts, cancel_on_interrupt=True)
    headless.report(progress, index.discrepancies, truth, as_json=as_json)
    return headless.exit_code(progress, interrupts)


def _open_workbench(plates: Sequence[Path], pipeline: Path | None, strict: Strictness | None) -> NoReturn:
    """Show the workbench until the user leaves it; then leave the process, whatever threads are still at work."""
    # prompt_toolkit and the workbench take 0.2 s to import.
    from openhcs.tui.layout.simple_launcher import SimpleOpenHCSTUILauncher, strict_workbench
    from openhcs.tui.utils.bounded_run import exit_bounded

    how_strict = None
    if strict is not None:
        how_strict, missing = strict_workbench(full=strict is Strictness.FULL)
        if missing is not None:
            typer.echo(f"note: {missing}", err=True)
    exit_bounded(SimpleOpenHCSTUILauncher(plates=plates, pipeline=pipeline, strict=how_strict).run())


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


def _well_names(text: str | None) -> tuple[str, ...] | None:
    """The names in `A01,b2`, in the form that plates use: A01, B02."""
    if text is None:
        return None
    names = []
    for word in re.split(r"[,\s]+", text.strip(", ")):
        match = re.fullmatch(r"([A-Za-z]{1,2})(\d{1,2})", word)
        if match is None:
            raise InputError(f"--wells: {word!r}; expected names such as A01,B02.")
        names.append(f"{match[1].upper()}{int(match[2]):02d}")
    return tuple(names)
