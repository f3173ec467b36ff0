"""Room on the stack for work that must be done where the recursion limit has been reached.

An error is often reported from the very depth at which the limit was hit. `require_room` asks before anything has
happened whether there is enough; `call_on_new_stack` does the work elsewhere. To raise the limit instead would be
unsafe: it is that of all threads, and lowering it again beneath one that has gone deeper ends the interpreter (3.11).

Standard library only. Checked by tests/tui/utils/test_safe_error_handler.py and
tests/tui/utils/abuse/test_hosts_and_exceptions.py.
"""

from __future__ import annotations

import _thread
import contextvars
import threading
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["call_on_new_stack", "require_room"]

T = TypeVar("T")

_PATIENCE_S = 2.0
"""How long the caller waits: it may hold a lock that the work needs, and the work is done once it has gone on."""


_this_thread = threading.local()


def require_room(calls: int = 60) -> None:
    """Raise RecursionError unless `calls` nested calls can be made from here."""
    if calls:
        require_room(calls - 1)


def call_on_new_stack(call: Callable[[], T]) -> T | None:
    """What `call()` returns or raises, called in a new thread and in this context; None where it takes too long.

    Raises RecursionError within such a call: a recursion through it would start threads without end.
    """
    # Up to the wait all is done without a single further Python frame: there may be none.
    if getattr(_this_thread, "is_new_stack", False):
        raise RecursionError("a new stack has been used up")
    outcome: list[tuple[T | None, BaseException | None]] = []
    done = _thread.allocate_lock()
    done.acquire()
    _thread.start_new_thread(_start, (contextvars.copy_context(), call, outcome, done, _thread.get_ident()))
    done.acquire(True, _PATIENCE_S)
    returned, raised = outcome[0] if outcome else (None, None)
    if raised is not None:
        raise raised
    return returned


def _start(
    context: contextvars.Context,
    call: Callable[[], T],
    outcome: list[tuple[T | None, BaseException | None]],
    done: _thread.LockType,
    caller: int,
) -> None:
    """Run `call` in a thread that `threading` knows, under the name of the one that waits."""
    name = next((thread.name for thread in threading.enumerate() if thread.ident == caller), None)

    def work() -> None:
        _this_thread.is_new_stack = True
        try:
            outcome.append((call(), None))
        except BaseException as raised:
            outcome.append((None, raised))
        finally:
            done.release()

    thread: Any = threading.Thread(target=context.run, args=(work,), name=name, daemon=True)
    thread.start()
