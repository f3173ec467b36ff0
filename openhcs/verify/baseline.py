"""A baseline: findings a project knows of and does not want to hear about again.

A finding is known again by its rule, file, function and the text of its lines, not by their numbers: moving code does
not bring it back, changing it does. Standard library only.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from openhcs.verify.config import UsageError
from openhcs.verify.findings import Finding
from openhcs.verify.model import Module

__all__ = ["fingerprints", "load_baseline", "new_findings", "write_baseline"]

_VERSION = 1


def fingerprints(findings: Sequence[Finding], modules: Sequence[Module], base: Path) -> list[str]:
    """What each finding is known by. Paths count relative to `base`."""
    wanted = {finding.place.path for finding in findings}
    lines = {module.path: module.text.splitlines() for module in modules if module.path in wanted}
    found: list[str] = []
    for finding in findings:
        place = finding.place
        path = place.path.absolute()
        name = path.relative_to(base).as_posix() if path.is_relative_to(base) else path.as_posix()
        text = " ".join(" ".join(lines.get(place.path, [])[place.line - 1 : place.end_line]).split())
        parts = (finding.code, name, finding.context, text)
        found.append(hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()[:24])
    return found


def write_baseline(file: Path, findings: Sequence[Finding], modules: Sequence[Module]) -> None:
    """Write down `findings` as known, each in words beside what it is known by."""
    base = file.absolute().parent
    counts = Counter(fingerprints(findings, modules, base))
    first: dict[str, Finding] = {}
    for finding, fingerprint in zip(findings, fingerprints(findings, modules, base), strict=True):
        first.setdefault(fingerprint, finding)
    entries = {
        fingerprint: {
            "count": count,
            "code": first[fingerprint].code,
            "path": _relative(first[fingerprint].place.path, base),
            "function": first[fingerprint].context,
        }
        for fingerprint, count in counts.items()
    }
    document = {"version": _VERSION, "known": entries}
    try:
        file.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"baseline: {file}; expected a file that can be written, but {error.strerror}.") from error


def _relative(path: Path, base: Path) -> str:
    path = path.absolute()
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else path.as_posix()


def load_baseline(file: Path) -> Counter[str]:
    """How often each finding is known."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        if document["version"] != _VERSION:
            raise ValueError(f"its version is {document['version']}")
        return Counter({str(fingerprint): int(entry["count"]) for fingerprint, entry in document["known"].items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"baseline: {file}; expected a file of --write-baseline, but {error}. Write it anew with --write-baseline."
        ) from error


def new_findings(
    known: Counter[str], findings: Sequence[Finding], modules: Sequence[Module], base: Path
) -> list[Finding]:
    """The findings that the baseline does not know, or not that often."""
    left = known.copy()
    new: list[Finding] = []
    for finding, fingerprint in zip(findings, fingerprints(findings, modules, base), strict=True):
        if left[fingerprint] > 0:
            left[fingerprint] -= 1
        else:
            new.append(finding)
    return new
