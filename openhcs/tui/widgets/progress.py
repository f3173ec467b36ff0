"""Progress as text: a bar, a spinner, a duration. Pure functions of numbers.

Standard library only; anybody may import this.
"""

from __future__ import annotations

import math
from typing import Final

__all__ = ["bar", "duration_text", "spinner"]

_EIGHTHS: Final = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")
_SPINNER: Final = "|/-\\"


def bar(fraction: float, width: int, ascii: bool = False) -> str:
    """A bar of exactly `width` cells, filled to `fraction` (0 to 1; beyond is cut, not a number is empty).

    The bar looks full only when the work is done, and looks begun as soon as it has begun.
    """
    if width <= 0:
        return ""
    done = 0.0 if math.isnan(fraction) else min(max(fraction, 0.0), 1.0)
    if ascii:
        filled = _steps(done, width)
        return "#" * filled + "-" * (width - filled)
    full, rest = divmod(_steps(done, width * 8), 8)
    drawn = "█" * full + _EIGHTHS[rest]
    return drawn + "░" * (width - len(drawn))


def _steps(fraction: float, count: int) -> int:
    if fraction in (0.0, 1.0):
        return int(fraction * count)
    return min(max(round(fraction * count), 1), max(count - 1, 1))


def spinner(elapsed_s: float) -> str:
    """One character that turns with time, about eight steps a second."""
    return _SPINNER[int(elapsed_s * 8) % len(_SPINNER)]


def duration_text(seconds: float) -> str:
    """A duration in its two largest units: `0.4 s`, `12 s`, `1 min 05 s`, `2 h 03 min`, `3 d 04 h`."""
    if not math.isfinite(seconds):
        return "?"
    seconds = max(seconds, 0.0)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest_s = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest_s} s"
    hours, minutes = divmod(minutes, 60)
    if hours == 0:
        return f"{minutes} min {rest_s:02d} s"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours:02d} h" if days else f"{hours} h {minutes:02d} min"
