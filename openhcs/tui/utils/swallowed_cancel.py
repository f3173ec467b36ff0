"""Tells where code of ours handled a cancellation and did not let it go on.

A task that swallows its cancellation goes on working for nobody, holds up whoever waits for its end, and breaks
`asyncio.timeout` around it. Nothing in asyncio notices; the interpreter's monitoring does (Python 3.12): it calls us
whenever an exception meets a handler. From there the frame is followed to its next await, its return or its unwinding:

- an exception went on: nothing is said, neither of the cancellation nor of what clean-up made of it;
- it awaits while the cancellation is still being handled: it cleans up, and is followed further;
- it went on without the cancellation, and the task's `cancelling()` is above zero: it is told, once for each place.

Which CancelledErrors are a task's own: the first that it meets after `cancelling()` has risen. One of a child that it
cancelled and awaits is not, nor is that of `asyncio.timeout` or a TaskGroup, which take their request back.

What it cannot see: a cancellation that was turned into another exception, and code that is no Python function. Being
called takes a frame: at the very recursion limit that fails, and the watched code meets one more RecursionError.
Checked by tests/tui/utils/test_strict.py. Standard library only.
"""

from __future__ import annotations

import ast
import asyncio
import functools
import linecache
import logging
import os
import sys
import weakref
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any, NamedTuple, TypeAlias, cast

from openhcs.tui.utils.safe_log import log_safely

__all__ = ["CancelWatch", "SwallowedCancel", "can_watch_cancels"]

logger = logging.getLogger(__name__)

monitoring: Any = None
if sys.version_info >= (3, 12):
    monitoring = sys.monitoring

AnyTask: TypeAlias = "asyncio.Task[Any]"

_TOOL_IDS = (3, 4)
"""Those that Python leaves to no tool in particular."""

_CHAIN_LIMIT = 50

_context = BaseException.__dict__["__context__"].__get__

_LIBRARY = os.path.dirname(os.__file__)  # noqa: PTH120 - compared with what code objects call their files, which is text


class SwallowedCancel(RuntimeError):
    """The cancellation of a task was handled in `function`, at `line` of `file`, and did not go on from there."""

    def __init__(self, function: str, file: str, line: int) -> None:
        self.function = function
        self.file = file
        self.line = line
        super().__init__(function, file, line)

    def __str__(self) -> str:
        return (
            f"cancellation swallowed: {self.function} at {self.file}:{self.line}; expected the CancelledError to go on "
            "after clean-up. Raise it again, or call the task's uncancel() if it is meant to end there."
        )


class _Handling(NamedTuple):
    """A frame has met `exception`, a cancellation of `task`; its handler begins at `offset`."""

    exception: asyncio.CancelledError
    task: AnyTask
    offset: int


class CancelWatch:
    """Calls `on_swallowed(error, task name)` for each place in `files` that swallows, between `start` and `stop`.

    `files` are folders and files; without any, every file that belongs neither to the standard library nor to an
    installed package.
    """

    def __init__(self, on_swallowed: Callable[[SwallowedCancel, str], object], files: tuple[str, ...] = ()) -> None:
        self._on_swallowed = on_swallowed
        self._files = frozenset(map(os.path.abspath, files))
        self._folders = tuple(os.path.join(file, "") for file in self._files)  # noqa: PTH118 - text, as above
        self._tool: int | None = None
        self._told: set[tuple[str, int]] = set()
        self._following: dict[FrameType, _Handling] = {}
        self._followed_codes: dict[int, CodeType] = {}
        self._answered: weakref.WeakKeyDictionary[AnyTask, int] = weakref.WeakKeyDictionary()
        self._is_own: weakref.WeakKeyDictionary[BaseException, weakref.WeakKeyDictionary[AnyTask, bool]] = (
            weakref.WeakKeyDictionary()
        )

    def start(self) -> bool:
        """Begin to watch; False where that is impossible: before Python 3.12, or when other tools take all places."""
        self._tool = _take_tool_id()
        if self._tool is None:
            return False
        events = monitoring.events
        monitoring.register_callback(self._tool, events.EXCEPTION_HANDLED, self._handled)
        monitoring.register_callback(self._tool, events.PY_UNWIND, self._unwound)
        monitoring.register_callback(self._tool, events.PY_YIELD, self._yielded)
        monitoring.register_callback(self._tool, events.PY_RETURN, self._returned)
        monitoring.set_events(self._tool, events.EXCEPTION_HANDLED | events.PY_UNWIND)
        return True

    def stop(self) -> None:
        """Stop watching, and leave the interpreter as it was. May be called twice."""
        tool, self._tool = self._tool, None
        if tool is None:
            return
        monitoring.set_events(tool, 0)
        for code in self._followed_codes.values():
            monitoring.set_local_events(tool, code, 0)
        events = monitoring.events
        for event in (events.EXCEPTION_HANDLED, events.PY_UNWIND, events.PY_YIELD, events.PY_RETURN):
            monitoring.register_callback(tool, event, None)
        monitoring.free_tool_id(tool)
        self._followed_codes.clear()
        self._following.clear()

    # -- what the interpreter calls: for every handled exception and every unwound frame, so they are quick to leave,
    # and an exception in one would go on in the code that is watched ------------------------------------------------

    def _handled(self, code: CodeType, offset: int, exception: BaseException) -> None:
        if not _is_cancel(exception):
            return
        try:
            task = _current_task()
            if (
                task is None
                or not self._belongs_to(cast(asyncio.CancelledError, exception), task)
                or not self._is_ours(code.co_filename)
            ):
                return
            self._following[sys._getframe(1)] = _Handling(cast(asyncio.CancelledError, exception), task, offset)
            if id(code) not in self._followed_codes:
                self._followed_codes[id(code)] = code
                events = monitoring.events
                monitoring.set_local_events(self._tool, code, events.PY_YIELD | events.PY_RETURN)
        except Exception as failure:  # raised in here, it would be raised in the code that is watched
            _log(failure)

    def _unwound(self, code: CodeType, offset: int, exception: BaseException) -> None:
        if self._following:
            self._following.pop(sys._getframe(1), None)
        if _is_cancel(_context_of(exception)) and (task := _current_task()) is not None:
            # The TimeoutError of a timeout, which has taken its request back.
            self._look_at_requests(task)

    def _yielded(self, code: CodeType, offset: int, value: object) -> None:
        if self._following:
            frame = sys._getframe(1)
            handling = self._following.get(frame)
            if handling is not None and not self._is_being_handled(handling.task):
                del self._following[frame]
                self._went_on(frame, handling)

    def _returned(self, code: CodeType, offset: int, value: object) -> None:
        if self._following:
            frame = sys._getframe(1)
            handling = self._following.pop(frame, None)
            if handling is not None and not self._is_being_handled(handling.task):
                self._went_on(frame, handling)

    # -- whose cancellation it is, and what became of it -------------------------------------------------------------

    def _belongs_to(self, exception: asyncio.CancelledError, task: AnyTask) -> bool:
        verdicts = self._is_own.setdefault(exception, weakref.WeakKeyDictionary())
        verdict = verdicts.get(task)
        if verdict is None:
            before = self._answered.get(task, 0)
            verdict = verdicts[task] = self._look_at_requests(task) > before
            if verdict:
                self._answered[task] = task.cancelling()
        return verdict

    def _look_at_requests(self, task: AnyTask) -> int:
        """How many cancellations are asked of `task` now; those taken back count as never answered."""
        requests = task.cancelling()
        if requests < self._answered.get(task, 0):
            self._answered[task] = requests
        return requests

    def _is_being_handled(self, task: AnyTask) -> bool:
        """Whether the code that runs now is in a handler of a cancellation of `task`."""
        for exception in _chain(sys.exception()):
            verdicts = self._is_own.get(exception) if _is_cancel(exception) else None
            if verdicts is not None and verdicts.get(task):
                return True
        return False

    def _went_on(self, frame: FrameType, handling: _Handling) -> None:
        try:
            if not self._look_at_requests(handling.task):
                return
            code = frame.f_code
            place = code.co_filename, _line_of_handler(frame, handling.offset)
            if place not in self._told:
                self._told.add(place)
                error = SwallowedCancel(code.co_qualname, *place)
                self._on_swallowed(error.with_traceback(handling.exception.__traceback__), handling.task.get_name())
        except Exception as failure:  # raised in here, it would be raised in the code that is watched
            _log(failure)

    def _is_ours(self, file: str) -> bool:
        if self._files:
            return file in self._files or file.startswith(self._folders)
        return not file.startswith(("<", _LIBRARY)) and f"-packages{os.sep}" not in file


def can_watch_cancels() -> bool:
    """Whether this interpreter tells of exceptions that meet a handler."""
    return monitoring is not None


def _take_tool_id() -> int | None:
    if monitoring is None:
        return None
    for tool in _TOOL_IDS:
        if monitoring.get_tool(tool) is None:
            monitoring.use_tool_id(tool, "openhcs strict mode")
            return tool
    return None


def _current_task() -> AnyTask | None:
    loop = asyncio._get_running_loop()
    return asyncio.current_task(loop) if loop is not None else None


def _is_cancel(exception: BaseException | None) -> bool:
    # Not `isinstance`, which asks the exception: its class may answer by raising.
    return issubclass(type(exception), asyncio.CancelledError)


def _context_of(exception: BaseException) -> BaseException | None:
    return cast("BaseException | None", _context(exception))


def _chain(exception: BaseException | None) -> Iterator[BaseException]:
    for _ in range(_CHAIN_LIMIT):
        if exception is None:
            return
        yield exception
        exception = _context_of(exception)


def _log(failure: Exception) -> None:
    log_safely(logger, logging.ERROR, "watching for swallowed cancellations failed", exc_info=failure)


# -- the line to show --------------------------------------------------------------------------------------------


def _line_of_handler(frame: FrameType, offset: int) -> int:
    """The line of the `except`, `finally` or `with` whose handler begins at `offset`."""
    code = frame.f_code
    positions = list(code.co_positions())[offset // 2 :]
    first = next((line for line, *_ in positions if line is not None), frame.f_lineno)
    for handlers in _except_clauses(code.co_filename):
        if handlers[0].lineno == first:
            return next((clause.lineno for clause in handlers if _catches(clause.type, frame)), first)
    return first


@functools.lru_cache(maxsize=8)
def _except_clauses(file: str) -> tuple[list[ast.ExceptHandler], ...]:
    """The clauses of each `try` in `file`; none where its source is not to be had."""
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError):
        return ()
    return tuple(node.handlers for node in ast.walk(tree) if isinstance(node, ast.Try) and node.handlers)


def _catches(expression: ast.expr | None, frame: FrameType) -> bool:
    """Whether `except expression` takes a CancelledError; only names, attributes and tuples of them are looked up."""
    if isinstance(expression, ast.Tuple):
        return any(_catches(part, frame) for part in expression.elts)
    if expression is None:
        return True
    found = _value(expression, frame)
    kinds = found if isinstance(found, tuple) else (found,)
    return any(isinstance(kind, type) and issubclass(asyncio.CancelledError, kind) for kind in kinds)


def _value(expression: ast.expr, frame: FrameType) -> object:
    if isinstance(expression, ast.Attribute):
        return getattr(_value(expression.value, frame), expression.attr, None)
    if not isinstance(expression, ast.Name):
        return None
    for names in (frame.f_locals, frame.f_globals, frame.f_builtins):
        if expression.id in names:
            return names[expression.id]
    return None
