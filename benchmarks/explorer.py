"""What a schedule costs: small scenarios, and prompt_toolkit's real Application with and without painting.

The aims are 3,000 schedules a CPU second for small scenarios, and 50 for the real Application without painting. CPU
time, best of the rounds, since other programs of the machine only ever add. Run it with `make bench`, or
`python benchmarks/explorer.py --rounds 5`.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import Any

from prompt_toolkit.application import Application
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.layout import HSplit, Layout
from prompt_toolkit.widgets import TextArea

from openhcs.testing.explore import Bounds, Order, World, explore
from openhcs.testing.explore.headless import headless, run_headless, unpainted
from openhcs.testing.explore.run import Scenario


async def two_dialogs(world: World) -> None:
    """Two dialogs with a time-out, closed by keys, failing or cancelled."""
    opened: list[str] = []

    async def dialog(name: str) -> None:
        closed = asyncio.Event()
        world.event(name, closed.set, guard=lambda: name in opened)
        opened.append(name)
        try:
            if world.fault("the dialog raises"):
                raise OSError
            async with asyncio.timeout(5):
                await closed.wait()
        except (TimeoutError, OSError):
            pass
        finally:
            opened.remove(name)

    await asyncio.wait([world.operation(name, dialog(name)) for name in ("a", "b")])


async def three_workers(world: World) -> None:
    """Three tasks that take turns, three events, an invariant after each step."""
    done: list[str] = []

    async def worker(name: str) -> None:
        for _ in range(4):
            await asyncio.sleep(0)
        done.append(name)

    world.invariant(lambda: len(done) <= 3)
    for name in "xyz":
        world.event(name, int)
    await asyncio.wait([world.operation(name, worker(name)) for name in "abc"])


async def threads(world: World) -> None:
    """Three executor calls, a queue and a time-out."""
    queue: asyncio.Queue[str] = asyncio.Queue()

    async def reader(name: str) -> None:
        await queue.put(await asyncio.to_thread(str.upper, name))

    await asyncio.gather(*(reader(name) for name in "abc"))
    async with asyncio.timeout(1):
        assert {await queue.get() for _ in range(3)} == set("ABC")


def application(*, painted: bool) -> Scenario:
    """Two fields, a key that moves the focus, a key that leaves."""

    async def scenario(world: World) -> None:
        with headless(world) as keys:
            fields = [TextArea(), TextArea()]
            bindings = KeyBindings()
            app: Application[Any] = Application(layout=Layout(HSplit(fields)), key_bindings=bindings)
            bindings.add("f1")(lambda event: event.app.layout.focus(fields[1]))
            bindings.add("f2")(lambda event: event.app.exit())
            if not painted:
                unpainted(app)
            world.event("F1", lambda: keys.press("f1"), guard=lambda: keys.attached)
            world.event("F2", lambda: keys.press("f2"), guard=lambda: app.layout.has_focus(fields[1]))
            await run_headless(app)

    return scenario


SUBJECTS: dict[str, tuple[Scenario, Bounds]] = {
    "two dialogs": (two_dialogs, Bounds(cancels=2, faults=1, rush=1, slow=2)),
    "three workers": (three_workers, Bounds(cancels=1, rush=2)),
    "three workers, any order": (three_workers, Bounds(cancels=1, order=Order.ANY, reorder=1)),
    "threads": (threads, Bounds(rush=2, slow=1)),
    "application, unpainted": (application(painted=False), Bounds(rush=1)),
    "application, painted": (application(painted=True), Bounds(rush=1)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    best = dict.fromkeys(SUBJECTS, float("inf"))
    runs: dict[str, int] = {}
    for _ in range(rounds):
        for name, (scenario, bounds) in SUBJECTS.items():
            began = time.process_time()
            runs[name] = explore(scenario, bounds).require_proved().schedules
            best[name] = min(best[name], time.process_time() - began)
    print(f"{'scenario':28}{'schedules':>10}{'CPU s':>8}{'a CPU second':>14}")
    for name, seconds in best.items():
        print(f"{name:28}{runs[name]:10,}{seconds:8.2f}{runs[name] / seconds:14,.0f}")


if __name__ == "__main__":
    main()
