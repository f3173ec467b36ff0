"""The command `openhcs verify`, also `python -m openhcs.verify`.

| exit code | meaning |
|---|---|
| 0 | nothing found |
| 1 | something found |
| 2 | what was given cannot be used: an option, a setting, a path, or not one file could be read |

With `--fix` it counts what is left; with `--diff` 1 says that there is something to fix. A file that cannot be parsed
is told of on standard error, and the others are checked.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from openhcs.verify.baseline import load_baseline, new_findings, write_baseline
from openhcs.verify.check import Report, check
from openhcs.verify.config import UsageError, chosen, load_config
from openhcs.verify.explain import page
from openhcs.verify.findings import Finding
from openhcs.verify.output import FORMATS, Writer, statistics
from openhcs.verify.rules import RULES

__all__ = ["main", "parser"]


def main(arguments: Sequence[str] | None = None, program: str = "openhcs verify") -> int:
    """Run the command; the exit code."""
    options = parser(program).parse_args(arguments)
    try:
        if options.explain:
            sys.stdout.write(page(options.explain))
            return 0
        if options.list_rules:
            sys.stdout.write("".join(f"{rule.code} {rule.name:28} {rule.summary}\n" for rule in RULES.values()))
            return 0
        return _check(options)
    except UsageError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2


def parser(program: str) -> argparse.ArgumentParser:
    """What the command takes."""
    parser = argparse.ArgumentParser(
        prog=program,
        description="Find faults of asyncio and prompt_toolkit programs without running them. Settings are read from "
        "[tool.openhcs-verify] of the nearest pyproject.toml.",
        epilog="Exit code: 0 nothing found, 1 something found, 2 what was given cannot be used.",
        allow_abbrev=False,
    )
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="files and folders; by default this folder")
    parser.add_argument(
        "--select", action="append", type=_codes, metavar="CODES", help="check these rules only: HCS1,HCS401"
    )
    parser.add_argument(
        "--ignore", action="append", type=_codes, metavar="CODES", default=[], help="leave these rules out"
    )
    parser.add_argument("--format", choices=FORMATS, default="text", help="how to tell the findings (default: text)")
    parser.add_argument("--statistics", action="store_true", help="tell how many findings each rule has instead")
    parser.add_argument("--baseline", type=Path, metavar="FILE", help="leave out the findings of this file")
    parser.add_argument(
        "--write-baseline", action="store_true", help="write all findings to the file of --baseline, and end with 0"
    )
    parser.add_argument("--fix", action="store_true", help="mend what can be mended safely, and tell what is left")
    parser.add_argument(
        "--unsafe-fixes", action="store_true", help="with --fix or --diff: also mend what changes a program's behaviour"
    )
    parser.add_argument("--diff", action="store_true", help="show what --fix would change, and write nothing")
    parser.add_argument("--explain", metavar="CODE", help="print the page of a rule")
    parser.add_argument("--list-rules", action="store_true", help="list the rules")
    return parser


def _codes(text: str) -> list[str]:
    return [code.strip().upper() for code in text.split(",") if code.strip()]


def _check(options: argparse.Namespace) -> int:
    paths: list[Path] = options.paths or [Path()]
    for path in paths:
        if not path.exists():
            raise UsageError(f"path: {path}; expected a file or folder that exists.")
    config = load_config(paths[0])
    select = None if options.select is None else [code for codes in options.select for code in codes]
    codes = chosen(config, select, [code for codes in options.ignore for code in codes])
    baseline: Path | None = options.baseline or config.baseline
    if options.write_baseline and baseline is None:
        raise UsageError(
            "--write-baseline: no file; expected --baseline FILE beside it, or `baseline` in the settings."
        )
    if options.unsafe_fixes and not (options.fix or options.diff):
        raise UsageError("--unsafe-fixes: nothing to fix; expected --fix or --diff beside it.")
    report = check(
        paths, codes=codes, settings=config.settings, is_excluded=config.is_excluded, is_ignored=config.is_ignored
    )
    base = Path.cwd()
    writer = Writer(report, base)
    for item in report.unreadable:
        sys.stderr.write(f"{writer.path(item.path)}:{item.line}: {item.reason}\n")
    if report.files == 0 or len(report.unreadable) == report.files:
        raise UsageError(f"{', '.join(map(str, paths))}: no Python file that can be read. Nothing was checked.")
    new = _new(baseline) if baseline is not None and not options.write_baseline else _all
    if options.fix or options.diff:
        # Most runs fix nothing: a tenth of the start is saved.
        from openhcs.verify.fix.command import fix_report

        report, is_changed = fix_report(report, new, config, codes, options, writer)
        if options.diff:
            return 1 if is_changed else 0
    if baseline is not None and options.write_baseline:
        write_baseline(baseline, report.findings, report.modules)
        sys.stderr.write(f"{_count(report.findings)} written to {baseline}\n")
        return 0
    report = replace(report, findings=new(report))
    _tell(report, options, base)
    return 1 if report.findings else 0


def _all(report: Report) -> list[Finding]:
    return report.findings


def _new(baseline: Path) -> Callable[[Report], list[Finding]]:
    """Finds the findings of a report that a baseline does not know."""
    known = load_baseline(baseline)
    return lambda report: new_findings(known, report.findings, report.modules, baseline.absolute().parent)


def _tell(report: Report, options: argparse.Namespace, base: Path) -> None:
    if options.statistics:
        sys.stdout.write(statistics(report.findings))
    else:
        sys.stdout.write(FORMATS[options.format](Writer(report, base)))
    if options.format == "text":
        files = f"{report.files} file{'s' * (report.files != 1)}"
        sys.stderr.write(f"{_count(report.findings)} in {files}\n")


def _count(findings: Sequence[object]) -> str:
    return f"{len(findings) or 'no'} finding{'s' * (len(findings) != 1)}"
