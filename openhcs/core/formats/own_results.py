"""What this program's provenance tells about a plate that it wrote: wells that are not done, planes never written.

An array has a place for every channel, z and t of its site, also for planes that the run had no input for; there it
holds zeros, which would be measured as if they were an image. What lies where in a results folder is `core.results`,
which stands above the formats; `test_ome_zarr` holds the two together. Standard library only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["OwnWell", "is_own_plate", "read_own_well"]


@dataclass(frozen=True, slots=True)
class OwnWell:
    """A well of our own. `unwritten` are planes by their paths in the well, such as `1/0[2,0]`, that hold nothing.

    `plan_hash` is that of the plan it was made by. `z_um` and `t_s` are the heights and times of the planes' numbers,
    exact where those of the arrays are mean steps.
    """

    is_done: bool
    plan_hash: str = ""
    unwritten: frozenset[str] = frozenset()
    z_um: Mapping[int, float] = field(default_factory=dict)
    t_s: Mapping[int, float] = field(default_factory=dict)


def is_own_plate(plate: Path) -> bool:
    """Whether the plate in the folder `plate` lies in a results folder of this program."""
    content = _read_object(plate.parent / "openhcs.json")
    return plate.name == "plate.zarr" and str(content.get("format", "")).startswith("openhcs results ")


def read_own_well(plate: Path, well: str) -> OwnWell:
    """What is told about a well; without provenance it is not done."""
    content = _read_object(plate.parent / "provenance" / f"{well}.json")
    if not content:
        return OwnWell(is_done=False)
    unwritten = content.get("unwritten")
    return OwnWell(
        is_done=True,
        plan_hash=str(content.get("hash", "")),
        unwritten=frozenset(map(str, unwritten)) if isinstance(unwritten, list) else frozenset(),
        z_um=_numbers(content.get("z_um")),
        t_s=_numbers(content.get("t_s")),
    )


def _numbers(value: object) -> dict[int, float]:
    """Values by number, as far as they are such."""
    if not isinstance(value, dict):
        return {}
    return {int(key): float(one) for key, one in value.items() if key.isdecimal() and isinstance(one, int | float)}


def _read_object(path: Path) -> dict[str, object]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
