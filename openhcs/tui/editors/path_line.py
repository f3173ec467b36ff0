"""The path of a file browser: the line that says it, and becomes a field to type another into.

Tab completes a name as a shell does; the disk is asked in a thread, and an answer that comes after more typing is
dropped.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from prompt_toolkit.application import get_app
from prompt_toolkit.filters import has_focus
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout.containers import ConditionalContainer, Container, HSplit, VSplit
from prompt_toolkit.mouse_events import MouseEvent, MouseEventType

from openhcs.tui.editors.folder_listing import FileLister
from openhcs.tui.editors.folder_reader import absolute
from openhcs.tui.editors.folder_table import fold
from openhcs.tui.editors.natural_order import natural_keys
from openhcs.tui.ports import TaskSpawner
from openhcs.tui.utils.daemon_thread import in_daemon_thread
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.widgets.bindings import Binding
from openhcs.tui.widgets.drawn_text import cut_middle, drawn_window
from openhcs.tui.widgets.text_field import TextField

__all__ = ["PathLine"]

LABEL = "  Folder: "


class PathLine:
    """Shows `folder()`; `edit` makes it a field. `go` gets a path that exists and whether it is a folder."""

    def __init__(
        self,
        folder: Callable[[], Path],
        disk: FileLister,
        *,
        go: Callable[[Path, bool], None],
        leave: Callable[[], None],
        tell: Callable[[str | None], None],
        tasks: TaskSpawner,
    ) -> None:
        self._folder = folder
        self._disk = disk
        self._go = go
        self._leave = leave
        self._tell = tell
        self._tasks = tasks
        self.rows = (
            Binding(("enter",), self._go_there, "Open", "Open what the path names."),
            Binding(("tab",), self._complete_here, "Complete", "Complete the name as far as it is the only one."),
            Binding(("escape",), self._give_up, "Back", "Go back to the folder."),
        )
        self.field = TextField(
            on_enter=self._go_there,
            on_change=lambda: tell(None),
            keys=self._keys(),
        )
        edited = has_focus(self.field.window)
        label = drawn_window(lambda width: [("class:label", LABEL)])
        label.width = len(LABEL)
        self.container = HSplit(
            [
                ConditionalContainer(drawn_window(self._draw), ~edited),
                ConditionalContainer(VSplit([label, self.field], height=1), edited),
            ]
        )

    def __pt_container__(self) -> Container:
        return self.container

    def edit(self, text: str | None = None) -> None:
        """Let the path be typed, beginning with `text` or the folder shown."""
        if text is None:
            folder = str(self._folder())
            text = folder if folder.endswith(os.sep) else folder + os.sep
        self.field.text = text
        get_app().layout.focus(self.field.window)

    def _draw(self, width: int) -> StyleAndTextTuples:
        def click(mouse_event: MouseEvent) -> None:
            if mouse_event.event_type is MouseEventType.MOUSE_UP:
                self.edit()

        path = cut_middle(visible(str(self._folder())), max(0, width - len(LABEL)))
        return [("class:label", LABEL, click), ("class:title", path, click)]

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("tab")
        def _(event: KeyPressEvent) -> None:
            self._complete_here()

        @keys.add("escape", eager=True)
        @keys.add("s-tab")
        @keys.add("down")
        def _(event: KeyPressEvent) -> None:
            self._give_up()

        return keys

    def _go_there(self) -> None:
        self._tasks.fire_and_forget(self._enter(self.field.text), "open path")

    def _complete_here(self) -> None:
        self._tasks.fire_and_forget(self._complete(self.field.text), "complete path")

    def _give_up(self) -> None:
        self._tell(None)
        self._leave()

    async def _enter(self, text: str) -> None:
        path = typed_path(text, self._folder())
        self._tell(f"Looking for {visible(path.name or str(path), 40)} ... Esc gives up.")
        try:
            details = await in_daemon_thread(lambda: self._disk.stat(path), "open path")
        except (OSError, ValueError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            if isinstance(error, FileNotFoundError):
                reason = "not found"
            if self._is_current(text):
                name = cut_middle(visible(path.name or text), 20)
                self._tell(f"{name}: {reason}; expected a path that exists. Tab completes.")
                get_app().invalidate()
            return
        if self._is_current(text):
            self._go(path, stat.S_ISDIR(details.st_mode))
            get_app().invalidate()

    def _is_current(self, text: str) -> bool:
        """Whether the field still asks for `text`; an answer that comes later is dropped."""
        return self.field.text == text and get_app().layout.has_focus(self.field.window)

    async def _complete(self, text: str) -> None:
        if text.startswith("~") and os.sep not in text:
            self.field.text = f"{typed_path(text, self._folder())}{os.sep}"
            return
        head, separator, beginning = text.rpartition(os.sep)
        folder = typed_path(f"{head}{separator}", self._folder())
        self._tell("Looking ...")
        try:
            found = await in_daemon_thread(lambda: _beginning_with(self._disk, folder, beginning), "complete path")
        except (OSError, ValueError):
            found = []
        if not self._is_current(text):
            return
        common = os.path.commonprefix([name for name, _ in found])  # noqa: RUF071  of names, not of paths
        if len(found) == 1 and found[0][1]:
            common += os.sep
        if len(common) > len(beginning):
            self.field.text = text[: len(text) - len(beginning)] + common
        if not found:
            self._tell("Nothing here begins like that.")
        elif len(found) > 1:
            some = "  ".join(visible(name) for name, _ in found[:12])
            self._tell(f"{len(found):,} begin like this: {some}")
        else:
            self._tell(None)
        get_app().invalidate()


def typed_path(text: str, folder: Path) -> Path:
    """The path that `text` means to somebody who stands in `folder`: relative, or with `~` or `$VARIABLE`.

    A whole path behind `folder`, such as `/here//data` or `/here/~/data`, is meant alone: the field begins with the
    folder, and that is how a path is typed or pasted by who did not clear it.
    """
    behind = text.removeprefix(os.path.join(folder, ""))  # noqa: PTH118  with a separator at its end
    if behind != text and (behind.startswith((os.sep, f"~{os.sep}")) or behind == "~"):
        text = behind
    return absolute(folder / os.path.expanduser(os.path.expandvars(text)))  # noqa: PTH111  `~nobody` must not raise


def _beginning_with(disk: FileLister, folder: Path, beginning: str) -> list[tuple[str, bool]]:
    """Names in `folder` that begin so, in order, and whether each is a folder; dot names only when asked for."""
    found = [
        (name, is_folder)
        for name, is_folder in disk.scan(folder)
        if name.startswith(beginning) and (beginning.startswith(".") or not name.startswith("."))
    ]
    keys = natural_keys([fold(name) for name, _ in found])
    if len(found) == 1:  # only then does it matter, and a link may lead to a disk that does not answer
        (name, is_folder), *_ = found
        return [(name, _leads_to_folder(disk, folder / name, is_folder))]
    return [(found[row][0], bool(found[row][1])) for row in sorted(range(len(found)), key=keys.__getitem__)]


def _leads_to_folder(disk: FileLister, path: Path, is_folder: bool | None) -> bool:
    """Whether `path` is a folder, or a link to one."""
    if is_folder is not None:
        return is_folder
    try:
        return stat.S_ISDIR(disk.stat(path).st_mode)
    except OSError:
        return False
