"""Plans, rewrites in memory and checks again, until nothing is left that can be fixed.

Fixes that touch the same characters wait for the next round. A fix after which its finding is still there, or that
brings another one, is taken back, and its kind is not tried again in that file; so the rounds end, and a second run
changes nothing. Standard library only; LibCST comes with `rewrite`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from openhcs.verify.check import Report, check_modules
from openhcs.verify.findings import Finding
from openhcs.verify.fix.context import Context
from openhcs.verify.fix.edits import Edit, Fix, NotRewritten, Safety
from openhcs.verify.fix.files import Change
from openhcs.verify.fix.table import PLANNERS
from openhcs.verify.fix.targets import Replacements
from openhcs.verify.fix.unused import names_in, unused_imports
from openhcs.verify.model import Module
from openhcs.verify.rules import RULES, Settings
from openhcs.verify.sources import decoded, normalised, parse_text

__all__ = ["Fixed", "fix"]

_ROUNDS = 40


@dataclass(frozen=True)
class Fixed:
    """What fixing came to; nothing is written yet."""

    report: Report
    """What is found when all changes are made."""
    changes: list[Change] = field(default_factory=list)
    fixed: Counter[str] = field(default_factory=Counter)
    """How many findings of each code are mended."""
    offered: int = 0
    """How many more `--unsafe-fixes` would mend."""
    left_alone: dict[Path, str] = field(default_factory=dict)
    """Files that could not be changed, and why."""


@dataclass
class _File:
    """A file while it is being fixed."""

    module: Module
    before: bytes
    encoding: str
    text: str


def fix(
    report: Report,
    *,
    unsafe: bool = False,
    codes: Iterable[str] = RULES,
    settings: Settings | None = None,
    replacements: Replacements | None = None,
    is_ignored: Callable[[Path, str], bool] = lambda path, code: False,
    wanted: Callable[[Report], Sequence[Finding]] = lambda report: report.findings,
) -> Fixed:
    """Mend the findings of a report that are `wanted`, the safe way, or with `unsafe` in any way there is."""
    rounds = _Rounds(report, unsafe, tuple(codes), settings or Settings(), replacements or Replacements(), is_ignored)
    return rounds.run(wanted)


class _Rounds:
    def __init__(
        self,
        report: Report,
        unsafe: bool,
        codes: Sequence[str],
        settings: Settings,
        replacements: Replacements,
        is_ignored: Callable[[Path, str], bool],
    ) -> None:
        self._report = report
        self._unsafe = unsafe
        self._codes = codes
        self._settings = settings
        self._replacements = replacements
        self._is_ignored = is_ignored
        self._files: dict[Path, _File] = {}
        self._fixed: Counter[str] = Counter()
        self._left_alone: dict[Path, str] = {}
        self._given_up: set[tuple[Path, str]] = set()
        self._one_by_one: set[Path] = set()

    def run(self, wanted: Callable[[Report], Sequence[Finding]]) -> Fixed:
        offered = 0
        for _ in range(_ROUNDS):
            plans = self._planned(wanted(self._report))
            allowed = [plan for plan in plans if self._unsafe or plan.safety is Safety.SAFE]
            offered = len(plans) - len(allowed)
            chosen = self._chosen(allowed)
            if not chosen:
                break
            self._try(chosen)
        changes = [
            Change(path, file.before, file.text.encode(file.encoding))
            for path, file in sorted(self._files.items())
            if file.text.encode(file.encoding) != file.before
        ]
        return Fixed(self._report, changes, self._fixed, offered, self._left_alone)

    def _planned(self, findings: Sequence[Finding]) -> list[Fix]:
        program = self._report.program
        if program is None:
            return []
        context = Context(program, self._replacements, self._settings)
        plans = [PLANNERS[finding.code](context, finding) for finding in findings if finding.code in PLANNERS]
        return [
            plan
            for plan in plans
            if plan is not None
            and plan.module.path not in self._left_alone
            and (plan.module.path, plan.finding.code) not in self._given_up
        ]

    def _chosen(self, plans: Sequence[Fix]) -> dict[Path, list[Fix]]:
        """The fixes of each file that can be made together."""
        chosen: dict[Path, list[Fix]] = {}
        for plan in plans:
            path = plan.module.path
            taken = chosen.setdefault(path, [])
            if path in self._one_by_one and taken and plan.finding.code != taken[0].finding.code:
                continue
            others = [edit for fix in taken for edit in fix.edits]
            if all(edit.is_same(other) or not edit.overlaps(other) for edit in plan.edits for other in others):
                taken.append(plan)
        return chosen

    # -- one round -----------------------------------------------------------------------------------------------

    def _try(self, chosen: dict[Path, list[Fix]]) -> None:
        """Rewrite files; those of which the checker does not think better are put back."""
        old: dict[Path, tuple[Module, str]] = {}
        for path, fixes in chosen.items():
            try:
                file = self._file(fixes[0].module)
                module, text = self._rewritten(file, fixes)
            except NotRewritten as error:
                self._left_alone[path] = str(error)
                continue
            old[path] = file.module, file.text
            file.module, file.text = module, text
        if not old:
            return
        before = _counts(self._report)
        report = self._checked({path: self._files[path].module for path in old})
        after = _counts(report)
        worse = [path for path in old if not _is_better(chosen[path], before, after)]
        if worse:
            for path in worse:
                self._give_up(path, {fix.finding.code for fix in chosen[path]})
                self._files[path].module, self._files[path].text = old[path]
            report = self._report
            if len(worse) < len(old):
                report = self._checked({path: self._files[path].module for path in old})
        for path in old.keys() - set(worse):
            self._fixed.update(fix.finding.code for fix in chosen[path])
        self._report = report

    def _give_up(self, path: Path, codes: set[str]) -> None:
        if len(codes) == 1:
            self._given_up |= {(path, code) for code in codes}
        else:
            self._one_by_one.add(path)

    def _file(self, module: Module) -> _File:
        path = module.path
        if path not in self._files:
            try:
                data = path.read_bytes()
                text, encoding = decoded(data)
            except (OSError, ValueError, LookupError, SyntaxError) as error:
                raise NotRewritten(f"cannot be read again: {error}") from error
            if normalised(text) != module.text:
                raise NotRewritten("has changed since it was read")
            self._files[path] = _File(module, data, encoding, text)
        return self._files[path]

    def _rewritten(self, file: _File, fixes: Sequence[Fix]) -> tuple[Module, str]:
        from openhcs.verify.fix.rewrite import rewritten  # LibCST takes 0.15 s to import, and may not be installed

        edits = _unique(edit for fix in fixes for edit in fix.edits)
        text = rewritten(file.text, edits)
        module = self._parsed(file, text)
        unused = unused_imports(module, names_in(edits), self._report.modules)
        if unused:
            text = rewritten(text, unused)
            module = self._parsed(file, text)
        try:
            text.encode(file.encoding)
        except UnicodeEncodeError as error:
            raise NotRewritten(f"what it would hold cannot be written in {file.encoding}") from error
        return module, text

    @staticmethod
    def _parsed(file: _File, text: str) -> Module:
        module = parse_text(file.module.path, file.module.name, normalised(text), file.module.inside)
        if not isinstance(module, Module):
            raise NotRewritten(f"would not parse with its fixes: {module.reason}")
        return module

    def _checked(self, changed: dict[Path, Module]) -> Report:
        modules = [changed.get(module.path, module) for module in self._report.modules]
        return check_modules(
            modules,
            self._report.unreadable,
            codes=self._codes,
            settings=self._settings,
            is_ignored=self._is_ignored,
        )


def _unique(edits: Iterable[Edit]) -> list[Edit]:
    found: list[Edit] = []
    for edit in edits:
        if not any(edit.is_same(other) for other in found):
            found.append(edit)
    return found


def _counts(report: Report) -> Counter[tuple[Path, str]]:
    return Counter((finding.place.path, finding.code) for finding in report.findings)


def _is_better(fixes: Sequence[Fix], before: Counter[tuple[Path, str]], after: Counter[tuple[Path, str]]) -> bool:
    """Whether what was fixed is found no more, and nothing else is found in the file that was not before."""
    expected = before.copy()
    expected.subtract((fix.finding.place.path, fix.finding.code) for fix in fixes)
    paths = {fix.module.path for fix in fixes} | {fix.finding.place.path for fix in fixes}
    return all(after[key] <= expected[key] for key in expected.keys() | after.keys() if key[0] in paths)
