"""The journal: every error entered once, the ledger in balance, memory and disk bounded."""

from __future__ import annotations

import copy
import json
import pickle
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from openhcs.tui.utils.error_journal import Arrival, ErrorEntry, ErrorJournal, Mode, read_unseen
from tests.tui.utils.kit import raised


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "errors.jsonl"


@pytest.fixture
def journal(path: Path, clock: Clock) -> Any:
    journal = ErrorJournal(path, clock=clock)
    yield journal
    journal.close()


def lines(path: Path, event: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, path.read_text().splitlines()) if line["event"] == event]


def test_an_entry_is_on_disk_before_the_call_returns(journal: ErrorJournal, path: Path) -> None:
    """What happened, where and in which thread can be read by anybody at once."""
    reception = journal.receive(raised(ValueError("told \x1b[2J")), "compiling")
    assert reception.arrival is Arrival.NEW
    (line,) = lines(path, "error")
    assert (line["context"], line["type"], line["message"]) == ("compiling", "ValueError", "told \x1b[2J")
    assert "raise exception" in line["traceback"]
    assert line["thread"] == threading.current_thread().name
    assert "\x1b" not in path.read_text()


def test_the_same_object_is_received_once(journal: ErrorJournal) -> None:
    """By whatever ways an exception object comes, it is one error."""
    exception = raised(ValueError())
    first = journal.receive(exception, "task")
    again = journal.receive(exception, "hook")
    assert again.arrival is Arrival.KNOWN
    assert again.entry is first.entry
    assert journal.ledger.received == 1


def test_another_journal_is_another_book() -> None:
    """What one journal knows another does not."""
    exception = raised(ValueError())
    assert ErrorJournal().receive(exception, "a").arrival is Arrival.NEW
    assert ErrorJournal().receive(exception, "a").arrival is Arrival.NEW


def test_an_entered_exception_can_be_copied_and_pickled(journal: ErrorJournal) -> None:
    """Having been received does not tie an exception to this process, and a copy is an exception of its own."""
    exception = raised(KeyError("k"))
    journal.receive(exception, "a")
    for twin in (pickle.loads(pickle.dumps(exception)), copy.copy(exception), copy.deepcopy(exception)):
        assert twin.args == ("k",)
    assert journal.receive(copy.deepcopy(exception), "b").arrival is not Arrival.KNOWN


def test_repeats_are_counted_while_somebody_is_still_to_be_told(journal: ErrorJournal) -> None:
    """Errors of one type, line and message are one entry with a count, until it has been told."""
    entry = journal.receive(raised(ValueError("x")), "a").entry
    assert entry is not None
    for _ in range(4):
        assert journal.receive(raised(ValueError("x")), "a").arrival is Arrival.COALESCED
    assert entry.count == 5
    journal.mark_told(entry)
    assert journal.receive(raised(ValueError("x")), "a").arrival is Arrival.NEW


def test_what_says_something_else_is_another_error(journal: ErrorJournal) -> None:
    """Two messages from one line, or two contexts without a line, are two errors."""
    assert journal.receive(raised(ValueError("x")), "a").arrival is Arrival.NEW
    assert journal.receive(raised(ValueError("y")), "a").arrival is Arrival.NEW
    assert journal.receive(ValueError("x"), "a").arrival is Arrival.NEW
    assert journal.receive(ValueError("x"), "b").arrival is Arrival.NEW
    assert journal.receive(ValueError("y"), "b").arrival is Arrival.NEW
    assert journal.receive(ValueError("y"), "b").arrival is Arrival.COALESCED


def test_a_line_that_raises_without_end_is_one_run(journal: ErrorJournal) -> None:
    """Past twenty entries from one line all it raises is counted, whatever it says, until it has been quiet."""
    arrivals = [journal.receive(raised(ValueError(number)), "a").arrival for number in range(1_000)]
    assert arrivals[:20] == [Arrival.NEW] * 20
    assert set(arrivals[20:]) == {Arrival.COALESCED}
    assert journal.mode is Mode.SHOW
    assert journal.ledger.balances


def test_after_a_while_of_quiet_it_is_new_again(journal: ErrorJournal, clock: Clock) -> None:
    """A run ends ten seconds after its last error."""
    for number in range(30):
        journal.receive(raised(ValueError(number)), "a")
    clock.now_s += 9
    assert journal.receive(raised(ValueError("late")), "a").arrival is Arrival.COALESCED
    clock.now_s += 11
    later = journal.receive(raised(ValueError("later")), "a")
    assert later.arrival is Arrival.NEW
    assert later.entry is not None
    assert later.entry.message == "later"


def test_of_many_kinds_some_are_entered_then_none(journal: ErrorJournal, clock: Clock, path: Path) -> None:
    """Show, sample, drop: each change of mode is a line of the journal, and a quiet second ends it."""
    for number in range(2_000):
        journal.receive(ValueError(number), f"context {number}")
    ledger = journal.ledger
    assert ledger.balances
    assert ledger.received == 2_000
    assert ledger.logged_only == 50 + 45
    assert journal.mode is Mode.DROP
    clock.now_s += 1
    assert journal.receive(ValueError(), "after the storm").arrival is Arrival.NEW
    assert [line["mode"] for line in lines(path, "mode")] == ["sample", "drop", "show"]


def test_a_dropped_error_is_counted_once(journal: ErrorJournal) -> None:
    """Also what was dropped is known when it comes again."""
    for number in range(600):
        journal.receive(ValueError(number), f"context {number}")
    exception = KeyError()
    assert journal.receive(exception, "a").arrival is Arrival.DROPPED
    assert journal.receive(exception, "b").arrival is Arrival.KNOWN
    assert journal.ledger.received == 601


def test_shown_is_counted_once(journal: ErrorJournal, path: Path) -> None:
    """Marking an entry shown moves it in the ledger, once."""
    entry = journal.receive(raised(ValueError()), "a").entry
    assert entry is not None
    journal.mark_shown(entry)
    journal.mark_shown(entry)
    assert (journal.ledger.shown, journal.ledger.logged_only) == (1, 0)
    assert journal.ledger.balances
    assert len(lines(path, "shown")) == 1


def test_the_ledger_balances_at_any_moment_for_any_thread() -> None:
    """Readers never see the counts between two states."""
    journal = ErrorJournal()
    done = threading.Event()
    unbalanced = []

    def watch() -> None:
        while not done.is_set():
            if not journal.ledger.balances:
                unbalanced.append(journal.ledger)

    def write(seed: int) -> None:
        choice = random.Random(seed)
        for number in range(500):
            reception = journal.receive(ValueError(choice.randrange(20)), f"{choice.randrange(40)}")
            if reception.entry is not None and number % 3 == 0:
                journal.mark_shown(reception.entry)

    threads = [threading.Thread(target=write, args=(seed,)) for seed in range(4)]
    watcher = threading.Thread(target=watch)
    for thread in (watcher, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    watcher.join()
    assert unbalanced == []
    assert journal.ledger.received == 2_000


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.booleans(), st.floats(0, 20)), max_size=60))
def test_the_ledger_balances_after_anything(steps: list[tuple[int, int, bool, float]]) -> None:
    """Whatever comes in whatever order, each error is accounted for once, and its repeats are on its entry."""
    clock = Clock()
    journal = ErrorJournal(clock=clock)
    for kind, message, show, wait_s in steps:
        clock.now_s += wait_s
        reception = journal.receive(ValueError(message), f"context {kind}")
        if show and reception.entry is not None:
            journal.mark_shown(reception.entry)
            journal.mark_told(reception.entry)
        assert journal.ledger.balances
    assert journal.ledger.received == len(steps)
    assert sum(entry.count for entry in journal.entries()) == len(steps) - journal.ledger.dropped


class AnyUse(RuleBasedStateMachine):
    """Every public method in any order, over a file and at any pace; what ever was true of the ledger stays true."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "errors.jsonl"
        self.journal = ErrorJournal(self.path, max_bytes=2_000, keep=50, clock=self.clock)
        self.exceptions: list[BaseException] = []
        self.entries: list[ErrorEntry] = []
        self.shown = 0

    @rule(kind=st.integers(0, 3), message=st.integers(0, 40), times=st.integers(1, 60), was_raised=st.booleans())
    def receive(self, kind: int, message: int, times: int, was_raised: bool) -> None:
        for number in range(times):
            error: BaseException = [ValueError, KeyError, OSError, RuntimeError][kind](message + number % 3)
            error = raised(error) if was_raised else error
            self.exceptions.append(error)
            if self.journal.count_in_storm(error):
                continue
            entry = self.journal.receive(error, f"context {number % (message + 1)}").entry
            if entry is not None:
                self.entries.append(entry)

    @precondition(lambda self: self.exceptions)
    @rule(data=st.data())
    def receive_again(self, data: st.DataObject) -> None:
        before = self.journal.ledger
        again = self.journal.receive(data.draw(st.sampled_from(self.exceptions)), "by another way")
        assert again.arrival is Arrival.KNOWN
        assert self.journal.ledger == before

    @precondition(lambda self: self.entries)
    @rule(data=st.data(), told=st.booleans())
    def show(self, data: st.DataObject, told: bool) -> None:
        entry = data.draw(st.sampled_from(self.entries))
        self.shown += not entry.shown
        self.journal.mark_shown(entry)
        if told:
            self.journal.mark_told(entry)

    @rule(seconds=st.sampled_from([0.1, 1.0, 5.0, 20.0]))
    def wait(self, seconds: float) -> None:
        self.clock.now_s += seconds

    @rule(how=st.sampled_from(["flush", "note_repeats", "close", "note_ended"]))
    def tidy(self, how: str) -> None:
        if how == "note_ended":
            self.journal.note_ended(1.0)
        else:
            getattr(self.journal, how)()

    @invariant()
    def it_balances(self) -> None:
        ledger = self.journal.ledger
        assert ledger.balances
        assert ledger.received == len(self.exceptions)
        assert ledger.shown == self.shown
        assert min(ledger.shown, ledger.coalesced, ledger.logged_only, ledger.dropped) >= 0

    def teardown(self) -> None:
        self.journal.close()
        unseen = read_unseen(self.path)
        entries = {entry.id: entry for entry in self.entries}
        assert {entry.id: entry.count for entry in unseen} == {
            entry.id: entry.count for entry in entries.values() if not entry.shown
        }
        self.folder.cleanup()


TestAnyUse = AnyUse.TestCase
TestAnyUse.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)


def test_the_file_accounts_for_every_repeat(journal: ErrorJournal, path: Path, clock: Clock) -> None:
    """After a flush the counts on disk are those in memory."""
    choice = random.Random(1)
    for _ in range(300):
        clock.now_s += 0.01
        journal.receive(raised(ValueError(choice.randrange(3))), "a")
    journal.flush()
    assert sum(entry.count for entry in read_unseen(path)) == 300
    assert {entry.id: entry.count for entry in read_unseen(path)} == {e.id: e.count for e in journal.entries()}


def test_memory_is_bounded(tmp_path: Path) -> None:
    """A hundred thousand errors of many kinds keep no more than a few hundred."""
    clock = Clock()
    journal = ErrorJournal(clock=clock)
    tracemalloc.start()
    try:
        for number in range(20_000):
            clock.now_s += 0.01
            journal.receive(ValueError("x" * 1_000, number), f"context {number}")
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used < 4_000_000
    assert journal.ledger.balances
    assert len(journal.entries()) == 200


def test_long_texts_are_cut(journal: ErrorJournal) -> None:
    """A message of megabytes is kept as its two ends."""
    entry = journal.receive(raised(ValueError("a" + "x" * 5_000_000 + "z")), "c" * 1_000_000).entry
    assert entry is not None
    assert len(entry.message) < 30_000
    assert len(entry.traceback) < 300_000
    assert len(entry.context) < 30_000
    assert "characters left out" in entry.message


def test_the_files_are_bounded(path: Path) -> None:
    """Rotation keeps a number of files of about the size asked for."""
    clock = Clock()
    journal = ErrorJournal(path, max_bytes=20_000, keep=2, clock=clock)
    for number in range(500):
        clock.now_s += 1
        journal.receive(ValueError("x" * 500, number), f"context {number}")
    journal.close()
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["errors.jsonl", "errors.jsonl.1", "errors.jsonl.2"]
    assert all(file.stat().st_size < 25_000 for file in files)


def test_what_was_never_shown_is_found_at_the_next_start(path: Path, clock: Clock) -> None:
    """Entries of the last session that nobody saw come back with their counts; earlier sessions do not."""
    for session in range(2):
        journal = ErrorJournal(path, clock=clock)
        for number in range(3):
            entry = journal.receive(raised(ValueError(f"{session}.{number}")), "a").entry
            assert entry is not None
            if number == 1:
                journal.mark_shown(entry)
        journal.receive(raised(ValueError(f"{session}.2")), "a")
        journal.close()
    assert [(entry.message, entry.count) for entry in read_unseen(path)] == [("1.0", 1), ("1.2", 2)]


def test_a_session_may_have_been_rotated(path: Path, clock: Clock) -> None:
    """Unseen entries of the session in an older file are found, and what was seen since is not."""
    ErrorJournal(path, clock=clock).receive(ValueError("session before"), "a")
    journal = ErrorJournal(path, max_bytes=3_000, clock=clock)
    first = journal.receive(ValueError("first"), "a").entry
    assert first is not None
    journal.receive(ValueError("second"), "a")
    for number in range(8):
        journal.receive(ValueError("x" * 500), f"filler {number}")
    assert (path.parent / "errors.jsonl.1").exists()
    journal.mark_shown(first)
    journal.close()
    unseen = [entry.message for entry in read_unseen(path)]
    assert unseen[0] == "second"
    assert len(unseen) == 9


def test_it_survives_the_death_of_the_process(path: Path) -> None:
    """After SIGKILL the last error is in the file."""
    script = f"""
import os, signal
from pathlib import Path
from openhcs.tui.utils.error_journal import ErrorJournal
ErrorJournal(Path({str(path)!r})).receive(ValueError("last words"), "dying")
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", script], timeout=20).returncode == -signal.SIGKILL
    assert [entry.message for entry in read_unseen(path)] == ["last words"]


@given(st.lists(st.binary(max_size=40) | st.sampled_from([
    b'{"event":"error","id":1,"time_s":"x"}', b'{"event":"error","id":1,"time_s":null,"message":[1]}', b'[]', b'3',
    b'{"event":"repeated","id":1,"times":"x"}', b'{"event":["start"]}', b'{"event":"continued"}',
]), max_size=8))  # fmt: skip
def test_anything_may_stand_in_the_file(tmp_path_factory: pytest.TempPathFactory, raw: list[bytes]) -> None:
    """Lines that cannot be read are passed over."""
    path = tmp_path_factory.mktemp("journal") / "errors.jsonl"
    path.write_bytes(b"\n".join(raw))
    read_unseen(path)


def test_no_file_has_nothing_unseen(tmp_path: Path) -> None:
    """Neither a missing file nor a folder is an error."""
    assert read_unseen(tmp_path / "none") == ()
    assert read_unseen(tmp_path) == ()


@pytest.mark.parametrize("where", ["/dev/full", "/proc/none/errors.jsonl", "nul\0character"])
def test_a_file_that_cannot_be_written(where: str) -> None:
    """The journal goes on in memory, and says so once."""
    journal = ErrorJournal(Path(where))
    told: list[OSError] = []
    journal.on_write_error = told.append
    for number in range(3):
        assert journal.receive(ValueError(number), "a").arrival is Arrival.NEW
    journal.close()
    assert len(told) == 1
    assert len(journal.entries()) == 3
    assert journal.ledger.balances


def test_a_folder_that_vanishes(path: Path) -> None:
    """The file and its folder are made again; what comes then is in it."""
    journal = ErrorJournal(path, max_bytes=100)
    journal.receive(ValueError("x" * 200), "a")
    for file in path.parent.iterdir():
        file.unlink()
    path.parent.rmdir()
    journal.receive(ValueError("y" * 200), "b")
    assert journal.ledger.received == 2
    assert [line["context"] for line in lines(path, "error")] == ["b"]
    journal.close()


def test_a_file_that_somebody_closed(path: Path) -> None:
    """The journal goes on in memory, and says so once."""
    journal = ErrorJournal(path)
    told: list[OSError] = []
    journal.on_write_error = told.append
    journal.receive(ValueError(1), "a")
    assert journal._file is not None
    assert journal._file._file is not None
    journal._file._file.close()
    journal.receive(ValueError(2), "b")
    journal.flush()
    journal.receive(ValueError(3), "c")
    journal.close()
    assert len(told) == 1
    assert len(journal.entries()) == 3


def test_who_is_told_may_do_anything() -> None:
    """A listener that raises, or waits for another thread that reports, is nobody else's concern."""
    journal = ErrorJournal(Path("/dev/full"))

    def report_from_a_thread_and_fail(error: OSError) -> None:
        thread = threading.Thread(target=journal.receive, args=(KeyError(), "listener"), daemon=True)
        thread.start()
        thread.join(10)
        assert not thread.is_alive(), "the journal kept its lock"
        raise error

    journal.on_write_error = report_from_a_thread_and_fail
    assert journal.receive(ValueError(), "a").arrival is Arrival.NEW
    assert journal.ledger.received == 2


def test_two_processes_share_a_file(path: Path) -> None:
    """Both write, both rotate, no line is torn or lost among the files that are kept, and the files are bounded."""
    script = f"""
import sys
from pathlib import Path
from openhcs.tui.utils.error_journal import ErrorJournal
now_s = 0
def clock():
    global now_s
    now_s += 1
    return now_s
journal = ErrorJournal(Path({str(path)!r}), max_bytes=20_000, keep=50, clock=clock)
print("ready", flush=True)
sys.stdin.readline()
for number in range(300):
    journal.receive(ValueError("x" * 100), f"{{sys.argv[1]}} {{number}}")
journal.close()
"""
    writers = [
        subprocess.Popen([sys.executable, "-c", script, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for name in "ab"
    ]
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.readline()
    for writer in writers:
        writer.communicate("go\n", timeout=60)
        assert writer.returncode == 0
    contexts = [line["context"] for file in path.parent.iterdir() for line in lines(file, "error")]
    assert sorted(contexts) == sorted(f"{name} {number}" for name in "ab" for number in range(300))
    assert len(list(path.parent.iterdir())) > 4
    assert all(file.stat().st_size < 30_000 for file in path.parent.iterdir())


def test_two_sessions_have_their_own_numbers(path: Path) -> None:
    """What one process has shown is not taken for the other's entry of the same number."""
    one, other = ErrorJournal(path), ErrorJournal(path)
    for journal, name in ((one, "one"), (other, "other")):
        entry = journal.receive(ValueError(name), "first").entry
        assert entry is not None
        journal.receive(ValueError(name), "second")
        if journal is other:
            journal.mark_shown(entry)
    one.receive(ValueError("late"), "third")
    one.close()
    other.close()
    assert [(entry.context, entry.message) for entry in read_unseen(path)] == [("second", "other"), ("third", "late")]


class Waiting(Exception):
    """Has its text made by another thread, which reports an error of its own."""

    journal: ErrorJournal

    def __str__(self) -> str:
        thread = threading.Thread(target=self.journal.receive, args=(KeyError(), "another thread"), daemon=True)
        thread.start()
        thread.join(10)
        return "in time" if not thread.is_alive() else "the journal kept its lock"


def test_making_a_text_keeps_nobody_waiting(journal: ErrorJournal) -> None:
    """While an exception is described other threads can report."""
    exception = Waiting()
    exception.journal = journal
    entry = journal.receive(raised(exception), "a").entry
    assert entry is not None
    assert entry.message == "in time"


class Notes(list[tuple[str, BaseException | None]]):
    """What `on_note` was told."""

    def __call__(self, text: str, last: BaseException | None) -> None:
        self.append((text, last))


def test_a_run_is_told_in_one_when_it_has_ended(journal: ErrorJournal, clock: Clock) -> None:
    """Nothing is noted while an error keeps coming; then its count is, once, with the last exception of the run."""
    journal.on_note = notes = Notes()
    for _ in range(100):
        last = raised(ValueError("again"))
        journal.receive(last, "the job")
        clock.now_s += 0.1
        again_in_s = journal.note_ended(1.0)
    assert notes == []
    assert again_in_s is not None
    clock.now_s += again_in_s
    assert journal.note_ended(1.0) is None
    assert notes == [("the job failed 99 more times, 100 in all: ValueError: again", last)]
    journal.note_repeats()
    assert len(notes) == 1


def test_a_trickle_is_told_ever_more_seldom(journal: ErrorJournal, clock: Clock) -> None:
    """An error that comes every half second, each time after it seemed to have ended, does not fill the log."""
    journal.on_note = notes = Notes()
    for _ in range(200):
        journal.receive(raised(ValueError("again")), "the job")
        clock.now_s += 0.5
        journal.note_ended(1.0)
    journal.note_repeats()
    assert 2 <= len(notes) <= 8
    assert "200 in all" in notes[-1][0]


def test_a_run_that_never_ends_is_told_each_minute(journal: ErrorJournal, clock: Clock) -> None:
    """Whoever reads the log of an endless run learns of it all the same, once a minute, with or without a loop."""
    journal.on_note = notes = Notes()
    for second in range(150):
        journal.receive(raised(ValueError("again")), "the job")
        if second < 75:
            journal.note_ended(1.0)
        clock.now_s += 0.99 if second < 75 else 1.5
    journal.note_repeats()
    assert 3 <= len(notes) <= 12
    assert "150 in all" in notes[-1][0]


def test_alternating_errors_are_two_runs_and_not_a_note_for_each(journal: ErrorJournal, path: Path) -> None:
    """Errors that come in turns from one line are counted each on its own, in the file as well."""
    journal.on_note = notes = Notes()
    for number in range(200):
        journal.receive(raised(ValueError(number % 2)), "the job")
    journal.note_repeats()
    assert [text.split(":")[0] for text, _ in notes] == ["the job failed 99 more times, 100 in all"] * 2
    assert [line["times"] for line in lines(path, "repeated")] == [99, 99]


def test_what_was_dropped_is_told_in_one(journal: ErrorJournal) -> None:
    """So is what came too fast, with the last of it."""
    journal.on_note = notes = Notes()
    for number in range(600):
        last = ValueError(number)
        journal.receive(last, f"context {number}")
    journal.note_repeats()
    assert notes == [(f"{journal.ledger.dropped} errors of many kinds came too fast to be entered", last)]


def test_runs_are_told_in_slices(clock: Clock) -> None:
    """However many runs end at once, telling of them holds the caller for the time it gives."""
    journal = ErrorJournal(clock=clock)

    def tell_slowly(text: str, last: BaseException | None) -> None:
        clock.now_s += 0.01

    journal.on_note = tell_slowly
    for number in range(40):
        for _ in range(2):
            journal.receive(ValueError(), f"context {number}")
    clock.now_s += 1
    calls = 1
    while journal.note_ended(0.1) == 0:
        calls += 1
    assert calls >= 4
    assert journal.note_ended(0.1) is None


def _let_storm(journal: ErrorJournal) -> None:
    """Have the line of `raised` raise until it is only counted."""
    for number in range(30):
        journal.receive(raised(ValueError(number)), "a")


def test_in_a_storm_an_error_is_counted_on_the_shortest_way(journal: ErrorJournal, path: Path, clock: Clock) -> None:
    """It is in the ledger at once, known when it comes again, and on the entry that the others are counted on."""
    assert not journal.count_in_storm(raised(ValueError("before")))
    _let_storm(journal)
    error = raised(ValueError("x"))
    assert journal.count_in_storm(error)
    assert not journal.count_in_storm(error)
    assert journal.receive(error, "again").arrival is Arrival.KNOWN
    assert journal.ledger.received == 31
    assert journal.ledger.coalesced == 11
    assert journal.ledger.balances
    assert journal.count_of(journal.entries()[-1]) == 12
    clock.now_s += 1
    late = raised(ValueError("late"))
    assert not journal.count_in_storm(late), "what is only counted must reach the file within a second"
    journal.receive(late, "a")
    assert [line["times"] for line in lines(path, "repeated")] == [12]
    assert journal.count_in_storm(raised(ValueError("and on")))


def test_a_storm_swallows_nothing_else(journal: ErrorJournal, clock: Clock) -> None:
    """Another type from the same line, another line, and what was never raised are errors of their own."""
    _let_storm(journal)
    for other in (raised(KeyError("x")), ValueError("x"), OSError("y").with_traceback(None)):
        assert not journal.count_in_storm(other)
        assert journal.receive(other, "b").arrival is Arrival.NEW
    clock.now_s += 11
    assert not journal.count_in_storm(raised(ValueError("x")))
    assert journal.receive(raised(ValueError("x")), "a").arrival is Arrival.NEW
    assert journal.ledger.balances


def test_a_line_that_raises_two_types_in_turn_is_accounted_for(journal: ErrorJournal) -> None:
    """Two storms of one line, in turns: nothing is lost between them."""
    for number in range(400):
        error = raised(ValueError(number) if number % 2 else KeyError(number))
        if not journal.count_in_storm(error):
            journal.receive(error, "a")
    assert journal.ledger.balances
    assert journal.ledger.received == 400
    assert sum(journal.count_of(entry) for entry in journal.entries()) == 400


def test_threads_storm_at_once(path: Path) -> None:
    """Four threads in one storm, while others read and note: each error is counted exactly once."""
    journal = ErrorJournal(path)
    notes = journal.on_note = Notes()
    _let_storm(journal)
    done = threading.Event()
    unbalanced: list[object] = []

    def look() -> None:
        while not done.is_set():
            ledger = journal.ledger
            if not ledger.balances:
                unbalanced.append(ledger)
            journal.note_ended(0.001)
            journal.note_repeats()

    def rage() -> None:
        for number in range(5_000):
            error = raised(ValueError(number))
            if not journal.count_in_storm(error):
                journal.receive(error, "a")

    threads = [threading.Thread(target=rage) for _ in range(4)]
    watcher = threading.Thread(target=look)
    for thread in (watcher, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    watcher.join()
    journal.close()
    assert unbalanced == []
    assert journal.ledger.received == 20_030
    assert sum(entry.count for entry in read_unseen(path)) == 20_030
    assert sum(int(text.split()[2].replace(",", "")) for text, _ in notes) == 20_010


def test_equal_errors_are_told_apart_from_another_among_them(journal: ErrorJournal) -> None:
    """Five hundred times the same and one that says something else, from one line: two entries."""
    for _ in range(500):
        journal.receive(raised(ValueError("same")), "a")
    assert journal.receive(raised(ValueError("other")), "a").arrival is Arrival.NEW
    assert [entry.count for entry in journal.entries()] == [500, 1]


def test_the_count_of_a_run_that_ended_is_not_lost(journal: ErrorJournal, path: Path, clock: Clock) -> None:
    """When an error comes again after a while the file has the count of its run before."""
    for _ in range(5):
        journal.receive(raised(ValueError("x")), "a")
    clock.now_s += 60
    journal.receive(raised(ValueError("x")), "a")
    assert [entry.count for entry in read_unseen(path)] == [5, 1]


def test_few_exceptions_are_kept(journal: ErrorJournal, clock: Clock) -> None:
    """What the frames of an exception hold is let go long before its entry is."""
    for number in range(100):
        clock.now_s += 1
        journal.receive(ValueError(), f"context {number}")
    kept = [entry for entry in journal.entries() if entry.exception is not None]
    assert kept == list(journal.entries()[-50:])


def test_an_unused_journal_leaves_no_file(path: Path) -> None:
    """A session without errors writes nothing at all."""
    journal = ErrorJournal(path)
    journal.flush()
    journal.close()
    assert not path.parent.exists()


class Confiding(Exception):
    """Reports itself, and another, while its text is made."""

    journal: ErrorJournal

    def __str__(self) -> str:
        self.journal.receive(self, "from within")
        self.journal.receive(ValueError("another"), "from within")
        return "confided"


def test_an_exception_that_reports_itself_while_it_is_described(journal: ErrorJournal, path: Path) -> None:
    """It is one error, and the other is another."""
    exception = Confiding()
    exception.journal = journal
    assert journal.receive(raised(exception), "outside").arrival is Arrival.NEW
    assert journal.ledger.balances
    assert sorted(line["message"] for line in lines(path, "error")) == ["another", "confided"]
    ids = [line["id"] for line in lines(path, "error")]
    assert len(set(ids)) == len(ids)


class Bare(Exception):
    """Allows no attributes."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)

    def __getattribute__(self, name: str) -> Any:
        raise OSError(name)


def test_a_class_that_forbids_attributes(journal: ErrorJournal) -> None:
    """What an exception's class does to attributes does not matter."""
    exception = Bare("x")
    assert journal.receive(exception, "a").arrival is Arrival.NEW
    assert journal.receive(exception, "a").arrival is Arrival.KNOWN


def test_signals_may_interrupt_it_anywhere(path: Path) -> None:
    """A signal handler that reports while the journal is being written finds no lock held and no line torn."""
    journal = ErrorJournal(path, max_bytes=30_000)
    fired = 0

    def on_alarm(number: int, frame: object) -> None:
        nonlocal fired
        fired += 1
        journal.receive(KeyError(fired), f"alarm {fired % 7}")
        report(fired)

    def report(number: int) -> None:
        error = raised(OSError(number))
        if not journal.count_in_storm(error):
            journal.receive(error, "storm")

    before = signal.signal(signal.SIGALRM, on_alarm)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        end = time.monotonic() + 0.5
        sent = 0
        while time.monotonic() < end:
            sent += 1
            journal.receive(ValueError(sent), f"main {sent % 50}")
            report(sent)
            if sent % 100 == 0:
                journal.note_ended(0.01)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    journal.close()
    assert fired > 10
    assert journal.ledger.balances
    assert journal.ledger.received == 2 * (sent + fired)
    for file in path.parent.iterdir():
        for line in file.read_text().splitlines():
            json.loads(line)


def test_closing_is_not_the_end(journal: ErrorJournal, path: Path) -> None:
    """An entry after `close` opens the file again."""
    journal.receive(ValueError(1), "a")
    journal.close()
    journal.close()
    journal.receive(ValueError(2), "a")
    assert len(lines(path, "error")) == 2


def test_without_a_path_it_writes_nothing(tmp_path: Path) -> None:
    """It lives in memory only."""
    before = set(Path().iterdir())
    journal = ErrorJournal()
    journal.receive(ValueError(), "a")
    journal.flush()
    journal.close()
    assert set(Path().iterdir()) == before
