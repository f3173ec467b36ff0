"""How many colours are drawn with, by what the environment says."""

from __future__ import annotations

import pytest
from prompt_toolkit.output import ColorDepth

from openhcs.tui.utils.colour_depth import colour_depth


@pytest.mark.parametrize(
    ("environment", "depth"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, ColorDepth.DEPTH_24_BIT),
        ({"TERM": "tmux-256color", "COLORTERM": "24bit"}, ColorDepth.DEPTH_24_BIT),
        ({"TERM": "xterm-256color"}, None),
        ({"TERM": "screen", "COLORTERM": "truecolor", "STY": "1.pts"}, None),
        (
            {"TERM": "tmux-256color", "COLORTERM": "truecolor", "STY": "1.pts", "TMUX": "/tmp/x"},
            ColorDepth.DEPTH_24_BIT,
        ),
        ({"TERM": "ansi"}, ColorDepth.DEPTH_4_BIT),
        ({"TERM": "rxvt"}, ColorDepth.DEPTH_4_BIT),
        ({"TERM": "rxvt-unicode"}, None),
        ({"TERM": "xterm-16color"}, ColorDepth.DEPTH_4_BIT),
        ({"TERM": "Eterm-color"}, ColorDepth.DEPTH_4_BIT),
        ({"TERM": "vt100"}, ColorDepth.DEPTH_1_BIT),
        ({"TERM": "vt220", "COLORTERM": "truecolor"}, ColorDepth.DEPTH_1_BIT),
        ({"NO_COLOR": "1", "COLORTERM": "truecolor"}, ColorDepth.DEPTH_1_BIT),
        ({"PROMPT_TOOLKIT_COLOR_DEPTH": "DEPTH_4_BIT", "NO_COLOR": "1"}, ColorDepth.DEPTH_4_BIT),
    ],
)
def test_true_colour_is_drawn_where_it_is_announced(environment: dict[str, str], depth: ColorDepth | None) -> None:
    """COLORTERM is believed but in GNU screen, old terminals get few colours or none, and what the user says wins."""
    assert colour_depth(environment) is depth
