"""Private folders of runners, and what is left of those that were killed."""

from __future__ import annotations

import stat
import tempfile
from pathlib import Path

import pytest

from openhcs.core.private_folder import private_folder, remove_abandoned_folders


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A system's temporary folder of the test's own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_private_folder_is_its_owners_alone_and_goes_with_its_block(temporary: Path) -> None:
    """Nobody else can enter, whatever the length of its path; a socket in it can be bound."""
    with private_folder() as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert len(str(folder / "control")) <= 100
        remove_abandoned_folders()
        assert folder.exists()
    assert not folder.exists()


def test_only_folders_whose_runner_is_dead_are_removed(temporary: Path) -> None:
    """A folder with a lock that nobody holds goes; one without a lock, one that others may enter, and links stay."""
    names = ("openhcs-dead", "openhcs-starting", "openhcs-open", "mine")
    dead, starting, others, mine = (temporary / name for name in names)
    for folder in (dead, starting, others, mine):
        folder.mkdir(mode=0o700)
        (folder / "file").touch()
    for folder in (dead, others, mine):
        (folder / "alive").touch()
    others.chmod(0o777)
    link = temporary / "openhcs-link"
    link.symlink_to(mine)
    remove_abandoned_folders()
    assert not dead.exists()
    for folder in (starting, others, mine, link):
        assert (folder / "file").exists()
