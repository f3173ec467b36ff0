"""The help text, drawn from the binding rows of where the focus stands and of the whole workbench."""

from __future__ import annotations

from collections.abc import Sequence

from openhcs.core.model import Status
from openhcs.tui.widgets.bindings import Binding, key_name

__all__ = ["help_lines"]

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
    keys = {row: ", ".join(key_name(key) for key in row.keys) for _, rows in groups for row in rows}
    width = max(len(text) for text in keys.values())
    lines: list[str] = []
    for title, rows in groups:
        lines += [title, *(f"  {keys[row]:<{width}}  {row.description}" for row in rows), ""]
    lines += ["What the symbols before a plate mean"]
    lines += [f"  {status.value:<{width}}  {meaning}" for status, meaning in _LEGEND]
    return lines
