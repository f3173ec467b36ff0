"""What a fix consists of: which node becomes which text. Standard library only."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from openhcs.verify.findings import Finding
from openhcs.verify.model import Module

__all__ = ["Edit", "Fix", "Kind", "NotRewritten", "Safety"]


class NotRewritten(Exception):
    """A file cannot be rewritten; the message says why."""


class Safety(Enum):
    """Whether a fix keeps what the program means."""

    SAFE = "safe"
    UNSAFE = "unsafe"


class Kind(Enum):
    """What happens to the node of an edit."""

    EXPRESSION = "expression"
    """The expression becomes the text."""
    STATEMENT = "statement"
    """The statement becomes the text."""
    UNASSIGN = "unassign"
    """The assignment becomes a statement of its value."""
    REMOVE = "remove"
    """The statement goes; a block that would be empty gets a `pass`."""
    AROUND = "around"
    """The statement is put under an `if` with the text as its condition."""
    BEFORE = "before"
    """The text is a new statement before it."""
    AFTER = "after"
    """The text is a new statement behind it."""
    ARGUMENT = "argument"
    """The text is a new last argument of the call."""
    ADD_NAME = "add name"
    """The text is one more name that the import statement imports."""
    DROP_NAME = "drop name"
    """The import statement binds the name of the text no more."""


INSERTIONS = frozenset({Kind.BEFORE, Kind.AFTER, Kind.ADD_NAME, Kind.DROP_NAME})
"""Edits that leave the node itself as it is, and go together with others at the same place."""


@dataclass(frozen=True)
class Edit:
    """One change at one node. `$name` in the text stands for a node of the file, which is taken over as it is."""

    kind: Kind
    at: ast.expr | ast.stmt
    text: str = ""
    holes: Mapping[str, ast.expr] = field(default_factory=dict)

    @property
    def lines(self) -> range:
        """The lines of what it replaces."""
        return range(self.at.lineno, (self.at.end_lineno or self.at.lineno) + 1)

    def overlaps(self, other: Edit) -> bool:
        """Whether both change the same characters."""
        if self.kind in INSERTIONS or other.kind in INSERTIONS:
            return False
        return _begin(self.at) < _end(other.at) and _begin(other.at) < _end(self.at)

    def is_same(self, other: Edit) -> bool:
        """Whether both say the same; they need not be made twice."""
        return self.kind is other.kind and self.at is other.at and self.text == other.text


def _begin(node: ast.expr | ast.stmt) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _end(node: ast.expr | ast.stmt) -> tuple[int, int]:
    return node.end_lineno or node.lineno, node.end_col_offset or node.col_offset


@dataclass(frozen=True)
class Fix:
    """How one finding is mended: edits of one file, which are made together or not at all."""

    finding: Finding
    safety: Safety
    module: Module
    edits: tuple[Edit, ...]
