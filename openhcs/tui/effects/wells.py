"""Reading one well for the well view: pictures of its sites, its tables, what made them, what happened.

Everything is read and drawn in threads; what comes back is ready to be put on the screen. Deliberately absent: what is
looked at (`well_scene`), how it stands on the screen (`panes`).

The engine is imported in the threads: numpy and, for results, zarr and polars take up to half a second the first time.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prompt_toolkit.formatted_text import StyleAndTextTuples

from openhcs.core.progress import Failure
from openhcs.errors import OpenHCSError, StoreError
from openhcs.tui.effects.plates import PlateEffects
from openhcs.tui.utils.daemon_thread import in_daemon_thread
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.well_scene import Frame, Scene, Stage, Stock
from openhcs.tui.widgets.colour_scale import Palette
from openhcs.tui.widgets.thumbnail import picture_lines

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from openhcs.core.model import PlateIndex
    from openhcs.core.previews import WellImages
    from openhcs.core.rasters import Colour, Limits
    from openhcs.core.well_tables import WellTable

__all__ = ["Tile", "WellReader", "WellRecord", "colour_words", "stock_of"]


_UNKNOWN_PX: Final = (512, 512)


@dataclass(frozen=True)
class Tile:
    """One site: drawn, or why it could not be. `layers` are the channels it is drawn from, to be drawn again."""

    site: int
    lines: Sequence[StyleAndTextTuples] = ()
    error: str = ""
    layers: Sequence[tuple[int, npt.NDArray[np.float32]]] = ()
    border: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class WellRecord:
    """What is on record about a well, in lines to read."""

    provenance: Sequence[str]
    history: Sequence[str]
    failure: Failure | None
    tables: Sequence[str]


class WellReader:
    """Reads wells of plates: by the planes that `plates` knows of, else by those it finds in the folder itself.

    A plate whose results are of an earlier session is looked at before anybody has initialised it in this one.
    """

    def __init__(self, plates: PlateEffects) -> None:
        self._plates = plates
        self._one_reads = threading.Lock()
        self._found: tuple[Path, PlateIndex] | None = None

    async def open_images(self, folder: Path, out: Path | None, well: str, stage: Stage) -> WellImages:
        """The images of a well before or after the pipeline.

        Raises:
            PlateError: the plate cannot be read.
            StoreError: there are no results of this well, or they cannot be read.
        """
        known = self._plates.index_of(folder)
        if stage is Stage.RESULTS and out is None:
            raise StoreError(f"results of well {well}: none yet; expected a finished run. Run the plate.")

        def open_() -> WellImages:
            from openhcs.core.previews import result_images, source_images  # numpy: 0.1 s

            index = known if known is not None else self._find_planes(folder)
            if stage is Stage.RESULTS and out is not None:
                return result_images(out, index, well)
            return source_images(index, well)

        return await in_daemon_thread(open_, f"open {well}")

    def _find_planes(self, folder: Path) -> PlateIndex:
        """Every plane in the folder; for threads, of which the first reads and the others take what it has found."""
        from openhcs.core.formats import index_plate  # numpy as well

        with self._one_reads:
            if self._found is None or self._found[0] != folder:
                self._found = (folder, index_plate(folder))
            return self._found[1]

    async def size_px(self, images: WellImages, site: int) -> tuple[int, int]:
        """Height and width of a site's planes; of another site's where they cannot be read, else of a square."""

        def measure() -> tuple[int, int]:
            for candidate in (site, *images.sites):
                with suppress(OpenHCSError):
                    return images.size_px(candidate)
            return _UNKNOWN_PX

        return await in_daemon_thread(measure, f"measure {images.well} site {site}")

    async def read_tile(
        self, images: WellImages, scene: Scene, site: int, frame: Frame, limits: Mapping[int, Limits], palette: Palette
    ) -> Tile:
        """One site as `scene` asks for it, contrasted by `limits` where they are known; an error is a tile too."""

        def read() -> Tile:
            try:
                return _redrawn(_read_tile(images, scene, site, frame), _limits_of(images, limits), images, palette)
            except OpenHCSError as error:
                return Tile(site, error=str(error))

        return await in_daemon_thread(read, f"read {images.well} site {site}")

    async def even_out(
        self, images: WellImages, tiles: Sequence[Tile], palette: Palette
    ) -> tuple[Sequence[Tile], Mapping[int, Limits]]:
        """The tiles drawn anew with one contrast a channel over all of them, and that contrast."""

        def even() -> tuple[Sequence[Tile], Mapping[int, Limits]]:
            from openhcs.core.rasters import contrast_limits

            numbers = dict.fromkeys(number for tile in tiles for number, _ in tile.layers)
            limits = {
                number: contrast_limits(picture for tile in tiles for other, picture in tile.layers if other == number)
                for number in numbers
            }
            return [_redrawn(tile, limits, images, palette) for tile in tiles], limits

        return await in_daemon_thread(even, f"draw {images.well}")

    async def take_apart(
        self, images: WellImages, tile: Tile, shrink: int, limits: Mapping[int, Limits], palette: Palette
    ) -> Sequence[Tile]:
        """Each channel of a tile as one of its own, smaller by `shrink`; nothing of it is read again."""

        def draw() -> Sequence[Tile]:
            alone = [Tile(tile.site, layers=[(number, _smaller(picture, shrink))]) for number, picture in tile.layers]
            return [_redrawn(part, limits, images, palette) for part in alone]

        return await in_daemon_thread(draw, f"draw channels of {images.well}")

    async def read_record(self, out: Path | None, well: str) -> WellRecord:
        """What is on record about a well; raises `StoreError`."""

        def read() -> WellRecord:
            from openhcs.core.well_records import provenance_lines, read_history
            from openhcs.core.well_tables import tables_of_well

            if out is None:
                return WellRecord((), (), None, ())
            history = read_history(out, well)
            lines = list(history.events)
            if history.log:
                lines += ["", "From the run's log", *history.log]
            return WellRecord(
                tuple(visible(line) for line in provenance_lines(out, well)),
                tuple(visible(line) for line in lines),
                history.failure,
                tables_of_well(out, well),
            )

        return await in_daemon_thread(read, f"read the records of {well}")

    async def read_table(self, out: Path, table: str, well: str) -> WellTable:
        """A table's rows for one well; raises `StoreError`."""

        def read() -> WellTable:
            from openhcs.core.well_tables import read_well_table  # polars: 0.2 s

            return read_well_table(out, table, well)

        return await in_daemon_thread(read, f"read {table} of {well}")

    async def sort_table(self, table: WellTable, column: str, *, descending: bool) -> WellTable:
        """The same rows in another order."""
        return await in_daemon_thread(
            lambda: table.sorted_by(column, descending=descending), f"sort {table.name} by {column}"
        )


def stock_of(images: WellImages) -> Stock:
    """What `images` offers to look at."""
    return Stock(
        channels=tuple(channel.number for channel in images.channels),
        sites=images.sites,
        z_planes=images.z_planes,
        time_points=images.time_points,
        labels=images.labels,
        places=images.places,
    )


def _read_tile(images: WellImages, scene: Scene, site: int, frame: Frame) -> Tile:
    from openhcs.core.rasters import Section, outline

    section, size = Section(*frame.section), (frame.rows, frame.columns)
    z, t = scene.z or 0, scene.t or 0
    numbers = [channel.number for channel in images.channels] if scene.channel is None else [scene.channel]
    layers = [(number, images.picture(site, number, z, t, section, size)) for number in numbers]
    border = None
    if scene.label is not None:
        labels = images.label_picture(scene.label, site, z, t, section, size)
        border = outline(labels) if labels is not None else None
    return Tile(site, layers=layers, border=border)


def _smaller(picture: npt.NDArray[np.float32], shrink: int) -> npt.NDArray[np.float32]:
    """The means of blocks of `shrink` by `shrink` pixels; what is left at the edges is left out."""
    rows, columns = (max(1, size // shrink) for size in picture.shape)
    cut = picture[: rows * shrink, : columns * shrink]
    means: npt.NDArray[np.float32] = cut.reshape(rows, -1, columns, cut.shape[1] // columns).mean(axis=(1, 3))
    return means


def _limits_of(images: WellImages, limits: Mapping[int, Limits]) -> Mapping[int, Limits] | None:
    return limits if all(channel.number in limits for channel in images.channels) else None


def _redrawn(tile: Tile, limits: Mapping[int, Limits] | None, images: WellImages, palette: Palette) -> Tile:
    """The tile with its lines drawn; with `limits` None its own contrast."""
    from openhcs.core.previews import OUTLINE_COLOUR, channel_colours
    from openhcs.core.rasters import compose, contrast_limits

    if not tile.layers:
        return tile
    colours: Mapping[int, Colour] = channel_colours(images.channels)
    one = len(tile.layers) == 1
    raster = compose(
        [
            (
                picture,
                limits[number] if limits is not None and number in limits else contrast_limits([picture]),
                (255, 255, 255) if one else colours[number],
            )
            for number, picture in tile.layers
        ],
        tile.border,
        OUTLINE_COLOUR,
    )
    return replace(tile, lines=picture_lines(raster, palette))


def colour_words(images: WellImages) -> Sequence[tuple[int, str, str]]:
    """Number, name and colour (as prompt_toolkit writes it) of each channel."""
    from openhcs.core.previews import channel_colours

    colours = channel_colours(images.channels)
    return [
        (channel.number, visible(channel.name), "#{:02x}{:02x}{:02x}".format(*colours[channel.number]))
        for channel in images.channels
    ]
