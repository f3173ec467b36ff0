"""What an expression may be, as far as it can be told without running it. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass

from openhcs.verify.model import Class, Function, Module

__all__ = ["Cls", "Container", "Coro", "Func", "Inst", "Mod", "Partial", "Ref", "Value", "Values"]


@dataclass(frozen=True, slots=True)
class Ref:
    """Something that is not part of what is checked, by its dotted name: a module, class, function or bound method."""

    name: str


@dataclass(frozen=True, slots=True)
class Func:
    """A function; `bound` when it is a method that already has its first argument."""

    function: Function
    bound: bool = False


@dataclass(frozen=True, slots=True)
class Cls:
    """A class."""

    cls: Class


@dataclass(frozen=True, slots=True)
class Mod:
    """A module."""

    module: Module


@dataclass(frozen=True, slots=True)
class Inst:
    """An instance of a class, or of an outside class by its dotted name; `of`: what a task runs."""

    type: Class | str
    of: Values = ()


@dataclass(frozen=True, slots=True)
class Container:
    """A collection: iterating it yields `items`; a mapping looks up `values`."""

    items: Values
    values: Values | None = None


@dataclass(frozen=True, slots=True)
class Coro:
    """A coroutine object that nobody has awaited or scheduled yet; of which function, where known."""

    function: Function | None


@dataclass(frozen=True, slots=True)
class Partial:
    """A `functools.partial` of what it calls."""

    of: Values


Value = Ref | Func | Cls | Mod | Inst | Container | Coro | Partial
Values = tuple[Value, ...]
