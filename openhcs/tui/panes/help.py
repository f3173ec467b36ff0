"""The help text, drawn from the binding rows of where the focus stands and of the whole workbench."""

from __future__ import annotations

from collections.abc import Sequence

from openhcs.core.model import Status
from openhcs.tui.widgets.bindings import Binding, key_name

__all__ = ["help_lines", "key_lines"]

_LEGEND = (
    (Status.ADDED, "added, not yet initialised"),
    (Status.INITIALISED, "initialised: its images are known"),
    (Status.COMPILED, "compiled with this pipeline: ready to run"),
    (Status.RUNNING, "running"),
    (Status.FINISHED, "finished"),
    (Status.FAILED, "failed, or some of its wells did"),
)


def help_lines(groups: Sequence[tuple[str, Sequence[Binding]]]) -> list[str]:
    """One line for each row of each group, keys aligned over all of them, and the legend of the status symbols."""
    width = _width(groups)
    symbols = [f"  {status.value:<{width}}  {meaning}" for status, meaning in _LEGEND]
    return [*key_lines(groups), "", "What the symbols before a plate mean", *symbols]


def key_lines(groups: Sequence[tuple[str, Sequence[Binding]]]) -> list[str]:
    """One line for each row of each group, keys aligned over all of them."""
    width = _width(groups)
    lines: list[str] = []
    for title, rows in groups:
        lines += [title, *(f"  {_keys(row):<{width}}  {row.description}" for row in rows), ""]
    return lines[:-1]


def _width(groups: Sequence[tuple[str, Sequence[Binding]]]) -> int:
    return max(len(_keys(row)) for _, rows in groups for row in rows)


def _keys(row: Binding) -> str:
    return ", ".join(key_name(key) for key in row.keys)
