"""A circuit breaker that heals (G8).

Closed: attempts are allowed. A failure opens it: none are, until the cool-down is over. Then it is half-open: one probe
is allowed at a time; its success closes the breaker, its failure opens it for twice as long, its cancellation leaves it
half-open. Checked by tests/tui/utils/test_circuit_breaker.py, proved in tests/proofs/test_g8_breaker.py.

Standard library only; for one thread at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import Enum

__all__ = ["BreakerState", "CircuitBreaker"]


class BreakerState(Enum):
    """What the breaker would answer now."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class CircuitBreaker:
    """Lets attempts through while they succeed. `clock` is monotonic, in seconds."""

    def __init__(
        self,
        cool_down_s: float = 5.0,
        longest_cool_down_s: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._first_cool_down_s = cool_down_s
        self._longest_cool_down_s = longest_cool_down_s
        self._clock = clock
        self._cool_down_s = cool_down_s
        self._opened_s: float | None = None
        self._probing = False

    @property
    def state(self) -> BreakerState:
        """The state at this moment."""
        if self._opened_s is None:
            return BreakerState.CLOSED
        return BreakerState.HALF_OPEN if self.retry_in_s <= 0 else BreakerState.OPEN

    @property
    def retry_in_s(self) -> float:
        """Seconds until a probe is allowed; 0 when one is, or none is needed."""
        if self._opened_s is None:
            return 0.0
        return max(0.0, self._opened_s + self._cool_down_s - self._clock())

    def allow(self) -> bool:
        """Whether to attempt now. After True, tell the outcome by `succeed`, `fail` or `give_up`."""
        if self._opened_s is None:
            return True
        if self._probing or self.retry_in_s > 0:
            return False
        self._probing = True
        return True

    def succeed(self) -> None:
        """The attempt succeeded: close."""
        self.reset()

    def fail(self) -> None:
        """The attempt failed: open, for longer if it was a probe."""
        if self._probing:
            self._cool_down_s = min(2 * self._cool_down_s, self._longest_cool_down_s)
        self._probing = False
        self._opened_s = self._clock()

    def give_up(self) -> None:
        """The attempt was cancelled and tells nothing: let another one try."""
        self._probing = False

    def reset(self) -> None:
        """Close at once, with the first cool-down."""
        self._opened_s = None
        self._probing = False
        self._cool_down_s = self._first_cool_down_s
