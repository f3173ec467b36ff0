"""What prompt_toolkit remembers stays as small as a large screen needs."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prompt_toolkit.application import Application, create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.input.vt100_parser import _IS_PREFIX_OF_LONGER_MATCH_CACHE as BEGINNINGS
from prompt_toolkit.layout import Layout
from prompt_toolkit.layout.containers import Window
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.layout.screen import _CHAR_CACHE as CHARACTERS
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.utils import _CHAR_SIZES_CACHE as WIDTHS
from prompt_toolkit.utils import get_cwidth

from openhcs.tui.utils.toolkit_caches import toolkit_caches_bounded
from tests.tui.utils.kit import until

KEPT = 200
IN_A_FRAME = 60


class Pictures:
    """An application that shows `IN_A_FRAME` styles, others each time it is drawn with another `number`."""

    def __init__(self) -> None:
        self.number = 0
        output = Vt100_Output(io.StringIO(), lambda: Size(rows=24, columns=80), enable_cpr=False)
        control = FormattedTextControl(self.styles)
        self.app = Application[None](Layout(Window(control)), output=output, color_depth=ColorDepth.DEPTH_24_BIT)

    def styles(self) -> StyleAndTextTuples:
        first = self.number * IN_A_FRAME
        return [(f"fg:#{style:06x}", "x") for style in range(first, first + IN_A_FRAME)]

    async def show(self, number: int) -> None:
        self.number = number
        drawn = self.app.render_counter
        self.app.invalidate()
        await until(lambda: self.app.render_counter > drawn, "a frame")

    def remembered(self) -> set[str]:
        return set(self.app.renderer._attrs_for_style or ())

    def escape_codes(self) -> int:
        assert isinstance(self.app.output, Vt100_Output)
        return sum(len(codes) for codes in self.app.output._escape_code_caches.values())


@asynccontextmanager
async def pictures() -> AsyncIterator[tuple[Pictures, PipeInput]]:
    with create_pipe_input() as keys, create_app_session(input=keys):
        shown = Pictures()
        with toolkit_caches_bounded(shown.app, characters=KEPT, styles=KEPT, texts=KEPT):
            task = asyncio.ensure_future(shown.app.run_async())
            await until(lambda: shown.app.render_counter > 0, "the first frame")
            yield shown, keys
            shown.app.exit()
            await task


async def test_a_day_of_pictures_is_not_remembered() -> None:
    """However many styles are drawn, only so many and those on the screen are kept, with their escape sequences."""
    most = 0
    async with pictures() as (shown, _):
        for number in range(25):
            await shown.show(number)
            most = max(most, len(shown.remembered()), shown.escape_codes())
    assert IN_A_FRAME < most <= KEPT + IN_A_FRAME


async def test_what_is_on_the_screen_stays_known() -> None:
    """No frame after the forgetting has to find out anew what is on the screen already."""
    async with pictures() as (shown, _):
        for number in range(25):
            await shown.show(number)
            on_screen = {style for style, _, *_ in shown.styles()}
            assert on_screen <= {part for style in shown.remembered() for part in style.split()}


async def test_characters_are_bounded() -> None:
    """The oldest characters go for new ones, once the block has begun."""
    async with pictures() as (shown, _):
        before = len(CHARACTERS)
        for number in range(100, 120):
            await shown.show(number)
        assert len(CHARACTERS) <= max(before, KEPT + 1)


async def test_texts_are_bounded() -> None:
    """The widths of texts and the beginnings of mouse reports are forgotten when they are too many."""
    async with pictures() as (shown, keys):
        for number in range(2 * KEPT):
            get_cwidth(f"file {number}")
            keys.send_text(f"\x1b[<35;{number};{number}M")
        await until(lambda: len(BEGINNINGS) > KEPT or shown.app.render_counter > 1, "the reports")
        await shown.show(1)
        assert len(WIDTHS) < KEPT
        await until(lambda: not shown.app.key_processor.input_queue, "the keys")
        await shown.show(2)
        assert len(BEGINNINGS) <= KEPT


async def test_the_bound_ends_with_the_block() -> None:
    """Whoever uses prompt_toolkit in this process afterwards finds it as it was."""
    size = CHARACTERS.size
    async with pictures() as (shown, _):
        assert CHARACTERS.size == KEPT
    assert CHARACTERS.size == size
    assert not list(shown.app.after_render._handlers)
