"""A report as text, JSON, SARIF 2.1.0 or annotations of GitHub. Standard library only."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from openhcs.verify.baseline import fingerprints
from openhcs.verify.check import Report
from openhcs.verify.findings import Finding, Place
from openhcs.verify.rules import RULES

__all__ = ["FORMATS", "Writer", "statistics"]

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


class Writer:
    """Writes a report. Paths are told relative to `base` where they are below it; columns count characters from 1."""

    def __init__(self, report: Report, base: Path) -> None:
        self._report = report
        self._base = base

    @cached_property
    def _lines(self) -> Mapping[Path, list[str]]:
        wanted = {finding.place.path for finding in self._report.findings} | {
            related.place.path for finding in self._report.findings for related in finding.related
        }
        return {module.path: module.text.splitlines() for module in self._report.modules if module.path in wanted}

    def path(self, path: Path) -> str:
        """A path as it is told."""
        absolute = path.absolute()
        return absolute.relative_to(self._base).as_posix() if absolute.is_relative_to(self._base) else str(path)

    def column(self, path: Path, line: int, offset: int) -> int:
        """The column, from 1 in characters, of an offset in bytes."""
        lines = self._lines.get(path, [])
        if not 0 < line <= len(lines):
            return offset + 1
        return len(lines[line - 1].encode()[:offset].decode(errors="ignore")) + 1

    def text(self) -> str:
        """One line a finding, as other linters do, with the places that explain it indented below."""
        return "".join(f"{line}\n" for line in self._text_lines())

    def _text_lines(self) -> Iterator[str]:
        for finding in self._report.findings:
            yield f"{self._position(finding.place)}: {finding.code} {finding.message}"
            for related in finding.related:
                yield f"    {self.path(related.place.path)}:{related.place.line}: {related.message}"

    def _position(self, place: Place) -> str:
        return f"{self.path(place.path)}:{place.line}:{self.column(place.path, place.line, place.column)}"

    def github(self) -> str:
        """Commands by which a workflow of GitHub annotates lines."""
        return "".join(
            f"::error title={_property(f'{finding.code} {RULES[finding.code].name}')},"
            f"file={_property(self.path(finding.place.path))},line={finding.place.line},"
            f"col={self.column(finding.place.path, finding.place.line, finding.place.column)},"
            f"endLine={finding.place.end_line}::{_data(f'{finding.code} {finding.message}')}\n"
            for finding in self._report.findings
        )

    def json(self) -> str:
        """One document with everything."""
        document = {
            "version": 1,
            "files": self._report.files,
            "findings": [
                {
                    "code": finding.code,
                    "name": RULES[finding.code].name,
                    **self._place(finding.place),
                    "message": finding.message,
                    "function": finding.context,
                    "related": [
                        {**self._place(related.place), "message": related.message} for related in finding.related
                    ],
                    "data": dict(finding.data),
                }
                for finding in self._report.findings
            ],
            "silenced": len(self._report.silenced),
            "unreadable": [
                {"path": self.path(item.path), "line": item.line, "reason": item.reason}
                for item in self._report.unreadable
            ],
        }
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"

    def _place(self, place: Place) -> dict[str, Any]:
        return {
            "path": self.path(place.path),
            "line": place.line,
            "column": self.column(place.path, place.line, place.column),
            "end_line": place.end_line,
            "end_column": self.column(place.path, place.end_line, place.end_column),
        }

    def sarif(self) -> str:
        """The Static Analysis Results Interchange Format, version 2.1.0."""
        codes = list(RULES)
        prints = fingerprints(self._report.findings, self._report.modules, self._base)
        results = [
            {
                "ruleId": finding.code,
                "ruleIndex": codes.index(finding.code),
                "level": "warning",
                "message": {"text": finding.message},
                "locations": [self._location(finding.place)],
                "relatedLocations": [
                    {"id": number, **self._location(related.place), "message": {"text": related.message}}
                    for number, related in enumerate(finding.related, 1)
                ],
                "partialFingerprints": {"openhcsVerify/v1": fingerprint},
            }
            for finding, fingerprint in zip(self._report.findings, prints, strict=True)
        ]
        run = {
            "tool": {
                "driver": {
                    "name": "openhcs verify",
                    "rules": [
                        {
                            "id": rule.code,
                            "name": "".join(part.capitalize() for part in rule.name.split("-")),
                            "shortDescription": {"text": rule.summary},
                            "defaultConfiguration": {"level": "warning"},
                        }
                        for rule in RULES.values()
                    ],
                }
            },
            "columnKind": "unicodeCodePoints",
            "invocations": [
                {
                    "executionSuccessful": True,
                    "toolExecutionNotifications": [
                        {
                            "level": "warning",
                            "message": {"text": item.reason},
                            "locations": [self._location(Place(item.path, item.line, 0, item.line, 0))],
                        }
                        for item in self._report.unreadable
                    ],
                }
            ],
            "results": results,
        }
        return json.dumps({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"

    def _location(self, place: Place) -> dict[str, Any]:
        return {
            "physicalLocation": {
                "artifactLocation": {"uri": self.path(place.path).replace("\\", "/")},
                "region": {
                    "startLine": place.line,
                    "startColumn": self.column(place.path, place.line, place.column),
                    "endLine": place.end_line,
                    "endColumn": self.column(place.path, place.end_line, place.end_column),
                },
            }
        }


FORMATS: Mapping[str, Callable[[Writer], str]] = {
    "text": Writer.text,
    "json": Writer.json,
    "sarif": Writer.sarif,
    "github": Writer.github,
}


def statistics(findings: list[Finding]) -> str:
    """How many findings each rule has, most first."""
    counts = Counter(finding.code for finding in findings)
    return "".join(f"{count:6} {code} {RULES[code].name}\n" for code, count in counts.most_common())


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
