"""What is installed, what the terminal can do, where files live, what the machine has: findings, each with a verdict.

A finding is a problem when something that a run needs is broken, a note when the workbench will be less than it could
be. Both carry the next step to take. Nothing is changed and nothing is written: a folder is judged by its permissions.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import psutil
from packaging.requirements import Requirement
from prompt_toolkit.output.color_depth import ColorDepth

from openhcs.core import paths
from openhcs.core.config import Settings, available_cores, load_settings
from openhcs.core.formats import FORMATS
from openhcs.core.formats.plugins import format_plugins
from openhcs.errors import SettingsError
from openhcs.tui.utils.colour_depth import colour_depth
from openhcs.tui.utils.screen_output import is_gnu_screen, terminal_encoding

__all__ = ["Finding", "Verdict", "examine", "is_healthy", "to_json", "to_text"]

GIB = 2**30
SMALLEST_SCREEN = (80, 24)
DISK_NOTE_GIB = 5
WORKER_NOTE_GIB = 1
OLDEST_PYTHON = (3, 11)
ENGINE_LIBRARIES = ("distributed", "imagecodecs", "ngio", "polars", "scipy.ndimage", "skimage.measure", "tifffile")
TERMINALS_WITHOUT_MOUSE = ("dumb", "linux", "vt100", "vt220", "unknown", "")

_COLOURS = {
    ColorDepth.DEPTH_1_BIT: "none",
    ColorDepth.DEPTH_4_BIT: "16",
    ColorDepth.DEPTH_8_BIT: "256",
    ColorDepth.DEPTH_24_BIT: "16 million",
}


class Verdict(StrEnum):
    """How a finding bears on a run."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact about this installation; `next_step` is empty where nothing is to be done."""

    section: str
    name: str
    value: str
    verdict: Verdict = Verdict.OK
    next_step: str = ""


def examine(*, try_imports: bool = True) -> tuple[Finding, ...]:
    """Look at the program, the terminal, the files and the machine.

    Args:
        try_imports: Whether to load the engine's libraries, in a process of their own; takes three seconds.
    """
    settings, settings_finding = _settings()
    return (
        *_program(),
        *((_imports(),) if try_imports else ()),
        *_formats(),
        *_terminal(os.environ),
        settings_finding,
        *_files(settings),
        *_function_modules(settings.function_modules),
        *_machine(settings),
    )


def is_healthy(findings: Sequence[Finding]) -> bool:
    """Whether nothing that a run needs is broken."""
    return all(finding.verdict is not Verdict.PROBLEM for finding in findings)


def to_json(findings: Sequence[Finding]) -> str:
    """One JSON document: `{"ok": bool, "findings": [{section, name, value, verdict, next_step}]}`."""
    return json.dumps({"ok": is_healthy(findings), "findings": [asdict(f) for f in findings]}, indent=2)


def to_text(findings: Sequence[Finding]) -> str:
    """The findings under their sections, the verdict of each in a word, its next step below it."""
    lines: list[str] = []
    section = None
    for finding in findings:
        if finding.section != section:
            section = finding.section
            lines += [*([""] if lines else []), section]
        lines.append(f"  {finding.verdict:8} {finding.name:18} {finding.value}")
        if finding.next_step:
            lines.append(f"  {'':8} {'':18} {finding.next_step}")
    notes = sum(finding.verdict is Verdict.NOTE for finding in findings)
    problems = sum(finding.verdict is Verdict.PROBLEM for finding in findings)
    return "\n".join([*lines, "", f"{_count(problems, 'problem')}, {_count(notes, 'note')}"])


def _count(number: int, word: str) -> str:
    return f"{number or 'no'} {word}{'' if number == 1 else 's'}"


def _program() -> Iterator[Finding]:
    section = "Program"
    yield Finding(section, "openhcs", f"{importlib.metadata.version('openhcs')} in {Path(__file__).parent}")
    python = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info >= OLDEST_PYTHON:
        yield Finding(section, "Python", python)
    else:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        yield Finding(section, "Python", python, Verdict.PROBLEM, f"Install Python {oldest} or newer.")
    for line in importlib.metadata.requires("openhcs") or []:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate():
            yield _library(section, requirement)


def _library(section: str, requirement: Requirement) -> Finding:
    step = f"Install it: {sys.executable} -m pip install '{requirement.name}{requirement.specifier}'"
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return Finding(section, requirement.name, "absent", Verdict.PROBLEM, step)
    if requirement.specifier.contains(version, prereleases=True):
        return Finding(section, requirement.name, version)
    wanted = f"{version}, expected {requirement.specifier}"
    return Finding(section, requirement.name, wanted, Verdict.PROBLEM, step)


def _imports() -> Finding:
    """Whether the libraries a run needs load: being installed is not enough when a shared library is missing."""
    section, name = "Program", "engine imports"
    probe = subprocess.run(
        [sys.executable, "-c", f"import {', '.join(ENGINE_LIBRARIES)}"],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if probe.returncode == 0:
        return Finding(section, name, ", ".join(ENGINE_LIBRARIES))
    fault = probe.stderr.strip().rpartition("\n")[2] or f"exit code {probe.returncode}"
    step = f"Reinstall: {sys.executable} -m pip install --force-reinstall openhcs"
    return Finding(section, name, fault, Verdict.PROBLEM, step)


def _formats() -> Iterator[Finding]:
    """The plate formats there are; those of other distributions are loaded, as a run would."""
    section = "Program"
    yield Finding(section, "plate formats", ", ".join(known.name for known in FORMATS))
    for plugin in format_plugins():
        of = f"of {plugin.distribution} {plugin.version}"
        if plugin.format is None:
            step = f"Update or remove {plugin.distribution}; plates of other formats are not affected."
            yield Finding(section, "plate format", f"{plugin.entry} {of}: {plugin.error}", Verdict.NOTE, step)
        else:
            yield Finding(section, "plate format", f"{plugin.format.name} {of}")


def _terminal(environment: Mapping[str, str]) -> Iterator[Finding]:
    section = "Terminal"
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        yield Finding(
            section,
            "terminal",
            "none: standard input or output is a file or a pipe",
            Verdict.NOTE,
            "The workbench needs a terminal; `openhcs run` and `openhcs attach` do not.",
        )
        return
    columns, rows = shutil.get_terminal_size()
    small = columns < SMALLEST_SCREEN[0] or rows < SMALLEST_SCREEN[1]
    yield Finding(
        section,
        "size",
        f"{columns} x {rows}",
        Verdict.NOTE if small else Verdict.OK,
        "The workbench is made for 80 x 24 and more: enlarge the window." if small else "",
    )
    yield from (
        _colours(section, environment),
        _characters(section, environment),
        _mouse(section, environment),
        _surroundings(section, environment),
    )


def _colours(section: str, environment: Mapping[str, str]) -> Finding:
    """What the workbench draws with; where it asks no more than that, prompt_toolkit takes 256 colours."""
    term = environment.get("TERM", "")
    if term in ("dumb", ""):
        step = "Set TERM to what the terminal is, often xterm-256color."
        return Finding(section, "colours", f"none: TERM is {term or 'not set'}", Verdict.NOTE, step)
    depth = colour_depth(environment) or ColorDepth.DEPTH_8_BIT
    if depth is ColorDepth.DEPTH_1_BIT and environment.get("NO_COLOR"):
        return Finding(section, "colours", "none, because NO_COLOR is set")
    return Finding(section, "colours", f"{_COLOURS[depth]} (TERM={term})")


def _characters(section: str, environment: Mapping[str, str]) -> Finding:
    encoding = terminal_encoding(environment, sys.stdout.encoding)
    if encoding != "utf-8":
        step = "Choose a UTF-8 locale: export LC_ALL=C.UTF-8"
        return Finding(section, "characters", f"{encoding}, without check marks and blocks", Verdict.NOTE, step)
    return Finding(section, "characters", encoding)


def _mouse(section: str, environment: Mapping[str, str]) -> Finding:
    term = environment.get("TERM", "")
    if term in TERMINALS_WITHOUT_MOUSE:
        return Finding(section, "mouse", f"unlikely with TERM={term}; everything has a key", Verdict.NOTE)
    if is_gnu_screen(environment):
        step = "--mouse takes it all the same."
        return Finding(
            section, "mouse", "off in GNU screen, which holds Escape back while it is on", Verdict.NOTE, step
        )
    if environment.get("TMUX"):
        return Finding(section, "mouse", "likely, if tmux passes it on: tmux set -g mouse on")
    return Finding(section, "mouse", "likely")


def _surroundings(section: str, environment: Mapping[str, str]) -> Finding:
    names = {"TMUX": "tmux", "STY": "screen", "SSH_CONNECTION": "ssh"}
    inside = [name for variable, name in names.items() if environment.get(variable)]
    return Finding(section, "inside", ", ".join(inside) or "neither tmux, screen nor ssh")


def _settings() -> tuple[Settings, Finding]:
    file = paths.settings_file()
    try:
        settings = load_settings()
    except SettingsError as error:
        step = f"Correct {file}, or remove it to return to the defaults."
        return Settings(), Finding("Files", "settings", str(error), Verdict.PROBLEM, step)
    state = "" if file.exists() else " (absent: every setting has its default)"
    return settings, Finding("Files", "settings", f"{file}{state}")


def _files(settings: Settings) -> Iterator[Finding]:
    section = "Files"
    yield _folder(section, "pipelines", settings.pipelines_folder)
    yield _folder(section, "state", paths.state_folder())
    yield _folder(section, "journals", paths.journals_folder())
    yield _folder(section, "logs", paths.logs_folder())
    results = settings.results_folder.absolute()
    yield _folder(section, "results", results)
    free = shutil.disk_usage(_existing(results)).free / GIB
    yield Finding(
        section,
        "room for results",
        f"{free:.1f} GiB",
        Verdict.NOTE if free < DISK_NOTE_GIB else Verdict.OK,
        "Results take about as much room as the images they come from." if free < DISK_NOTE_GIB else "",
    )


def _folder(section: str, name: str, folder: Path) -> Finding:
    existing = _existing(folder)
    if not existing.is_dir():
        step = f"{existing} is a file: move it away, or choose another folder."
        return Finding(section, name, str(folder), Verdict.PROBLEM, step)
    if not os.access(existing, os.W_OK | os.X_OK):
        step = f"{existing} cannot be written: change its permissions, or choose another folder."
        return Finding(section, name, str(folder), Verdict.PROBLEM, step)
    return Finding(section, name, f"{folder}{'' if folder.is_dir() else ' (made when needed)'}")


def _existing(path: Path) -> Path:
    """`path`, or the nearest of its parents that exists."""
    path = path.absolute()
    return next(place for place in (path, *path.parents) if place.exists())


def _function_modules(modules: Sequence[str]) -> Iterator[Finding]:
    for module in modules:
        # Looking only for the top package: finding a submodule would import, and so run, its parents.
        if importlib.util.find_spec(module.partition(".")[0]) is None:
            step = f"Install it beside openhcs, or remove it from function_modules in {paths.settings_file()}."
            yield Finding("Files", "function module", f"{module} is not installed", Verdict.PROBLEM, step)
        else:
            yield Finding("Files", "function module", module)


def _machine(settings: Settings) -> Iterator[Finding]:
    section = "Machine"
    cores = available_cores()
    yield Finding(section, "system", f"{platform.system()} {platform.release()}, {platform.machine()}")
    yield Finding(section, "cores", f"{cores} for us, {os.cpu_count()} in all")
    memory = psutil.virtual_memory()
    each = memory.available / GIB / settings.workers
    scarce = each < WORKER_NOTE_GIB
    yield Finding(
        section,
        "memory",
        f"{memory.available / GIB:.1f} GiB free of {memory.total / GIB:.1f}, {each:.1f} GiB for each worker",
        Verdict.NOTE if scarce else Verdict.OK,
        f"Set fewer workers than {settings.workers} if wells fail for want of memory." if scarce else "",
    )
