"""Writing a text file whole or not at all.

Standard library only; anybody in the engine may import this. Checked by tests/core/test_whole_file.py.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
from pathlib import Path

__all__ = ["UNFINISHED", "deny_others", "write_text"]

UNFINISHED = ".openhcs-*.tmp"
"""The files that `write_text` leaves where its process is killed: not yet in place, to be removed."""


def deny_others(path: Path) -> None:
    """Let only its owner write the file or folder at `path`, whatever the umask says; raises `OSError`."""
    path.chmod(stat.S_IMODE(path.stat().st_mode) & ~(stat.S_IWGRP | stat.S_IWOTH))


def write_text(path: Path, text: str, *, private: bool = False) -> None:
    """Put a UTF-8 file with `text` at `path` as one: whoever reads it, now or after a crash, finds the old or the new.

    A file that is replaced keeps its permissions, unless it is to be `private`: then only its owner may read it, from
    its first byte on. A link goes on leading to where it led. Raises `OSError`, with nothing changed.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".openhcs-{secrets.token_hex(8)}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666)
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - a path has no way to open a descriptor
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if not private:
            with contextlib.suppress(FileNotFoundError):
                shutil.copymode(target, temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
