"""Who calls whom, and how: the call graph, with the ways in which one function sets another going.

Standard library only.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from openhcs.verify import library
from openhcs.verify.inference import Inference
from openhcs.verify.model import Function, How, Module
from openhcs.verify.values import Cls, Coro, Func, Inst, Partial, Ref, Value, Values

__all__ = ["Edge", "EdgeKind", "Graph", "bound_arguments", "build_graph"]


class EdgeKind(Enum):
    """How one function sets another going."""

    CALL = "calls"
    AWAIT = "awaits"
    SCHEDULE = "schedules"
    HANDLER = "registers"
    DONE = "registers as done-callback"
    EXECUTOR = "runs in a thread"
    TERMINAL = "runs while the screen is given back"
    HOOK = "installs as error handler"
    FAILURE = "fails, which is handled by"


@dataclass(frozen=True, slots=True, eq=False)
class Edge:
    """One function sets another going at `node`."""

    caller: Function
    callee: Function
    kind: EdgeKind
    node: ast.AST


class Graph:
    """All edges, by caller and by callee."""

    def __init__(self) -> None:
        self.out: dict[Function, list[Edge]] = {}
        self.into: dict[Function, list[Edge]] = {}
        self.hooks: list[Edge] = []
        """Functions installed where errors nobody caught go to."""
        self.names: dict[ast.Call, frozenset[str]] = {}
        """Of each call the outside functions that it may be of; guessed by the receiver where nothing else is known."""
        self.calls: dict[str, list[tuple[ast.Call, Function]]] = {}
        """The calls of each outside function, with the function they stand in."""
        self.methods: dict[str, list[tuple[ast.Call, Function]]] = {}
        """The calls of anything by that name: `cancel` for `task.cancel()`."""
        self.user_handlers: list[Edge] = []
        """Functions that prompt_toolkit calls while an application runs: keys, buttons, mouse, text, events."""

    def add(self, edge: Edge) -> None:
        """Add an edge."""
        self.out.setdefault(edge.caller, []).append(edge)
        self.into.setdefault(edge.callee, []).append(edge)

    def reachable(
        self, start: Iterable[Function], kinds: frozenset[EdgeKind] = frozenset(EdgeKind)
    ) -> dict[Function, Edge | None]:
        """Every function that `start` sets going, itself included, each with the edge by which it was reached first."""
        found: dict[Function, Edge | None] = dict.fromkeys(start)
        waiting = list(found)
        for function in waiting:
            for edge in self.out.get(function, ()):
                if edge.kind in kinds and edge.callee not in found:
                    found[edge.callee] = edge
                    waiting.append(edge.callee)
        return found


def bound_arguments(target: Value, call: ast.Call) -> Iterator[tuple[Function, int, ast.expr]]:
    """The arguments of `call` with the parameter each becomes, if `target` is what is called."""
    if isinstance(target, Func):
        function, shift = target.function, int(target.bound)
    elif isinstance(target, Cls):
        method = target.cls.methods.get("__init__")
        if method is None:
            return
        function, shift = method, 1
    else:
        return
    if isinstance(function.node, ast.Module):
        return
    positional = len(function.node.args.posonlyargs) + len(function.node.args.args)
    for index, argument in enumerate(call.args):
        if isinstance(argument, ast.Starred):
            break
        if index + shift < positional:
            yield function, index + shift, argument
    names = {parameter.arg: index for index, parameter in enumerate(function.parameters)}
    for keyword in call.keywords:
        if keyword.arg is not None and keyword.arg in names:
            yield function, names[keyword.arg], keyword.value


def build_graph(modules: Iterable[Module], inference: Inference) -> Graph:
    """The call graph. Afterwards `inference` also knows what callers pass."""
    deep = [module for module in modules if module.is_deep]
    arguments: dict[tuple[Function, int], list[tuple[ast.expr, Function]]] = {}
    for module in deep:
        for function in module.functions:
            for call in function.of(ast.Call):
                if not call.args and not call.keywords:
                    continue
                for target in inference.of(call.func, function):
                    for called, index, node in bound_arguments(target, call):
                        if not isinstance(node, ast.Constant):
                            arguments.setdefault((called, index), []).append((node, function))
    inference.use_arguments(arguments)
    return _Builder(inference).build(deep)


class _Builder:
    def __init__(self, inference: Inference) -> None:
        self._inference = inference
        self._graph = Graph()

    def build(self, modules: Iterable[Module]) -> Graph:
        for module in modules:
            for function in module.functions:
                self._function(function)
        return self._graph

    def _function(self, function: Function) -> None:
        for call in function.of(ast.Call):
            self._call(call, function)
        for awaited in function.of(ast.Await):
            if not isinstance(awaited.value, ast.Call):
                values = self._inference.of(awaited.value, function)
                for value in () if _is_passed_in(awaited.value, values, function) else values:
                    if isinstance(value, Coro) and value.function is not None:
                        self._add(function, value.function, EdgeKind.AWAIT, awaited)
        for assign in function.of(ast.Assign):
            for target in assign.targets:
                if isinstance(target, ast.Attribute) and target.attr in ("excepthook", "unraisablehook"):
                    self._register(function, assign.value, EdgeKind.HOOK, assign)
                elif isinstance(target, ast.Attribute) and target.attr.startswith(("on_", "handler")):
                    self._register(function, assign.value, EdgeKind.HANDLER, assign)
        for augmented in function.of(ast.AugAssign):
            if isinstance(augmented.target, ast.Attribute) and augmented.target.attr in library.EVENT_ATTRIBUTES:
                self._register(function, augmented.value, EdgeKind.HANDLER, augmented, by_user=True)
        if function.decorators and self._is_key_handler(function):
            outer = function.parent or function
            edge = self._add(outer, function, EdgeKind.HANDLER, function.decorators[0])
            self._graph.user_handlers.append(edge)

    def _is_key_handler(self, function: Function) -> bool:
        if not function.module.imports("prompt_toolkit"):
            return False
        return any(
            isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add"
            for node in function.decorators
        )

    def _add(self, caller: Function, callee: Function, kind: EdgeKind, node: ast.AST) -> Edge:
        edge = Edge(caller, callee, kind, node)
        self._graph.add(edge)
        return edge

    def _call(self, call: ast.Call, function: Function) -> None:
        targets = self._inference.of(call.func, function)
        names = {target.name for target in targets if isinstance(target, Ref)}
        if isinstance(call.func, ast.Attribute):
            self._graph.methods.setdefault(call.func.attr, []).append((call, function))
            if not targets:
                names = self._guessed(call.func, function)
        self._graph.names[call] = frozenset(names)
        for name in names:
            self._graph.calls.setdefault(name, []).append((call, function))
        parent = function.module.parents.get(call)
        is_awaited = isinstance(parent, ast.Await)
        for target in () if _is_passed_in(call.func, targets, function) else _flattened(targets):
            self._target(target, call, function, is_awaited=is_awaited)
        kind = _kind_of(names, call)
        by_user = any(name.startswith("prompt_toolkit.") for name in names) or self._adds_key(call, function)
        for argument in (*call.args, *(keyword.value for keyword in call.keywords)):
            node = argument.value if isinstance(argument, ast.Starred) else argument
            if node.__class__ not in _MAY_BE_CALLED:
                continue
            self._register(function, node, kind, call, names=names, is_awaited=is_awaited, by_user=by_user)

    def _guessed(self, called: ast.Attribute, function: Function) -> set[str]:
        """What a method may be when all that is known of its receiver is that it is called a loop, task or future."""
        receiver = called.value
        name = (receiver.attr if isinstance(receiver, ast.Attribute) else getattr(receiver, "id", "")).lower()
        if not name.endswith(("loop", "task", "future", "fut")):
            return set()
        if not function.module.imports("asyncio") or function.module.imports("tornado"):
            return set()
        if self._inference.of(receiver, function):
            return set()
        return {f"{library.LOOP if name.endswith('loop') else library.FUTURE}.{called.attr}"}

    def _target(self, target: Value, call: ast.Call, function: Function, *, is_awaited: bool) -> None:
        if isinstance(target, Func):
            # An asynchronous function that is called and not awaited here goes wherever its coroutine goes.
            if not target.function.is_async or is_awaited or self._is_unknown_use(call, function):
                kind = EdgeKind.AWAIT if is_awaited and target.function.is_async else EdgeKind.CALL
                self._add(function, target.function, kind, call)
        elif isinstance(target, Cls):
            for name in ("__init__", "__post_init__"):
                for method in self._inference.member(Inst(target.cls), name):
                    if isinstance(method, Func):
                        self._add(function, method.function, EdgeKind.CALL, call)
        elif isinstance(target, Inst):
            for method in self._inference.member(target, "__call__"):
                if isinstance(method, Func):
                    self._add(function, method.function, EdgeKind.CALL, call)

    @staticmethod
    def _is_unknown_use(call: ast.Call, function: Function) -> bool:
        return isinstance(function.module.parents.get(call), ast.Return | ast.Expr | ast.Lambda)

    def _adds_key(self, call: ast.Call, function: Function) -> bool:
        """Whether this is the second call of `bindings.add("x")(handler)`."""
        inner = call.func
        return (
            isinstance(inner, ast.Call)
            and isinstance(inner.func, ast.Attribute)
            and inner.func.attr == "add"
            and function.module.imports("prompt_toolkit")
        )

    def _register(
        self,
        function: Function,
        node: ast.expr,
        kind: EdgeKind,
        at: ast.AST,
        *,
        names: set[str] = frozenset(),  # type: ignore[assignment]
        is_awaited: bool = False,
        by_user: bool = False,
    ) -> None:
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            for item in node.elts:
                self._register(function, item, kind, at, names=names, is_awaited=is_awaited, by_user=by_user)
            return
        values = self._inference.of(node, function)
        for value in () if _is_passed_in(node, values, function) else _flattened(values):
            if isinstance(value, Func):
                edge = self._add(function, value.function, kind, at)
                if kind is EdgeKind.HOOK:
                    self._graph.hooks.append(edge)
                elif by_user and kind is EdgeKind.HANDLER:
                    self._graph.user_handlers.append(edge)
            elif isinstance(value, Coro) and value.function is not None:
                awaits = is_awaited and names & library.AWAITERS
                self._add(function, value.function, EdgeKind.AWAIT if awaits else EdgeKind.SCHEDULE, at)


_MANY = 4
_MAY_BE_CALLED = frozenset(
    {ast.Name, ast.Attribute, ast.Lambda, ast.Call, ast.IfExp, ast.BoolOp, ast.List, ast.Tuple, ast.Set, ast.NamedExpr}
    | {ast.ListComp, ast.GeneratorExp}
)
"""What an argument may be that holds a function or coroutine."""


def _is_passed_in(node: ast.expr, values: Values, function: Function) -> bool:
    """Whether a function or coroutine comes from some caller: that caller has the edge, to the one it passed."""
    if isinstance(node, ast.Name):
        scope: Function | None = function
        while scope is not None and node.id not in scope.bindings:
            scope = scope.parent
        return scope is not None and any(binding.how is How.PARAMETER for binding in scope.bindings[node.id])
    return isinstance(node, ast.Attribute) and sum(isinstance(value, Func | Coro) for value in values) > _MANY


def _flattened(values: Values) -> Iterator[Value]:
    for value in values:
        if isinstance(value, Partial):
            yield from _flattened(value.of)
        else:
            yield value


_ERROR_SETTERS = frozenset({"set_exception_handler", "set_error_handler", "set_excepthook"})


def _kind_of(names: set[str], call: ast.Call) -> EdgeKind:
    """What a call does with the functions it is given."""
    called = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if "prompt_toolkit.run_in_terminal" in names:
        return EdgeKind.TERMINAL
    if called in _ERROR_SETTERS:
        return EdgeKind.HOOK
    if called == "add_done_callback":
        return EdgeKind.DONE
    if names & library.EXECUTORS.keys() or called in ("run_in_executor", "submit"):
        return EdgeKind.EXECUTOR
    return EdgeKind.HANDLER
