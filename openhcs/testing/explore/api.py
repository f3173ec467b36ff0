"""`explore`: a scenario and bounds in, a verdict out; or a decorator that makes a test of a scenario."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, overload

from openhcs.testing.explore.bounds import Bounds, Order, Tier
from openhcs.testing.explore.errors import NonDeterminism
from openhcs.testing.explore.minimise import smallest
from openhcs.testing.explore.run import Room, Run, Scenario, origins_kept, room
from openhcs.testing.explore.sampling import Method, sampled_schedules
from openhcs.testing.explore.schedule import Schedule
from openhcs.testing.explore.search import Limits, Progress, every_schedule
from openhcs.testing.explore.token import Token
from openhcs.testing.explore.trace import Recorder
from openhcs.testing.explore.verdict import CounterExample, Outcome, Verdict
from openhcs.testing.explore.world import World

__all__ = ["Exploration", "explore", "explore_all", "replay", "sample"]


@overload
def explore(
    scenario: Scenario,
    bounds: Bounds,
    *,
    seconds: float | None = None,
    schedules: int | None = None,
    every: bool = False,
    prune: bool = False,
    name: str = "",
) -> Verdict: ...
@overload
def explore(
    *,
    cancels: int | None = 0,
    faults: int | None = 0,
    rush: int | None = 0,
    slow: int | None = 0,
    reorder: int | None = 0,
    order: Order | str = Order.FIFO,
    steps: int = 10_000,
    seconds: float | None = None,
    schedules: int | None = None,
    nightly: Mapping[str, Any] | None = None,
    weekly: Mapping[str, Any] | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]: ...
def explore(
    scenario: Scenario | None = None,
    bounds: Bounds | None = None,
    *,
    seconds: float | None = None,
    schedules: int | None = None,
    every: bool = False,
    prune: bool = False,
    name: str = "",
    nightly: Mapping[str, Any] | None = None,
    weekly: Mapping[str, Any] | None = None,
    **limits: Any,
) -> Any:
    """Explore every schedule of `scenario` within `bounds`, or make a test that does.

        verdict = explore(scenario, Bounds(cancels=1, rush=1))

        @explore(cancels=1, rush=1)
        async def test_two_dialogs(world): ...

    Args:
        seconds, schedules: give up after so many; the verdict is CUT then.
        every: do not stop at the first violation, collect one counter-example for each class.
        prune: leave a run that comes to a state in which another has been. Finds faults sooner, and is unsound: state
            that tasks and callbacks do not lead to must be named by `world.watch`. The verdict is never PROVED.
        nightly, weekly: fields of `Bounds` that the tier's bounds differ in.
    """
    cut = Limits(seconds, schedules)
    if scenario is not None:
        if bounds is None:
            raise TypeError(
                "explore(scenario) lacks its bounds; expected explore(scenario, Bounds(...)), or @explore(...) with "
                "parentheses as a decorator"
            )
        return explore_all(scenario, bounds, cut, every=every, prune=prune, name=name)
    made = Bounds(**{**limits, "order": Order(limits.get("order", Order.FIFO))})
    plan = Exploration(made, cut, dict(nightly or {}), dict(weekly or {}))

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        if not inspect.iscoroutinefunction(function) or "world" not in inspect.signature(function).parameters:
            raise TypeError(f"not a scenario: {function!r}; expected `async def {function.__name__}(world)`")

        parameters = [each for each in inspect.signature(function).parameters.values() if each.name != "world"]

        @functools.wraps(function)
        def test(*args: Any, **fixtures: Any) -> None:
            scenario = functools.partial(_with_world, function, args, fixtures)
            explore_all(scenario, made, cut, name=function.__qualname__).require_proved()

        test.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # a test runner's fixtures
        test.exploration = replace(plan, scenario=function)  # type: ignore[attr-defined]  # found by the plugin
        return test

    return decorate


@dataclass(frozen=True, slots=True)
class Exploration:
    """What `@explore(...)` asks for, at each tier."""

    bounds: Bounds
    limits: Limits
    nightly: dict[str, Any] = field(default_factory=dict)
    weekly: dict[str, Any] = field(default_factory=dict)
    scenario: Callable[..., Any] | None = None

    def bounds_at(self, tier: Tier) -> Bounds:
        """The bounds of a tier, with what the test itself asks for there."""
        own = {Tier.NIGHTLY: self.nightly, Tier.WEEKLY: self.weekly}.get(tier, {})
        if "order" in own:
            own = {**own, "order": Order(own["order"])}
        return replace(self.bounds.at_tier(tier), **own)


def explore_all(
    scenario: Scenario, bounds: Bounds, limits: Limits, *, every: bool = False, prune: bool = False, name: str = ""
) -> Verdict:
    """Run every schedule within `bounds`."""
    began, progress = time.perf_counter(), Progress()
    with room(scenario) as runs:
        runs.visited = set() if prune else None
        examples = _examples(runs, bounds, every_schedule(runs, bounds, limits, progress), progress, every)
    outcome = Outcome.VIOLATED if examples else Outcome.PROVED if progress.complete else Outcome.CUT
    return _verdict(scenario, name, outcome, bounds, progress, began, examples)


def sample(
    scenario: Scenario,
    bounds: Bounds,
    *,
    schedules: int | None = 1000,
    seconds: float | None = None,
    method: Method | str = Method.RANDOM,
    seed: int = 0,
    changes: int = 3,
    every: bool = False,
    name: str = "",
) -> Verdict:
    """Run schedules drawn by chance: for what cannot be exhausted. The verdict is VIOLATED or SAMPLED, never PROVED.

    Args:
        method: "random", or "pct" for random priorities that change at a few random moments.
        seed: the same seed draws the same schedules.
        changes: how many moments for "pct".
    """
    began, progress = time.perf_counter(), Progress()
    method = Method(method)
    limits = Limits(seconds, schedules)
    with room(scenario) as runs:
        drawn = sampled_schedules(runs, bounds, limits, progress, method, seed, changes)
        examples = _examples(runs, bounds, drawn, progress, every)
    progress.stopped_by = f"method {method}, seed {seed}"
    outcome = Outcome.VIOLATED if examples else Outcome.SAMPLED
    return _verdict(scenario, name, outcome, bounds, progress, began, examples)


def _examples(
    runs: Room, bounds: Bounds, tried: Iterator[Run], progress: Progress, every: bool
) -> tuple[CounterExample, ...]:
    """The smallest counter-example of each class of violation, or of the first."""
    found: dict[str, tuple[Run, int, int]] = {}
    for run in tried:
        if run.violations:
            label = run.violations[0].label
            first, number, seen = found.get(label, (run, progress.schedules, 0))
            found[label] = (first, number, seen + 1)
            if not every:
                break
    runs.visited = None
    return tuple(_example(runs, bounds, *entry) for entry in found.values())


def _verdict(
    scenario: Scenario,
    name: str,
    outcome: Outcome,
    bounds: Bounds,
    progress: Progress,
    began: float,
    examples: tuple[CounterExample, ...],
) -> Verdict:
    seconds = time.perf_counter() - began
    return Verdict(
        name or _name(scenario), outcome, bounds, progress.schedules, progress.depth, seconds, examples,
        progress.stopped_by, progress.complete,
    )  # fmt: skip


def replay(scenario: Scenario, token: Token | str, *, steps: int = 10_000, name: str = "") -> Verdict:
    """Run the one schedule of a token; raises `NonDeterminism` if the scenario no longer makes its choices.

    The verdict is VIOLATED or REPLAYED: one schedule proves nothing.
    """
    began = time.perf_counter()
    asked = Token.parse(token) if isinstance(token, str) else token
    bounds = replace(asked.bounds, steps=steps)
    with room(scenario) as runs:
        run = runs.run(Schedule(bounds, asked.options, asked.sizes), steps)
        examples = (_written(runs, bounds, run, 1, 1),) if run.violations else ()
    outcome = Outcome.VIOLATED if examples else Outcome.REPLAYED
    depth = len(run.record.options)
    return Verdict(name or _name(scenario), outcome, bounds, 1, depth, time.perf_counter() - began, examples)


def _with_world(function: Callable[..., Any], args: tuple[Any, ...], fixtures: dict[str, Any], world: World) -> Any:
    return function(*args, world=world, **fixtures)


def _example(runs: Room, bounds: Bounds, run: Run, number: int, seen: int) -> CounterExample:
    return _written(runs, bounds, smallest(runs, bounds, run), number, seen)


def _written(runs: Room, bounds: Bounds, run: Run, number: int, seen: int) -> CounterExample:
    """Replay a violated run with a recorder."""
    recorder = Recorder()
    again = run
    with origins_kept():
        again = runs.run(Schedule(bounds, run.record.options, run.record.sizes), bounds.steps, recorder)
    if [violation.label for violation in again.violations] != [violation.label for violation in run.violations]:
        raise NonDeterminism(len(run.record.options), _labels(again), _labels(run))
    token = Token.of(bounds, run.record.options, run.record.sizes)
    first, *others = again.violations
    return CounterExample(first, token, run.spent, number, seen, tuple(recorder.steps), tuple(others))


def _labels(run: Run) -> str:
    return f"the violations {[violation.label for violation in run.violations]}"


def _name(scenario: Scenario) -> str:
    with suppress(AttributeError):
        return str(scenario.__qualname__)
    return type(scenario).__name__
