"""The lines of a traceback in colour, each by itself, so that only those on the screen are coloured.

Checked by tests/tui/utils/test_error_dialog.py.
"""

from __future__ import annotations

import re
from functools import lru_cache

from prompt_toolkit.formatted_text import StyleAndTextTuples

__all__ = ["highlight_traceback"]

_LONG = 500
"""Characters up to which a line is coloured: what finds the colours may take the square of the length."""

_FRAME = re.compile(r'( *[|+ ]*)(File )(".*?")(, line )(\d+)(?:(, in )(.*))?$')
_HEADING = re.compile(r"[|+\- ]*(?:(?:Exception Group )?Traceback|During handling|The above exception|\[Previous line)")
_MARKERS = re.compile(r"[|\s]*[~^]+[~^\s]*$")
_ERROR = re.compile(r"((?: *\| )*)([A-Za-z_][\w.]*)(: .*)?$")

# By the names that Pygments gives its kinds of token; a kind that is not here is drawn as the kind it belongs to.
_CODE_STYLES = {
    "Token": "",
    "Token.Keyword": "ansimagenta",
    "Token.Operator.Word": "ansimagenta",
    "Token.Name.Builtin": "ansicyan",
    "Token.Literal.Number": "ansicyan",
    "Token.Literal.String": "ansigreen",
    "Token.Comment": "class:muted",
}


def highlight_traceback(line: str) -> StyleAndTextTuples:
    """One line of a traceback in colour, whatever lines stand around it; a very long one as it is."""
    if len(line) > _LONG:
        return [("", line)]
    if frame := _FRAME.match(line):
        styles = ("", "class:muted", "ansigreen", "class:muted", "ansicyan", "class:muted", "bold")
        return [(style, text) for style, text in zip(styles, frame.groups(), strict=True) if text]
    if _HEADING.match(line):
        return [("class:muted", line)]
    if _MARKERS.match(line):
        return [("class:error", line)]
    if error := _ERROR.match(line):
        return [("class:muted", error[1]), ("class:error", error[2]), ("", error[3] or "")]
    return [*_highlight_code(line)]


@lru_cache(maxsize=512)
def _highlight_code(line: str) -> tuple[tuple[str, str], ...]:
    # Pygments takes 20 ms to import, a tenth of the workbench's start, and most programs start without an error.
    try:
        from pygments.lexers.python import PythonLexer
    except (ImportError, OSError, MemoryError):
        # The error may be that there are no more file descriptors: then it is told without colour.
        return (("", line),)

    code = line.lstrip()
    fragments = [("", line[: len(line) - len(code)])]
    for token, text in PythonLexer(stripnl=False).get_tokens(code):
        kind = str(token)
        while kind not in _CODE_STYLES:
            kind = kind.rpartition(".")[0]
        fragments.append((_CODE_STYLES[kind], text.rstrip("\n")))
    return tuple(fragments)
