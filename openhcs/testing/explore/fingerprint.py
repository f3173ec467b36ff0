"""The state of a run as one number, to recognise a state that another run has been in.

It walks what the program can reach from its tasks, callbacks, timers and what the scenario watches: frames with the
instruction they stand at and their locals, objects by their attributes, containers by their elements, times relative to
now. What it cannot see is state in modules and classes, in C objects without attributes, and outside the process: two
states that differ only there look the same. So runs that were pruned by it prove nothing; see `explore(prune=True)`.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import types
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from openhcs.testing.explore.location import step_of_await

if TYPE_CHECKING:
    from openhcs.testing.explore.loop import ExploringLoop

__all__ = ["fingerprint"]

_PLAIN: Final = (int, float, complex, str, bytes, type(None), type(Ellipsis))
_BY_NAME: Final = (type, types.ModuleType, types.BuiltinFunctionType, types.CodeType)
_DEEPEST: Final = 40


class _Walk:
    """One pass over the objects, in which each is numbered at its first sight."""

    def __init__(self, loop: ExploringLoop) -> None:
        self._loop = loop
        self._seen: dict[int, int] = {}
        self._kept: list[object] = []

    def of(self, thing: Any, depth: int = 0) -> Any:
        if isinstance(thing, _PLAIN):
            return thing
        if id(thing) in self._seen:
            return "seen", self._seen[id(thing)]
        self._seen[id(thing)] = len(self._seen)
        self._kept.append(thing)  # an address is only a name while its object lives
        if thing is self._loop or depth > _DEEPEST:
            return type(thing).__name__
        return self._open(thing, depth + 1)

    def each(self, things: Iterable[Any], depth: int = 0) -> tuple[Any, ...]:
        return tuple(self.of(thing, depth) for thing in things)

    def _open(self, thing: Any, depth: int) -> Any:
        name = type(thing).__name__
        if isinstance(thing, _BY_NAME):
            return name, getattr(thing, "__qualname__", getattr(thing, "__name__", ""))
        if isinstance(thing, Mapping):
            return name, tuple((self.of(key, depth), self.of(value, depth)) for key, value in thing.items())
        if isinstance(thing, list | tuple | deque | set | frozenset):
            return name, self.each(thing, depth)
        if isinstance(thing, asyncio.Future):
            return name, self._future(thing, depth)
        if isinstance(thing, asyncio.Handle):
            return name, self.handle(thing, depth)
        if isinstance(thing, asyncio.Timeout):
            when = thing.when()
            return name, thing.expired(), None if when is None else round(when - self._loop.time(), 9)
        if isinstance(thing, types.FunctionType):
            cells = (_content(cell) for cell in thing.__closure__ or ())
            return id(thing.__code__), self.each(cells, depth), self.each(thing.__defaults__ or (), depth)
        if isinstance(thing, types.MethodType):
            return thing.__name__, self.of(thing.__self__, depth)
        if isinstance(thing, functools.partial):
            return name, self.each((thing.func, *thing.args, *thing.keywords.values()), depth)
        if isinstance(thing, types.CoroutineType | types.GeneratorType | types.AsyncGeneratorType):
            return name, self.coroutine(thing, depth)
        state = getattr(thing, "__dict__", None)
        slots = [getattr(thing, slot, None) for slot in getattr(type(thing), "__slots__", ()) if slot != "__weakref__"]
        if type(thing).__module__.startswith("openhcs.testing.explore"):
            return name  # the world and its parts: told by what the loop adds
        return name, self.of(state, depth) if state else None, self.each(slots, depth)

    def _future(self, future: asyncio.Future[Any], depth: int) -> Any:
        if isinstance(future, asyncio.Task):
            state: Any = (future.get_name(), future.cancelling(), self.coroutine(future.get_coro(), depth))
        else:
            state = ()
        if not future.done():
            return "pending", state
        if future.cancelled():
            return "cancelled", state
        error = future._exception  # exception() would count as retrieving it
        return ("failed", repr(error)) if error is not None else ("done", self.of(future.result(), depth))

    def handle(self, handle: asyncio.Handle, depth: int = 0) -> Any:
        if handle.cancelled():
            return "cancelled"
        at = round(handle.when() - self._loop.time(), 9) if isinstance(handle, asyncio.TimerHandle) else 0
        return at, self.of(handle._callback, depth), self.of(handle._args, depth)  # type: ignore[attr-defined]

    def coroutine(self, coroutine: Any, depth: int) -> tuple[Any, ...]:
        frames = []
        while coroutine is not None:
            step = step_of_await(coroutine)
            if step is None:
                frames.append(self.of(coroutine, depth))
                break
            frame, inner = step
            if frame is not None:
                frames.append((id(frame.f_code), frame.f_lasti, self._variables(coroutine, frame, depth)))
            coroutine = inner
        return tuple(frames)

    def _variables(self, coroutine: Any, frame: types.FrameType, depth: int) -> Any:
        # Variables shared with other functions are taken from their cells: whether f_locals has them depends on when it
        # was asked first.
        own = {name: frame.f_locals[name] for name in frame.f_code.co_varnames if name in frame.f_locals}
        shared = [_content(cell) for cell in gc.get_referents(coroutine) if isinstance(cell, types.CellType)]
        return self.of(own, depth), self.each(shared, depth)


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return None


def fingerprint(loop: ExploringLoop, watched: Iterable[Callable[[], object]]) -> int:
    """The state at the boundary between two iterations, budgets included."""
    walk = _Walk(loop)
    now = loop.time()
    tasks = [walk.of(task) for task in loop.oracles.tasks]
    ready = [walk.handle(handle) for handle in loop._ready if not handle.cancelled()]
    timers = [walk.handle(entry[2]) for entry in sorted(loop._timers, key=lambda entry: entry[:2])]
    events = [
        (event.name, None if event.enabled_at is None else round(now - event.enabled_at, 9))
        for event in loop.outside.events
    ]
    threads = [(thread.name, loop.turn - thread.turn < 2 and thread.place) for thread in loop.outside.threads]
    operations = [(operation.name, operation.task.done()) for operation in loop.outside.operations]
    seen = [walk.of(watch()) for watch in watched]
    return hash(repr((loop.schedule.purse[1:], tasks, ready, timers, events, threads, operations, seen)))
