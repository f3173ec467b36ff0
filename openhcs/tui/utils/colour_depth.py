"""How many colours the terminal has, told by its environment where prompt_toolkit would guess.

prompt_toolkit takes 256 for granted unless NO_COLOR or its own PROMPT_TOOLKIT_COLOR_DEPTH says otherwise. Here
COLORTERM, by which terminals announce true colour, is believed as well, and terminals from before there were colours
get none. Checked by tests/tui/utils/test_colour_depth.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from prompt_toolkit.output import ColorDepth

__all__ = ["colour_depth"]

_WITHOUT_COLOUR: Final = ("vt52", "vt100", "vt102", "vt220", "vt320", "xterm-mono")


def colour_depth(environment: Mapping[str, str]) -> ColorDepth | None:
    """What to draw with; None leaves it to prompt_toolkit."""
    wanted = environment.get("PROMPT_TOOLKIT_COLOR_DEPTH")
    if wanted in {depth.value for depth in ColorDepth}:
        return ColorDepth(wanted)
    if environment.get("NO_COLOR") or environment.get("TERM", "") in _WITHOUT_COLOUR:
        return ColorDepth.DEPTH_1_BIT
    if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return ColorDepth.DEPTH_24_BIT
    return None
