"""G8: the breaker heals. After a failure of showing it waits, probes once at a time, and closes on success."""

from __future__ import annotations

import asyncio
from typing import Any

from openhcs.testing.explore import World
from openhcs.tui.utils.circuit_breaker import BreakerState, CircuitBreaker
from openhcs.tui.utils.error_dialog import ErrorDialog
from tests.proofs.scenery import Boom, DisplayFault, ErrorDesk, ended, raised, theorem


class _Ailing:
    """A host whose first shows fail, and that then shows for one tick."""

    def __init__(self, world: World, failures: int) -> None:
        self._world = world
        self._failures = failures
        self.attempts: list[float] = []
        self.failed: list[float] = []
        self.waits: list[float] = []
        """How long after each failed attempt the next one came."""
        self.at_once = 0
        self.shown = 0
        world.invariant(lambda: self.at_once <= 1, name="one attempt at a time")

    async def show_dialog(self, dialog: ErrorDialog, result: asyncio.Future[Any]) -> None:
        now = self._world.time()
        if len(self.failed) > len(self.waits):
            self.waits.append(now - self.failed[-1])
        self.attempts.append(now)
        self.at_once += 1
        try:
            await asyncio.sleep(0)
            if len(self.failed) < self._failures:
                self.failed.append(self._world.time())
                raise DisplayFault("not yet")
            self.shown += 1
            dialog.close()
        finally:
            self.at_once -= 1


@theorem
async def test_the_breaker_waits_longer_after_each_failed_probe_and_heals(world: World) -> None:
    """Showing fails for the first one or two attempts; two callers report at the same moments, the first may be
    cancelled at any of them: one probe at a time, none within a cool-down that doubles, and in the end it shows."""
    failures = world.choose((1, 2), "attempts that fail")
    host = _Ailing(world, failures)
    desk = ErrorDesk(world, host)

    async def report(name: str, times: int) -> None:
        for number in range(times):
            await desk.handler.handle_error(raised(Boom(f"{name} {number}")), name)
            await asyncio.sleep(5.0)

    calls = [world.operation("first", report("first", 2)), world.loop.create_task(report("second", 3))]
    await ended(*calls)
    while len(host.failed) < failures or desk.handler._circuit_breaker_active or not host.shown:
        await asyncio.sleep(60.0)
        await desk.handler.handle_error(raised(Boom(f"later {world.time()}")), "later")
    for waited, cool_down in zip(host.waits, (5.0, 10.0, 20.0), strict=False):
        assert waited >= cool_down, f"the next attempt came after {waited:g} s, not {cool_down:g}"
    assert desk.breaker.state is BreakerState.CLOSED
    attempts = len(host.attempts)
    await desk.handler.handle_error(raised(Boom("healed")), "healed")
    assert len(host.attempts) == attempts + 1


@theorem
async def test_a_cancelled_probe_lets_the_next_one_try(world: World) -> None:
    """After a failure and its cool-down two callers report at once, and the one that probes may be cancelled at any
    moment: the breaker is not left waiting for it, and shows the next error."""
    host = _Ailing(world, 1)
    desk = ErrorDesk(world, host)
    await desk.handler.handle_error(raised(Boom("broken")), "broken")
    assert desk.handler._circuit_breaker_active
    await asyncio.sleep(5.0)
    calls = [world.operation(name, desk.handler.handle_error(raised(Boom(name)), name)) for name in ("probe", "other")]
    await ended(*calls)
    await desk.tasks.shutdown(1.0)
    attempts = len(host.attempts)
    await desk.handler.handle_error(raised(Boom("next")), "next")
    assert len(host.attempts) == attempts + 1
    assert not desk.handler._circuit_breaker_active


@theorem
async def test_two_users_of_a_breaker_probe_one_after_the_other(world: World) -> None:
    """Two users ask one open breaker whether they may attempt, until it is closed, where an attempt takes a moment and
    one may fail; cancelled at any moment: never two attempts at once, and in the end it is closed, as new."""
    breaker = CircuitBreaker(cool_down_s=1.0, clock=world.time)
    breaker.fail()
    at_once: list[str] = []
    world.invariant(lambda: len(at_once) <= 1, name="one attempt at a time")

    async def user(name: str) -> None:
        while breaker.state is not BreakerState.CLOSED:
            if breaker.allow():
                at_once.append(name)
                try:
                    await asyncio.sleep(0)
                except asyncio.CancelledError:
                    breaker.give_up()
                    raise
                finally:
                    at_once.remove(name)
                if world.fault("the attempt fails"):
                    breaker.fail()
                else:
                    breaker.succeed()
            else:
                await asyncio.sleep(breaker.retry_in_s)

    await ended(world.operation("first", user("first")), world.operation("second", user("second")))
    await user("last")
    assert breaker.allow()
    breaker.fail()
    assert breaker.retry_in_s == 1.0, "a healed breaker begins with the first cool-down"


@theorem
async def test_resetting_closes_the_breaker_at_once(world: World) -> None:
    """The breaker is reset at any moment while two callers report to a host that fails once: the next error after it is
    shown at once, whatever the cool-down."""
    host = _Ailing(world, 1)
    desk = ErrorDesk(world, host)
    calls = [world.operation(name, desk.handler.handle_error(raised(Boom(name)), name)) for name in ("first", "second")]
    await ended(*calls)
    desk.handler.reset_circuit_breaker()
    attempts = len(host.attempts)
    await desk.handler.handle_error(raised(Boom("next")), "next")
    assert len(host.attempts) == attempts + 1
