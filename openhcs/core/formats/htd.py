"""The .HTD file of an ImageXpress plate: what was planned to be acquired, as `"Key", value` lines.

It is the plan and no proof of files; `discrepancies` compares the two. Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from openhcs.core.model import well_name
from openhcs.errors import PlateError

__all__ = ["AcquisitionPlan", "parse_htd", "read_htd"]

_LINE = re.compile(r'\s*"(?P<key>\w+)"\s*,\s*(?P<value>.*?)\s*')


@dataclass(frozen=True, slots=True)
class AcquisitionPlan:
    """What the microscope was told to acquire; None where the file is silent.

    `z_steps` is 1 without a z series. `waves` maps each collected wave's number to its name.
    """

    rows: int | None = None
    columns: int | None = None
    wells: frozenset[str] | None = None
    sites: int | None = None
    time_points: int | None = None
    z_steps: int | None = None
    waves: Mapping[int, str] | None = None


def read_htd(path: Path) -> AcquisitionPlan:
    """The plan in the .HTD file at `path`; raises `PlateError` if it is unreadable or no such file."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise PlateError(
            f"HTD file cannot be read: {path}; expected a file you may read, got {error.strerror}."
        ) from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    plan = parse_htd(text)
    if plan == AcquisitionPlan():
        raise PlateError(f'HTD file not understood: {path}; expected lines such as "XWells", 12.')
    return plan


def parse_htd(text: str) -> AcquisitionPlan:
    """The plan in the text of a .HTD file; lines that are not `"Key", value` are passed over."""
    values = {
        match["key"]: match["value"] for line in text.splitlines() if (match := _LINE.fullmatch(line)) is not None
    }
    return AcquisitionPlan(
        rows=_number(values, "YWells"),
        columns=_number(values, "XWells"),
        wells=_wells(values),
        sites=_sites(values),
        time_points=_number(values, "TimePoints"),
        z_steps=_z_steps(values),
        waves=_waves(values),
    )


def _wells(values: Mapping[str, str]) -> frozenset[str] | None:
    selections = _rows_of_switches(values, "WellsSelection")
    if not selections:
        return None
    return frozenset(
        well_name(row - 1, column)
        for row, switches in selections.items()
        for column, selected in enumerate(switches)
        if selected
    )


def _sites(values: Mapping[str, str]) -> int | None:
    if "Sites" in values and not _switch(values["Sites"]):
        return 1
    selected = sum(sum(switches) for switches in _rows_of_switches(values, "SiteSelection").values())
    across, down = _number(values, "XSites"), _number(values, "YSites")
    if selected:
        return selected
    return across * down if across and down else None


def _z_steps(values: Mapping[str, str]) -> int | None:
    if "ZSeries" in values and not _switch(values["ZSeries"]):
        return 1
    steps = _number(values, "ZSteps")
    return None if steps is None else max(steps, 1)


def _waves(values: Mapping[str, str]) -> Mapping[int, str] | None:
    count = _number(values, "NWavelengths")
    if count is None:
        return None
    return {
        number: values.get(f"WaveName{number}", "").strip('"') or f"w{number}"
        for number in range(1, count + 1)
        if _number(values, f"WaveCollect{number}") != 0
    }


def _rows_of_switches(values: Mapping[str, str], key: str) -> dict[int, tuple[bool, ...]]:
    """`WellsSelection3` and its like, by the number at the end of the key."""
    return {
        int(name[len(key) :]): tuple(_switch(part) for part in value.split(","))
        for name, value in values.items()
        if name.startswith(key) and name[len(key) :].isdecimal() and int(name[len(key) :]) > 0
    }


def _switch(value: str) -> bool:
    return value.strip().strip('"').upper() == "TRUE"


def _number(values: Mapping[str, str], key: str) -> int | None:
    value = values.get(key, "").strip('"')
    return int(value) if value.isdecimal() else None
