"""A verdict as a person reads it: what is wrong in one sentence, what happened step by step, how to see it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from openhcs.testing.explore.location import Location
from openhcs.testing.explore.trace import CALLBACK, Choice, Step
from openhcs.testing.explore.verdict import CounterExample, Outcome, Verdict
from openhcs.testing.explore.violation import Kind

__all__ = ["report_of"]

_MARK = ">>>"
_WHO_WIDTH = 28
_DID_WIDTH = 44

_SOURCE_WIDTH = 64

_DEVIATIONS = {
    "cancels": "cancellation",
    "faults": "fault",
    "rush": "event at a busy loop",
    "slow": "slow step",
    "reorder": "callback that overtakes",
}
"""What each budget pays for."""

_HINTS = {
    Kind.SWALLOWED_CANCEL: "let CancelledError through after cleaning up; to wait for a task you have cancelled, use "
    "asyncio.wait({task})",
    Kind.NEVER_AWAITED: "a task that is cancelled before its first step never starts: hand over a function that makes "
    "the coroutine, or close it",
    Kind.LEAKED_TASK: "await or cancel it before its owner ends; asyncio.run would cancel it unseen",
    Kind.NEVER_RETRIEVED: "await the task, or look at its exception in a done callback",
    Kind.DEADLOCK: "what should wake one of these tasks? If it is the world, register it with world.event",
}
"""What usually helps."""

_DULL = ("_call_check_cancel",)
"""Callbacks of asyncio's own that say nothing."""

_PHRASES = {
    "_set_result_unless_cancelled": "a sleep is over",
    "_on_timeout": "a timeout strikes",
    "_release_waiter": "a timeout strikes",
    "_on_completion": "something that asyncio.wait waits for is done",
    "_done_callback": "something that asyncio.gather waits for is done",
    "_inner_done_callback": "what asyncio.shield protects is done",
    "_set_state": "what the thread returned arrives",
}
"""What asyncio's own callbacks mean to those who do not know them by name."""


def report_of(verdict: Verdict, command: str = "") -> str:
    """The whole report; `command` is what a shell runs to replay, with `{token}` in it."""
    if verdict.outcome is not Outcome.VIOLATED:
        return f"{verdict.scenario}: {verdict}"
    return "\n\n".join("\n".join(_of_example(verdict, example, command)) for example in verdict.counterexamples)


def _of_example(verdict: Verdict, example: CounterExample, command: str) -> Iterator[str]:
    yield f"VIOLATED  {example.violation.sentence}"
    yield ""
    yield f"  scenario  {verdict.scenario}"
    yield f"  found by  run {example.found:,} of {verdict.schedules:,}; it needs {_needs(example.spent)}"
    yield f"  order     {verdict.bounds.order}, {verdict.bounds.order.claim}"
    yield ""
    yield f"  What happened ({_MARK} is what the explorer chose; the rest is what asyncio does by itself):"
    yield ""
    yield from _steps(example)
    yield f"  !!! {example.violation.kind}: {example.violation.subject}"
    if example.violation.kind in _HINTS:
        yield ""
        yield f"  hint      {_HINTS[example.violation.kind]}"
    if example.violation.details:
        yield ""
        yield from (f"      {line}" for line in example.violation.details)
    for other in example.others:
        yield f"  also      {other.sentence}"
    yield ""
    yield f"  replay    {command.format(token=example.token) if command else example.token}"


def _needs(spent: Mapping[str, int]) -> str:
    said = [f"{count} {_DEVIATIONS[word]}{'s' if count > 1 else ''}" for word, count in spent.items()]
    return " and ".join(said) or "no deviation, only an order in which the world may act"


def _steps(example: CounterExample) -> Iterator[str]:
    steps = [step for step in example.trace if isinstance(step, Step)]
    who = min(max((len(step.who) for step in steps), default=0), _WHO_WIDTH)
    did = min(max((len(_did(step)) for step in steps if _where(step)), default=0), _DID_WIDTH)
    yield f"      {'time':>8}  {'who':{who}}  what"
    for step in example.trace:
        if isinstance(step, Choice):
            yield f"  {_MARK} {'':8}  {'':{who}}  {step.label}"
            continue
        if step.outcome.rpartition(".")[2] in _DULL and not step.inner:
            continue
        mark = _MARK if step.outside else "   "
        where = _where(step)
        place = f"  {where.place}  {_short(where.source)}" if where is not None else ""
        inside = f"  [in {where.inside}]" if where is not None and where.inside and not step.outcome else ""
        yield f"  {mark} {step.time:8.3f}  {step.who:{who}}  {_did(step):{did if place else 0}}{place}{inside}"
        for inner in step.inner:
            if isinstance(inner, Choice):
                yield f"  {_MARK} {'':8}  {'':{who}}    {inner.label}"
            else:
                yield f"      {'':8}  {'':{who}}    - {inner}"


def _short(source: str) -> str:
    return source if len(source) <= _SOURCE_WIDTH else f"{source[: _SOURCE_WIDTH - 1]}…"


def _did(step: Step) -> str:
    if step.outside:
        return step.outcome
    if step.who == CALLBACK:
        return _PHRASES.get(step.outcome.rpartition(".")[2], f"{step.outcome} is called")
    verb = f"gets {step.received}" if step.received else "starts" if step.began is None else "goes on"
    if not step.outcome:
        return f"{verb}, waits at"
    return f"{verb}, {step.outcome}; was at" if step.began is not None else f"{verb}, {step.outcome}"


def _where(step: Step) -> Location | None:
    return step.began if step.outcome else step.ended
