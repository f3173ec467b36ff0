"""Where the explorer has choices, counted by hand: a schedule too many or too few is a wrong idea of the loop."""

from __future__ import annotations

import asyncio
import itertools
import signal
import time
from types import SimpleNamespace

import pytest

from openhcs.testing.explore import UNLIMITED, Bounds, Order, Outcome, UnsupportedCall, World, explore
from openhcs.testing.explore.run import Scenario


def schedules(scenario: Scenario, bounds: Bounds) -> int:
    """How many schedules there are, all of them kept."""
    verdict = explore(scenario, bounds)
    assert verdict.proved, str(verdict)
    return verdict.schedules


def outcomes(scenario: Scenario, bounds: Bounds, seen: list[str]) -> set[str]:
    """What a scenario that appends its result to `seen` can lead to."""
    seen.clear()
    schedules(scenario, bounds)
    return set(seen)


def test_without_anything_outside_there_is_one_schedule() -> None:
    """Three tasks and their timers run in asyncio's one order, in virtual time."""
    order: list[tuple[str, float]] = []

    async def scenario(world: World) -> None:
        async def sleeper(name: str, delay: float) -> None:
            await asyncio.sleep(delay)
            order.append((name, world.time()))

        await asyncio.gather(sleeper("a", 3600), sleeper("b", 1), sleeper("c", 3600))

    began = time.perf_counter()
    assert schedules(scenario, Bounds(cancels=1, faults=1, rush=1)) == 1
    assert time.perf_counter() - began < 1
    assert order == [("b", 1), ("a", 3600), ("c", 3600)]


def test_free_choices_multiply() -> None:
    """Three options and then two are six schedules, the first options first."""
    seen: list[tuple[str, bool]] = []

    async def scenario(world: World) -> None:
        seen.append((world.choose("abc"), world.choose([False, True])))

    assert schedules(scenario, Bounds()) == 6
    assert seen[0] == ("a", False)
    assert len(set(seen)) == 6


def test_an_operation_that_sleeps_once_can_be_cancelled_at_five_moments() -> None:
    """Before its first step, after it, asleep, as its timer is due, and as its timer has woken it."""
    ends: list[str] = []

    async def scenario(world: World) -> None:
        operation = world.operation("sleep", asyncio.sleep(1))
        await asyncio.wait({operation})
        ends.append(f"{'cancelled' if operation.cancelled() else 'done'} at {world.time():g}")

    assert schedules(scenario, Bounds(cancels=1)) == 6
    assert sorted(ends) == ["cancelled at 0"] * 3 + ["cancelled at 1"] * 2 + ["done at 1"]


def test_two_operations_can_be_cancelled_together() -> None:
    """The application's exit is a choice of its own: one cancellation for all that is alive."""
    seen: list[str] = []

    async def scenario(world: World) -> None:
        never = [world.operation(name, asyncio.sleep(1)) for name in "ab"]
        await asyncio.wait(never)
        seen.append("".join("x" if operation.cancelled() else "-" for operation in never))

    assert outcomes(scenario, Bounds(cancels=1), seen) == {"--", "x-", "-x", "xx"}


def test_an_event_waits_for_an_idle_loop_unless_rush_pays() -> None:
    """A key comes when all is quiet; with rush it may come while callbacks are ready.

    The first iteration has polled before the scenario registers the key, so the second is the first to find it, behind
    its own callbacks.
    """
    seen: list[str] = []

    async def scenario(world: World) -> None:
        came: list[int] = []
        world.event("key", lambda: came.append(1))
        for step in range(3):
            await asyncio.sleep(0)
            if came:
                seen.append(f"busy {step}")
                return
        await world.idle()
        seen.append("idle")

    assert outcomes(scenario, Bounds(), seen) == {"idle"}
    assert outcomes(scenario, Bounds(rush=1), seen) == {"busy 1", "busy 2", "idle"}


def test_a_loop_with_a_timer_that_is_due_is_busy() -> None:
    """`call_later(0)` is due in the next iteration: an event that comes before it has not waited for an idle loop."""
    seen: list[str] = []

    async def scenario(world: World) -> None:
        order: list[str] = []
        future = world.loop.create_future()
        world.event("key", lambda: order.append("key"))
        world.loop.call_later(0, lambda: (order.append("timer"), future.set_result(None)))  # type: ignore[func-returns-value]
        await future
        seen.append(" ".join(order))

    assert outcomes(scenario, Bounds(), seen) == {"timer"}
    assert outcomes(scenario, Bounds(rush=1), seen) == {"timer", "key timer"}


def test_two_events_at_a_busy_loop_cost_two() -> None:
    """Rush is spent for each event; without a limit any number may come at any time."""
    seen: list[str] = []

    async def scenario(world: World) -> None:
        came: list[str] = []
        for name in "ab":
            world.event(name, lambda name=name: came.append(name))  # type: ignore[misc]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        seen.append("".join(came))

    assert outcomes(scenario, Bounds(rush=1), seen) == {"", "a", "b"}
    assert outcomes(scenario, Bounds(rush=UNLIMITED), seen) == {"", "a", "b", "ab", "ba"}


def test_an_event_comes_before_with_or_after_a_timer() -> None:
    """An idle loop with a timer has three schedules: the event now, with the timer, after it."""
    seen: list[str] = []

    async def scenario(world: World) -> None:
        future = world.loop.create_future()
        order: list[str] = []
        world.loop.call_later(1, order.append, "timer")

        def reply() -> None:
            order.append(f"reply at {world.time():g}")
            future.set_result(None)

        world.event("reply", reply)
        await future
        seen.append(" ".join(order))

    assert schedules(scenario, Bounds()) == 3
    assert seen == ["timer reply at 1", "reply at 1 timer", "reply at 0"]


def test_a_guard_holds_an_event_back() -> None:
    """The world can only react to what it has seen: the guard is asked at the boundary, before anything runs."""
    seen: list[str] = []

    async def scenario(world: World) -> None:
        sent = False

        def answer() -> None:
            seen.append("answered")

        world.event("reply", answer, guard=lambda: sent)
        await asyncio.sleep(0)
        seen.append("send")
        sent = True
        await asyncio.sleep(1)

    schedules(scenario, Bounds(rush=UNLIMITED))
    assert seen[0] == "send"
    assert all(before == "send" for before, after in itertools.pairwise(seen) if after == "answered")


def test_an_event_with_a_limit_ends_the_patience_of_an_endless_timer() -> None:
    """A poll every second, and a key within three: four polls at most, and all schedules are run."""
    polls: list[int] = []

    async def scenario(world: World) -> None:
        pressed = asyncio.Event()
        world.event("key", pressed.set, within=3)

        async def poll() -> None:
            for count in range(1000):
                polls.append(count)
                await asyncio.sleep(1)

        polling = asyncio.create_task(poll())
        await pressed.wait()
        polling.cancel()
        await asyncio.wait({polling})

    schedules(scenario, Bounds())
    assert max(polls) == 3


def test_a_slow_step_lets_a_timer_join_what_is_ready() -> None:
    """Without it a timeout never strikes while its body still has something to run.

    Two steps, for a timer runs behind what is ready: the first of them can no longer end the timeout.
    """
    seen: list[str] = []

    async def scenario(world: World) -> None:
        try:
            async with asyncio.timeout(1):
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            seen.append("in time")
        except TimeoutError:
            seen.append("too late")

    assert outcomes(scenario, Bounds(), seen) == {"in time"}
    assert outcomes(scenario, Bounds(slow=1), seen) == {"in time", "too late"}


def test_a_fault_happens_only_where_it_is_marked() -> None:
    """Two marked points and one fault: no fault, the first point with either fault, the second."""
    seen: list[str] = []

    async def scenario(world: World) -> None:
        seen.append(f"{world.fault('raises', 'answers at once')} {world.fault('disk full')}")

    assert schedules(scenario, Bounds(faults=1)) == 4
    assert set(seen) == {"None None", "raises None", "answers at once None", "None disk full"}
    assert schedules(scenario, Bounds(faults=2)) == 6
    assert schedules(scenario, Bounds()) == 1


def test_a_thread_finishes_when_the_world_says() -> None:
    """Executor calls have no time of their own: before a timer, with it, or after it."""
    seen: list[str] = []

    async def scenario(world: World) -> None:
        work = asyncio.create_task(asyncio.to_thread(lambda: "done"))
        order: list[str] = []
        work.add_done_callback(lambda task: order.append(task.result()))
        await asyncio.sleep(1)
        order.append("timer")
        await asyncio.wait({work})
        seen.append(" ".join(order))

    assert outcomes(scenario, Bounds(), seen) == {"done timer", "timer done"}


def test_a_thread_finds_no_running_loop_and_its_error_belongs_to_the_awaiter() -> None:
    """What runs in an executor runs in another thread, and raises where it is awaited."""

    def work() -> None:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        raise OSError("disk full")

    async def scenario(world: World) -> None:
        with pytest.raises(OSError, match="disk full"):
            await world.loop.run_in_executor(None, work)

    schedules(scenario, Bounds(rush=1))


def test_a_thread_can_put_its_callback_between_others() -> None:
    """Stock asyncio takes `call_soon_threadsafe` at any moment: it overtakes what the same iteration schedules later.

    Other events land behind what is ready.
    """
    seen: list[str] = []

    def race(thread: bool) -> Scenario:
        async def scenario(world: World) -> None:
            order: list[str] = []
            loop = world.loop
            world.event("other", lambda: loop.call_soon_threadsafe(order.append, "x"), thread=thread)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            for name in "ab":
                loop.call_soon(order.append, name)
            await asyncio.sleep(0)
            await world.idle()
            seen.append("".join(order))

        return scenario

    assert outcomes(race(thread=True), Bounds(rush=1), seen) == {"ab", "xab", "axb", "abx"}
    assert outcomes(race(thread=False), Bounds(rush=1), seen) == {"ab", "xab", "abx"}


def test_any_order_lets_one_callback_overtake() -> None:
    """Two ready tasks have one order in asyncio, and both in `any` order with one reorder."""
    seen: list[str] = []

    async def scenario(world: World) -> None:
        order: list[str] = []

        async def say(word: str) -> None:
            order.append(word)

        await asyncio.gather(say("a"), say("b"))
        seen.append("".join(order))

    assert outcomes(scenario, Bounds(), seen) == {"ab"}
    assert outcomes(scenario, Bounds(order=Order.ANY), seen) == {"ab"}
    assert outcomes(scenario, Bounds(order=Order.ANY, reorder=1), seen) == {"ab", "ba"}


def test_a_signal_reaches_the_handler_that_the_program_added() -> None:
    """Signals are events; the handler runs in the next iteration, as asyncio runs it."""

    async def scenario(world: World) -> None:
        stopped = asyncio.Event()
        world.loop.add_signal_handler(signal.SIGTERM, stopped.set)
        world.event("SIGTERM", lambda: world.signal(signal.SIGTERM))
        await stopped.wait()
        assert world.loop.remove_signal_handler(signal.SIGTERM)

    schedules(scenario, Bounds(rush=1))


def test_a_clock_can_be_virtual_and_is_real_afterwards() -> None:
    """`world.virtual_clock` and `world.patch` last for a run."""
    program = SimpleNamespace(limit=1)

    async def scenario(world: World) -> None:
        world.virtual_clock()
        world.patch(program, "limit", 2)
        world.patch(program, "added", True)
        began = time.monotonic()
        await asyncio.sleep(100)
        time.sleep(20)  # noqa: ASYNC251 - a blocking call, in virtual time
        assert (time.monotonic() - began, program.limit) == (120, 2)

    real = time.monotonic
    schedules(scenario, Bounds())
    assert time.monotonic is real
    assert vars(program) == {"limit": 1}


@pytest.mark.parametrize("call", ["create_connection", "add_reader", "subprocess_exec", "getaddrinfo"])
def test_what_is_real_is_refused_by_name(call: str) -> None:
    """A program that opens a socket is told which call, and what to do instead."""

    async def scenario(world: World) -> None:
        with pytest.raises(UnsupportedCall, match=rf"loop\.{call}\(\).*expected.*stub|callback"):
            getattr(world.loop, call)()

    schedules(scenario, Bounds())


def test_a_cut_exploration_is_not_proved() -> None:
    """A limit of schedules or of seconds gives CUT with the number of runs, and raises where a proof is needed."""

    async def scenario(world: World) -> None:
        for _ in range(20):
            world.choose("ab")

    verdict = explore(scenario, Bounds(), schedules=10)
    assert (verdict.outcome, verdict.schedules, verdict.proved, verdict.complete) == (Outcome.CUT, 10, False, False)
    assert explore(scenario, Bounds(), seconds=0.05).outcome is Outcome.CUT
    with pytest.raises(AssertionError, match="CUT"):
        verdict.require_proved()


def test_the_limit_at_the_very_last_schedule_is_no_cut() -> None:
    """Where nothing is left, nothing was cut."""

    async def scenario(world: World) -> None:
        world.choose("abc")

    assert explore(scenario, Bounds(), schedules=3).proved
