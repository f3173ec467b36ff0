"""What a typed path means, and how it is completed."""

from __future__ import annotations

from pathlib import Path

import pytest

from openhcs.tui.editors.path_line import typed_path
from tests.tui.editors.test_file_browser import browsing
from tests.tui.screen import in_loop


def test_typed_paths_mean_what_they_mean_in_a_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~`, `$VARIABLE`, `..` and relative paths are understood; what is not set stays as it was typed."""
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.setenv("SCREENS", "/data/screens")
    monkeypatch.delenv("NOWHERE", raising=False)
    here = Path("/data/here")
    assert typed_path("~/plates", here) == Path("/home/ann/plates")
    assert typed_path("$SCREENS/a", here) == typed_path("${SCREENS}/a", here) == Path("/data/screens/a")
    assert typed_path("../b/./c", here) == Path("/data/b/c")
    assert typed_path("$NOWHERE", here) == here / "$NOWHERE"
    assert typed_path("/x//y/", here) == Path("/x/y")
    assert typed_path("~nobody_of_that_name/a", here) == here / "~nobody_of_that_name/a"


@in_loop
async def test_variables_and_links_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tab goes on behind a variable; a link to a folder gets its slash; dot names come when asked for."""
    monkeypatch.setenv("SCREENS", str(tmp_path))
    (tmp_path / "real").mkdir()
    (tmp_path / "linked").symlink_to(tmp_path / "real")
    (tmp_path / ".hidden").mkdir()
    async with browsing(tmp_path, columns=200) as at:
        await at.press("c-l", "c-u", "$SCREENS/li", "tab")
        assert at.screen.line("Folder:").endswith("$SCREENS/linked/")
        await at.press("c-u", "$SCREENS/.", "tab")
        assert at.screen.line("Folder:").endswith("$SCREENS/.hidden/")
        await at.press("c-u", "$SCREENS/x", "tab")
        assert "Nothing here begins like that" in at.screen.text
        await at.press("c-u", "linked", "enter")
        assert at.screen.line("Folder:").endswith(str(tmp_path / "linked"))


def test_a_whole_path_behind_the_folder_is_meant_alone() -> None:
    """The field begins with the folder; a path that is typed or pasted behind it without clearing it is found."""
    here = Path("/data/screens")
    assert typed_path("/data/screens//mnt/plates", here) == Path("/mnt/plates")
    assert typed_path("/data/screens/~/plates", here) == Path.home() / "plates"
    assert typed_path("/data/screens/~old/a", here) == Path("/data/screens/~old/a")
    assert typed_path("/data/screens/a//b", here) == Path("/data/screens/a/b")
    assert typed_path("//mnt", Path("/")) == Path("/mnt")
