"""YAML a person wrote, read with the line of every value, so that an error can say where to look.

Plain data only (`yaml.SafeLoader`); a key that occurs twice is an error, since YAML would silently drop the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import yaml

__all__ = ["YamlFault", "YamlText"]


_WORDS: Final = {
    "expected <block end>": "this does not go on with what is above; expected another indentation, or - before an item",
    "mapping values are not allowed": "a colon where none can be; expected one key a line, or quotes around a text",
    "could not find expected ':'": "a key without a colon; expected a colon and a value",
    "'\\t'": "a tab in the indentation; expected spaces",
}
"""By parts of what PyYAML says."""

_LEFT_OPEN: Final = {
    "unexpected end of stream": "quotes that are not closed; expected them to end before the text does",
    "expected ',' or ']'": "a list that is not closed; expected , or ]",
    "expected ',' or '}'": "braces that are not closed; expected , or }",
}


class YamlFault(ValueError):
    """The text is not YAML of plain data; `line` counts from 1, and is None where it is not known."""

    def __init__(self, message: str, line: int | None) -> None:
        self.line = line
        super().__init__(message)


@dataclass(frozen=True)
class YamlText:
    """One YAML document: its `data`, and on which line each part of it stands."""

    data: object
    _root: yaml.Node | None = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> YamlText:
        """Read one document.

        Raises:
            YamlFault: the text is not YAML, holds other than plain data, or names a key twice.
        """
        loader = None
        try:
            loader = yaml.SafeLoader(text)
            root = loader.get_single_node()
            if root is None:
                return cls(None, None)
            for node in _nodes(root):
                _refuse_repeated_keys(node)
            return cls(loader.construct_document(root), root)
        except yaml.MarkedYAMLError as error:
            raise _explained(error) from error
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            if isinstance(error, YamlFault):
                raise
            reason = "nested too deeply" if isinstance(error, RecursionError) else str(error).splitlines()[0]
            raise YamlFault(reason, None) from error
        finally:
            if loader is not None:
                loader.dispose()

    def line_of(self, path: Sequence[str | int]) -> int | None:
        """The line, from 1, of the value at `path` (keys and list positions), or of its nearest surrounding."""
        node, line = self._root, None
        for part in (None, *path):
            if part is not None:
                node = _child(node, part)
            if node is None:
                break
            line = node.start_mark.line + 1
        return line


def _explained(error: yaml.MarkedYAMLError) -> YamlFault:
    """What PyYAML says of its own signs, said of the text; what is left open is told where it begins."""
    problem = error.problem or "not YAML"
    words = next((words for part, words in (_WORDS | _LEFT_OPEN).items() if part in problem), problem)
    marks = [error.problem_mark, error.context_mark]
    if words in _LEFT_OPEN.values():
        marks.reverse()
    mark = next((mark for mark in marks if mark is not None), None)
    return YamlFault(words, mark.line + 1 if mark else None)


def _child(node: yaml.Node | None, part: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == str(part)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        child: yaml.Node = node.value[part]
        return child
    return None


def _nodes(root: yaml.Node) -> Iterator[yaml.Node]:
    """Every node once, however often aliases name it."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        if isinstance(node, yaml.MappingNode):
            waiting.extend(part for pair in node.value for part in pair)
        elif isinstance(node, yaml.SequenceNode):
            waiting.extend(node.value)


def _refuse_repeated_keys(node: yaml.Node) -> None:
    if not isinstance(node, yaml.MappingNode):
        return
    lines: dict[tuple[str, str], int] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        name, line = (key.tag, key.value), key.start_mark.line + 1
        if name in lines:
            raise YamlFault(f"the key {key.value} stands on line {lines[name]} already; expected each key once", line)
        lines[name] = line
