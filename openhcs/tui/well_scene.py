"""What of a well is being looked at: which images, channel, z, t, label image and site, and how close.

A frozen value and the moves from one to the next; pure, so that a key can be tested without a screen or a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final, TypeVar

__all__ = ["Frame", "Scene", "Stage", "Stock"]

V = TypeVar("V")

_CLOSEST: Final = 32.0
_STEP: Final = 1.5
_PAN: Final = 0.25


class Stage(Enum):
    """Before or after the pipeline; the value is the word shown."""

    SOURCE = "as acquired"
    RESULTS = "results"

    @property
    def other(self) -> Stage:
        """The other one."""
        return Stage.RESULTS if self is Stage.SOURCE else Stage.SOURCE


@dataclass(frozen=True)
class Stock:
    """What there is to look at, nothing at first; `places` are row and column of each site."""

    channels: tuple[int, ...] = ()
    sites: tuple[int, ...] = ()
    z_planes: tuple[int, ...] = ()
    time_points: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()
    places: Mapping[int, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scene:
    """What is seen. `channel` None shows all in their colours; `z` and `t` None the middle and the first.

    `site` None is the first; `zoom` 0 shows all sites, 1 one of them whole, more a part of it around `centre`
    (fractions of height and width).
    """

    stage: Stage = Stage.SOURCE
    channel: int | None = None
    z: int | None = None
    t: int | None = None
    label: str | None = None
    site: int | None = None
    zoom: float = 0.0
    centre: tuple[float, float] = (0.5, 0.5)

    def within(self, stock: Stock) -> Scene:
        """The scene with every choice one that `stock` has; a projection is chosen only by hand.

        Outlines wait where there are no label images at all, for the stage that has them.
        """
        stacked = [z for z in stock.z_planes if z] or list(stock.z_planes)
        return replace(
            self,
            channel=self.channel if self.channel in stock.channels else None,
            z=self.z if self.z in stock.z_planes else stacked[len(stacked) // 2] if stacked else None,
            t=self.t if self.t in stock.time_points else next(iter(stock.time_points), None),
            label=self.label if self.label in stock.labels or not stock.labels else None,
            site=self.site if self.site in stock.sites else next(iter(stock.sites), None),
        )

    @property
    def is_overview(self) -> bool:
        """Whether all sites are seen at once."""
        return self.zoom < 1.0

    def stepped_z(self, stock: Stock, by: int) -> Scene:
        """The next z, round and round; likewise the others."""
        return replace(self, z=_next(stock.z_planes, self.z, by))

    def stepped_t(self, stock: Stock, by: int) -> Scene:
        """The next time point."""
        return replace(self, t=_next(stock.time_points, self.t, by))

    def next_channel(self, stock: Stock) -> Scene:
        """The next channel; after the last one all together."""
        return replace(self, channel=_next((None, *stock.channels), self.channel, 1))

    def with_channel(self, stock: Stock, number: int) -> Scene:
        """The channel in place `number`, from 1; all together where it is seen already, or there is none."""
        wanted = stock.channels[number - 1] if 0 < number <= len(stock.channels) else None
        return replace(self, channel=None if wanted == self.channel else wanted)

    def next_label(self, stock: Stock) -> Scene:
        """The next label image; after the last one none."""
        return replace(self, label=_next((None, *stock.labels), self.label, 1))

    def closer(self) -> Scene:
        """From all sites to one, then nearer and nearer."""
        zoom = 1.0 if self.is_overview else min(_CLOSEST, self.zoom * _STEP)
        return replace(self, zoom=zoom, centre=(0.5, 0.5) if self.is_overview else self.centre)

    def farther(self) -> Scene:
        """The way back."""
        if self.zoom <= 1.0:
            return replace(self, zoom=0.0)
        return replace(self, zoom=max(1.0, self.zoom / _STEP))

    def to_overview(self) -> Scene:
        """All sites again."""
        return replace(self, zoom=0.0)

    def dragged(self, frame: Frame, cells: int, lines: int) -> Scene:
        """What `frame` shows, drawn along with the mouse by so many cells and lines of text."""
        top, left, bottom, right = frame.section
        down, across = (bottom - top) * 2 * lines / frame.rows, (right - left) * cells / frame.columns
        return replace(self, centre=(_inside((top + bottom) / 2 - down), _inside((left + right) / 2 - across)))

    def moved(self, stock: Stock, rows: int, columns: int) -> Scene:
        """To the next site that way where all are seen, else along the picture."""
        if not self.is_overview:
            y, x = self.centre
            share = _PAN / self.zoom if self.zoom > 1.0 else 0.0
            return replace(self, centre=(_inside(y + rows * share), _inside(x + columns * share)))
        if self.site is None or self.site not in stock.places:
            return self
        row, column = stock.places[self.site]
        ahead = [
            (abs(down) * (4 if columns else 1) + abs(across) * (4 if rows else 1), site)
            for site, place in stock.places.items()
            if (down := place[0] - row) * rows + (across := place[1] - column) * columns > 0
        ]
        return replace(self, site=min(ahead)[1]) if ahead else self


@dataclass(frozen=True, slots=True)
class Frame:
    """Which part of a site's picture is drawn, in fractions (top, left, bottom, right), and its size in pixels."""

    section: tuple[float, float, float, float]
    rows: int
    columns: int

    @classmethod
    def whole(cls, cells: int, lines: int) -> Frame:
        """All of a picture, in so many cells and lines of text; a line is two pixels high."""
        return cls((0.0, 0.0, 1.0, 1.0), 2 * lines, cells)

    @classmethod
    def of(cls, scene: Scene, size_px: tuple[int, int], cells: int, lines: int) -> Frame:
        """The part of one site that fills `cells` by `lines` at the scene's zoom, around its centre where it can be."""
        height, width = size_px
        scale = min(cells / width, 2 * lines / height) * max(1.0, scene.zoom)
        rows, columns = max(1, min(2 * lines, round(height * scale))), max(1, min(cells, round(width * scale)))
        down, across = min(1.0, rows / (height * scale)), min(1.0, columns / (width * scale))
        top = min(1.0 - down, max(0.0, scene.centre[0] - down / 2))
        left = min(1.0 - across, max(0.0, scene.centre[1] - across / 2))
        return cls((top, left, top + down, left + across), rows, columns)


def _inside(value: float) -> float:
    return min(1.0, max(0.0, value))


def _next(values: Sequence[V], value: V, by: int) -> V:
    return values[(values.index(value) + by) % len(values)] if value in values else (values[0] if values else value)
