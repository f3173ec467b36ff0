"""The tests under strict mode: `python -m pytest -p tests.strict_plugin tests/tui`, on Python 3.12 or later.

A test in which code of the package swallows a cancellation, or forgets a coroutine, fails. Leave out test_strict.py,
which needs the places that tools have for itself, and the test of an exception that reports itself when asked for its
text, which lives at the recursion limit, where monitoring adds errors of its own and it takes for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import openhcs
from openhcs.tui.utils.strict import Strict, strict_mode


@pytest.fixture(autouse=True)
def strictly() -> Iterator[None]:
    """No code of ours swallows a cancellation."""
    errors: list[str] = []
    with strict_mode(
        lambda error, context: errors.append(f"{context}: {error}"), Strict(files=(Path(openhcs.__file__).parent,))
    ):
        yield
    assert errors == []
