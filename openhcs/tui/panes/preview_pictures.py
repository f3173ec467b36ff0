"""The two pictures of a step that is tried, as it finds the site and as it leaves it, or the same in words."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from prompt_toolkit.application import get_app
from prompt_toolkit.formatted_text import StyleAndTextTuples, fragment_list_width

from openhcs.tui.effects.well_words import describe_site
from openhcs.tui.effects.wells import Tile, WellReader, stock_of
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.utils.screen_output import is_plain
from openhcs.tui.well_scene import Frame, Scene, Stock
from openhcs.tui.widgets.colour_scale import Palette, palette_of_screen
from openhcs.tui.widgets.drawn_text import fit
from openhcs.tui.widgets.thumbnail import FreshStyles

if TYPE_CHECKING:
    from openhcs.core.previews import WellImages
    from openhcs.core.step_preview import StepPreview

__all__ = ["PreviewPictures"]

_GAP: Final = 2


@dataclass(slots=True)
class _Side:
    """One of the two pictures: its images, what there is to see in them, and the picture as it was drawn last."""

    title: str
    images: WellImages | None = None
    stock: Stock = field(default_factory=Stock)
    tile: Tile | None = None
    words: Sequence[str] = ()


class PreviewPictures:
    """Both pictures, looked at in the same way; `error`, where there is one, is shown in their place.

    Args:
        start: starts drawing, in the place of what is being drawn.
    """

    def __init__(self, reader: WellReader, start: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        self._reader = reader
        self._start = start
        self._before, self._after = _Side("before"), _Side("after")
        self._area = (0, 0)
        self._styles = FreshStyles()
        self.scene = Scene(zoom=1.0)
        self.error = ""

    @property
    def before(self) -> Stock:
        """What there is to see as the step finds it."""
        return self._before.stock

    @property
    def after(self) -> Stock:
        """What there is to see as the step leaves it."""
        return self._after.stock

    def clear(self) -> None:
        """Take both pictures away."""
        self._before, self._after = _Side("before"), _Side("after")

    def take(self, preview: StepPreview) -> None:
        """Show what has been made: the channel that the step works on, and the objects it has found."""
        for side, images in ((self._before, preview.before), (self._after, preview.after)):
            side.images, side.stock = images, stock_of(images)
        stock = self._after.stock
        scene = self.scene
        if scene.channel not in stock.channels:
            scene = scene.with_channel(stock, 1)
        new = [name for name in stock.labels if name not in self._before.stock.labels]
        if scene.label not in stock.labels or new:
            labels = new or list(stock.labels)
            scene = replace(scene, label=labels[-1]) if labels else scene
        self.scene = scene
        # In the group of all pictures: one that is looked at in another way meanwhile is given up.
        self._start(self._draw())

    def look_at(self, scene: Scene) -> None:
        """Look at both in another way."""
        if scene != self.scene:
            self.scene = scene
            self._start(self._draw())

    async def _draw(self) -> None:
        if is_plain():
            await self._describe()
            return
        if 0 in self._area:
            return  # comes again with the first frame
        palette = palette_of_screen()
        for side in (self._before, self._after):
            if side.images is not None:
                side.tile = await self._tile(side, side.images, palette)
                get_app().invalidate()

    async def _describe(self) -> None:
        """Tell in words what the two pictures would show."""
        for side in (self._before, self._after):
            if side.images is not None:
                site = self.scene.within(side.stock).site
                scene = replace(self.scene, channel=None).within(side.stock)
                side.words = await describe_site(side.images, scene, site if site is not None else 0)
        get_app().invalidate()

    def words(self) -> Sequence[str]:
        """Both pictures in words, one after the other, or what went wrong."""
        if self.error:
            return [visible(line) for line in self.error.splitlines()]
        told = [side for side in (self._before, self._after) if side.words]
        return [line for side in told for line in (side.title.capitalize(), *(f"  {word}" for word in side.words))]

    async def _tile(self, side: _Side, images: WellImages, palette: Palette) -> Tile:
        scene = self.scene.within(side.stock)
        if scene.channel is None and palette is Palette.SHAPES:
            scene = scene.next_channel(side.stock)  # channels over each other cannot be told apart without colour
        site = scene.site if scene.site is not None else 0
        size_px = await self._reader.size_px(images, site)
        cells, lines = self._area
        return await self._reader.read_tile(images, scene, site, Frame.of(scene, size_px, cells, lines), {}, palette)

    def lines(self, width: int, height: int) -> list[StyleAndTextTuples]:
        """Both pictures, each below its title."""
        area = (max(0, (width - _GAP) // 2), max(0, height - 1))
        if area != self._area:
            self._area = area
            self._start(self._draw())
        if self.error:
            told: list[StyleAndTextTuples] = [[("class:error", f" {line}")] for line in _error_lines(self.error, width)]
            return told[:height]
        self._styles.begin()
        columns = [self._side_lines(side, *area) for side in (self._before, self._after)]
        drawn = [self._styles.admit([*left, ("", " " * _GAP), *right]) for left, right in zip(*columns, strict=True)]
        if self._styles.is_waiting:
            get_app().invalidate()
        return drawn

    def _side_lines(self, side: _Side, cells: int, lines: int) -> list[StyleAndTextTuples]:
        scene, stock = self.scene.within(side.stock), side.stock
        title = f" {side.title}"
        if len(stock.z_planes) > 1:
            title += f", z {scene.z} of {max(stock.z_planes)}"
        if scene.label in stock.labels and side is self._after:
            title += f", outlines: {visible(scene.label or '')}"
        drawn: list[StyleAndTextTuples] = [[("class:title", fit(title, cells))]]
        body: Sequence[StyleAndTextTuples] = side.tile.lines if side.tile is not None else ()
        if side.tile is not None and side.tile.error:
            body = [[("class:error", line)] for line in _error_lines(side.tile.error, cells)]
        for number in range(lines):
            line = list(body[number]) if number < len(body) else []
            drawn.append([*line, ("", " " * max(0, cells - fragment_list_width(line)))])
        return drawn

    def channels(self) -> StyleAndTextTuples:
        """The channels that there are, those that are shown among them, and how near the pictures are."""
        head: StyleAndTextTuples = []
        images = self._after.images
        for place, number in enumerate(self.after.channels, start=1):
            name = next((channel.name for channel in images.channels if channel.number == number), "") if images else ""
            here = self.scene.channel in (number, None)
            text = f"[{place} {visible(name)}]" if self.scene.channel == number else f" {place} {visible(name)} "
            head.append(("bold" if here else "class:disabled", text))
        if self.scene.zoom > 1.0:
            head.append(("", f" {self.scene.zoom:.3g}x"))
        return head


def _error_lines(text: str, width: int) -> list[str]:
    lines = [visible(line) for line in f"X {text}".splitlines()]
    return [part for line in lines for part in textwrap.wrap(line, max(4, width - 2)) or [""]]
