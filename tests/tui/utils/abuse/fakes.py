"""What the core is abused with: things that pass for an `app_state`, exceptions, streams and tasks that misbehave."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Awaitable, Callable
from typing import Any

__all__ = [
    "EXCEPTIONS",
    "HOSTS",
    "STREAMS",
    "Evil",
    "Host",
    "RaisingLog",
    "failing",
    "never",
    "raised",
    "turns",
]


class Evil(BaseException):
    """An exception that `except Exception` does not see."""


async def turns(count: int = 5) -> None:
    """Let the loop go round, so that what is ready happens."""
    for _ in range(count):
        await asyncio.sleep(0)


async def never() -> None:
    """Wait until cancelled."""
    await asyncio.get_running_loop().create_future()


async def failing(error: BaseException | None = None) -> None:
    """Fail in the first step."""
    raise error if error is not None else RuntimeError("a task failed")


def raised(error: BaseException) -> BaseException:
    """`error` with a traceback."""
    try:
        raise error
    except BaseException as caught:
        return caught


# -- hosts -------------------------------------------------------------------------------------------------------


class Host:
    """An `app_state` that does with each dialog what `act(dialog, future)` does; it counts how many are open."""

    def __init__(self, act: Callable[[Any, asyncio.Future[Any]], Awaitable[Any]] | None = None) -> None:
        self._act = act
        self.open: list[tuple[Any, asyncio.Future[Any]]] = []
        self.calls = 0
        self.deepest = 0

    async def show_dialog(self, dialog: Any, result_future: asyncio.Future[Any]) -> Any:
        self.calls += 1
        self.open.append((dialog, result_future))
        self.deepest = max(self.deepest, len(self.open))
        try:
            return await (self._act(dialog, result_future) if self._act is not None else result_future)
        finally:
            self.open.remove((dialog, result_future))

    def answer(self, value: Any = None) -> None:
        """Close the newest dialog as its user would."""
        self.open[-1][1].set_result(value)


async def _closes(dialog: Any, future: asyncio.Future[Any]) -> Any:
    await asyncio.sleep(0)
    future.set_result(None)
    return await future


async def _returns(dialog: Any, future: asyncio.Future[Any]) -> Any:
    return None


async def _returns_something(dialog: Any, future: asyncio.Future[Any]) -> Any:
    return object()


async def _raises(dialog: Any, future: asyncio.Future[Any]) -> Any:
    raise RuntimeError("the host failed")


async def _raises_late(dialog: Any, future: asyncio.Future[Any]) -> Any:
    await turns()
    raise RuntimeError("the host failed after a while")


async def _raises_cancelled(dialog: Any, future: asyncio.Future[Any]) -> Any:
    raise asyncio.CancelledError("of the host's own making")


async def _raises_evil(dialog: Any, future: asyncio.Future[Any]) -> Any:
    raise Evil("the host failed beneath Exception")


async def _raises_recursion(dialog: Any, future: asyncio.Future[Any]) -> Any:
    async def deeper() -> None:
        await deeper()

    await deeper()


async def _raises_group(dialog: Any, future: asyncio.Future[Any]) -> Any:
    async with asyncio.TaskGroup() as group:
        group.create_task(failing(RuntimeError("one part of the host")))
        group.create_task(failing(KeyError("another part of the host")))


async def _fails_the_future(dialog: Any, future: asyncio.Future[Any]) -> Any:
    future.set_exception(RuntimeError("told by the future"))
    return await future


async def _fails_the_future_and_raises(dialog: Any, future: asyncio.Future[Any]) -> Any:
    future.set_exception(RuntimeError("told by the future"))
    raise RuntimeError("and raised something else")


async def _fails_the_future_and_returns(dialog: Any, future: asyncio.Future[Any]) -> Any:
    future.set_exception(RuntimeError("told by the future only"))


async def _answers_twice(dialog: Any, future: asyncio.Future[Any]) -> Any:
    future.set_result(None)
    future.set_result(None)


async def _cancels_the_future(dialog: Any, future: asyncio.Future[Any]) -> Any:
    future.cancel()
    return await future


async def _cancels_the_future_and_returns(dialog: Any, future: asyncio.Future[Any]) -> Any:
    future.cancel()


async def _times_out(dialog: Any, future: asyncio.Future[Any]) -> Any:
    async with asyncio.timeout(0):
        return await future


class NoMethod:
    """Cannot show anything."""


class SyncHost:
    def show_dialog(self, dialog: Any, result_future: asyncio.Future[Any]) -> None:
        return None


class SyncClosingHost:
    def show_dialog(self, dialog: Any, result_future: asyncio.Future[Any]) -> None:
        result_future.set_result(None)


class SyncRaisingHost:
    def show_dialog(self, dialog: Any, result_future: asyncio.Future[Any]) -> None:
        raise RuntimeError("the host failed before it was awaited")


class NarrowHost:
    async def show_dialog(self, dialog: Any) -> None:
        raise AssertionError("unreachable")


class RaisingAttribute:
    @property
    def show_dialog(self) -> Any:
        raise LookupError("no attribute for you")


class MethodIsNone:
    show_dialog = None


class HostileObject:
    """Answers every question about itself with an error."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"do not ask for {name}")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("do not compare")

    def __bool__(self) -> bool:
        raise RuntimeError("neither true nor false")

    def __repr__(self) -> str:
        raise RuntimeError("nameless")

    __hash__ = None  # type: ignore[assignment]


class FutureHost:
    """Gives back the future itself instead of a coroutine, and closes the dialog."""

    def show_dialog(self, dialog: Any, result_future: asyncio.Future[Any]) -> asyncio.Future[Any]:
        asyncio.get_running_loop().call_soon(result_future.set_result, None)
        return result_future


class TaskHost:
    """Gives back a task that closes the dialog."""

    def show_dialog(self, dialog: Any, result_future: asyncio.Future[Any]) -> asyncio.Task[Any]:
        return asyncio.ensure_future(_closes(dialog, result_future))


class AsyncGeneratorHost:
    async def show_dialog(self, dialog: Any, result_future: asyncio.Future[Any]) -> Any:
        yield None


HOSTS: dict[str, tuple[Callable[[], Any], bool]] = {
    "closes": (lambda: Host(_closes), True),
    "returns": (lambda: Host(_returns), True),
    "returns something": (lambda: Host(_returns_something), True),
    "answers by a future": (FutureHost, True),
    "answers by a task": (TaskHost, True),
    "raises": (lambda: Host(_raises), False),
    "raises late": (lambda: Host(_raises_late), False),
    "raises Evil": (lambda: Host(_raises_evil), False),
    "raises RecursionError": (lambda: Host(_raises_recursion), False),
    "raises a group": (lambda: Host(_raises_group), False),
    "fails the future": (lambda: Host(_fails_the_future), False),
    "fails the future and raises": (lambda: Host(_fails_the_future_and_raises), False),
    "fails the future and returns": (lambda: Host(_fails_the_future_and_returns), False),
    "answers twice": (lambda: Host(_answers_twice), False),
    "raises CancelledError": (lambda: Host(_raises_cancelled), True),
    "cancels the future": (lambda: Host(_cancels_the_future), True),
    "cancels the future and returns": (lambda: Host(_cancels_the_future_and_returns), True),
    "times out": (lambda: Host(_times_out), False),
    "is not async": (SyncHost, False),
    "is not async but closes": (SyncClosingHost, False),
    "raises before it is awaited": (SyncRaisingHost, False),
    "has no method": (NoMethod, False),
    "takes too few arguments": (NarrowHost, False),
    "raises for the attribute": (RaisingAttribute, False),
    "has None for a method": (MethodIsNone, False),
    "is hostile": (HostileObject, False),
    "is a generator": (AsyncGeneratorHost, False),
    "is a string": (lambda: "a host", False),
    "is zero": (lambda: 0, False),
}
"""Each kind of `app_state`, and whether dialogs go on being shown to it: what fails to show opens the breaker."""


# -- exceptions --------------------------------------------------------------------------------------------------


class HostileText(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class EvilText(Exception):
    def __str__(self) -> str:
        raise Evil("no text either")

    __repr__ = __str__


class ExitingText(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)

    __repr__ = __str__


class NumberText(Exception):
    def __str__(self) -> str:
        return 42  # type: ignore[return-value]

    __repr__ = __str__


class EndlessText(Exception):
    def __str__(self) -> str:
        return str(self)


class Unhashable(Exception):
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("incomparable")


class HostileAttributes(Exception):
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(f"no {name} here")

    def __setattr__(self, name: str, value: Any) -> None:
        raise RuntimeError(f"no {name} there")


class FalseClass(Exception):
    @property
    def __class__(self) -> type:  # type: ignore[override]
        return asyncio.CancelledError


class FalseBool(Exception):
    def __bool__(self) -> bool:
        raise RuntimeError("neither true nor false")

    def __len__(self) -> int:
        raise RuntimeError("of no length")


class HostileNotes(Exception):
    @property
    def __notes__(self) -> Any:
        raise RuntimeError("no notes")


class HostileTraceback(Exception):
    @property
    def __traceback__(self) -> Any:
        raise RuntimeError("no traceback")

    @property
    def __cause__(self) -> Any:
        raise RuntimeError("no cause")

    @property
    def __context__(self) -> Any:
        raise RuntimeError("no context")


class Hostility:
    """Whether the hostile classes are hostile now: only while they are tested, for libraries ask every exception class
    there is for its hash as they are imported."""

    is_on = False


class _HostileMeta(type):
    def __hash__(cls) -> int:
        if Hostility.is_on:
            raise RuntimeError("a class without a hash")
        return super().__hash__()

    def __eq__(cls, other: object) -> bool:
        if Hostility.is_on:
            raise RuntimeError("a class like no other")
        return cls is other

    def __getattribute__(cls, name: str) -> Any:
        if Hostility.is_on and name in ("__name__", "__qualname__", "__module__"):
            raise RuntimeError("a class without a name")
        return super().__getattribute__(name)

    def __instancecheck__(cls, instance: object) -> bool:
        if Hostility.is_on:
            raise RuntimeError("a class without instances")
        return super().__instancecheck__(instance)

    def __subclasscheck__(cls, other: type) -> bool:
        if Hostility.is_on:
            raise RuntimeError("a class without subclasses")
        return super().__subclasscheck__(other)


class HostileClass(Exception, metaclass=_HostileMeta):
    pass


class _SelfishMeta(type):
    def __hash__(cls) -> int:
        if Hostility.is_on:
            raise cls("hashed")
        return super().__hash__()


class SelfishClass(Exception, metaclass=_SelfishMeta):
    """A class whose hash raises an exception of the same class."""


class Slotted(Exception):
    __slots__ = ("field",)


class TextOfText(str):
    def __str__(self) -> str:
        raise RuntimeError("a string without text")

    def __len__(self) -> int:
        raise RuntimeError("a string without length")

    def __getitem__(self, key: Any) -> str:
        raise RuntimeError("a string without characters")


class StringSubclassText(Exception):
    def __str__(self) -> str:
        return TextOfText("a string with a mind of its own")


def _cyclic() -> BaseException:
    first, second = ValueError("hen"), ValueError("egg")
    first.__cause__, second.__cause__ = second, first
    first.__context__ = second.__context__ = first
    return first


def _long_chain() -> BaseException:
    error = ValueError("the first of many")
    for number in range(5_000):
        later = ValueError(f"number {number}")
        later.__cause__ = error
        error = later
    return error


def _deep_group() -> BaseException:
    error: Exception = ValueError("innermost")
    for number in range(2_000):
        error = ExceptionGroup(f"level {number}", [error])
    return error


EXCEPTIONS: dict[str, Callable[[], BaseException]] = {
    "hostile text": HostileText,
    "evil text": EvilText,
    "exiting text": ExitingText,
    "text that is a number": NumberText,
    "endless text": EndlessText,
    "a string subclass for a text": StringSubclassText,
    "unhashable": Unhashable,
    "hostile attributes": HostileAttributes,
    "claims to be a cancellation": FalseClass,
    "hostile truth": FalseBool,
    "hostile notes": HostileNotes,
    "notes that are no list": lambda: _with_notes(7),
    "notes that are hostile": lambda: _with_notes([HostileObject()]),
    "hostile traceback": HostileTraceback,
    "hostile class": HostileClass,
    "class that raises itself": SelfishClass,
    "slots": Slotted,
    "cyclic causes": _cyclic,
    "5,000 causes": _long_chain,
    "2,000 levels of groups": _deep_group,
    "a group of 10,000": lambda: ExceptionGroup("many", [ValueError(str(number)) for number in range(10_000)]),
    "a group of exits": lambda: BaseExceptionGroup("exits", [SystemExit(1), KeyboardInterrupt()]),
    "hostile arguments": lambda: RuntimeError(HostileObject()),
    "no arguments": RuntimeError,
    "surrogates": lambda: RuntimeError("\ud800\udfff\x00"),
    "bytes": lambda: RuntimeError(b"\xff\x00"),
    "SystemExit": lambda: SystemExit(5),
    "KeyboardInterrupt": KeyboardInterrupt,
    "GeneratorExit": GeneratorExit,
    "Evil": lambda: Evil("beneath Exception"),
    "MemoryError": MemoryError,
    "StopIteration": lambda: StopIteration(1),
    "StopAsyncIteration": StopAsyncIteration,
    "UnicodeDecodeError": lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
    "SyntaxError": lambda: SyntaxError("bad", ("\x1b[2J.py", -5, 10**9, "text")),
    "OSError": lambda: OSError(2, "no", "\x1b]0;title\x07"),
}
"""Each makes an exception that somebody might report."""


def _with_notes(notes: object) -> BaseException:
    error = RuntimeError("with notes")
    error.__dict__["__notes__"] = notes
    return error


# -- where errors end --------------------------------------------------------------------------------------------


class RaisingLog(logging.Handler):
    """A logging handler that raises."""

    def __init__(self, error: Callable[[], BaseException]) -> None:
        super().__init__()
        self._error = error
        self.calls = 0

    def handle(self, record: logging.LogRecord) -> bool:
        self.calls += 1
        raise self._error()


class RaisingStream(io.StringIO):
    """A stream that raises whatever is done with it."""

    def __init__(self, error: Callable[[], BaseException]) -> None:
        super().__init__()
        self._error = error

    def write(self, text: str) -> int:
        raise self._error()

    def flush(self) -> None:
        raise self._error()


def _closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


STREAMS: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "closed": _closed,
    "a broken pipe": lambda: RaisingStream(BrokenPipeError),
    "raises RuntimeError": lambda: RaisingStream(lambda: RuntimeError("no stream")),
    "raises RecursionError": lambda: RaisingStream(RecursionError),
    "raises CancelledError": lambda: RaisingStream(asyncio.CancelledError),
    "ASCII only": lambda: io.TextIOWrapper(io.BytesIO(), encoding="ascii"),
    "not a stream": lambda: 7,
}
"""What `sys.stderr` may be."""
