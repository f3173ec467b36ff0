"""A circuit breaker that heals by itself."""

from __future__ import annotations

import pytest

from openhcs.tui.utils.circuit_breaker import BreakerState, CircuitBreaker


class Clock:
    """A monotonic clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker(cool_down_s=5.0, longest_cool_down_s=15.0, clock=clock)


def test_closed_it_allows_everything(breaker: CircuitBreaker) -> None:
    """A closed breaker allows any number of attempts."""
    assert breaker.state is BreakerState.CLOSED
    assert all(breaker.allow() for _ in range(3))
    breaker.succeed()
    assert breaker.retry_in_s == 0


def test_a_failure_opens_it_for_the_cool_down(breaker: CircuitBreaker, clock: Clock) -> None:
    """After a failure nothing is allowed until the cool-down is over, then one probe at a time."""
    breaker.fail()
    assert breaker.state is BreakerState.OPEN
    assert breaker.retry_in_s == 5.0
    assert not breaker.allow()
    clock.now_s += 4.9
    assert not breaker.allow()
    clock.now_s += 0.2
    assert breaker.state is BreakerState.HALF_OPEN
    assert breaker.allow()
    assert not breaker.allow()


def test_a_probe_that_succeeds_closes_it(breaker: CircuitBreaker, clock: Clock) -> None:
    """One success forgets the past."""
    breaker.fail()
    clock.now_s += 5
    assert breaker.allow()
    breaker.succeed()
    assert breaker.state is BreakerState.CLOSED
    breaker.fail()
    assert breaker.retry_in_s == 5.0


def test_the_cool_down_grows_while_probes_fail(breaker: CircuitBreaker, clock: Clock) -> None:
    """It doubles up to its longest."""
    breaker.fail()
    waits = []
    for _ in range(4):
        waits.append(breaker.retry_in_s)
        clock.now_s += breaker.retry_in_s
        assert breaker.allow()
        breaker.fail()
    assert waits == [5.0, 10.0, 15.0, 15.0]


def test_a_probe_that_is_cancelled_lets_another_try(breaker: CircuitBreaker, clock: Clock) -> None:
    """A cancelled probe tells nothing and costs nothing."""
    breaker.fail()
    clock.now_s += 5
    assert breaker.allow()
    breaker.give_up()
    assert breaker.state is BreakerState.HALF_OPEN
    assert breaker.allow()


def test_reset_closes_it_at_once(breaker: CircuitBreaker) -> None:
    """Reset closes it whatever it was."""
    breaker.fail()
    breaker.reset()
    assert breaker.state is BreakerState.CLOSED
    assert breaker.allow()


def test_it_uses_the_monotonic_clock() -> None:
    """Without a clock of its own it cools down in real time."""
    breaker = CircuitBreaker(cool_down_s=0.0)
    breaker.fail()
    assert breaker.state is BreakerState.HALF_OPEN
