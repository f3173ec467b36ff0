"""What a rule finds: a place, a sentence, the places that explain it, and what a fixer needs to know."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Finding", "Place", "Related"]


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A range of a file as `ast` counts: lines from 1, columns in UTF-8 bytes from 0, the end exclusive."""

    path: Path
    line: int
    column: int
    end_line: int
    end_column: int

    @classmethod
    def of(cls, path: Path, node: ast.AST) -> Place:
        """Where `node` stands; a whole module is its first line."""
        line = getattr(node, "lineno", 1)
        column = getattr(node, "col_offset", 0)
        return cls(path, line, column, getattr(node, "end_lineno", line), getattr(node, "end_col_offset", column))


@dataclass(frozen=True, slots=True)
class Related:
    """A place that explains a finding, with what happens there."""

    place: Place
    message: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault. `data` holds what a fixer needs and cannot read off `place`: its keys are the rule's own."""

    code: str
    place: Place
    message: str
    related: tuple[Related, ...] = ()
    context: str = ""
    """The qualified name of the function around it: part of what makes a finding the same after lines have moved."""
    data: Mapping[str, str] = field(default_factory=dict)

    @property
    def sort_key(self) -> tuple[Path, int, int, str]:
        """By place, then code."""
        return self.place.path, self.place.line, self.place.column, self.code
