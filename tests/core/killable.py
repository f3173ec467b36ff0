"""A processing function as users write them when they call a program of their own; it does not look after it."""

from __future__ import annotations

import subprocess

from openhcs.processing.types import Image

__all__ = ["leave_program"]

_left: list[subprocess.Popen[bytes]] = []


def leave_program(image: Image) -> Image:
    """Start a program that goes on for hours, in a session of its own, and change nothing."""
    _left.append(subprocess.Popen(["sleep", "36000"], start_new_session=True))
    return image
