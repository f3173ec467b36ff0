"""HCS101 and HCS102: a cancelled task is waited for, without swallowing one's own cancellation.

Standard library only.
"""

from __future__ import annotations

import ast

from openhcs.verify import library
from openhcs.verify.findings import Finding
from openhcs.verify.fix.context import Context, Site, is_path
from openhcs.verify.fix.edits import Edit, Fix, Kind, Safety
from openhcs.verify.flow import catches, mentions, path_of, paths_in, swallowing_with
from openhcs.verify.graph import EdgeKind
from openhcs.verify.model import Function
from openhcs.verify.values import Coro, Func, Inst

__all__ = ["plan_not_awaited", "plan_own_cancellation"]

_CANCELLED = ("asyncio.CancelledError", "builtins.BaseException")
_RUNS = frozenset({EdgeKind.CALL, EdgeKind.AWAIT})


# -- HCS101 ------------------------------------------------------------------------------------------------------


def plan_not_awaited(context: Context, finding: Finding) -> Fix | None:
    """Where the cancelled task can be waited for at once, it is."""
    site = context.site(finding)
    call = site.find(finding.place, ast.Call)
    if call is None or not isinstance(call.func, ast.Attribute) or not is_path(call.func.value):
        return None
    function = site.function(call)
    statement = site.parent(call)
    if not function.is_async or not isinstance(statement, ast.Expr) or not site.is_alone(statement):
        return None
    if _would_swallow(context, site, statement, function) or _may_be_itself(context, call.func.value, function):
        return None
    loop = _loop_of(site, statement, call.func.value)
    if loop is not None and not _only_cancels(loop, statement):
        return None
    if loop is None:
        name, arguments, holes = "wait", "{$task}", {"task": call.func.value}
    else:
        if not is_path(_collection(loop.iter)) or not site.is_alone(loop):
            return None
        name, arguments, holes = "gather", "*$tasks, return_exceptions=True", {"tasks": loop.iter}
    usable = context.names.usable("asyncio", name, call, function)
    if usable is None:
        return None
    edit = Edit(Kind.AFTER, loop or statement, f"await {usable.text}({arguments})", holes)
    return context.fix(finding, Safety.UNSAFE, site.module, edit, *usable.edits)


def _would_swallow(context: Context, site: Site, statement: ast.stmt, function: Function) -> bool:
    """Whether an await here would be inside of what catches one's own cancellation."""
    for outer, child in site.around(statement):
        if isinstance(outer, ast.Try | ast.TryStar) and child in outer.body:
            if catches(outer, _CANCELLED, context.program, function) is not None:
                return True
        if isinstance(outer, ast.With | ast.AsyncWith):
            if swallowing_with(outer, set(_CANCELLED), context.program, function):
                return True
    return False


def _may_be_itself(context: Context, task: ast.expr, function: Function) -> bool:
    """Whether the task may be the one that runs this function: nobody can wait for himself."""
    program = context.program
    if any(program.may_call(call, function, "asyncio.current_task", "asyncio.all_tasks") for call in _calls(function)):
        return True
    started = [
        value.function
        for task_value in program.values(task, function)
        if isinstance(task_value, Inst)
        for value in task_value.of
        if isinstance(value, Coro | Func) and value.function is not None
    ]
    return function in program.graph.reachable(started, _RUNS)


def _calls(function: Function) -> list[ast.Call]:
    return function.of(ast.Call)


def _loop_of(site: Site, statement: ast.stmt, task: ast.expr) -> ast.For | None:
    """The loop that goes over the tasks of which one is cancelled."""
    root = (path_of(task) or "").partition(".")[0]
    for outer, child in site.around(statement):
        if isinstance(outer, ast.For) and child in outer.body and root in paths_in(outer.target):
            return outer
    return None


def _only_cancels(loop: ast.For, cancel: ast.stmt) -> bool:
    """Whether all that a loop does is to cancel each task, or each that is not done: then all can be waited for."""
    if not isinstance(loop.target, ast.Name) or loop.orelse or len(loop.body) != 1:
        return False
    inner = loop.body[0]
    if isinstance(inner, ast.If) and not inner.orelse and len(inner.body) == 1:
        if ast.unparse(inner.test) != f"not {loop.target.id}.done()":
            return False
        inner = inner.body[0]
    return inner is cancel


def _collection(node: ast.expr) -> ast.expr:
    """What a loop goes over: `tasks` for `list(tasks)`, `self.tasks` for `self.tasks.values()`."""
    if isinstance(node, ast.Call) and not node.keywords:
        if isinstance(node.func, ast.Name) and node.func.id in ("list", "tuple", "set", "reversed", "sorted"):
            return _collection(node.args[0]) if len(node.args) == 1 else node
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("values", "copy") and not node.args:
            return node.func.value
    return node


# -- HCS102 ------------------------------------------------------------------------------------------------------


def plan_own_cancellation(context: Context, finding: Finding) -> Fix | None:
    """`asyncio.wait` in place of the await and all that catches around it."""
    site = context.site(finding)
    statement = _statement(site, finding)
    if statement is None or not site.is_alone(statement):
        return None
    task = _only_await(statement)
    function = site.function(statement)
    if task is None or not is_path(task) or not _is_waitable(context, task, function):
        return None
    if not _is_there(site, finding, statement, task) or _may_be_itself(context, task, function):
        return None
    usable = context.names.usable("asyncio", "wait", statement, function)
    if usable is None:
        return None
    edit = Edit(Kind.STATEMENT, statement, f"await {usable.text}({{$task}})", {"task": task})
    return context.fix(finding, Safety.UNSAFE, site.module, edit, *usable.edits)


def _statement(site: Site, finding: Finding) -> ast.Try | ast.With | None:
    handler = site.find(finding.place, ast.ExceptHandler)
    if handler is None:
        return site.find(finding.place, ast.With)
    outer = site.parent(handler)
    return outer if isinstance(outer, ast.Try) else None


def _only_await(statement: ast.Try | ast.With) -> ast.expr | None:
    """What is awaited, if a statement does that, drops what comes of it, and nothing else."""
    if isinstance(statement, ast.Try):
        if statement.orelse or statement.finalbody:
            return None
        if not all(_does_nothing(handler.body) for handler in statement.handlers):
            return None
    elif len(statement.items) != 1 or statement.items[0].optional_vars is not None:
        return None
    if len(statement.body) != 1 or not isinstance(statement.body[0], ast.Expr):
        return None
    value = statement.body[0].value
    return value.value if isinstance(value, ast.Await) else None


def _does_nothing(body: list[ast.stmt]) -> bool:
    return all(
        isinstance(statement, ast.Pass)
        or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        for statement in body
    )


def _is_waitable(context: Context, task: ast.expr, function: Function) -> bool:
    """Whether what is awaited is a task or future, as far as is known."""
    values = context.program.values(task, function)
    return all(not isinstance(value, Coro) for value in values) and all(
        context.program.inference.is_a(value, library.TASK, library.FUTURE, library.OWNED_TASK)
        for value in values
        if isinstance(value, Inst)
    )


def _is_there(site: Site, finding: Finding, statement: ast.stmt, task: ast.expr) -> bool:
    """Whether the task is not None where it is awaited: every condition on the way to its cancel holds here too."""
    if not finding.related or finding.related[0].place.path != site.module.path:
        return False
    cancel = site.find(finding.related[0].place, ast.Call)
    if cancel is None:
        return False
    if site.function(cancel) is not site.function(statement):
        return True
    here = {id(outer): child for outer, child in site.around(statement)}
    for outer, child in site.around(cancel):
        if isinstance(outer, ast.If | ast.While | ast.IfExp | ast.BoolOp) and here.get(id(outer)) is not child:
            test = outer.test if isinstance(outer, ast.If | ast.While | ast.IfExp) else outer
            block_is_shared = id(outer) in here and _same_branch(outer, child, here[id(outer)])
            if not block_is_shared and mentions(test, {path_of(task) or ""}):
                return False
    return True


def _same_branch(outer: ast.AST, one: ast.AST, other: ast.AST) -> bool:
    return any(
        one in block and other in block
        for block in (getattr(outer, "body", None), getattr(outer, "orelse", None))
        if isinstance(block, list)
    )
