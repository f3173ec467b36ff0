"""Folders are read without making anybody wait, and a late answer never shows."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from openhcs.tui.editors.folder_listing import LocalDisk
from openhcs.tui.editors.folder_reader import FolderReader
from openhcs.tui.editors.folder_table import SortOrder
from openhcs.tui.editors.folder_view import FolderView, SelectionMode
from tests.tui.screen import Tasks, in_loop, wait_until


class SlowDisk(LocalDisk):
    """A disk that answers for a folder only when told to."""

    def __init__(self) -> None:
        self.gates: dict[str, threading.Event] = {}
        self.asked: set[str] = set()

    def scan(self, folder: Path) -> Iterator[tuple[str, bool | None]]:
        self.asked.add(folder.name)
        gate = self.gates.get(folder.name)
        if gate is not None:
            assert gate.wait(10)
        yield from super().scan(folder)


class Reading:
    """A view and its reader, with what they told."""

    def __init__(self, disk: LocalDisk | None = None, mode: SelectionMode = SelectionMode.BOTH) -> None:
        self.told: list[str] = []
        self.tasks = Tasks()
        self.changes = 0
        self.view = FolderView(mode)
        self.reader = FolderReader(
            self.view, disk or LocalDisk(), tasks=self.tasks, on_change=self._changed, tell=self.told.append
        )

    def _changed(self) -> None:
        self.changes += 1

    @property
    def names(self) -> list[str]:
        return [entry.name for entry in self.view.shown]

    async def rest(self) -> None:
        await wait_until(lambda: not self.tasks.busy)
        assert not self.tasks.failures, self.tasks.failures


@in_loop
async def test_a_late_answer_never_shows(tmp_path: Path) -> None:
    """When a slow folder is left for another, its answer, whenever it comes, is dropped."""
    (tmp_path / "slow" / "wrong").mkdir(parents=True)
    (tmp_path / "fast" / "right").mkdir(parents=True)
    disk = SlowDisk()
    disk.gates["slow"] = threading.Event()
    reading = Reading(disk)
    reading.reader.open(tmp_path / "slow")
    assert reading.view.reading
    await wait_until(lambda: "slow" in disk.asked)
    reading.reader.open(tmp_path / "fast")
    await wait_until(lambda: "right" in reading.names)
    disk.gates["slow"].set()
    await reading.rest()
    assert reading.view.folder == tmp_path / "fast"
    assert "right" in reading.names
    assert "wrong" not in reading.names


@in_loop
async def test_nothing_shows_after_the_end(tmp_path: Path) -> None:
    """Once stopped, what the disk still says is dropped."""
    (tmp_path / "slow").mkdir()
    disk = SlowDisk()
    disk.gates["slow"] = threading.Event()
    reading = Reading(disk)
    reading.reader.open(tmp_path / "slow")
    await wait_until(lambda: "slow" in disk.asked)
    reading.reader.stop()
    disk.gates["slow"].set()
    await reading.rest()
    assert reading.names == ["..", "."]
    assert reading.view.remark == "Reading stopped at 0 entries. F5 begins anew."
    assert reading.changes == 0


@in_loop
async def test_the_loop_goes_on_while_a_disk_hangs(tmp_path: Path) -> None:
    """A folder that never answers holds nobody: the loop runs, another folder opens, and the program could end."""
    (tmp_path / "hangs").mkdir()
    disk = SlowDisk()
    disk.gates["hangs"] = threading.Event()
    reading = Reading(disk)
    reading.reader.open(tmp_path / "hangs")
    await wait_until(lambda: "hangs" in disk.asked)
    hanging = [thread for thread in threading.enumerate() if thread.name == "list folder"]
    assert hanging
    assert all(thread.daemon for thread in hanging)
    reading.reader.up()
    await wait_until(lambda: not reading.view.reading)
    assert reading.view.highlighted is not None
    assert reading.view.highlighted.name == "hangs"
    disk.gates["hangs"].set()
    await reading.rest()


@in_loop
async def test_errors_are_told_in_place(tmp_path: Path) -> None:
    """A folder that vanished or is a file is told where its rows would be, and the way up stays open."""
    reading = Reading()
    for path in (tmp_path / "gone", tmp_path / "file"):
        (tmp_path / "file").touch()
        reading.reader.open(path)
        await reading.rest()
        assert reading.view.problem is not None
        assert reading.view.problem.startswith("Cannot read this folder:")
        assert reading.names == [".."]
    reading.reader.open(Path("/nul\0byte"))
    await reading.rest()
    assert reading.view.problem is not None
    reading.reader.open(tmp_path)
    await reading.rest()
    assert reading.view.problem is None


@in_loop
async def test_the_start_climbs_to_what_exists(tmp_path: Path) -> None:
    """Starting at a folder that is gone shows the nearest one above; starting at a file highlights it."""
    (tmp_path / "a.yaml").touch()
    reading = Reading()
    reading.reader.open(tmp_path / "gone" / "deeper", climb=True)
    await reading.rest()
    assert reading.view.folder == tmp_path
    assert "does not exist" in reading.told[-1]
    reading.reader.open(tmp_path / "a.yaml", climb=True)
    await reading.rest()
    assert reading.view.highlighted is not None
    assert reading.view.highlighted.name == "a.yaml"


@in_loop
async def test_the_place_in_a_folder_is_remembered(tmp_path: Path) -> None:
    """Going up highlights the folder one came from; coming back highlights what one left."""
    for name in ("a", "b", "c"):
        (tmp_path / "in" / name).mkdir(parents=True)
    reading = Reading()
    reading.reader.open(tmp_path / "in", "b")
    await reading.rest()
    reading.reader.up()
    await reading.rest()
    assert reading.view.highlighted is not None
    assert reading.view.highlighted.name == "in"
    reading.reader.open(tmp_path / "in")
    await reading.rest()
    assert reading.view.highlighted.name == "b"


@in_loop
async def test_the_highlight_follows_its_entry(tmp_path: Path) -> None:
    """Another order, details that come late and a rereading leave the same entry highlighted."""
    for i, name in enumerate("abc"):
        (tmp_path / name).write_bytes(b"x" * (i + 1))
        os.utime(tmp_path / name, (0, 100 - i))
    reading = Reading(mode=SelectionMode.FILES_ONLY)
    reading.reader.open(tmp_path, "b")
    await reading.rest()
    reading.reader.set_order(SortOrder.SIZE)
    await reading.rest()
    assert reading.names == ["..", "c", "b", "a"]
    assert reading.view.highlighted is not None
    assert reading.view.highlighted.name == "b"
    (tmp_path / "aa").touch()
    reading.reader.reread()
    await reading.rest()
    assert reading.view.highlighted.name == "b"
    assert "aa" in reading.names


@in_loop
async def test_a_hundred_thousand_entries_leave_the_loop_free(tmp_path: Path) -> None:
    """While a very large folder is read, ordered and detailed, the loop is never held for long."""

    class LargeDisk(LocalDisk):
        def scan(self, folder: Path) -> Iterator[tuple[str, bool | None]]:
            return ((f"image_{i}_s{i % 9}.tif", False) for i in range(100_000))

        @contextmanager
        def inside(self, folder: Path) -> Iterator[Callable[[str], os.stat_result]]:
            yield lambda name: os.stat_result((0o100644, 0, 0, 0, 0, 0, 123, 0, 5, 0))

    reading = Reading(LargeDisk(), SelectionMode.FILES_ONLY)
    reading.reader.open(tmp_path)
    longest_s = 0.0
    while reading.tasks.busy:
        began_s = time.perf_counter()
        await asyncio.sleep(0.001)
        longest_s = max(longest_s, time.perf_counter() - began_s)
    assert len(reading.names) == 100_001
    assert longest_s < 0.5
    began_s = time.perf_counter()
    reading.view.filter("image_9999_")
    assert time.perf_counter() - began_s < 0.3
    assert reading.names == ["image_9999_s0.tif"]


@in_loop
async def test_an_entry_that_hangs_holds_up_nothing_but_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link to a disk that does not answer leaves names, sizes and order of all others as they should be."""
    monkeypatch.setattr("openhcs.tui.editors.folder_reader.STALLED_S", 0.05)
    monkeypatch.setattr("openhcs.tui.editors.folder_reader.DETAILS_LOOK_S", 0.01)
    (tmp_path / "target").mkdir()
    (tmp_path / "dead").symlink_to(tmp_path / "target")
    for number in range(40):
        (tmp_path / f"file{number}").write_bytes(b"123")
    gate = threading.Event()
    asked: list[str] = []

    class Dead(LocalDisk):
        @contextmanager
        def inside(self, folder: Path) -> Iterator[Callable[[str], os.stat_result]]:
            with super().inside(folder) as status_of:

                def ask(name: str) -> os.stat_result:
                    asked.append(name)
                    assert name != "dead" or gate.wait(20)
                    return status_of(name)

                yield ask

    reading = Reading(Dead(), SelectionMode.FILES_ONLY)
    reading.reader.open(tmp_path)

    def all_others() -> bool:
        reading.reader.look_around()  # as each key does
        return sum(entry.size == 3 for entry in reading.view.shown) == 40

    await wait_until(all_others)
    assert asked.count("dead") == 1
    assert reading.names[1:3] == ["target", "dead"]
    reading.reader.stop()
    gate.set()
    await reading.rest()


@in_loop
async def test_what_was_read_before_an_error_stays(tmp_path: Path) -> None:
    """A disk that fails in the middle of a folder leaves what it has told, and says that it is not all."""

    class Failing(LocalDisk):
        def scan(self, folder: Path) -> Iterator[tuple[str, bool | None]]:
            yield "a", False
            raise OSError(5, "Input/output error")

    reading = Reading(Failing())
    reading.reader.open(tmp_path)
    await reading.rest()
    assert reading.names == ["..", ".", "a"]
    assert reading.view.remark == "Not all of it could be read: Input/output error. F5 tries again."
    assert reading.view.shown[2].problem == "gone"
