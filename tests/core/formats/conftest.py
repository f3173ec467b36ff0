"""Plates made by the tests of the formats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

V5 = 'xmlns="http://www.perkinelmer.com/PEHH/HarmonyV5"'
V7 = 'xmlns="43B2A954-E3C3-47E1-B392-6635266B0DD3/HarmonyV7"'


@dataclass(frozen=True)
class PhenixImage:
    """One image of an index; `url` None takes the name that Harmony gives."""

    row: int = 1
    column: int = 1
    field: int = 1
    plane: int = 1
    time_point: int = 1
    channel: int = 1
    x_m: str = "0"
    y_m: str = "0"
    z_m: str = "0"
    state: str = "Ok"
    url: str | None = None

    @property
    def file(self) -> str:
        return self.url or (
            f"r{self.row:02}c{self.column:02}f{self.field:02}p{self.plane:02}-ch{self.channel}sk{self.time_point}"
            "fk1fl1.tiff"
        )


@dataclass
class PhenixPlate:
    """A plate of an Opera Phenix to be written: V5 tells the channels in every image, V7 in its Maps."""

    folder: Path
    images: list[PhenixImage]
    version: str = "V7"
    channels: dict[int, str] = field(default_factory=dict)
    prolog: str = '<?xml version="1.0" encoding="utf-8"?>\n'
    index_name: str | None = None

    def write(self) -> Path:
        """Write the index and an empty file for each image that has a name of its own in `Images`."""
        images = self.folder / "Images"
        images.mkdir(parents=True, exist_ok=True)
        for image in self.images:
            if "/" not in image.file and "\\" not in image.file:
                (images / image.file).touch()
        name = self.index_name or ("Index.idx.xml" if self.version == "V5" else "Index.xml")
        encoding = "utf-8-sig" if self.version == "V5" else "utf-8"
        (images / name).write_text(self.xml(), encoding=encoding)
        return self.folder

    def xml(self) -> str:
        """The index."""
        wells = "".join(f'<Well id="{row:02}{column:02}" />' for row, column in sorted(self._wells()))
        names = {image.channel: self.channels.get(image.channel, f"Dye {image.channel}") for image in self.images}
        in_images, in_maps = ({}, names) if self.version == "V7" else (names, {})
        maps = "".join(f'<Entry ChannelID="{n}">{_channel(n, name)}</Entry>' for n, name in in_maps.items())
        flat = "".join(f'<Entry ChannelID="{n}"><FlatfieldProfile>{{}}</FlatfieldProfile></Entry>' for n in names)
        images = "".join(self._image(image, in_images.get(image.channel)) for image in self.images)
        return (
            f'{self.prolog}<EvaluationInputData {V5 if self.version == "V5" else V7} Version="1">'
            f"<Plates><Plate><PlateID>made</PlateID><Name>made</Name><PlateRows>2</PlateRows>"
            f"<PlateColumns>3</PlateColumns>{wells}</Plate></Plates>"
            '<Wells><Well><id>0101</id><Row>1</Row><Col>1</Col><Image id="0101K1F1P1R1" /></Well></Wells>'
            f"<Maps><Map>{flat}</Map><Map>{maps}</Map></Maps><Images>{images}</Images></EvaluationInputData>"
        )

    def _wells(self) -> set[tuple[int, int]]:
        return {(image.row, image.column) for image in self.images}

    def _image(self, image: PhenixImage, channel: str | None) -> str:
        return (
            f"<Image><id>x</id><State>{image.state}</State><URL>{image.file}</URL><Row>{image.row}</Row>"
            f"<Col>{image.column}</Col><FieldID>{image.field}</FieldID><PlaneID>{image.plane}</PlaneID>"
            f"<TimepointID>{image.time_point}</TimepointID><ChannelID>{image.channel}</ChannelID>"
            f'{_channel(image.channel, channel) if channel else ""}<PositionX Unit="m">{image.x_m}</PositionX>'
            f'<PositionY Unit="m">{image.y_m}</PositionY><PositionZ Unit="m">{image.z_m}</PositionZ></Image>'
        )


def _channel(number: int, name: str) -> str:
    return (
        f'<ChannelName>{name}</ChannelName><ImageResolutionX Unit="m">2.5E-07</ImageResolutionX>'
        f'<MainExcitationWavelength Unit="nm">{400 + number}</MainExcitationWavelength>'
        f'<MainEmissionWavelength Unit="nm">{500 + number}</MainEmissionWavelength>'
    )


@pytest.fixture
def phenix_image() -> type[PhenixImage]:
    """One image of an Opera Phenix index, with what Harmony would say of the only image of a plate."""
    return PhenixImage


@pytest.fixture
def phenix_plate(tmp_path: Path) -> Callable[..., PhenixPlate]:
    """Makes an Opera Phenix plate of images; not written yet."""

    def make(*images: PhenixImage, **options: object) -> PhenixPlate:
        return replace(PhenixPlate(tmp_path / "made__2024-07-09T10_00_00-Measurement 1", list(images)), **options)  # type: ignore[arg-type]

    return make
