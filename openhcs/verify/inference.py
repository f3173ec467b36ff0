"""From names to what they stand for: imports, aliases, re-exports, `self`, containers, return values, callers.

Answers are what an expression may be, without regard to order; the empty answer means that it cannot be told.
Standard library only.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from openhcs.verify import library
from openhcs.verify.annotations import annotated
from openhcs.verify.decorators import Decorated, Decorators
from openhcs.verify.library import canonical
from openhcs.verify.model import Binding, Class, Function, How, Module
from openhcs.verify.questions import Questions
from openhcs.verify.values import Cls, Container, Coro, Func, Inst, Mod, Partial, Ref, Value, Values

__all__ = ["Inference"]

_FARTHEST = 3
"""From how many callers up a value may come."""
_CALLERS = 12
"""How many callers of a function are asked what they pass."""

_BUILTINS = frozenset(dir(builtins))

_FRAMEWORKS = frozenset({"asyncio", "prompt_toolkit", "contextlib", "functools", "typing", "concurrent", "threading"})
"""What is looked up in the tables even where its own source is checked."""

_COPIES = frozenset({"list", "set", "tuple", "frozenset", "sorted", "reversed", "iter"})
_SAME = frozenset({"copy", "union", "difference", "intersection", "symmetric_difference"})
_ONE = frozenset({"pop", "popleft", "get_nowait", "get", "setdefault"})


class Inference:
    """Answers questions about the expressions of some modules."""

    def __init__(self, modules: Mapping[str, Module]) -> None:
        self._modules = modules
        self.decorators = Decorators(self.of)
        self._questions = Questions()
        self._hops = 0
        self._known: dict[tuple[ast.AST, Function], Values] = {}
        self._returned: dict[Function, Values] = {}
        self._names: dict[tuple[Function | Module, str], Values] = {}
        self._arguments: Mapping[tuple[Function, int], list[tuple[ast.expr, Function]]] = {}

    def use_arguments(self, arguments: Mapping[tuple[Function, int], list[tuple[ast.expr, Function]]]) -> None:
        """From now on a parameter may also be whatever its callers pass."""
        self._arguments = arguments
        # What was found stays found; only what could not be told is asked again.
        self._known = {key: values for key, values in self._known.items() if values}
        self._returned = {key: values for key, values in self._returned.items() if values}
        self._names = {key: values for key, values in self._names.items() if values}

    def arguments_of(self, function: Function, index: int) -> list[tuple[ast.expr, Function]]:
        """What callers pass for a parameter, each with the caller."""
        return self._arguments.get((function, index), [])

    def all_arguments(self) -> Iterable[tuple[tuple[Function, int], list[tuple[ast.expr, Function]]]]:
        """Every parameter that anybody passes something for, with what is passed."""
        return self._arguments.items()

    # -- expressions ---------------------------------------------------------------------------------------------

    def of(self, node: ast.expr | None, function: Function) -> Values:
        """What `node` may be, read inside `function`."""
        if node is None:
            return ()
        kind = node.__class__
        if kind is ast.Name:
            return self.name(node.id, function)  # type: ignore[attr-defined]
        ask = _ASK.get(kind)
        if ask is None:
            return ()
        return self._questions.ask(self._known, (node, function), lambda: ask(self, node, function))

    def name(self, name: str, function: Function) -> Values:
        """What a name may stand for, read inside `function`."""
        scope: Function | None = function
        while scope is not None:
            if name in scope.bindings and name not in scope.outer_names:
                return self._bound(scope, name)
            scope = scope.parent
        module = function.module
        for source in module.star_imports:
            if (target := self.module_named(source, module)) is not None:
                if found := self.exported(target, name):
                    return found
            elif source.partition(".")[0] in _FRAMEWORKS and name not in _BUILTINS:
                return (Ref(canonical(f"{source}.{name}")),)
        return (Ref(f"builtins.{name}"),) if name in _BUILTINS else ()

    def _bound(self, scope: Function, name: str) -> Values:
        return self._questions.ask(self._names, (scope, name), lambda: self.values_of(scope.bindings[name]))

    def values_of(self, bindings: Iterable[Binding]) -> Values:
        """What a name with these bindings may be."""
        return tuple(dict.fromkeys(value for binding in bindings for value in self._value_of(binding)))

    def _value_of(self, binding: Binding) -> Values:
        value, scope = binding.value, binding.scope
        match binding.how:
            case How.VALUE:
                return self.of(value, scope)
            case How.IMPORT:
                assert isinstance(binding.target, str)
                return self.imported(binding.target, scope.module)
            case How.DEFINITION:
                if isinstance(binding.target, Class):
                    return (Cls(binding.target),)
                assert isinstance(binding.target, Function)
                return (Func(binding.target),)
            case How.ITEM:
                return self.items(self.of(value, scope))
            case How.ELEMENT:
                found = self.of(value, scope)
                return (Container(found, found),) if found else ()
            case How.ENTERED:
                return self._entered(self.of(value, scope))
            case How.ANNOTATED:
                return annotated(value, scope, self.of)
            case How.UNPACKED:
                return self._unpacked(value, binding.index, scope)
            case How.PARAMETER:
                return self._parameter(binding)

    def _parameter(self, binding: Binding) -> Values:
        function = binding.target
        assert isinstance(function, Function)
        if binding.index == 0 and function.owner is not None and not self._is_static(function):
            return (Cls(function.owner),) if self._is_classmethod(function) else (Inst(function.owner),)
        values: dict[Value, None] = dict.fromkeys(self.of(binding.value, binding.scope))
        values.update(dict.fromkeys(self._mapped(function, binding.index)))
        if self._hops < _FARTHEST:
            self._hops += 1
            for node, caller in self._arguments.get((function, binding.index), ())[:_CALLERS]:
                values.update(dict.fromkeys(self.of(node, caller)))
            self._hops -= 1
        if binding.index == 0 and not values and self._is_key_handler(function):
            return (Inst("prompt_toolkit.KeyPressEvent"),)
        return tuple(values)

    def _mapped(self, function: Function, index: int) -> Values:
        """What a lambda gets from `map` or `filter`."""
        outer = function.parent
        if not function.is_lambda or outer is None:
            return ()
        call = function.module.parents.get(function.node)
        if (
            not isinstance(call, ast.Call)
            or not isinstance(call.func, ast.Name)
            or call.func.id not in ("map", "filter")
        ):
            return ()
        if call.args[0] is not function.node or len(call.args) <= index + 1:
            return ()
        return self.items(self.of(call.args[index + 1], outer))

    def _is_key_handler(self, function: Function) -> bool:
        outer = function.parent
        if outer is None or not function.module.imports("prompt_toolkit"):
            return False
        return any(
            isinstance(node, ast.Call) and Ref("prompt_toolkit.KeyBindings.add") in self.of(node.func, outer)
            for node in function.decorators
        )

    @staticmethod
    def _is_static(function: Function) -> bool:
        return any(isinstance(node, ast.Name) and node.id == "staticmethod" for node in function.decorators)

    @staticmethod
    def _is_classmethod(function: Function) -> bool:
        return any(isinstance(node, ast.Name) and node.id == "classmethod" for node in function.decorators)

    def _attribute(self, node: ast.Attribute, function: Function) -> Iterator[Value]:
        for base in self.of(node.value, function):
            yield from self.member(base, node.attr)

    def _call(self, node: ast.Call, function: Function) -> Iterator[Value]:
        if isinstance(node.func, ast.Attribute):
            yield from self._collection_method(node, node.func, function)
        if isinstance(node.func, ast.Name) and node.func.id == "super" and function.method_of is not None:
            for base in self.bases(function.method_of):
                yield Inst(base.cls if isinstance(base, Cls) else base.name)
            return
        for target in self.of(node.func, function):
            yield from self.result(target, node, function)

    def _collection_method(self, node: ast.Call, called: ast.Attribute, function: Function) -> Iterator[Value]:
        for base in self.of(called.value, function):
            if not isinstance(base, Container):
                continue
            if called.attr == "values" and base.values is not None:
                yield Container(base.values)
            elif called.attr in _SAME:
                yield base
            elif called.attr in _ONE:
                yield from base.items if base.values is None else base.values
            elif called.attr == "items":
                yield Container((Container(base.values or ()),))

    def result(self, target: Value, node: ast.Call, function: Function) -> Values:
        """What calling `target` in `node` returns."""
        match target:
            case Func(called):
                return self._called(called)
            case Cls(cls):
                return (Inst(cls),)
            case Partial(of):
                return tuple(value for inner in of for value in self.result(inner, node, function))
            case Ref(name):
                return self._outside(name, node, function)
            case Inst(type=Class()):
                return tuple(
                    value
                    for member in self.member(target, "__call__")
                    if isinstance(member, Func)
                    for value in self._called(member.function)
                )
        return ()

    def _outside(self, name: str, node: ast.Call, function: Function) -> Values:
        first = node.args[0] if node.args else None
        if name.startswith("builtins."):
            name = name[9:]
            if name in _COPIES and first is not None:
                if isinstance(first, ast.Starred):
                    return ()
                items = self.items(self.of(first, function))
                return (Container(items),) if items else ()
            if name == "filter" and len(node.args) == 2:
                return self.of(node.args[1], function)
            if name == "next" and first is not None:
                return self.items(self.of(first, function))
            if name == "getattr" and len(node.args) >= 2:
                attribute = node.args[1]
                if isinstance(attribute, ast.Constant) and isinstance(attribute.value, str):
                    return tuple(
                        value for base in self.of(first, function) for value in self.member(base, attribute.value)
                    )
            return ()
        if name in ("functools.partial", "functools.partialmethod"):
            of = self.of(first, function)
            return (Partial(of),) if of else ()
        if name in ("typing.cast", "typing_extensions.cast"):
            return annotated(first, function, self.of)
        if name in ("contextvars.copy_context",):
            return ()
        made = library.RETURNS.get(name)
        if made is not None:
            of = self.of(first, function) if name in library.SCHEDULERS else ()
            if made == library.TASK and name == "asyncio.ensure_future":
                if of and all(isinstance(value, Inst) and value.type == library.FUTURE for value in of):
                    return of
            return (Inst(made, tuple(value for value in of if isinstance(value, Coro))),)
        if name in library.CONTAINER_RETURNS:
            return (Container((Inst(library.CONTAINER_RETURNS[name]),)),)
        last = name.rpartition(".")[2].lstrip("_")
        return (Inst(name),) if last[:1].isupper() and not last.isupper() else ()

    def _called(self, called: Function) -> Values:
        if called.yields:
            return ()
        if self.decorators.of(called) is not Decorated.PLAIN:
            return ()
        return (Coro(called),) if called.is_async else self.returned(called)

    def returned(self, function: Function) -> Values:
        """What a function returns, or what awaiting its coroutine gives."""
        return self._questions.ask(self._returned, function, lambda: self._find_returned(function))

    def _find_returned(self, function: Function) -> Values:
        if isinstance(function.node, ast.Lambda):
            values = self.of(function.node.body, function)
        elif isinstance(function.node, ast.Module):
            values = ()
        else:
            values = annotated(function.node.returns, function.parent or function, self.of) or tuple(
                value for node in function.of(ast.Return) for value in self.of(node.value, function)
            )
        if function.name == "__new__" or function.name == "__enter__":
            values = values or ((Inst(function.owner),) if function.owner else ())
        return values

    def _awaited(self, node: ast.Await, function: Function) -> Iterator[Value]:
        for value in self.of(node.value, function):
            match value:
                case Coro(Function() as called):
                    yield from self.returned(called)
                case Inst(type=library.TASK | library.OWNED_TASK, of=of):
                    for coroutine in of:
                        if isinstance(coroutine, Coro) and coroutine.function is not None:
                            yield from self.returned(coroutine.function)
        if isinstance(node.value, ast.Call) and Ref("asyncio.wait_for") in self.of(node.value.func, function):
            if node.value.args:
                yield from self._awaited(ast.Await(node.value.args[0]), function)

    def _display(self, node: ast.List | ast.Set | ast.Tuple, function: Function) -> Iterator[Value]:
        items: dict[Value, None] = {}
        for item in node.elts[:20]:
            if isinstance(item, ast.Starred):
                items.update(dict.fromkeys(self.items(self.of(item.value, function))))
            else:
                items.update(dict.fromkeys(self.of(item, function)))
        if items:
            yield Container(tuple(items))

    def _dict(self, node: ast.Dict, function: Function) -> Iterator[Value]:
        keys = tuple(dict.fromkeys(value for key in node.keys[:20] for value in self.of(key, function)))
        values = tuple(dict.fromkeys(value for item in node.values[:20] for value in self.of(item, function)))
        if keys or values:
            yield Container(keys, values)

    def _comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp, function: Function
    ) -> Iterator[Value]:
        if items := self.of(node.elt, function):
            yield Container(items)

    def _dict_comprehension(self, node: ast.DictComp, function: Function) -> Iterator[Value]:
        keys, values = self.of(node.key, function), self.of(node.value, function)
        if keys or values:
            yield Container(keys, values)

    def _subscript(self, node: ast.Subscript, function: Function) -> Iterator[Value]:
        for base in self.of(node.value, function):
            if isinstance(base, Container):
                if isinstance(node.slice, ast.Slice):
                    yield base
                else:
                    yield from base.items if base.values is None else base.values
            elif isinstance(base, Cls | Ref):
                yield base  # a generic class with its arguments

    def _either(self, node: ast.IfExp, function: Function) -> Iterator[Value]:
        yield from self.of(node.body, function)
        yield from self.of(node.orelse, function)

    def _first_true(self, node: ast.BoolOp, function: Function) -> Iterator[Value]:
        for value in node.values if isinstance(node.op, ast.Or) else node.values[-1:]:
            yield from self.of(value, function)

    def _walrus(self, node: ast.NamedExpr, function: Function) -> Values:
        return self.of(node.value, function)

    def _binary(self, node: ast.BinOp, function: Function) -> Iterator[Value]:
        for side in (node.left, node.right):
            yield from (value for value in self.of(side, function) if isinstance(value, Container))

    def _lambda(self, node: ast.Lambda, function: Function) -> Iterator[Value]:
        inner = function.module.by_node.get(node)
        if inner is not None:
            yield Func(inner)

    # -- parts ---------------------------------------------------------------------------------------------------

    @staticmethod
    def items(values: Values) -> Values:
        """What iterating yields."""
        return tuple(item for value in values if isinstance(value, Container) for item in value.items)

    def _unpacked(self, value: ast.expr | None, index: int, scope: Function) -> Values:
        if value is None:
            return ()
        if isinstance(value, ast.Await) and isinstance(value.value, ast.Call):
            called = self.of(value.value.func, scope)
            if Ref("asyncio.wait") in called and index in (0, 1):
                given = self.items(self.of(value.value.args[0], scope)) if value.value.args else ()
                tasks = tuple(item for item in given if isinstance(item, Inst))
                return (Container(tasks or (Inst(library.TASK),)),)
        if index < 0 and isinstance(value, ast.Call):
            position = ~index
            if isinstance(value.func, ast.Name) and value.args:
                if value.func.id == "enumerate" and position == 1:
                    return self.items(self.of(value.args[0], scope))
                if value.func.id == "zip" and position < len(value.args):
                    return self.items(self.of(value.args[position], scope))
            if isinstance(value.func, ast.Attribute) and value.func.attr == "items":
                mappings = [base for base in self.of(value.func.value, scope) if isinstance(base, Container)]
                if position == 0:
                    return tuple(item for mapping in mappings for item in mapping.items)
                return tuple(item for mapping in mappings for item in mapping.values or ())
            if isinstance(value.func, ast.Name) and value.func.id in _COPIES and value.args:
                return self._unpacked(value.args[0], index, scope)
        values = self.of(value, scope)
        if index < 0:
            index, values = ~index, self.items(values)
        return self.items(values)

    def _entered(self, values: Values) -> Values:
        found: dict[Value, None] = {}
        for value in values:
            if isinstance(value, Inst) and isinstance(value.type, Class):
                for name in ("__aenter__", "__enter__"):
                    for method in self.member(value, name):
                        if isinstance(method, Func):
                            found.update(dict.fromkeys(self.returned(method.function)))
            found[value] = None
        return tuple(found)

    def member(self, base: Value, name: str) -> Values:
        """What the attribute `name` of `base` may be."""
        match base:
            case Mod(module):
                return self.exported(module, name)
            case Ref(outside):
                inner = self._modules.get(f"{outside}.{name}")
                if inner is not None and not _is_framework(outside):
                    return (Mod(inner),)
                return (Ref(canonical(f"{outside}.{name}")),)
            case Cls(cls):
                return self._class_member(cls, name, bound=False)
            case Inst(type=Class() as cls):
                return self._class_member(cls, name, bound=True)
            case Inst(type=str() as outside):
                if (outside, name) in library.ATTRIBUTES:
                    return (Inst(library.ATTRIBUTES[outside, name]),)
                return (Ref(f"{outside}.{name}"),)
        return ()

    def _class_member(self, cls: Class, name: str, *, bound: bool) -> Values:
        found: list[Value] = []
        for ancestor in self.ancestry(cls):
            if isinstance(ancestor, Ref):
                if not found and ancestor.name not in ("builtins.object", "typing.Generic", "typing.Protocol"):
                    found += self.member(Inst(ancestor.name) if bound else ancestor, name)
                continue
            own = ancestor.cls
            given = own.attributes.get(name, ())
            for value in self.values_of([*given, *own.bindings.get(name, ())]):
                if isinstance(value, Func) and value.function.owner is own:
                    if self.decorators.of(value.function) is Decorated.PROPERTY:
                        called = value.function
                        found += (Coro(called),) if called.is_async else self.returned(called)
                        continue
                    value = Func(value.function, bound or self._is_classmethod(value.function))
                found.append(value)
            if found or name in own.bindings or name in own.attributes:
                break
        return tuple(dict.fromkeys(found))

    def bases(self, cls: Class) -> list[Cls | Ref]:
        """The direct base classes that can be told."""
        found: list[Cls | Ref] = []
        for node in cls.node.bases:
            for value in self.of(node, cls.parent):
                if isinstance(value, Cls | Ref):
                    found.append(value)
        return found

    def ancestry(self, cls: Class) -> list[Cls | Ref]:
        """The class and its ancestors, nearest first."""
        known = self._ancestry.get(cls)
        if known is None:
            known = self._ancestry[cls] = []
            known += [Cls(cls)]
            for base in self.bases(cls):
                known += [
                    ancestor
                    for ancestor in (self.ancestry(base.cls) if isinstance(base, Cls) else [base])
                    if ancestor not in known
                ]
        return known

    @cached_property
    def _ancestry(self) -> dict[Class, list[Cls | Ref]]:
        return {}

    def is_a(self, value: Value, *names: str) -> bool:
        """Whether `value` is an instance of one of these outside classes, or of a class made from one."""
        if not isinstance(value, Inst):
            return False
        if isinstance(value.type, str):
            return value.type in names
        return any(isinstance(base, Ref) and base.name in names for base in self.ancestry(value.type))

    # -- modules -------------------------------------------------------------------------------------------------

    def module_named(self, name: str, importer: Module) -> Module | None:
        """The module of a dotted name, also as a script's neighbour."""
        if _is_framework(name):
            return None
        found = self._modules.get(name)
        if found is None and not importer.is_package:
            folder = importer.name.rpartition(".")[0]
            found = self._modules.get(f"{folder}.{name}") if folder else None
        return found

    def imported(self, name: str, importer: Module) -> Values:
        """What an import of the dotted `name` gives."""
        if (module := self.module_named(name, importer)) is not None and module is not importer:
            return (Mod(module),)
        source, _, last = name.rpartition(".")
        if source and (module := self.module_named(source, importer)) is not None:
            return self.exported(module, last)
        return (Ref(canonical(name)),)

    def exported(self, module: Module, name: str) -> Values:
        """What the name `name` of a module may be."""
        if name in module.body.bindings:
            return self._bound(module.body, name)
        inner = self._modules.get(f"{module.name}.{name}")
        if inner is not None:
            return (Mod(inner),)
        if not module.star_imports:
            return ()
        return self._questions.ask(self._names, (module, name), lambda: self._star_imported(module, name))

    def _star_imported(self, module: Module, name: str) -> Values:
        for source in module.star_imports:
            target = self.module_named(source, module)
            if target is not None and (found := self.exported(target, name)):
                return found
        return ()


def _is_framework(name: str) -> bool:
    return name.partition(".")[0] in _FRAMEWORKS


_ASK: dict[type[ast.AST], Callable[[Inference, Any, Function], Iterable[Value]]] = {
    ast.Attribute: Inference._attribute,
    ast.Call: Inference._call,
    ast.Await: Inference._awaited,
    ast.List: Inference._display,
    ast.Set: Inference._display,
    ast.Tuple: Inference._display,
    ast.Dict: Inference._dict,
    ast.ListComp: Inference._comprehension,
    ast.SetComp: Inference._comprehension,
    ast.GeneratorExp: Inference._comprehension,
    ast.DictComp: Inference._dict_comprehension,
    ast.Subscript: Inference._subscript,
    ast.IfExp: Inference._either,
    ast.BoolOp: Inference._first_true,
    ast.NamedExpr: Inference._walrus,
    ast.BinOp: Inference._binary,
    ast.Lambda: Inference._lambda,
}  # fmt: skip
