"""Who has the keyboard focus, decided in one place.

G5. The newest dialog has the focus in the tick in which it appears, nothing sleeps, and at most one focus operation is
in flight. A target that is not on the layout yet is waited for through renders. Dialogs may close in any order: focus
returns to the newest owner that is still there. Checked by tests/tui/utils/test_focus_manager.py, proved in
tests/proofs/test_g5_focus.py.

An owner holds a `FocusClaim` for as long as it wants the keyboard. The claims form a stack by age, not by nesting:
releasing one from the middle leaves the others as they are.

Deliberately absent: tasks. Waiting is a render callback and a timer, so there is nothing to cancel, await or leak.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import partial
from types import coroutine
from typing import Any, TypeVar

from prompt_toolkit.application import Application, get_app
from prompt_toolkit.application.current import AppSession, get_app_session
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.layout.containers import Container, Window, to_container
from prompt_toolkit.layout.controls import BufferControl, UIControl
from prompt_toolkit.layout.layout import FocusableElement, Layout

from openhcs.tui.utils.layout_walk import is_focusable, visible_windows, walk_safely
from openhcs.tui.utils.owned_coroutine import OwnedCoroutine
from openhcs.tui.utils.safe_log import log_safely

__all__ = ["FocusClaim", "FocusManager", "focus_after_delay", "get_focus_manager", "initialize_focus_manager"]

logger = logging.getLogger(__name__)

T = TypeVar("T")
AnyApplication = Application[Any]


class FocusClaim:
    """An owner's wish to have the keyboard, from `FocusManager.claim` until `release`.

    `area` is the container within which the owner's focus may move; without one it is the target alone.
    """

    def __init__(
        self,
        manager: FocusManager,
        app: AnyApplication,
        target: FocusableElement,
        area: Container | None,
        beneath: Window,
    ) -> None:
        self.app = app
        self.target = target
        self.area = area
        self.beneath = beneath
        self.window: Window | None = None
        self._manager = manager
        self._wait: _PendingFocus | None = None
        self._asked = False

    def focus(self, delay: float = 0.1) -> None:
        """Take the focus now, or as soon as the target is rendered within `delay` seconds of the first call.

        Where the target is not on the layout but the area is, the focus goes to the area.
        """
        self._manager._focus_claim(self, delay)

    def release(self) -> None:
        """Give the focus back to the newest owner that is still there. May be called twice."""
        self._manager._release(self)

    def holds(self, window: Window) -> bool:
        """Whether `window` is where this owner's focus is, or may move."""
        if self.area is None:
            return window is self.window
        return any(window is inner for inner in walk_safely(self.area))


class FocusManager:
    """Moves the focus of one application, `app`; None means prompt_toolkit's current one at the time of each call.

    Where the caller's context knows of none, as in a callback of the loop, it is that of the session seen last.
    """

    def __init__(self, app: AnyApplication | None = None) -> None:
        self.app = app
        self._session: AppSession | None = None
        self._claims: list[FocusClaim] = []
        # The operation in flight is the last one; an older owner that waits for its target waits behind it.
        self._waiting: list[_PendingFocus] = []
        self._marked_active = False

    # -- the fixed names -----------------------------------------------------------------------------------------

    @property
    def _focusing_active(self) -> bool:
        """Whether a focus operation is in flight; the fixed name of the plan."""
        return self._marked_active or any(pending.is_in_flight for pending in self._waiting)

    @_focusing_active.setter
    def _focusing_active(self, active: bool) -> None:
        self._marked_active = active

    async def set_focus_after_delay(self, target: Any, delay: float = 0.1) -> bool:
        """Focus `target` now, or when it is rendered within `delay` seconds; True when it has the focus.

        Returns False, and logs it, while another focus operation is in flight or a dialog owns the keyboard, and when
        a dialog takes the keyboard before the target appears.
        """
        if self._focusing_active:
            log_safely(
                logger, logging.DEBUG, "focus on %s skipped: another focus operation is in flight", _name(target)
            )
            return False
        app = self._application()
        window = _find_window(app.layout, target)
        if window is not None:
            if not self._may_focus(app, window):
                log_safely(logger, logging.DEBUG, "focus on %s skipped: a dialog owns the keyboard", _name(target))
                return False
            _focus(app, window)
            return True
        arrived: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        pending = self._wait_for(app, partial(self._take_directly, app, target), delay, partial(_settle, arrived))
        try:
            return await arrived
        finally:
            self._drop(pending)

    def managed_focus_during_dialog(
        self, target: Any, dialog_coro: Awaitable[T], delay: float = 0.1
    ) -> Coroutine[Any, Any, T]:
        """Await `dialog_coro` with the focus on `target` while it runs; its result or failure is the caller's.

        The target is focused at the suspension at which it is on the layout, or when it is rendered, within `delay`
        seconds of the dialog's first suspension.
        """
        dialog = dialog_coro if isinstance(dialog_coro, Coroutine) else _awaiting(dialog_coro)
        return OwnedCoroutine(partial(self._run_dialog, target, delay), dialog)

    def see_session(self) -> None:
        """Remember the session of this context, for what will come from contexts without one."""
        self._session = get_app_session()

    # -- owners --------------------------------------------------------------------------------------------------

    def claim(self, target: FocusableElement, area: Container | None = None) -> FocusClaim:
        """Become the newest owner; `focus` on the claim takes the keyboard."""
        app = self._application()
        current = app.layout.current_window
        holder = self._holder(app)
        if holder is not None and (holder.area is None or holder.holds(current)):
            holder.window = current
        beneath = next((claim.beneath for claim in self._claims if claim.app is app), current)
        claim = FocusClaim(self, app, target, area, beneath)
        self._claims.append(claim)
        return claim

    async def _run_dialog(self, target: Any, delay: float, dialog: Coroutine[Any, Any, T]) -> T:
        claim = self.claim(target)
        try:
            return await _calling_at_suspensions(dialog, partial(claim.focus, delay))
        finally:
            claim.release()

    def _focus_claim(self, claim: FocusClaim, delay: float) -> None:
        if claim._asked:
            if claim._wait is not None:
                claim._wait.look()
            return
        claim._asked = True
        for pending in [pending for pending in self._waiting if pending.yields_to_owners]:
            pending.finish(False)
        if not self._take(claim):
            claim._wait = self._wait_for(
                claim.app, partial(self._take, claim), delay, partial(self._waited, claim), yields_to_owners=False
            )

    def _take(self, claim: FocusClaim) -> bool:
        """Focus the claim's target, or its area; False while neither is there, or a newer owner has the keyboard."""
        window = _find_window(claim.app.layout, claim.target)
        if window is None and claim.area is not None:
            inside = {id(part) for part in walk_safely(claim.area)}
            shown = [window for window in visible_windows(claim.app.layout.container) if id(window) in inside]
            # A dialog of nothing but text has the keyboard too: its keys must not go to what lies beneath.
            window = next((window for window in shown if is_focusable(window)), next(iter(shown), None))
        if window is None or not self._may_focus(claim.app, window, claim):
            return False
        _focus(claim.app, window)
        claim.window = window
        return True

    def _take_directly(self, app: AnyApplication, target: FocusableElement) -> bool:
        window = _find_window(app.layout, target)
        if window is None or not self._may_focus(app, window):
            return False
        _focus(app, window)
        return True

    def _waited(self, claim: FocusClaim, found: bool) -> None:
        claim._wait = None
        if not found:
            log_safely(logger, logging.DEBUG, "focus on %s given up: it was not rendered in time", _name(claim.target))

    def _release(self, claim: FocusClaim) -> None:
        if claim not in self._claims:
            return
        self._claims.remove(claim)
        if claim._wait is not None:
            self._drop(claim._wait)
        try:
            shown = visible_windows(claim.app.layout.container)
            current = claim.app.layout.current_window
            if current not in shown or claim.holds(current):
                self._restore(claim, shown)
        except Exception as failure:
            # The layout is broken; that must not take the place of what the dialog returns or raises.
            log_safely(logger, logging.WARNING, "the focus was not given back", exc_info=failure)

    def _restore(self, released: FocusClaim, shown: list[Window]) -> None:
        """Focus the newest owner that is on the layout, else where the focus was before there were owners."""
        app = released.app
        for owner in reversed([claim for claim in self._claims if claim.app is app]):
            if owner.window in shown:
                return _focus(app, owner.window)
            if owner._wait.look() if owner._wait is not None else owner._asked and self._take(owner):
                return None
        focusable = [released.beneath, *(window for window in shown if is_focusable(window))]
        for window in focusable:
            if window in shown:
                return _focus(app, window)
        return None

    def _holder(self, app: AnyApplication) -> FocusClaim | None:
        """The newest owner that has got the keyboard and is on the layout."""
        claims = [claim for claim in reversed(self._claims) if claim.app is app and claim.window is not None]
        if not claims:
            return None
        shown = visible_windows(app.layout.container)
        return next((claim for claim in claims if claim.window in shown), None)

    def _may_focus(self, app: AnyApplication, window: Window, claim: FocusClaim | None = None) -> bool:
        """Whether the focus may go to `window`, for `claim` or for a direct call, without robbing a newer owner."""
        holder = self._holder(app)
        if holder is None or holder is claim:
            return True
        if holder.area is not None and holder.holds(window):
            return True
        if claim is None:
            return holder.area is None
        return self._claims.index(holder) < self._claims.index(claim)

    # -- waiting for a render ------------------------------------------------------------------------------------

    def _wait_for(
        self,
        app: AnyApplication,
        attempt: Callable[[], bool],
        delay: float,
        then: Callable[[bool], None],
        yields_to_owners: bool = True,
    ) -> _PendingFocus:
        for pending in [pending for pending in self._waiting if not pending.is_alive]:
            self._drop(pending)
        pending = _PendingFocus(app, attempt, delay, then, self._drop, self._rendered, yields_to_owners)
        self._waiting.append(pending)
        return pending

    def _rendered(self, _sender: object) -> None:
        # All of them, each time: an event of prompt_toolkit passes over the handler behind one that removes itself.
        for pending in list(self._waiting):
            pending.look()

    def _drop(self, pending: _PendingFocus) -> None:
        pending.stop()
        if pending in self._waiting:
            self._waiting.remove(pending)

    def _application(self) -> AnyApplication:
        if self.app is not None:
            return self.app
        here = get_app_session()
        if here.app is not None or self._session is None:
            self._session = here
        return self._session.app if self._session.app is not None else get_app()


class _PendingFocus:
    """A focus operation that waits: tries after each render, and once more when `delay` seconds are over."""

    def __init__(
        self,
        app: AnyApplication,
        attempt: Callable[[], bool],
        delay: float,
        then: Callable[[bool], None],
        ended: Callable[[_PendingFocus], None],
        rendered: Callable[[object], None],
        yields_to_owners: bool,
    ) -> None:
        self.yields_to_owners = yields_to_owners
        self._app = app
        self._attempt = attempt
        self._then = then
        self._ended = ended
        self._rendered = rendered
        self._stopped = False
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(max(0.0, delay), self._look_for_the_last_time)
        app.after_render += self._rendered

    @property
    def is_alive(self) -> bool:
        """Whether there is a loop that will end this."""
        return not self._loop.is_closed()

    @property
    def is_in_flight(self) -> bool:
        """Whether its loop goes on; one that was left for another in the middle may never do so again."""
        return self._loop.is_running() or (self.is_alive and asyncio._get_running_loop() is None)

    def look(self) -> bool:
        """Try now; True when that has ended the wait, or it had ended before."""
        if not self._stopped and self._try():
            self.finish(True)
        return self._stopped

    def finish(self, found: bool) -> None:
        if not self._stopped:
            self._ended(self)
            self._then(found)

    def stop(self) -> None:
        if not self._stopped:
            self._stopped = True
            self._timer.cancel()
            self._app.after_render -= self._rendered

    def _look_for_the_last_time(self) -> None:
        if not self.look():
            self.finish(False)

    def _try(self) -> bool:
        try:
            return self._attempt()
        except Exception as failure:  # a layout that is broken is reported by the frame that draws it
            log_safely(logger, logging.DEBUG, "a focus target cannot be looked for", exc_info=failure)
            return False


async def _awaiting(awaitable: Awaitable[T]) -> T:
    return await awaitable


@coroutine
def _calling_at_suspensions(inner: Coroutine[Any, Any, T], call: Callable[[], None]) -> Generator[Any, Any, T]:
    """Await `inner`; call `call` right after each step in which it suspends, in the same tick.

    What `call` raises is raised in `inner` where it is suspended, so that its clean-up may await.
    """
    step: Callable[[], Any] = partial(inner.send, None)
    while True:
        try:
            yielded = step()
        except StopIteration as end:
            result: T = end.value
            return result
        try:
            call()
            sent = yield yielded
        except GeneratorExit:
            inner.close()
            raise
        except BaseException as thrown:
            step = partial(inner.throw, thrown)
        else:
            step = partial(inner.send, sent)


def _focus(app: AnyApplication, window: Window) -> None:
    """Focus `window`, with everything a key that comes next needs."""
    app.layout.current_window = window
    # A key handled before the next render looks its bindings up through the parents; without this they are unknown.
    app.layout.update_parents_relations()
    app.invalidate()


def _find_window(layout: Layout, target: FocusableElement) -> Window | None:
    """The visible window that `target` stands for, as `Layout.focus` would choose it."""
    shown = visible_windows(layout.container)
    if isinstance(target, Window):
        return target if target in shown else None
    if isinstance(target, str | Buffer):
        matches = [
            window
            for window in shown
            if isinstance(window.content, BufferControl)
            and target in (window.content.buffer, window.content.buffer.name)
        ]
    elif isinstance(target, UIControl):
        matches = [window for window in shown if window.content is target]
    else:
        try:
            container = to_container(target)
        except Exception:
            # What cannot say what it consists of is not on the layout; a dialog with such a target goes on without.
            return None
        if isinstance(container, Window):
            return container if container in shown else None
        inside = {id(inner) for inner in walk_safely(container, skip_hidden=True)}
        matches = [window for window in shown if id(window) in inside]
    matches = [window for window in matches if is_focusable(window)]
    recent = [window for window in reversed(layout._stack) if window in matches]
    return next(iter(recent or matches), None)


def _name(target: object) -> str:
    return f"a {type(target).__name__}"


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
