"""How many colours the terminal has, told by its environment where prompt_toolkit would guess.

prompt_toolkit takes 256 for granted unless NO_COLOR or its own PROMPT_TOOLKIT_COLOR_DEPTH says otherwise. Here
COLORTERM, by which terminals announce true colour, is believed as well, except inside GNU screen: that passes the
variable on from the terminal outside, and takes the colours themselves for underlines and blinking. Terminals from
before there were colours get none, and those that know eight of them no more than prompt_toolkit's sixteen.
Checked by tests/tui/utils/test_colour_depth.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from prompt_toolkit.output import ColorDepth

from openhcs.tui.utils.screen_output import is_gnu_screen

__all__ = ["colour_depth"]

_WITHOUT_COLOUR: Final = ("vt100", "vt102", "vt220", "vt320", "vt420", "xterm-mono")
_BASIC_COLOURS: Final = ("ansi", "cygwin", "linux", "pcansi", "rxvt")

_FEW_COLOURS: Final = ("-color", "-8color", "-16color", "-88color")
"""Ends of names such as xterm-16color and Eterm-color."""


def colour_depth(environment: Mapping[str, str]) -> ColorDepth | None:
    """What to draw with; None leaves it to prompt_toolkit."""
    wanted = environment.get("PROMPT_TOOLKIT_COLOR_DEPTH")
    if wanted in {depth.value for depth in ColorDepth}:
        return ColorDepth(wanted)
    term = environment.get("TERM", "")
    if environment.get("NO_COLOR") or term in _WITHOUT_COLOUR:
        return ColorDepth.DEPTH_1_BIT
    if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit") and not is_gnu_screen(environment):
        return ColorDepth.DEPTH_24_BIT
    return ColorDepth.DEPTH_4_BIT if term in _BASIC_COLOURS or term.endswith(_FEW_COLOURS) else None
