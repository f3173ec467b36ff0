"""A step of a pipeline tried on one site of a well: the images before and after it, what it found, how long it took.

    planned = plan_preview(index, pipeline, step=2, well="B02", site=1)
    with PreviewDesk() as desk:
        preview = desk.carry_out(planned, report=print)

The pipeline up to the step runs as in a run, in a process of its own that can be stopped at any moment and keeps its
imports for the next preview. What has been made is kept for a while: to try a step again with another parameter, only
what follows from that is made anew. Everything here blocks: call it in a thread.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from openhcs.core.compiler import compile_plate, plans_to_json
from openhcs.core.functions import Function, catalogue
from openhcs.core.model import Component, Pipeline, PlateIndex, Step, WellPlan
from openhcs.core.previews import WellImages, result_images, source_images
from openhcs.core.private_folder import private_folder, remove_abandoned_folders
from openhcs.core.results import Provenance, ResultsFolder, is_done
from openhcs.core.well_tables import read_well_table, tables_of_well
from openhcs.errors import RunError, WellError

__all__ = ["PlannedPreview", "PreviewDesk", "StepPreview", "plan_preview"]

_RESULTS_KEPT: Final = 4
_ENDS_WITHIN_S: Final = 5.0

Report = Callable[[int, int, str], None]


@dataclass(frozen=True)
class PlannedPreview:
    """What is to be done: the steps before (None where there are none), and those with the step.

    `index` holds the planes that are taken: those of one site, or of all where some step needs them together.
    """

    index: PlateIndex
    well: str
    step: Step
    before: WellPlan | None
    after: WellPlan
    takes_all_sites: bool


@dataclass(frozen=True)
class StepPreview:
    """What came of it. `seconds` is what the step took, `warnings` how often it gave each of its warnings.

    `objects` and `rows` are by label image and by table, those of the steps before included.
    """

    before: WellImages
    after: WellImages
    seconds: float
    objects: Mapping[str, int]
    rows: Mapping[str, int]
    warnings: Mapping[str, int]


def plan_preview(
    index: PlateIndex, pipeline: Pipeline, step: int, well: str, site: int, modules: tuple[str, ...] = ()
) -> PlannedPreview:
    """Plan the steps of `pipeline` up to number `step`, from 0, on one site of a well, at its first time point.

    A step that is disabled is tried all the same; those before it are left out where they are disabled.

    Raises:
        PipelineError: the steps cannot run on this plate; as `compile_plate`.
    """
    earlier = tuple(one for one in pipeline.steps[:step] if one.enabled)
    tried = replace(pipeline.steps[step], enabled=True)
    together = _needs_all_sites((*earlier, tried), catalogue(modules))
    part = _part_of(index, well, None if together else site)

    def plan(steps: tuple[Step, ...]) -> WellPlan:
        return compile_plate(part, replace(pipeline, steps=steps), [well], modules, whole=index)[0]

    after = plan((*earlier, tried))
    return PlannedPreview(part, well, tried, plan(earlier) if earlier else None, after, together)


def _needs_all_sites(steps: tuple[Step, ...], functions: Mapping[str, Function]) -> bool:
    """Whether some step makes one of several sites, or may."""
    for step in steps:
        for chain in step.pattern.values() if isinstance(step.pattern, Mapping) else (step.pattern,):
            called = [functions[call.function] for call in chain if call.function in functions]
            if any(function.takes_positions or function.resizes for function in called):
                return True
            if Component.SITE in step.variable_components and any(function.combines for function in called):
                return True
    return False


def _part_of(index: PlateIndex, well: str, site: int | None) -> PlateIndex:
    """The index of one well, of one site or all, at its first time point."""
    first = min((key.t for key in index.planes if key.well == well), default=1)

    def is_part(key_well: str, key_site: int, key_t: int) -> bool:
        return key_well == well and (site is None or key_site == site) and key_t == first

    return replace(
        index,
        planes={key: file for key, file in index.planes.items() if is_part(key.well, key.site, key.t)},
        labels={
            name: {key: file for key, file in planes.items() if is_part(key.well, key.site, key.t)}
            for name, planes in index.labels.items()
        },
    )


class PreviewDesk:
    """Carries previews out, one at a time; keeps the newest results and its process until it is closed."""

    def __init__(self) -> None:
        self._at_end = ExitStack()
        self._working = threading.Lock()
        self._changing = threading.Lock()
        self._folder: Path | None = None
        self._process: subprocess.Popen[str] | None = None
        self._versions: Mapping[str, str] | None = None
        self._current: threading.Event | None = None
        self._kept: OrderedDict[str, Path] = OrderedDict()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start the process before there is anything to do, so that its imports take place meanwhile.

        Raises:
            RunError: it cannot be started.
        """
        with self._working:
            if self._process is None:
                self._start_process()

    def close(self) -> None:
        """Stop what is going on and remove what was made."""
        self.stop()
        with self._working:
            if self._process is not None:
                _end(self._process)
            self._process = None
            self._kept.clear()
            self._folder = None
            self._at_end.close()

    def stop(self, stopped: threading.Event | None = None) -> None:
        """Stop what is going on, from any thread and at once; the call of `carry_out` then raises `RunError`.

        Args:
            stopped: stop the call that was given this, and none that has come after it.
        """
        with self._changing:
            if self._process is not None and stopped in (None, self._current):
                _kill(self._process)

    def carry_out(
        self, planned: PlannedPreview, report: Report = lambda number, count, name: None,
        stopped: threading.Event | None = None,
    ) -> StepPreview:  # fmt: skip
        """Make the preview; what of it has been made before is taken as it is.

        Args:
            report: is told what begins, as `process_well` tells it.
            stopped: once it is set, nothing further is begun; `stop` ends what has been.

        Raises:
            WellError: a step failed; the message says how.
            RunError: the process was stopped or went away.
            StoreError: results cannot be written or read.
        """
        stopped = stopped or threading.Event()
        with self._working:
            with self._changing:
                self._current = stopped
            before = None
            if planned.before is not None:
                before = self._results_of(planned.before, report, stopped)
            after = self._results_of(planned.after, report, stopped)
            return self._preview(planned, before, after)

    def _preview(self, planned: PlannedPreview, before: Path | None, after: Path) -> StepPreview:
        well, own = planned.well, f"{planned.step.name}: "
        told: Provenance = ResultsFolder(after).read_provenance(well) or {}
        return StepPreview(
            before=source_images(planned.index, well) if before is None else result_images(before, planned.index, well),
            after=result_images(after, planned.index, well),
            seconds=_numbers(told.get("step_seconds")).get(planned.step.name, 0.0),
            objects={name: int(count) for name, count in _numbers(told.get("objects")).items()},
            rows={name: read_well_table(after, name, well).height for name in tables_of_well(after, well)},
            warnings={
                text.removeprefix(own): int(count)
                for text, count in _numbers(told.get("warnings")).items()
                if text.startswith(own)
            },
        )

    def _results_of(self, plan: WellPlan, report: Report, stopped: threading.Event) -> Path:
        """The folder with the results of `plan`, made now if need be."""
        if self._folder is None:
            remove_abandoned_folders()
            self._folder = self._at_end.enter_context(private_folder())
        out = self._kept.get(plan.hash)
        if out is None or not is_done(plan, out):
            out = self._folder / plan.hash[:16]
            shutil.rmtree(out, ignore_errors=True)
            while len(self._kept) >= _RESULTS_KEPT:
                shutil.rmtree(self._kept.popitem(last=False)[1], ignore_errors=True)
            for answer in self._ask(plan, out, stopped):
                match answer:
                    case {"step": int(number), "of": int(count), "name": str(name)}:
                        report(number, count, name)
                    case {"failed": str(message)}:
                        raise WellError(message, well=plan.well)
        self._kept[plan.hash] = out
        self._kept.move_to_end(plan.hash)
        return out

    def _ask(self, plan: WellPlan, out: Path, stopped: threading.Event) -> Iterator[Mapping[str, object]]:
        """The answers of the process to a request, the last one included."""
        if stopped.is_set():
            raise _stopped(plan)
        process = self._running_process(plan)
        requests, answers = _pipes(process)
        with suppress(OSError):  # it went away while it was asked: told below
            request = {"out": str(out), "plans": plans_to_json([plan]).decode()}
            requests.write(json.dumps(request) + "\n")
            requests.flush()
            for line in answers:
                answer: dict[str, object] = json.loads(line)
                yield answer
                if "done" in answer or "failed" in answer:
                    return
        _end(process)
        if stopped.is_set():
            raise _stopped(plan)
        raise RunError(
            f"preview of well {plan.well}: its process went away (code {process.returncode}); expected it to answer. "
            "It may have run out of memory; try again."
        )

    def _running_process(self, plan: WellPlan) -> subprocess.Popen[str]:
        """The process, started anew where a library or a module of the user's has changed since."""
        process = self._process
        if process is not None:
            if process.poll() is None and self._versions in (None, plan.versions):
                self._versions = plan.versions
                return process
            _end(process)
        process = self._start_process()
        self._versions = plan.versions
        return process

    def _start_process(self) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "POLARS_MAX_THREADS": "1",
        }
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "openhcs.core.preview_process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
                text=True,
                encoding="utf-8",
            )
        except OSError as error:
            raise RunError(
                f"preview: {sys.executable} cannot be started ({error.strerror}); expected the Python that runs this "
                "program. Check how many processes you may have."
            ) from error
        with self._changing:
            self._process, self._versions = process, None
        return process


def _stopped(plan: WellPlan) -> RunError:
    return RunError(f"preview of well {plan.well}: it was stopped.")


def _pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


def _kill(process: subprocess.Popen[str]) -> None:
    """Kill the process with what it has started."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _end(process: subprocess.Popen[str]) -> None:
    """Kill the process, wait for its end and close its pipes."""
    _kill(process)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_ENDS_WITHIN_S)
    for pipe in _pipes(process):
        with suppress(OSError, ValueError):
            pipe.close()


def _numbers(told: object) -> Mapping[str, float]:
    """The numbers in a mapping of a provenance."""
    if not isinstance(told, dict):
        return {}
    return {str(name): value for name, value in told.items() if isinstance(value, int | float)}
