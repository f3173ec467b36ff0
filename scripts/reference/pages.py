"""Which pages the reference has, and what stands in each that is short: settings, keys of pipeline files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from openhcs.core.config import Settings, variable_of
from openhcs.core.pipeline_file import pipeline_schema
from openhcs.core.pipeline_keys import PipelineKeys, StepKeys
from scripts.reference.commands import commands_page
from scripts.reference.functions import functions_page
from scripts.reference.keys import keys_page
from scripts.reference.manual import manual_page
from scripts.reference.markdown import cell, page, table

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"


def pages() -> Mapping[str, str]:
    """The text of each file of the reference, by its name."""
    writers: Mapping[str, Callable[[], str]] = {
        "commands.md": commands_page,
        "settings.md": settings_page,
        "keys.md": keys_page,
        "functions.md": functions_page,
        "pipeline-files.md": pipeline_files_page,
        "pipeline.schema.json": lambda: json.dumps(pipeline_schema(), indent=2) + "\n",
        "openhcs.1": manual_page,
    }
    return {name: write() for name, write in writers.items()}


def settings_page() -> str:
    """Every setting with its variable, what it may be, and its default."""
    rows = [
        (f"`{name}`", f"`{variable_of(name)}`", _default(field), cell(field.description or ""))
        for name, field in Settings.model_fields.items()
    ]
    return page(
        "Settings",
        "A setting is taken from the command line, else from the environment, else from the settings file, else it is "
        "the default. `openhcs settings` prints those that hold, says where each comes from, and names the file; the "
        "workbench edits them (`,`). A setting that does not exist, or a wrong value, is an error.",
        "In the file they are lines such as `workers: 4`. In a variable they are written as there: "
        "`OPENHCS_WORKERS=4`, `OPENHCS_FUNCTION_MODULES=lab.spots,lab.cells`, `OPENHCS_CSV=true`.",
        table(("setting", "variable", "default", "meaning"), rows),
        "`OPENHCS_SETTINGS` names another settings file, `OPENHCS_HOME` one folder for settings, pipelines, journals "
        "and logs.",
    )


def pipeline_files_page() -> str:
    """Every key of a pipeline file."""
    return page(
        "Keys of a pipeline file",
        "[How to write one](../pipelines.md) explains them with examples. An editor that knows JSON Schema checks a "
        "file while you write: [pipeline.schema.json](pipeline.schema.json) is the schema. For the YAML language "
        "server put a first line `# yaml-language-server: $schema=PATH/pipeline.schema.json` into the file.",
        "## The pipeline",
        _keys(PipelineKeys),
        "## A step",
        "A step has either `functions` or one of the `by_` keys.",
        _keys(StepKeys),
        "A function is its name, or `name: {parameter: value}`. [Functions](functions.md) lists them with what their "
        "parameters may be.",
    )


def _keys(model: type[BaseModel]) -> str:
    properties = model.model_json_schema().get("properties", {})
    rows = [
        (
            f"`{name}`",
            _kind(properties[name], model),
            "" if field.default is None else _default(field),
            cell(field.description or ""),
        )
        for name, field in model.model_fields.items()
    ]
    return table(("key", "is", "without it", "meaning"), rows)


def _kind(schema: Mapping[str, object], model: type[BaseModel]) -> str:
    """What a value is, in a word or two, from its JSON Schema."""
    match schema:
        case {"$ref": str() as reference}:
            return _named(reference, model)
        case {"type": "array", "items": {"$ref": str() as reference}}:
            return f"a list of {_named(reference, model)}"
        case {"type": "string"}:
            return "text"
        case {"type": "boolean"}:
            return "true or false"
        case {"anyOf": [{"type": "string"}, {"type": "null"}]}:
            return "text"
        case {"anyOf": [{"$ref": str() as reference}, {"type": "null"}]}:
            return _named(reference, model)
        case {"anyOf": [{"type": "object"}, {"type": "null"}]}:
            return "functions by value"
    return "functions"


def _named(reference: str, model: type[BaseModel]) -> str:
    definition = model.model_json_schema()["$defs"][reference.rpartition("/")[2]]
    values = definition.get("enum")
    return " or ".join(f"`{value}`" for value in values) if values else "steps"


def _default(field: FieldInfo) -> str:
    """The default as YAML has it; what depends on the machine is told by the description."""
    if field.is_required():
        return "needed"
    if field.default_factory is not None:
        return ""
    match field.default:
        case "":
            return "empty"
        case tuple() as values:
            return f"`{json.dumps([getattr(value, 'value', value) for value in values])}`"
        case str() | Path() as text:
            return f"`{text}`"
        case value:
            return f"`{json.dumps(getattr(value, 'value', value))}`"
