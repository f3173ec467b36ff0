"""Paths that metadata gives, kept inside the plate.

A file's text is not a decision of the user's: `../../etc/passwd`, an absolute path, or a name that is a link to
somewhere else would have us open a file that nobody chose. So such a path must be a plain relative one, and what it
leads to, links followed, must lie in the plate. Links that the user made in place of the whole plate, or of its folder
of images, are the plate. Names found by listing a folder are not metadata. Standard library only; formats import this.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["LeadsOutError", "check_inside", "plain_path"]


class LeadsOutError(Exception):
    """A path leads out of the plate; the text says how."""


def plain_path(text: str) -> str:
    """The relative path that `text` gives, with `/` between folders; raises `LeadsOutError`.

    Backslashes are taken for `/`, as the microscope's computer would.
    """
    parts = [part for part in text.replace("\\", "/").split("/") if part != "."]
    if not parts or not all(parts) or ".." in parts:
        raise LeadsOutError(f"expected a path within the plate's folder, got {text}")
    if ":" in text or "\0" in text:
        raise LeadsOutError(f"expected a path within the plate's folder, not an address or a drive, got {text}")
    return "/".join(parts)


def check_inside(path: Path, *folders: Path) -> None:
    """Raise `LeadsOutError` unless `path`, links followed, lies in one of `folders`, links followed."""
    place = os.path.realpath(path)
    tops = [os.path.realpath(folder) for folder in folders]
    if not any(os.path.commonpath((top, place)) == top for top in tops):
        raise LeadsOutError(f"{path.name} is a link out of the plate, to {place}")
