"""A verdict as a person reads it: what is wrong in one sentence, what happened step by step, how to see it again."""

from __future__ import annotations

from collections.abc import Iterator

from openhcs.testing.explore.location import Location
from openhcs.testing.explore.trace import Choice, Step
from openhcs.testing.explore.verdict import CounterExample, Outcome, Verdict

__all__ = ["report_of"]

_MARK = ">>>"
_TEXT_WIDTH = 44


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
    yield f"  {'!!!':>12}  {example.violation.kind}: {example.violation.subject}"
    if example.violation.details:
        yield ""
        yield from (f"      {line}" for line in example.violation.details)
    for other in example.others:
        yield f"  also      {other.sentence}"
    yield ""
    yield f"  replay    {command.format(token=example.token) if command else example.token}"


def _steps(example: CounterExample) -> Iterator[str]:
    names = [step.who for step in example.trace if isinstance(step, Step)]
    width = min(max((len(name) for name in names), default=0), 28)
    for step in example.trace:
        if isinstance(step, Choice):
            yield f"  {_MARK} {'':8}  {step.label}"
            continue
        mark = _MARK if step.outside else "   "
        did, where = _did(step)
        yield f"  {mark} {step.time:8.3f}  {step.who:{width}}  {did}{where}".rstrip()
        for inner in step.inner:
            if isinstance(inner, Choice):
                yield f"  {_MARK} {'':8}  {'':{width}}  {inner.label}"
            else:
                yield f"      {'':8}  {'':{width}}  - {inner}"


def _did(step: Step) -> tuple[str, str]:
    if step.outside:
        return step.outcome, ""
    if step.who == "callback":
        return f"{step.outcome} is called", ""
    verb = "starts" if step.began is None else "goes on"
    if step.outcome:
        return f"{verb}, {step.outcome}", f"{_after(step.began)}"
    return f"{verb}, waits", _at(step.ended)


def _after(where: Location | None) -> str:
    return f"  (had waited at {where.place}: {where.source})" if where else ""


def _at(where: Location | None) -> str:
    if where is None:
        return ""
    inside = f"  [in {where.inside}]" if where.inside else ""
    return f" at {where.place}: {where.source}{inside}"
