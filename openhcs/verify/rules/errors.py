"""HCS401 and HCS402: how errors are told."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from openhcs.verify.findings import Finding
from openhcs.verify.flow import always_leaves, path_of, paths_in, position
from openhcs.verify.graph import Edge, EdgeKind
from openhcs.verify.model import Function
from openhcs.verify.program import Program
from openhcs.verify.rules.base import Settings
from openhcs.verify.rules.tasks import contains_its_failure

__all__ = ["check_cycle", "check_exc_info"]


# -- HCS401 ------------------------------------------------------------------------------------------------------

_ERROR = r"(errors?|exceptions?|exc|crash|failures?|traceback|fault)"
_SHOWS = re.compile(
    rf"(show|display|present|popup|pop_up|notify|report|alert|open|render|raise|tell).*{_ERROR}"
    rf"|{_ERROR}.*(dialog|popup|box|window|screen|message|display|alert|notification|reporter)",
    re.IGNORECASE,
)
_TELLS = re.compile(
    r"^_*((show|display|present|pop_?up|notify|report|alert|alarm|tell|warn|page|announce)(_|$)|(send|raise|post|push)_?(alert|alarm))"
)
"""Names that tell of errors where the function is given one."""
_ALERTS = re.compile(r"(send|raise|post|push)_?(alert|alarm)")
_HANDLES = re.compile(rf"(handle|on|process|catch).*{_ERROR}|{_ERROR}.*(handler|hook|callback)", re.IGNORECASE)
_NOT_SHOWING = re.compile(r"^_*(is|has|raise_for|log|format|get|make|parse|clear|reset|close|hide|dismiss|set|count)_")

_FLOWING = frozenset(
    {
        EdgeKind.CALL,
        EdgeKind.AWAIT,
        EdgeKind.SCHEDULE,
        EdgeKind.DONE,
        EdgeKind.EXECUTOR,
        EdgeKind.HANDLER,
        EdgeKind.FAILURE,
    }
)


def check_cycle(program: Program, settings: Settings) -> Iterator[Finding]:
    """Showing an error can fail in a way that shows an error, and so on."""
    shows = {function for function in program.functions if _shows_errors(function)}
    if not shows:
        return
    ways = _Ways(program)
    told: set[tuple[Function, Function]] = set()
    for edge in ways.driven_by_error(ways.leading_to(shows)):
        if (edge.caller, edge.callee) in told:
            continue
        path = ways.shortest(edge.callee, edge.caller)
        if path is None:
            continue
        cycle = [edge, *path]
        if not any(step.callee in shows or _ends_display(program, step, shows) for step in cycle):
            continue
        told.add((edge.caller, edge.callee))
        yield _cycle_finding(program, edge, cycle)


def _ends_display(program: Program, edge: Edge, shows: set[Function]) -> bool:
    """Whether an edge registers what is called when a display that was scheduled beside it ends."""
    return edge.kind is EdgeKind.DONE and any(
        other.kind is EdgeKind.SCHEDULE and other.callee in shows for other in program.graph.out.get(edge.caller, ())
    )


def _shows_errors(function: Function) -> bool:
    name = function.name
    if function.module.is_test or _NOT_SHOWING.match(name):
        return False
    if _SHOWS.search(name) or _ALERTS.search(name):
        return True
    return bool(_TELLS.match(name)) and _exception_parameter(function) is not None


def _handler_around(edge: Edge) -> ast.ExceptHandler | None:
    for outer, child in edge.caller.module.around(edge.node):
        if isinstance(outer, ast.ExceptHandler) and child is not outer.type:
            return outer
    return None


def _tells_of_failure(edge: Edge, named: bool) -> bool:
    """Whether an edge is taken because something failed: in an `except`, or with what a task ended by."""
    handler = _handler_around(edge)
    if handler is not None and named:
        return True
    if not isinstance(edge.node, ast.Call):
        return False
    given = [*edge.node.args, *(keyword.value for keyword in edge.node.keywords)]
    if handler is not None and handler.name is not None and handler.name in paths_in(given):
        return True
    failures = {
        path_of(target)
        for assign in edge.caller.of(ast.Assign)
        if _asks_exception(assign.value)
        for target in assign.targets
    }
    return any(_asks_exception(node) or (path_of(node) or "") in failures for node in given)


def _asks_exception(node: ast.expr) -> bool:
    """`task.exception()`."""
    return (
        isinstance(node, ast.Call)
        and not node.args
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "exception"
    )


class _Ways:
    """The edges without those behind a guard and those that wait for the user, with those that a failure takes."""

    def __init__(self, program: Program) -> None:
        self._graph = program.graph
        self._by_user = {(edge.caller, edge.callee, edge.node) for edge in program.graph.user_handlers}
        self._known: dict[Function, list[Edge]] = {}
        self._failures: dict[Function, list[Edge]] = {}
        hooks = [edge.callee for edge in program.graph.hooks if isinstance(edge.node, ast.Call)]
        hooks = [hook for hook in dict.fromkeys(hooks) if not hook.module.is_test]
        if hooks:
            scheduled = {
                edge.callee: None
                for edges in program.graph.out.values()
                for edge in edges
                if edge.kind in (EdgeKind.SCHEDULE, EdgeKind.DONE) and not edge.callee.module.is_test
            }
            for function in scheduled:
                if not contains_its_failure(program, function):
                    self._failures[function] = [Edge(function, hook, EdgeKind.FAILURE, function.node) for hook in hooks]

    def of(self, function: Function) -> list[Edge]:
        """The ways on from a function."""
        known = self._known.get(function)
        if known is None:
            known = self._known[function] = [
                edge
                for edge in self._graph.out.get(function, ())
                if edge.kind in _FLOWING
                and (edge.caller, edge.callee, edge.node) not in self._by_user
                and not _is_guarded(edge)
            ] + self._failures.get(function, [])
        return known

    def leading_to(self, goals: set[Function]) -> set[Function]:
        """The functions from which one of the goals may be reached, guarded or not."""
        found = {*goals, *self._failures}
        waiting = list(found)
        while waiting:
            for edge in self._graph.into.get(waiting.pop(), ()):
                if edge.caller not in found:
                    found.add(edge.caller)
                    waiting.append(edge.caller)
        return found

    def driven_by_error(self, callees: set[Function]) -> Iterator[Edge]:
        """The edges that are taken because something failed, to those of the callees who tell of it."""
        for callee, edges in self._graph.into.items():
            if callee not in callees:
                continue
            named = bool(_SHOWS.search(callee.name) or _HANDLES.search(callee.name))
            for edge in edges:
                if edge.kind in (EdgeKind.CALL, EdgeKind.AWAIT, EdgeKind.SCHEDULE) and _tells_of_failure(edge, named):
                    if edge in self.of(edge.caller):
                        yield edge
        for edges in self._failures.values():
            yield from edges

    def shortest(self, start: Function, goal: Function) -> list[Edge] | None:
        """The shortest way from one function to another."""
        if start is goal:
            return []
        came: dict[Function, Edge] = {}
        waiting = [start]
        for function in waiting:
            for edge in self.of(function):
                if edge.callee is start or edge.callee in came:
                    continue
                came[edge.callee] = edge
                if edge.callee is goal:
                    path: list[Edge] = []
                    at = goal
                    while at is not start:
                        path.append(came[at])
                        at = came[at].caller
                    return path[::-1]
                waiting.append(edge.callee)
        return None


def _is_guarded(edge: Edge) -> bool:
    """Whether a flag, a breaker or a depth is asked before, so that the edge is not taken a second time."""
    function = edge.caller
    if function.is_module or function.is_lambda:
        return False
    flags = _flags(function)
    for outer, child in function.module.around(edge.node):
        if isinstance(outer, ast.If | ast.While) and child is not outer.test and _asks(outer.test, flags):
            return True
        if isinstance(outer, ast.With | ast.AsyncWith) and any(
            re.search(r"guard|breaker|reentran|once", ast.unparse(item.context_expr), re.IGNORECASE)
            for item in outer.items
        ):
            return True
    return any(
        position(node) < position(edge.node) and _asks(node.test, flags) and always_leaves(node.body)
        for node in function.of(ast.If)
    )


def _flags(function: Function) -> set[str]:
    """The attributes and outer names that a function sets."""
    targets = [target for assign in function.of(ast.Assign) for target in assign.targets]
    targets += [augmented.target for augmented in function.of(ast.AugAssign)]
    paths = {path for target in targets if (path := path_of(target)) is not None}
    return {path for path in paths if "." in path or path in function.outer_names} | {
        path_of(call.func.value) or ""
        for call in function.of(ast.Call)
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in ("set", "acquire", "add", "fail", "append", "trip")
    }


_BREAKER = re.compile(
    r"breaker|allow|locked|depth|reentran|recurs|already|showing|active|in_progress|busy|is_set|handling"
)


def _asks(test: ast.expr, flags: set[str]) -> bool:
    if not flags.isdisjoint(paths_in(test)):
        return True
    return any(
        _BREAKER.search(node.attr if isinstance(node, ast.Attribute) else node.id)
        for node in ast.walk(test)
        if isinstance(node, ast.Attribute | ast.Name)
    )


def _cycle_finding(program: Program, edge: Edge, cycle: list[Edge]) -> Finding:
    names = [edge.caller.name, *(step.callee.name for step in cycle)]
    at = edge.node
    if edge.kind is EdgeKind.FAILURE:
        # The failure has no line of its own: the place is where what fails was set going.
        at = next((step.node for step in cycle if step.callee is edge.caller), edge.node)
        where = next((step.caller for step in cycle if step.callee is edge.caller), edge.caller)
    else:
        where = edge.caller
    related = [
        program.related(step.node, step.caller, f"`{step.caller.name}` {step.kind.value} `{step.callee.name}`")
        for step in cycle
    ]
    return program.finding(
        "HCS401",
        at,
        where,
        f"showing an error can show an error: {' -> '.join(names)}. Test a flag before, or let the error go to the log",
        related,
        {"cycle": " -> ".join(names)},
    )


# -- HCS402 ------------------------------------------------------------------------------------------------------


def check_exc_info(program: Program, settings: Settings) -> Iterator[Finding]:
    """`exc_info=True` where no exception is being handled: the log says `NoneType: None`."""
    for call, function in program.calls_named(*_LOG_METHODS, "exception"):
        if not _logs_current_exception(call):
            continue
        if _in_handler(call, function) or _may_be_in_handler(program, function, set()):
            continue
        yield program.finding(
            "HCS402",
            call,
            function,
            "no exception is being handled here: the log gets `NoneType: None`. Pass the exception itself",
            data={"parameter": _exception_parameter(function) or ""},
        )


def _logs_current_exception(call: ast.Call) -> bool:
    """`logger.error(..., exc_info=True)`, or `logger.exception(...)`, which means the same."""
    given = [item.value for item in call.keywords if item.arg == "exc_info"]
    if given:
        return _is_true(given[0])
    receiver = call.func.value if isinstance(call.func, ast.Attribute) and call.func.attr == "exception" else None
    return bool(call.args) and (path_of(receiver) or "").rpartition(".")[2].lower().strip("_") in (
        "log",
        "logger",
        "logging",
    )


_LOG_METHODS = frozenset({"debug", "info", "warning", "warn", "error", "critical", "fatal", "log"})


def _is_true(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value in (True, 1)


def _in_handler(node: ast.AST, function: Function) -> bool:
    """Whether a node stands where an exception may be being handled: in an `except`, or a `finally`."""
    for outer, child in function.module.around(node):
        if isinstance(outer, ast.ExceptHandler):
            return True
        if isinstance(outer, ast.Try) and child in outer.finalbody:
            return True
        if isinstance(outer, ast.If) and "exc_info" in ast.dump(outer.test):
            return True
    return False


def _may_be_in_handler(program: Program, function: Function, asked: set[Function]) -> bool:
    """Whether a function may be called while an exception is handled, by its callers or for want of knowing them."""
    if function in asked:
        return False
    if function.is_module:
        return False
    if function.name in ("__exit__", "__aexit__", "excepthook"):
        return True
    if any(
        isinstance(node, ast.Attribute) and node.attr in ("exc_info", "exception") and path_of(node.value) == "sys"
        for node in ast.walk(function.node)
    ):
        return True
    edges = program.graph.into.get(function, [])
    direct = [edge for edge in edges if edge.kind in (EdgeKind.CALL, EdgeKind.AWAIT)]
    if any(_in_handler(edge.node, edge.caller) for edge in direct):
        return True
    if any(
        _may_be_in_handler(program, edge.caller, asked | {function})
        for edge in direct
        if edge.caller.name != function.name
    ):
        return True
    if any(not module.is_deep and f"{function.name}(" in module.text for module in program.modules):
        return True
    if direct or edges:
        return False
    if function.parent is not None and not function.parent.is_module and function.owner is None:
        return False
    # Nobody is seen to call it. Functions that do nothing but log are called by those who handle.
    return not asked and _only_logs(function) and _exception_parameter(function) is None


def _only_logs(function: Function) -> bool:
    return all(isinstance(statement, ast.Expr) for statement in function.body)


def _exception_parameter(function: Function) -> str | None:
    for parameter in function.parameters:
        if parameter.arg in ("exc", "exception", "error", "err", "e", "exc_value", "ex"):
            return parameter.arg
    return None
