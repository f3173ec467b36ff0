"""Static rules for asyncio and prompt_toolkit programs.

`check(paths)` reads files, never runs them, and returns a `Report` of `Finding`s; `openhcs verify` is the same as a
command. How it works: `sources` finds and parses files, `indexer` makes a symbol table of each (`model`), `inference`
says what an expression may be (`values`, with what `library` knows of asyncio and prompt_toolkit), `graph` who sets
whom going, and `rules` ask these. A finding carries its exact place and, in `data`, what a fixer needs.

Standard library only, and nothing else of this project.
"""

from __future__ import annotations

from openhcs.verify.check import Report, check
from openhcs.verify.findings import Finding, Place, Related
from openhcs.verify.rules import RULES, Rule, Settings

__all__ = ["RULES", "Finding", "Place", "Related", "Report", "Rule", "Settings", "check"]
