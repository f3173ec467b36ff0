"""The checker: paths in, report out."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from openhcs.verify.findings import Finding
from openhcs.verify.model import Module
from openhcs.verify.program import Program
from openhcs.verify.rules import RULES, Settings
from openhcs.verify.sources import Unreadable, find_files, parse_file, silenced

__all__ = ["Report", "check", "check_modules"]


@dataclass(frozen=True)
class Report:
    """What a check found."""

    findings: list[Finding]
    silenced: list[Finding] = field(default_factory=list)
    """What `# noqa` comments speak for."""
    unreadable: list[Unreadable] = field(default_factory=list)
    files: int = 0
    lines: int = 0
    modules: Sequence[Module] = ()
    program: Program | None = None


def check(
    paths: Sequence[Path],
    *,
    codes: Iterable[str] = RULES,
    settings: Settings | None = None,
    is_excluded: Callable[[Path], bool] = lambda path: False,
    is_ignored: Callable[[Path, str], bool] = lambda path, code: False,
) -> Report:
    """Check the files under `paths` with the rules `codes`. `is_ignored(path, code)` leaves findings of files out."""
    with _no_collection():
        modules: list[Module] = []
        unreadable: list[Unreadable] = []
        for root, path in find_files(paths, is_excluded):
            parsed = parse_file(root, path)
            if isinstance(parsed, Module):
                modules.append(parsed)
            else:
                unreadable.append(parsed)
        return check_modules(modules, unreadable, codes=codes, settings=settings, is_ignored=is_ignored)


@contextmanager
def _no_collection() -> Iterator[None]:
    """No search for garbage: trees are many small objects that live to the end, and it takes half the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            if gc.get_freeze_count() == 0:  # what a caller has set aside is his
                gc.freeze()  # makes all old: else the next new object would set off a search through all that is new
                gc.unfreeze()
            gc.enable()


def check_modules(
    modules: Sequence[Module],
    unreadable: Sequence[Unreadable] = (),
    *,
    codes: Iterable[str] = RULES,
    settings: Settings | None = None,
    is_ignored: Callable[[Path, str], bool] = lambda path, code: False,
) -> Report:
    """Check what was parsed already."""
    with _no_collection():
        program = Program(modules)
        found = _unique(program, codes, settings or Settings(), is_ignored)
    shown, hidden = _split(found, modules)
    lines = sum(module.text.count("\n") for module in modules)
    return Report(shown, hidden, [*unreadable], len(modules) + len(unreadable), lines, modules, program)


def _unique(
    program: Program, codes: Iterable[str], settings: Settings, is_ignored: Callable[[Path, str], bool]
) -> list[Finding]:
    """Findings in order, one for a code and place."""
    found: dict[tuple[object, ...], Finding] = {}
    for code in codes:
        for finding in RULES[code].check(program, settings):
            if not is_ignored(finding.place.path, finding.code):
                found.setdefault(finding.sort_key, finding)
    return [found[key] for key in sorted(found)]


def _split(findings: Sequence[Finding], modules: Sequence[Module]) -> tuple[list[Finding], list[Finding]]:
    """What is to be told, and what a `# noqa` on its first or last line silences."""
    texts = {module.path: module for module in modules}
    comments = {path: silenced(texts[path].text.splitlines()) for path in {finding.place.path for finding in findings}}
    shown: list[Finding] = []
    hidden: list[Finding] = []
    for finding in findings:
        on = comments[finding.place.path]
        lines = (
            {finding.place.line, finding.place.end_line}
            if finding.place.end_line - finding.place.line < 20
            else {finding.place.line}
        )
        silence = [on[line] for line in lines if line in on]
        (hidden if any(item.covers(finding.code) for item in silence) else shown).append(finding)
    return shown, hidden
