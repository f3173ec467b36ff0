"""The settings while they are edited: a text for each, what is wrong with it, and what is to be written in the end.

Imports pydantic: for use behind the first frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_args, get_origin

from openhcs.core.config import KnownSettings, Settings, Source, parse_setting, setting_problem, variable_of

__all__ = ["SettingsDraft"]


_UNITS = {"gib": "GiB", "s": "s"}


class SettingsDraft:
    """Texts of all settings, as typed. One that the environment or the command line gives cannot be edited."""

    def __init__(self, known: KnownSettings) -> None:
        self._known = known
        self._before = _texts(known.settings)
        self._defaults = _texts(Settings())
        self._texts = dict(self._before)
        self._reset: set[str] = set()

    @property
    def names(self) -> Sequence[str]:
        """All settings, in the order of the model."""
        return tuple(Settings.model_fields)

    @property
    def is_changed(self) -> bool:
        """Whether leaving now would lose something."""
        return bool(self.changes or self.resets)

    def label(self, name: str) -> str:
        """What a setting is called in the form, with its unit: `worker memory (GiB)`."""
        words, _, last = name.replace("_", " ").rpartition(" ")
        return f"{words} ({_UNITS[last]})" if last in _UNITS else name.replace("_", " ")

    def help(self, name: str) -> str:
        """What a setting is for, in a sentence."""
        description = Settings.model_fields[name].description or name
        return f"{description[:1].upper()}{description[1:]}."

    def choices(self, name: str) -> Sequence[str]:
        """The words a setting takes; none where it takes more than some words."""
        annotation = Settings.model_fields[name].annotation
        if annotation is bool:
            return ("yes", "no")
        return get_args(annotation) if str(get_origin(annotation)) == "typing.Literal" else ()

    def why_fixed(self, name: str) -> str | None:
        """Why a setting cannot be changed here, or None."""
        match self._known.sources[name]:
            case Source.ENVIRONMENT:
                return f"{variable_of(name)} of the environment gives it"
            case Source.FLAG:
                return "the command line gives it"
        return None

    def text(self, name: str) -> str:
        """The text of a setting as it is now."""
        return self._texts[name]

    def type_text(self, name: str, text: str) -> None:
        """Give a setting another text."""
        self._texts[name] = text
        self._reset.discard(name)

    def reset(self, name: str) -> None:
        """Give a setting its default, which then follows the machine and the program."""
        self._texts[name] = self._defaults[name]
        self._reset.add(name)

    def problem(self, name: str) -> str | None:
        """What is wrong with a setting's text, or None."""
        if name in self._reset or not self._is_typed(name):
            return None
        return setting_problem(name, self._value(name))

    def origin(self, name: str) -> str:
        """Where the value comes from, or that it is going to be changed."""
        if name in self.resets:
            return "will be the default"
        if name in self.changes:
            return f"changed; was {self._before[name] or 'none'}"
        source = self._known.sources[name]
        return "default" if source is Source.DEFAULT else f"from the {source.value}"

    @property
    def changes(self) -> Mapping[str, object]:
        """The values to write, by name."""
        return {name: self._value(name) for name in self.names if name not in self._reset and self._is_typed(name)}

    @property
    def resets(self) -> Sequence[str]:
        """The settings to take out of the file."""
        return [name for name in self.names if name in self._reset and self._known.sources[name] is Source.FILE]

    def _is_typed(self, name: str) -> bool:
        """Whether another value was typed than the one that was there; space around it is none."""
        return self._texts[name].strip() != self._before[name].strip()

    def _value(self, name: str) -> object:
        text = self._texts[name].strip()
        if not text:
            return () if _takes_many(name) else None
        return parse_setting(name, text)


def _takes_many(name: str) -> bool:
    return get_origin(Settings.model_fields[name].annotation) is tuple


def _texts(settings: Settings) -> dict[str, str]:
    return {name: _text(value) for name, value in settings.model_dump(mode="json").items()}


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(str, value))
        case float():
            return f"{value:g}"
    return str(value)
