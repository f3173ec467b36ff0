"""The results folder: whose it is, what is done, and that a well is there whole or not at all."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import ngio
import numpy as np
import polars as pl
import pytest

from openhcs.core.model import Channel, FunctionCall, PlaneKey, Step, WellPlan
from openhcs.core.results import ResultsFolder, explained, is_done, recipe_of
from openhcs.core.store import PartResult, WellStore, create_plate
from openhcs.core.tables import combine_tables, write_well_table
from openhcs.errors import DiskFullError, StoreError


class Interrupted(Exception):
    """Stands for whatever ends a process in the middle of its work."""


def plan_of(well: str, hash_: str = "1", step: str = "Project") -> WellPlan:
    return WellPlan(
        well=well,
        root="/plates/P",
        plate="P",
        format="ImageXpress",
        channels=(Channel(1, "DAPI"), Channel(2, "DAPI"), Channel(3, "GFP")),
        pixel_size_um=0.5,
        planes=((PlaneKey(well, 1, 1, 1, 1), "a.tif"),),
        steps=(Step(step, (FunctionCall("project_maximum"),)),),
        independent=(),
        versions={},
        hash=hash_,
    )


@pytest.fixture
def folder(tmp_path: Path) -> ResultsFolder:
    results = ResultsFolder(tmp_path / "out")
    results.claim("P", Path("/plates/P"))
    create_plate(results, "P")
    return results


def write(
    folder: ResultsFolder,
    plan: WellPlan,
    value: float = 1,
    tables: tuple[str, ...] = ("counts",),
    during_commit: AbstractContextManager[object] | None = None,
) -> None:
    """Write a well of two channels, with a label image and tables of one row."""
    images = {PlaneKey(plan.well, 1, channel, 0, 1): np.full((96, 80), value, np.float32) for channel in (1, 2)}
    labels = {"nuclei": {PlaneKey(plan.well, 1, 0, 0, 1): np.full((96, 80), int(value), np.int32)}}
    rows = {"well": np.array([plan.well]), "count": np.array([value])}
    with WellStore(plan, folder.path) as store:
        store.add_part(PartResult(images, labels))
        store.write_images()
        with during_commit or nullcontext():
            store.commit({name: [rows] for name in tables}, {"objects": {"nuclei": 1}})


@contextmanager
def interrupt(method: str, after: int) -> Iterator[None]:
    """Let `after` calls of a method of `Path` pass, and end everything at the next."""
    real: Callable[..., object] = getattr(Path, method)
    left = after

    def interrupted(path: Path, *arguments: object, **options: object) -> object:
        nonlocal left
        left -= 1
        if left < 0:
            raise Interrupted
        return real(path, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, method, interrupted)
        yield


def value_of(folder: ResultsFolder, well: str) -> float:
    """The value of a well's pixels; images and labels agree."""
    container = ngio.open_ome_zarr_plate(folder.plate, mode="r").get_image(well[0], int(well[1:]), "1")
    values = np.unique(container.get_image().get_as_numpy())
    assert np.array_equal(values, np.unique(container.get_label("nuclei").get_as_numpy()))
    (value,) = values
    return float(value)


def test_a_well_is_read_back_as_it_was_written(folder: ResultsFolder) -> None:
    """Images, labels, channel names, pixel size and tables come back; names that occur twice get their number."""
    write(folder, plan_of("B02"), 3)
    assert value_of(folder, "B02") == 3
    container = ngio.open_ome_zarr_plate(folder.plate, mode="r").get_image("B", 2, "1")
    assert container.channel_labels == ["DAPI 1", "DAPI 2"]
    assert container.get_image().pixel_size.yx == (0.5, 0.5)
    assert container.get_label("nuclei").pixel_size.yx == (0.5, 0.5)
    assert pl.read_parquet(folder.well_table("counts", "B02")).rows() == [("B02", 3.0)]
    assert is_done(plan_of("B02"), folder.path)
    assert list(folder.temporary.iterdir()) == []


def test_wells_beyond_row_z_and_column_9_have_their_place(folder: ResultsFolder) -> None:
    """A well of a 1536-well plate is found by row and column."""
    write(folder, plan_of("AF48"))
    plate = ngio.open_ome_zarr_plate(folder.plate, mode="r")
    assert plate.wells_paths() == ["AF/48"]
    assert plate.get_image("AF", 48, "1").channel_labels == ["DAPI 1", "DAPI 2"]


def test_a_well_left_without_commit_changes_nothing(folder: ResultsFolder) -> None:
    """What is written before commit is nowhere to be seen, and gone when the block is left."""
    with WellStore(plan_of("B02"), folder.path) as store:
        store.add_part(PartResult({PlaneKey("B02", 1, 1, 0, 1): np.ones((96, 80), np.float32)}, {}))
        store.write_images()
        assert ngio.open_ome_zarr_plate(folder.plate, mode="r").wells_paths() == []
    assert list(folder.temporary.iterdir()) == []
    assert folder.done_wells() == ()


def test_new_results_replace_old_ones_entirely(folder: ResultsFolder) -> None:
    """Under another plan a well is done anew: images and tables replaced, tables no longer made removed."""
    write(folder, plan_of("B02", "old"), 3, tables=("counts", "spots"))
    write(folder, plan_of("B02", "new"), 4)
    assert value_of(folder, "B02") == 4
    assert not folder.well_table("spots", "B02").exists()
    assert (is_done(plan_of("B02", "old"), folder.path), is_done(plan_of("B02", "new"), folder.path)) == (False, True)


@pytest.mark.parametrize("method", ["replace", "unlink", "mkdir"])
def test_wherever_it_stops_a_well_is_whole_or_not_done(folder: ResultsFolder, method: str) -> None:
    """Interrupted before any operation of a commit, a well that counts as done is whole, with results of its own plan.

    Doing it again mends everything.
    """
    for after in range(20):
        write(folder, plan_of("B02", "old"), 3)
        assert value_of(folder, "B02") == 3
        try:
            write(folder, plan_of("B02", "new"), 4, during_commit=interrupt(method, after))
        except Interrupted:
            pass
        else:
            assert is_done(plan_of("B02", "new"), folder.path)
            return
        old, new = is_done(plan_of("B02", "old"), folder.path), is_done(plan_of("B02", "new"), folder.path)
        if old or new:
            assert value_of(folder, "B02") == (3 if old else 4)
            assert pl.read_parquet(folder.well_table("counts", "B02"))["count"].to_list() == [3 if old else 4]
    raise AssertionError(f"more than 20 calls of {method}")


def test_a_reader_never_sees_half_a_new_well(folder: ResultsFolder) -> None:
    """While wells are being added, each well that the plate lists has all its images, labels and pixels."""
    wells = [f"B{column:02}" for column in range(1, 7)]
    ended = threading.Event()

    def add_wells() -> None:
        try:
            for well in wells:
                write(folder, plan_of(well), 5)
        finally:
            ended.set()

    writer = threading.Thread(target=add_wells)
    writer.start()
    seen: set[int] = set()
    try:
        while not ended.is_set():
            listed = ngio.open_ome_zarr_plate(folder.plate, mode="r").wells_paths()
            seen.add(len(listed))
            assert all(value_of(folder, path.replace("/", "")) == 5 for path in listed)
    finally:
        writer.join()
    assert len(seen) > 1


def test_a_folder_of_other_things_is_refused(tmp_path: Path) -> None:
    """A folder with files that are not results is left as it is."""
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(StoreError, match="holds other files"):
        ResultsFolder(tmp_path).claim("P", tmp_path.parent / "P")
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_results_of_another_plate_are_refused(tmp_path: Path) -> None:
    """Another name is another plate; the same name elsewhere is too, unless the first place is empty: it moved."""
    folder, first, second = ResultsFolder(tmp_path / "out"), tmp_path / "first", tmp_path / "second"
    first.mkdir()
    folder.claim("P", first)
    with pytest.raises(StoreError, match=f"holds results of the plate P at {first}; expected the plate Q"):
        folder.claim("Q", first)
    with pytest.raises(StoreError, match=f"expected the plate P at {second}"):
        folder.claim("P", second)
    first.rename(second)
    folder.claim("P", second)
    first.mkdir()
    with pytest.raises(StoreError, match=f"at {second}"):
        folder.claim("P", first)


def test_results_never_go_into_the_plate(tmp_path: Path) -> None:
    """A results folder inside the plate's folder is refused, also through a link, and nothing is made there."""
    plate, link = tmp_path / "plate", tmp_path / "link"
    plate.mkdir()
    link.symlink_to(plate)
    for out in (plate, plate / "out", link / "out"):
        with pytest.raises(StoreError, match="nothing is ever written into a plate"):
            ResultsFolder(out).claim("P", plate)
    assert list(plate.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A results folder below a file, or on a file system that takes no folders, is refused by name."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=f"results cannot be written: {tmp_path}/file"):
        ResultsFolder(tmp_path / "file" / "out").claim("P", Path("/plates/P"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_named_with_what_to_do(tmp_path: Path) -> None:
    """Where one may not write, the message says to choose another folder."""
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="Choose a results folder that you may write to"):
        ResultsFolder(tmp_path / "out").claim("P", Path("/plates/P"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
@pytest.mark.parametrize("closed", [".tmp", "plate.zarr/B", "plate.zarr/B/02", "tables/counts", "provenance"])
def test_a_part_that_cannot_be_written_is_named_and_nothing_is_left(folder: ResultsFolder, closed: str) -> None:
    """Wherever in the results one may not write, the earlier images are whole, and once one may all is mended."""
    write(folder, plan_of("B02", "old"), 3)
    place = folder.path / closed
    place.chmod(0o500)
    try:
        with pytest.raises(StoreError, match=r"Permission denied.*Choose a results folder that you may write to"):
            write(folder, plan_of("B02", "new"), 4)
    finally:
        place.chmod(0o755)
    assert value_of(folder, "B02") in (3, 4)
    assert list(folder.temporary.iterdir()) == []
    write(folder, plan_of("B02", "new"), 4)
    assert (value_of(folder, "B02"), is_done(plan_of("B02", "new"), folder.path)) == (4, True)


def test_a_damaged_provenance_makes_the_well_undone(folder: ResultsFolder) -> None:
    """A provenance that a crash left empty means that the well is done again; one of another version is refused."""
    write(folder, plan_of("B02"))
    folder.provenance_file("B02").write_bytes(b"")
    assert not is_done(plan_of("B02"), folder.path)
    folder.provenance_file("B02").write_text(json.dumps({"format": "openhcs provenance 99"}))
    with pytest.raises(StoreError, match="another format"):
        is_done(plan_of("B02"), folder.path)


def test_a_well_whose_files_are_gone_is_not_done(folder: ResultsFolder) -> None:
    """Provenance alone does not make a well done: its images and tables must be there."""
    write(folder, plan_of("B02"))
    folder.well_table("counts", "B02").unlink()
    assert not is_done(plan_of("B02"), folder.path)


def test_combined_tables_hold_wells_of_one_recipe(folder: ResultsFolder) -> None:
    """Wells in row-major order, each once; columns that some wells lack are null; another recipe stays out."""
    write(folder, plan_of("C10"), 5)
    write(folder, plan_of("C02"), 2)
    write(folder, replace(plan_of("B01", step="Other")), 9)
    wells = folder.done_wells(recipe_of(plan_of("A01")))
    assert (wells, folder.done_wells()) == (("C02", "C10"), ("B01", "C02", "C10"))
    assert combine_tables(folder, wells, csv=True) == {"counts": 2}
    assert pl.read_parquet(folder.tables / "counts.parquet").rows() == [("C02", 2.0), ("C10", 5.0)]
    assert pl.read_csv(folder.tables / "counts.csv").rows() == [("C02", 2.0), ("C10", 5.0)]
    combine_tables(folder, wells)
    assert sorted(path.name for path in folder.tables.iterdir()) == ["counts", "counts.parquet"]


def test_a_table_that_no_well_has_any_more_is_removed(folder: ResultsFolder) -> None:
    """When another pipeline has replaced every well, the combined tables of the earlier one are gone."""
    write(folder, plan_of("B02"), 2)
    write(folder, plan_of("B03"), 3)
    combine_tables(folder, ["B02", "B03"], csv=True)
    others = [replace(plan_of(well, step="Other")) for well in ("B02", "B03")]
    write(folder, others[0], 4, tables=("spots",))
    combine_tables(folder, ["B02"])
    assert (folder.tables / "counts.csv").exists()  # B03 still has it
    write(folder, others[1], 5, tables=("spots",))
    assert combine_tables(folder, ["B02", "B03"], csv=True) == {"spots": 2}
    assert sorted(path.name for path in folder.tables.iterdir()) == ["spots", "spots.csv", "spots.parquet"]


def test_many_wells_are_put_together_in_batches(folder: ResultsFolder) -> None:
    """However many files there are, rows keep their order; a column that a batch lacks is null there."""
    wells = [f"{row}{column:02}" for row in "ABCDEFGH" for column in range(1, 13)]
    for number, well in enumerate(wells):
        path = folder.well_table("objects", well)
        path.parent.mkdir(parents=True, exist_ok=True)
        labels, wide = np.array([2, 1]), {"area": np.array([1.5, 0.5])} if number > 80 else {}
        write_well_table([{"well": np.full(2, well), "label": labels, **wide}], path)
    assert combine_tables(folder, wells, csv=True) == {"objects": 192}
    together = pl.read_parquet(folder.tables / "objects.parquet")
    assert together["well"].to_list() == [well for well in wells for _ in range(2)]
    assert together["label"].to_list() == [1, 2] * 96
    assert together["area"].to_list() == [None] * 162 + [0.5, 1.5] * 15
    assert pl.read_csv(folder.tables / "objects.csv", infer_schema_length=None).equals(together)
    assert list(folder.temporary.iterdir()) == []


def test_a_full_disk_is_named_whoever_finds_it(tmp_path: Path) -> None:
    """polars tells the system's errors in words of its own; the number is found in them."""
    (tmp_path / "full.parquet").symlink_to("/dev/full")
    with (
        pytest.raises(DiskFullError, match=r"room for them\. The disk is full, with .* MiB free at"),
        explained(tmp_path),
    ):
        write_well_table([{"a": np.arange(100_000)}], tmp_path / "full.parquet")


def test_planes_of_different_sizes_cannot_be_one_image(folder: ResultsFolder) -> None:
    """A site whose channels differ in size is refused, saying so."""
    images = {
        PlaneKey("B02", 1, 1, 0, 1): np.zeros((96, 80), np.float32),
        PlaneKey("B02", 1, 2, 0, 1): np.zeros((48, 80), np.float32),
    }
    with WellStore(plan_of("B02"), folder.path) as store:
        store.add_part(PartResult(images, {}))
        with pytest.raises(StoreError, match="different sizes: 96 x 80, 48 x 80"):
            store.write_images()
