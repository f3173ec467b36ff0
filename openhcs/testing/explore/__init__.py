"""Every interleaving of an asyncio program, run on a deterministic loop with virtual time.

    from openhcs.testing.explore import Bounds, explore

    @explore(cancels=1, faults=1, rush=1, slow=2)      # a pytest test; every schedule within these budgets is run
    async def test_two_dialogs(world):
        host = DialogHost()                            # built anew for every schedule
        world.event("Escape", host.close, guard=lambda: host.is_open)
        world.invariant(lambda: host.depth <= 1)
        await world.operation("ask", host.ask())       # may be cancelled at every await

    verdict = explore(scenario, Bounds(cancels=1))     # without pytest: PROVED, VIOLATED or CUT
    replay(scenario, "x1:fifo:c1f0r0s0:02:33")         # one schedule again
    sample(scenario, Bounds(cancels=3), seed=1)        # drawn by chance, where not all can be run: SAMPLED

The world of a scenario:

    world.event(name, callback, guard=None, within=None, thread=False)   happens once, from outside
    world.operation(name, coro_or_task) -> task                          may be cancelled at every await
    world.fault(*labels) -> label | None                                 inject a fault here?
    world.choose(options, name) -> option                                each in its turn, free
    world.invariant(check, idle=False), world.final(check)               False or an exception is a violation
    world.allow(Kind, containing), world.note(text), world.time(), await world.idle()
    world.patch(obj, name, value), world.virtual_clock(*modules), world.signal(number), world.loop

Always looked for: coroutines never awaited, exceptions never retrieved, leaked tasks, swallowed cancellations, calls of
the loop's exception handler, deadlock, livelock, and the scenario's own exceptions. docs/explorer.md says the rest.

Here is nothing of the workbench: asyncio and the standard library are all that is imported. The pytest plugin is in
`plugin`, prompt_toolkit's application without a terminal in `headless`; neither is imported from here.
"""

from openhcs.testing.explore.api import explore, replay, sample
from openhcs.testing.explore.bounds import UNLIMITED, Bounds, Order, Tier
from openhcs.testing.explore.errors import ExploreError, NonDeterminism, TokenError, UnsupportedCall
from openhcs.testing.explore.token import Token
from openhcs.testing.explore.verdict import CounterExample, Outcome, ScheduleViolated, Verdict
from openhcs.testing.explore.violation import Kind, Violation
from openhcs.testing.explore.world import World

__all__ = [
    "explore", "replay", "sample",
    "Bounds", "Order", "Tier", "UNLIMITED", "World",
    "Verdict", "Outcome", "CounterExample", "ScheduleViolated", "Violation", "Kind", "Token",
    "ExploreError", "NonDeterminism", "TokenError", "UnsupportedCall",
]  # fmt: skip
