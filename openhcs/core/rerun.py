"""What earlier runs into a results folder left undone, and the part of a plate that some sites are.

Checked by tests/core/test_rerun.py.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from openhcs.core.model import PlateIndex, WellPlan
from openhcs.core.progress import WellState
from openhcs.core.results import ResultsFolder, recipe_of
from openhcs.core.run import Run
from openhcs.core.run_folder import RunFolder
from openhcs.errors import InputError, RunError

__all__ = ["only_sites", "unfinished_wells"]


def unfinished_wells(out: Path, plans: Sequence[WellPlan]) -> tuple[str, ...]:
    """The wells of `plans` that failed or were cancelled when they were tried last, in the plans' order.

    A well counts by the last run that it was part of: running a few wells again does not forget the others. Runs of
    another version of the pipeline, and those before them, are passed over.

    Raises:
        RunError: no run has been there, one is going on, or the last one was of another version of the pipeline.
        StoreError: a run's folder cannot be read.
    """
    recipe = recipe_of(plans[0])
    last: dict[str, WellState] = {}
    folders = RunFolder.newest_first(ResultsFolder(out))
    if not folders:
        raise RunError(
            f"run again: no run has been in {out}; expected one with wells that failed. Run the plate first."
        )
    for folder in folders:
        progress = Run(folder, out).poll()
        if not progress.state.has_ended:
            raise RunError(
                f"run again: a run is going on in {out}; expected it to have ended. Attach to it, or cancel it."
            )
        _, earlier = folder.read_request()
        if recipe_of(earlier[0]) != recipe:
            if last:
                break
            raise RunError(
                f"run again: the last run in {out} was of another version of the pipeline, of a function or of a "
                "library; expected the same, since the wells that are done would not fit. Run all wells."
            )
        for plan in earlier:  # one that was killed before its first event knows its wells by their plans only
            well = progress.wells.get(plan.well)
            last.setdefault(plan.well, WellState.CANCELLED if well is None else well.state)
    undone = (WellState.FAILED, WellState.CANCELLED)
    return tuple(plan.well for plan in plans if last.get(plan.well) in undone)


def only_sites(index: PlateIndex, sites: Collection[int]) -> PlateIndex:
    """The part of a plate that is made of some sites; a well that has none of them is left out.

    Raises:
        InputError: the plate has no such site.
    """
    existing = sorted({key.site for key in index.planes})
    absent = [site for site in sites if site not in existing]
    if absent:
        known = (
            ", ".join(map(str, existing)) if len(existing) <= 12 else f"numbers from {existing[0]} to {existing[-1]}"
        )
        raise InputError(f"sites: {', '.join(map(str, absent))}; expected sites that the plate has: {known}.")
    return replace(
        index,
        planes={key: file for key, file in index.planes.items() if key.site in sites},
        labels={
            name: {key: file for key, file in planes.items() if key.site in sites}
            for name, planes in index.labels.items()
        },
    )
