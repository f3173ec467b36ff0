"""Files as they are read, and written again only where nothing has changed them meanwhile. Standard library only."""

from __future__ import annotations

import contextlib
import difflib
import os
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from openhcs.verify.sources import decoded

__all__ = ["Change", "NotWritten"]


class NotWritten(Exception):
    """A file was left as it is; the message says why."""


@dataclass(frozen=True)
class Change:
    """What a file held when it was read, and what it is to hold."""

    path: Path
    before: bytes
    after: bytes

    def write(self) -> None:
        """Replace the file in one step; its permissions stay.

        Raises NotWritten where it cannot be written, or has changed since it was read.
        """
        path = self.path.resolve()
        try:
            mode = path.stat().st_mode
            if not stat.S_IMODE(mode) & 0o222 or not os.access(path, os.W_OK):
                raise NotWritten("is read-only")
            handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(self.after)
                Path(name).chmod(stat.S_IMODE(mode))
                if path.read_bytes() != self.before:
                    raise NotWritten("has changed since it was read")
                Path(name).replace(path)
            except BaseException:
                with contextlib.suppress(OSError):
                    Path(name).unlink()
                raise
        except OSError as error:
            raise NotWritten(f"cannot be written: {error.strerror}") from error

    def diff(self, name: str) -> str:
        """The change as a unified diff, which `patch` and `git apply` take; `name` is what the file is called in it."""
        old, new = (_lines(decoded(data)[0]) for data in (self.before, self.after))
        return "".join(_ended(difflib.unified_diff(old, new, f"a/{name}", f"b/{name}")))


def _lines(text: str) -> list[str]:
    """Lines as `diff` counts them: to the line feed, and by nothing else that may end one."""
    lines = [f"{line}\n" for line in text.split("\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def _ended(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
