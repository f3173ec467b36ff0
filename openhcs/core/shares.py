"""What one of the runs that go on at the same time has of the machine: how many workers, and how much memory each.

Checked by tests/core/test_shares.py.
"""

from __future__ import annotations

import traceback
from typing import NamedTuple

from openhcs.core.config import Settings, load_settings
from openhcs.core.execution import Execution
from openhcs.core.machine import worker_share_bytes
from openhcs.core.run_folder import RunRequest
from openhcs.errors import SettingsError

__all__ = ["Share", "share_as_set_now", "share_of"]


class Share(NamedTuple):
    """So many workers, None for all that a scheduler has, with the memory limit of each, None for no word on it.

    `runs` is how many at once have as much; None where they do not share.
    """

    workers: int | None
    memory_bytes: int | None
    runs: int | None


def share_of(settings: Settings, execution: Execution) -> Share:
    """What a run has by the settings, if it waits for its turn and has it with others."""
    workers, memory_bytes = settings.wells_at_once(execution), settings.worker_memory_bytes
    runs = settings.runs_at_once
    if workers is None or execution.scheduler is not None:
        return Share(workers, memory_bytes, None)
    if runs == 1:
        return Share(workers, memory_bytes, 1)
    share = max(1, workers // runs)
    return Share(share, memory_bytes or worker_share_bytes(share * runs), runs)


def share_as_set_now(request: RunRequest) -> RunRequest:
    """The request with its share for as many runs at once as the settings say by now, which is when its turn has come.

    A worker keeps the memory that it was to have, so that the machine's is shared out once whatever happens.
    """
    turn, workers = request.turn, request.workers
    if turn is None or turn.shared_by is None or workers is None:
        return request
    try:
        runs = load_settings().runs_at_once
    except SettingsError:  # the run has waited long for its turn, and what it was asked to do holds
        traceback.print_exc()
        return request
    if runs == turn.shared_by:
        return request
    share = max(1, workers * turn.shared_by // runs)
    limit = request.memory_limit_bytes or worker_share_bytes(workers)
    return request.model_copy(update={"workers": share, "memory_limit_bytes": limit})
