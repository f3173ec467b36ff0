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
    """A field for a name in `folder()`, or a path; `save` calls `finish` with the file, at once or when asked again.

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
        """The file that saving would write, None while the name is not one; a path goes out from the folder shown."""
        text = self.field.text.strip()
        if not text or text.endswith((os.sep, f"{os.sep}.", f"{os.sep}..")) or text in (".", "..") or "\0" in text:
            return None
        if self._suffixes and not text.casefold().endswith(tuple(suffix.casefold() for suffix in self._suffixes)):
            text += self._suffixes[0]
        try:
            path = Path(text).expanduser() if text.startswith("~") else Path(text)
        except RuntimeError:  # the home of somebody who is not known here
            path = Path(text)
        return Path(os.path.normpath(self._folder() / path)) if os.sep in text else self._folder() / path

    def save(self) -> None:
        """Save under the name, or tell why not."""
        self._tasks.fire_and_forget(self._save(), "save as")

    async def _save(self) -> None:
        target = self.target
        if target is None:
            self._tell(f"{visible(self.field.text)!r} is not the name of a file; expected one such as figures.csv.")
            return
        if target == self._to_overwrite:
            self._finish(target)
            return
        try:
            details = await in_daemon_thread(lambda: self._disk.stat(target), "look at file")
        except FileNotFoundError:
            if await in_daemon_thread(lambda: self._is_folder(target.parent), "look at folder"):
                self._finish(target)
            else:
                self._tell(f"{visible(str(target.parent))} is not there; expected a folder that is.")
        except OSError as error:
            self._tell(f"{visible(target.name)}: {error.strerror or error}; expected a file that can be written.")
        else:
            if target == self.target:
                self._ask_to_overwrite(target, stat.S_ISDIR(details.st_mode))
        self._redraw()

    def _is_folder(self, path: Path) -> bool:
        try:
            return stat.S_ISDIR(self._disk.stat(path).st_mode)
        except OSError:
            return False

    def _ask_to_overwrite(self, target: Path, is_folder: bool) -> None:
        if is_folder:
            self._tell(f"{visible(target.name)} is a folder; expected the name of a file.")
            return
        self._tell(f"{visible(target.name)} exists already. Enter once more replaces it.")
        self._to_overwrite = target
