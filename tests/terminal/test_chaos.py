"""Whatever keys, clicks, resizes, stops and faults come in whatever order, the core bears it; see `chaos_run`."""

from __future__ import annotations

import pytest

from tests.terminal.chaos_run import ENDINGS, Figures, play, report

pytestmark = pytest.mark.terminal

ACTIONS = 50


@pytest.mark.parametrize(
    "seed", range(12, 12 + len(ENDINGS)), ids=lambda seed: f"{seed}-{ENDINGS[seed % len(ENDINGS)]}"
)
def test_a_life_of_faults(seed: int) -> None:
    """It answers, tells each fault once, keeps the focus in the topmost dialog, and gives the terminal back."""
    figures = Figures()
    broken = play(seed, ACTIONS, figures)
    assert broken is None, report(seed, ACTIONS, broken)
    assert figures.faults > 0
