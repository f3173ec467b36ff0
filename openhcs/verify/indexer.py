"""One walk over a file's syntax tree fills its symbol table.

The walk is where the time goes, so it keeps its own stack, leaves names and constants out, and does not enter functions
of files in which nothing asynchronous is spelt out: of those only definitions and imports are needed.

Standard library only.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

from openhcs.verify.model import Binding, Class, Function, FunctionNode, How, Module, Scope

__all__ = ["index_module"]

_SKIPPED = frozenset({ast.Name, ast.Constant, ast.arg, ast.alias, ast.Pass, ast.Break, ast.Continue})
"""Nodes without children that matter; what needs names walks the function again."""

_OPERATORS = frozenset({"ctx", "op", "ops"})

_KEPT = frozenset(
    {
        ast.Call, ast.Await, ast.Return, ast.Raise, ast.Try, ast.TryStar, ast.With, ast.AsyncWith, ast.For,
        ast.AsyncFor, ast.While, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Lambda, ast.Yield, ast.YieldFrom,
        ast.Expr, ast.If, ast.comprehension, ast.Tuple, ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp,
    }
)  # fmt: skip

_Waiting = tuple[ast.AST, Function, Class | None]

_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {}

_ADDERS = {"append": 0, "add": 0, "appendleft": 0, "put_nowait": 0, "insert": 1, "setdefault": 1}


def index_module(
    path: Path, name: str, text: str, tree: ast.Module, *, inside: tuple[str, ...] = (), is_deep: bool = True
) -> Module:
    """The symbol table of a file. With `is_deep` False the bodies of functions are left out."""
    is_package = path.stem == "__init__"
    module = Module(path, name, is_package, tree, text, name.partition(".")[0], inside, is_deep)
    _Walk(module).run()
    return module


def _fields(kind: type[ast.AST]) -> tuple[str, ...]:
    fields = tuple(name for name in reversed(kind._fields) if name not in _OPERATORS)
    _FIELDS[kind] = fields
    return fields


class _Walk:
    def __init__(self, module: Module) -> None:
        self.module = module

    def run(self) -> None:
        module = self.module
        body = self._function("", module.tree, None, None)
        parents = module.parents
        is_deep = module.is_deep
        # What is to be walked, with the function and the class whose body it is directly in.
        stack: list[_Waiting] = [(node, body, None) for node in reversed(module.tree.body)]
        for statement in module.tree.body:
            parents[statement] = module.tree
        while stack:
            node, function, owner = stack.pop()
            kind: type[ast.AST] = node.__class__
            if kind in _KEPT:
                function.nodes.setdefault(kind, []).append(node)
            binder = _BINDERS.get(kind)
            if binder is not None:
                binder(self, node, function, owner)
            inner, inner_owner = function, owner
            if kind is ast.FunctionDef or kind is ast.AsyncFunctionDef or kind is ast.Lambda:
                self._push_outside(node, function, owner, stack)
                inner, inner_owner = module.by_node[node], None
                if not is_deep:
                    continue
                if kind is ast.Lambda:
                    self._push([node.body], node, inner, None, stack)  # type: ignore[attr-defined]
                else:
                    self._push(node.body, node, inner, None, stack)  # type: ignore[attr-defined]
                continue
            if kind is ast.ClassDef:
                self._push_outside(node, function, owner, stack)
                inner_owner = self._class_of(node, function, owner)
                self._push(node.body, node, inner, inner_owner, stack)  # type: ignore[attr-defined]
                continue
            for name in _FIELDS.get(kind) or _fields(kind):
                child = getattr(node, name)
                if child.__class__ is list:
                    for item in reversed(child):
                        if isinstance(item, ast.AST) and item.__class__ not in _SKIPPED:
                            parents[item] = node
                            stack.append((item, inner, inner_owner))
                elif isinstance(child, ast.AST) and child.__class__ not in _SKIPPED:
                    parents[child] = node
                    stack.append((child, inner, inner_owner))

    def _push(
        self,
        nodes: list[ast.AST],
        parent: ast.AST,
        function: Function,
        owner: Class | None,
        stack: list[_Waiting],
    ) -> None:
        for item in reversed(nodes):
            if item.__class__ not in _SKIPPED:
                self.module.parents[item] = parent
                stack.append((item, function, owner))

    def _push_outside(
        self,
        node: ast.AST,
        function: Function,
        owner: Class | None,
        stack: list[_Waiting],
    ) -> None:
        """Decorators, defaults and bases are read outside of what they belong to."""
        outside: list[ast.AST] = list(getattr(node, "decorator_list", ()))
        if isinstance(node, ast.ClassDef):
            outside += [*node.bases, *(keyword.value for keyword in node.keywords)]
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            outside += [default for default in (*node.args.defaults, *node.args.kw_defaults) if default is not None]
        self._push(outside, node, function, owner, stack)

    def _function(self, name: str, node: FunctionNode, parent: Function | None, owner: Class | None) -> Function:
        function = Function(self.module, name, node, parent, owner)
        self.module.functions.append(function)
        self.module.by_node[node] = function
        return function

    def _class_of(self, node: ast.AST, function: Function, owner: Class | None) -> Class:
        assert isinstance(node, ast.ClassDef)
        cls = Class(self.module, node, function, owner)
        self.module.classes.append(cls)
        (owner or function).bind(node.name, Binding(How.DEFINITION, node, function, target=cls))
        return cls

    # -- what binds names ----------------------------------------------------------------------------------------

    def _bind_function(self, node: FunctionNode, function: Function, owner: Class | None) -> None:
        name = "<lambda>" if isinstance(node, ast.Lambda) else getattr(node, "name", "")
        inner = self._function(name, node, function, owner)
        if not isinstance(node, ast.Lambda):
            scope: Scope = owner or self._home(function, name)
            scope.bind(name, Binding(How.DEFINITION, node, function, target=inner))
        if isinstance(node, ast.Module):
            return
        defaults: dict[str, ast.expr | None] = {}
        positional = [*node.args.posonlyargs, *node.args.args]
        for argument, default in zip(reversed(positional), reversed(node.args.defaults), strict=False):
            defaults[argument.arg] = default
        for argument, keyword_default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=False):
            defaults[argument.arg] = keyword_default
        for index, argument in enumerate(inner.parameters):
            inner.bind(
                argument.arg,
                Binding(How.PARAMETER, argument, function, defaults.get(argument.arg), inner, index),
            )
            if argument.annotation is not None:
                inner.bind(argument.arg, Binding(How.ANNOTATED, argument, function, argument.annotation))

    def _bind_import(self, node: ast.Import, function: Function, owner: Class | None) -> None:
        for alias in node.names:
            self.module.imported.add(alias.name)
            target = alias.name if alias.asname else alias.name.partition(".")[0]
            scope: Scope = owner or self._home(function, alias.asname or target)
            scope.bind(alias.asname or target, Binding(How.IMPORT, node, function, target=target))

    def _bind_import_from(self, node: ast.ImportFrom, function: Function, owner: Class | None) -> None:
        source = node.module or ""
        if node.level:
            package = self.module.name.split(".")
            cut = len(package) - node.level + self.module.is_package
            source = ".".join([*package[: max(cut, 0)], *([source] if source else [])])
        self.module.imported.add(source)
        around = self.module.parents.get(node)
        for_types = isinstance(around, ast.If) and "TYPE_CHECKING" in ast.unparse(around.test)
        for alias in node.names:
            if alias.name == "*":
                self.module.star_imports.append(source)
                continue
            self.module.imported.add(f"{source}.{alias.name}")
            if for_types:
                self.module.imported_for_types |= {source, f"{source}.{alias.name}"}
            name = alias.asname or alias.name
            scope: Scope = owner or self._home(function, name)
            scope.bind(name, Binding(How.IMPORT, node, function, target=f"{source}.{alias.name}"))

    def _bind_assign(self, node: ast.Assign, function: Function, owner: Class | None) -> None:
        for target in node.targets:
            self._bind_target(target, How.VALUE, node.value, node, function, owner)

    def _bind_annotated(self, node: ast.AnnAssign, function: Function, owner: Class | None) -> None:
        self._bind_target(node.target, How.ANNOTATED, node.annotation, node, function, owner)
        if node.value is not None:
            self._bind_target(node.target, How.VALUE, node.value, node, function, owner)

    def _bind_walrus(self, node: ast.NamedExpr, function: Function, owner: Class | None) -> None:
        self._bind_target(node.target, How.VALUE, node.value, node, function, owner)

    def _bind_augmented(self, node: ast.AugAssign, function: Function, owner: Class | None) -> None:
        if isinstance(node.value, ast.List | ast.Tuple | ast.Set | ast.ListComp | ast.SetComp):
            self._bind_target(node.target, How.VALUE, node.value, node, function, owner)

    def _bind_for(self, node: ast.For | ast.AsyncFor, function: Function, owner: Class | None) -> None:
        self._bind_target(node.target, How.ITEM, node.iter, node, function, owner)

    def _bind_comprehension(self, node: ast.comprehension, function: Function, owner: Class | None) -> None:
        self._bind_target(node.target, How.ITEM, node.iter, node, function, owner)

    def _bind_with(self, node: ast.withitem, function: Function, owner: Class | None) -> None:
        if node.optional_vars is not None:
            self._bind_target(node.optional_vars, How.ENTERED, node.context_expr, node, function, owner)

    def _bind_global(self, node: ast.Global | ast.Nonlocal, function: Function, owner: Class | None) -> None:
        for name in node.names:
            function.outer_names[name] = isinstance(node, ast.Global)

    def _bind_call(self, node: ast.Call, function: Function, owner: Class | None) -> None:
        """What `tasks.append(x)` adds is an element of `tasks`."""
        called = node.func
        if isinstance(called, ast.Attribute) and (index := _ADDERS.get(called.attr)) is not None:
            if len(node.args) > index and isinstance(called.value, ast.Name | ast.Attribute):
                self._bind_target(called.value, How.ELEMENT, node.args[index], node, function, owner)

    def _bind_yield(self, node: ast.AST, function: Function, owner: Class | None) -> None:
        function.yields = True

    def _bind_target(
        self, target: ast.expr, how: How, value: ast.expr, node: ast.AST, function: Function, owner: Class | None
    ) -> None:
        if isinstance(target, ast.Name):
            scope: Scope = owner or self._home(function, target.id)
            if how is How.ELEMENT and target.id not in scope.bindings:
                # Adding to a collection makes no variable: the name is that of a function around, or of the module.
                scope = next((outer for outer in function.ancestors() if target.id in outer.bindings), scope)
            scope.bind(target.id, Binding(how, node, function, value))
        elif isinstance(target, ast.Attribute):
            self._bind_attribute(target, Binding(how, node, function, value), function)
        elif isinstance(target, ast.Subscript):
            if how is How.VALUE:
                self._bind_target(target.value, How.ELEMENT, value, node, function, owner)
        elif isinstance(target, ast.Tuple | ast.List):
            same_length = isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts)
            for index, item in enumerate(target.elts):
                if same_length and how is How.VALUE:
                    self._bind_target(item, how, value.elts[index], node, function, owner)  # type: ignore[attr-defined]
                elif isinstance(item, ast.Name):
                    scope = owner or self._home(function, item.id)
                    through = How.UNPACKED if how in (How.VALUE, How.ITEM) else how
                    binding = Binding(through, node, function, value, index=index if how is How.VALUE else ~index)
                    scope.bind(item.id, binding)

    def _bind_attribute(self, target: ast.Attribute, binding: Binding, function: Function) -> None:
        """Only what is given to `self` or `cls`, in a method or in a function inside one."""
        if not isinstance(target.value, ast.Name):
            return
        method: Function | None = function
        while method is not None and method.owner is None:
            method = method.parent
        if method is None or method.owner is None or not method.parameters:
            return
        if target.value.id == method.parameters[0].arg:
            method.owner.attributes.setdefault(target.attr, []).append(binding)

    def _home(self, function: Function, name: str) -> Function:
        """The function in which `name` lives when it is assigned to in `function`."""
        declared = function.outer_names.get(name)
        if declared is None:
            return function
        if declared:
            return self.module.body
        for outer in function.ancestors():
            if name in outer.bindings:
                return outer
        return function


_BINDERS: dict[type[ast.AST], Callable[[_Walk, Any, Function, Class | None], None]] = {
    ast.FunctionDef: _Walk._bind_function,
    ast.AsyncFunctionDef: _Walk._bind_function,
    ast.Lambda: _Walk._bind_function,
    ast.Import: _Walk._bind_import,
    ast.ImportFrom: _Walk._bind_import_from,
    ast.Assign: _Walk._bind_assign,
    ast.AnnAssign: _Walk._bind_annotated,
    ast.AugAssign: _Walk._bind_augmented,
    ast.NamedExpr: _Walk._bind_walrus,
    ast.For: _Walk._bind_for,
    ast.AsyncFor: _Walk._bind_for,
    ast.comprehension: _Walk._bind_comprehension,
    ast.withitem: _Walk._bind_with,
    ast.Global: _Walk._bind_global,
    ast.Nonlocal: _Walk._bind_global,
    ast.Call: _Walk._bind_call,
    ast.Yield: _Walk._bind_yield,
    ast.YieldFrom: _Walk._bind_yield,
}  # fmt: skip
