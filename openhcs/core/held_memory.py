"""A count of what a worker would hold: buffers kept and let go, and the most that there is at once."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Buffer", "HeldMemory"]


@dataclass(slots=True, eq=False)
class Buffer:
    """Memory that several planes share, held until the last of its users lets go of it."""

    bytes: int
    users: int = 1


class HeldMemory:
    """Bytes held at the moment, and the most of them so far, `peak`."""

    def __init__(self) -> None:
        self.held = 0
        self.peak = 0

    def keep(self, count: int, users: int = 1) -> Buffer:
        """Hold `count` more bytes, for so many users."""
        self.held += count
        self.peak = max(self.peak, self.held)
        return Buffer(count, users)

    def drop(self, buffer: Buffer | None) -> None:
        """One user of the buffer is gone."""
        if buffer is not None:
            buffer.users -= 1
            if not buffer.users:
                self.held -= buffer.bytes

    def touch(self, count: int) -> None:
        """Need `count` more bytes for a moment."""
        self.peak = max(self.peak, self.held + count)
