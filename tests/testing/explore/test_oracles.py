"""Each oracle finds its fault in a program that has it, and nothing in the same program mended."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import warnings
from collections.abc import AsyncIterator

import pytest

from openhcs.testing.explore import Bounds, CounterExample, Kind, Outcome, World, explore
from openhcs.testing.explore.run import Scenario


def violated(scenario: Scenario, bounds: Bounds | None = None) -> CounterExample:
    """The counter-example of a scenario that has exactly one class of violation."""
    verdict = explore(scenario, bounds or Bounds(), every=True)
    assert verdict.outcome is Outcome.VIOLATED, str(verdict)
    assert len(verdict.counterexamples) == 1, verdict.classes
    return verdict.counterexamples[0]


def kind_of(scenario: Scenario, bounds: Bounds | None = None) -> Kind:
    """Which oracle finds a fault."""
    return violated(scenario, bounds).violation.kind


async def fails() -> None:
    raise ValueError("broken")


def test_a_coroutine_that_is_never_awaited() -> None:
    """Dropping a coroutine is found, and the report says where it was made."""

    async def scenario(world: World) -> None:
        fails()  # type: ignore[unused-coroutine]

    example = violated(scenario)
    assert example.violation.kind is Kind.NEVER_AWAITED
    assert "fails" in example.violation.sentence
    assert any("test_oracles.py" in line for line in example.violation.details)


def test_a_coroutine_that_is_lost_by_a_cancellation_before_its_first_step() -> None:
    """An operation that was handed a coroutine loses it when it is cancelled before it starts."""

    async def run(coroutine: object) -> None:
        await coroutine  # type: ignore[misc]

    async def scenario(world: World) -> None:
        await asyncio.wait({world.operation("run", run(asyncio.sleep(0)))})

    example = violated(scenario, Bounds(cancels=1))
    assert (example.violation.kind, example.spent) == (Kind.NEVER_AWAITED, {"cancels": 1})


def test_garbage_is_found_in_the_run_that_made_it() -> None:
    """A coroutine in a reference cycle is collected before the next run, so the right schedule is blamed."""

    async def scenario(world: World) -> None:
        if world.choose("abc") == "b":
            cycle: list[object] = [fails()]
            cycle.append(cycle)

    example = violated(scenario)
    assert str(example.token).endswith(":1:3")
    assert example.seen == 1


def test_a_task_that_is_alive_after_the_scenario() -> None:
    """A task that nobody awaits or cancels has leaked; one that only needs its next step has not."""

    async def leaks(world: World) -> None:
        world.loop.create_task(asyncio.sleep(1), name="forgotten")

    async def ends(world: World) -> None:
        world.loop.create_task(asyncio.sleep(0), name="quick")

    example = violated(leaks)
    assert (example.violation.kind, example.violation.subject) == (Kind.LEAKED_TASK, "forgotten")
    assert explore(ends, Bounds()).proved


def test_a_task_that_swallows_its_cancellation() -> None:
    """Returning normally after an accepted cancellation is found; passing it on is not."""

    async def swallows() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(1)

    async def passes_on() -> None:
        try:
            await asyncio.sleep(1)
        finally:
            await asyncio.sleep(0)

    def scenario(operation: object) -> Scenario:
        async def run(world: World) -> None:
            await asyncio.wait({world.operation("op", operation())})  # type: ignore[operator]

        return run

    assert kind_of(scenario(swallows), Bounds(cancels=1)) is Kind.SWALLOWED_CANCEL
    assert explore(scenario(passes_on), Bounds(cancels=2)).proved


def test_timeouts_and_task_groups_may_take_back_what_they_cancelled() -> None:
    """`asyncio.timeout` and `TaskGroup` cancel their own task and uncancel it: nothing was swallowed."""

    async def timed_out() -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await asyncio.sleep(2)

    async def group() -> None:
        with contextlib.suppress(ExceptionGroup):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(fails())
                await asyncio.sleep(2)

    async def scenario(world: World) -> None:
        await asyncio.wait({world.operation("timeout", timed_out()), world.operation("group", group())})

    assert explore(scenario, Bounds()).proved


def test_an_exception_that_nobody_retrieves() -> None:
    """A failed task that is dropped is found, with its traceback."""

    async def scenario(world: World) -> None:
        task = asyncio.create_task(fails())
        await asyncio.wait({task})

    example = violated(scenario)
    assert example.violation.kind is Kind.NEVER_RETRIEVED
    assert "ValueError: broken" in example.violation.sentence
    assert any("async def fails" in line or "in fails" in line for line in example.violation.details)


def test_an_exception_in_a_callback_of_the_loop() -> None:
    """What reaches the loop's exception handler is found, unless the program has set a handler of its own."""
    heard: list[str] = []

    async def unhandled(world: World) -> None:
        world.loop.call_soon(lambda: 1 / 0)
        await asyncio.sleep(0)

    async def handled(world: World) -> None:
        world.loop.set_exception_handler(lambda loop, context: heard.append(str(context["exception"])))
        await unhandled(world)

    assert kind_of(unhandled) is Kind.LOOP_HANDLER
    assert explore(handled, Bounds()).proved
    assert heard == ["division by zero"]


def test_a_deadlock() -> None:
    """Two tasks that take two locks in opposite order can stop for ever; in one order they cannot."""

    def scenario(*orders: str) -> Scenario:
        async def run(world: World) -> None:
            locks = {"x": asyncio.Lock(), "y": asyncio.Lock()}

            async def take(first: str, second: str) -> None:
                async with locks[first]:
                    await asyncio.sleep(0)
                    async with locks[second]:
                        pass

            await asyncio.gather(*(take(*order) for order in orders))

        return run

    example = violated(scenario("xy", "yx"))
    assert example.violation.kind is Kind.DEADLOCK
    assert sum("Lock.acquire" in line or "async with locks[second]" in line for line in example.violation.details) == 2
    assert explore(scenario("xy", "xy"), Bounds()).proved


def test_a_livelock() -> None:
    """A scenario that spins without end stops at the bound of iterations."""

    async def scenario(world: World) -> None:
        while True:  # noqa: ASYNC110 - spinning is the fault
            await asyncio.sleep(0)

    assert kind_of(scenario, Bounds(steps=50)) is Kind.LIVELOCK


def test_a_scenario_that_raises() -> None:
    """A failed assertion is a violation that tells the line."""

    async def scenario(world: World) -> None:
        value = world.choose([1, 2])
        assert value == 1, "value is two"

    example = violated(scenario)
    assert example.violation.kind is Kind.MAIN_RAISED
    assert "value is two" in example.violation.sentence
    assert 'assert value == 1, "value is two"' in example.violation.sentence


def test_a_scenario_that_is_cancelled() -> None:
    """Cancelling the scenario itself is not its end."""

    async def scenario(world: World) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    assert kind_of(scenario) is Kind.MAIN_RAISED


def test_system_exit_in_a_task() -> None:
    """It leaves the loop in asyncio, so it is a violation, and does not end whoever explores."""

    async def leave() -> None:
        raise SystemExit(3)

    async def scenario(world: World) -> None:
        await asyncio.gather(leave())

    example = violated(scenario)
    assert (example.violation.kind, example.violation.subject) == (Kind.MAIN_RAISED, "SystemExit")


def test_what_is_left_of_a_violated_run_is_ended() -> None:
    """Its tasks are cancelled and clean up, without a word, before the next run begins."""
    ended: list[str] = []

    async def holds() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            ended.append("cleaned up")

    async def scenario(world: World) -> None:
        task = asyncio.create_task(holds())
        await world.idle()
        assert task.done()

    assert kind_of(scenario) is Kind.MAIN_RAISED
    assert set(ended) == {"cleaned up"}


@pytest.mark.parametrize("delay", [0, 1])
def test_an_async_generator_that_is_left_half_way_is_closed(delay: int) -> None:
    """As `asyncio.run` does it; one whose end waits for a timer does not stop the exploration."""
    closed: list[int] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await asyncio.sleep(delay)
            closed.append(delay)

    async def scenario(world: World) -> None:
        world.choose("ab")
        left.append(generator := numbers())
        await anext(generator)

    left: list[AsyncIterator[int]] = []
    assert explore(scenario, Bounds()).proved
    assert closed == ([0, 0] if delay == 0 else [])


def test_an_invariant_is_checked_after_each_step() -> None:
    """A state that lasts for one step is enough to break an invariant; an idle one does not see it."""

    def scenario(idle: bool) -> Scenario:
        async def run(world: World) -> None:
            open_dialogs = 0

            @world.invariant
            def at_most_one() -> bool:
                return idle or open_dialogs <= 1

            world.invariant(lambda: open_dialogs <= 1, idle=True, name="one when idle")
            open_dialogs = 2
            await asyncio.sleep(0)
            open_dialogs = 1
            await asyncio.sleep(1)

        return run

    assert violated(scenario(idle=False)).violation.kind is Kind.INVARIANT
    assert "at_most_one" in violated(scenario(idle=False)).violation.subject
    assert explore(scenario(idle=True), Bounds()).proved


def test_an_invariant_when_idle() -> None:
    """What must hold while nothing is scheduled is checked then, by False or by an exception."""

    async def scenario(world: World) -> None:
        focus = "behind"

        def focus_is_on_top() -> None:
            assert focus == "top", f"focus is {focus}"

        world.invariant(focus_is_on_top, idle=True)
        await asyncio.sleep(1)

    example = violated(scenario)
    assert (example.violation.kind, "focus is behind" in example.violation.sentence) == (Kind.INVARIANT, True)


def test_a_final_condition() -> None:
    """It is asked once the scenario has ended and what was ready has run."""

    async def scenario(world: World) -> None:
        left: list[int] = []
        world.loop.call_soon(left.append, 1)
        world.final(lambda: left == [1], name="the callback has run")
        world.final(lambda: not left, name="nothing is left")

    example = violated(scenario)
    assert (example.violation.kind, example.violation.subject) == (Kind.FINAL, "nothing is left")


def test_an_exception_in_a_destructor() -> None:
    """What Python can only print is a violation."""

    class Bad:
        def __del__(self) -> None:
            raise OSError("too late")

    async def scenario(world: World) -> None:
        Bad()

    assert kind_of(scenario) is Kind.UNRAISABLE


def test_what_a_scenario_allows_is_not_reported() -> None:
    """One kind, or only those whose sentence has a text."""

    async def scenario(world: World) -> None:
        world.allow(Kind.NEVER_AWAITED, "fails")
        fails()  # type: ignore[unused-coroutine]

    assert explore(scenario, Bounds()).proved


def test_other_warnings_reach_the_caller_once() -> None:
    """A deprecation in the program is no fault of a schedule, and is not lost either."""

    async def scenario(world: World) -> None:
        world.choose("abc")
        warnings.warn("old", DeprecationWarning, stacklevel=1)

    with pytest.warns(DeprecationWarning, match="old") as heard:
        assert explore(scenario, Bounds()).proved
    assert len(heard) == 1


def test_an_exploration_leaves_the_interpreter_as_it_was() -> None:
    """Collection, random numbers and hooks are as before, even after a violation."""
    random.seed(7)
    before = random.getstate(), gc.isenabled(), gc.get_freeze_count() > 0

    async def scenario(world: World) -> None:
        random.random()
        raise ValueError

    explore(scenario, Bounds())
    assert before == (random.getstate(), gc.isenabled(), gc.get_freeze_count() > 0)
