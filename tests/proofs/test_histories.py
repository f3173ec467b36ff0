"""What depends on a long history more than on a schedule: the breaker and the stack of focus owners, against models.

The ledger of the journal has its machine in tests/tui/utils/test_error_journal.py.
"""

from __future__ import annotations

import asyncio
import math

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from prompt_toolkit.layout.containers import Window

from openhcs.tui.utils.circuit_breaker import BreakerState, CircuitBreaker
from openhcs.tui.utils.focus_manager import FocusClaim
from tests.proofs.scenery import Screen, pane

_FIRST_S = 4.0
_LONGEST_S = 20.0


class BreakerHistory(RuleBasedStateMachine):
    """Any history of attempts, their ends, and time that passes; the model is written from G8 and not from the code."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.breaker = CircuitBreaker(_FIRST_S, _LONGEST_S, clock=lambda: self.now)
        self.opened_at: float | None = None
        self.failed_probes = 0
        self.attempts = 0
        self.probe = False

    @property
    def closed(self) -> bool:
        return self.opened_at is None

    @property
    def allowed_at(self) -> float:
        assert self.opened_at is not None
        return self.opened_at + min(_FIRST_S * 2**self.failed_probes, _LONGEST_S)

    @rule(seconds=st.sampled_from([0.5, 1.0, 4.0, 8.0, 20.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def attempt(self) -> None:
        expected = self.closed or (self.now >= self.allowed_at and not self.probe)
        assert self.breaker.allow() is expected
        if expected:
            self.attempts += 1
            self.probe = not self.closed

    @precondition(lambda self: self.attempts)
    @rule()
    def it_succeeds(self) -> None:
        self.breaker.succeed()
        self.attempts -= 1
        self.opened_at, self.failed_probes, self.probe = None, 0, False

    @precondition(lambda self: self.attempts)
    @rule()
    def it_fails(self) -> None:
        self.breaker.fail()
        self.attempts -= 1
        if self.probe:
            self.failed_probes += 1
        self.opened_at, self.probe = self.now, False

    @precondition(lambda self: self.attempts)
    @rule()
    def it_is_cancelled(self) -> None:
        self.breaker.give_up()
        self.attempts -= 1
        self.probe = False

    @rule()
    def somebody_resets_it(self) -> None:
        self.breaker.reset()
        self.opened_at, self.failed_probes, self.probe = None, 0, False

    @invariant()
    def it_tells_its_state(self) -> None:
        if self.closed:
            assert self.breaker.state is BreakerState.CLOSED
            assert self.breaker.retry_in_s == 0
        else:
            assert self.breaker.retry_in_s == max(0.0, self.allowed_at - self.now)
            open_now = self.now < self.allowed_at
            assert self.breaker.state is (BreakerState.OPEN if open_now else BreakerState.HALF_OPEN)

    def teardown(self) -> None:
        """Whatever has happened, once the last attempt has ended the longest cool-down brings the next one."""
        if self.probe:
            self.breaker.give_up()
        self.now += _LONGEST_S
        assert self.breaker.allow()


class FocusHistory(RuleBasedStateMachine):
    """Dialogs open, with a target that is there or is drawn later, and close in any order, as often as one likes."""

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.screen = Screen()
        self.owners: list[tuple[FocusClaim, Window]] = []
        self.drawn: set[Window] = set()

    def _on_the_loop(self, *calls: object) -> None:
        async def run() -> None:
            for call in calls:
                call()  # type: ignore[operator]

        self.loop.run_until_complete(run())

    @precondition(lambda self: len(self.owners) < 6)
    @rule(drawn_at_once=st.booleans())
    def a_dialog_opens(self, drawn_at_once: bool) -> None:
        window = pane(f"dialog {len(self.owners)}")
        claim = self.screen.focus.claim(window)
        self.owners.append((claim, window))
        if drawn_at_once:
            self.screen.add(window)
            self.drawn.add(window)
        self._on_the_loop(lambda: claim.focus(math.inf))

    @rule()
    def a_frame_is_drawn(self) -> None:
        for _, window in self.owners:
            if window not in self.drawn:
                self.screen.add(window)
                self.drawn.add(window)
        self._on_the_loop(self.screen.render)

    @precondition(lambda self: self.owners)
    @rule(which=st.integers(0, 5), gone_first=st.booleans())
    def a_dialog_closes(self, which: int, gone_first: bool) -> None:
        claim, window = self.owners.pop(which % len(self.owners))
        keep = [shown for shown in self.screen.root.floats if shown.content is not window]
        if gone_first:
            self.screen.root.floats[:] = keep
        self._on_the_loop(claim.release, claim.release)
        self.screen.root.floats[:] = keep

    @invariant()
    def the_newest_owner_on_the_layout_has_the_focus(self) -> None:
        present = [window for _, window in getattr(self, "owners", ()) if window in self.drawn]
        if hasattr(self, "screen"):
            assert self.screen.focused is (present[-1] if present else self.screen.base)

    def teardown(self) -> None:
        """When all have closed, the focus is where it was, and nothing waits."""
        if hasattr(self, "owners"):
            while self.owners:
                self.a_dialog_closes(0, gone_first=False)
            assert self.screen.focused is self.screen.base
            assert not self.screen.focus._focusing_active
            self.loop.close()


TestBreakerHistory = BreakerHistory.TestCase
TestBreakerHistory.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestFocusHistory = FocusHistory.TestCase
TestFocusHistory.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
