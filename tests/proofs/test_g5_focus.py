"""G5: the newest dialog has the focus, in the same tick; at most one focus operation is in flight."""

from __future__ import annotations

import asyncio
from typing import Any

from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout.containers import FloatContainer, Window
from prompt_toolkit.layout.controls import FormattedTextControl

from openhcs.testing.explore import World, explore
from openhcs.testing.explore.headless import headless, run_headless, unpainted
from openhcs.tui.utils import focus_manager, guarded_keys
from openhcs.tui.utils.application import GuardedApplication, GuardedLayout
from openhcs.tui.utils.dialog_host import FloatDialogHost
from openhcs.tui.utils.focus_manager import FocusManager
from openhcs.tui.utils.layout_walk import visible_windows
from tests.proofs.scenery import BUDGETS, Screen, Told, coming, ended, pane, swallowed, task_manager, theorem


@explore(**BUDGETS, nightly={"rush": 2})
async def test_the_newest_dialog_has_the_focus_after_every_step(world: World) -> None:
    """Three dialogs, the third from a key at any moment, are answered in any order and cancelled at any moment: after
    every callback of the loop the focus is in the newest that is open, and at the end where it was."""
    screen = Screen(world)
    host = FloatDialogHost(screen.root, screen.focus)

    def focus_is_in_the_newest() -> bool:
        windows = [window for shown in host._open for window in screen.layout.find_all_windows() if shown]
        newest = host._open[-1].floats[1].content if host._open else None
        return newest is None or (bool(windows) and screen.focused in list(_within(newest)))

    world.invariant(focus_is_in_the_newest, name="the focus is in the newest dialog")

    async def ask(name: str) -> object:
        answer: asyncio.Future[str] = world.loop.create_future()
        world.event(f"answer {name}", lambda: answer.done() or answer.set_result("yes"))
        return await host.show_dialog(pane(name), answer)

    third: list[asyncio.Task[object]] = []
    key = coming(world, "F3", lambda: third.append(world.operation("third", ask("third"))))
    await ended(world.operation("first", ask("first")), world.operation("second", ask("second")), key)
    await ended(*third)
    assert host.depth == 0
    assert screen.focused is screen.base


def _within(container: Any) -> Any:
    yield container
    for child in container.get_children():
        yield from _within(child)


@theorem
async def test_at_most_one_focus_operation_is_in_flight(world: World) -> None:
    """Two direct requests, the second at any moment, for targets that come with a frame at any moment, while a dialog
    opens at any moment: never two wait at once, the refused says False, none robs the dialog or exceeds its delay."""
    screen = Screen(world)
    host, targets = FloatDialogHost(screen.root, screen.focus), (pane("first"), pane("second"))
    requests: list[asyncio.Task[None]] = []

    def draw() -> None:
        for target in targets:
            screen.add(target)
        screen.render()

    async def request(name: str, target: Window) -> None:
        began, refused = world.time(), screen.focus._focusing_active or bool(host.depth)
        focused = await screen.focus.set_focus_after_delay(target, 0.1)
        assert not (refused and focused), f"the {name} request got what it had to be refused"
        assert world.time() <= began + 0.1 + 1e-6

    def begin(name: str, target: Window) -> None:
        requests.append(world.operation(name, request(name, target)))

    def robbed() -> bool:
        return bool(host._open) and screen.focused not in list(_within(host._open[-1].floats[1].content))

    answer: asyncio.Future[str] = world.loop.create_future()
    dialog: list[asyncio.Task[object]] = []
    world.invariant(lambda: not robbed(), name="nobody robs the dialog of the focus")
    world.invariant(
        lambda: len([each for each in screen.focus._waiting if each.yields_to_owners]) <= 1, name="one request waits"
    )
    world.event("a frame", draw)
    key = coming(world, "F2", lambda: dialog.append(world.loop.create_task(host.show_dialog(pane("dialog"), answer))))
    second = coming(world, "F3", lambda: begin("second", targets[1]))
    begin("first", targets[0])
    await ended(key, second)
    await ended(*requests)
    answer.set_result("yes")
    await ended(*dialog)
    for done in requests:
        assert done.cancelled() or done.exception() is None
    assert not screen.focus._waiting


@theorem
async def test_a_dialogs_focus_waits_for_its_target_and_is_never_dropped(world: World) -> None:
    """Two dialogs, each with a target that comes with a later frame, opened at once and closed in any order,
    cancelled at any moment: the newer one's target has the focus as soon as it is drawn, and the older one's when
    that is gone."""
    screen = Screen(world)
    windows = {name: pane(name) for name in ("older", "newer")}
    open_dialogs: list[str] = []

    async def dialog(name: str) -> None:
        answer: asyncio.Future[None] = world.loop.create_future()
        world.event(f"close {name}", lambda: answer.done() or answer.set_result(None))
        open_dialogs.append(name)
        try:
            await answer
        finally:
            open_dialogs.remove(name)

    drawn_in_time: list[bool] = []

    def draw() -> None:
        drawn_in_time.append(world.time() < 5.0)
        for window in windows.values():
            screen.add(window)
        screen.render()

    drawn = coming(world, "a frame", draw, within=4.0)
    both = [
        world.operation(name, screen.focus.managed_focus_during_dialog(windows[name], dialog(name), delay=5.0))
        for name in ("older", "newer")
    ]

    def newest_has_it() -> bool:
        return not (any(drawn_in_time) and open_dialogs) or screen.focused is windows[open_dialogs[-1]]

    world.invariant(newest_has_it, idle=True, name="the newest dialog whose target is drawn has the focus")
    await ended(*both, drawn)
    assert screen.focused is screen.base
    assert not screen.focus._focusing_active


@theorem
async def test_the_focus_is_never_given_to_a_window_that_is_gone(world: World) -> None:
    """Two dialogs with a window each, of which the older one's leaves the layout at any moment; closed in any order and
    cancelled at any moment, the focus is given back to a window that is on the layout."""
    screen = Screen(world)
    windows = {name: pane(name) for name in ("older", "newer")}
    for window in windows.values():
        screen.add(window)

    async def dialog(name: str) -> None:
        answer: asyncio.Future[None] = world.loop.create_future()
        world.event(f"close {name}", lambda: answer.done() or answer.set_result(None))
        await answer

    async def shown(name: str) -> None:
        try:
            await screen.focus.managed_focus_during_dialog(windows[name], dialog(name))
        finally:
            assert screen.focused in visible_windows(screen.root), "the focus went to a window that is gone"

    def leave() -> None:
        screen.root.floats[:] = [shown for shown in screen.root.floats if shown.content is not windows["older"]]

    world.event("the older one's window leaves", leave)
    both = [world.operation(name, shown(name)) for name in ("older", "newer")]
    await ended(*both)
    assert screen.focused is screen.base
    for done in both:
        assert swallowed(done) is None


@explore(rush=1)
async def test_keys_typed_ahead_go_to_the_dialog_that_the_first_opens(world: World) -> None:
    """In prompt_toolkit's real Application, F1 and a letter behind it in one read, and F2 and a letter at any moment
    after: each letter goes to the newest dialog, never beneath it; Escape closes what is open, newest first."""
    typed: list[tuple[str, str]] = []
    wrong: list[str] = []
    world.virtual_clock(guarded_keys)
    tasks, told = task_manager(world), Told()
    tasks.set_error_handler(told)

    def listening(name: str, result: asyncio.Future[None] | None = None) -> Window:
        keys = KeyBindings()

        @keys.add("x")
        def _typed(event: KeyPressEvent) -> None:
            typed.append((name, "x"))
            if host.depth and name == "base":
                wrong.append("a key went beneath the dialog")

        @keys.add("escape", eager=True)
        def _close(event: KeyPressEvent) -> None:
            if result is not None and not result.done():
                result.set_result(None)

        return Window(FormattedTextControl(name, focusable=True, key_bindings=keys))

    async def ask(name: str) -> None:
        result: asyncio.Future[None] = world.loop.create_future()
        await asyncio.sleep(0.01)  # it takes a moment until the dialog is up
        await host.show_dialog(listening(name, result), result)

    everywhere = KeyBindings()
    for key in ("f1", "f2"):

        @everywhere.add(key)
        def _open(event: KeyPressEvent, key: str = key) -> None:
            tasks.fire_and_forget(app.holding_keys(ask(key)), key)

    base = listening("base")
    root = FloatContainer(base, floats=[])
    with headless(world) as keyboard:
        app = GuardedApplication(
            GuardedLayout(root, focused_element=base), on_error=told, key_bindings=everywhere, full_screen=True
        )
        unpainted(app)
        focus = FocusManager(app)
        world.patch(focus_manager, "_global_focus_manager", focus)
        host = FloatDialogHost(root, focus)
        running = world.loop.create_task(run_headless(app), name="application")
        await world.idle()
        first = coming(world, "F1 x", lambda: keyboard.press("f1", "x"))
        await ended(first)
        second = coming(world, "F2 x", lambda: keyboard.press("f2", "x"))
        await ended(second)
        await asyncio.sleep(0.1)
        assert typed == [("f1", "x"), ("f2", "x")]
        for _ in range(2):
            keyboard.press("escape")
            await world.idle()
        assert host.depth == 0
        assert app.layout.current_window is base
        app.exit()
        await running
        await tasks.shutdown(1.0)
    assert wrong == []
    assert told.errors == []
