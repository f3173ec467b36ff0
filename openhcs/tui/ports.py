"""What the parts of the workbench need of each other, as protocols.

Nothing here has behaviour. The async core and the widgets depend on these shapes and not on the workbench, so any
prompt_toolkit application can supply its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

from prompt_toolkit.layout.containers import AnyContainer

__all__ = ["DialogHost", "ErrorSink", "TaskSpawner"]


class TaskSpawner(Protocol):
    """Starts tasks that somebody owns; `UnifiedTaskManager` is one."""

    def fire_and_forget(self, coro: Coroutine[Any, Any, Any], name: str | None = None) -> None:
        """Run `coro` to its end; its failure is reported, not raised."""


class DialogHost(Protocol):
    """Shows a dialog over the current screen; the fixed name for it is `app_state`."""

    async def show_dialog(self, dialog: AnyContainer, result_future: asyncio.Future[Any]) -> Any:
        """Show `dialog` until `result_future` is done, remove that very dialog, give the focus back."""


class ErrorSink(Protocol):
    """Takes an error from anywhere, at any time, and never raises."""

    def __call__(self, exception: BaseException, context: str) -> None: ...
