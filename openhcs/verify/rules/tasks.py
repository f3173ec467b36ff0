"""HCS202 and HCS206: tasks whose failure takes the screen, and tasks that somebody else than their owner starts."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from openhcs.verify import library
from openhcs.verify.findings import Finding
from openhcs.verify.flow import catches, swallowing_with, walk
from openhcs.verify.graph import EdgeKind
from openhcs.verify.model import Function
from openhcs.verify.program import Program
from openhcs.verify.rules.base import Settings
from openhcs.verify.rules.dropped import STARTERS
from openhcs.verify.rules.terminal import full_screen_modules

__all__ = ["check_background", "check_owner", "contains_its_failure"]

_BACKGROUND = f"{library.APPLICATION}.create_background_task"


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
    names = (*STARTERS, _BACKGROUND, "asyncio.run_coroutine_threadsafe")
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
