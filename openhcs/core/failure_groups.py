"""The wells of a run that failed, grouped by why: what a plate has one cause for is told once.

Pure functions of a run's progress; nothing here reads a file. Checked by tests/core/test_failure_groups.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from openhcs.core.progress import Failure, RunProgress, WellProgress, WellState

__all__ = ["FailureGroup", "group_failures"]

_GAP = "…"
_NUMBER = re.compile(r"\d+(\.\d+)?")
_UNKNOWN = Failure("the well failed")


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Wells that failed of one cause: the words that their messages share, where, and the failure of the first."""

    cause: str
    step: str | None
    wells: tuple[str, ...]
    first: Failure


def group_failures(progress: RunProgress) -> tuple[FailureGroup, ...]:
    """The failed wells by cause, the largest group first; wells keep the plate's order."""
    groups: dict[tuple[str, str | None, str], list[WellProgress]] = {}
    for well in progress.wells.values():
        if well.state is WellState.FAILED:
            failure = well.failure or _UNKNOWN
            groups.setdefault((failure.kind, failure.step, _shape(well.well, failure)), []).append(well)
    found = [
        FailureGroup(
            cause=_shared([_message(well) for well in wells]),
            step=step,
            wells=tuple(well.well for well in wells),
            first=wells[0].failure or _UNKNOWN,
        )
        for (_, step, _), wells in groups.items()
    ]
    return tuple(sorted(found, key=lambda group: -len(group.wells)))


def _message(well: WellProgress) -> str:
    return (well.failure or _UNKNOWN).message


def _shape(well: str, failure: Failure) -> str:
    """The message without what differs from well to well: places, files and numbers."""
    text = failure.message
    places: Iterable[str | None] = (failure.file, PurePath(failure.file).name if failure.file else None, failure.plane)
    for place in (*places, well):
        if place:
            text = text.replace(place, _GAP)
    return _NUMBER.sub("0", text)


def _shared(messages: Sequence[str]) -> str:
    """What the messages say alike, word by word; words in which they differ are a gap."""
    split = [message.split() for message in messages]
    if len({len(words) for words in split}) != 1:
        return messages[0]
    words = [same[0] if len(set(same)) == 1 else _GAP for same in zip(*split, strict=True)]
    return " ".join(word for at, word in enumerate(words) if word != _GAP or words[at - 1 : at] != [_GAP])
