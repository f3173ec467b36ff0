"""A verdict as a person reads it: what is wrong in one sentence, what happened step by step, how to see it again."""

from __future__ import annotations

from collections.abc import Iterator

from openhcs.testing.explore.location import Location
from openhcs.testing.explore.trace import CALLBACK, Choice, Step
from openhcs.testing.explore.verdict import CounterExample, Outcome, Verdict

__all__ = ["report_of"]

_MARK = ">>>"
_WHO_WIDTH = 28
_DID_WIDTH = 44

_PHRASES = {
    "_set_result_unless_cancelled": "a sleep is over",
    "_on_timeout": "a timeout strikes",
    "_release_waiter": "a timeout strikes",
    "_on_completion": "something that asyncio.wait waits for is done",
    "_done_callback": "something that asyncio.gather waits for is done",
    "_inner_done_callback": "what asyncio.shield protects is done",
    "_set_state": "what the thread returned arrives",
    "_call_check_cancel": "the thread is told that nobody waits for it",
}
"""What asyncio's own callbacks mean to who does not know them by name."""


def report_of(verdict: Verdict, command: str = "") -> str:
    """The whole report; `command` is what a shell runs to replay, with `{token}` in it."""
    if verdict.outcome is not Outcome.VIOLATED:
        return f"{verdict.scenario}: {verdict}"
    return "\n\n".join("\n".join(_of_example(verdict, example, command)) for example in verdict.counterexamples)


def _of_example(verdict: Verdict, example: CounterExample, command: str) -> Iterator[str]:
    yield f"VIOLATED  {example.violation.sentence}"
    yield ""
    spent = ", ".join(f"{word} {count}" for word, count in example.spent.items()) or "nothing"
    yield f"  scenario  {verdict.scenario}"
    yield f"  found by  run {example.found:,} of {verdict.schedules:,}; this schedule spends {spent}"
    yield f"  order     {verdict.bounds.order}, {verdict.bounds.order.claim}"
    yield ""
    yield f"  What happened ({_MARK} is what the explorer chose; the rest is what asyncio does by itself):"
    yield ""
    yield from _steps(example)
    yield f"  !!! {example.violation.kind}: {example.violation.subject}"
    if example.violation.details:
        yield ""
        yield from (f"      {line}" for line in example.violation.details)
    for other in example.others:
        yield f"  also      {other.sentence}"
    yield ""
    yield f"  replay    {command.format(token=example.token) if command else example.token}"


def _steps(example: CounterExample) -> Iterator[str]:
    steps = [step for step in example.trace if isinstance(step, Step)]
    who = min(max((len(step.who) for step in steps), default=0), _WHO_WIDTH)
    did = min(max((len(_did(step)) for step in steps if _where(step)), default=0), _DID_WIDTH)
    yield f"      {'time':>8}  {'who':{who}}  what"
    for step in example.trace:
        if isinstance(step, Choice):
            yield f"  {_MARK} {'':8}  {'':{who}}  {step.label}"
            continue
        mark = _MARK if step.outside else "   "
        where = _where(step)
        place = f"  {where.place}  {where.source}" if where is not None else ""
        inside = f"  [in {where.inside}]" if where is not None and where.inside and not step.outcome else ""
        yield f"  {mark} {step.time:8.3f}  {step.who:{who}}  {_did(step):{did if place else 0}}{place}{inside}"
        for inner in step.inner:
            if isinstance(inner, Choice):
                yield f"  {_MARK} {'':8}  {'':{who}}    {inner.label}"
            else:
                yield f"      {'':8}  {'':{who}}    - {inner}"


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
