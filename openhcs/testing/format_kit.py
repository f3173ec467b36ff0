"""What every plate format must do, as tests that a format's own test module inherits.

    class TestKodak(FormatKit):
        plate_format = Kodak()

        def make_plate(self, folder: Path) -> None:
            ...  # write a small plate: two wells or more with the same planes, each plane of pixels of its own

The plate is made anew for each test, so tests may change it. Where a plane is not a file of its own, `remove_plane` and
`damage_plane` say what to do in place of removing and truncating that file. pytest is needed here.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pytest

from openhcs.core.compiler import compile_plate, plans_from_json, plans_to_json
from openhcs.core.formats import FORMATS
from openhcs.core.formats.plate_format import PlateFormat
from openhcs.core.model import COMBINED, FunctionCall, Pipeline, PlaneKey, PlateIndex, Step, well_name, well_position
from openhcs.errors import PlaneError, PlateError

__all__ = ["FormatKit"]


class FormatKit:
    """The tests; a class that inherits them sets `plate_format` and makes a plate.

    No class of this name is collected by pytest: name yours `Test...`.
    """

    plate_format: ClassVar[PlateFormat]

    def make_plate(self, folder: Path) -> None:
        """Write a small plate of this format into `folder`, which does not exist yet."""
        raise NotImplementedError("make_plate: expected a method that writes a plate of this format")

    def remove_plane(self, plane: Path) -> None:
        """Take one plane away, as a file is lost in copying; `plane` is its path with the plate's root."""
        plane.unlink()

    def damage_plane(self, plane: Path) -> None:
        """Cut one plane short, as a file is when copying is interrupted; `plane` is its path with the plate's root."""
        plane.write_bytes(plane.read_bytes()[: plane.stat().st_size // 2])

    @pytest.fixture
    def plate(self, tmp_path: Path) -> Path:
        """A plate of this format, made for this test."""
        folder = tmp_path / "kit-plate"
        self.make_plate(folder)
        return folder

    def test_its_name_and_what_it_looks_for_are_words(self) -> None:
        """The name is short and nobody else's; what it looks for can stand in a sentence."""
        name, looked_for = self.plate_format.name, self.plate_format.looked_for
        assert name == name.strip(), f"name: {name!r}; expected no space around it"
        assert 0 < len(name) <= 40, f"name: {name!r}; expected 1 to 40 characters"
        assert looked_for, "looked_for: expected what `recognises` looks for, in words"
        assert looked_for == looked_for.rstrip(". "), f"looked_for: {looked_for!r}; expected no full stop at its end"
        others = [own.name for own in FORMATS if type(own) is not type(self.plate_format)]
        assert name not in others, f"name: {name!r}; expected one that is not a format's of OpenHCS"

    def test_it_recognises_its_own_plate(self, plate: Path) -> None:
        """The plate is recognised, and no other format of OpenHCS would take it first."""
        assert self.plate_format.recognises(plate) is True, f"recognises({plate}): expected True"
        first = next(known for known in (*FORMATS, self.plate_format) if known.recognises(plate))
        assert first.name == self.plate_format.name, f"the plate is taken for {first.name}; expected names that differ"

    @pytest.mark.parametrize("make_stranger", ["empty", "pictures", "tables", "deep"])
    def test_it_refuses_strangers(self, tmp_path: Path, make_stranger: str) -> None:
        """Folders of other things are not recognised; indexed all the same, they are a `PlateError` with their path."""
        folder = tmp_path / "stranger"
        _STRANGERS[make_stranger](folder)
        assert self.plate_format.recognises(folder) is False, f"recognises({make_stranger} folder): expected False"
        self._expect_plate_error(folder)

    @pytest.mark.parametrize("what", ["missing", "file"])
    def test_it_refuses_what_is_no_folder(self, tmp_path: Path, what: str) -> None:
        """A missing folder, or a file in its place, is a `PlateError` with its path."""
        place = tmp_path / what
        if what == "file":
            place.write_bytes(b"II*\0")
        self._expect_plate_error(place)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
    def test_it_refuses_a_folder_it_may_not_read(self, plate: Path) -> None:
        """A plate without permission is a `PlateError` with its path."""
        plate.chmod(0)
        try:
            self._expect_plate_error(plate)
        finally:
            plate.chmod(0o755)

    def test_indexing_writes_nothing_and_is_repeatable(self, plate: Path) -> None:
        """Recognising, indexing and reading leave every file as it was, and give the same twice, in the same order."""
        before = _contents(plate)
        self.plate_format.recognises(plate)
        first, second = self._index(plate), self._index(plate)
        for file in first.planes.values():
            self.plate_format.read_plane(Path(first.root, file))
        self.plate_format.stage_positions(first)
        assert _contents(plate) == before, "the plate's folder has changed; expected it to be read only"
        assert first == second, "two indices of one plate differ; expected them to be equal"
        assert list(first.planes) == list(second.planes), "two indices differ in their order; expected one order"

    def test_the_index_holds_together(self, plate: Path) -> None:
        """Keys are in order and of real wells, channels are known, numbers are numbers."""
        index = self._index(plate)
        keys = list(index.planes)
        assert len(index.wells) >= 2, f"make_plate: {len(index.wells)} wells; expected two or more to compare"
        assert index.format == self.plate_format.name, f"format: {index.format!r}; expected the format's own name"
        assert index.name, "name: expected the plate's name"
        assert keys == sorted(keys), "planes: expected the order of their keys"
        for key in keys:
            row, column = well_position(key.well)
            assert key.well == well_name(row, column), f"{key}: expected a well name such as A01"
            assert row < index.rows, f"{key}: row {row + 1} of {index.rows}; expected it on the plate"
            assert column < index.columns, f"{key}: column {column + 1} of {index.columns}; expected it on the plate"
            lowest = min(key.site, key.channel, key.z, key.t)
            assert lowest >= COMBINED, f"{key}: expected numbers from 1, or 0 for a combination"
            assert min(key.channel, key.t) >= 1, f"{key}: expected a channel and a time point from 1"
        numbers = [channel.number for channel in index.channels]
        assert numbers == sorted({key.channel for key in keys}), f"channels: {numbers}; expected those of the planes"
        names = [channel.name for channel in index.channels]
        assert len(set(names)) == len(names), f"channels: {names}; expected names that differ"
        assert all(names), f"channels: {names}; expected a name for each"
        size = index.pixel_size_um
        assert size is None or 0.001 < size < 1000, f"pixel_size_um: {size}; expected micrometres, or None"

    def test_paths_stay_inside(self, plate: Path) -> None:
        """Each path is relative, without `..` or backslashes, and leads into the plate, links followed."""
        index = self._index(plate)
        root = Path(index.root)
        assert root.is_absolute(), f"root: {root}; expected an absolute path"
        assert len(set(index.planes.values())) == len(index.planes), "planes: expected a path of its own for each"
        for key, file in index.planes.items():
            parts = file.split("/")
            assert not file.startswith("/"), f"{key}: {file}; expected a path relative to root"
            assert not {"", ".", ".."} & set(parts), f"{key}: {file}; expected plain names with / between"
            assert "\\" not in file, f"{key}: {file}; expected / between folders"
            assert (root / file).resolve().is_relative_to(root.resolve()), f"{key}: {file}; expected it in the plate"

    def test_the_place_of_a_plate_does_not_matter(self, plate: Path, tmp_path: Path) -> None:
        """A plate that was moved, or is reached through a link, has the same index but for `root`."""
        index = self._index(plate)
        link = tmp_path / "link"
        link.symlink_to(plate)
        moved = tmp_path / "elsewhere" / plate.name
        shutil.copytree(plate, moved, symlinks=True)
        for place in (link, moved):
            other = self._index(place)
            assert other.planes == index.planes, f"planes of {place}; expected those of {plate}"
            assert other.channels == index.channels, f"channels of {place}; expected those of {plate}"

    def test_other_things_in_the_folder_change_nothing(self, plate: Path) -> None:
        """Notes, hidden files, results and links in circles kept in a plate's folder are no planes."""
        index = self._index(plate)
        for name in ("notes.txt", ".DS_Store", "Thumbs.db", "analysis/results.csv", "analysis/mask.png"):
            (plate / name).parent.mkdir(exist_ok=True)
            (plate / name).write_bytes(b"something else")
        (plate / "analysis" / "loop").symlink_to(plate)
        assert self._index(plate).planes == index.planes, "planes: expected those of the plate alone"

    def test_every_plane_is_read(self, plate: Path) -> None:
        """Each is an image (Y, X) of a number type, the same at every reading, and not the same as all others."""
        index = self._index(plate)
        seen = set()
        for key, file in index.planes.items():
            first, second = self._read(index, file), self._read(index, file)
            assert first.ndim == 2, f"{key}: shape {first.shape}; expected (Y, X)"
            assert first.size, f"{key}: shape {first.shape}; expected pixels"
            assert first.dtype.kind in "uif", f"{key}: {first.dtype}; expected whole or floating numbers"
            assert np.array_equal(first, second), f"{key}: two readings differ; expected the same pixels"
            seen.add((first.shape, first.dtype, first.tobytes()))
        assert len(seen) > 1, "every plane has the same pixels; expected make_plate to write planes that differ"

    def test_damaged_planes_are_named(self, plate: Path) -> None:
        """A plane cut short, and one that is gone, is a `PlaneError` with its path: never zeros in its place."""
        index = self._index(plate)
        cut, gone, *_ = (Path(index.root, file) for file in index.planes.values())
        self.damage_plane(cut)
        self.remove_plane(gone)
        for path in (cut, gone):
            with pytest.raises(PlaneError) as caught:
                self.plate_format.read_plane(path)
            self._expect_message(caught.value, path)

    def test_a_missing_plane_is_told_for_its_well(self, plate: Path) -> None:
        """A plane that the other wells have is a discrepancy of the well that lacks it; the rest is there."""
        index = self._index(plate)
        key = list(index.planes)[-1]
        self.remove_plane(Path(index.root, index.planes[key]))
        less = self._index(plate)
        assert key not in less.planes, f"{key}: its file is gone; expected the index without it"
        others = {other for other in index.planes if other.well != key.well}
        assert others <= less.planes.keys(), "planes of other wells are gone too; expected them"
        news = set(less.discrepancies) - set(index.discrepancies)
        # A well without any plane left may be told with others of its kind, in a sentence for the plate.
        told = [remark for remark in news if remark.well == key.well or key.well not in less.wells]
        assert told, f"{key}: nothing is told about the missing plane; expected a discrepancy of its well"

    def test_stage_positions_are_of_sites_there_are(self, plate: Path) -> None:
        """Where positions are told, they are finite and belong to sites that have planes."""
        index = self._index(plate)
        sites = {(key.well, key.site) for key in index.planes}
        for place, (x, y) in self.plate_format.stage_positions(index).items():
            assert place in sites, f"stage position of {place}; expected sites that have planes"
            assert np.isfinite([x, y]).all(), f"stage position of {place}: {(x, y)}; expected numbers"

    def test_plans_made_of_it_survive_their_file(self, plate: Path) -> None:
        """What a run is given goes through a file, so everything in an index must too."""
        step = Step("measure", (FunctionCall("measure_image"),))
        plans = compile_plate(self._index(plate), Pipeline("kit", (step,)))
        assert plans_from_json(plans_to_json(plans)) == plans, "plans differ after a trip through JSON"

    def _index(self, folder: Path) -> PlateIndex:
        index = self.plate_format.index(folder)
        assert index.planes, f"index({folder}): no planes; expected those of the plate"
        assert all(isinstance(key, PlaneKey) for key in index.planes), "planes: expected a PlaneKey for each"
        return index

    def _read(self, index: PlateIndex, file: str) -> npt.NDArray[np.generic]:
        return self.plate_format.read_plane(Path(index.root, file))

    def _expect_plate_error(self, folder: Path) -> None:
        with pytest.raises(PlateError) as caught:
            self.plate_format.index(folder)
        self._expect_message(caught.value, folder)

    def _expect_message(self, error: Exception, path: Path) -> None:
        """What failed, where, what was expected, and a next step."""
        message = str(error)
        assert str(path) in message, f"message: {message}; expected the path {path} in it"
        assert "; expected " in message, f"message: {message}; expected `<what>: <value>; expected <...>. <next step>`"
        assert message.rstrip().endswith("."), f"message: {message}; expected sentences"


def _empty(folder: Path) -> None:
    folder.mkdir()


def _pictures(folder: Path) -> None:
    folder.mkdir()
    for name in ("IMG_0001.jpg", "beach.png", "scan.tif", "._scan.tif"):
        (folder / name).write_bytes(b"II*\0\x08\0\0\0")


def _tables(folder: Path) -> None:
    folder.mkdir()
    (folder / "data.csv").write_text("well,count\nA01,3\n")
    (folder / "index.xml").write_text("<feed/>")
    (folder / "metadata.json").write_text("{}")


def _deep(folder: Path) -> None:
    (folder / "2024" / "07" / "A01" / "more").mkdir(parents=True)
    (folder / "loop").symlink_to(folder)


_STRANGERS: dict[str, Callable[[Path], None]] = {
    "empty": _empty,
    "pictures": _pictures,
    "tables": _tables,
    "deep": _deep,
}


def _contents(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file and folder with what writing would change."""
    found = {}
    for place, _, files in os.walk(folder):
        for path in (Path(place), *(Path(place, name) for name in files)):
            status = path.lstat()
            found[str(path)] = (status.st_mtime_ns, status.st_mode, path.read_bytes() if path.is_file() else b"")
    return found
