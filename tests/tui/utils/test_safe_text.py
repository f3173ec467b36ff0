"""Text from outside is shown and never executed; logging never raises."""

from __future__ import annotations

import logging
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhcs.tui.utils.safe_log import log_safely
from openhcs.tui.utils.safe_text import as_text, describe, format_exception, visible, visible_lines
from tests.tui.utils.kit import broken_logging, logged, raised

anything = st.text(st.characters(), max_size=200)  # lone surrogates and every control character included
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def drives_a_terminal(char: str) -> bool:
    code = ord(char)
    return code < 0x20 or 0x7F <= code < 0xA0 or 0xD800 <= code < 0xE000 or char in BIDI + "\u2028\u2029"


@given(anything)
def test_one_line_holds_nothing_that_drives_a_terminal(text: str) -> None:
    """`visible` leaves no control character, line break, direction mark or lone surrogate."""
    shown = visible(text)
    assert not any(map(drives_a_terminal, shown))
    shown.encode()


@given(anything)
def test_lines_hold_nothing_but_their_breaks(text: str) -> None:
    """`visible_lines` keeps line feeds and nothing else."""
    shown = visible_lines(text)
    assert not any(map(drives_a_terminal, shown.replace("\n", "")))
    assert shown.count("\n") == text.count("\n")
    shown.encode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("größer 大 e\u0301", "größer 大 e\u0301"),
        ("\x1b[2J", "␛[2J"),
        ("a\tb\r\n", "a␉b␍␊"),
        ("\x7f", "␡"),
        ("\x9b2J", "\\x9b2J"),
        ("\u202eabc", "\\u202eabc"),
        ("\ud800", "\\ud800"),
    ],
)
def test_control_characters_are_shown(text: str, shown: str) -> None:
    """What cannot be printed appears as a picture or an escape."""
    assert visible(text) == shown


def test_a_megabyte_costs_its_limit() -> None:
    """A long line is cut."""
    assert len(visible("x" * 1_000_000, 100)) == 100
    assert len(visible("\x9b" * 1_000_000, 100)) <= 400


def test_windows_line_breaks_are_line_breaks() -> None:
    """A carriage return before a line feed belongs to the break; one alone is shown."""
    assert visible_lines("a\r\nb\rc\td") == "a\nb␍c    d"


class Unspeakable(Exception):
    """Raises whatever it was told to, from every text it is asked for."""

    def __init__(self, reason: BaseException) -> None:
        self.reason = reason

    def __str__(self) -> str:
        raise self.reason

    __repr__ = __str__


class Endless(Exception):
    def __str__(self) -> str:
        return str(self)


class NotText(Exception):
    def __str__(self) -> str:
        return 3  # type: ignore[return-value]


class Sly(str):
    def __len__(self) -> int:
        raise OSError

    def __bool__(self) -> bool:
        raise OSError


@pytest.mark.parametrize(
    "exception",
    [Unspeakable(OSError()), Unspeakable(SystemExit(3)), Unspeakable(KeyboardInterrupt()), Endless(), NotText()],
)
def test_an_exception_without_text_is_described_by_its_type(exception: Exception) -> None:
    """Whatever its `__str__` does, an exception can be described and formatted."""
    assert type(exception).__name__ in describe(exception)
    assert type(exception).__name__ in format_exception(raised(exception))


def test_texts_are_plain_strings() -> None:
    """A subclass of str is not let in."""
    assert type(as_text(Sly("x"))) is str
    assert type(describe(ValueError(Sly("x")))) is str


def test_an_empty_message_is_the_type() -> None:
    """An exception without a message is named."""
    assert describe(ValueError()) == "ValueError"
    assert describe(KeyError("a")) == "'a'"


def test_formatting_shows_groups_causes_and_notes() -> None:
    """The whole tree is in the text."""
    error = ValueError("inner")
    error.add_note("a note")
    group = ExceptionGroup("group", [error, ExceptionGroup("deeper", [KeyError("k")])])
    try:
        raise RuntimeError("outer") from group
    except RuntimeError as outer:
        text = format_exception(outer)
    assert all(part in text for part in ("inner", "a note", "deeper", "outer", "direct cause"))


def test_causes_that_run_in_a_circle() -> None:
    """A circle of causes has an end."""
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    assert "second" in format_exception(first)


class Touchy(Exception):
    """Raises when anything is asked of it."""

    def __getattribute__(self, name: str) -> object:
        raise OSError(name)


def test_a_class_that_stands_in_the_way_of_its_traceback() -> None:
    """Where Python's own formatting fails the frames and the causes are there all the same."""

    def fail() -> None:
        try:
            raise ValueError("the cause")
        except ValueError as cause:
            raise Touchy("touchy") from cause

    try:
        fail()
    except Exception as error:
        text = format_exception(error)
    assert text.index("ValueError: the cause") < text.index("direct cause") < text.index("Touchy")
    assert text.count("in fail") == 2


@pytest.mark.parametrize("text", ["x" * 50_000_000, "line\n" * 10_000_000], ids=["one line", "many lines"])
def test_a_message_of_megabytes_is_formatted_in_no_time(text: str) -> None:
    """Both its ends are there, and what was raised from it; formatting takes a moment."""
    error = raised(ValueError(f"begin {text} end"))
    try:
        raise KeyError("k") from error
    except KeyError as outer:
        begun = time.process_time()
        formatted = format_exception(outer)
        assert time.process_time() - begun < 1
    assert len(formatted) < 110_000
    for part in ("begin", "characters left out", " end\n", "direct cause", "KeyError: 'k'", "in raised"):
        assert part in formatted


def test_a_group_of_many_and_a_chain_of_many() -> None:
    """Ten thousand members or causes are no obstacle."""
    group = ExceptionGroup("many", [ValueError(number) for number in range(10_000)])
    assert "many" in format_exception(raised(group))
    chain: BaseException = ValueError("x" * 200_000)
    for number in range(10_000):
        link = ValueError(number)
        link.__cause__, chain = chain, link
    assert "9999" in format_exception(chain)
    while (cause := chain.__cause__) is not None:  # taken apart by hand: freeing it would recurse as deeply
        chain.__cause__, chain = None, cause


def test_groups_nested_past_the_stack() -> None:
    """A group too deep to format is named at least."""
    group: BaseException = ValueError("innermost")
    for _ in range(3_000):
        group = ExceptionGroup("layer", [group])  # type: ignore[list-item]
    assert "layer" in format_exception(group)
    while isinstance(group, ExceptionGroup):  # taken apart by hand: freeing it would recurse as deeply
        group = group.exceptions[0]


def test_logging_gives_back_what_a_handler_raises() -> None:
    """A broken log handler is told of and not raised."""
    logger = logging.getLogger("openhcs.test")
    with broken_logging():
        assert isinstance(log_safely(logger, logging.ERROR, "a %s", "b"), OSError)
    with logged() as records:
        assert log_safely(logger, logging.ERROR, "a %s", "b", exc_info=ValueError()) is None
    assert records.records[0].getMessage() == "a b"
    assert records.records[0].funcName == "test_logging_gives_back_what_a_handler_raises"


def test_a_record_brings_its_traceback() -> None:
    """A formatter is spared the exception: hostile or endless, the record has its text, safe to look at."""
    logger = logging.getLogger("openhcs.test")
    errors = [raised(Touchy("touchy")), raised(ValueError("line\n" * 10_000_000)), raised(ValueError("\x1b[2J"))]
    begun = time.process_time()
    with logged() as records:
        for error in errors:
            assert log_safely(logger, logging.ERROR, "failed", exc_info=error) is None
        texts = [logging.Formatter().format(record) for record in records.errors()]
    assert time.process_time() - begun < 1
    assert [type(error).__name__ in text for error, text in zip(errors, texts, strict=True)] == [True] * 3
    assert [
        record.exc_info[1] is error for record, error in zip(records.errors(), errors, strict=True) if record.exc_info
    ]
    assert "\x1b" not in texts[2]
    with logged() as records:
        logger.setLevel(logging.CRITICAL)
        assert log_safely(logger, logging.ERROR, "failed", exc_info=errors[0]) is None
    assert records.records == []
