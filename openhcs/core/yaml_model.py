"""Files of `key: value` lines that become pydantic models: read with faults that say where, written whole."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from openhcs.core.whole_file import deny_others, write_text
from openhcs.core.yaml_text import YamlFault, YamlText
from openhcs.errors import SettingsError, StoreError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

__all__ = ["describe_faults", "read_mapping", "read_or_set_aside", "write_model", "write_yaml"]

log = logging.getLogger(__name__)

Model = TypeVar("Model", bound=BaseModel)

_WHOLE, _NUMBER, _YES_OR_NO = "a whole number", "a number", "true or false"
_EXPECTED: Final = {
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "bool_type": _YES_OR_NO,
    "bool_parsing": _YES_OR_NO,
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "{ge:g} or more",
    "less_than": "less than {lt:g}",
    "less_than_equal": "{le:g} or less",
}
"""What is expected, by pydantic's types of faults: a form has room for some twenty characters."""


def read_mapping(file: Path) -> dict[str, Any]:
    """The keys and values in a YAML file, none where it is empty.

    Raises:
        SettingsError: it cannot be read, or holds something else.
    """
    try:
        content = YamlText.parse(file.read_text(encoding="utf-8")).data
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{file} cannot be read: {error}; expected a YAML file. Correct or remove the file."
        ) from error
    except YamlFault as error:
        line = f", line {error.line}" if error.line is not None else ""
        raise SettingsError(
            f"{file}{line} is not YAML: {error}; expected lines of `key: value`. Correct or remove the file."
        ) from error
    if content is None:  # an empty file, or one of comments only
        return {}
    if not isinstance(content, dict):
        raise SettingsError(f"{file} holds a {type(content).__name__}; expected lines of `key: value`.")
    return {str(key): value for key, value in content.items()}


def describe_faults(
    error: ValidationError, model: type[BaseModel], name: Callable[[str], str] = str
) -> Sequence[tuple[str, str]]:
    """The keys of `model` that are wrong, each with what is, as `<name>: <value>, expected <...>`.

    Args:
        name: what to call a key.
    """
    faults: list[tuple[str, str]] = []
    for fault in error.errors(include_url=False):
        first = str(fault["loc"][0])
        key = ".".join([name(first), *map(str, fault["loc"][1:])])
        if fault["type"] == "extra_forbidden":
            known = list(model.model_fields)
            close = difflib.get_close_matches(first, known, n=1)
            text = f"{key} is unknown, expected {close[0] if close else 'one of ' + ', '.join(known)}"
        else:
            text = f"{key}: {fault['input']!r}, expected {_expected(fault)}"
        faults.append((first, text))
    return faults


def _expected(fault: ErrorDetails) -> str:
    """What should have been there instead, in the fewest words."""
    words = _EXPECTED.get(fault["type"])
    if words is not None:
        return words.format_map(fault.get("ctx", {}))
    return fault["msg"].removeprefix("Input should be ").removeprefix("Value error, ")


def read_or_set_aside(file: Path, model: type[Model], what: str) -> Model:
    """What the program itself keeps in a file; one that cannot be understood is set aside, with a warning.

    Args:
        what: what the warning says is lost for now: `Bookmarks`.
    """
    if not file.exists():
        return model()
    try:
        return model.model_validate(read_mapping(file))
    except (SettingsError, ValidationError) as error:
        faults = (
            "; ".join(text for _, text in describe_faults(error, model))
            if isinstance(error, ValidationError)
            else error
        )
        aside = file.with_name(f"{file.name}.broken")
        log.warning("%s cannot be read; the file is kept as %s. %s", what, aside, faults)
        try:
            file.replace(aside)
        except OSError as failure:
            log.warning("%s could not be set aside: %s", file, failure)
        return model()


def write_model(file: Path, model: BaseModel) -> None:
    """Write what was set in `model` on purpose; raises `StoreError`."""
    content = model.model_dump(mode="json", exclude_unset=True)
    write_yaml(file, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def write_yaml(file: Path, text: str) -> None:
    """Put `text` in `file` as a whole, which only its owner may write from then on; raises `StoreError`."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file, text)
        deny_others(file)  # settings name modules, whose code is run
    except OSError as error:
        raise StoreError(
            f"{file} cannot be saved: {error}; expected a folder that can be written. Free space or permissions first."
        ) from error
