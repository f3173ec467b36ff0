"""The same scenarios on what is shipped and on what the plan drafted: proved on the one, violated on the other.

A checker that finds nothing in broken code proves nothing. Each scenario is written against the fixed names, which both
have; the drafts are in `drafts/`, retyped from the plan.
"""

from __future__ import annotations

import asyncio
import builtins
import io
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from prompt_toolkit.layout.containers import Window

from openhcs.testing.explore import Bounds, Kind, Outcome, World, explore
from openhcs.tui.utils import unified_task_manager
from openhcs.tui.utils.circuit_breaker import CircuitBreaker
from openhcs.tui.utils.error_journal import ErrorJournal
from openhcs.tui.utils.safe_error_handler import SafeErrorHandler
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager
from tests.proofs.drafts import plan_errors, plan_focus, plan_tasks
from tests.proofs.scenery import Boom, Host, Screen, coming, ended, keep_log, pane, raised

COMMIT = Bounds(cancels=1, faults=1, rush=1, slow=2)


@dataclass
class Core:
    """The three classes of the plan, with a screen that the focus manager moves the focus on."""

    screen: Screen
    tasks: Any
    focus: Any
    errors: Any


def shipped(world: World) -> Core:
    """What is in the package."""
    keep_log(world)
    world.patch(sys, "stderr", io.StringIO())
    screen, tasks = Screen(world), UnifiedTaskManager()
    world.patch(unified_task_manager, "_global_task_manager", tasks)
    journal = ErrorJournal(clock=world.time)
    breaker = CircuitBreaker(clock=world.time)
    errors = SafeErrorHandler(journal, screen_is_live=lambda: False, breaker=breaker, tasks=tasks)
    return Core(screen, tasks, screen.focus, errors)


def drafted(world: World, *, own_tasks: bool = False) -> Core:
    """What the plan drafted, on the shipped task manager or on the one that it presumes."""
    core = shipped(world)
    if own_tasks:
        core.tasks = plan_tasks.UnifiedTaskManager()
        for module in (plan_focus, plan_errors):
            world.patch(module, "get_task_manager", lambda: core.tasks)
    world.patch(plan_focus, "get_app", lambda: core.screen)
    world.patch(builtins, "print", lambda *_: None)
    core.focus, core.errors = plan_focus.FocusManager(), plan_errors.SafeErrorHandler()
    return core


Make = Callable[[World], Core]
Scenario = Callable[[Make, World], Coroutine[Any, Any, None]]


async def a_managed_dialog_is_cancelled(make: Make, world: World) -> None:
    """A dialog with managed focus runs as a task and is cancelled at any moment."""
    core = make(world)
    target = pane("dialog")
    core.screen.add(target)

    async def dialog() -> None:
        answer: asyncio.Future[None] = world.loop.create_future()
        world.event("answer", lambda: answer.done() or answer.set_result(None))
        await answer

    await ended(world.operation("dialog", core.focus.managed_focus_during_dialog(target, dialog())))
    await core.tasks.shutdown(1.0)


async def a_managed_dialog_answers_at_once(make: Make, world: World) -> None:
    """A dialog with managed focus answers without waiting."""
    core = make(world)

    async def dialog() -> str:
        return "at once"

    assert await core.focus.managed_focus_during_dialog(core.screen.base, dialog()) == "at once"
    await core.tasks.shutdown(1.0)


async def a_focus_request_is_cancelled(make: Make, world: World) -> None:
    """A request for the focus of a target that comes with a later frame is cancelled at any moment."""
    core = make(world)
    await ended(world.operation("request", core.focus.set_focus_after_delay(pane("absent"))))


async def two_dialogs_open_one_after_the_other(make: Make, world: World) -> None:
    """Two dialogs with managed focus open at any two moments: whenever nothing is scheduled, the newer one has it."""
    core = make(world)
    opened: list[Window] = []
    answers: list[asyncio.Future[None]] = []
    tasks: list[asyncio.Task[None]] = []

    async def dialog(window: Window) -> None:
        core.screen.add(window)
        opened.append(window)
        answers.append(world.loop.create_future())
        await answers[-1]

    def show(name: str) -> None:
        window = pane(name)
        tasks.append(world.loop.create_task(core.focus.managed_focus_during_dialog(window, dialog(window))))

    first, second = coming(world, "F1", lambda: show("first")), coming(world, "F2", lambda: show("second"))
    await ended(first, second)
    await asyncio.sleep(1.0)
    await world.idle()
    assert core.screen.focused is opened[-1], "the keyboard goes to the dialog behind"
    for answer in answers:
        answer.set_result(None)
    await ended(*tasks)


async def an_error_comes_from_a_thread(make: Make, world: World) -> None:
    """An error is reported from a thread, where no loop runs."""
    core = make(world)

    def report() -> None:
        with suppress(RuntimeError):  # what it raises as well is not the point here
            core.errors.handle_error_sync(raised(Boom("thread")), "thread", Host(world))

    world.patch(unified_task_manager, "_global_task_manager", core.tasks)
    await ended(coming(world, "a thread", report, thread=True))
    await core.tasks.shutdown(1.0)


async def two_errors_come_at_once(make: Make, world: World) -> None:
    """Two errors are reported at any two moments and the person closes what is shown: both were shown."""
    core = make(world)
    host = Host(world)
    host.screen = core.screen
    errors = [
        coming(world, key, lambda key=key: core.errors.handle_error_sync(raised(Boom(key)), key, host))
        for key in ("F1", "F2")
    ]
    await ended(*errors)
    await world.idle()
    while alive := [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]:
        await ended(*alive)
    assert sorted(host.contexts) == ["Error in F1", "Error in F2"], f"shown: {host.contexts}"


async def a_dialog_fails_once(make: Make, world: World) -> None:
    """The first dialog fails; a minute later the next error is shown."""
    core = make(world)
    host = Host(world, "show_dialog raises")
    host.screen = core.screen
    await core.errors.handle_error(raised(Boom("first")), "first", host)
    shown = len(host.contexts)
    await asyncio.sleep(60.0)
    await core.errors.handle_error(raised(Boom("second")), "second", host)
    if host.failures == 1 and not shown:
        assert host.contexts, "one failed dialog has disabled all others"


class _Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


async def an_exception_has_no_text(make: Make, world: World) -> None:
    """An exception whose text cannot be made is handled, and nothing is raised."""
    core = make(world)
    host = Host(world)
    host.screen = core.screen
    await core.errors.handle_error(raised(_Mute()), "mute", host)
    await core.errors.handle_error(raised(_Mute()), "mute again", host)


async def forgotten_work_is_shut_down(make: Make, world: World) -> None:
    """Work that nobody awaits is under way, or about to begin, when all is shut down."""
    core = make(world)

    async def work() -> None:
        await asyncio.sleep(3600)

    core.tasks.fire_and_forget(work(), "under way")
    await asyncio.sleep(0)
    core.tasks.fire_and_forget(work(), "about to begin")
    await core.tasks.shutdown(1.0)


async def stubborn_work_is_shut_down(make: Make, world: World) -> None:
    """Work that ignores its cancellations does not keep the shutdown from returning in time."""
    core = make(world)
    world.allow(Kind.SWALLOWED_CANCEL, "'stubborn'")
    released: asyncio.Future[None] = world.loop.create_future()

    async def work() -> None:
        while not released.done():
            try:
                await asyncio.shield(released)
            except asyncio.CancelledError:
                continue

    task = core.tasks.create_task(work(), "stubborn")
    await asyncio.sleep(0)
    await core.tasks.shutdown(1.0)
    released.set_result(None)
    await ended(task)


own_tasks = partial(drafted, own_tasks=True)

FAULTS: list[tuple[Scenario, Make, set[Kind]]] = [
    (a_managed_dialog_is_cancelled, drafted, {Kind.NEVER_AWAITED, Kind.SWALLOWED_CANCEL}),
    (a_managed_dialog_answers_at_once, own_tasks, {Kind.NEVER_AWAITED}),
    (a_focus_request_is_cancelled, drafted, {Kind.SWALLOWED_CANCEL}),
    (two_dialogs_open_one_after_the_other, drafted, {Kind.MAIN_RAISED}),
    (an_error_comes_from_a_thread, own_tasks, {Kind.NEVER_AWAITED}),
    (two_errors_come_at_once, drafted, {Kind.MAIN_RAISED}),
    (a_dialog_fails_once, drafted, {Kind.MAIN_RAISED}),
    (an_exception_has_no_text, drafted, {Kind.MAIN_RAISED}),
    (forgotten_work_is_shut_down, own_tasks, {Kind.LOOP_HANDLER}),
    (stubborn_work_is_shut_down, own_tasks, {Kind.DEADLOCK}),
]
"""Each scenario, the draft that it is violated on, and the kinds of violation it must find there."""

SCENARIOS = [fault[0] for fault in FAULTS]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_the_shipped_core_keeps_every_schedule(scenario: Scenario) -> None:
    """On the shipped classes no schedule within the bounds violates the scenario."""
    explore(partial(scenario, shipped), COMMIT, name=scenario.__name__).require_proved()


@pytest.mark.parametrize(("scenario", "make", "kinds"), FAULTS, ids=lambda part: getattr(part, "__name__", ""))
def test_the_drafts_faults_are_found(scenario: Scenario, make: Make, kinds: set[Kind]) -> None:
    """On the plan's drafts the same scenario is violated, in the ways that are known of them."""
    verdict = explore(partial(scenario, make), COMMIT, every=True, name=scenario.__name__)
    assert verdict.outcome is Outcome.VIOLATED
    assert kinds <= {example.violation.kind for example in verdict.counterexamples}, str(verdict)
