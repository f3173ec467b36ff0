"""The keys file: which keys the user wants for which actions, and the file to start from.

    plates.run: R
    pipeline.undo: [u, Ctrl-U]

Read before the first frame, and only where there is one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from openhcs.tui.widgets.bindings import Binding, key_name
from openhcs.tui.widgets.keymap import ChosenKeys, KeyFault, parse_key

__all__ = ["keys_text", "read_keys_file"]

_EXPECTED = "expected lines such as `plates.run: R`"


def read_keys_file(file: Path) -> tuple[Mapping[str, ChosenKeys], list[KeyFault]]:
    """The keys chosen in `file` by action, none if there is no file, and what of it cannot be used."""
    if not file.exists():
        return {}, []
    # YAML takes 15 ms to import, before the first frame.
    from openhcs.core.yaml_text import YamlFault, YamlText

    try:
        text = YamlText.parse(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        return {}, [KeyFault(f"{file} cannot be read: {error}; expected a YAML file. Correct or remove it.")]
    except YamlFault as error:
        return {}, [KeyFault(f"not YAML: {error}; {_EXPECTED}", error.line)]
    if text.data is None:
        return {}, []
    if not isinstance(text.data, dict):
        return {}, [KeyFault(f"a {type(text.data).__name__}; {_EXPECTED}", 1)]
    chosen: dict[str, ChosenKeys] = {}
    faults: list[KeyFault] = []
    for name, value in text.data.items():
        line = text.line_of([name])
        try:
            chosen[str(name)] = ChosenKeys(_keys_of(value), line)
        except ValueError as error:
            faults.append(KeyFault(f"{name}: {error}", line))
    return chosen, faults


def keys_text(places: Mapping[str, Mapping[str, Binding]], file: Path) -> str:
    """All actions by place, with their keys and descriptions, as a keys file that changes nothing."""
    lines = {
        name: f"{name}: [{', '.join(map(_quoted, row.keys))}]"
        for actions in places.values()
        for name, row in actions.items()
    }
    width = max(map(len, lines.values()))
    text = f"# The keys of the workbench. Lines with keys of your own go into {file}.\n"
    for place, actions in places.items():
        text += f"\n# {place}\n"
        text += "".join(f"{lines[name]:<{width}}  # {row.description}\n" for name, row in actions.items())
    return text


def _keys_of(value: object) -> tuple[str, ...]:
    words = value if isinstance(value, list) else [value]
    if not words or not all(isinstance(word, str | int) and not isinstance(word, bool) for word in words):
        raise ValueError(f"{value!r}; expected a key or a list of keys, in quotes where YAML would take it for a word")
    return tuple(parse_key(str(word)) for word in words)


def _quoted(key: str) -> str:
    """A key as YAML that is read back as text: digits, signs and words such as `y` and `n` stand in quotes."""
    name = key_name(key)
    return name if len(name) > 1 and name[0].isalpha() else json.dumps(name)
