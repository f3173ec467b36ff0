"""The process in which steps are tried: `python -m openhcs.core.preview_process`, started by `step_preview`.

It reads requests from its standard input, a line each, and carries them out one after the other, so that only the first
waits for the imports. When the input closes, whoever asked is gone, and it ends at once.

    {"out": FOLDER, "plans": TEXT}         well plans of one plate, as `plans_to_json` writes them, and where results go
    {"step": 2, "of": 3, "name": "Blur"}   what begins
    {"done": true}   {"failed": MESSAGE}   how it ended

What functions print goes to standard error, and nowhere from there.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from openhcs.core.compiler import plans_from_json
from openhcs.core.results import ResultsFolder
from openhcs.core.store import create_plate
from openhcs.core.worker import failure_of, process_well

__all__ = ["main"]


def main() -> None:
    """Carry out requests until the input closes."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # what functions print must not come between the answers
    requests: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            requests.put(line)
        os._exit(0)

    def answer(**fields: object) -> None:
        print(json.dumps(fields), file=answers, flush=True)

    threading.Thread(target=read, name="requests", daemon=True).start()
    while True:
        request = json.loads(requests.get())
        try:
            _carry_out(
                request["plans"],
                Path(request["out"]),
                lambda number, count, name, _: answer(step=number, of=count, name=name),
            )
        except Exception as error:  # the boundary: whatever went wrong is told to whoever asked
            answer(failed=failure_of(error).message)
        else:
            answer(done=True)


def _carry_out(plans: str, out: Path, report: Callable[[int, int, str, str], None]) -> None:
    for plan in plans_from_json(plans):
        folder = ResultsFolder(out)
        folder.claim(plan.plate, Path(plan.root))
        create_plate(folder, plan.plate)
        process_well(plan, out, report)


if __name__ == "__main__":
    main()
