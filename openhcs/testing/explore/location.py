"""Where a coroutine stands: the innermost await of the program's own code, with its line of source."""

from __future__ import annotations

import linecache
import os
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

__all__ = ["Location", "location_of_coroutine", "location_of_traceback", "stack_lines", "step_of_await"]

_EXPLORER: Final = str(Path(__file__).parent)
_LIBRARIES: Final = (str(Path(os.__file__).parent), "site-packages", "dist-packages")
"""Frames of the standard library and of installed packages say how, not where."""


@dataclass(frozen=True, slots=True)
class Location:
    """A line of the program.

    Args:
        function: qualified name.
        file: as the interpreter knows it.
        line: from 1.
        inside: what the line has called, down to the library's own await: "Event.wait", or "".
    """

    function: str
    file: str
    line: int
    inside: str = ""

    @property
    def place(self) -> str:
        """Short file name and line, as editors open it."""
        return f"{_short(self.file)}:{self.line}"

    @property
    def source(self) -> str:
        """The line's text."""
        return linecache.getline(self.file, self.line).strip()


def _is_library(file: str) -> bool:
    return any(part in file for part in _LIBRARIES)


def _called(frame: types.FrameType) -> str:
    module = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    return f"{module}.{frame.f_code.co_qualname}"


def _short(file: str) -> str:
    for packages in _LIBRARIES[1:]:
        if packages in file:
            return file.rpartition(packages)[2].lstrip("/\\")
    try:
        return str(Path(file).relative_to(Path.cwd()))
    except ValueError:
        return Path(file).name


def step_of_await(awaiting: Any) -> tuple[types.FrameType | None, Any] | None:
    """The frame of a coroutine or generator, None when it has ended, and what it awaits; None for anything else."""
    if isinstance(awaiting, types.CoroutineType):
        return awaiting.cr_frame, awaiting.cr_await
    if isinstance(awaiting, types.GeneratorType):
        return awaiting.gi_frame, awaiting.gi_yieldfrom
    if isinstance(awaiting, types.AsyncGeneratorType):
        return awaiting.ag_frame, awaiting.ag_await
    return None


def _frames(coroutine: Any) -> list[types.FrameType]:
    """The chain of awaits, outermost first; empty when it has ended."""
    frames = []
    while (step := step_of_await(coroutine)) is not None:
        frame, coroutine = step
        if frame is not None:
            frames.append(frame)
    return frames


def location_of_coroutine(coroutine: Any) -> Location | None:
    """The innermost line of the program's own code at which this coroutine waits; None before it starts."""
    if isinstance(coroutine, types.CoroutineType) and not coroutine.cr_suspended:
        return None
    frames = [frame for frame in _frames(coroutine) if not frame.f_code.co_filename.startswith(_EXPLORER)]
    if not frames:
        return None
    own = [frame for frame in frames if not _is_library(frame.f_code.co_filename)]
    innermost = own[-1] if own else frames[0]
    called = frames[frames.index(innermost) + 1 :]
    return _location(innermost, _called(called[0]) if called else "")


def location_of_traceback(error: BaseException) -> Location | None:
    """The innermost line of the program's own code in the traceback."""
    found, last = error.__traceback__, None
    while found is not None:
        code = found.tb_frame.f_code
        if last is None or not (code.co_filename.startswith(_EXPLORER) or _is_library(code.co_filename)):
            last = Location(code.co_qualname, code.co_filename, found.tb_lineno)
        found = found.tb_next
    return last


def stack_lines(coroutine: Any) -> tuple[str, ...]:
    """The chain of awaits, a line each, outermost first."""
    lines = []
    for frame in _frames(coroutine):
        where = _location(frame)
        lines.append(f"{where.place} in {where.function}: {where.source}")
    return tuple(lines)


def _location(frame: types.FrameType, inside: str = "") -> Location:
    return Location(frame.f_code.co_qualname, frame.f_code.co_filename, frame.f_lineno, inside)
