"""Putting something into the user's clipboard, by the terminal; each says in words what came of it."""

from __future__ import annotations

from prompt_toolkit.application import get_app

from openhcs.tui.utils.safe_text import visible
from openhcs.tui.utils.terminal_clipboard import copy_to_terminal

__all__ = ["copy_path", "copy_text"]


def copy_text(text: str) -> str:
    """Copy `text`, and say whether the terminal took it."""
    return "copied" if _is_taken(text) else "this terminal has no clipboard"


def copy_path(path: str) -> str:
    """Copy `path`, and say so; where that cannot be done, say the path."""
    return f"copied {visible(path)}" if _is_taken(path) else f"the path is {visible(path)}"


def _is_taken(text: str) -> bool:
    return copy_to_terminal(get_app().output, text) > 0
