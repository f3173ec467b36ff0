"""A text file is written whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from openhcs.core.whole_file import write_text


@pytest.fixture
def umask() -> int:
    """The permissions that new files are denied here."""
    before = os.umask(0o022)
    os.umask(before)
    return before


def test_a_new_file_is_an_ordinary_one(tmp_path: Path, umask: int) -> None:
    """It has the permissions that any new file has, and is alone in its folder."""
    file = tmp_path / "new.txt"
    write_text(file, "Zürich 漢\n")
    assert file.read_bytes() == "Zürich 漢\n".encode()
    assert stat.S_IMODE(file.stat().st_mode) == 0o666 & ~umask
    assert list(tmp_path.iterdir()) == [file]


def test_a_replaced_file_keeps_its_permissions(tmp_path: Path) -> None:
    """What others may not read they may not read afterwards."""
    file = tmp_path / "secret.txt"
    file.write_text("old")
    file.chmod(0o600)
    write_text(file, "new")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """Settings that are linked into a folder of one's own are changed there."""
    there, here = tmp_path / "there.txt", tmp_path / "here.txt"
    there.write_text("old")
    here.symlink_to(there)
    write_text(here, "new")
    assert here.is_symlink()
    assert there.read_text() == "new"


def test_a_name_as_long_as_names_may_be(tmp_path: Path) -> None:
    """The name of the file says nothing about that of the temporary one."""
    file = tmp_path / ("n" * 255)
    write_text(file, "text")
    assert file.read_text() == "text"


@pytest.mark.parametrize("text", ["\ud800", "new"])
def test_what_fails_leaves_the_old(tmp_path: Path, text: str) -> None:
    """A text that is none, a folder in the way: nothing is changed and nothing left behind."""
    file = tmp_path / "file.txt"
    if text == "new":
        file.mkdir()
    else:
        file.write_text("old")
    with pytest.raises((OSError, UnicodeEncodeError)):
        write_text(file, text)
    assert list(tmp_path.iterdir()) == [file]
    assert file.is_dir() or file.read_text() == "old"


def test_a_private_file_is_its_owners(tmp_path: Path) -> None:
    """Nobody else may read it, whatever the permissions of the file it replaces."""
    file = tmp_path / "key.pem"
    for _ in range(2):
        write_text(file, "secret", private=True)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        file.chmod(0o644)
