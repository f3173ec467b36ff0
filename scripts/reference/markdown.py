"""The little Markdown that the reference is made of."""

from __future__ import annotations

from collections.abc import Sequence

NOTE = "<!-- Written by `make reference` from the code; changes made here are lost. -->"


def page(title: str, *parts: str) -> str:
    """A page: its title, a note that it is generated, and its parts with empty lines between."""
    return "\n\n".join([f"# {title}", NOTE, *(part.strip("\n") for part in parts if part)]) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; its cells must be free of line breaks and unescaped bars, as `cell` makes them."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(text: str) -> str:
    """A text that may stand in a table."""
    return " ".join(text.split()).replace("|", "\\|")
