"""The pictures of a well in the well view: all its sites as they lie, or one of them, near.

`load` reads what the scene asks for and may be cancelled at any await; what it has read is on the screen at once. A
frame only puts finished lines beside each other. On a plain screen the pictures are told in words, a line each.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from prompt_toolkit.application import get_app
from prompt_toolkit.formatted_text import StyleAndTextTuples, fragment_list_width
from prompt_toolkit.layout.containers import Container, Window
from prompt_toolkit.utils import get_cwidth

from openhcs.errors import OpenHCSError
from openhcs.tui.effects.well_words import describe_site
from openhcs.tui.effects.wells import Tile, WellReader, colour_words, stock_of
from openhcs.tui.panes.channel_strip import ChannelStrip, StripSize, fit_strip
from openhcs.tui.panes.picture_mouse import PicturesControl
from openhcs.tui.ports import TaskSpawner
from openhcs.tui.run_text import count_of
from openhcs.tui.utils.line_view import LineView
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.utils.screen_output import is_plain
from openhcs.tui.well_scene import Frame, Scene, Stage, Stock
from openhcs.tui.widgets.bindings import Binding, key_bindings
from openhcs.tui.widgets.colour_scale import Palette, palette_of_screen
from openhcs.tui.widgets.drawn_text import cut, on_click, text_column
from openhcs.tui.widgets.thumbnail import FreshStyles, Tiling, tile_sites

if TYPE_CHECKING:
    from openhcs.core.previews import WellImages
    from openhcs.core.rasters import Limits

__all__ = ["Subject", "WellPictures"]


@dataclass(frozen=True, slots=True)
class Subject:
    """Which well is looked at, and where its results are or will be."""

    folder: Path
    well: str
    out: Path | None


class WellPictures:
    """Shows the pictures of a well. `on_change` is called when `load` should be run: another scene, another size."""

    def __init__(self, reader: WellReader, scene: Scene, on_change: Callable[[], None], tasks: TaskSpawner) -> None:
        self._reader = reader
        self._on_change = on_change
        self.scene = scene
        self.stock = Stock()
        self.note = ""
        self.error = ""
        self._subject: Subject | None = None
        self._images: dict[Stage, WellImages] = {}
        self._limits: dict[Stage, Mapping[int, Limits]] = {}
        self._channels: list[tuple[int, str, str]] = []
        self._tiles: dict[int, Tile] = {}
        self._strip: ChannelStrip | None = None
        self._drawn_for: object = None
        self._wants_label = False
        self._size_px = (1, 1)
        self._area = (0, 0)
        self._styles = FreshStyles()
        self.head: StyleAndTextTuples = []
        self.rows = self._rows()
        self._words: list[str] = []
        control = PicturesControl(self, key_bindings(self.rows, tasks=tasks, refuse=lambda reason: None))
        self._in_words = is_plain()
        self.window: Window = (
            LineView(lambda: self._words or [self.note], indent=text_column).window
            if self._in_words
            else Window(control, always_hide_cursor=True, style="class:list")
        )

    def __pt_container__(self) -> Container:
        return self.window

    # -- what is looked at ---------------------------------------------------------------------------------------

    def forget(self, *, results_only: bool = False) -> None:
        """Read anew: another well, or (`results_only`) the same one with new results."""
        for stage in (Stage.RESULTS,) if results_only else tuple(Stage):
            self._images.pop(stage, None)
            self._limits.pop(stage, None)
        if not results_only:
            self._tiles, self._size_px, self.error, self.note = {}, (1, 1), "", "reading"
            self._strip = None
            self._words = []

    def change(self, scene: Scene) -> None:
        """Look at something else of this well."""
        if self._in_words:
            scene = scene.to_overview()
        if scene != self.scene:
            self.scene = scene
            self._on_change()

    def choose_site(self, site: int, *, near: bool) -> None:
        """Select a site, and with `near` look at it alone."""
        scene = replace(self.scene, site=site)
        self.change(scene.closer() if near else scene)

    @property
    def is_new(self) -> bool:
        """Whether nothing of this well has been read yet."""
        return not self._images

    def turn_stage(self) -> None:
        """Look at the other side of the pipeline; label outlines stay with the results."""
        self._size_px = (1, 1)
        self.change(replace(self.scene, stage=self.scene.stage.other))

    def stretch(self) -> None:
        """Take the contrast from what is on the screen now; it is kept until another well."""
        self._limits.pop(self.scene.stage, None)
        self._on_change()

    def why_no_labels(self) -> str | None:
        """Why there is nothing to outline, or None; while the images are opened nobody knows."""
        if self.stock.labels or self.scene.stage not in self._images:
            return None
        hint = ": b shows the results" if self.scene.stage is Stage.SOURCE else ""
        return f"There are no label images here{hint}"

    def next_label(self) -> None:
        """Outline the objects of the next label image; asked while images are opened, of the first."""
        if self.scene.stage in self._images:
            self.change(self.scene.next_label(self.stock))
        else:
            self._wants_label = True

    def why_one(self, values: int, what: str) -> str | None:
        """Why there is nothing to step through, or None."""
        return None if values > 1 else f"There is one {what} only" if values else f"There is no {what}"

    # -- reading -------------------------------------------------------------------------------------------------

    async def load(self, subject: Subject) -> None:
        """Read what the scene asks for."""
        if 0 in self._area and not self._in_words:
            return  # comes again with the first frame
        self.error = ""
        stage = self.scene.stage
        try:
            if stage not in self._images:
                self._say(f"reading {subject.well}, {stage.value}")
                self._images[stage] = await self._reader.open_images(subject.folder, subject.out, subject.well, stage)
            images = self._images[stage]
            self.stock = stock_of(images)
            self.scene = self.scene.within(self.stock)
            if self.scene.channel is None and palette_of_screen() is Palette.SHAPES and not self._in_words:
                # Channels laid over each other cannot be told apart without colour.
                self.scene = self.scene.next_channel(self.stock)
            if self._wants_label:
                self._wants_label = False
                self.scene = self.scene.next_label(self.stock)
            self._channels = list(colour_words(images))
            if self.scene.site is not None and self._size_px == (1, 1):
                self._say(f"reading site {self.scene.site}")
                self._size_px = await self._reader.size_px(images, self.scene.site)
        except OpenHCSError as error:
            self._tiles, self.error = {}, str(error)
            self._words = [visible(line) for line in str(error).splitlines()]
            self._say("")
            return
        await (self._load_words(images) if self._in_words else self._load_tiles(images))
        self._say("")

    async def _load_words(self, images: WellImages) -> None:
        """Tell of each site in turn, below what is told of all."""
        scene, stock = self.scene, self.stock
        shown = [f"{count_of(len(stock.sites), 'site')} {scene.stage.value}"]
        if len(stock.z_planes) > 1:
            shown.append(f"z {scene.z or 'projection'} of {max(stock.z_planes)}")
        if len(stock.time_points) > 1:
            shown.append(f"t {scene.t} of {max(stock.time_points)}")
        words = [", ".join(shown)]
        is_first = not self._words  # what is told already stays until it is told anew
        for site in stock.sites:
            words += [f"Site {site or 'all'}", *(f"  {line}" for line in await describe_site(images, scene, site))]
            if is_first:
                self._words = list(words)
                get_app().invalidate()
        self._words = words

    async def _load_tiles(self, images: WellImages) -> None:
        scene, stage = self.scene, self.scene.stage
        palette = palette_of_screen()
        frames = self._frames()
        # Pictures of another size or another part would be wrong until they are replaced; others stay meanwhile.
        shape = scene.is_overview, next(((frame.rows, frame.columns) for frame in frames.values()), None)
        if shape != self._drawn_for:
            self._tiles, self._drawn_for = {}, shape
        self._tiles = {site: tile for site, tile in self._tiles.items() if site in frames}
        limits = self._limits.get(stage, {})
        for number, (site, frame) in enumerate(frames.items(), start=1):
            self._say(f"reading site {site} ({number} of {len(frames)})" if site else "reading")
            self._tiles[site] = await self._reader.read_tile(images, scene, site, frame, limits, palette)
            get_app().invalidate()
        if any(number not in limits for tile in self._tiles.values() for number, _ in tile.layers):
            tiles, found = await self._reader.even_out(images, list(self._tiles.values()), palette)
            self._limits[stage] = {**limits, **found}
            self._tiles = {tile.site: tile for tile in tiles}
        await self._take_apart(images, palette)

    async def _take_apart(self, images: WellImages, palette: Palette) -> None:
        """Show the channels of the selected site by themselves where there is room beside the sites."""
        size, tile = self._strip_size(), self._tiles.get(self.scene.site) if self.scene.site is not None else None
        if size is None or tile is None or len(tile.layers) < 2:
            self._strip = None
            return
        limits = self._limits.get(self.scene.stage, {})
        tiles = await self._reader.take_apart(images, tile, size.shrink, limits, palette)
        self._strip = ChannelStrip(size, [name for _, name, _ in self._channels], tiles)

    def _strip_size(self) -> StripSize | None:
        if not self.scene.is_overview or self.scene.channel is not None:
            return None
        return fit_strip(self._tiling(), *self._area, len(self.stock.channels))

    def _say(self, note: str) -> None:
        self.note = note
        get_app().invalidate()

    def _tiling(self) -> Tiling:
        width, height = self._area
        places = self.stock.places
        at = places.get(self.scene.site or 0, (0, 0))
        return tile_sites(tuple(places.values()), at, width, height, self._size_px[0] / self._size_px[1])

    def _frames(self) -> Mapping[int, Frame]:
        """The sites to read, and how large."""
        if not self.scene.is_overview:
            site = self.scene.site
            return {} if site is None else {site: Frame.of(self.scene, self._size_px, self._area[0], self._area[1] - 1)}
        tiling = self._tiling()
        shown = range(tiling.first, tiling.first + tiling.rows)
        whole = Frame.whole(tiling.width, tiling.height)
        return {site: whole for site, (row, _) in self.stock.places.items() if row in shown}

    # -- keys ----------------------------------------------------------------------------------------------------

    def _rows(self) -> tuple[Binding, ...]:
        def row(keys: tuple[str, ...], to: Callable[[], Scene], label: str, description: str) -> Binding:
            return Binding(keys, lambda: self.change(to()), label, description, on_footer=False)

        def move(rows: int, columns: int) -> Callable[[], Scene]:
            return lambda: self.scene.moved(self.stock, rows, columns)

        return (
            row(("up",), move(-1, 0), "Up", "Go to the site above, or move the picture."),
            row(("down",), move(1, 0), "Down", "Go to the site below, or move the picture."),
            row(("left",), move(0, -1), "Left", "Go to the site on the left, or move the picture."),
            row(("right",), move(0, 1), "Right", "Go to the site on the right, or move the picture."),
            row(("enter",), lambda: self.scene.closer(), "Near", "Look at the selected site alone, then nearer."),
        )

    # -- drawing -------------------------------------------------------------------------------------------------

    def lines(self, width: int, height: int) -> list[StyleAndTextTuples]:
        """The whole control drawn."""
        area = (width, max(0, height - 1))
        if area != self._area:
            self._area, self._tiles = area, {}
            self._on_change()
        self._styles.begin()
        body = self._message() if self.error else self._overview() if self.scene.is_overview else self._one()
        self.head = self._head(width)
        drawn = [self.head, *(self._styles.admit(line) for line in body[: area[1]])]
        if self._styles.is_waiting:
            get_app().invalidate()
        return drawn

    def _head(self, width: int) -> StyleAndTextTuples:
        scene, stock = self.scene, self.stock
        head: StyleAndTextTuples = [("class:title", f"{scene.stage.value} ")]
        for place, (number, name, colour) in enumerate(self._channels, start=1):
            alone = on_click(partial(self.toggle_channel, place))
            if scene.channel is None:
                head.append((f"fg:{colour} bold", f" {place} {name} ", alone))
            elif scene.channel == number:
                head.append(("bold", f"[{place} {name}]", alone))
            else:
                head.append(("class:disabled", f" {place} {name} ", alone))
        if len(stock.z_planes) > 1:
            next_z = on_click(lambda: self.change(self.scene.stepped_z(self.stock, 1)))
            head.append(("", f" z {scene.z or 'projection'} of {max(stock.z_planes)}  ", next_z))
        if len(stock.time_points) > 1:
            next_t = on_click(lambda: self.change(self.scene.stepped_t(self.stock, 1)))
            head.append(("", f" t {scene.t} of {max(stock.time_points)}  ", next_t))
        if scene.label in stock.labels:
            head.append(("class:warning", f" outlines: {visible(scene.label or '')}  "))
        if not scene.is_overview:
            head.append(("", f" site {scene.site or 'all'}, {scene.zoom:.3g}x  "))
        if self.note:
            note = cut(self.note, max(0, width - 10))
            room = width - get_cwidth(note) - 1
            head = _clipped(head, room)
            head += [("", " " * max(1, room - fragment_list_width(head) + 1)), ("class:busy", note)]
        return _clipped(head, width)

    def _message(self) -> list[StyleAndTextTuples]:
        return _in_lines("class:warning", self.error, self._area[0])

    def _overview(self) -> list[StyleAndTextTuples]:
        tiling = self._tiling()
        sites = {place: site for site, place in self.stock.places.items()}
        lines: list[StyleAndTextTuples] = []
        focused = get_app().layout.has_focus(self.window)
        for row in range(tiling.first, tiling.first + tiling.rows):
            tiles = [sites.get((row, column)) for column in range(tiling.columns)]
            caption: StyleAndTextTuples = []
            for site in tiles:
                caption += [*self._caption(site, tiling.width, focused), ("", " ")]
            lines.append(caption)
            for number in range(tiling.height):
                line: StyleAndTextTuples = []
                for site in tiles:
                    line += [*self._tile_line(site, number, tiling.width), ("", " ")]
                lines.append(line)
        # Of another size it is about to be drawn anew.
        if self._strip is not None and self._strip.size == self._strip_size():
            return self._strip.beside(lines)
        return lines

    def _caption(self, site: int | None, width: int, focused: bool) -> StyleAndTextTuples:
        if site is None:
            return [("", " " * width)]
        selected = site == self.scene.site
        text = f"{'>' if selected else ' '}site {site or 'all'}"
        style = ("class:selected" if focused else "class:selected.unfocused") if selected else "class:muted"
        return [(style, f"{cut(text, width):<{width}}")]

    def _tile_line(self, site: int | None, number: int, width: int) -> StyleAndTextTuples:
        tile = self._tiles.get(site) if site is not None else None
        if tile is None:
            waiting = "reading" if site is not None and number == 0 and self.note else ""
            return [("class:muted", f"{cut(waiting, width):<{width}}")]
        if tile.error:
            text = _wrapped(f"X {visible(tile.error)}", width)
            return [("class:tile", f"{text[number] if number < len(text) else '':<{width}}")]
        return list(tile.lines[number]) if number < len(tile.lines) else [("", " " * width)]

    def _one(self) -> list[StyleAndTextTuples]:
        site = self.scene.site
        tile = self._tiles.get(site) if site is not None else None
        if tile is None:
            return []
        if tile.error:
            return _in_lines("class:tile", f"X {tile.error}", self._area[0])
        return list(tile.lines)

    # -- mouse ---------------------------------------------------------------------------------------------------

    def site_at(self, x: int, y: int) -> int | None:
        """The site whose picture is drawn at a cell of the control."""
        if not self.scene.is_overview or y < 1:
            return None
        tiling = self._tiling()
        place = (tiling.first + (y - 1) // (tiling.height + 1), x // (tiling.width + 1))
        return next((site for site, at in self.stock.places.items() if at == place), None)

    def channel_at(self, x: int, y: int) -> int | None:
        """The place of the channel whose picture is drawn by itself at a cell of the control."""
        strip = self._strip if self._strip is not None and self._strip.size == self._strip_size() else None
        return strip.place_at(x, y - 1) if strip is not None else None

    def toggle_channel(self, place: int) -> None:
        """Show a channel alone, or all again."""
        self.change(self.scene.with_channel(self.stock, place))

    def enlarge_at(self, x: int, y: int) -> None:
        """Look nearer: of all sites at the one under the mouse."""
        site = self.site_at(x, y)
        if site is not None:
            self.choose_site(site, near=True)
        else:
            self.change(self.scene.closer())

    def frame_of_site(self) -> Frame | None:
        """Which part of the one site that is looked at is drawn; None where all are."""
        frames = {} if self.scene.is_overview else self._frames()
        return next(iter(frames.values()), None)


def _clipped(fragments: StyleAndTextTuples, width: int) -> StyleAndTextTuples:
    """At most `width` cells of a line."""
    clipped: StyleAndTextTuples = []
    for fragment in fragments:
        text = cut(fragment[1], width)
        clipped.append((fragment[0], text, *fragment[2:]))
        width -= get_cwidth(text)
        if width <= 0 or text != fragment[1]:
            break
    return clipped


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(4, width))


def _in_lines(style: str, text: str, width: int) -> list[StyleAndTextTuples]:
    lines = _wrapped(visible(text), width - 2)
    return [[(style, f" {line}")] for line in lines]
