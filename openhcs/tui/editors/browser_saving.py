"""The name to save under in a file browser: what file it means, and asking before one that exists is replaced."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from prompt_toolkit.layout.containers import Container, VSplit

from openhcs.tui.editors.folder_listing import FileLister
from openhcs.tui.ports import TaskSpawner
from openhcs.tui.utils.daemon_thread import in_daemon_thread
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.widgets.drawn_text import drawn_window
from openhcs.tui.widgets.text_field import TextField

__all__ = ["SaveName"]


class SaveName:
    """A field for a name in `folder()`; `save` calls `finish` with the file, at once or when asked again.

    Args:
        suffixes: the first is appended to a name without any of them.
        tell: gets a remark, and None when it no longer holds.
    """

    def __init__(
        self,
        name: str,
        folder: Callable[[], Path],
        disk: FileLister,
        *,
        suffixes: Sequence[str],
        finish: Callable[[Path], None],
        tell: Callable[[str | None], None],
        redraw: Callable[[], None],
        tasks: TaskSpawner,
    ) -> None:
        self._folder = folder
        self._disk = disk
        self._suffixes = suffixes
        self._finish = finish
        self._tell = tell
        self._redraw = redraw
        self._tasks = tasks
        self._to_overwrite: Path | None = None
        self.field = TextField(name, on_enter=self.save, on_change=self.reconsider)
        label = drawn_window(lambda width: [("class:label", "  Name:   ")])
        label.width = 10
        self._line = VSplit([label, self.field], height=1)

    def __pt_container__(self) -> Container:
        return self._line

    @property
    def overwrites(self) -> bool:
        """Whether `save` would replace a file, and has said so."""
        return self._to_overwrite is not None

    def reconsider(self) -> None:
        """Take back the question whether to replace a file."""
        self._tell(None)
        self._to_overwrite = None

    @property
    def target(self) -> Path | None:
        """The file that saving would write, or None while the name is not one."""
        name = self.field.text.strip()
        if not name or name in (".", "..") or os.sep in name or "\0" in name:
            return None
        if self._suffixes and not name.casefold().endswith(tuple(suffix.casefold() for suffix in self._suffixes)):
            name += self._suffixes[0]
        return self._folder() / name

    def save(self) -> None:
        """Save under the name, or tell why not."""
        self._tasks.fire_and_forget(self._save(), "save as")

    async def _save(self) -> None:
        target = self.target
        if target is None:
            self._tell(f"{visible(self.field.text)!r} is not a file name; expected one without {os.sep}.")
            return
        if target == self._to_overwrite:
            self._finish(target)
            return
        try:
            details = await in_daemon_thread(lambda: self._disk.stat(target), "look at file")
        except FileNotFoundError:
            self._finish(target)
        except OSError as error:
            self._tell(f"{visible(target.name)}: {error.strerror or error}; expected a file that can be written.")
        else:
            if target == self.target:
                self._ask_to_overwrite(target, stat.S_ISDIR(details.st_mode))
        self._redraw()

    def _ask_to_overwrite(self, target: Path, is_folder: bool) -> None:
        if is_folder:
            self._tell(f"{visible(target.name)} is a folder; expected the name of a file.")
            return
        self._tell(f"{visible(target.name)} exists already. Enter once more replaces it.")
        self._to_overwrite = target
