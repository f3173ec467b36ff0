"""What a run would do, on standard output, for `openhcs run --dry-run`: lines for people, or one JSON document."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from openhcs.core.estimate import size_words
from openhcs.core.model import Discrepancy, FunctionCall, Step, WellPlan
from openhcs.core.room import Forecast
from openhcs.core.wording import name_wells
from openhcs.errors import Problem
from openhcs.tui.utils.safe_text import visible

__all__ = ["forecast_json", "print_forecast", "problems_json"]

JSON_SCHEMA = 1
"""Raised when a field of these documents changes its meaning or goes."""


def print_forecast(forecast: Forecast, plans: Sequence[WellPlan], pipeline: str, out: str) -> None:
    """Print wells, steps, memory and disk, and what keeps the run from ending."""
    lines = [f"{plans[0].plate} with pipeline {pipeline}; nothing is started.", ""]
    lines += [f"to do     {_wells(forecast.to_do)}", f"reused    {_wells(forecast.reused)}"]
    for number, step in enumerate(plans[0].steps, start=1):
        lines.append(f"{'steps' if number == 1 else '':<10}{number} {step.name}: {_functions_text(step)}")
    lines += [f"memory    {_memory_text(forecast)}", f"disk      {_disk_text(forecast)}", f"results   {out}"]
    lines += [f"note: {note}" for note in forecast.notes]
    if forecast.problems:
        lines += ["", "It would be refused:", *(f"- {problem}" for problem in forecast.problems)]
    console = Console()
    for line in lines:
        console.print(visible(line), markup=False, highlight=False, soft_wrap=True)


def forecast_json(
    forecast: Forecast, plans: Sequence[WellPlan], pipeline: str, out: str, discrepancies: Sequence[Discrepancy] = ()
) -> str:
    """The same as one JSON document; docs/run-json.md says what each field means."""
    known = forecast.estimate.sizes_known
    takes = {well.well: well for well in forecast.estimate.wells}
    free = forecast.free
    document: dict[str, Any] = {
        "schema": JSON_SCHEMA,
        "plate": plans[0].plate,
        "pipeline": pipeline,
        "results": out,
        "steps": [{"name": step.name, "functions": _functions(step)} for step in plans[0].steps],
        "wells": [
            {
                "well": plan.well,
                "state": "to do" if plan.well in takes else "reused",
                "memory_bytes": takes[plan.well].memory_bytes if known and plan.well in takes else None,
                "disk_bytes": takes[plan.well].disk.expected_bytes if known and plan.well in takes else None,
            }
            for plan in plans
            if plan.well in takes or plan.well in forecast.reused
        ],
        "workers": forecast.workers,
        "worker_memory_bytes": forecast.worker_memory_bytes,
        "memory_bytes": forecast.estimate.memory_bytes if known else None,
        "disk": {
            "expected_bytes": forecast.disk.expected_bytes if known else None,
            "most_bytes": forecast.disk.most_bytes if known else None,
            "files": forecast.disk.files if known else None,
            "free_bytes": None if free is None else free.bytes,
            "free_files": None if free is None else free.files,
        },
        "problems": _problems(forecast.problems),
        "notes": list(forecast.notes),
        "discrepancies": [{"well": one.well, "message": one.message} for one in discrepancies],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def problems_json(plate: str, pipeline: str, problems: Sequence[Problem]) -> str:
    """The document of a pipeline that does not compile: nothing but names and what is wrong."""
    document = {"schema": JSON_SCHEMA, "plate": plate, "pipeline": pipeline, "problems": _problems(problems)}
    return json.dumps(document, indent=2, ensure_ascii=False)


def _problems(problems: Sequence[Problem]) -> list[dict[str, str | None]]:
    names = ("message", "well", "step", "parameter")
    return [{name: getattr(problem, name) for name in names} for problem in problems]


def _wells(wells: Sequence[str]) -> str:
    return f"{len(wells)} {'well' if len(wells) == 1 else 'wells'}: {name_wells(wells)}" if wells else "none"


def _functions(step: Step) -> dict[str, list[str]] | list[str]:
    """The names of the functions: of all planes, or by the group that they are for."""
    if isinstance(step.pattern, Mapping):
        return {group: _names(chain) for group, chain in step.pattern.items()}
    return _names(step.pattern)


def _names(chain: Sequence[FunctionCall]) -> list[str]:
    return [call.function for call in chain]


def _functions_text(step: Step) -> str:
    found = _functions(step)
    if isinstance(found, dict):
        return "; ".join(f"{step.group_by} {group}: {', '.join(names)}" for group, names in found.items())
    return ", ".join(found)


def _memory_text(forecast: Forecast) -> str:
    count = f"{forecast.workers} {'worker' if forecast.workers == 1 else 'workers'}"
    if not forecast.to_do:
        return "none"
    takes = f"at most {size_words(forecast.estimate.memory_bytes)}" if forecast.estimate.sizes_known else "not known"
    if forecast.worker_memory_bytes is None:
        return f"{takes} for a worker; workers of a scheduler"
    return f"{takes} for each of {count}, which may use {size_words(forecast.worker_memory_bytes)}"


def _disk_text(forecast: Forecast) -> str:
    free = "not known how much is free"
    if forecast.free is not None:
        free = f"{size_words(forecast.free.bytes)} free at {forecast.free.folder} (a quota is not seen)"
    if not forecast.to_do:
        return f"none; {free}"
    if not forecast.estimate.sizes_known:
        return f"not known, no plane could be looked at; {free}"
    disk = forecast.disk
    return f"about {size_words(disk.expected_bytes)}, at most {size_words(disk.most_bytes)}; {free}"
