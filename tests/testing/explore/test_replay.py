"""A schedule is a word that replays it; the smallest is the one reported; what cannot be replayed fails."""

from __future__ import annotations

import asyncio
import itertools
import random
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhcs.testing.explore import (
    UNLIMITED,
    Bounds,
    Kind,
    NonDeterminism,
    Order,
    Outcome,
    Token,
    TokenError,
    World,
    explore,
    replay,
    sample,
)
from openhcs.testing.explore.run import Scenario, room
from openhcs.testing.explore.search import Limits, Progress, every_schedule

budgets = st.none() | st.integers(0, 99)


@given(
    st.builds(Bounds, budgets, budgets, budgets, budgets), st.lists(st.tuples(st.integers(0, 99), st.integers(0, 9)))
)
def test_a_token_is_read_as_it_was_written(bounds: Bounds, choices: list[tuple[int, int]]) -> None:
    """Whatever the budgets, the options and the number of options, above the digits and letters too."""
    token = Token.of(bounds, [option for option, _ in choices], [option + more + 1 for option, more in choices])
    assert Token.parse(str(token)) == token


def test_a_token_is_short_and_readable() -> None:
    """The options end with the last that is not the first; `*` is a budget without limit."""
    bounds = Bounds(1, 1, UNLIMITED, 2, reorder=1, order=Order.ANY)
    assert str(Token.of(bounds, [0, 0, 0, 1, 0], [2, 2, 3, 2, 2])) == "x1:any:c1f1r*s2o1:0001:2232"
    assert str(Token.of(Bounds(), [0, 0], [2, 2])) == "x1:fifo:c0f0r0s0:-:-"
    assert Token.parse("x1:fifo:c1f1r1s2:0001").sizes is None


@pytest.mark.parametrize(
    "text", ["", "x2:fifo:c1f1r1s2:01", "x1:lifo:c1f1r1s2:01", "x1:fifo:c1:01", "x1:fifo:c1f1r1s2:0!:22",
             "x1:fifo:c1f1r1s2:01:2", "x1:fifo:c1f1r1s2:(:2"],
)  # fmt: skip
def test_what_is_no_token_is_refused_with_the_form(text: str) -> None:
    """The message shows what was given and what a token looks like."""
    with pytest.raises(TokenError, match=r"cannot read the token: .*expected x1:<fifo"):
        Token.parse(text)


async def swallows(world: World) -> None:
    async def quiet() -> None:
        await asyncio.sleep(1)
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            return

    world.choose("abc")
    await asyncio.wait({world.operation("quiet", quiet())})


def test_the_token_of_a_counter_example_replays_it() -> None:
    """Violation, spending and trace are the same again."""
    found = explore(swallows, Bounds(cancels=2)).counterexamples[0]
    again = replay(swallows, str(found.token))
    assert again.outcome is Outcome.VIOLATED
    assert again.counterexamples[0] == replace(found, found=1, seen=1)
    assert again.counterexamples[0].trace == found.trace


def test_the_counter_example_is_small() -> None:
    """One cancellation is enough, so no second is spent, and the free choice is the first."""
    found = explore(swallows, Bounds(cancels=2, rush=1)).counterexamples[0]
    assert found.spent == {"cancels": 1}
    assert found.token.options[0] == 0
    assert sum(option != 0 for option in found.token.options) == 1


def test_a_replay_without_a_violation_is_no_proof() -> None:
    """The verdict says that one schedule was run, and fails where a proof is asked for."""
    verdict = replay(swallows, "x1:fifo:c1f0r0s0:1:3")
    assert (verdict.outcome, verdict.proved, verdict.complete) == (Outcome.REPLAYED, False, False)


@pytest.mark.parametrize(
    ("token", "choice"),
    [
        ("x1:fifo:c1f0r0s0:1:4", 0),  # the first choice had four options once
        ("x1:fifo:c1f0r0s0:5", 0),  # without sizes: an option that is not there
        ("x1:fifo:c1f0r0s0:00000000000001:32222222222222", 10),  # a run that was longer
    ],
)
def test_a_stale_token_never_passes(token: str, choice: int) -> None:
    """It fails as non-determinism, and names the choice at which program and token part."""
    with pytest.raises(NonDeterminism, match=f"choice {choice} met .*; expected .* token is older") as failure:
        replay(swallows, token)
    assert failure.value.choice == choice


def test_a_program_that_keeps_state_between_runs_is_found_out() -> None:
    """State outside the scenario changes the second run, and the exploration fails instead of passing."""
    runs = itertools.count()

    async def scenario(world: World) -> None:
        world.choose("ab")
        world.choose("abcd"[: 2 + next(runs) % 2])
        world.choose("ab")

    with pytest.raises(NonDeterminism, match="does not control: patch it"):
        explore(scenario, Bounds())


def test_non_determinism_passes_through_a_program_that_catches_everything() -> None:
    """A fault choice that differs inside `except BaseException` still ends the exploration."""
    runs = itertools.count()

    async def scenario(world: World) -> None:
        world.choose("ab")
        try:
            world.fault(*"xyz"[: 1 + next(runs) % 2])
        except BaseException:  # the program under test
            return
        world.choose("ab")

    with pytest.raises(NonDeterminism):
        explore(scenario, Bounds(faults=1))


async def race(world: World) -> None:
    """Sets of tasks, default names, random numbers and weak references: what differs between runs of a process."""

    async def worker(delay: float) -> None:
        await asyncio.sleep(delay)

    for name in "xy":
        world.event(name, lambda: None)
    tasks = {asyncio.create_task(worker(random.random())) for _ in range(5)}
    while tasks:
        done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        world.note(" ".join(task.get_name() for task in done))
        for task in tasks:
            if world.choose([False, True], task.get_name()):
                task.cancel()
                break


def test_the_same_scenario_has_the_same_tree() -> None:
    """Explored twice, every run makes the same choices among the same options in the same order."""

    def tree() -> list[object]:
        with room(race) as runs:
            return [run.record for run in every_schedule(runs, Bounds(rush=1), Limits(schedules=400), Progress())]

    first = tree()
    assert len(first) == 400
    assert len({record.options for record in first}) == 400  # type: ignore[attr-defined]
    assert first == tree()


def test_random_numbers_are_the_same_in_every_run() -> None:
    """A program that throws dice has one tree, and another run's dice do not matter."""
    thrown: list[float] = []

    async def scenario(world: World) -> None:
        thrown.append(random.random())
        world.choose("abc")
        random.random()

    assert explore(scenario, Bounds()).proved
    assert len(thrown) == 3
    assert len(set(thrown)) == 1


def test_cheap_schedules_come_first() -> None:
    """A schedule that spends one comes before any that spends two, so the first counter-example spends least."""
    with room(swallows) as runs:
        spent = [run.record.spent for run in every_schedule(runs, Bounds(cancels=2, rush=2), Limits(), Progress())]
    assert spent == sorted(spent)
    assert set(spent) == {0, 1, 2}


@pytest.mark.parametrize("method", ["random", "pct"])
def test_sampling_finds_and_never_proves(method: str) -> None:
    """The same seed draws the same schedules; what it finds is replayed by its token; finding nothing is SAMPLED."""
    found = sample(swallows, Bounds(cancels=1), schedules=500, method=method, seed=3)
    assert found.outcome is Outcome.VIOLATED
    assert found == replace(sample(swallows, Bounds(cancels=1), method=method, seed=3), seconds=found.seconds)
    assert replay(swallows, found.counterexamples[0].token).outcome is Outcome.VIOLATED
    nothing = sample(swallows, Bounds(), schedules=50, method=method)
    assert (nothing.outcome, nothing.schedules, nothing.proved) == (Outcome.SAMPLED, 50, False)


async def two_faults(world: World) -> None:
    async def leaks() -> None:
        try:
            await asyncio.sleep(1)
        finally:
            world.loop.create_task(asyncio.sleep(9), name="late") if world.fault("left over") else None

    operations = {world.operation("leaks", leaks()), world.operation("swallows", swallows_one())}
    world.event("key", lambda: None)
    await asyncio.wait(operations)


async def swallows_one() -> None:
    try:
        await asyncio.sleep(1)
    except asyncio.CancelledError:
        await asyncio.sleep(1)


@pytest.mark.parametrize("scenario", [swallows, two_faults])
def test_pruning_finds_the_same_classes_of_violation_in_fewer_runs(scenario: Scenario) -> None:
    """Where both searches end, they agree; and the pruned one does not call itself complete."""
    bounds = Bounds(cancels=2, faults=1)
    whole = explore(scenario, bounds, every=True)
    pruned = explore(scenario, bounds, every=True, prune=True)
    assert set(pruned.classes) == set(whole.classes) != set()
    assert pruned.schedules < whole.schedules
    assert (whole.complete, pruned.complete) == (True, False)


def test_pruning_is_unsound_where_state_is_not_watched() -> None:
    """State that the fingerprint cannot see hides a fault, until the scenario watches it: so it is no proof."""

    class Register:
        order = ""

    def scenario(watched: bool) -> Scenario:
        async def run(world: World) -> None:
            world.patch(Register, "order", "")
            if watched:
                world.watch(lambda: Register.order)
            both = asyncio.Barrier(3)
            for name in "ab":
                arrive = partial(_arrive, Register, name, both)
                world.event(name, arrive)
            await both.wait()
            await asyncio.sleep(1)
            assert Register.order == "ab"

        return run

    def found(watched: bool, prune: bool) -> Outcome:
        return explore(scenario(watched), Bounds(), prune=prune).outcome

    assert found(watched=False, prune=False) is Outcome.VIOLATED
    assert found(watched=True, prune=True) is Outcome.VIOLATED
    assert found(watched=False, prune=True) is Outcome.CUT


def test_pruning_sees_what_functions_share() -> None:
    """A variable that an event changes by `nonlocal` is state, though no frame but the scenario's holds it."""

    async def scenario(world: World) -> None:
        order = ""
        both = asyncio.Barrier(3)

        def arrive(name: str) -> None:
            nonlocal order
            order = order + name if order == "a" else name
            world.loop.create_task(both.wait(), name="arrival")

        for name in "ab":
            world.event(name, partial(arrive, name))
        del arrive
        await both.wait()
        await asyncio.sleep(1)
        assert order == "ab"

    assert explore(scenario, Bounds(), prune=True).outcome is Outcome.VIOLATED


def _arrive(register: Any, name: str, both: asyncio.Barrier) -> None:
    register.order += name
    asyncio.get_running_loop().create_task(both.wait(), name="arrival")


def test_the_kind_of_every_class_is_a_kind() -> None:
    """A class is the kind and whose fault it is."""
    (label,) = explore(swallows, Bounds(cancels=1)).classes
    assert label == f"{Kind.SWALLOWED_CANCEL}: quiet"
