"""A coroutine that looks after the coroutine it was given.

`async def outer(inner)` leaks `inner` whenever the call is thrown away, closed, or cancelled before its first step: the
body, which would have awaited `inner`, never runs. Whatever takes a coroutine as an argument therefore returns an
`OwnedCoroutine`, which closes the inner one in those cases (G1).

Standard library only. Checked by tests/tui/utils/test_owned_coroutine.py, proved in tests/proofs/test_g1_one_owner.py.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Generator
from types import TracebackType
from typing import Any, TypeVar

__all__ = ["OwnedCoroutine", "Parcel", "close_coroutine", "is_under_way"]

T = TypeVar("T")
S = TypeVar("S")


class OwnedCoroutine(Coroutine[Any, Any, T]):
    """Runs `body(inner)`; closes `inner` if the body never starts, or ends without having started it."""

    __slots__ = ("__name__", "__qualname__", "__weakref__", "_inner", "_outer")

    def __init__(self, body: Callable[[Coroutine[Any, Any, S]], Coroutine[Any, Any, T]], inner: Coroutine[Any, Any, S]):
        self._inner = inner
        self._outer = body(inner)
        self.__name__: str = getattr(inner, "__name__", type(inner).__name__)
        self.__qualname__: str = getattr(inner, "__qualname__", self.__name__)

    @property
    def cr_frame(self) -> Any:
        """The frame of the body, so that `Task.get_stack` sees through this object."""
        return getattr(self._outer, "cr_frame", None)

    @property
    def cr_await(self) -> Any:
        """What the body awaits."""
        return getattr(self._outer, "cr_await", None)

    @property
    def cr_code(self) -> Any:
        """The code of the body."""
        return getattr(self._outer, "cr_code", None)

    @property
    def cr_running(self) -> bool:
        """Whether the body is running now."""
        return bool(getattr(self._outer, "cr_running", False))

    @property
    def cr_suspended(self) -> bool:
        """Whether the body has begun and waits now."""
        return bool(getattr(self._outer, "cr_suspended", False))

    def send(self, value: Any) -> Any:
        """Step the body."""
        try:
            return self._outer.send(value)
        except BaseException:
            self._close_inner()
            raise

    def throw(
        self,
        typ: Any,
        val: Any = None,
        tb: TracebackType | None = None,
    ) -> Any:
        """Throw into the body; an unstarted one ends here, and `inner` with it."""
        try:
            return self._outer.throw(typ if val is None else val)
        except BaseException:
            self._close_inner()
            raise

    def close(self) -> None:
        """Close the body, and `inner` with it."""
        try:
            self._outer.close()
        finally:
            self._close_inner()

    def __await__(self) -> Generator[Any, Any, T]:
        """Awaiting runs the body."""
        try:
            return (yield from self._outer.__await__())
        finally:
            self._close_inner()

    def __del__(self) -> None:
        self.close()

    def _close_inner(self) -> None:
        # Once the body has ended, `inner` has ended too, was never started, or is somebody else's by now.
        if not is_under_way(self._inner):
            self._inner.close()


class Parcel:
    """A coroutine on its way to another thread's loop; given to `on_lost` if that loop dies before it unpacks."""

    __slots__ = ("_coro", "_on_lost")

    def __init__(self, coro: Coroutine[Any, Any, Any], on_lost: Callable[[Coroutine[Any, Any, Any]], None]) -> None:
        self._coro: Coroutine[Any, Any, Any] | None = coro
        self._on_lost = on_lost

    def take(self) -> Coroutine[Any, Any, Any]:
        """Unpack it, once."""
        coro, self._coro = self._coro, None
        assert coro is not None, "a parcel is unpacked once"
        return coro

    def __del__(self) -> None:
        if self._coro is not None:
            self._on_lost(self._coro)


def close_coroutine(coroutine: object) -> None:
    """Close `coroutine` if it is one; a body that raises while it is closed is not our caller's concern."""
    if not isinstance(coroutine, Coroutine) and not inspect.isgenerator(coroutine):
        return
    try:
        coroutine.close()
    except Exception:
        # An unstarted coroutine cannot raise here; a started one may, from its `finally`, and has no one to tell.
        return


def is_under_way(coroutine: object) -> bool:
    """Whether `coroutine` is being run, by somebody who is not done with it."""
    running = (inspect.CORO_RUNNING, inspect.CORO_SUSPENDED)
    return inspect.iscoroutine(coroutine) and inspect.getcoroutinestate(coroutine) in running
