"""The user's own keys for actions: what the keys file says, applied to binding rows.

An action is called after its place and its label, `plates.put-back`. Keys are written as people read them, `Ctrl-N`,
or as prompt_toolkit names them, `c-n`. What cannot be used is a fault with its line; the row then keeps its own keys.

Deliberately absent: the keys of dialogs, which say themselves what they take.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from prompt_toolkit.key_binding import KeyBindings

from openhcs.core.wording import did_you_mean
from openhcs.tui.widgets.bindings import Binding, key_name

__all__ = ["ChosenKeys", "KeyFault", "Keymap", "action_name", "parse_key"]


@dataclass(frozen=True, slots=True)
class KeyFault:
    """Something in the keys file that cannot be used; `line` counts from 1."""

    message: str
    line: int | None = None

    def __str__(self) -> str:
        return self.message if self.line is None else f"line {self.line}: {self.message}"


@dataclass(frozen=True, slots=True)
class ChosenKeys:
    """The keys the user wants for one action, as prompt_toolkit names them, and where that is written."""

    keys: tuple[str, ...]
    line: int | None = None


class Keymap:
    """Gives rows the user's keys, and tells in the end what could not be given.

    Every pane passes its rows through `rows` while the screen is built; `faults` then knows all actions there are.
    """

    def __init__(self, chosen: Mapping[str, ChosenKeys] | None = None) -> None:
        self._chosen = chosen or {}
        self._places: dict[str, dict[str, Binding]] = {}

    def rows(self, place: str, rows: Sequence[Binding]) -> tuple[Binding, ...]:
        """`rows` of a place, each with the keys chosen for it, or its own."""
        actions = {action_name(place, row): row for row in rows}
        mapped = {name: self._mapped(name, row) for name, row in actions.items()}
        self._places.setdefault(place, {}).update(mapped)
        return tuple(mapped.values())

    @property
    def places(self) -> Mapping[str, Mapping[str, Binding]]:
        """Every action seen so far, by place and name, with the keys it has now."""
        return self._places

    def faults(self, everywhere: Sequence[Binding]) -> list[KeyFault]:
        """The actions that do not exist, and the keys that two actions of one place would share.

        Args:
            everywhere: the rows whose keys work in every place.
        """
        known = {name: row for actions in self._places.values() for name, row in actions.items()}
        faults = [
            KeyFault(
                f"{name} is no action; expected one that `openhcs keys` lists.{did_you_mean(name, known)}", keys.line
            )
            for name, keys in self._chosen.items()
            if name not in known
        ]
        reach = {name: row for name, row in known.items() if row in everywhere}
        for actions in self._places.values():
            faults += self._conflicts({**reach, **actions})
        return sorted(dict.fromkeys(faults), key=lambda fault: fault.line or 0)

    def _mapped(self, name: str, row: Binding) -> Binding:
        chosen = self._chosen.get(name)
        return replace(row, keys=chosen.keys) if chosen is not None else row

    def _conflicts(self, actions: Mapping[str, Binding]) -> Iterator[KeyFault]:
        """Keys that several of `actions` have, where the user chose one of them."""
        owners: dict[str, list[str]] = {}
        for name, row in actions.items():
            for key in row.keys:
                owners.setdefault(key, []).append(name)
        for key, names in owners.items():
            for name in names:
                others = [other for other in names if other != name]
                if name in self._chosen and others:
                    yield KeyFault(
                        f"{key_name(key)} for {name} is the key of {' and '.join(others)} as well; expected a key of "
                        "its own. Give one of them another key.",
                        self._chosen[name].line,
                    )


def action_name(place: str, row: Binding) -> str:
    """What the keys file calls a row: `plates.put-back`."""
    return f"{_slug(place)}.{_slug(row.label)}"


def parse_key(text: str) -> str:
    """The prompt_toolkit name of a key that a person wrote: `Ctrl-N` is `c-n`, `Alt-F` is `escape f`.

    Raises:
        ValueError: there is no such key.
    """
    key = " ".join(_parse_one(part) for part in text.split(" ")) if text.strip() else text
    try:
        KeyBindings().add(*(key.split() or [key]))
    except ValueError:
        raise ValueError(f"{text!r} is no key; expected one such as a, A, F5, Ctrl-N, Alt-P, Shift-Up, Enter") from None
    return key


_NAMES: Final = {"esc": "escape", "pgup": "pageup", "pgdn": "pagedown", "del": "delete", "ins": "insert"}
_MODIFIERS: Final = {"ctrl": "c", "shift": "s"}


def _parse_one(text: str) -> str:
    *modifiers, last = re.split(r"-(?=.)", text)
    letters = [_MODIFIERS.get(modifier.lower()) for modifier in modifiers]
    if modifiers and modifiers[0].lower() == "alt":
        return f"escape {_parse_one(text[4:]).lower()}"
    if None in letters:
        return text
    named = last.lower() if len(last) > 1 or modifiers else last
    return "-".join([*filter(None, letters), _NAMES.get(named, named)])


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
