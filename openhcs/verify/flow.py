"""Questions about the order of things inside one function: aliases, what comes after, what a handler does.

Answers are by structure, not by a proof: where they cannot be had, they err towards saying nothing.
Standard library only.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

from openhcs.verify import library
from openhcs.verify.model import Function
from openhcs.verify.program import Program
from openhcs.verify.values import Cls, Container, Func, Inst, Ref, Values

__all__ = [
    "aliases",
    "always_leaves",
    "catches",
    "caught_at",
    "children",
    "comes_after",
    "is_inside",
    "loops_around",
    "mentions",
    "nested",
    "path_of",
    "paths_in",
    "position",
    "reraises",
    "swallowing_with",
    "walk",
    "walk_all",
]

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)

_Loop = ast.For | ast.AsyncFor | ast.While


def position(node: ast.AST) -> tuple[int, int]:
    """Where a node begins."""
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {}
_NO_NODES = frozenset({"ctx", "op", "ops", "id", "attr", "name", "arg", "type_comment", "kind", "lineno", "n"})


def children(node: ast.AST) -> list[ast.AST]:
    """The nodes directly in a node, in order: what `ast.iter_child_nodes` yields, but for contexts and operators."""
    kind = node.__class__
    fields = _FIELDS.get(kind)
    if fields is None:
        fields = tuple(name for name in kind._fields if name not in _NO_NODES and kind is not ast.Constant)
        _FIELDS[kind] = fields
    found: list[ast.AST] = []
    for name in fields:
        value = getattr(node, name, None)
        if value.__class__ is list:
            found += [item for item in value if isinstance(item, ast.AST)]
        elif isinstance(value, ast.AST):
            found.append(value)
    return found


def walk_all(node: ast.AST) -> Iterator[ast.AST]:
    """A node and everything in it, functions included, in no particular order."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += children(node)


def walk(nodes: ast.AST | Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Nodes and everything in them, without what is inside functions they define."""
    waiting = [nodes] if isinstance(nodes, ast.AST) else list(nodes)
    waiting.reverse()
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, _FUNCTIONS):
            waiting.extend(reversed(children(node)))


def path_of(node: ast.AST | None) -> str | None:
    """`self._task` as text, where a node is a name with attributes; a collection stands for its items."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = path_of(node.value)
        return None if base is None else f"{base}.{node.attr}"
    if isinstance(node, ast.Subscript | ast.Starred | ast.Await):
        return path_of(node.value)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not node.keywords:
        if node.func.attr in ("pop", "get", "popleft", "values", "items", "copy"):
            return path_of(node.func.value)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) == 1:
        if node.func.id in ("list", "set", "tuple", "sorted", "reversed", "iter", "next", "enumerate"):
            return path_of(node.args[0])
    return None


def paths_in(nodes: ast.AST | Iterable[ast.AST]) -> set[str]:
    """The paths of every name and attribute that is read or written in some nodes, lambdas included."""
    found: set[str] = set()
    for node in [nodes] if isinstance(nodes, ast.AST) else nodes:
        for inner in walk_all(node):
            if isinstance(inner, ast.Name):
                found.add(inner.id)
            elif isinstance(inner, ast.Attribute) and (path := path_of(inner)) is not None:
                found.add(path)
    return found


def mentions(nodes: ast.AST | Iterable[ast.AST], paths: set[str]) -> bool:
    """Whether one of the paths occurs."""
    return not paths.isdisjoint(paths_in(nodes))


def aliases(program: Program, function: Function, node: ast.expr) -> set[str]:
    """The paths in a function by which the task at `node`, or a collection it is in, goes."""
    start = path_of(node)
    if start is None:
        return set()
    found = {start}
    links = list(_links(function))
    for _ in range(4):
        size = len(found)
        for left, right, direct in links:
            if left in found and direct is not None and _holds_tasks(program, direct, function):
                found.add(path_of(direct) or left)
                if isinstance(direct, ast.BinOp | ast.List | ast.Tuple | ast.Set | ast.GeneratorExp | ast.ListComp):
                    found |= {path for path in paths_in(direct) if _path_holds_tasks(program, path, direct, function)}
            if not found.isdisjoint(right):
                found.add(left)
        if len(found) == size:
            break
    return found


def _links(function: Function) -> Iterator[tuple[str, set[str], ast.expr | None]]:
    """What each assignment, loop and `append` ties together: the path, all it is made of, and from what directly."""
    for assign in function.of(ast.Assign):
        for target in assign.targets:
            if (path := path_of(target)) is not None and not _is_made_by_call(assign.value):
                yield path, paths_in(assign.value), assign.value
            elif isinstance(target, ast.Tuple):
                for item in target.elts:
                    if (path := path_of(item)) is not None:
                        yield path, paths_in(assign.value), None
    for annotated in function.of(ast.AnnAssign):
        if annotated.value is not None and (path := path_of(annotated.target)) is not None:
            if not _is_made_by_call(annotated.value):
                yield path, paths_in(annotated.value), annotated.value
    for augmented in function.of(ast.AugAssign):
        if (path := path_of(augmented.target)) is not None:
            yield path, paths_in(augmented.value), None
    loops: list[ast.For | ast.AsyncFor] = [*function.of(ast.For), *function.of(ast.AsyncFor)]
    for loop in loops:
        for item in loop.target.elts if isinstance(loop.target, ast.Tuple) else [loop.target]:
            if (path := path_of(item)) is not None:
                yield path, paths_in(loop.iter), loop.iter
    for part in function.of(ast.comprehension):
        if (path := path_of(part.target)) is not None:
            yield path, paths_in(part.iter), part.iter
    for call in function.of(ast.Call):
        if isinstance(call.func, ast.Attribute) and call.func.attr in ("append", "add", "extend", "update", "insert"):
            if (path := path_of(call.func.value)) is not None:
                yield path, paths_in(call.args), None


def _is_made_by_call(node: ast.expr) -> bool:
    """Whether a value is the result of a call that merely takes what it mentions: `create_task(self.run())`."""
    return isinstance(node, ast.Call) and path_of(node) is None and not _is_collecting(node)


def _is_collecting(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id in ("list", "set", "tuple", "sorted", "filter", "frozenset")


def _holds_tasks(program: Program, node: ast.expr, function: Function) -> bool:
    return bool(program.values(node, function)) or path_of(node) is not None


def _path_holds_tasks(program: Program, path: str, node: ast.expr, function: Function) -> bool:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name | ast.Attribute) and path_of(inner) == path:
            values = program.values(inner, function)
            if isinstance(node, ast.List | ast.Tuple | ast.Set) and inner in node.elts:
                return any(isinstance(value, Inst) and value.type == library.TASK for value in values)
            return any(isinstance(value, Container) for value in values)
    return False


def loops_around(node: ast.AST, function: Function) -> list[_Loop]:
    """The loops of the same function around a node, innermost first."""
    return [outer for outer, _ in function.module.around(node) if isinstance(outer, _Loop)]


def is_inside(node: ast.AST, outer: ast.AST, function: Function) -> bool:
    """Whether `node` stands in `outer`."""
    return node is outer or any(parent is outer for parent, _ in function.module.around(node))


def comes_after(node: ast.AST, first: ast.AST, function: Function) -> bool:
    """Whether `node` can run after `first`: it stands behind it and not in another branch, or shares a loop with it."""
    if position(node) > position(first):
        return not _in_other_branch(node, first, function)
    inside = {id(loop) for loop in loops_around(first, function)}
    return any(id(loop) in inside for loop in loops_around(node, function))


def _in_other_branch(node: ast.AST, first: ast.AST, function: Function) -> bool:
    branches = {id(outer): child for outer, child in function.module.around(first) if isinstance(outer, ast.If)}
    for outer, child in function.module.around(node):
        if isinstance(outer, ast.If) and id(outer) in branches:
            other = branches[id(outer)]
            if other is not child and (other in outer.orelse) != (child in outer.orelse) and other is not outer.test:
                return True
    return False


def always_leaves(body: Sequence[ast.stmt]) -> bool:
    """Whether running these statements never goes on to what stands behind them."""
    for statement in body:
        if isinstance(statement, ast.Return | ast.Raise | ast.Continue | ast.Break):
            return True
        if isinstance(statement, ast.If) and statement.orelse:
            if always_leaves(statement.body) and always_leaves(statement.orelse):
                return True
        if isinstance(statement, ast.With | ast.AsyncWith) and always_leaves(statement.body):
            return True
        if isinstance(statement, ast.Try):
            if always_leaves(statement.finalbody):
                return True
            if always_leaves([*statement.body, *statement.orelse]) and all(
                always_leaves(handler.body) for handler in statement.handlers
            ):
                return True
    return False


def caught_at(handler_type: ast.expr | None, program: Program, function: Function) -> set[str]:
    """The names of the exceptions that an `except` or `suppress` names."""
    if handler_type is None:
        return {"builtins.BaseException"}
    if isinstance(handler_type, ast.Tuple):
        return {name for item in handler_type.elts for name in caught_at(item, program, function)}
    if isinstance(handler_type, ast.BinOp):
        return caught_at(handler_type.left, program, function) | caught_at(handler_type.right, program, function)
    return _names(program.values(handler_type, function))


def _names(values: Values) -> set[str]:
    found: set[str] = set()
    for value in values:
        if isinstance(value, Ref):
            found.add(value.name)
        elif isinstance(value, Container):
            found |= _names(value.items)
        elif isinstance(value, Cls):
            found.add(value.cls.name)
    return found


def catches(
    node: ast.Try | ast.TryStar, wanted: Iterable[str], program: Program, function: Function
) -> ast.ExceptHandler | None:
    """The handler that gets an exception of the `wanted` names, listed from the narrowest to `BaseException`."""
    names = set(wanted)
    for handler in node.handlers:
        if caught_at(handler.type, program, function) & names:
            return handler
    return None


def reraises(handler: ast.ExceptHandler, program: Program, function: Function) -> bool:
    """Whether a handler may let the exception, or another, go on, or ends the program."""
    for node in walk(handler.body):
        if isinstance(node, ast.Raise):
            return True
        if isinstance(node, ast.Call) and program.names_of(node.func, function) & {"sys.exit", "os._exit"}:
            return True
    return False


def swallowing_with(node: ast.With | ast.AsyncWith, wanted: set[str], program: Program, function: Function) -> bool:
    """Whether a `with` swallows an exception of these names: `suppress`, or a context manager of the project's own."""
    for item in node.items:
        call = item.context_expr
        if not isinstance(call, ast.Call):
            continue
        for target in program.values(call.func, function):
            if target == Ref("contextlib.suppress"):
                if any(caught_at(argument, program, function) & wanted for argument in _starred(call.args)):
                    return True
            elif isinstance(target, Func) and target.function.yields:
                if _swallows_around_yield(target.function, wanted, program):
                    return True
    return False


def _starred(arguments: Iterable[ast.expr]) -> Iterator[ast.expr]:
    for argument in arguments:
        yield argument.value if isinstance(argument, ast.Starred) else argument


def _swallows_around_yield(function: Function, wanted: set[str], program: Program) -> bool:
    for node in function.of(ast.Try):
        handler = catches(node, wanted, program, function)
        if handler is not None and not reraises(handler, program, function):
            if any(isinstance(inner, ast.Yield) for inner in walk(node.body)):
                return True
    return any(
        swallowing_with(node, wanted, program, function)
        and any(isinstance(inner, ast.Yield) for inner in walk(node.body))
        for node in function.of(ast.With)
    )


def nested(function: Function) -> Iterator[Function]:
    """The functions defined inside a function, at any depth."""
    for other in function.module.functions:
        if other is not function and function in other.ancestors():
            yield other
