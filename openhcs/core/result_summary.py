"""A results folder at a glance: objects by well, warnings grouped, the slowest wells, which tables there are.

Reads the provenance of wells, a small file each, and again only those that have changed. It blocks: call it in a
thread. How the run itself stands is `progress`; numbers of tables are `result_tables`.

Checked by tests/core/test_result_summary.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from openhcs.core.journal import Json
from openhcs.core.results import ResultsFolder

__all__ = ["ResultSummary", "SummaryReader", "WarningGroup"]


@dataclass(frozen=True, slots=True)
class WarningGroup:
    """One warning: how often it was given, and in which wells."""

    text: str
    times: int
    wells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ResultSummary:
    """What is on record about the wells that are done.

    `objects` are counts by label image and well; `seconds` by well, the slowest first; wells in row-major order.
    """

    wells: tuple[str, ...] = ()
    objects: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[WarningGroup, ...] = ()
    tables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _WellFacts:
    objects: Mapping[str, int]
    seconds: float | None
    warnings: Mapping[str, int]


class SummaryReader:
    """Reads the summary of the results in `out`, as often as it is asked for."""

    def __init__(self, out: Path) -> None:
        self._results = ResultsFolder(out)
        self._known: dict[str, tuple[tuple[int, int], _WellFacts]] = {}

    def read(self) -> ResultSummary:
        """How things stand now; what is written meanwhile is in the next one.

        Raises:
            StoreError: a well's provenance cannot be read.
        """
        wells: dict[str, _WellFacts] = {}
        for well in self._results.done_wells():
            facts = self._facts(well)
            if facts is not None:
                wells[well] = facts
        objects: dict[str, dict[str, int]] = {}
        warnings: dict[str, dict[str, int]] = {}
        for well, facts in wells.items():
            for label, count in facts.objects.items():
                objects.setdefault(label, {})[well] = count
            for text, times in facts.warnings.items():
                warnings.setdefault(text, {})[well] = times
        took = {well: facts.seconds for well, facts in wells.items() if facts.seconds is not None}
        groups = [WarningGroup(text, sum(times.values()), tuple(times)) for text, times in warnings.items()]
        return ResultSummary(
            wells=tuple(wells),
            objects=objects,
            seconds=dict(sorted(took.items(), key=lambda item: -item[1])),
            warnings=tuple(sorted(groups, key=lambda group: -len(group.wells))),
            tables=tuple(sorted(path.name for path in self._results.tables.glob("[!.]*") if path.is_dir())),
        )

    def _facts(self, well: str) -> _WellFacts | None:
        try:
            found = self._results.provenance_file(well).stat()
        except OSError:
            return None
        stamp = (found.st_mtime_ns, found.st_size)
        known = self._known.get(well)
        if known is None or known[0] != stamp:
            content = self._results.read_provenance(well)
            if content is None:
                return None
            seconds = content.get("seconds")
            known = (
                stamp,
                _WellFacts(
                    objects=_counts(content.get("objects")),
                    seconds=float(seconds) if isinstance(seconds, int | float) else None,
                    warnings=_counts(content.get("warnings")),
                ),
            )
            self._known[well] = known
        return known[1]


def _counts(value: Json) -> Mapping[str, int]:
    return {name: count for name, count in value.items() if isinstance(count, int)} if isinstance(value, dict) else {}
