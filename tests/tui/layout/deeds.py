"""What somebody who tries everything does to the workbench: a deed for every number, chosen by a seed.

A deed is the same for a seed and a number whatever was done before, so any stretch of a long use can be done again.
Nothing here knows the workbench but its keys; doing is `random_user`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

__all__ = [
    "LEAVING",
    "Command",
    "Deed",
    "Mouse",
    "Paste",
    "Press",
    "Resize",
    "RunShipped",
    "Type",
    "deed_of",
    "starts_a_run",
]


@dataclass(frozen=True, slots=True)
class Press:
    """Keys, by prompt_toolkit's names."""

    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Type:
    """Text, a key for each character."""

    text: str


@dataclass(frozen=True, slots=True)
class Paste:
    """Text all at once, as a terminal that brackets what is pasted."""

    text: str


@dataclass(frozen=True, slots=True)
class Mouse:
    """The mouse at a place, in parts of the screen: "click", "double", "ctrl", "drag" to another place, or "wheel"."""

    what: str
    x: float
    y: float
    to_x: float = 0.0
    to_y: float = 0.0


@dataclass(frozen=True, slots=True)
class Command:
    """An action by the command palette: by its name, or, where that is "", any, in parts of all there are."""

    name: str
    part: float = 0.0


@dataclass(frozen=True, slots=True)
class RunShipped:
    """The shipped pipeline loaded and run: what was done to it at random is seldom a pipeline any more."""


@dataclass(frozen=True, slots=True)
class Resize:
    """Another size of the terminal."""

    columns: int
    rows: int


Deed = Press | Type | Paste | Mouse | Command | RunShipped | Resize

_SIZES = (
    *[(80, 24)] * 6,
    *[(100, 30)] * 4,
    *((160, 48), (160, 48), (61, 17), (40, 10), (12, 4), (300, 100)),
)
_LETTERS = tuple("aabcdefghiijklmnoprstuvwxyzABCDEFGHIJKLMNOPRSTUVWXYZ,?? **+-[]/0123456789.:#'<>")
"""`q` leaves or asks; it is one of `LEAVING`, which are not pressed as often as the others; nor is `_STOPPING`."""

_KEYS = (
    "up", "down", "left", "right", "up", "down", "left", "right", "enter", "enter", "escape", "tab", "s-tab", "space",
    "pageup", "pagedown", "home", "end", "backspace", "delete", "s-up", "s-down", "c-left", "c-right", "insert",
    "f1", "f2", "f3", "f5", "f6", "f10", "f12",
    "c-a", "c-b", "c-d", "c-e", "c-f", "c-g", "c-k", "c-l", "c-n", "c-o", "c-p", "c-r", "c-s", "c-t", "c-u", "c-v",
    "c-w", "c-x", "c-y", "c-\\", "c-@",
    "escape f", "escape p", "escape v", "escape w", "escape s", "escape h", "escape b", "escape d",
)  # fmt: skip
_STOPPING = "c-z"
LEAVING = ("q", "q", "c-q", "c-c")
_RUN_LETTERS = tuple("rtfwF")
_WORDS = (
    "nuclei", "B02", "A01-H12", "b", "0", "-1", "3.5", "1e9", "99999999999999999999", "nan", "true", "null", "~",
    "/tmp", "..", ".", "plate", "image", "threshold", "Ångström", "漢字", "e\u0301", "👩‍🔬", "\u200b", "'\"", "{x: [",
    "%s {0}", "a b c", "x" * 40, "mine.yaml", "out.csv", "w1",
)  # fmt: skip
_PASTED = (
    "plate 1", "/no/such/folder", "one\ntwo\nthree\n", "a\tb\x07\x1b[31mred\x1b[0m\x00c", "漢字\n" * 30, "y" * 5000,
    "name: pasted\nsteps:\n  - name: Blur\n    functions: gaussian\n", "'/quoted path'\n/another\\ path\n", "",
)  # fmt: skip
_TASKS = (
    "plates.run", "plates.try-2", "plates.run", "plates.cancel", "plates.init", "plates.compile", "plates.results",
    "plates.log", "plates.put-back", "pipeline.undo", "pipeline.undo", "pipeline.load", "pipeline.preview",
    "pipeline.edit", "pipeline.as-text", "wells.open", "wells.map-list", "wells.colour-by", "everywhere.settings",
    "everywhere.theme", "everywhere.tasks", "everywhere.errors", "everywhere.help",
)  # fmt: skip

_KINDS = (
    ("escape", 6.0),
    ("key", 31.0),
    ("letter", 25.0),
    ("mouse", 24.0),
    ("word", 3.0),
    ("paste", 1.5),
    ("task", 4.0),
    ("any command", 3.0),
    ("size", 3.0),
    ("stop", 0.25),
    ("run", 0.15),
    ("leave", 0.1),
)
_MICE = (("click", 14.0), ("double", 4.0), ("wheel", 4.0), ("drag", 3.0), ("ctrl", 1.0))


def starts_a_run(deed: Deed) -> bool:
    """Whether `deed` is to run plates, wherever it is done."""
    match deed:
        case RunShipped():
            return True
        case Type(text):
            return text in _RUN_LETTERS
        case Command(name):
            return name in ("", "plates.run", "plates.try-2")
        case _:
            return False


def deed_of(seed: int, number: int) -> Deed:
    """The deed that somebody called `seed` does as number `number`."""
    chance = random.Random(f"{seed}/{number}")
    kind = _one_of(chance, _KINDS)
    match kind:
        case "escape":
            # Whoever is lost presses Escape; without it, use would stay in the first dialog.
            return Press(("escape",) * 4)
        case "key":
            return Press((chance.choice(_KEYS),))
        case "letter":
            return Type(chance.choice(_LETTERS))
        case "word":
            return Type(chance.choice(_WORDS))
        case "paste":
            return Paste(chance.choice(_PASTED))
        case "task":
            return Command(chance.choice(_TASKS))
        case "any command":
            return Command("", chance.random())
        case "size":
            return Resize(*chance.choice(_SIZES))
        case "stop":
            return Press((_STOPPING,))
        case "run":
            return RunShipped()
        case "leave":
            return Press((chance.choice(LEAVING),))
        case _:
            what = _one_of(chance, _MICE)
            return Mouse(what, chance.random(), chance.random(), chance.random(), chance.random())


def _one_of(chance: random.Random, kinds: tuple[tuple[str, float], ...]) -> str:
    names, weights = zip(*kinds, strict=True)
    return str(chance.choices(names, weights)[0])
