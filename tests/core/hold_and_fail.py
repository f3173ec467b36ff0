"""Processing functions that misbehave on purpose, as a user's module would be written.

What they do is told by the image: a plane whose pixels are all 7 holds its worker until it is killed, one whose pixels
are all 9 makes the function raise.
"""

from __future__ import annotations

import threading

import numpy as np

from openhcs.processing.types import Image

__all__ = ["hold_or_fail"]


def hold_or_fail(image: Image) -> Image:
    """Hold for ever on 7, raise on 9, and otherwise change nothing."""
    if np.all(image == 7):
        threading.Event().wait()
    if np.all(image == 9):
        raise ZeroDivisionError("a plane of nines")
    return image
