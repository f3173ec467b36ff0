"""The page of each rule, as Markdown. Standard library only."""

from __future__ import annotations

from pathlib import Path

from openhcs.verify.config import UsageError
from openhcs.verify.rules import RULES

__all__ = ["page"]

# Installed, the pages are beside this file; in a checkout they are where readers look for them.
_FOLDERS = (Path(__file__).parent / "pages", Path(__file__).parents[2] / "docs" / "verify")


def page(code: str) -> str:
    """What a rule finds, why that hurts, how to mend it and when to silence it."""
    code = code.upper()
    if code not in RULES:
        raise UsageError(f"--explain: {code}; expected one of {', '.join(RULES)}.")
    for folder in _FOLDERS:
        file = folder / f"{code}.md"
        if file.is_file():
            return file.read_text(encoding="utf-8")
    return f"# {code} {RULES[code].name}\n\n{RULES[code].summary}\n"
