"""prompt_toolkit's own Application in a scenario: keys without a terminal, frames without painting.

    async def scenario(world):
        with headless(world) as keys:
            app = unpainted(Application(layout=..., key_bindings=...))
            running = asyncio.create_task(run_headless(app))
            world.event("F1", lambda: keys.press("f1"), guard=lambda: keys.attached)
            await running

The Application, its key processor, its layout and its timeouts are the real ones; key timeouts run on virtual time. The
one module of this package that imports prompt_toolkit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any, TypeVar

from prompt_toolkit.application import Application, application, create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import Input
from prompt_toolkit.input.ansi_escape_sequences import REVERSE_ANSI_SEQUENCES
from prompt_toolkit.input.typeahead import clear_typeahead
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.key_binding.bindings.page_navigation import load_page_navigation_bindings
from prompt_toolkit.key_binding.defaults import load_key_bindings
from prompt_toolkit.keys import KEY_ALIASES, Keys
from prompt_toolkit.layout.layout import Layout
from prompt_toolkit.output import DummyOutput
from prompt_toolkit.renderer import Renderer

from openhcs.testing.explore.world import World

__all__ = ["ScriptedInput", "UnpaintedRenderer", "headless", "run_headless", "unpainted"]

T = TypeVar("T")

_load_key_bindings = cache(load_key_bindings)
_load_page_navigation_bindings = cache(load_page_navigation_bindings)


class ScriptedInput(Input):
    """An input whose keys come from `press`, without a file descriptor."""

    def __init__(self) -> None:
        self._ready: list[Callable[[], None]] = []
        self._keys: list[KeyPress] = []
        self._closed = False

    @property
    def attached(self) -> bool:
        """Whether an application listens."""
        return bool(self._ready)

    def press(self, *keys: str) -> None:
        """Type these keys, by prompt_toolkit's names ("a", "enter", "s-tab", "c-c"), all in one read."""
        for name in keys:
            key = _key_of(name)
            data = REVERSE_ANSI_SEQUENCES.get(key, "") if isinstance(key, Keys) else key
            self._keys.append(KeyPress(key, data))
        if self._ready:
            self._ready[-1]()

    def hang_up(self) -> None:
        """The terminal goes away: the application gets EOFError."""
        self._closed = True
        if self._ready:
            self._ready[-1]()

    @property
    def closed(self) -> bool:
        return self._closed

    def read_keys(self) -> list[KeyPress]:
        keys, self._keys = self._keys, []
        return keys

    def attach(self, input_ready_callback: Callable[[], None]) -> AbstractContextManager[None]:
        return self._with([*self._ready, input_ready_callback])

    def detach(self) -> AbstractContextManager[None]:
        return self._with(self._ready[:-1])

    @contextmanager
    def _with(self, ready: list[Callable[[], None]]) -> Iterator[None]:
        before, self._ready = self._ready, ready
        try:
            yield
        finally:
            self._ready = before

    def raw_mode(self) -> AbstractContextManager[None]:
        return nullcontext()

    def cooked_mode(self) -> AbstractContextManager[None]:
        return nullcontext()

    def fileno(self) -> int:
        raise NotImplementedError("no file descriptor: a scripted input; expected an application run by run_headless")

    def typeahead_hash(self) -> str:
        return "scripted"


def _key_of(name: str) -> Keys | str:
    name = {"space": " "}.get(name, KEY_ALIASES.get(name, name))
    try:
        return Keys(name)
    except ValueError:
        if len(name) == 1:
            return name
        raise ValueError(
            f"not a key: {name!r}; expected one character or a name such as 'enter', 'c-c', 'f1'"
        ) from None


class _SizedOutput(DummyOutput):
    """An output of a size that nobody sees."""

    def __init__(self, size: Size) -> None:
        self._size = size

    def get_size(self) -> Size:
        return self._size


class UnpaintedRenderer(Renderer):
    """Renders nothing: the application counts its frames and tells its render events as ever."""

    def render(self, app: Application[Any], layout: Layout, is_done: bool = False) -> None:
        """Leave the screen as it is."""

    def erase(self, leave_alternate_screen: bool = True) -> None:
        """There is nothing to erase."""


@contextmanager
def headless(world: World, *, columns: int = 80, rows: int = 24) -> Iterator[ScriptedInput]:
    """An application session with a `ScriptedInput` and an output that goes nowhere.

    The default key bindings are built once a process: they hold no state, and building them takes most of the time of
    a run.
    """
    world.patch(application, "load_key_bindings", _load_key_bindings)
    world.patch(application, "load_page_navigation_bindings", _load_page_navigation_bindings)
    keys = ScriptedInput()
    clear_typeahead(keys)
    with create_app_session(input=keys, output=_SizedOutput(Size(rows=rows, columns=columns))):
        yield keys


def unpainted(app: Application[T]) -> Application[T]:
    """Make an application that has not run yet skip the painting: three quarters of what a run costs.

    Frames are still counted, focus and render events work. What a frame computes is missing: `Window.render_info`,
    cursor positions, mouse positions. A scenario about these must be painted.
    """
    app.renderer = UnpaintedRenderer(
        app._merged_style, app.output, full_screen=app.full_screen, mouse_support=app.mouse_support
    )
    return app


async def run_headless(app: Application[T], **options: Any) -> T:
    """Run an application on the exploring loop: without its endless timers and without the signal handlers.

    Args:
        options: as for `Application.run_async`.
    """
    app.terminal_size_polling_interval = None
    app.max_render_postpone_time = None
    app.min_redraw_interval = None
    return await app.run_async(**{"handle_sigint": False, "set_exception_handler": False, **options})
