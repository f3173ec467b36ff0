"""Causes as a tree and locals on demand: for people to read, bounded, and safe whatever is in them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from openhcs.tui.utils.exception_tree import cause_tree, frame_locals
from tests.tui.utils.kit import raised


def without_places(lines: list[str]) -> list[str]:
    return [line.split("  (in ")[0] for line in lines]


def caught(call: Callable[[], object]) -> BaseException:
    try:
        call()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def test_an_exception_that_stands_alone_has_no_tree() -> None:
    """There is nothing to draw beneath a single exception."""
    assert cause_tree(raised(ValueError("alone"))) == []


def test_groups_causes_and_contexts_are_branches() -> None:
    """Members, what it was raised from, and what was being handled stand beneath the exception, each by its kind."""

    def fail() -> None:
        try:
            try:
                raise KeyError("first")
            except KeyError:
                raise ValueError("while at it")  # noqa: B904 - the context is what is tested
        except ValueError as cause:
            raise ExceptionGroup("two", [OSError("one"), ExceptionGroup("inner", [TypeError("deep")])]) from cause

    assert without_places(cause_tree(caught(fail))) == [
        "ExceptionGroup: two (2 sub-exceptions)",
        "├─ OSError: one",
        "├─ ExceptionGroup: inner (1 sub-exception)",
        "│  └─ TypeError: deep",
        "└─ caused by ValueError: while at it",
        "   └─ while handling KeyError: 'first'",
    ]


def test_a_line_says_where_it_was_raised() -> None:
    """What was raised has function, line and file; what was not has no place."""

    def fail() -> None:
        raise OSError("outer") from ValueError("never raised")

    first, second = cause_tree(caught(fail))
    assert "  (in fail, line " in first
    assert first.endswith("of utils/test_exception_tree.py)")
    assert second == "└─ caused by ValueError: never raised"


def test_a_suppressed_context_is_left_out() -> None:
    """`from None` hides what was being handled here too."""

    def fail() -> None:
        try:
            raise KeyError
        except KeyError:
            raise ValueError from None

    assert cause_tree(caught(fail)) == []


def test_causes_in_a_circle_end() -> None:
    """An exception that is its own distant cause is drawn once more, and not followed."""
    first, second = ValueError("first"), OSError("second")
    first.__cause__, second.__cause__ = second, first
    assert cause_tree(first) == [
        "ValueError: first",
        "└─ caused by OSError: second",
        "   └─ caused by ValueError: first",
        "      └─ as above",
    ]


def test_depth_and_breadth_are_bounded() -> None:
    """Five hundred layers, or a thousand members, take a moment and a bounded number of lines."""
    nested: Exception = ValueError("innermost")
    for _ in range(500):
        nested = ExceptionGroup("layer", [nested])
    chain: BaseException = ValueError("end")
    for number in range(500):
        link = ValueError(number)
        link.__cause__, chain = chain, link
    wide = ExceptionGroup("wide", [ExceptionGroup("w", [ValueError(i)] * 50) for i in range(50)])
    begun = time.process_time()
    for error in (nested, chain, wide):
        assert 10 < len(cause_tree(error)) <= 200
    assert cause_tree(wide)[-1] == "… and more"
    assert "deeper" in cause_tree(nested)[-1]
    assert time.process_time() - begun < 2


class Hostile(Exception):
    """Raises at every touch."""

    def __getattribute__(self, name: str) -> Any:
        raise OSError(name)

    def __str__(self) -> str:
        raise SystemExit(3)

    __repr__ = __str__


def test_text_and_attributes_may_fail() -> None:
    """An exception that forbids everything is in the tree by its type, control characters by their pictures."""
    group = ExceptionGroup("g\x1b[2J\nx", [Hostile(), ValueError("\x9b2J\ud800")])
    lines = cause_tree(group)
    assert lines[1] == "├─ Hostile: <Hostile whose text cannot be made>"
    assert all(line.isprintable() for line in lines)


def test_locals_are_those_of_each_frame() -> None:
    """The innermost frame comes first, each variable with its value."""

    def inner(plate: str) -> None:
        wells = ["A01", "A02"]
        raise ValueError(len(wells))

    def outer() -> None:
        threshold = 0.5
        inner(f"plate {threshold}")

    lines = frame_locals(caught(outer))
    assert "inner, line " in lines[0]
    assert lines[1:3] == ["    plate = 'plate 0.5'", "    wells = ['A01', 'A02']"]
    assert any("threshold = 0.5" in line for line in lines[3:])


@pytest.mark.parametrize(
    "make",
    [
        Hostile,
        lambda: "x" * 10**7,
        lambda: b"y" * 10**8,
        lambda: bytearray(10**8),
        lambda: list(range(10**6)),
        lambda: 10**5000,
        lambda: "\x1b[2J\n\u202e\ud800",
    ],
    ids=["hostile", "text", "bytes", "bytearray", "list", "int", "control"],
)
def test_values_of_any_kind_are_cut_and_safe(make: Callable[[], object]) -> None:
    """What cannot be shown is named, what is large is cut before it is made, and nothing drives the terminal."""

    def fail(value: object) -> None:
        raise ValueError

    error = caught(lambda: fail(make()))
    begun = time.process_time()
    lines = frame_locals(error)
    assert time.process_time() - begun < 1
    (line,) = [line for line in lines if line.startswith("    value = ")]
    assert len(line) < 400
    assert line.isprintable()


def test_many_frames_and_variables_are_bounded() -> None:
    """A recursion of hundreds of frames shows the innermost, and says how many there are."""

    def descend(depth: int) -> None:
        if depth == 0:
            raise ValueError
        descend(depth - 1)

    lines = frame_locals(caught(lambda: descend(400)))
    assert len(lines) < 150
    assert lines[-1].endswith("outer frames are not shown")
    crowded = {f"v{number}": number for number in range(1_000)}
    error = caught(lambda: exec("raise ValueError", {"__name__": "m"}, crowded))
    assert any(line.strip().startswith("… and 94") for line in frame_locals(error))


def test_an_exception_never_raised_has_no_locals() -> None:
    """Without a traceback there are no frames."""
    assert frame_locals(ValueError()) == []
