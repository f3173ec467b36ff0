"""The reference is what the code says: docs/reference, the manual page, and the help of every option."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping

import pytest

from scripts.reference.commands import Command, commands
from scripts.reference.pages import FOLDER, pages


@pytest.fixture(scope="module")
def written() -> Mapping[str, str]:
    """The reference as `make reference` would write it now."""
    return pages()


def test_the_reference_is_up_to_date(written: Mapping[str, str]) -> None:
    """Each file holds what the code says now; `make reference` writes them anew."""
    stale = [name for name, text in written.items() if (FOLDER / name).read_text(encoding="utf-8") != text]
    assert stale == [], "run `make reference`"


def test_no_page_of_the_reference_is_left_over(written: Mapping[str, str]) -> None:
    """What is no longer written is not kept."""
    assert {file.name for file in FOLDER.iterdir()} == set(written)


@pytest.mark.parametrize("command", list(commands()), ids=lambda command: command.path)
def test_every_option_is_explained(command: Command) -> None:
    """Each argument and option has a sentence, and what takes a value says in a word which."""
    assert command.text[0].endswith(".")
    for section in command.sections:
        for written, explained in section.rows:
            assert explained.partition(" [")[0].endswith("."), f"{command.path} {written}: {explained}"
            assert "<" not in written
            assert "None" not in written


def test_every_command_that_does_something_has_an_example() -> None:
    """Who asks for help sees a line to copy, except where the bare command is all there is."""
    without = {command.path for command in commands() if not command.examples}
    assert without == {"openhcs doctor", "openhcs keys", "openhcs version"}


def test_the_manual_page_is_sound() -> None:
    """The formatter of manual pages has no complaint, and shows options with their dashes."""
    groff = shutil.which("groff")
    if groff is None:
        pytest.skip("no groff here")
    plain = ["-P-c", "-P-b", "-P-o", "-P-u"]
    page = [groff, "-man", "-ww", "-Tascii", *plain, str(FOLDER / "openhcs.1")]
    shown = subprocess.run(page, capture_output=True, text=True, check=True)
    assert shown.stderr == ""
    assert "-p, --pipeline PIPELINE" in shown.stdout
