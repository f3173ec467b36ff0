"""What stands in the place of the rows of a file browser for a moment: the places to go to, or all of its keys.

A page is a list of its own; choosing in it, or Escape, gives the rows back. Bookmarks are read and written in a
thread; `openhcs.core.places` is imported there too, since pydantic costs a quarter of a second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout.containers import Container

from openhcs.tui.ports import TaskSpawner
from openhcs.tui.utils.daemon_thread import in_daemon_thread
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.widgets.bindings import Binding, key_name
from openhcs.tui.widgets.drawn_text import cut, cut_middle, fit
from openhcs.tui.widgets.selectable_list import SelectableList

if TYPE_CHECKING:
    from openhcs.core.places import Places

__all__ = ["KeysPage", "Page", "Place", "PlacesPage", "remember_recent"]

T = TypeVar("T")


class Page(Generic[T]):
    """A list titled `title`; `leave` is what Escape, Left and Backspace do."""

    title = ""

    def __init__(
        self,
        items: Callable[[], Sequence[T]],
        row: Callable[[T, int], StyleAndTextTuples],
        *,
        choose: Callable[[T], None],
        leave: Callable[[], None],
        tasks: TaskSpawner,
        bindings: Sequence[Binding] = (),
        refuse: Callable[[str], None] = lambda _: None,
    ) -> None:
        keys = KeyBindings()

        @keys.add("escape", eager=True)
        @keys.add("left")
        @keys.add("backspace")
        def _(event: KeyPressEvent) -> None:
            leave()

        self.list: SelectableList[T] = SelectableList(
            items,
            row,
            on_activate=choose,
            empty=lambda: [("class:muted", "  nothing here yet")],
            tasks=tasks,
            refuse=refuse,
            name=self.title,
            bindings=bindings,
            keys=keys,
        )

    def __pt_container__(self) -> Container:
        return self.list.window


@dataclass(frozen=True, slots=True)
class Place:
    """A folder to go to, and why it is offered."""

    path: Path
    kind: str


class PlacesPage(Page[Place]):
    """Bookmarks, recent folders, home and the root of the disk."""

    title = "Go to"

    def __init__(
        self,
        folder: Callable[[], Path],
        *,
        go: Callable[[Path], None],
        show: Callable[[], None],
        leave: Callable[[], None],
        tell: Callable[[str], None],
        redraw: Callable[[], None],
        tasks: TaskSpawner,
    ) -> None:
        self.places: tuple[Place, ...] = ()
        self._folder = folder
        self._show = show
        self._tell = tell
        self._redraw = redraw
        self._tasks = tasks
        remove = Binding(
            ("delete", "c-d"),
            lambda: self._change_bookmark(self.places[self.list.index].path, False),
            "Remove",
            "Take the bookmark away.",
            self._why_not_remove,
        )
        super().__init__(
            lambda: self.places,
            self._row,
            choose=lambda place: go(place.path),
            leave=leave,
            tasks=tasks,
            bindings=[remove],
            refuse=tell,
        )
        self.rows = (
            Binding(("enter",), self.list.activate, "Go there", "Go to the highlighted place."),
            remove,
            Binding(("escape",), leave, "Back", "Go back to the folder."),
        )

    async def open(self) -> None:
        """Read the places, and show them."""
        self._offer(await in_daemon_thread(_load_places, "read bookmarks"))
        self._show()
        self._redraw()

    def bookmark(self) -> None:
        """Bookmark the folder shown, or no longer."""
        self._tasks.fire_and_forget(self._change_bookmark(self._folder(), None), "bookmark")

    async def _change_bookmark(self, folder: Path, wanted: bool | None) -> None:
        kept = await in_daemon_thread(lambda: _set_bookmark(folder, wanted), "write bookmarks")
        self._offer(kept)
        name = visible(folder.name or str(folder))
        if folder in kept.bookmarks:
            self._tell(f"{name} is bookmarked; Ctrl-G goes there from anywhere.")
        else:
            self._tell(f"{name} is bookmarked no longer.")
        self._redraw()

    def _offer(self, kept: Places) -> None:
        """Offer each folder once, under the first reason there is."""
        offered = [
            *((path, "bookmark") for path in kept.bookmarks),
            *((path, "recent") for path in kept.recent),
            (Path.home(), "home"),
            (Path(self._folder().anchor), "disk"),
        ]
        kinds: dict[Path, str] = {}
        for path, kind in offered:
            kinds.setdefault(path, kind)
        self.places = tuple(Place(path, kind) for path, kind in kinds.items())

    def _why_not_remove(self) -> str | None:
        place = self.list.selected
        return None if place is not None and place.kind == "bookmark" else "Only a bookmark can be removed."

    def _row(self, place: Place, width: int) -> StyleAndTextTuples:
        cells = max(0, width - 10)
        path = fit(cut_middle(visible(str(place.path)), max(0, cells - 1)), cells)
        return [("class:folder", path), ("class:muted", fit(place.kind, min(10, width)))]


class KeysPage(Page[Binding]):
    """Every key of the browser and what it does; Enter or a double click does it."""

    title = "Keys"

    def __init__(
        self, rows: Sequence[Binding], *, run: Callable[[Binding], None], leave: Callable[[], None], tasks: TaskSpawner
    ) -> None:
        super().__init__(lambda: rows, self._row, choose=run, leave=leave, tasks=tasks)
        self.rows = (
            Binding(("enter",), self.list.activate, "Do it", "Do what the highlighted key does."),
            Binding(("escape",), leave, "Back", "Go back to the folder."),
        )

    def _row(self, binding: Binding, width: int) -> StyleAndTextTuples:
        keys = fit(", ".join(map(key_name, binding.keys[:2])), 16)
        reason = binding.why_disabled()
        text = binding.description if reason is None else f"{binding.description} {reason}"
        style = "class:disabled" if reason is not None else ""
        return [("class:key", keys), (style, cut(text, max(0, width - 16)))]


def _load_places() -> Places:
    """What is kept of places; for a thread."""
    from openhcs.core import places

    return places.load_places()


def _set_bookmark(folder: Path, wanted: bool | None) -> Places:
    """Set a bookmark at `folder`, remove it, or with None do the one that changes something; for a thread."""
    from openhcs.core import places

    def change(kept: Places) -> Places:
        add = folder not in kept.bookmarks if wanted is None else wanted
        return kept.with_bookmark(folder) if add else kept.without_bookmark(folder)

    return places.change_places(change)


def remember_recent(folder: Path) -> None:
    """Keep `folder` as the one something was chosen in last; for a thread."""
    from openhcs.core import places

    places.change_places(lambda kept: kept.with_recent(folder))
