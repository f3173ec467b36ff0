"""The lines of a file by their numbers, while the file grows: a file of a million lines is neither held nor split.

It is read once, in blocks, to count the lines that begin in each; a line is then found by reading its block. Standard
library only. Every method blocks but `block_of` and `len`: call it in a thread. Checked by
tests/core/test_followed_lines.py.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final

__all__ = ["FollowedLines"]

_BLOCK_BYTES: Final = 1 << 16
_LONGEST_BYTES: Final = 1 << 20
"""What is read of a line at most."""

_POLL_BYTES: Final = 64 << 20


class FollowedLines:
    """The lines of the file at `path`, which need not be there yet. A file that is replaced or cut begins anew."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._identity = (0, 0)
        self._forget()

    def _forget(self) -> None:
        self._size = 0
        self._ends_open = False
        # How many lines have ended before each block, and after the last one.
        self._ended = [0]

    def __len__(self) -> int:
        return self._ended[-1] + self._ends_open

    @property
    def complete(self) -> int:
        """How many of the lines have their end."""
        return self._ended[-1]

    @property
    def last_block(self) -> int:
        """The block that grows."""
        return max(0, len(self._ended) - 2)

    def poll(self) -> bool:
        """Count what is new, 64 MiB of it at most; whether there may be more.

        Raises:
            OSError: the file cannot be read.
        """
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            self._forget()
            return False
        with file:
            found = os.fstat(file.fileno())
            if (found.st_dev, found.st_ino) != self._identity or found.st_size < self._size:
                self._identity = found.st_dev, found.st_ino
                self._forget()
            stop = min(found.st_size, self._size + _POLL_BYTES)
            self._count(file, stop)
        return stop < found.st_size

    def _count(self, file: BinaryIO, stop: int) -> None:
        """Count the lines up to `stop`; a block that was not full is counted on."""
        file.seek(self._size)
        while self._size < stop:
            room = _BLOCK_BYTES - self._size % _BLOCK_BYTES
            data = file.read(min(room, stop - self._size))
            if not data:
                break
            if room == _BLOCK_BYTES:
                self._ended.append(self._ended[-1])
            self._ended[-1] += data.count(b"\n")
            self._ends_open = not data.endswith(b"\n")
            self._size += len(data)

    def block_of(self, number: int) -> tuple[int, int]:
        """In which block line `number` begins, counted from 0, and its place among those that begin there."""
        if number == 0:
            return 0, 0
        block = bisect_left(self._ended, number) - 1
        return block, number - self._ended[block] - (block > 0)

    def read_block(self, block: int) -> Sequence[bytes]:
        """The lines that begin in a block, without their ends.

        Raises:
            OSError: the file cannot be read.
        """
        if self._size <= block * _BLOCK_BYTES:
            return ()
        with self.path.open("rb") as file:
            file.seek(block * _BLOCK_BYTES)
            data = file.read(min(_BLOCK_BYTES, self._size - block * _BLOCK_BYTES))
            ended = self._ended[block + 1] - self._ended[block]
            if block and not ended:
                return ()  # a line that is longer than a block goes on in this one
            lines = data.split(b"\n")
            lines[-1] += self._rest_of_line(file, block)
        if block:
            del lines[0]  # it began in a block before
        if not lines[-1] and self._ends_with(block, len(lines)):
            del lines[-1]
        return [line.removesuffix(b"\r") for line in lines]

    def _rest_of_line(self, file: BinaryIO, block: int) -> bytes:
        """What follows a block up to the end of its last line."""
        start = (block + 1) * _BLOCK_BYTES
        rest = b""
        while start < self._size and len(rest) < _LONGEST_BYTES:
            data = file.read(min(_BLOCK_BYTES, self._size - start))
            line, end, _ = data.partition(b"\n")
            rest += line
            if end or not data:
                break
            start += len(data)
        return rest

    def _ends_with(self, block: int, count: int) -> bool:
        """Whether the last of `count` lines of a block is no line: the file ends with the line before it."""
        first = self._ended[block] + (block > 0)
        return first + count > len(self)
