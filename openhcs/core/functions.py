"""The catalogue: what a pipeline may call, read from the annotations and docstrings of plain functions.

`describe` turns one function into a `Function`: its parameters with kind, default, bounds and help, and what it
returns. The compiler checks against it, the step editor draws itself from it, the worker calls through it.

A name in a pipeline file reaches code only through `catalogue`: the modules of `openhcs.processing`, and the modules
that the user named in the settings. A pipeline file cannot name a module.

Deliberately absent: how functions are grouped into steps (`pattern`), checking a pipeline (`compiler`).
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import logging
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final, Literal, TypeAlias

import docstring_parser

from openhcs import processing
from openhcs.core.parameters import REQUIRED, Parameter, ParameterKind
from openhcs.core.wording import did_you_mean
from openhcs.errors import PipelineError
from openhcs.processing.declarations import UNDECLARED, Combines, Increasing, WorkingMemory
from openhcs.processing.types import Bounds, FromPlate, Role

__all__ = [
    "SAMPLE_BY_SITE",
    "SAMPLE_PLANES",
    "Function",
    "PlateEstimate",
    "catalogue",
    "describe",
    "find_function",
]


SAMPLE_PLANES: Final = Parameter(
    "sample_planes",
    ParameterKind.INT,
    64,
    Bounds(1, 1000),
    help="how many planes of a channel, spread over the wells, sites, z and t of the plate, the estimate is made from; "
    "all of them where the plate has fewer.",
)
SAMPLE_BY_SITE: Final = Parameter(
    "sample_by_site",
    ParameterKind.BOOL,
    False,
    help="make an estimate for each site, from planes of that site in all wells: where the wells' walls or the "
    "meniscus shade the sites differently. The number of planes is then that of each site.",
)


@dataclass(frozen=True, slots=True)
class PlateEstimate:
    """What a function wants to know of the whole plate: its argument of that name is what `callable` makes of a sample.

    `parameters` are the names of those that go to `callable`, some of which the function itself may take as well.
    `not_own` are the names of the function's parameters that are not arguments of the function itself.
    """

    argument: str
    callable: Callable[..., Any]
    parameters: frozenset[str]
    not_own: frozenset[str]


@dataclass(frozen=True, slots=True)
class Function:
    """A processing function and what its signature says.

    `category` is the module's short name, such as `segmentation`. A function that takes the pixel size takes it as
    `pixel_size_um`; `needs_pixel_size` says that it cannot do without. One that takes stage positions takes them as
    `positions`. `resizes` says that the image it returns has a size of its own: a mosaic. `combines` says whether its
    result is one plane for the whole stack; None where that is seen only when it is called. `estimate` is what it takes
    from the whole plate, whose parameters are among the function's.
    """

    name: str
    module: str
    callable: Callable[..., Any]
    summary: str
    help: str
    category: str
    parameters: tuple[Parameter, ...]
    returns: Role
    takes_pixel_size: bool = False
    needs_pixel_size: bool = False
    takes_positions: bool = False
    resizes: bool = False
    combines: bool | None = None
    working_memory: WorkingMemory = UNDECLARED
    increasing: tuple[Increasing, ...] = ()
    estimate: PlateEstimate | None = None

    @property
    def writes_output(self) -> bool:
        """Whether the result is kept under the step's `output`, rather than being the image from then on."""
        return self.returns is not Role.IMAGE

    @property
    def default_output(self) -> str:
        """The name of the result where the step gives none."""
        return self.name

    def parameter(self, name: str) -> Parameter | None:
        """The parameter of that name, or None."""
        return next((parameter for parameter in self.parameters if parameter.name == name), None)


def describe(function: Callable[..., Any]) -> Function:
    """Read the signature and the docstring of a processing function.

    Raises:
        TypeError: the signature does not follow `openhcs.processing.types`; the message names what is missing.
    """
    name = f"{function.__module__}.{function.__name__}"
    hints = typing.get_type_hints(function, include_extras=True)
    arguments = list(inspect.signature(function).parameters.values())
    missing = [argument.name for argument in arguments if argument.name not in hints]
    if missing:
        raise TypeError(f"{name}: no annotation of {', '.join(missing)}; expected one for every parameter")
    if not arguments or _role(hints[arguments[0].name]) is not Role.IMAGE:
        raise TypeError(f"{name}: no image as first parameter; expected `image: Image`")
    returns = _role(hints.get("return"))
    if returns not in (Role.IMAGE, Role.MOSAIC, Role.LABELS, Role.TABLE):
        raise TypeError(f"{name}: no such result; expected `-> Image`, `-> Mosaic`, `-> Labels` or `-> Table`")

    text = inspect.getdoc(function) or ""
    docstring = docstring_parser.parse(text)
    helps = _helps(docstring)
    parameters = []
    estimators: dict[str, Callable[..., Any]] = {}
    pixel_size = None
    takes_positions = False
    for argument in arguments[1:]:
        if (from_plate := _extra(hints[argument.name], FromPlate)) is not None:
            estimators[argument.name] = from_plate.estimate
        elif _role(hints[argument.name]) is Role.PIXEL_SIZE_UM:
            if argument.name != "pixel_size_um":
                raise TypeError(f"{name}: pixel size as {argument.name}; expected the name pixel_size_um")
            pixel_size = argument
        elif _role(hints[argument.name]) is Role.STAGE_POSITIONS:
            if argument.name != "positions":
                raise TypeError(f"{name}: stage positions as {argument.name}; expected the name positions")
            takes_positions = True
        else:
            parameters.append(_parameter(name, argument, hints[argument.name], helps.get(argument.name, "")))
    estimate = None
    if len(estimators) > 1:
        raise TypeError(f"{name}: {' and '.join(estimators)} from the plate; expected one such parameter")
    for at, estimator in estimators.items():
        estimate, more = _estimate(name, at, estimator, parameters)
        parameters += more
    return Function(
        name=function.__name__,
        module=function.__module__,
        callable=function,
        summary=" ".join((docstring.short_description or "").split()),
        help=text,
        category=function.__module__.rpartition(".")[2],
        parameters=tuple(parameters),
        returns=Role.IMAGE if returns is Role.MOSAIC else returns,
        takes_pixel_size=pixel_size is not None,
        needs_pixel_size=pixel_size is not None and pixel_size.default is inspect.Parameter.empty,
        takes_positions=takes_positions,
        resizes=returns is Role.MOSAIC,
        combines=_combines(function, hints["return"], returns),
        working_memory=_extra(hints["return"], WorkingMemory) or UNDECLARED,
        increasing=tuple(_extras(hints["return"], Increasing)),
        estimate=estimate,
    )


@cache
def catalogue(modules: tuple[str, ...] = ()) -> Mapping[str, Function]:
    """Every function a pipeline may call, by name, in the order of their modules.

    Args:
        modules: dotted names of further modules that the user named. A module offers what its `__all__` lists; without
            one, every public function defined in it whose first parameter is an `Image`.

    Raises:
        PipelineError: a module cannot be imported, or a function in it cannot be used.
    """
    found: dict[str, Function] = {}
    for module in (*processing.MODULES, *modules):
        for function in _functions_of(module):
            known = found.setdefault(function.name, function)
            if known.module != function.module:
                raise PipelineError(
                    f"function {function.name}: in {known.module} and in {function.module}; "
                    "expected one of that name. Rename yours."
                )
    return types.MappingProxyType(found)


def find_function(name: str, modules: Sequence[str] = ()) -> Function:
    """The catalogue's function of that name.

    Raises:
        PipelineError: there is none; the message names close matches.
    """
    functions = catalogue(tuple(modules))
    if name not in functions:
        raise PipelineError(
            f"function: {name!r}; expected a function of the catalogue.{did_you_mean(name, functions)} "
            "One of your own must be in a module that the settings name (function_modules)."
        )
    return functions[name]


_Hint: TypeAlias = Any
"""A type as `typing.get_type_hints` gives it; the standard library has no type for it."""

_KINDS = {
    bool: ParameterKind.BOOL,
    int: ParameterKind.INT,
    float: ParameterKind.FLOAT,
    str: ParameterKind.TEXT,
}


_Extra = typing.TypeVar("_Extra")

_log = logging.getLogger(__name__)


def _functions_of(module_name: str) -> list[Function]:
    printed = io.StringIO()
    try:
        # What it prints must come neither between the lines of `--json` nor on the workbench's screen.
        with contextlib.redirect_stdout(printed):
            module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # a user's module may raise anything while it is imported
        raise PipelineError(
            f"module of functions: {module_name} ({type(error).__name__}: {error}); expected a module that can be "
            "imported. Check its name and PYTHONPATH."
        ) from error
    if printed.getvalue():
        _log.info("%s printed while it was imported: %s", module_name, printed.getvalue())
    listed = vars(module).get("__all__")
    members = [getattr(module, name) for name in (listed or vars(module)) if not name.startswith("_")]
    functions = [member for member in members if inspect.isfunction(member)]
    try:
        if listed is None:
            functions = [member for member in functions if member.__module__ == module_name and _takes_image(member)]
        return [describe(function) for function in functions]
    except (TypeError, NameError) as error:  # NameError: an annotation names what the module does not know
        raise PipelineError(f"module of functions: {module_name}; {error}.") from error


def _takes_image(function: Callable[..., Any]) -> bool:
    first = next(iter(inspect.signature(function).parameters), None)
    return first is not None and _role(typing.get_type_hints(function, include_extras=True).get(first)) is Role.IMAGE


def _helps(docstring: docstring_parser.Docstring) -> Mapping[str, str]:
    return {entry.arg_name: " ".join((entry.description or "").split()) for entry in docstring.params}


def _estimate(
    owner: str, argument: str, estimator: Callable[..., Any], own: Sequence[Parameter]
) -> tuple[PlateEstimate, list[Parameter]]:
    """What `argument` of `owner` is filled with, and the parameters that come with it, beside the function's `own`."""
    name = f"{owner}: {argument}, estimated by {estimator.__name__}"
    hints = typing.get_type_hints(estimator, include_extras=True)
    first, *rest = inspect.signature(estimator).parameters.values()
    if _role(hints.get(first.name)) is not Role.PLATE_SAMPLE:
        raise TypeError(f"{name}: no planes as first parameter; expected `sample: PlateSample`")
    helps = _helps(docstring_parser.parse(inspect.getdoc(estimator) or ""))
    known = {parameter.name: parameter for parameter in own}
    more = []
    for one in rest:
        parameter = _parameter(name, one, hints.get(one.name), helps.get(one.name, ""))
        if parameter.kind in (ParameterKind.LABELS, ParameterKind.TABLE):
            raise TypeError(
                f"{name}: parameter {one.name} of an earlier step; expected none, since steps are of a well"
            )
        if one.name not in known:
            more.append(parameter)
        elif replace(known[one.name], help=parameter.help) != parameter:
            raise TypeError(f"{name}: parameter {one.name} differs from the function's own; expected the same")
    if taken := {SAMPLE_PLANES.name, SAMPLE_BY_SITE.name} & {*known, *(parameter.name for parameter in more)}:
        raise TypeError(f"{name}: parameter {min(taken)}; expected another name, since the engine adds this one")
    more += [SAMPLE_PLANES, SAMPLE_BY_SITE]
    return (
        PlateEstimate(
            argument,
            estimator,
            frozenset(one.name for one in rest),
            frozenset(parameter.name for parameter in more),
        ),
        more,
    )


def _parameter(owner: str, argument: inspect.Parameter, hint: _Hint, help_text: str) -> Parameter:
    kind, bounds, choices, optional = _read(hint)
    if kind is None:
        raise TypeError(
            f"{owner}: parameter {argument.name} of type {hint}; expected bool, int, float, str, a Literal of texts, "
            "Labels, Table, StagePositions, PixelSizeUm or FromPlate"
        )
    if argument.kind is not argument.KEYWORD_ONLY and kind is not ParameterKind.LABELS:
        raise TypeError(f"{owner}: parameter {argument.name} by position; expected keyword-only, after a `*`")
    parameter = Parameter(argument.name, kind, REQUIRED, bounds, choices, optional, help_text)
    if argument.default is argument.empty:
        return parameter
    try:
        return replace(parameter, default=parameter.check(argument.default))
    except ValueError as error:
        raise TypeError(f"{owner}: default of {error}") from error


def _read(hint: _Hint) -> tuple[ParameterKind | None, Bounds | None, tuple[str, ...], bool]:
    """Kind, bounds, choices and whether None is allowed; no kind where a pipeline file cannot hold such a value."""
    if _role(hint) is Role.LABELS:
        return ParameterKind.LABELS, None, (), False
    if _role(hint) is Role.TABLE:
        return ParameterKind.TABLE, None, (), False
    origin: object = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if origin is typing.Annotated:
        kind, bounds, choices, optional = _read(arguments[0])
        bounds = next((extra for extra in arguments[1:] if isinstance(extra, Bounds)), bounds)
        return kind, bounds, choices, optional
    if origin in (typing.Union, types.UnionType):
        rest = [argument for argument in arguments if argument is not type(None)]
        if len(rest) != 1:
            return None, None, (), False
        kind, bounds, choices, _ = _read(rest[0])
        return kind, bounds, choices, True
    if origin is Literal:
        texts = tuple(choice for choice in arguments if isinstance(choice, str))
        return (ParameterKind.CHOICE if len(texts) == len(arguments) else None), None, texts, False
    return _KINDS.get(hint), None, (), False


def _combines(function: Callable[..., Any], hint: _Hint, returns: Role) -> bool | None:
    if returns is Role.MOSAIC or _extra(hint, Combines) is not None:
        return True
    # What a user's function declares as an image may be either; those of the catalogue are tested to keep the planes.
    return False if returns is Role.TABLE or function.__module__ in processing.MODULES else None


def _role(hint: _Hint) -> Role | None:
    return _extra(hint, Role)


def _extra(hint: _Hint, kind: type[_Extra]) -> _Extra | None:
    """What stands beside the type in `Annotated`, of this kind."""
    return next(_extras(hint, kind), None)


def _extras(hint: _Hint, kind: type[_Extra]) -> Iterator[_Extra]:
    origin: object = typing.get_origin(hint)
    if origin is typing.Annotated:
        yield from (extra for extra in typing.get_args(hint) if isinstance(extra, kind))
