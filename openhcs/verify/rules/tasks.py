"""HCS201, HCS202 and HCS206: tasks that nobody holds, looks after or may have started."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from openhcs.verify import library
from openhcs.verify.findings import Finding
from openhcs.verify.flow import catches, children, path_of, swallowing_with, walk, walk_all
from openhcs.verify.graph import EdgeKind, bound_arguments
from openhcs.verify.model import Function
from openhcs.verify.program import Program
from openhcs.verify.rules.base import Settings
from openhcs.verify.rules.terminal import full_screen_modules
from openhcs.verify.values import Func, Ref, Value

__all__ = ["check_background", "check_dropped", "check_owner"]

_STARTERS = ("asyncio.create_task", "asyncio.ensure_future", f"{library.LOOP}.create_task", library.TASK)
_BACKGROUND = f"{library.APPLICATION}.create_background_task"
_DROPPING_KEYWORDS = ("on_", "handler", "callback")


# -- HCS201 ------------------------------------------------------------------------------------------------------


def check_dropped(program: Program, settings: Settings) -> Iterator[Finding]:
    """A task is started and nobody keeps it: it may be collected while it runs, and its failure is lost."""
    for call, function in program.calls_of(*_STARTERS):
        if starter := _starts_task(program, call, function):
            how = _dropped(program, call, function)
            if how is not None and not _ruff_sees(program, call, function, starter):
                yield program.finding(
                    "HCS201",
                    call,
                    function,
                    f"the task of `{starter}` is dropped {how}: it may be collected while it runs, and its failure "
                    "is lost",
                    data={"starter": starter, "form": how},
                )
    for statement, function in program.each(ast.Expr):
        if not isinstance(statement.value, ast.Call):
            continue
        inner = _fresh_task_from(program, statement.value, function)
        if inner is not None:
            yield program.finding(
                "HCS201",
                statement.value,
                function,
                f"`{inner.name}` returns the task it starts, and here it is dropped: it may be collected while it runs",
                [program.related(inner.of(ast.Return)[0], inner, "started here")],
                {"starter": inner.qualname, "form": "returned"},
            )
    for call, function in program.calls_of(*library.SYNC_CALLBACKS):
        yield from _starter_as_callback(program, call, function)


def _starts_task(program: Program, call: ast.Call, function: Function) -> str | None:
    if not call.args and not call.keywords:
        return None
    for name in _STARTERS:
        if program.may_call(call, function, name):
            if name == "asyncio.ensure_future" and not program.is_task(call, function):
                return None
            return name.replace(library.LOOP, "loop")
    return None


def _dropped(program: Program, call: ast.Call, function: Function) -> str | None:
    """In which way the result of a call goes nowhere."""
    parents = function.module.parents
    node: ast.AST = call
    parent = parents[node]
    while isinstance(parent, ast.IfExp | ast.BoolOp | ast.NamedExpr) or _is_side_effect_tuple(parent, node):
        if isinstance(parent, ast.NamedExpr):
            return None
        if isinstance(parent, ast.IfExp) and parent.test is node:
            return None
        node, parent = parent, parents[parent]
    if isinstance(parent, ast.Expr):
        return "here"
    if isinstance(parent, ast.ListComp | ast.SetComp) and isinstance(parents.get(parent), ast.Expr):
        return "by the comprehension"
    if isinstance(parent, ast.Attribute) and parent.attr in ("add_done_callback", "set_name"):
        outer = parents.get(parent)
        if isinstance(outer, ast.Call) and isinstance(parents.get(outer), ast.Expr):
            return "behind its callback" if parent.attr == "add_done_callback" else "behind its name"
    if isinstance(parent, ast.Lambda) and parent.body is node:
        return "by the lambda's caller" if _lambda_is_dropped(program, parent, function) else None
    is_item = isinstance(parent, ast.List | ast.Set | ast.ListComp | ast.SetComp)
    bound = parents.get(parent) if is_item else parent
    if isinstance(bound, ast.Assign) and len(bound.targets) == 1 and isinstance(bound.targets[0], ast.Name):
        return _unused_name(bound.targets[0].id, bound, function)
    return None


def _is_side_effect_tuple(parent: ast.AST | None, node: ast.AST) -> bool:
    return isinstance(parent, ast.Tuple) and isinstance(node, ast.Call)


def _unused_name(name: str, assign: ast.Assign, function: Function) -> str | None:
    if function.is_module or name in function.outer_names:
        return None
    if any(
        node is not assign and isinstance(node, ast.Name) and node.id == name
        for node in ast.walk(function.node)
        if node is not assign.targets[0]
    ):
        return None
    return "in a variable that nobody reads"


def _lambda_is_dropped(program: Program, node: ast.Lambda, function: Function) -> bool:
    """Whether a lambda is handed to somebody who calls it and forgets what it returns."""
    outer = function.parent
    if outer is None:
        return False
    parents = function.module.parents
    parent = parents.get(node)
    keyword = None
    if isinstance(parent, ast.keyword):
        keyword, parent = parent.arg, parents.get(parent)
    if isinstance(parent, ast.Assign):
        return any(
            isinstance(target, ast.Attribute) and target.attr.startswith(_DROPPING_KEYWORDS)
            for target in parent.targets
        )
    if isinstance(parent, ast.AugAssign):
        return isinstance(parent.target, ast.Attribute) and parent.target.attr in library.EVENT_ATTRIBUTES
    if isinstance(parent, ast.Tuple):
        return len(parent.elts) == 3 and parent.elts[2] is node and function.module.imports("prompt_toolkit")
    if not isinstance(parent, ast.Call) or node is parent.func:
        return False
    return drops_result(program, parent, node, keyword, outer)


def drops_result(program: Program, call: ast.Call, node: ast.expr, keyword: str | None, function: Function) -> bool:
    """Whether `call` takes the function `node` to call it and drop what it returns."""
    values = program.values(call.func, function) or tuple(map(Ref, program.outside_names(call)))
    for value in values:
        if isinstance(value, Ref):
            known = library.SYNC_CALLBACKS.get(value.name)
            if (
                known is not None
                and value.name not in library.EXECUTORS
                and not value.name.endswith((".submit", ".map"))
            ):
                index, name = known
                if keyword == name or (keyword is None and index < len(call.args) and call.args[index] is node):
                    return True
            if keyword is not None and keyword in library.SYNC_KEYWORDS.get(value.name, ()):
                return True
        elif (parameter := _parameter_for(value, call, node)) is not None:
            return parameter in dropped_parameters(program)
    return bool(keyword and keyword.startswith(_DROPPING_KEYWORDS) and not any(isinstance(v, Func) for v in values))


def _parameter_for(value: Value, call: ast.Call, node: ast.expr) -> tuple[Function, int] | None:
    """The parameter of a function of the project that the argument `node` becomes."""
    for function, index, argument in bound_arguments(value, call):
        if argument is node:
            return function, index
    return None


def dropped_parameters(program: Program) -> dict[tuple[Function, int], ast.Call]:
    """The parameters that are called as plain functions, what they return dropped, and nothing else done with them.

    Directly, or through the attribute of `self` in which they are kept.
    """
    known: dict[tuple[Function, int], ast.Call] | None = program.notes.get("dropped parameters")
    if known is not None:
        return known
    known = program.notes["dropped parameters"] = {}
    for function in program.functions:
        if function.is_module or function.is_lambda:
            continue
        for index, parameter in enumerate(function.parameters):
            if parameter.arg in ("self", "cls"):
                continue
            uses = _uses_of(parameter.arg, function)
            call = _only_dropped(parameter.arg, uses, function)
            if call is None:
                call = _dropped_as_attribute(program, uses, function) or _dropped_by_each(program, uses, function)
            if call is not None:
                known[function, index] = call
    return known


def _uses_of(name: str, function: Function) -> list[ast.AST]:
    """The parents of each place where a parameter is read, functions inside included."""
    if name not in {
        "callback",
        "handler",
        "func",
        "fn",
        "cb",
        "action",
        "command",
        "on_done",
        "target",
        "hook",
        "f",
        "listener",
        "observer",
        "subscriber",
    } and (
        not name.startswith(("on_", "handle"))
        and not name.endswith(("callback", "handler", "_cb", "_fn", "_func", "hook"))
    ):
        return []
    found: list[ast.AST] = []
    for statement in function.body:
        for node in walk_all(statement):
            for child in children(node):
                if isinstance(child, ast.Name) and child.id == name and isinstance(child.ctx, ast.Load):
                    found.append(node)
    return found


def _only_dropped(name: str, uses: list[ast.AST], function: Function) -> ast.Call | None:
    """The call by which a name is used, if all it serves for is to be called and its results are dropped."""
    calls = [
        use for use in uses if isinstance(use, ast.Call) and isinstance(use.func, ast.Name) and use.func.id == name
    ]
    tests = [use for use in uses if isinstance(use, ast.If | ast.Compare | ast.BoolOp | ast.UnaryOp | ast.IfExp)]
    if not calls or len(calls) + len(tests) != len(uses):
        return None
    parents = function.module.parents
    return calls[0] if all(isinstance(parents.get(call), ast.Expr) for call in calls) else None


def _dropped_as_attribute(program: Program, uses: list[ast.AST], function: Function) -> ast.Call | None:
    cls = function.owner
    if cls is None or len(uses) != 1 or not isinstance(uses[0], ast.Assign):
        return None
    target = uses[0].targets[0]
    if not isinstance(target, ast.Attribute) or not isinstance(target.value, ast.Name) or target.value.id != "self":
        return None
    calls: list[ast.Call] = []
    for method in (other for other in program.functions if other.method_of is cls):
        for node in walk_all(method.node):
            for child in children(node):
                if (
                    not isinstance(child, ast.Attribute)
                    or child.attr != target.attr
                    or not isinstance(child.ctx, ast.Load)
                ):
                    continue
                if isinstance(node, ast.Call) and node.func is child:
                    if not isinstance(method.module.parents.get(node), ast.Expr):
                        return None
                    calls.append(node)
                elif not isinstance(node, ast.If | ast.Compare | ast.BoolOp | ast.UnaryOp):
                    return None
    return calls[0] if calls else None


_KEEPING = frozenset({"append", "add", "appendleft", "insert", "remove", "discard", "clear", "setdefault", "copy"})


def _dropped_by_each(program: Program, uses: list[ast.AST], function: Function) -> ast.Call | None:
    """The call in a loop over the listeners of `self`, if a parameter is but kept there, or returned as well."""
    cls = function.owner
    kept = [use for use in uses if isinstance(use, ast.Call) and isinstance(use.func, ast.Attribute)]
    if cls is None or len(kept) != 1 or any(use is not kept[0] and not isinstance(use, ast.Return) for use in uses):
        return None
    adder = kept[0].func
    collection = path_of(_listeners(adder.value)) if isinstance(adder, ast.Attribute) else None
    if collection is None or not collection.startswith("self.") or collection.count(".") != 1:
        return None
    if not isinstance(adder, ast.Attribute) or adder.attr not in ("append", "add", "appendleft"):
        return None
    calls: list[ast.Call] = []
    for method in (other for other in program.functions if other.method_of is cls):
        parents = method.module.parents
        looped: set[ast.AST] = set()
        for loop in method.of(ast.For):
            if path_of(_listeners(loop.iter)) == collection:
                called = _called_by_loop(loop, method)
                if called is None:
                    return None
                calls += called
                looped.update(walk_all(loop.iter))
        for call in method.of(ast.Call):
            if isinstance(call.func, ast.Attribute) and call.func.attr in _KEEPING:
                looped.update(walk_all(call.func.value))
        for node in walk([*method.body]):
            if isinstance(node, ast.Attribute) and path_of(node) == collection and isinstance(node.ctx, ast.Load):
                if node not in looped and not isinstance(parents.get(node), ast.If | ast.UnaryOp | ast.Compare):
                    return None
    return calls[0] if calls else None


def _listeners(node: ast.expr) -> ast.expr:
    """`self._listeners` of `self._listeners.setdefault(name, [])`, `self._listeners[name]` and copies of them."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("setdefault", "get"):
        return _listeners(node.func.value)
    return _listeners(node.value) if isinstance(node, ast.Subscript) else node


def _called_by_loop(loop: ast.For, function: Function) -> list[ast.Call] | None:
    """The calls of the loop's variable, if each is a statement and nothing else is done with it."""
    if not isinstance(loop.target, ast.Name):
        return None
    parents = function.module.parents
    calls: list[ast.Call] = []
    for node in walk(loop.body):
        for child in children(node):
            if isinstance(child, ast.Name) and child.id == loop.target.id:
                if not isinstance(node, ast.Call) or node.func is not child or not isinstance(parents[node], ast.Expr):
                    return None
                calls.append(node)
    return calls


def _ruff_sees(program: Program, call: ast.Call, function: Function, starter: str) -> bool:
    """Whether RUF006 reports the same: a statement or unused name, of `asyncio.` or a variable that is the loop."""
    parent = function.module.parents.get(call)
    if starter == library.TASK:
        return False
    if isinstance(parent, ast.Assign):
        name = parent.targets[0].id if isinstance(parent.targets[0], ast.Name) else ""
        return name != "_" and starter.startswith("asyncio.")
    if not isinstance(parent, ast.Expr):
        return False
    if starter.startswith("asyncio."):
        # Through a re-export of the project's own it cannot be seen.
        root = call.func
        while isinstance(root, ast.Attribute):
            root = root.value
        if not isinstance(root, ast.Name):
            return False
        scope: Function | None = function
        while scope is not None:
            for binding in scope.bindings.get(root.id, ()):
                return isinstance(binding.target, str) and binding.target.partition(".")[0] == "asyncio"
            scope = scope.parent
        return False
    receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
    if not isinstance(receiver, ast.Name):
        return False
    for binding in function.bindings.get(receiver.id, ()) or function.module.body.bindings.get(receiver.id, ()):
        if isinstance(binding.value, ast.Call) and program.names_of(binding.value.func, binding.scope) & {
            "asyncio.get_event_loop", "asyncio.get_running_loop", "asyncio.new_event_loop",
        }:  # fmt: skip
            return True
    return False


def _fresh_task_from(program: Program, call: ast.Call, function: Function) -> Function | None:
    """The function that a call calls, if all it does with the task it starts is to return it."""
    found = None
    for value in program.callees(call, function):
        if not isinstance(value, Func):
            return None
        called = value.function
        if called.is_async or called.yields or called.decorators:
            return None
        returns = called.of(ast.Return)
        if len(returns) != 1 or not isinstance(returns[0].value, ast.Call):
            return None
        if not program.may_call(returns[0].value, called, *_STARTERS):
            return None
        found = called
    return found


def _starter_as_callback(program: Program, call: ast.Call, function: Function) -> Iterator[Finding]:
    """`loop.call_soon(asyncio.create_task, work())` and its like."""
    for name in program.outside_names(call):
        if name not in library.SYNC_CALLBACKS:
            continue
        index, keyword = library.SYNC_CALLBACKS[name]
        given = call.args[index : index + 1]
        given += [item.value for item in call.keywords if item.arg == keyword]
        for node in given:
            if name in library.EXECUTORS:
                continue
            inner = node
            if isinstance(node, ast.Call) and program.calls(node, function, "functools.partial") and node.args:
                inner = node.args[0]
            if program.names_of(inner, function) & set(_STARTERS):
                yield program.finding(
                    "HCS201",
                    call,
                    function,
                    f"`{ast.unparse(call.func)}` drops the task that `{ast.unparse(inner)}` starts: it may be "
                    "collected while it runs, and its failure is lost",
                    data={"starter": ast.unparse(inner), "form": "callback"},
                )
        return


# -- HCS202 ------------------------------------------------------------------------------------------------------


def check_background(program: Program, settings: Settings) -> Iterator[Finding]:
    """A background task of a full-screen application whose failure suspends the screen."""
    modules = full_screen_modules(program, with_importers=False)
    if not modules:
        return
    handlers = program.graph.reachable(
        [edge.callee for edge in program.graph.user_handlers], frozenset({EdgeKind.CALL})
    )
    for call, function in program.calls_of(_BACKGROUND):
        if function.module.is_test or function.module not in modules or not call.args:
            continue
        parent = function.module.parents.get(call)
        if not isinstance(parent, ast.Expr | ast.Lambda) or function not in handlers:
            continue
        for coroutine in program.coroutines(call.args[0], function):
            if coroutine.function is not None and not contains_its_failure(program, coroutine.function):
                yield program.finding(
                    "HCS202",
                    call,
                    function,
                    f"nobody keeps this task: when `{coroutine.function.name}` fails, prompt_toolkit's handler leaves "
                    "the full screen and asks for ENTER",
                    [program.related(coroutine.function.node, coroutine.function, "may fail")],
                    {"coroutine": coroutine.function.qualname},
                )
                break


def contains_its_failure(program: Program, function: Function, depth: int = 0) -> bool:
    """Whether a function catches every exception: all it does, but for what cannot fail, is in such a `try`."""
    names = ("builtins.Exception", "builtins.BaseException")
    for statement in function.body:
        if isinstance(statement, ast.Try) and statement.handlers:
            handler = catches(statement, names, program, function)
            if handler is not None and not any(isinstance(node, ast.Raise) for node in walk(handler.body)):
                rest = [*statement.finalbody, *statement.orelse]
                if not any(isinstance(node, ast.Await | ast.Raise) for node in walk(rest)):
                    continue
            return False
        if isinstance(statement, ast.With) and _suppresses_all(program, statement, function):
            continue
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.Import | ast.ImportFrom):
            continue
        if isinstance(statement, ast.If) and all(
            isinstance(node, ast.Return | ast.Pass) for node in (*statement.body, *statement.orelse)
        ):
            continue
        calls = [node for node in walk(statement) if isinstance(node, ast.Call | ast.Await | ast.Raise)]
        if not calls or _only_logs(calls):
            continue
        if depth < 3 and _delegates(statement, program, function, depth):
            continue
        return False
    return True


def _suppresses_all(program: Program, statement: ast.With, function: Function) -> bool:
    return swallowing_with(statement, {"builtins.Exception", "builtins.BaseException"}, program, function)


_CALM = frozenset(
    {"debug", "info", "warning", "error", "exception", "log", "critical", "sleep", "invalidate", "getLogger"}
)


def _only_logs(calls: Sequence[ast.AST]) -> bool:
    return all(
        isinstance(node, ast.Await)
        or (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CALM)
        for node in calls
    )


def _delegates(statement: ast.stmt, program: Program, function: Function, depth: int) -> bool:
    """Whether a statement merely awaits another function that contains its failure."""
    value = statement.value if isinstance(statement, ast.Expr | ast.Return | ast.Assign) else None
    if not isinstance(value, ast.Await) or not isinstance(value.value, ast.Call):
        return False
    coroutines = program.coroutines(value.value, function)
    return bool(coroutines) and all(
        item.function is not None and contains_its_failure(program, item.function, depth + 1) for item in coroutines
    )


# -- HCS206 ------------------------------------------------------------------------------------------------------


def check_owner(program: Program, settings: Settings) -> Iterator[Finding]:
    """A task is started by somebody else than the module that owns all tasks; only where an owner is configured."""
    if not settings.owner:
        return
    names = (*_STARTERS, _BACKGROUND, "asyncio.run_coroutine_threadsafe")
    for call, function in program.each(ast.Call):
        if settings.is_owner(function.module.name) or function.module.is_test:
            continue
        if program.may_call(call, function, *names) or _hands_starter_on(program, call, function, names):
            yield program.finding(
                "HCS206",
                call,
                function,
                f"`{ast.unparse(call.func)}` starts a task outside of its owner, {' or '.join(settings.owner)}",
                data={"starter": ast.unparse(call.func)},
            )


def _hands_starter_on(program: Program, call: ast.Call, function: Function, names: tuple[str, ...]) -> bool:
    return any(
        isinstance(argument, ast.Name | ast.Attribute)
        and program.names_of(argument, function) & (set(names) - {library.TASK})
        for argument in call.args
    )
