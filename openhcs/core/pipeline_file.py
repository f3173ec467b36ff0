"""Pipelines as YAML files that people read and edit.

    name: spots
    description: Nuclei in channel 1, spots in the channel named FITC.
    planes: stack                        # or projection: those the microscope stored
    steps:
      - name: Flatten
        functions: subtract_background_gaussian          # one function, with its defaults
        variable_components: [z]
      - name: Project
        functions:                                       # several in order, some with parameters
          - gaussian_blur: {sigma_px: 1}
          - project_maximum
        variable_components: [z]
      - name: Find objects
        by_channel:                                      # another chain for each channel, by number or name
          1: segment_threshold_watershed
        variable_components: [z]
        output: nuclei
      - name: Measure
        functions: {measure_objects: {labels: nuclei}}   # one function with parameters
        variable_components: [z]

A step has either `functions` or one of `by_channel`, `by_site`, `by_z`, `by_t`, which also sets its `group_by`. What is
left out takes the default of `model.Step`.

Every fault of a file is told at once, with its line. Whether functions, parameters and channels exist is the compiler's
to say. Pickled `.step` and `.func` files are not read, since reading one runs code.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from openhcs.core.model import Pipeline, Step
from openhcs.core.pattern import plain_chain, plain_pattern
from openhcs.core.pipeline_keys import BY_KEYS, PipelineKeys, StepKeys, usual_group_by
from openhcs.core.whole_file import write_text
from openhcs.core.wording import did_you_mean, show_value
from openhcs.core.yaml_text import YamlFault, YamlText
from openhcs.errors import PipelineError, Problem, StoreError

__all__ = [
    "dump_pipeline",
    "dump_step",
    "load_pipeline",
    "parse_pipeline",
    "pipeline_schema",
    "read_pipeline_text",
    "save_pipeline",
    "shipped_pipelines",
]

_PICKLED = frozenset({".step", ".func", ".pipeline", ".pkl", ".pickle"})
_LARGEST_FILE = 1 << 20
"""Bytes; a pipeline of a hundred steps has about ten thousand."""

_EXPECTED = {
    "bool_type": "true or false",
    "model_type": "keys and values",
    "string_type": "text. Put it in quotes if it is meant as text",
    "tuple_type": "a list",
}
"""What was expected, by the type of pydantic's fault, where its own words speak of Python."""

_MOST_PROBLEMS = 50
"""More than that is not a pipeline with faults but another file."""

_SHIPPED = Path(__file__).parents[1] / "pipelines"


def load_pipeline(path: Path) -> Pipeline:
    """Read a pipeline file.

    Raises:
        PipelineError: the file cannot be read or is no pipeline; `problems` holds every fault.
    """
    return parse_pipeline(read_pipeline_text(path), str(path))


def read_pipeline_text(path: Path) -> str:
    """The text of a pipeline file, for `parse_pipeline` and `keep_comments`.

    Raises:
        PipelineError: it cannot be read, or is not text of some pages.
    """
    if path.suffix.lower() in _PICKLED:
        raise PipelineError(
            f"pipeline file: {path}; expected YAML. This is a pickle, and reading a pickle runs code that it holds. "
            "Write its steps as YAML (docs/pipelines.md shows how), or build them in the pipeline editor and save."
        )
    try:
        with path.open("rb") as stream:
            content = stream.read(_LARGEST_FILE + 1)
        if len(content) > _LARGEST_FILE:
            raise PipelineError(f"pipeline file: {path} has more than 1 MiB; expected a text of some pages.")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise PipelineError(
            f"pipeline file: {path} ({error.strerror or error}); expected a file that can be read."
        ) from error
    except UnicodeDecodeError as error:
        raise PipelineError(f"pipeline file: {path} is not UTF-8 text; expected YAML.") from error


def parse_pipeline(text: str, source: str) -> Pipeline:
    """Read a pipeline from YAML.

    Args:
        text: the YAML.
        source: what messages call it, such as the path of the file.

    Raises:
        PipelineError: as `load_pipeline`.
    """
    headline = f"pipeline file: {source}; expected a pipeline in YAML"
    try:
        document = YamlText.parse(text)
    except YamlFault as fault:
        raise PipelineError(headline, [Problem(str(fault), line=fault.line)]) from fault
    if not isinstance(document.data, dict):
        raise PipelineError(headline, [Problem("no keys found; expected `name:` and `steps:`")])
    try:
        content = PipelineKeys.model_validate(document.data)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        problems = [_problem(fault, document) for fault in faults[:_MOST_PROBLEMS]]
        if len(faults) > _MOST_PROBLEMS:
            problems.append(Problem(f"and {len(faults) - _MOST_PROBLEMS} more"))
        raise PipelineError(headline, problems) from error
    steps = tuple(step.to_step() for step in content.steps)
    return Pipeline(content.name, steps, content.description, content.planes)


def dump_pipeline(pipeline: Pipeline) -> str:
    """Write a pipeline as YAML that `parse_pipeline` reads back as an equal one; defaults are left out.

    Raises:
        PipelineError: a step has a mapping for a pattern and no component to group by.
    """
    content: dict[str, Any] = {"name": pipeline.name}
    if pipeline.description:
        content["description"] = pipeline.description
    content["planes"] = pipeline.planes.value
    content["steps"] = [_plain_step(step) for step in pipeline.steps]
    return _to_yaml(content)


def dump_step(step: Step) -> str:
    """Write one step as `dump_pipeline` does, as a list of one; raises `PipelineError`."""
    return _to_yaml([_plain_step(step)])


def save_pipeline(pipeline: Pipeline, path: Path, text: str | None = None) -> None:
    """Write a pipeline file whole or not at all.

    Args:
        text: the pipeline as YAML, where it is not to be as `dump_pipeline` writes it.

    Raises:
        StoreError: the file cannot be written; what was there before is still there.
        PipelineError: as `dump_pipeline`.
    """
    if text is None:
        text = dump_pipeline(pipeline)
    try:
        write_text(path, text)
    except OSError as error:
        raise StoreError(
            f"pipeline file: {path} ({error.strerror or error}); expected a folder that can be written. "
            "Choose another place."
        ) from error


def shipped_pipelines() -> Mapping[str, Path]:
    """The pipelines that come with the program, by name."""
    return {file.stem: file for file in sorted(_SHIPPED.glob("*.yaml"))}


def pipeline_schema() -> dict[str, Any]:
    """The JSON Schema of a pipeline file, for editors that check while one types."""
    return PipelineKeys.model_json_schema()


def _to_yaml(content: object) -> str:
    # Flow style None: what holds no further list or mapping stands on one line, `[z]` and `{sigma_px: 2}`.
    text: str = yaml.dump(
        content, Dumper=_ReadableDumper, sort_keys=False, default_flow_style=None, allow_unicode=True, width=110
    )
    return text


class _ReadableDumper(yaml.SafeDumper):
    """Lists are indented under their key and paragraphs keep their lines, as people write them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_text(self, text: str) -> yaml.Node:
        style = None
        if not text.replace("\n", "").isprintable():
            style = '"'  # in any other style, an odd line separator would come back as a space
        elif "\n" in text:
            style = "|"
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_ReadableDumper.add_representer(str, _ReadableDumper.represent_text)


def _plain_step(step: Step) -> dict[str, Any]:
    content: dict[str, Any] = {"name": step.name}
    if not isinstance(step.pattern, Mapping):
        content["functions"] = plain_chain(step.pattern)
        if step.group_by != usual_group_by(step.variable_components):
            content["group_by"] = step.group_by and step.group_by.value
    elif step.group_by is None:
        raise PipelineError(
            f"step {step.name}: no group_by; expected one, since its functions differ from group to group"
        )
    else:
        content[BY_KEYS[step.group_by]] = plain_pattern(step.pattern)
    content["variable_components"] = [component.value for component in step.variable_components]
    if step.output is not None:
        content["output"] = step.output
    if not step.enabled:
        content["enabled"] = False
    return content


def _problem(fault: ErrorDetails, document: YamlText) -> Problem:
    """One fault that pydantic found, in our words and with its place."""
    path = fault["loc"]
    in_step = path[:1] == ("steps",) and len(path) > 1
    key = ".".join(str(part) for part in (path[2:] if in_step else path))
    if fault["type"] == "extra_forbidden":
        known = list((StepKeys if in_step else PipelineKeys).model_fields)
        message = f"unknown key {key}; expected one of {', '.join(known)}.{did_you_mean(key, known)}"
    elif fault["type"] == "missing":
        message = f"no key {key}; expected one"
    elif fault["type"] == "value_error":
        message = str(fault["ctx"]["error"])
    else:
        expected = _EXPECTED.get(fault["type"], fault["msg"].removeprefix("Input should be "))
        message = f"{key or 'step'}: {show_value(fault['input'])}; expected {expected}"
    return Problem(message, step=_step_name(path, document), line=document.line_of(path))


def _step_name(path: tuple[int | str, ...], document: YamlText) -> str | None:
    match path:
        case ("steps", int() as index, *_):
            data: Any = document.data
            step = data["steps"][index]
            name = step.get("name") if isinstance(step, dict) else None
            return name if isinstance(name, str) else str(index + 1)
    return None
