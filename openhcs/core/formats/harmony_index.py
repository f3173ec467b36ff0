"""The index that PerkinElmer's Harmony writes beside the images of an Opera Phenix or Operetta, read in one pass.

A plate of 384 wells has an index of 100 MB, so it goes through expat and nothing of it is kept but a few numbers an
image (`test_a_large_index_is_read_in_little_memory`). Of the versions, V5 repeats a channel's name and pixel size in
every `Image` and V7 tells them once, in `Maps/Map/Entry`; both are looked for, whatever the version says it is.

The file may come from anybody: a document type is refused before anything in it counts, so no entity is ever declared,
expanded or fetched, and texts are taken no longer than a name may be. Standard library only.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple
from xml.parsers import expat

from openhcs.core.model import well_name
from openhcs.errors import PlateError

__all__ = ["ChannelFacts", "HarmonyIndex", "IndexedImage", "read_harmony_index"]

_LONGEST_TEXT = 4096
_LARGEST_PLATE = (32, 48)

_IMAGE_TAGS = frozenset(
    {"State", "URL", "Row", "Col", "FieldID", "PlaneID", "TimepointID", "ChannelID", "PositionX", "PositionY"}
    | {"PositionZ", "MeasurementTimeOffset"}
)
_CHANNEL_TAGS = frozenset({"ChannelName", "ImageResolutionX", "MainExcitationWavelength", "MainEmissionWavelength"})
_PLATE_TAGS = frozenset({"Name", "PlateID", "PlateRows", "PlateColumns"})

_MICROMETRES = {"m": 1e6, "mm": 1e3, "um": 1.0, "µm": 1.0, "μm": 1.0, "nm": 1e-3}


class IndexedImage(NamedTuple):
    """One image of the index, with the numbers that Harmony gives; None where not told.

    Its position is in micrometres; `offset_s` are the seconds from the start of the measurement.
    """

    well: str
    field: int
    channel: int
    plane: int
    time_point: int
    url: str
    is_ok: bool
    state: str
    x_um: float | None
    y_um: float | None
    z_um: float | None
    offset_s: float | None


@dataclass(frozen=True, slots=True)
class ChannelFacts:
    """What the index tells about a channel; None where it is silent."""

    name: str | None = None
    pixel_size_um: float | None = None
    excitation_nm: float | None = None
    emission_nm: float | None = None


@dataclass(frozen=True, slots=True)
class HarmonyIndex:
    """What an index holds. `wells` are those selected for measurement; `unplaced` counts images without a place."""

    plate_name: str | None
    rows: int | None
    columns: int | None
    wells: frozenset[str]
    channels: dict[int, ChannelFacts]
    images: list[IndexedImage]
    unplaced: int


def read_harmony_index(path: Path) -> HarmonyIndex:
    """The index in the file at `path`.

    Raises:
        PlateError: it cannot be read, is no XML or not all of it, has a document type, or is no index of images.
    """
    reader = _Reader()
    try:
        with path.open("rb") as file:
            reader.read(file)
    except OSError as error:
        raise PlateError(
            f"index cannot be read: {path}; expected a file you may read, got {error.strerror or error}. "
            "Check its permissions and the disk it is on."
        ) from error
    except expat.ExpatError as error:
        raise PlateError(
            f"index is not whole: {path}; expected XML to its end, got {expat.ErrorString(error.code)} in line "
            f"{error.lineno}. Copy the file from the microscope again."
        ) from error
    except _DocumentTypeError:
        raise PlateError(
            f"index refused: {path}; expected XML as Harmony writes it, got a document type (<!DOCTYPE>), which can "
            "make a reader fetch or expand what is not in the file. Export the plate from Harmony again."
        ) from None
    except (ValueError, LookupError) as error:  # an encoding that does not exist
        raise PlateError(
            f"index cannot be read: {path}; expected XML as Harmony writes it, got {error}. "
            "Copy the file from the microscope again."
        ) from error
    if not reader.saw_images:
        raise PlateError(
            f"index not understood: {path}; expected the list of images that Harmony writes, got {reader.root or 'no'} "
            "element at the top and no Images in it. Choose the plate's own folder."
        )
    return reader.result()


class _DocumentTypeError(Exception):
    """The document has a document type."""


@dataclass(slots=True)
class _Reader:
    """Expat's callbacks, and what they have gathered. Each is called a million times: hence the plain steps."""

    root: str = ""
    saw_images: bool = False
    images: list[IndexedImage] = field(default_factory=list)
    unplaced: int = 0
    plate: dict[str, str] = field(default_factory=dict)
    wells: set[str] = field(default_factory=set)
    channels: dict[int, dict[str, str]] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)

    def read(self, file: BinaryIO) -> None:
        """Take the whole file in; raises what expat raises, and `_DocumentTypeError`."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse
        parser.StartElementHandler = self._start_of_root(parser)
        parser.ParseFile(file)

    def result(self) -> HarmonyIndex:
        """What was read, in numbers."""
        return HarmonyIndex(
            plate_name=self.plate.get("Name") or self.plate.get("PlateID") or None,
            rows=_whole(self.plate.get("PlateRows")),
            columns=_whole(self.plate.get("PlateColumns")),
            wells=frozenset(self.wells),
            channels={number: self._facts(texts) for number, texts in sorted(self.channels.items())},
            images=self.images,
            unplaced=self.unplaced,
        )

    def _start_of_root(self, parser: expat.XMLParserType) -> Callable[[str, dict[str, str]], None]:
        def start(tag: str, attributes: dict[str, str]) -> None:
            # Everything of the index has the namespace of its root, and so the same prefix, usually none.
            prefix, _, self.root = tag.rpartition(":")
            self._listen(parser, f"{prefix}:" if prefix else "")

        return start

    def _listen(self, parser: expat.XMLParserType, prefix: str) -> None:
        """Set the handlers for everything below the root."""
        image, entry, plate, well, images = (prefix + tag for tag in ("Image", "Entry", "Plate", "Well", "Images"))
        wanted: dict[str, frozenset[str]] = {
            image: frozenset(prefix + tag for tag in _IMAGE_TAGS | _CHANNEL_TAGS),
            entry: frozenset(prefix + tag for tag in _CHANNEL_TAGS),
            plate: frozenset(prefix + tag for tag in _PLATE_TAGS),
        }
        cut = len(prefix)
        nothing: frozenset[str] = frozenset()
        leaves = nothing  # the tags whose text is wanted where we are
        block = ""  # the Image, Entry or Plate we are in
        leaf = ""
        texts: dict[str, str] = {}
        within_images = False

        def start(tag: str, attributes: dict[str, str]) -> None:
            nonlocal leaves, block, leaf, texts, within_images
            if tag in leaves:
                leaf = tag
                # Only here: the space between the tags would be most of the calls.
                parser.CharacterDataHandler = data
                if attributes and (unit := attributes.get("Unit")) is not None:
                    self.units[tag[cut:]] = unit
            elif tag in wanted:
                if tag == image and not within_images:
                    return  # the Wells list their images too, by id only
                block, leaves, texts = tag, wanted[tag], {}
                if tag == entry:
                    texts["ChannelID"] = attributes.get("ChannelID", "")
            elif tag == images:
                within_images = self.saw_images = True
            elif tag == well and block == plate and (name := _well_of_id(attributes.get("id", ""))):
                self.wells.add(name)

        def data(text: str) -> None:
            if len(known := texts.get(leaf[cut:], "")) < _LONGEST_TEXT:
                texts[leaf[cut:]] = known + text[:_LONGEST_TEXT]

        def end(tag: str) -> None:
            nonlocal leaves, block, leaf, within_images
            if leaf:
                if tag == leaf:
                    leaf = ""
                    parser.CharacterDataHandler = None
            elif block and tag == block:
                if tag == image:
                    self._add_image(texts)
                elif tag == entry:
                    self._add_channel(texts)
                else:
                    self.plate = {**texts, **self.plate}
                block, leaves = "", nothing
            elif tag == images:
                within_images = False

        parser.StartElementHandler = start
        parser.EndElementHandler = end

    def _add_image(self, texts: dict[str, str]) -> None:
        row, column = _number(texts.get("Row")), _number(texts.get("Col"))
        number = {tag: _number(texts.get(tag, "1")) for tag in ("FieldID", "ChannelID", "PlaneID", "TimepointID")}
        url = texts.get("URL", "").strip()
        if (
            row is None
            or column is None
            or not (1 <= row <= _LARGEST_PLATE[0] and 1 <= column <= _LARGEST_PLATE[1])
            or any(value is None for value in number.values())
            or not url
        ):
            self.unplaced += 1
            return
        state = texts.get("State", "Ok").strip()
        unit = self.units.get
        self.images.append(
            IndexedImage(
                _well(row, column),
                number["FieldID"] or 0,
                number["ChannelID"] or 0,
                number["PlaneID"] or 0,
                number["TimepointID"] or 0,
                url,
                state.lower() == "ok",
                state,
                _micrometres(texts.get("PositionX"), unit("PositionX", "m")),
                _micrometres(texts.get("PositionY"), unit("PositionY", "m")),
                _micrometres(texts.get("PositionZ"), unit("PositionZ", "m")),
                _float(texts.get("MeasurementTimeOffset")) if unit("MeasurementTimeOffset", "s") == "s" else None,
            )
        )
        if number["ChannelID"] not in self.channels or "ChannelName" in texts:
            self._add_channel(texts)

    def _add_channel(self, texts: dict[str, str]) -> None:
        """Keep what is told about a channel first."""
        number = _number(texts.get("ChannelID"))
        if number is not None:
            known = self.channels.setdefault(number, {})
            if len(known) < len(_CHANNEL_TAGS):
                for tag in _CHANNEL_TAGS & texts.keys():
                    known.setdefault(tag, texts[tag])

    def _facts(self, texts: dict[str, str]) -> ChannelFacts:
        return ChannelFacts(
            name=texts.get("ChannelName", "").strip() or None,
            pixel_size_um=_positive(
                _micrometres(texts.get("ImageResolutionX"), self.units.get("ImageResolutionX", "m"))
            ),
            excitation_nm=_positive(_float(texts.get("MainExcitationWavelength"))),
            emission_nm=_positive(_float(texts.get("MainEmissionWavelength"))),
        )


def _refuse(*_: object) -> None:
    raise _DocumentTypeError


def _well_of_id(text: str) -> str | None:
    """`0213` is row 2, column 13: `B13`."""
    if len(text) != 4 or not text.isascii() or not text.isdigit():
        return None
    row, column = int(text[:2]), int(text[2:])
    return _well(row, column) if 1 <= row <= _LARGEST_PLATE[0] and 1 <= column <= _LARGEST_PLATE[1] else None


@lru_cache(maxsize=4096)
def _well(row: int, column: int) -> str:
    return well_name(row - 1, column - 1)


@lru_cache(maxsize=4096)
def _number(text: str | None) -> int | None:
    """A count in a text, from 0; None where it is none."""
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _whole(text: str | None) -> int | None:
    return _number(text) or None


@lru_cache(maxsize=65536)
def _micrometres(text: str | None, unit: str) -> float | None:
    """A length as its unit says; None where text or unit is not one."""
    value, factor = _float(text), _MICROMETRES.get(unit)
    return None if value is None or factor is None else value * factor


def _float(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _positive(value: float | None) -> float | None:
    return value if value is not None and value > 0 else None
