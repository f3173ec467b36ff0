"""What can go wrong with an exploration itself, as opposed to the program it explores."""

from __future__ import annotations

__all__ = ["ExploreError", "NonDeterminism", "TokenError", "UnsupportedCall"]


class ExploreError(Exception):
    """Base of the errors of the explorer."""


class NonDeterminism(ExploreError):
    """A schedule met other choices than it recorded, so nothing that follows could be trusted.

    Either the program depends on something the explorer does not control (the clock, the address of an object, the
    order of a set, state kept from one run to the next), or a token is older than the program it is replayed on.
    """

    def __init__(self, choice: int, found: str, expected: str) -> None:
        super().__init__(
            f"not the same choices: choice {choice} met {found}; expected {expected}. If this is a replay, the token "
            "is older than the program: explore again. Otherwise the program depends on what the explorer does not "
            "control: patch it with world.patch, or build it anew in the scenario"
        )
        self.choice = choice


class TokenError(ExploreError, ValueError):
    """A text that is not a token."""

    def __init__(self, text: str, expected: str) -> None:
        super().__init__(
            f"cannot read the token: {text!r}; expected {expected}. Copy the token of a report as it stands"
        )


class UnsupportedCall(ExploreError, NotImplementedError):
    """The program asked the loop for something real: a socket, a file descriptor, a process."""

    def __init__(self, call: str, instead: str) -> None:
        super().__init__(
            f"the exploring loop cannot do this: loop.{call}(); expected only tasks, timers, callbacks and executor "
            f"calls. {instead}"
        )
        self.call = call
