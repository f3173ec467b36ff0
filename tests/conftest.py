"""Fixtures that more than one part of the tests needs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def plates_folder() -> Path:
    """The folder of real plates: `OPENHCS_TEST_DATA`, or `shared/data` beside the checkout."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("OPENHCS_TEST_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no real plates at {folder}; set OPENHCS_TEST_DATA to their folder")
    return folder
