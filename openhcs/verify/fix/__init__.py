"""Fixes of findings: `openhcs verify --fix`.

A planner reads the syntax tree of the checker and says what is to be changed (`edits`): which node becomes which
text, and which names have to be imported (`names`). `rewrite` changes the file by these, with LibCST, which keeps every
other character as it is. `rounds` plans, rewrites in memory, and checks again until nothing is left that can be fixed;
`files` then writes what has changed.

Deliberately absent: fixes that need to know what was meant; docs/verify/fixing.md lists them. LibCST is imported when
the first file gets a fix, and nowhere else.
"""

from __future__ import annotations

from openhcs.verify.fix.edits import Fix, Safety
from openhcs.verify.fix.rounds import Fixed, fix
from openhcs.verify.fix.targets import Replacements

__all__ = ["Fix", "Fixed", "Replacements", "Safety", "fix"]
