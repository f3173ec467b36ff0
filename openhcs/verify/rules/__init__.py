"""The rules, each a function from a program to findings, in one table.

A rule asks `Program` and `flow`, and says nothing where the answer is uncertain: a wrong finding costs more trust than
a missed one. The page of each rule is docs/verify/<code>.md.
"""

from __future__ import annotations

from openhcs.verify.rules.base import Rule, Settings
from openhcs.verify.rules.table import RULES

__all__ = ["RULES", "Rule", "Settings"]
