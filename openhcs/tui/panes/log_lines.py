"""The lines of a log that are on the screen, in blocks; what is not there yet is empty, and is asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

from openhcs.core.run_log_query import LogPage
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.widgets.drawn_text import cut

__all__ = ["LogLines"]

_KEPT_BLOCKS: Final = 64


class LogLines:
    """The lines of `page` that its filter lets through, by number; asks for blocks that it does not have."""

    def __init__(self, ask: Callable[[int], None]) -> None:
        self._ask = ask
        self._blocks: OrderedDict[int, Sequence[str]] = OrderedDict()
        self.page: LogPage | None = None
        self.skipped = 0
        self.width: int | None = None

    def __len__(self) -> int:
        if self.page is None:
            return 0
        return self.page.total if self.page.passing is None else len(self.page.passing)

    def __getitem__(self, number: int, /) -> str:
        """A line; without wrapping (`width` given), what of it is on the screen."""
        text = self.whole(number)
        if self.width is None:
            return text
        rest = text[self.skipped :]
        return cut(visible(rest[: self.width * 2]), self.width, "›")

    def whole(self, number: int) -> str:
        """A line from its beginning to its end; empty while it is read."""
        if self.page is None:
            return ""
        block, place = self.page.block_of(self.number_of(number))
        lines = self._blocks.get(block)
        if lines is None:
            self._ask(block)
            return ""
        return lines[place] if place < len(lines) else ""

    def number_of(self, number: int) -> int:
        """The number in the file of a line shown."""
        passing = self.page.passing if self.page is not None else None
        return passing[number] if passing is not None else number

    def take(self, page: LogPage, *, is_other: bool) -> None:
        """Show `page`; of another file nothing is kept."""
        if is_other or (self.page is not None and page.total < self.page.total):
            self._blocks.clear()
        self.page = page
        for block, lines in page.blocks.items():
            self._blocks[block] = lines
            self._blocks.move_to_end(block)
        while len(self._blocks) > _KEPT_BLOCKS:
            self._blocks.popitem(last=False)
