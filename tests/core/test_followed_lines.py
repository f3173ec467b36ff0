"""Lines of a file that grows, by their numbers."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhcs.core import followed_lines
from openhcs.core.followed_lines import FollowedLines


def lines_of(file: FollowedLines) -> list[bytes]:
    found = []
    for number in range(len(file)):
        block, place = file.block_of(number)
        found.append(file.read_block(block)[place])
    return found


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(st.sampled_from([b"a", b"\n", b"\n\n", b"x" * 40]), max_size=20).map(b"".join), max_size=4))
def test_every_line_is_found_by_its_number_however_the_file_grew(parts: list[bytes]) -> None:
    """Blocks of 16 bytes make lines end, begin and go on at every place; what is written last may have no end yet."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(followed_lines, "_BLOCK_BYTES", 16)
        path = Path(folder) / "log"
        file = FollowedLines(path)
        text = b""
        for part in parts:
            text += part
            with path.open("ab") as log:
                log.write(part)
            while file.poll():
                pass
            expected = text.removesuffix(b"\n").split(b"\n") if text else []
            assert lines_of(file) == expected
            assert [line for block in range(file.last_block + 1) for line in file.read_block(block)] == expected
            assert file.complete == text.count(b"\n")


def test_a_file_that_begins_anew_is_read_anew(tmp_path: Path) -> None:
    """A file that was cut, replaced or removed leaves nothing of what it was."""
    path = tmp_path / "log"
    file = FollowedLines(path)
    assert not file.poll()
    assert len(file) == 0
    path.write_bytes(b"one\r\ntwo\r\nthree\r\n")
    file.poll()
    assert lines_of(file) == [b"one", b"two", b"three"]
    path.write_bytes(b"four\n")
    file.poll()
    assert lines_of(file) == [b"four"]
    path.unlink()
    file.poll()
    assert len(file) == 0


def test_a_large_file_is_counted_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One call counts so much of a file at most, and says that there is more."""
    monkeypatch.setattr(followed_lines, "_POLL_BYTES", 100)
    path = tmp_path / "log"
    path.write_bytes(b"123456789\n" * 25)
    file = FollowedLines(path)
    assert file.poll()
    assert len(file) == 10
    assert file.poll()
    assert not file.poll()
    assert len(file) == 25
