"""Whether a plate's folder is still there as a whole: a drive that went away is one thing to tell, not one an image."""

from __future__ import annotations

import os
from pathlib import Path

from openhcs.errors import PlateLostError

__all__ = ["lost_plate"]


def lost_plate(root: Path) -> PlateLostError | None:
    """What is wrong with the plate's folder as a whole, if so: then not one image is missing, but all."""
    try:
        with os.scandir(root) as entries:
            next(entries, None)
    except OSError as error:
        lost = PlateLostError(
            f"the plate's folder is gone: {root} ({error.strerror}); expected the folder that was indexed. See that "
            "the disk or the network drive it is on is there, and run again; finished wells are kept."
        )
        lost.__cause__ = error
        return lost
    return None
