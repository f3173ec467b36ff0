"""The terminal's output, which writes only what the terminal and its reader can take. Here is the one place that knows.

- A locale without UTF-8 gets stand-ins: borders of `+-|`, `v` for a check mark, `e` for an accented letter, `?` for
  the rest, each as wide as what it stands for, so that nothing moves.
- The Linux console gets them for the few symbols that its fonts do not have.
- Emoji of several parts are taken apart: terminals do not agree on the cells they take together.
- A plain screen, made for screen readers, has blanks where lines and blocks would be.
- What a slow terminal has not taken yet waits behind the program and not in its way (`sending`).

Drawing code writes what it means, in Unicode. Where another drawing is better than a stand-in, or a screen reader needs
words and the cursor, it asks `is_ascii()` and `is_plain()`. Checked by tests/tui/utils/test_screen_output.py.
"""

from __future__ import annotations

import codecs
import os
import re
import sys
import unicodedata
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Final, Self, TextIO

from prompt_toolkit.application import get_app_or_none
from prompt_toolkit.data_structures import Size
from prompt_toolkit.output.base import Output
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.utils import get_cwidth

from openhcs.tui.utils.terminal_sender import TerminalSender

__all__ = ["ScreenOutput", "is_ascii", "is_gnu_screen", "is_plain", "terminal_encoding"]

_CONSOLE_FONT: Final = "cp437"
"""What the fonts of the Linux console have in common of symbols; their letters vary."""

_LINES_AND_BLOCKS: Final = frozenset((*range(0x2500, 0x2600), *range(0x2800, 0x2900)))
_SYMBOLS: Final = range(0x2000, 0x2C00)

_STAND_INS: Final = {
    **dict.fromkeys("─╌┄", "-"), **dict.fromkeys("│╎┆", "|"), **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯", "+"),
    "═": "=", "║": "#", **dict.fromkeys("╔╗╚╝╠╣╦╩╬", "#"),
    "·": ".", "░": "-", "▒": "+", "▓": "%", "█": "#",
    **dict.fromkeys("▏▎▍▌▋▊▉", "="), **dict.fromkeys("▁▂▃▄", "_"), **dict.fromkeys("▅▆▇", "="), "▀": '"',
    "✓": "v", "✗": "x", "×": "x", "µ": "u", "μ": "u", "…": "~", "•": "*", "␊": "|", "±": "~", "°": "o",
    "→": ">", "←": "<", "↑": "^", "↓": "v", "▸": ">", "◂": "<", "▴": "^", "▾": "v", "▲": "^", "▼": "v", "●": "o",
    # Dots of braille, of which bars are drawn: none, all eight, some.
    "\u2800": " ", **dict.fromkeys(map(chr, range(0x2801, 0x28FF)), "="), "\u28ff": "#", "‹": "<", "›": ">",
    **dict.fromkeys("–—−‐", "-"), **dict.fromkeys("‘’", "'"), **dict.fromkeys("“”", '"'),
}  # fmt: skip

_SHOWN_AT_ONCE: Final = 4096
"""Texts, most of them of one character, of which is kept how they are shown: a frame has a few dozen."""

_LAST_WORDS_S: Final = 1.0
"""How long a terminal that takes nothing is waited for when it is given back."""

_FLAGS: Final = range(0x1F1E6, 0x1F200)
_OF_SEQUENCES: Final = re.compile(
    "(?<=[\u2190-\u2bff\ufe0f\U0001f000-\U0001faff])\u200d|[\ufe0f\u00ad\u200b\u2060-\u2064\U0001f1e6-\U0001f1ff\U0001f3fb-\U0001f3ff]"
)
"""What terminals do not agree on: joiners between emoji (others belong to letters of Indic and Arabic scripts), their
wide shape, flags, tones of skin; the soft hyphen, which has a cell or has none; and characters that are nothing."""


class ScreenOutput(Vt100_Output):
    """A terminal's output in an encoding; `plain` where a screen reader follows it.

    Args:
        characters: what the terminal shows; None takes the encoding of `stdout`.
    """

    def __init__(
        self,
        stdout: TextIO,
        get_size: Callable[[], Size],
        term: str | None = None,
        *,
        characters: str | None = None,
        plain: bool = False,
        enable_cpr: bool = True,
    ) -> None:
        super().__init__(stdout, get_size, term=term, enable_cpr=enable_cpr)
        self.plain = plain
        self.characters = codecs.lookup(characters or stdout.encoding or "utf-8").name
        self._stand_ins = _StandIns(self.characters, plain=plain, console=term == "linux")
        self._shows_all = self.characters == "utf-8" and not plain and term != "linux"
        self._shown = lru_cache(_SHOWN_AT_ONCE)(self._show)
        self._sender: TerminalSender | None = None

    @classmethod
    def of_terminal(cls, characters: str | None = None, *, plain: bool = False) -> Self:
        """The output to the terminal behind standard output, in the characters that its locale says, unless given."""
        encoding = characters or terminal_encoding(os.environ, sys.stdout.encoding)
        # Not standard output itself, whose encoding need not be the terminal's.
        terminal = open(sys.stdout.fileno(), "w", encoding=encoding, closefd=False)  # noqa: SIM115

        def size() -> Size:
            try:
                columns, rows = os.get_terminal_size(terminal.fileno())
            except OSError:  # it has just gone away, which the next write tells
                columns, rows = 0, 0
            return Size(rows=rows or 24, columns=columns or 80)

        return cls(terminal, size, os.environ.get("TERM"), plain=plain)

    def write(self, data: str) -> None:
        """Write text, with stand-ins for what cannot be shown."""
        super().write(data if data.isascii() else self._shown(data))

    def _show(self, text: str) -> str:
        text = _OF_SEQUENCES.sub(_taken_apart, text)
        return text if self._shows_all else text.translate(self._stand_ins)

    def flush(self) -> None:
        """Write to the terminal; on a plain screen with the cursor to be seen, which is what its reader follows."""
        if self.plain:
            self.show_cursor()
        if self._sender is None:
            super().flush()
        elif self._buffer:
            data, self._buffer = "".join(self._buffer), []
            self._sender.send(data.encode(self.encoding(), "replace"))

    @asynccontextmanager
    async def sending(self, on_sent: Callable[[], None], on_lost: Callable[[OSError], None]) -> AsyncIterator[None]:
        """For the time of the block `flush` does not wait for a slow terminal; what is no terminal never makes it wait.

        Args:
            on_sent: called when a terminal that was behind (`is_behind`) has taken everything.
            on_lost: called with the error where the terminal goes away meanwhile.
        """
        self._sender = TerminalSender.open(self.fileno(), on_sent, on_lost) if self.stdout.isatty() else None
        try:
            yield
            await self.wait_sent()
        finally:
            sender, self._sender = self._sender, None
            if sender is not None:
                sender.close()

    @property
    def is_behind(self) -> bool:
        """Whether the terminal has not taken all of what was written."""
        return self._sender is not None and self._sender.is_busy

    def forget_picture(self) -> None:
        """Leave out what the terminal has not taken of the picture; what it is to draw next is all of it."""
        if self._sender is not None and self._sender.is_busy:
            self._sender.forget_picture()
            self.reset_attributes()
            self.cursor_goto(0, 0)

    async def wait_sent(self) -> None:
        """Wait until the terminal has taken everything; one that still has not after a while is made to.

        For the last words of a program, or those before it stops. `forget_picture` makes them few.
        """
        if self._sender is not None and not await self._sender.wait_sent(_LAST_WORDS_S):
            self._sender.insist()


def _taken_apart(part: re.Match[str]) -> str:
    """As many cells as prompt_toolkit counts for it: a flag is two letters, a tone of skin beside its emoji nothing."""
    character = part[0]
    if character == "\xad":
        return "-"
    if ord(character) in _FLAGS:
        return chr(ord("A") + ord(character) - _FLAGS.start).ljust(get_cwidth(character))
    return " " * get_cwidth(character)


class _StandIns(dict[int, str]):
    """What is written for each character; found when it is first needed."""

    def __init__(self, encoding: str, *, plain: bool, console: bool) -> None:
        super().__init__()
        self._encoding = encoding
        self._plain = plain
        self._console = console

    def __missing__(self, code: int) -> str:
        self[code] = shown = self._find(chr(code))
        return shown

    def _find(self, character: str) -> str:
        if self._plain and ord(character) in _LINES_AND_BLOCKS:
            return " "
        lacks_glyph = self._console and ord(character) in _SYMBOLS and not _has(_CONSOLE_FONT, character)
        if not lacks_glyph and _has(self._encoding, character):
            return character
        base = unicodedata.normalize("NFKD", character)[0]
        stand_in = _STAND_INS.get(character) or _STAND_INS.get(base) or base
        width = get_cwidth(character)
        if len(stand_in) == width and stand_in.isascii() and stand_in.isprintable():
            return stand_in
        return "?" * width


def _has(encoding: str, character: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def is_plain() -> bool:
    """Whether the screen that is drawn now is to be followed by a screen reader."""
    output = _output_now()
    return isinstance(output, ScreenOutput) and output.plain


def is_ascii() -> bool:
    """Whether the screen that is drawn now lacks blocks and lines, so that pictures are better drawn with letters."""
    output = _output_now()
    return isinstance(output, ScreenOutput) and (output.plain or output.characters != "utf-8")


def _output_now() -> Output | None:
    """What the program draws on; None where there is none, in place of a stand-in that takes a millisecond to make."""
    app = get_app_or_none()
    return app.output if app is not None else None


def is_gnu_screen(environment: Mapping[str, str]) -> bool:
    """Whether the terminal is GNU screen, and not a tmux that runs in it.

    It hands COLORTERM on from the terminal outside and cannot draw such colours, and while the mouse is on it holds a
    lone Escape back until the next key.
    """
    return "STY" in environment and "TMUX" not in environment


def terminal_encoding(environment: Mapping[str, str], stream: str) -> str:
    """The encoding of the terminal, by its locale.

    Python itself takes UTF-8 where the locale says C, and enters that into the environment (PEP 538, PEP 540): right
    for files, wrong for a terminal. A locale that says nothing, as in most containers, leaves it at what Python takes;
    so does PYTHONIOENCODING, by which a user says it.

    Args:
        environment: the variables of this process.
        stream: the encoding that Python takes for standard output.
    """
    if environment.get("PYTHONIOENCODING"):
        return codecs.lookup(stream).name
    names = [environment.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG")]
    if not names[0] and names[1] == "C.UTF-8" and names[2]:
        names[1] = ""  # by Python's hand, or of no other meaning than what LANG says
    locale = next(filter(None, names), "").partition("@")[0]
    if locale in ("C", "POSIX"):
        return "ascii"
    named = locale.partition(".")[2]
    try:
        return codecs.lookup(named or stream).name
    except LookupError:
        return "ascii"
