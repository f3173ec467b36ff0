"""A file of JSON lines: appended and never changed, rotated by size, shared by processes, read back whole or torn.

A line is with the kernel when `append` returns, so it survives the death of the process. Each line names the session
that wrote it; a session that goes on in a new file says so in the file's first line.

Standard library only; for one thread at a time, which signal handlers and finalisers may interrupt.
Checked by tests/tui/utils/test_error_journal.py.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import weakref
from collections import deque
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["START", "JournalFile", "read_lines"]

START = "start"
_CONTINUED = "continued"

Line = Mapping[str, Any]


class JournalFile:
    """Appends lines to `path`, which is made with its folder by the first one.

    Past `max_bytes` the file is renamed to `path.1`, that to `path.2`, and so on up to `keep`. Every method may raise
    OSError or ValueError (a path that no file can have, a file that somebody closed).
    """

    def __init__(self, path: Path, max_bytes: int, keep: int) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._keep = keep
        self._session = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._begun = False
        self._file: BinaryIO | None = None
        self._close_file: weakref.finalize[[], JournalFile] | None = None
        self._outbox: deque[Line] = deque()
        self._writing = False

    def append(self, line: Line, time_s: float) -> None:
        """Append `line`, of `time_s` in seconds since the epoch."""
        self._outbox.append(line)
        if self._writing:
            # Somebody has interrupted the writing of another line, which goes on with this one.
            return
        self._writing = True
        try:
            while self._outbox:
                self._make_ready(time_s)
                self._write(self._outbox.popleft())
        finally:
            self._writing = False

    def sync(self) -> None:
        """Bring what was appended to the disk."""
        if self._file is not None:
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file; another line opens it again."""
        close, self._close_file, self._file = self._close_file, None, None
        if close is not None:
            close()

    @property
    def is_open(self) -> bool:
        """Whether there has been a line since the last `close`."""
        return self._file is not None

    def _make_ready(self, time_s: float) -> None:
        if self._file is None or not self._is_in_place(self._file):
            self._open(time_s)
        if self._file is not None and os.fstat(self._file.fileno()).st_size > self._max_bytes:
            self._rotate()
            self._open(time_s)

    def _is_in_place(self, file: BinaryIO) -> bool:
        """Whether `file` is still what the path names: another process may have rotated it away."""
        try:
            return os.path.samestat(self.path.stat(), os.fstat(file.fileno()))
        except FileNotFoundError:
            return False

    def _open(self, time_s: float) -> None:
        self.close()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Unbuffered: a line is with the kernel when write returns.
        self._file = self.path.open("ab", buffering=0)
        self._close_file = weakref.finalize(self, self._file.close)
        event, self._begun = _CONTINUED if self._begun else START, True
        self._write({"event": event, "pid": os.getpid(), "time_s": time_s})

    def _write(self, line: Line) -> None:
        assert self._file is not None
        data = json.dumps({"session": self._session, **line}, ensure_ascii=True).encode() + b"\n"
        if self._file.write(data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))

    def _rotate(self) -> None:
        self.close()
        for number in range(self._keep - 1, -1, -1):
            older = _numbered(self.path, number)
            # Another process may do the same at the same moment.
            with contextlib.suppress(FileNotFoundError):
                older.replace(_numbered(self.path, number + 1))


def read_lines(path: Path) -> list[Line]:
    """The lines of `path`, after those of the older files from which its first session goes on.

    What cannot be read, such as a line torn by a crash, is passed over.
    """
    lines = list(_read(path))
    number = 1
    while lines and lines[0].get("event") == _CONTINUED:
        older = list(_read(_numbered(path, number)))
        if not older:
            break
        lines = older + lines
        number += 1
    return lines


def _read(path: Path) -> Iterator[Line]:
    try:
        with path.open("rb") as file:
            for raw in file:
                try:
                    line = json.loads(raw)
                except (ValueError, RecursionError):
                    continue
                if isinstance(line, dict):
                    yield line
    except (OSError, ValueError):
        return


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}") if number else path
