"""The errors that one dialog shows, which may grow while it is on the screen.

Nothing here knows a screen: whoever has an error to show makes a page of it, and `error_dialog`, which is imported with
the first of them, draws it. Standard library only. Checked by tests/tui/utils/test_error_dialog.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

__all__ = ["ErrorPage", "ErrorPages"]


class ErrorPage:
    """One error as the dialog shows it: a title, what happened, and the traceback under "details" (may be empty).

    `exception` is asked for when its causes and the locals of its frames are to be shown; None where it is not kept.
    Locals are of use to whoever mends the program, so a page that `is_refusal` does not offer them.
    """

    def __init__(
        self,
        title: str,
        message: str,
        details: str = "",
        exception: Callable[[], BaseException | None] = lambda: None,
        count: Callable[[], int] = lambda: 1,
        on_seen: Callable[[], None] = lambda: None,
        *,
        is_refusal: bool = False,
    ) -> None:
        self.title = title
        self.message = message
        self.details = details
        self.exception = exception
        self.count = count
        self.on_seen = on_seen
        self.is_refusal = is_refusal

    @property
    def has_locals(self) -> bool:
        """Whether the local variables of its frames are offered."""
        return bool(self.details) and not self.is_refusal

    @property
    def text(self) -> str:
        """All of it, for the clipboard or a file."""
        return "\n".join(part for part in (self.title, self.message, self.details) if part)


class ErrorPages:
    """The errors of one dialog, in order, and which of them is before the user.

    `are_closed` is told by the dialog: whether nobody is going to see what is added now.
    """

    def __init__(self, pages: Sequence[ErrorPage] = ()) -> None:
        self._pages = list(pages)
        self.position = 0
        self.are_closed: Callable[[], bool] = lambda: False

    def __len__(self) -> int:
        return len(self._pages)

    @property
    def current(self) -> ErrorPage:
        """The page before the user."""
        return self._pages[self.position]

    def add(self, page: ErrorPage) -> None:
        """Append a page; the user stays where they are."""
        self._pages.append(page)

    def move(self, by: int) -> None:
        """Turn `by` pages, as far as there are pages."""
        self.position = max(0, min(len(self._pages) - 1, self.position + by))
