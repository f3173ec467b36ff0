"""Editing a text in the editor that the user has chosen, which has the terminal meanwhile.

An editor with a window of its own must be told to wait, as in `EDITOR="code --wait"`.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prompt_toolkit.application import get_app

from openhcs.errors import InputError
from openhcs.tui.utils.application import GuardedApplication
from openhcs.tui.utils.daemon_thread import in_daemon_thread, make_in_daemon_thread
from openhcs.tui.utils.safe_text import visible

__all__ = ["Edited", "edit_text", "find_editor"]

_VARIABLES: Final = ("VISUAL", "EDITOR")
_COMMON: Final = ("nano", "vim", "vi")
"""Taken, the first that is there, where no variable says which; nano first, which tells how to leave it."""

_TAKE_A_LINE: Final = frozenset({"vi", "vim", "nvim", "view", "nano", "emacs", "emacsclient", "micro", "kak", "joe"})
"""Editors that go to a line given as `+12`."""

_AT_ONCE_S: Final = 1.0
"""An editor that is back sooner has not been used."""


@dataclass(frozen=True, slots=True)
class Edited:
    """What came back; `at_once` says that the editor was there too short a time to be used."""

    text: str
    at_once: bool


def find_editor(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The command of the user's editor, in words; where none is set, an editor that most machines have.

    Raises:
        InputError: none is set and none is there, or what is set is no command.
    """
    name, command = next(((name, environ[name]) for name in _VARIABLES if environ.get(name, "").strip()), ("", ""))
    if not name:
        common = next((editor for editor in _COMMON if shutil.which(editor, path=environ.get("PATH"))), None)
        if common is not None:
            return (common,)
        raise InputError(
            f"editor: neither VISUAL nor EDITOR is set, and none of {', '.join(_COMMON)} is there; expected a command "
            "such as nano or `code --wait`. Leave the workbench, say `export EDITOR=nano` and open it again."
        )
    try:
        return tuple(shlex.split(command))
    except ValueError as error:
        raise InputError(f"editor: {name}={command!r} ({error}); expected a command. Correct the variable.") from error


async def edit_text(text: str, file_name: str, line: int | None = None) -> Edited:
    """Let the user edit `text` in the editor, and wait for its end.

    Args:
        file_name: what the editor sees the file called; its ending tells the language.
        line: where to begin, for editors that can be told.

    Raises:
        InputError: there is no editor, it cannot be started, or it ended with an error: nothing is to be changed.
    """
    command = find_editor(os.environ)
    app = get_app()
    if not isinstance(app, GuardedApplication):
        raise InputError("editor: there is no terminal to lend; expected the workbench to be open.")
    folder = await make_in_daemon_thread(
        lambda: _write(text, file_name), lambda written: written.cleanup(), "write the text to edit"
    )
    try:
        file = Path(folder.name) / file_name
        at = [f"+{line}"] if line is not None and Path(command[0]).name in _TAKE_A_LINE else []
        begun_s = time.monotonic()
        async with app.lending_terminal():
            await _run((*command, *at, str(file)))
        took_s = time.monotonic() - begun_s
        edited = await in_daemon_thread(lambda: _read(file), "read the edited text")
        return Edited(edited, at_once=took_s < _AT_ONCE_S)
    finally:
        await in_daemon_thread(folder.cleanup, "remove the text to edit")


async def _run(words: tuple[str, ...]) -> None:
    name = visible(Path(words[0]).name)
    # Seen where the editor has a window of its own. A terminal that is gone has nobody to tell.
    with suppress(OSError, ValueError):
        print(f"The workbench waits for {name}. Close the file there to come back.", file=sys.__stdout__, flush=True)
    try:
        process = await make_in_daemon_thread(lambda: subprocess.Popen(words), _end, f"start {name}")
    except OSError as error:
        raise InputError(
            f"editor: {visible(shlex.join(words[:-1]))} cannot be started ({error.strerror}); expected a program. "
            "Correct VISUAL or EDITOR."
        ) from error
    try:
        code = await in_daemon_thread(process.wait, f"wait for {name}")
    except asyncio.CancelledError:
        process.terminate()
        raise
    if code != 0:
        raise InputError(f"editor: {name} ended with {code}, not 0. The pipeline is as it was.")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait()


def _write(text: str, file_name: str) -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(prefix="openhcs-edit-")
    (Path(folder.name) / file_name).write_text(text, encoding="utf-8")
    return folder


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"editor: the edited text cannot be read ({error}); expected the file as UTF-8. The pipeline is as it was."
        ) from error
