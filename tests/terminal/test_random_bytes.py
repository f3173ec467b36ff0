"""Bytes that no keyboard sends, for the whole workbench in a real terminal; for minutes of it see `random_bytes`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.terminal.random_bytes import Sitting

pytestmark = pytest.mark.terminal

SECONDS = float(os.environ.get("OPENHCS_BYTES_SECONDS", "4"))


def test_whatever_bytes_come_the_terminal_is_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers, meets no error of its own, leaves no process behind, and the run beside it goes on."""
    monkeypatch.syspath_prepend(str(tmp_path))  # where the run's function is
    monkeypatch.chdir(tmp_path)
    figures = Sitting(tmp_path, seed=1).play(SECONDS)
    assert figures.bursts > 0
