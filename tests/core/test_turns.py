"""Whose turn it is: tickets that are held by locks, and go with them."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhcs.core.turns import Turns, moved
from openhcs.errors import TurnsError


class Line:
    """Runs that hold their tickets until they end."""

    def __init__(self, folder: Path) -> None:
        self.turns = Turns(folder)
        self._locks: dict[str, int] = {}

    def take(self, name: str, *, waits: bool = True, order: int | None = None) -> None:
        self._locks[name] = self.turns.take(name, Path("out", name), Path("plate", name), waits=waits, order=order)

    def end(self, name: str) -> None:
        os.close(self._locks.pop(name))

    def ask(self, name: str, at_once: int = 1) -> int:
        return self.turns.ask(name, lambda: at_once)

    @property
    def having(self) -> list[str]:
        return [ticket.run_id for ticket in self.turns.look() if ticket.has_turn]

    @property
    def waiting(self) -> list[str]:
        return [ticket.run_id for ticket in self.turns.look() if not ticket.has_turn]


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    line = Line(tmp_path / "state" / "turns")
    yield line
    for name in list(line._locks):
        line.end(name)


def test_who_is_alone_has_its_turn_and_the_others_theirs_in_order(line: Line) -> None:
    """One ends, by whatever way, and the first of those that wait has its turn when it asks; nobody overtakes."""
    for name in "abc":
        line.take(name)
    assert (line.having, line.waiting) == (["a"], ["b", "c"])
    assert (line.ask("a"), line.ask("b"), line.ask("c")) == (0, 1, 2)
    line.end("a")
    assert (line.ask("c"), line.ask("b"), line.ask("c")) == (2, 0, 1)
    ticket = line.turns.look()[0]
    assert (ticket.out, ticket.plate) == (Path("out/b"), Path("plate/b"))


def test_one_that_dies_while_it_waits_is_passed_over_and_its_ticket_removed(line: Line, tmp_path: Path) -> None:
    """Those behind it go on; no file of those that are gone is left."""
    for name in "abc":
        line.take(name)
    line.end("b")
    line.end("a")
    assert line.ask("c") == 0
    assert len([*(tmp_path / "state" / "turns").iterdir()]) == 2


def test_as_many_have_their_turn_as_may_and_fewer_is_for_the_next(line: Line) -> None:
    """How many is asked when it matters: more go on at once, and a turn that was given is not taken back."""
    for name in "abcd":
        line.take(name)
    assert (line.ask("b", 2), line.ask("c", 2)) == (0, 1)
    line.end("a")
    assert line.ask("c", 1) == 1
    line.end("b")
    assert line.turns.ask("c", lambda: pytest.fail("asked though nobody has a turn")) == 0


def test_a_run_that_does_not_wait_counts_for_those_that_do(line: Line) -> None:
    """It has its turn at once, and they wait until it has ended."""
    line.take("a")
    line.take("b", waits=False)
    line.take("c")
    assert line.having == ["a", "b"]
    line.end("a")
    assert line.ask("c") == 1
    line.end("b")
    assert line.ask("c") == 0


def test_the_order_is_that_of_asking_and_can_be_changed(line: Line) -> None:
    """A ticket taken late for what was asked for early is ahead; a run that waits is put where one wants it."""
    for order, name in enumerate("abcd", start=1):
        line.take(name, order=10 * order)
    line.take("e", order=25)
    assert line.waiting == ["b", "e", "c", "d"]
    assert line.turns.put("d", 1) == 1
    assert line.turns.put("b", 99) == 4
    assert line.waiting == ["d", "e", "c", "b"]
    line.turns.reorder({"a": 99, "e": 1})
    assert (line.having, line.waiting) == (["a"], ["e", "d", "c", "b"])
    with pytest.raises(LookupError):
        line.turns.put("a", 1)


def test_a_ticket_that_somebody_removed_is_told_to_its_run(line: Line, tmp_path: Path) -> None:
    """It can take another; without a folder nobody waits, and one that cannot be written is an error."""
    line.take("a")
    for file in (tmp_path / "state" / "turns").iterdir():
        file.unlink()
    with pytest.raises(LookupError):
        line.ask("a")
    assert Turns(tmp_path / "nowhere").look() == ()
    with pytest.raises(TurnsError, match="expected to write there"):
        Turns(Path("/dev/null/turns")).take("a", tmp_path, tmp_path, waits=True)


def test_a_ticket_of_which_the_disk_took_a_part_keeps_its_place(line: Line, tmp_path: Path) -> None:
    """Where its results go is not known from it then; everybody's turn comes all the same."""
    for name in "abc":
        line.take(name)
    (damaged,) = (tmp_path / "state" / "turns").glob("*.b")
    os.truncate(damaged, 5)
    line.end("a")
    assert (line.ask("c"), line.ask("b")) == (2, 0)
    assert [ticket.out for ticket in line.turns.look()] == [Path(), Path("out/c")]


def test_a_process_that_was_stopped_in_a_change_holds_nobody_up(line: Line, tmp_path: Path) -> None:
    """Whoever comes meanwhile is told what holds the turns, and comes through once that is over."""
    line.take("a")
    lock = os.open(tmp_path / "state" / "turns" / "lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with pytest.raises(TurnsError, match="a process that was stopped holds its lock"):
        line.turns.look()
    os.close(lock)
    assert [ticket.run_id for ticket in line.turns.look()] == ["a"]


@given(st.sets(st.sampled_from("abcdef")), st.sampled_from((-1, 1)))
def test_what_is_moved_keeps_its_order_and_goes_one_place_past_the_others(names: set[str], by: int) -> None:
    """Neither those that move nor the others change their order, and nobody goes further than one place."""
    there = moved("abcdef", names, by)
    assert sorted(there) == list("abcdef")
    assert [name for name in there if name in names] == sorted(names)
    assert [name for name in there if name not in names] == sorted(set("abcdef") - names)
    steps = {name: there.index(name) - "abcdef".index(name) for name in names}
    assert all(step in (0, by) for step in steps.values())
