"""The results folder shown by the desktop's file manager, a real program."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import psutil
import pytest

from openhcs.tui.effects import results
from openhcs.tui.effects.results import ResultReader
from openhcs.tui.state import AppState
from openhcs.tui.workbench import Workbench


@pytest.fixture
def desktop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The program that shows folders, of which a test says what it does."""
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return tmp_path / "xdg-open"


def told_of(desktop: Path, script: str) -> str:
    desktop.write_text(f"#!/bin/sh\n{script}\n")
    desktop.chmod(0o755)
    return asyncio.run(ResultReader(desktop.parent, AppState(Workbench())).open_folder())


def test_the_file_manager_opens_the_folder(desktop: Path) -> None:
    """The program is given the folder; what it said of itself is told."""
    assert told_of(desktop, f'echo "$1" > {desktop.parent}/shown') == f"xdg-open opens {desktop.parent}"
    assert (desktop.parent / "shown").read_text().strip() == str(desktop.parent)


def test_without_a_file_manager_the_path_is_told(desktop: Path) -> None:
    """A program that fails, as it does without a screen, leaves the user with the path."""
    assert str(desktop.parent) in told_of(desktop, "exit 3").removeprefix("there is no desktop here: ")


def test_a_file_manager_that_stays_leaves_no_zombie(desktop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may stay as long as it likes; its end is noticed whenever it comes."""
    monkeypatch.setattr(results, "_FAILS_WITHIN_S", 0.05)
    before = {child.pid for child in psutil.Process().children()}
    assert told_of(desktop, "sleep 0.4").startswith("xdg-open opens")
    for thread in threading.enumerate():
        if thread.name == "wait for xdg-open":
            thread.join(30.0)
    assert not {child.pid for child in psutil.Process().children()} - before
