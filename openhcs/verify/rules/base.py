"""What a rule is. Standard library only."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from openhcs.verify.findings import Finding
from openhcs.verify.program import Program

__all__ = ["Check", "Rule", "Settings"]


@dataclass(frozen=True)
class Settings:
    """What a project tells the rules. Modules and functions are dotted names; `*` stands for any text."""

    owner: tuple[str, ...] = ()
    """The modules that may start tasks; none: anybody may."""
    blocking: tuple[str, ...] = ()
    """Functions that block the event loop."""

    @cached_property
    def _owner(self) -> re.Pattern[str]:
        return _pattern(self.owner)

    @cached_property
    def _blocking(self) -> re.Pattern[str]:
        return _pattern(self.blocking)

    def is_owner(self, module: str) -> bool:
        """Whether a module may start tasks."""
        return self._owner.fullmatch(module) is not None

    def is_blocking(self, function: str) -> bool:
        """Whether a function blocks the event loop."""
        return self._blocking.fullmatch(function) is not None


def _pattern(names: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(name).replace(r"\*", ".*") for name in names) or r"(?!)")


Check = Callable[[Program, Settings], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of fault: its code, a name, one line about it, and how it is found."""

    code: str
    name: str
    summary: str
    check: Check
