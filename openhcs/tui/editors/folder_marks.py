"""The entries marked in a file browser, of one folder or several; marking 100,000 makes no 100,000 paths."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

__all__ = ["Marks"]


class Marks:
    """Names by the folder they are in, in the order they were marked."""

    def __init__(self) -> None:
        self._names: dict[Path, dict[str, None]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._names.values()))

    def __iter__(self) -> Iterator[Path]:
        return (folder / name for folder, names in self._names.items() for name in names)

    def some(self, count: int) -> list[Path]:
        """The first `count` of the marked paths."""
        return list(itertools.islice(self, count))

    def has(self, folder: Path, name: str) -> bool:
        """Whether `name` in `folder` is marked."""
        return name in self._names.get(folder, ())

    def toggle(self, folder: Path, name: str) -> None:
        """Mark `name`, or take its mark away."""
        if self.has(folder, name):
            self.remove(folder, (name,))
        else:
            self.add(folder, (name,))

    def add(self, folder: Path, names: Iterable[str]) -> None:
        """Mark `names`; those that are stay where they are."""
        new = dict.fromkeys(names)
        if marked := self._names.get(folder):
            marked.update(new)
        elif new:
            self._names[folder] = new

    def remove(self, folder: Path, names: Iterable[str]) -> None:
        """Take the marks of `names` away."""
        gone = set(names)
        self._keep(folder, (name for name in self._names.get(folder, ()) if name not in gone))

    def keep(self, folder: Path, names: Collection[str]) -> None:
        """Take the marks in `folder` away, but for those of `names`."""
        self._keep(folder, (name for name in self._names.get(folder, ()) if name in names))

    def invert(self, folder: Path, names: Collection[str]) -> None:
        """Mark those of `names` that are not marked, and only those of them."""
        marked = self._names.get(folder, {})
        new = [name for name in names if name not in marked]
        if len(new) < len(names):
            self.remove(folder, names)
        self.add(folder, new)

    def all_of(self, folder: Path, names: Iterable[str]) -> bool:
        """Whether all of `names` are marked."""
        return all(map(self._names.get(folder, {}).__contains__, names))

    def _keep(self, folder: Path, names: Iterable[str]) -> None:
        left = dict.fromkeys(names)
        self._names.pop(folder, None)
        if left:
            self._names[folder] = left

    def of(self, folder: Path) -> frozenset[str]:
        """The names marked in `folder`."""
        return frozenset(self._names.get(folder, ()))

    def clear(self) -> None:
        """Take all marks away."""
        self._names.clear()
