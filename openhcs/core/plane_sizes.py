"""How large the planes of a plate are, from the headers of a few of its files.

A camera gives all planes of a channel one size, so a few wells stand for all; opening every file of a large plate would
take minutes on a network drive. Sizes decide estimates and what fits together, never how a plane is read.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from openhcs.core.formats import format_named
from openhcs.core.formats.plane_size import plane_size
from openhcs.core.model import COMBINED, PlaneKey
from openhcs.errors import PlaneError, PlateError

__all__ = ["PlaneSizes", "Size", "read_plane_sizes"]

Size = tuple[int, int]
"""Height and width in pixels."""

_Kind = tuple[int, bool]
"""What has one size as a rule: the channel, and whether it is a projection."""

_NOMINAL = (2048, 2048)
"""Taken for a size where none is known: placing planes needs one, and any will do."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PlaneSizes:
    """The size of planes by channel and kind; `differ` are the kinds whose planes are not all alike."""

    sizes: Mapping[_Kind, Size] = field(default_factory=dict)
    differ: frozenset[_Kind] = frozenset()

    @property
    def are_known(self) -> bool:
        """Whether any size has been read."""
        return bool(self.sizes)

    def at(self, key: PlaneKey) -> Size:
        """The size of the plane at `key`: of its kind, or the largest known; the largest one where planes differ."""
        return self.sizes.get(_kind(key)) or max(self.sizes.values(), key=_area, default=_NOMINAL)


def read_plane_sizes(root: Path, format_name: str, planes: Iterable[tuple[PlaneKey, str]]) -> PlaneSizes:
    """Look at three planes of each channel and kind: first, middle and last; unreadable ones are passed by."""
    by_kind: dict[_Kind, list[str]] = defaultdict(list)
    for key, file in planes:
        by_kind[_kind(key)].append(file)
    plate_format = format_named(format_name)
    sizes: dict[_Kind, Size] = {}
    differ: set[_Kind] = set()
    for kind, files in by_kind.items():
        found = set()
        for file in dict.fromkeys((files[0], files[len(files) // 2], files[-1])):
            try:
                found.add(plane_size(plate_format, root / file))
            except (PlaneError, PlateError) as error:
                log.debug("no size of %s: %s", file, error)
        if found:
            sizes[kind] = max(found, key=_area)
        if len(found) > 1:
            differ.add(kind)
    return PlaneSizes(sizes, frozenset(differ))


def _kind(key: PlaneKey) -> _Kind:
    return key.channel, key.z == COMBINED


def _area(size: Size) -> int:
    return size[0] * size[1]
