"""Who has the keyboard focus, decided in one place.

G5. The newest dialog has the focus in the tick in which it appears, nothing sleeps, and at most one focus operation is
in flight. A target that is not on the layout yet is waited for through renders. Dialogs may close in any order: focus
returns to the newest owner that is still there. Checked by tests/tui/utils/test_focus_manager.py.

An owner holds a `FocusClaim` for as long as it wants the keyboard. The claims form a stack by age, not by nesting:
releasing one from the middle leaves the others as they are.

Deliberately absent: tasks. Waiting is a render callback and a timer, so there is nothing to cancel, await or leak.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from types import coroutine
from typing import Any, TypeVar

from prompt_toolkit.application import Application, get_app
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.layout.containers import Container, Window, to_container
from prompt_toolkit.layout.controls import BufferControl, UIControl
from prompt_toolkit.layout.layout import FocusableElement, Layout, walk

from openhcs.tui.utils.owned_coroutine import OwnedCoroutine

__all__ = ["FocusClaim", "FocusManager", "focus_after_delay", "get_focus_manager", "initialize_focus_manager"]

logger = logging.getLogger(__name__)

T = TypeVar("T")
AnyApplication = Application[Any]


class FocusClaim:
    """An owner's wish to have the keyboard, from `FocusManager.claim` until `release`.

    `area` is the container within which the owner's focus may move; without one it is the target alone.
    """

    def __init__(self, manager: FocusManager, app: AnyApplication, target: FocusableElement, area: Container | None):
        self.app = app
        self.target = target
        self.area = area
        self.window: Window | None = None
        self._manager = manager

    def focus(self, delay: float = 0.1) -> None:
        """Take the focus now, or as soon as the target is rendered within `delay` seconds."""
        self._manager._focus_claim(self, delay)

    def release(self) -> None:
        """Give the focus back to the newest owner that is still there. May be called twice."""
        self._manager._release(self)

    def holds(self, window: Window) -> bool:
        """Whether `window` is where this owner's focus is, or may move."""
        if self.area is None:
            return window is self.window
        return any(window is inner for inner in walk(self.area))


class FocusManager:
    """Moves the focus of one application, `app`; None means prompt_toolkit's current one at the time of each call."""

    def __init__(self, app: AnyApplication | None = None) -> None:
        self._app = app
        self._focusing_active = False
        self._pending: _PendingFocus | None = None
        self._claims: list[FocusClaim] = []
        self._base: Window | None = None

    # -- the fixed names -----------------------------------------------------------------------------------------

    async def set_focus_after_delay(self, target: Any, delay: float = 0.1) -> bool:
        """Focus `target` now, or when it is rendered within `delay` seconds; True when it has the focus.

        Returns False, and logs it, while another focus operation is in flight or a dialog owns the keyboard.
        """
        if self._focusing_active:
            logger.debug("focus on %r skipped: another focus operation is in flight", target)
            return False
        app = self._application()
        if self._owned_elsewhere(app, target):
            logger.debug("focus on %r skipped: a dialog owns the keyboard", target)
            return False
        if _focus(app, target):
            return True
        arrived: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        pending = self._wait_for(app, target, delay, partial(_settle, arrived))
        try:
            return await arrived
        finally:
            self._drop(pending)

    def managed_focus_during_dialog(
        self, target: Any, dialog_coro: Coroutine[Any, Any, T], delay: float = 0.1
    ) -> Coroutine[Any, Any, T]:
        """Await `dialog_coro` with the focus on `target` while it runs; its result or failure is the caller's.

        The target is focused at the dialog's first suspension, or when it is rendered within `delay` seconds after.
        """
        return OwnedCoroutine(partial(self._run_dialog, target, delay), dialog_coro)

    # -- owners --------------------------------------------------------------------------------------------------

    def claim(self, target: FocusableElement, area: Container | None = None) -> FocusClaim:
        """Become the newest owner; `focus` on the claim takes the keyboard."""
        app = self._application()
        current = app.layout.current_window
        owner = self._newest(app)
        if owner is None:
            self._base = current
        elif owner.holds(current):
            owner.window = current
        claim = FocusClaim(self, app, target, area)
        self._claims.append(claim)
        return claim

    async def _run_dialog(self, target: Any, delay: float, dialog: Coroutine[Any, Any, T]) -> T:
        claim = self.claim(target)
        try:
            return await _calling_at_first_suspension(dialog, partial(claim.focus, delay))
        finally:
            claim.release()

    def _focus_claim(self, claim: FocusClaim, delay: float) -> None:
        if self._owned_elsewhere(claim.app, claim.target, but=claim) or self._take(claim):
            return
        self._wait_for(claim.app, claim.target, delay, lambda found: self._arrived(claim, found))

    def _take(self, claim: FocusClaim) -> bool:
        if not _focus(claim.app, claim.target):
            return False
        claim.window = claim.app.layout.current_window
        return True

    def _arrived(self, claim: FocusClaim, found: bool) -> None:
        if found:
            claim.window = claim.app.layout.current_window
        else:
            logger.debug("focus on %r given up: it was not rendered in time", claim.target)

    def _release(self, claim: FocusClaim) -> None:
        if claim not in self._claims:
            return
        self._claims.remove(claim)
        if self._pending is not None and self._pending.target is claim.target:
            self._drop(self._pending)
        layout = claim.app.layout
        visible = _visible_windows(layout)
        current = layout.current_window
        if current in visible and not claim.holds(current):
            return
        self._restore(claim.app, visible)

    def _restore(self, app: AnyApplication, visible: list[Window]) -> None:
        """Focus the newest owner that is on the layout, else where the focus was before there were owners."""
        owners = [claim for claim in reversed(self._claims) if claim.app is app]
        for owner in owners:
            if owner.window in visible and _focus(app, owner.window):
                return
            if self._take(owner):
                return
        if self._base in visible and _focus(app, self._base):
            return
        for window in visible:
            if window.content.is_focusable() and _focus(app, window):
                return

    def _newest(self, app: AnyApplication) -> FocusClaim | None:
        return next((claim for claim in reversed(self._claims) if claim.app is app), None)

    def _owned_elsewhere(self, app: AnyApplication, target: FocusableElement, but: FocusClaim | None = None) -> bool:
        """Whether an owner newer than `but` has an area and `target` lies outside it."""
        newest = self._newest(app)
        if newest is None or newest is but or newest.area is None:
            return False
        window = _find_window(app.layout, target)
        return window is not None and not newest.holds(window)

    # -- waiting for a render ------------------------------------------------------------------------------------

    def _wait_for(
        self, app: AnyApplication, target: FocusableElement, delay: float, then: Callable[[bool], None]
    ) -> _PendingFocus:
        if self._pending is not None:
            self._pending.finish(False)
        pending = _PendingFocus(app, target, delay, then, self._drop)
        self._pending = pending
        self._focusing_active = True
        return pending

    def _drop(self, pending: _PendingFocus) -> None:
        pending.stop()
        if self._pending is pending:
            self._pending = None
            self._focusing_active = False

    def _application(self) -> AnyApplication:
        return self._app if self._app is not None else get_app()


class _PendingFocus:
    """One focus operation in flight: tries after each render, gives up after `delay` seconds."""

    def __init__(
        self,
        app: AnyApplication,
        target: FocusableElement,
        delay: float,
        then: Callable[[bool], None],
        ended: Callable[[_PendingFocus], None],
    ) -> None:
        self.target = target
        self._app = app
        self._then = then
        self._ended = ended
        self._stopped = False
        self._timer = asyncio.get_running_loop().call_later(max(0.0, delay), self.finish, False)
        app.after_render += self._rendered

    def _rendered(self, _sender: object) -> None:
        if not self._stopped and _focus(self._app, self.target):
            self.finish(True)

    def finish(self, found: bool) -> None:
        if not self._stopped:
            self._ended(self)
            self._then(found)

    def stop(self) -> None:
        if not self._stopped:
            self._stopped = True
            self._timer.cancel()
            self._app.after_render -= self._rendered


@coroutine
def _calling_at_first_suspension(inner: Coroutine[Any, Any, T], call: Callable[[], None]) -> Generator[Any, Any, T]:
    """Await `inner`; call `call` once, right after the step in which it first suspends, in the same tick."""
    step: Callable[[], Any] = partial(inner.send, None)
    suspended = False
    while True:
        try:
            yielded = step()
        except StopIteration as end:
            result: T = end.value
            return result
        if not suspended:
            suspended = True
            call()
        try:
            sent = yield yielded
        except GeneratorExit:
            inner.close()
            raise
        except BaseException as thrown:
            step = partial(inner.throw, thrown)
        else:
            step = partial(inner.send, sent)


def _focus(app: AnyApplication, target: FocusableElement) -> bool:
    """Focus `target` if it is visible on the layout, with everything a key that comes next needs."""
    window = _find_window(app.layout, target)
    if window is None:
        return False
    app.layout.current_window = window
    # A key handled before the next render looks its bindings up through the parents; without this they are unknown.
    app.layout.update_parents_relations()
    app.invalidate()
    return True


def _find_window(layout: Layout, target: FocusableElement) -> Window | None:
    """The visible, focusable window that `target` stands for, as `Layout.focus` would choose it."""
    visible = _visible_windows(layout)
    if isinstance(target, str | Buffer):
        matches = [
            window
            for window in visible
            if isinstance(window.content, BufferControl)
            and target in (window.content.buffer, window.content.buffer.name)
        ]
    elif isinstance(target, UIControl):
        matches = [window for window in visible if window.content is target]
    else:
        try:
            container = to_container(target)
        except ValueError:
            return None
        inside = {id(inner) for inner in walk(container, skip_hidden=True)}
        matches = [window for window in visible if id(window) in inside]
    matches = [window for window in matches if window.content.is_focusable()]
    recent = [window for window in reversed(layout._stack) if window in matches]
    return next(iter(recent or matches), None)


def _visible_windows(layout: Layout) -> list[Window]:
    return [part for part in walk(layout.container, skip_hidden=True) if isinstance(part, Window)]


def _settle(future: asyncio.Future[bool], found: bool) -> None:
    if not future.done():
        future.set_result(found)


# -- the one for the whole program -------------------------------------------------------------------------------

_global_focus_manager: FocusManager | None = None


def get_focus_manager() -> FocusManager:
    """The program's focus manager."""
    global _global_focus_manager
    if _global_focus_manager is None:
        _global_focus_manager = FocusManager()
    return _global_focus_manager


def initialize_focus_manager(manager: FocusManager | None = None) -> FocusManager:
    """Make `manager`, or a new one, the program's focus manager."""
    global _global_focus_manager
    _global_focus_manager = manager if manager is not None else FocusManager()
    return _global_focus_manager


async def focus_after_delay(target: Any, delay: float = 0.1) -> bool:
    """`FocusManager.set_focus_after_delay` on the program's focus manager."""
    return await get_focus_manager().set_focus_after_delay(target, delay)
