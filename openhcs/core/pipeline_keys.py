"""The keys of a pipeline file, as pydantic models: what may stand where, in our words and as a JSON Schema.

Imported by `pipeline_file` alone, which reads, writes and explains.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, TypeAdapter, WithJsonSchema, model_validator

from openhcs.core.model import Component, FunctionCall, Pattern, PlaneSource, Step
from openhcs.core.pattern import PlainChain, normalise_chain, normalise_groups

__all__ = ["BY_KEYS", "PipelineKeys", "StepKeys", "usual_group_by"]

_Chain = Annotated[
    tuple[FunctionCall, ...],
    PlainValidator(normalise_chain),
    WithJsonSchema(TypeAdapter(PlainChain).json_schema()),
]
_Groups = Annotated[
    Mapping[str, tuple[FunctionCall, ...]],
    PlainValidator(normalise_groups),
    WithJsonSchema(TypeAdapter(dict[str, PlainChain]).json_schema()),
]
_Name = Annotated[str, Field(min_length=1, max_length=200)]

BY_KEYS = {component: f"by_{component.value}" for component in Component}
"""The key that holds a mapping pattern, by the component its groups are values of."""


class StepKeys(BaseModel):
    """One step of a pipeline file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: _Name = Field(description="what the step is called in lists and messages")
    functions: _Chain | None = Field(default=None, description="a function, or a list of functions in order")
    by_channel: _Groups | None = Field(default=None, description="functions for each channel, by number or name")
    by_site: _Groups | None = Field(default=None, description="functions for each site, by number")
    by_z: _Groups | None = Field(default=None, description="functions for each z, by number")
    by_t: _Groups | None = Field(default=None, description="functions for each t, by number")
    variable_components: tuple[Component, ...] = Field(
        default=(Component.SITE,), description="planes that differ only in these form the stack that a function gets"
    )
    group_by: Component | None = Field(
        default=None, description="for `functions` only, and rarely needed; by_channel and its like imply it"
    )
    output: _Name | None = Field(default=None, description="name of the label image or the table that the step writes")
    enabled: bool = Field(default=True, strict=True, description="false leaves the step out")

    @model_validator(mode="after")
    def _check_one_pattern(self) -> Self:
        given = [key for key in ("functions", *BY_KEYS.values()) if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(
                f"{' and '.join(given) or 'no functions'}; expected one of functions, {', '.join(BY_KEYS.values())}"
            )
        if "group_by" in self.model_fields_set and given != ["functions"]:
            raise ValueError(f"group_by and {given[0]}; expected {given[0]} alone, which implies the former")
        if len(set(self.variable_components)) < len(self.variable_components):
            raise ValueError("variable_components: a component occurs twice; expected each once")
        return self

    def to_step(self) -> Step:
        pattern: Pattern | None = self.functions
        group_by = self.group_by if "group_by" in self.model_fields_set else usual_group_by(self.variable_components)
        for component, key in BY_KEYS.items():
            groups: Mapping[str, tuple[FunctionCall, ...]] | None = getattr(self, key)
            if groups is not None:
                pattern, group_by = groups, component
        assert pattern is not None, "_check_one_pattern has seen to it"
        return Step(self.name, pattern, self.variable_components, group_by, self.output, self.enabled)


class PipelineKeys(BaseModel):
    """A pipeline of OpenHCS."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="OpenHCS pipeline")

    name: _Name = Field(description="what the pipeline is called")
    description: str = Field(default="", description="what it is for")
    planes: PlaneSource = Field(
        default=PlaneSource.STACK, description="start from the z planes, or from projections the microscope stored"
    )
    steps: tuple[StepKeys, ...] = Field(description="what to do, in order")


def usual_group_by(variable_components: tuple[Component, ...]) -> Component | None:
    """What `group_by` is where a chain of functions does not say: it matters to a mapping only, and may not vary."""
    return None if Component.CHANNEL in variable_components else Component.CHANNEL
