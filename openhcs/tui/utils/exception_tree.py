"""What an exception tells beyond its traceback: the tree of its causes and members, and the locals of its frames.

Both are for people to read, are bounded in every direction and never raise, whatever the exception and the objects in
its frames do. Standard library only; anybody may import this.

Checked by tests/tui/utils/test_exception_tree.py.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterator
from types import FrameType, TracebackType

from openhcs.tui.utils.safe_text import attribute_of, describe, visible

__all__ = ["cause_tree", "frame_locals"]

_DEPTH = 20
_NODES = 200
_MESSAGE = 200
_FRAMES = 30
_NAMES = 60
_VALUE = 300


def cause_tree(exception: BaseException) -> list[str]:
    """The exception, and beneath it those it holds (a group), was raised from, or was raised while handling.

    One line each, with the place it was raised at. Empty for an exception that stands alone.
    """
    lines: list[str] = []
    _grow(exception, "", "", "", set(), 0, lines)
    if len(lines) >= _NODES:
        lines[_NODES - 1 :] = ["… and more"]
    return lines if len(lines) > 1 else []


def _grow(
    exception: BaseException, branch: str, indent: str, how: str, above: set[int], depth: int, lines: list[str]
) -> None:
    if len(lines) >= _NODES:
        return
    lines.append(f"{branch}{how}{_headline(exception)}")
    below = list(_below(exception))
    if below and (depth >= _DEPTH or id(exception) in above):
        lines.append(f"{indent}└─ {'as above' if id(exception) in above else '… and deeper'}")
        return
    above = above | {id(exception)}
    for number, (relation, child) in enumerate(below, 1):
        last = number == len(below)
        corner, stem = ("└─ ", "   ") if last else ("├─ ", "│  ")
        _grow(child, indent + corner, indent + stem, relation, above, depth + 1, lines)


def _below(exception: BaseException) -> Iterator[tuple[str, BaseException]]:
    if issubclass(type(exception), BaseExceptionGroup):
        for member in BaseExceptionGroup.exceptions.__get__(exception):
            yield "", member
    cause = attribute_of(exception, "__cause__")
    context = attribute_of(exception, "__context__")
    if cause is not None:
        yield "caused by ", cause
    elif context is not None and not attribute_of(exception, "__suppress_context__"):
        yield "while handling ", context


def _headline(exception: BaseException) -> str:
    name = type(exception).__name__
    message = visible(describe(exception), _MESSAGE)
    text = name if message == name else f"{name}: {message}"
    frames = list(_tracebacks(exception))
    if not frames:
        return text
    code = frames[-1].tb_frame.f_code
    return f"{text}  (in {visible(code.co_name)}, line {frames[-1].tb_lineno} of {visible(_short(code.co_filename))})"


def _short(path: str) -> str:
    return "/".join(path.split("/")[-2:])


def frame_locals(exception: BaseException) -> list[str]:
    """The local variables of the frames `exception` came through, the innermost frame first; empty if it has none."""
    lines: list[str] = []
    frames = list(_tracebacks(exception))
    for at in reversed(frames[-_FRAMES:]):
        code = at.tb_frame.f_code
        lines.append(f"{visible(code.co_qualname)}, line {at.tb_lineno} of {visible(code.co_filename)}")
        lines += [f"    {line}" for line in _values(at.tb_frame)] or ["    no local variables"]
        lines.append("")
    if len(frames) > _FRAMES:
        lines.append(f"{len(frames) - _FRAMES} outer frames are not shown")
    return lines[:-1] if lines and not lines[-1] else lines


def _values(frame: FrameType) -> list[str]:
    try:
        values = dict(frame.f_locals)
    except Exception:  # the frame may be one of a namespace that raises when it is read
        return ["the variables of this frame cannot be read"]
    if frame.f_locals is frame.f_globals:
        # A module: what it defines is what its source says; what it computes is of interest.
        values = {name: value for name, value in values.items() if not name.startswith("__")}
    lines = [f"{visible(name, 80)} = {_value(value)}" for name, value in list(values.items())[:_NAMES]]
    if len(values) > _NAMES:
        lines.append(f"… and {len(values) - _NAMES} more")
    return lines


def _value(value: object) -> str:
    try:
        return visible(str.__str__(_shortly.repr(value)), _VALUE)
    except BaseException:
        # Whatever comes out of a `__repr__`, be it SystemExit, says nothing but that there is no text.
        return f"<{type(value).__name__} whose text cannot be made>"


def _tracebacks(exception: BaseException) -> Iterator[TracebackType]:
    at: TracebackType | None = attribute_of(exception, "__traceback__")
    while at is not None:
        yield at
        at = at.tb_next


class _Shortly(reprlib.Repr):
    """Asks of a large value no more than is shown of it."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = _VALUE
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = self.maxfrozenset = 12
        self.maxlevel = 4

    def repr_bytes(self, value: bytes | bytearray, level: int) -> str:
        more = f"… ({len(value):,} bytes)" if len(value) > self.maxstring else ""
        return f"{bytes(value[: self.maxstring])!r}{more}"

    repr_bytearray = repr_bytes


_shortly = _Shortly()
