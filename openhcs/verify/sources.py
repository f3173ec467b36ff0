"""From paths to parsed files: which files, how they are decoded, what they are called, which lines are silenced.

A file that cannot be read or parsed is told of and left out; the others are checked. Standard library only.
"""

from __future__ import annotations

import ast
import io
import os
import re
import tokenize
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from openhcs.verify.indexer import index_module
from openhcs.verify.model import Module

__all__ = ["Silence", "Unreadable", "decoded", "find_files", "normalised", "parse_file", "parse_text", "silenced"]

_SKIPPED_FOLDERS = frozenset(
    {"__pycache__", "node_modules", "site-packages", "venv", "env", "build", "dist", "__pypackages__"}
)

_DEEP = re.compile(
    r"async|await|prompt_toolkit|exc_info=True|excepthook|create_task|set_result|set_exception|^\s*setattr\("
    r"|def \w*(?:error|exception|crash)\w*\(",
    re.MULTILINE,
)
_ASSIGNS = re.compile(r"^[ \t]*([A-Za-z_]\w*)\.[\w.]+ = [A-Za-z_(]", re.MULTILINE)
_IMPORTS = re.compile(r"^[ \t]*(?:from[ \t].*[ \t])?import[ \t](.*)", re.MULTILINE)

_NOQA = re.compile(r"#\s*noqa(?P<codes>\s*:\s*[A-Z]+\d+(?:[\s,]+[A-Z]+\d+)*)?", re.IGNORECASE)
_WORD = re.compile(r"\w+")
_CODE = re.compile(r"[A-Z]+\d+", re.IGNORECASE)
_CODING = re.compile(rb"^[^\r\n]*\r?\n?[^\r\n]*coding[:=]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that could not be checked, and why."""

    path: Path
    reason: str
    line: int = 1


@dataclass(frozen=True, slots=True)
class Silence:
    """What `# noqa` on a line silences: the codes, or everything."""

    codes: frozenset[str]

    def covers(self, code: str) -> bool:
        """Whether a finding with this code is silenced; `HCS1` covers HCS101."""
        return not self.codes or any(code.startswith(prefix) for prefix in self.codes)


def find_files(paths: Sequence[Path], is_excluded: Callable[[Path], bool]) -> Iterator[tuple[Path, Path]]:
    """Every Python file under `paths`, in order, each with the folder it was found from. A file named is taken."""
    seen: set[Path] = set()
    for path in paths:
        for root, found in _below(path, is_excluded):
            if found not in seen:
                seen.add(found)
                yield root, found


def _below(path: Path, is_excluded: Callable[[Path], bool]) -> Iterator[tuple[Path, Path]]:
    if not path.is_dir():
        yield path.parent, path
        return
    for folder, folders, files in os.walk(path):
        here = Path(folder)
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and name not in _SKIPPED_FOLDERS and not is_excluded(here / name)
        )
        for name in sorted(files):
            if name.endswith(".py") and not is_excluded(here / name):
                yield path, here / name


def parse_file(root: Path, path: Path) -> Module | Unreadable:
    """The symbol table of a file."""
    try:
        text = normalised(decoded(path.read_bytes())[0])
    except OSError as error:
        return Unreadable(path, f"cannot be read: {error.strerror}")
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        return Unreadable(path, f"cannot be decoded: {error}")
    name, inside = _module_name(root, path)
    return parse_text(path, name, text, inside)


def parse_text(path: Path, name: str, text: str, inside: tuple[str, ...]) -> Module | Unreadable:
    """The symbol table of what stands, or is to stand, in the file of a module."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text, filename=str(path))
    except SyntaxError as error:
        return Unreadable(path, f"cannot be parsed: {error.msg}", error.lineno or 1)
    except (ValueError, RecursionError, MemoryError) as error:
        return Unreadable(path, f"cannot be parsed: {error}")
    return index_module(path, name, text, tree, inside=inside, is_deep=_is_worth_walking(text))


def _is_worth_walking(text: str) -> bool:
    """Whether a file spells out anything asynchronous, or gives an attribute to something it imports.

    Of the others it is enough to know what they define.
    """
    if _DEEP.search(text) is not None:
        return True
    changed = set(_ASSIGNS.findall(text)) - {"self", "cls"}
    return bool(changed) and any(not changed.isdisjoint(_WORD.findall(names)) for names in _IMPORTS.findall(text))


def decoded(data: bytes) -> tuple[str, str]:
    """The text of a file, line endings as they are, and the codec that turns it into the same bytes again."""
    if data.startswith(b"\xef\xbb\xbf"):
        return data.decode("utf-8-sig"), "utf-8-sig"
    if not _CODING.match(data):
        return data.decode(), "utf-8"
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    # `ast` reads a text's cookie no more, but it must not contradict what we hand over.
    return data.decode(encoding), encoding


def normalised(text: str) -> str:
    """A text with the line endings that `ast` counts by."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _module_name(root: Path, path: Path) -> tuple[str, tuple[str, ...]]:
    """The dotted name by which others import the file, and the folders between `root` and the file."""
    path = path.absolute()
    root = root.absolute()
    parts = [] if path.stem == "__init__" else [path.stem]
    folder = path.parent
    while (folder / "__init__.py").is_file() and folder.name:
        parts.insert(0, folder.name)
        folder = folder.parent
    try:
        inside = path.parent.relative_to(root).parts
        outside = folder.relative_to(root).parts
    except ValueError:
        inside, outside = (), ()
    if outside[:1] in (("src",), ("lib",), ("python",)):
        outside = outside[1:]
    return ".".join([*outside, *parts]) or path.parent.name, inside


def silenced(lines: Iterable[str]) -> dict[int, Silence]:
    """What `# noqa` comments silence, by line from 1."""
    found: dict[int, Silence] = {}
    for number, line in enumerate(lines, 1):
        if "noqa" in line or "NOQA" in line:
            match = _NOQA.search(line)
            if match is not None:
                codes = _CODE.findall(match["codes"] or "")
                found[number] = Silence(frozenset(code.upper() for code in codes))
    return found
