"""Replacing a well's earlier results: killed at every step, and watched by a reader all the while."""

from __future__ import annotations

import multiprocessing
import shutil
import threading
from pathlib import Path

import ngio
import numpy as np
import polars as pl
import pytest

from openhcs.core.results import ResultsFolder, is_done
from openhcs.core.store import create_plate
from openhcs.core.swap import exchange
from tests.core.replacing import plan_of, write, write_until_killed

OLD, NEW = 3, 4


@pytest.fixture
def folder(tmp_path: Path) -> ResultsFolder:
    """Results with one well, of the earlier plan."""
    results = ResultsFolder(tmp_path / "out")
    results.claim("P", Path("/plates/P"))
    create_plate(results, "P")
    write(results, OLD)
    return results


def values_of(folder: ResultsFolder) -> set[float]:
    """Every value there is of the well, in images and label images, as another program reads them."""
    container = ngio.open_ome_zarr_plate(folder.plate, mode="r").get_image("B", 2, "1")
    return {
        *np.unique(container.get_image().get_as_numpy()).tolist(),
        *np.unique(container.get_label("nuclei").get_as_numpy()).tolist(),
    }


def expect_exchange(folder: ResultsFolder) -> None:
    """Skip where the file system cannot exchange folders."""
    if not (exchange(folder.plate, folder.tables) and exchange(folder.plate, folder.tables)):
        pytest.skip("this file system cannot exchange folders")


@pytest.fixture(scope="module")
def processes() -> multiprocessing.context.ForkServerContext:
    """Processes that start at once, with all they need imported; forks of this one would inherit threads."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.core.replacing"])
    return context


@pytest.mark.parametrize("can_exchange", [True, False])
def test_killed_at_any_step_a_well_is_old_or_new(
    folder: ResultsFolder, processes: multiprocessing.context.ForkServerContext, can_exchange: bool
) -> None:
    """After kill -9 before each change of a file, images are whole, tables too, and what is done is of its own plan.

    Where the file system exchanges folders the images are there at once; elsewhere, after the next run's first look.
    """
    if can_exchange:
        expect_exchange(folder)
    before = folder.path.with_name("before")
    folder.path.rename(before)
    for step in range(100):
        shutil.copytree(before, folder.path)
        process = processes.Process(target=write_until_killed, args=(folder.path, NEW, step, can_exchange))
        process.start()
        process.join()
        if not can_exchange:
            folder.clear_temporary()
        (value,) = values_of(folder)
        table = pl.read_parquet(folder.well_table("counts", "B02"))["count"].to_list()
        assert (value, table) in [(OLD, [OLD]), (NEW, [OLD]), (NEW, [NEW])]
        for plan in (OLD, NEW):
            assert not is_done(plan_of(plan), folder.path) or (value, table) == (plan, [plan])
        folder.clear_temporary()
        assert not list(folder.path.rglob(".openhcs-*"))
        if process.exitcode == 0:
            assert step > 10
            assert is_done(plan_of(NEW), folder.path)
            return
        shutil.rmtree(folder.path)
    raise AssertionError("more than 100 steps")


def test_a_reader_always_finds_the_well(folder: ResultsFolder) -> None:
    """While a well is replaced again and again, who opens it finds images of one run, or the other."""
    expect_exchange(folder)
    ended = threading.Event()

    def replace_wells() -> None:
        try:
            for _ in range(5):
                write(folder, NEW)
                write(folder, OLD)
        finally:
            ended.set()

    writer = threading.Thread(target=replace_wells)
    writer.start()
    seen: set[float] = set()
    try:
        while not ended.is_set():
            image = ngio.open_ome_zarr_plate(folder.plate, mode="r").get_image("B", 2, "1").get_image()
            (value,) = np.unique(image.get_as_numpy())
            seen.add(float(value))
    finally:
        writer.join()
    assert seen == {OLD, NEW}


def test_exchanging_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    """Both names must exist; the error has the system's number and both names."""
    (tmp_path / "one").mkdir()
    with pytest.raises(FileNotFoundError, match=r"one.*other"):
        exchange(tmp_path / "one", tmp_path / "other")
