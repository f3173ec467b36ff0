"""The part of the command that fixes: `--fix`, `--unsafe-fixes`, `--diff`. Standard library only."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Callable, Sequence

from openhcs.verify.check import Report, check_modules
from openhcs.verify.config import Config, UsageError
from openhcs.verify.findings import Finding
from openhcs.verify.fix.files import Change, NotWritten
from openhcs.verify.fix.rounds import Fixed, fix
from openhcs.verify.fix.targets import Replacements
from openhcs.verify.output import Writer

__all__ = ["fix_report"]


def fix_report(
    report: Report,
    wanted: Callable[[Report], Sequence[Finding]],
    config: Config,
    codes: Sequence[str],
    options: argparse.Namespace,
    writer: Writer,
) -> tuple[Report, bool]:
    """Mend what is `wanted`, in the files or on standard output; what is found then, and whether anything changed."""
    if importlib.util.find_spec("libcst") is None:
        raise UsageError("--fix: LibCST is not installed; expected it beside the checker. pip install 'openhcs[fix]'.")
    fixed = fix(
        report,
        unsafe=options.unsafe_fixes,
        codes=codes,
        settings=config.settings,
        replacements=Replacements.of(config),
        is_ignored=config.is_ignored,
        wanted=wanted,
    )
    for path, reason in fixed.left_alone.items():
        sys.stderr.write(f"{writer.path(path)}: not fixed: {reason}\n")
    if options.diff:
        for change in fixed.changes:
            sys.stdout.write(change.diff(writer.path(change.path)))
        sys.stderr.write(f"{_told(fixed, 'would be fixed')}\n")
        return report, bool(fixed.changes)
    unwritten = [change for change in fixed.changes if not _is_written(change, writer)]
    if options.format == "text":
        sys.stderr.write(f"{_told(fixed, 'fixed')}\n")
    if not unwritten:
        return fixed.report, bool(fixed.changes)
    # What stands in the files that could not be written is found as before.
    old = {module.path: module for module in report.modules}
    kept = {change.path for change in unwritten}
    modules = [old[module.path] if module.path in kept else module for module in fixed.report.modules]
    left = check_modules(
        modules, report.unreadable, codes=codes, settings=config.settings, is_ignored=config.is_ignored
    )
    return left, len(unwritten) < len(fixed.changes)


def _is_written(change: Change, writer: Writer) -> bool:
    try:
        change.write()
    except NotWritten as reason:
        sys.stderr.write(f"{writer.path(change.path)}: not fixed: it {reason}\n")
        return False
    return True


def _told(fixed: Fixed, verb: str) -> str:
    count, files = fixed.fixed.total(), len(fixed.changes)
    more = f"; {fixed.offered} more by --unsafe-fixes" if fixed.offered else ""
    return f"{count} {verb} in {files} file{'s' * (files != 1)}{more}"
