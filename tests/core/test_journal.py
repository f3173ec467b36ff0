from __future__ import annotations

import errno
import os
import resource
import threading
from pathlib import Path

import pytest

from openhcs.core.journal import Event, EventKind, JournalFollower, JournalWriter, replay
from openhcs.errors import StoreError

EVENTS = (
    Event(1.5, EventKind.RUN_STARTED, data={"plate": "Platte Ä", "wells": ["A01"]}),
    Event(2.0, EventKind.WELL_STARTED, "A01"),
    Event(2.125, EventKind.STEP_STARTED, "A01", {"step": 1, "steps": 2, "name": "line\nbreak"}),
    Event(3.0, EventKind.WELL_FAILED, "A01", {"kind": "PlaneError", "file": None}),
)


def write(path: Path, *events: Event) -> None:
    with JournalWriter(path) as journal:
        for event in events:
            journal.append(event)


def test_events_come_back_as_they_were(tmp_path: Path) -> None:
    """What is written is read back equal and in order, whatever characters it has."""
    write(tmp_path / "journal", *EVENTS)
    assert replay(tmp_path / "journal") == EVENTS


def test_no_journal_has_no_events(tmp_path: Path) -> None:
    """A journal that does not exist yet is one without events."""
    assert replay(tmp_path / "journal") == ()


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    """Wherever a crash tears the last line, the events before it are read."""
    path = tmp_path / "journal"
    write(path, *EVENTS)
    whole = path.read_bytes()
    last = len(whole.splitlines(keepends=True)[-1])
    for length in range(len(whole) - last, len(whole)):
        path.write_bytes(whole[:length])
        assert replay(path) == EVENTS[:-1]


@pytest.mark.parametrize("damage", [b"{", b"[]\n", b'{"time_s": 1, "kind": 3, "well": null, "data": {}}\n', b"\xff\n"])
def test_a_damaged_line_is_an_error_that_names_it(tmp_path: Path, damage: bytes) -> None:
    """A damaged line with lines after it is an error that names file and line."""
    path = tmp_path / "journal"
    write(path, *EVENTS)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], damage.rstrip(b"\n") + b"\n", *lines[2:]]))
    with pytest.raises(StoreError, match="line 2 is damaged"):
        replay(path)


def test_events_of_a_later_version_are_left_out(tmp_path: Path) -> None:
    """A kind of event that is not known here does not keep the others from being read."""
    path = tmp_path / "journal"
    write(path, *EVENTS)
    lines = path.read_bytes().splitlines(keepends=True)
    later = b'{"time_s": 1, "kind": "lunch", "well": null, "data": {"menu": 3}}\n'
    path.write_bytes(b"".join([lines[0], later, *lines[1:]]))
    assert replay(path) == EVENTS


def test_a_follower_hands_out_each_event_once(tmp_path: Path) -> None:
    """A follower gets what is new, once, and a line in parts when its end is there."""
    path = tmp_path / "journal"
    follower = JournalFollower(path)
    assert follower.poll() == ()
    write(tmp_path / "whole", *EVENTS)
    whole = (tmp_path / "whole").read_bytes()
    seen: list[Event] = []
    with path.open("wb", buffering=0) as file:
        for start in range(0, len(whole), 7):
            file.write(whole[start : start + 7])
            seen += follower.poll()
            assert follower.poll() == ()
    assert tuple(seen) == EVENTS


def test_a_journal_has_one_writer(tmp_path: Path) -> None:
    """A journal that exists is never written by another."""
    write(tmp_path / "journal", EVENTS[0])
    with pytest.raises(StoreError, match="File exists"):
        JournalWriter(tmp_path / "journal")
    assert replay(tmp_path / "journal") == EVENTS[:1]


def test_an_event_is_written_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    """Where the disk takes a part of a line only, the part is taken back, and what follows is not damaged by it."""
    path = tmp_path / "journal"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with JournalWriter(path) as journal:
        journal.append(EVENTS[0])
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, hard))
        try:
            with pytest.raises(StoreError, match="Check space"):
                journal.append(EVENTS[1])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        journal.append(EVENTS[2])
    assert replay(path) == (EVENTS[0], EVENTS[2])


def test_a_thousand_cancelled_wells_wait_for_the_disk_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wells cancelled or reused by the thousand cost one wait for the disk, that of the next milestone."""
    waits: list[int] = []
    fsync = os.fsync

    def counted(descriptor: int) -> None:
        waits.append(descriptor)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", counted)
    kinds = (EventKind.WELL_CANCELLED, EventKind.WELL_REUSED)
    events = [Event(4.0, kind, f"A{number}") for number in range(500) for kind in kinds]
    write(tmp_path / "journal", *events, Event(5.0, EventKind.RUN_CANCELLED))
    assert len(waits) == 1
    assert len(replay(tmp_path / "journal")) == 1001


def test_who_appends_does_not_wait_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the disk takes its time over a finished well, further events are written, and are there to be read."""
    reached, go_on = threading.Event(), threading.Event()
    fsync = os.fsync

    def slow(descriptor: int) -> None:
        reached.set()
        assert go_on.wait(20)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    finished, started = Event(1.0, EventKind.WELL_FINISHED, "A01"), Event(1.5, EventKind.WELL_STARTED, "A02")
    with JournalWriter(tmp_path / "journal") as journal:
        journal.append(finished)
        assert reached.wait(20)
        journal.append(started)
        assert replay(tmp_path / "journal") == (finished, started)
        go_on.set()


def test_a_disk_that_refuses_is_told_with_the_next_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A finished well that the disk did not take is an error of the next event, and of every one after it."""
    refused = threading.Event()

    def refuse(descriptor: int) -> None:
        refused.set()
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", refuse)
    with JournalWriter(tmp_path / "journal") as journal:
        journal.append(Event(1.0, EventKind.WELL_FINISHED, "A01"))
        assert refused.wait(20)
        for kind in (EventKind.RUN_FINISHED, EventKind.RUN_FAILED):
            with pytest.raises(StoreError, match="Check space"):
                journal.append(Event(2.0, kind))
