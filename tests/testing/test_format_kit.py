"""The conformance kit on every format there is, and on formats that are wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import ngio
import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from ngio import ImageInWellPath

from examples.snapshot_format import Snapshot
from openhcs.core.demo_plate import make_demo_plate
from openhcs.core.formats import format_named
from openhcs.core.formats.plate_format import PlateFormat
from openhcs.core.model import PlateIndex
from openhcs.errors import PlaneError
from openhcs.testing.format_kit import FormatKit


class TestImageXpress(FormatKit):
    """ImageXpress, on the demo plate."""

    plate_format = format_named("ImageXpress")

    def make_plate(self, folder: Path) -> None:
        make_demo_plate(folder, wells=("B02", "C03"), sites=2, z_steps=2, size_px=128)


class TestOperaPhenix(FormatKit):
    """Opera Phenix, on a plate of LZW files with a V7 index."""

    plate_format = format_named("Opera Phenix")

    def make_plate(self, folder: Path) -> None:
        images = folder / "Images"
        images.mkdir(parents=True)
        entries = []
        for number, (column, field, channel) in enumerate(np.ndindex(2, 2, 2)):
            file = f"r01c{column + 1:02}f{field + 1:02}p01-ch{channel + 1}sk1fk1fl1.tiff"
            pixels = np.random.default_rng(number).integers(0, 4096, (32, 48), dtype="uint16")
            tifffile.imwrite(images / file, pixels, compression="lzw", metadata=None)
            entries.append(
                f"<Image><State>Ok</State><URL>{file}</URL><Row>1</Row><Col>{column + 1}</Col>"
                f"<FieldID>{field + 1}</FieldID><PlaneID>1</PlaneID><TimepointID>1</TimepointID>"
                f"<ChannelID>{channel + 1}</ChannelID><PositionX>0</PositionX>"
                f"<PositionY>{-field}E-4</PositionY></Image>"
            )
        channels = "".join(
            f'<Entry ChannelID="{number}"><ChannelName>Dye {number}</ChannelName>'
            "<ImageResolutionX>6E-07</ImageResolutionX></Entry>"
            for number in (1, 2)
        )
        (images / "Index.xml").write_text(
            '<EvaluationInputData xmlns="43B2A954-E3C3-47E1-B392-6635266B0DD3/HarmonyV7">'
            "<Plates><Plate><Name>kit</Name><PlateRows>2</PlateRows><PlateColumns>3</PlateColumns></Plate></Plates>"
            f"<Maps><Map>{channels}</Map></Maps><Images>{''.join(entries)}</Images></EvaluationInputData>"
        )


class _OmeZarrKit(FormatKit):
    plate_format = format_named("OME-Zarr")
    version = "0.5"

    def make_plate(self, folder: Path) -> None:
        images = [ImageInWellPath(row="A", column=column, path=site) for column in (1, 2) for site in ("0", "1")]
        plate = ngio.create_empty_plate(folder, "kit", images=images, ngff_version=self.version)  # type: ignore[arg-type]
        for number, image in enumerate(images):
            container = ngio.create_empty_ome_zarr(
                plate.get_image_store(image.row, image.column, image.path),
                shape=(2, 32, 48),
                pixelsize=0.5,
                levels=1,
                axes_names=["c", "y", "x"],
                ngff_version=self.version,  # type: ignore[arg-type]
            )
            pixels = np.random.default_rng(number).integers(1, 4096, (2, 32, 48), dtype="uint16")
            container.get_image().set_array(pixels)

    def remove_plane(self, plane: Path) -> None:
        for name in ("zarr.json", ".zarray"):
            _array(plane).joinpath(name).unlink(missing_ok=True)

    def damage_plane(self, plane: Path) -> None:
        chunks = [path for path in _array(plane).rglob("*") if path.is_file() and path.name not in _HEADERS]
        for chunk in chunks:
            chunk.write_bytes(chunk.read_bytes()[:10])


class TestOmeZarr04(_OmeZarrKit):
    """OME-Zarr 0.4, in Zarr 2."""

    version = "0.4"


class TestOmeZarr05(_OmeZarrKit):
    """OME-Zarr 0.5, in Zarr 3."""


_HEADERS = ("zarr.json", ".zarray", ".zattrs")


def _array(plane: Path) -> Path:
    return Path(str(plane).partition("[")[0])


class TestSnapshot(FormatKit):
    """The format of the guide."""

    plate_format = Snapshot()

    def make_plate(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "snapshot.txt").write_text("A01 A02")
        for number, well in enumerate(("A01", "A02")):
            np.save(folder / f"{well}.npy", np.full((4, 5), number, "uint8"))


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    TestSnapshot().make_plate(tmp_path / "plate")
    return tmp_path / "plate"


def kit(plate_format: PlateFormat) -> FormatKit:
    """The kit of the snapshot's plate, for another format."""
    made = TestSnapshot()
    made.plate_format = plate_format  # type: ignore[misc]
    return made


def test_a_format_that_writes_is_caught(plate: Path) -> None:
    """A file left in the plate's folder fails the kit."""

    class Writes(Snapshot):
        def index(self, folder: Path) -> PlateIndex:
            (folder / "cache.json").write_text("{}")
            return super().index(folder)

    with pytest.raises(AssertionError, match="has changed; expected it to be read only"):
        kit(Writes()).test_indexing_writes_nothing_and_is_repeatable(plate)


def test_a_format_that_recognises_everything_is_caught(tmp_path: Path) -> None:
    """A format that takes every folder for its plate fails the kit."""

    class Greedy(Snapshot):
        def recognises(self, folder: Path) -> bool:
            return True

    with pytest.raises(AssertionError, match="expected False"):
        kit(Greedy()).test_it_refuses_strangers(tmp_path, "pictures")


def test_paths_out_of_the_plate_are_caught(plate: Path) -> None:
    """A path with `..` fails the kit."""

    class Wanders(Snapshot):
        def index(self, folder: Path) -> PlateIndex:
            index = super().index(folder)
            return replace(index, planes={key: f"../plate/{file}" for key, file in index.planes.items()})

    with pytest.raises(AssertionError, match="expected plain names"):
        kit(Wanders()).test_paths_stay_inside(plate)


def test_zeros_in_place_of_a_damaged_plane_are_caught(plate: Path) -> None:
    """A format that gives zeros for what it cannot read fails the kit."""

    class Pads(Snapshot):
        def read_plane(self, path: Path) -> npt.NDArray[np.generic]:
            try:
                return super().read_plane(path)
            except PlaneError:
                return np.zeros((4, 5), "uint8")

    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        kit(Pads()).test_damaged_planes_are_named(plate)


def test_silence_about_a_missing_plane_is_caught(plate: Path) -> None:
    """A plane that vanishes without a discrepancy fails the kit."""

    class Silent(Snapshot):
        def index(self, folder: Path) -> PlateIndex:
            return replace(super().index(folder), discrepancies=())

    with pytest.raises(AssertionError, match="nothing is told about the missing plane"):
        kit(Silent()).test_a_missing_plane_is_told_for_its_well(plate)


def test_unsorted_planes_are_caught(plate: Path) -> None:
    """An index in another order than its keys' fails the kit."""

    class Shuffles(Snapshot):
        def index(self, folder: Path) -> PlateIndex:
            index = super().index(folder)
            return replace(index, planes=dict(reversed(index.planes.items())))

    with pytest.raises(AssertionError, match="expected the order of their keys"):
        kit(Shuffles()).test_the_index_holds_together(plate)
