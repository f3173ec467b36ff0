"""What `openhcs settings` prints: every setting, its value, where that comes from, and what it does."""

from __future__ import annotations

import json

from openhcs.core.config import KnownSettings, Settings, Source, variable_of

__all__ = ["settings_json", "settings_text"]


def settings_text(known: KnownSettings) -> str:
    """The settings as a settings file in which what is not set is a comment."""
    values = known.settings.model_dump(mode="json")
    lines = [f"# The settings that hold now. Lines of your own go into {known.file}."]
    for name, field in Settings.model_fields.items():
        source = known.sources[name]
        mark = "# " if source is Source.DEFAULT else ""
        value = json.dumps(values[name], ensure_ascii=False)
        lines += ["", f"# {field.description}", f"{mark}{name}: {value}  # {_origin(name, source)}"]
    return "\n".join(lines) + "\n"


def settings_json(known: KnownSettings) -> str:
    """The settings with their sources as one JSON document."""
    values = known.settings.model_dump(mode="json")
    document = {name: {"value": values[name], "source": known.sources[name].value} for name in Settings.model_fields}
    return json.dumps({"file": str(known.file), "settings": document}, indent=2, ensure_ascii=False) + "\n"


def _origin(name: str, source: Source) -> str:
    match source:
        case Source.DEFAULT:
            return "the default"
        case Source.FILE:
            return "from the file"
        case Source.ENVIRONMENT:
            return f"from the environment variable {variable_of(name)}"
        case Source.FLAG:
            return "from the command line"
