"""What the views over the whole screen have in common: a frame, a life, and work that ends with it.

A view is an object that lives as long as the workbench and remembers what was chosen in it; `show` opens it in a
dialog. What is shown while it is open is an object of its own, made whole when it is opened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from prompt_toolkit.layout.containers import AnyContainer, HSplit
from prompt_toolkit.layout.dimension import Dimension

from openhcs.tui.editors.command_palette import run_chosen
from openhcs.tui.effects.text_dialog import show_text
from openhcs.tui.panes.help import key_lines
from openhcs.tui.ports import DialogHost, TaskSpawner
from openhcs.tui.state import AppState
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager
from openhcs.tui.widgets.bindings import Binding, footer_fragments, key_bindings
from openhcs.tui.widgets.pane_frame import PaneFrame

__all__ = ["LatestTasks", "Opening", "following", "whole_screen"]

_ALL_THERE_IS: Final = Dimension(preferred=10_000)


class Opening:
    """Whether a view is open; it is once at a time."""

    def __init__(self) -> None:
        self._closed: asyncio.Future[None] | None = None

    def __bool__(self) -> bool:
        return self._closed is not None

    @contextmanager
    def begin(self) -> Iterator[asyncio.Future[None]]:
        """Be open for the `with` block, which is given what is done when the view is to be closed."""
        self._closed = asyncio.get_running_loop().create_future()
        try:
            yield self._closed
        finally:
            self._closed = None

    def end(self) -> None:
        """Have the view closed, if it is open."""
        if self._closed is not None and not self._closed.done():
            self._closed.set_result(None)


class LatestTasks:
    """Tasks of the view `owner`: of each kind only the latest is wanted, and cancels the one before."""

    def __init__(self, owner: str, tasks: UnifiedTaskManager) -> None:
        self._owner = owner
        self._tasks = tasks
        self._latest: dict[str, asyncio.Task[None]] = {}

    def start(self, kind: str, work: Coroutine[Any, Any, None], name: str) -> None:
        """Start `work` in the place of what was started last of its kind."""
        self._latest[kind] = self._tasks.exclusive(f"{self._owner}: {kind}", work, name)

    def cancel(self, kind: str, reason: str) -> None:
        """Cancel what was started last of a kind, if anything was."""
        if (task := self._latest.pop(kind, None)) is not None:
            self._tasks.cancel(task, reason)

    def cancel_all(self) -> None:
        """Cancel whatever goes on, because the view is closed."""
        for kind in tuple(self._latest):
            self.cancel(kind, f"the {self._owner} was closed")


@contextmanager
def following(state: AppState, look: Callable[[], None], latest: LatestTasks) -> Iterator[None]:
    """For the `with` block, `look` now and at every change of state; behind it nothing of `latest` goes on."""
    unsubscribe = state.subscribe(look)
    try:
        look()
        yield
    finally:
        unsubscribe()
        latest.cancel_all()


def whole_screen(
    body: AnyContainer,
    title: Callable[[], str],
    rows: Callable[[], Sequence[Binding]],
    place: str,
    *,
    app_state: DialogHost,
    tasks: TaskSpawner,
    refuse: Callable[[str], None],
) -> PaneFrame:
    """A dialog of the size of the screen, called `place`, with the keys that there are now in its footer.

    All of them are found by their names as well, and told by `?`, as those of the workbench are.
    """

    async def tell_keys() -> None:
        await show_text(place, key_lines([("Keys", (*every(), palette))]), app_state=app_state, tasks=tasks)

    def every() -> Sequence[Binding]:
        own = rows()
        return own if any("?" in row.keys for row in own) else (*own, helping)

    def find() -> Coroutine[Any, Any, None]:
        return run_chosen(every(), place, app_state=app_state, tasks=tasks, refuse=refuse)

    helping = Binding(("?", "f1"), tell_keys, "Help", "Show what every key does here.")
    palette = Binding(("c-p",), find, "Commands", "Find an action of this view by its name, and run it.")
    return PaneFrame(
        HSplit([body], key_bindings=key_bindings([palette, helping], tasks=tasks, refuse=refuse)),
        title,
        lambda: True,
        lambda width: footer_fragments((*every(), palette), width, tasks=tasks, refuse=refuse, more=find),
        width=_ALL_THERE_IS,
        height=_ALL_THERE_IS,
        style="class:dialog",
    )
