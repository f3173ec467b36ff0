"""The options and arguments that commands take more than once, and all of `openhcs run`: types, help, where they stand.

What they mean to a run is in `plate_run`; which command takes which, in `cli`.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from openhcs.completion import complete_pipeline, complete_plate

__all__ = [
    "AsciiOption",
    "CsvOption",
    "DEVELOPERS",
    "DetachOption",
    "DryRunOption",
    "FailedOption",
    "JsonOption",
    "MouseOption",
    "OutOption",
    "PipelineOption",
    "PlainOption",
    "PlateArgument",
    "QueueOption",
    "QuietOption",
    "RetriesOption",
    "RoomCheckOption",
    "SchedulerOption",
    "SitesOption",
    "StrictOption",
    "Strictness",
    "TryOption",
    "WORKERS",
    "WellTimeoutOption",
    "WellsOption",
    "WorkersOption",
]

DEVELOPERS = "For developers"
WHICH = "Which wells"
RESULTS = "Results"
WORKERS = "Workers"
STARTING = "How it is started"
TELLING = "What is told"
SCREEN = "The screen"


class Strictness(Enum):
    """What `--strict` may be given."""

    ON = "on"
    FULL = "full"


PlateArgument = Annotated[
    Path,
    typer.Argument(
        metavar="PLATE", autocompletion=complete_plate, help="The plate's folder, as the microscope wrote it."
    ),
]
PipelineOption = Annotated[
    str,
    typer.Option(
        "--pipeline",
        "-p",
        metavar="PIPELINE",
        autocompletion=complete_pipeline,
        help="A pipeline file, or the name of one that is shipped or saved.",
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="Wells processed at the same time; by default what the settings say.",
        rich_help_panel=WORKERS,
    ),
]
StrictOption = Annotated[
    Strictness | None,
    typer.Option(
        "--strict",
        metavar="[=full]",
        rich_help_panel=DEVELOPERS,
        help="Tell of swallowed cancellations and coroutines never awaited, and record who creates "
        "each task. --strict=full: asyncio's debug mode as well.",
    ),
]
PlainOption = Annotated[
    bool | None,
    typer.Option(
        "--plain/--no-plain",
        help="For screen readers: one pane at a time, no borders, words for symbols.",
        rich_help_panel=SCREEN,
    ),
]
AsciiOption = Annotated[
    bool,
    typer.Option(
        "--ascii",
        help="Draw with ASCII characters; by default where the locale has no others.",
        rich_help_panel=SCREEN,
    ),
]
MouseOption = Annotated[
    bool | None,
    typer.Option(
        "--mouse/--no-mouse",
        help="Take the mouse; without, the terminal's own selection works.",
        rich_help_panel=SCREEN,
    ),
]
QuietOption = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", help="Tell of failed wells and errors only; no progress, no table.", rich_help_panel=TELLING
    ),
]
JsonOption = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON document on standard output, nothing else.", rich_help_panel=TELLING),
]
WellsOption = Annotated[
    str | None,
    typer.Option(
        metavar="WELLS",
        help="Only these wells: A01,B02, rectangles A01-C03, rows C or A-C, columns 3 or 1-6.",
        rich_help_panel=WHICH,
    ),
]
SitesOption = Annotated[
    str | None,
    typer.Option(
        metavar="SITES",
        help="Only these sites, as in 1,3-5; such results go to a folder of their own.",
        rich_help_panel=WHICH,
    ),
]
FailedOption = Annotated[
    bool,
    typer.Option(
        "--failed",
        help="Only wells that failed or were cancelled when they were tried last.",
        rich_help_panel=WHICH,
    ),
]
TryOption = Annotated[
    int | None,
    typer.Option(
        "--try",
        metavar="N",
        min=1,
        help="Only N wells far apart on the plate; a full run reuses them.",
        rich_help_panel=WHICH,
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Folder for the results; by default one in openhcs-results.",
        rich_help_panel=RESULTS,
    ),
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        metavar="WHERE",
        help="Use the workers of this Dask scheduler: tcp://host:port, tls://host:port, or FILE.json.",
        rich_help_panel=WORKERS,
    ),
]
RetriesOption = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=0,
        help="Times a well is tried again whose worker died, or that took too long or could not be read.",
        rich_help_panel=WORKERS,
    ),
]
WellTimeoutOption = Annotated[
    float | None,
    typer.Option(
        "--well-timeout",
        metavar="SECONDS",
        min=0.1,
        help="Time one try of a well may take; no limit unless given.",
        rich_help_panel=WORKERS,
    ),
]
DryRunOption = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Start nothing: tell what would be done, what it takes, what is wrong.",
        rich_help_panel=STARTING,
    ),
]
RoomCheckOption = Annotated[
    bool,
    typer.Option(
        "--room-check/--no-room-check",
        help="Refuse what needs more memory or disk than there is; on by default.",
        rich_help_panel=WORKERS,
    ),
]
CsvOption = Annotated[
    bool,
    typer.Option(
        "--csv",
        help="Write the tables of all wells as CSV files too, besides parquet.",
        rich_help_panel=RESULTS,
    ),
]
QueueOption = Annotated[
    bool,
    typer.Option(
        "--queue",
        help="Let your runs on this machine that were asked for before go first; as many go on at a time as "
        "runs_at_once of the settings says.",
        rich_help_panel=STARTING,
    ),
]
DetachOption = Annotated[
    bool,
    typer.Option(
        "--detach", "-d", help="Return once the run has begun; it goes on by itself.", rich_help_panel=STARTING
    ),
]
