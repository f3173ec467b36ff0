"""HCS303 to HCS306: the event loop, and what is done on it or beside it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from openhcs.verify import library
from openhcs.verify.findings import Finding
from openhcs.verify.flow import path_of, paths_in, position, walk
from openhcs.verify.graph import EdgeKind
from openhcs.verify.model import Function
from openhcs.verify.program import Program
from openhcs.verify.rules.base import Settings
from openhcs.verify.values import Func, Inst, Ref

__all__ = [
    "check_blocking",
    "check_exception_handler",
    "check_executor_per_item",
    "check_get_event_loop",
    "wraps_executor",
]

_GET = ("asyncio.get_event_loop", "asyncio.Policy.get_event_loop")
_NEW = "asyncio.new_event_loop"
_SET_HANDLER = f"{library.LOOP}.set_exception_handler"
_RUNS = (f"{library.APPLICATION}.run_async", f"{library.APPLICATION}.run")
_RUN_LOOP = (f"{library.LOOP}.run_until_complete", f"{library.LOOP}.run_forever")


# -- HCS303 ------------------------------------------------------------------------------------------------------


def check_get_event_loop(program: Program, settings: Settings) -> Iterator[Finding]:
    """`get_event_loop` in a coroutine, or while a module is imported."""
    for call, function in program.calls_of(*_GET):
        if not (function.is_async or function.is_module) or not program.calls(call, function, *_GET):
            continue
        if function.is_module:
            if _is_main_block(call, function) or function.module.path.name == "__main__.py":
                continue
            message = (
                "`get_event_loop` while a module is imported: the loop it finds or makes is not the one that "
                "`asyncio.run` will run"
            )
        else:
            message = "`get_event_loop` in a coroutine: `get_running_loop` says what is meant, and never makes a loop"
        yield program.finding(
            "HCS303",
            call,
            function,
            message,
            data={"call": ast.unparse(call), "form": "import" if function.is_module else "coroutine"},
        )


def _is_main_block(node: ast.AST, function: Function) -> bool:
    return any(
        isinstance(outer, ast.If) and "__name__" in paths_in(outer.test) for outer, _ in function.module.around(node)
    )


# -- HCS304 ------------------------------------------------------------------------------------------------------


def check_exception_handler(program: Program, settings: Settings) -> Iterator[Finding]:
    """The loop's exception handler is set where another loop will run, or is replaced by prompt_toolkit."""
    reported: set[ast.AST] = set()
    for call, function, run, runner in _replaced(program):
        if call not in reported:
            reported.add(call)
            yield program.finding(
                "HCS304",
                call,
                function,
                "this handler is replaced while the application runs: give `run_async` set_exception_handler=False, "
                "and set it inside the running loop",
                [program.related(run, runner, "prompt_toolkit sets its own here")],
                {"form": "replaced"},
            )
    for call, function in program.calls_of(_SET_HANDLER):
        if call in reported or function.is_async:
            continue
        receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
        source = _get_event_loop_behind(program, receiver, function)
        if source is None or _runs_in_loop(program, function) or _runs_that_loop(program, function):
            continue
        if function.is_module and _is_main_block(call, function):
            continue
        yield program.finding(
            "HCS304",
            call,
            function,
            "the handler is set on whatever loop `get_event_loop` finds, outside of the running one: `asyncio.run` "
            "makes another. Set it in a coroutine, on `get_running_loop()`",
            [program.related(source, function, "the loop comes from here")] if source is not receiver else (),
            {"form": "outside"},
        )


def _get_event_loop_behind(program: Program, receiver: ast.expr | None, function: Function) -> ast.AST | None:
    if isinstance(receiver, ast.Call):
        return receiver if program.calls(receiver, function, *_GET) else None
    if isinstance(receiver, ast.Name):
        scope: Function | None = function
        while scope is not None and receiver.id not in scope.bindings:
            scope = scope.parent
        bindings = scope.bindings[receiver.id] if scope is not None else []
        sources = (*_GET, _NEW) if _only_runners(program) else _GET
        for binding in bindings:
            if not isinstance(binding.value, ast.Call) or not program.calls(binding.value, binding.scope, *sources):
                return None
        return bindings[0].node if bindings else None
    return None


def _only_runners(program: Program) -> bool:
    """Whether no loop is run but those that `asyncio.run` makes, so that one made by hand never is."""
    known = program.notes.get("only runners")
    if known is None:
        by_hand = ("run_forever", "run_until_complete", "set_event_loop", "loop_factory", "Runner(")
        known = program.notes["only runners"] = bool(program.calls_of("asyncio.run")) and not any(
            word in module.text for module in program.modules if not module.is_test for word in by_hand
        )
    return bool(known)


def _runs_in_loop(program: Program, function: Function, depth: int = 0) -> bool:
    """Whether a function is only called while a loop runs: by coroutines, their callbacks, or functions like it."""
    if function.is_async or any(outer.is_async for outer in function.ancestors()):
        return True
    edges = [edge for edge in program.graph.into.get(function, ()) if edge.caller is not function]
    return bool(edges) and depth < 4 and all(_runs_in_loop(program, edge.caller, depth + 1) for edge in edges)


def _runs_that_loop(program: Program, function: Function) -> bool:
    """Whether the loop is run where it is set up, or nobody runs another."""
    if any(program.may_call(call, function, *_RUN_LOOP) for call in function.of(ast.Call)):
        return True
    known = program.notes.get("loop is run by hand")
    if known is None:
        by_hand = bool(program.calls_of(*_RUN_LOOP))
        by_runner = bool(program.calls_of("asyncio.run", *_RUNS))
        known = program.notes["loop is run by hand"] = by_hand and not by_runner
    return bool(known)


def _replaced(program: Program) -> Iterator[tuple[ast.Call, Function, ast.Call, Function]]:
    """Each place that sets the handler before an application is run that sets its own."""
    setters: dict[Function, list[ast.Call]] = {}
    runners: dict[Function, list[ast.Call]] = {}
    for call, function in program.calls_of(_SET_HANDLER):
        if not (call.args and isinstance(call.args[0], ast.Constant)):
            setters.setdefault(function, []).append(call)
    for call, function in program.calls_of(*_RUNS):
        if not _keeps_handler(call) and not _is_super(call):
            runners.setdefault(function, []).append(call)
    if not setters or not runners:
        return
    for function in program.functions:
        if function.module.is_test:
            continue
        sets = list(_reaching(program, function, setters))
        if not sets:
            continue
        for set_at, setter in sets:
            for run_at, run in _reaching(program, function, runners):
                if position(set_at) < position(run_at) and set_at is not run_at:
                    where = next(owner for owner, calls in setters.items() if setter in calls)
                    runner = next(owner for owner, calls in runners.items() if run in calls)
                    yield setter, where, run, runner


def _is_super(call: ast.Call) -> bool:
    receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
    return isinstance(receiver, ast.Call) and isinstance(receiver.func, ast.Name) and receiver.func.id == "super"


def _keeps_handler(call: ast.Call) -> bool:
    return any(
        keyword.arg is None or (keyword.arg == "set_exception_handler" and not _is_true(keyword.value))
        for keyword in call.keywords
    )


def _is_true(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and bool(node.value)


def _reaching(
    program: Program, function: Function, goals: dict[Function, list[ast.Call]]
) -> Iterator[tuple[ast.AST, ast.Call]]:
    """The places in a function from which a goal is reached by calls and awaits, with the goal."""
    for call in goals.get(function, ()):
        yield call, call
    kinds = frozenset({EdgeKind.CALL, EdgeKind.AWAIT})
    for edge in program.graph.out.get(function, ()):
        if edge.kind not in kinds or edge.callee is function:
            continue
        for reached in _closure(program, edge.callee):
            for call in goals.get(reached, ()):
                yield edge.node, call


def _closure(program: Program, function: Function) -> frozenset[Function]:
    known: dict[Function, frozenset[Function]] = program.notes.setdefault("calls and awaits", {})
    if function not in known:
        reached = program.graph.reachable([function], frozenset({EdgeKind.CALL, EdgeKind.AWAIT}))
        known[function] = frozenset(reached)
    return known[function]


# -- HCS305 ------------------------------------------------------------------------------------------------------


def check_executor_per_item(program: Program, settings: Settings) -> Iterator[Finding]:
    """A loop hands every item to a thread and waits for it, one after the other."""
    for loop, function in program.each(ast.For):
        if not function.is_async:
            continue
        names = paths_in(loop.target)
        for statement in walk(loop.body):
            if isinstance(statement, ast.Assign) and mentions_any(statement.value, names):
                if not isinstance(statement.value, ast.Await):
                    names |= {path for target in statement.targets if (path := path_of(target)) is not None}
        waits = [node for node in walk(loop.body) if isinstance(node, ast.Await)]
        waits = [
            node
            for node in waits
            if not (isinstance(node.value, ast.Call) and program.may_call(node.value, function, "asyncio.sleep"))
        ]
        handed = [node for node in waits if _is_executor_call(program, _made_in(loop, node.value), function, names)]
        if not handed or len(handed) < len(waits) or _inner_loop(loop, handed[0], function) or _stops_early(loop):
            continue
        if any(isinstance(node, ast.AsyncFor | ast.AsyncWith | ast.Yield) for node in walk(loop.body)):
            continue
        yield _per_item(program, handed[0], function, loop)
    comprehensions: list[tuple[ast.ListComp | ast.SetComp | ast.DictComp, Function]] = [
        *program.each(ast.ListComp),
        *program.each(ast.SetComp),
        *program.each(ast.DictComp),
    ]
    for comprehension, function in comprehensions:
        if any(part.is_async for part in comprehension.generators):
            continue
        parts = [comprehension.value] if isinstance(comprehension, ast.DictComp) else [comprehension.elt]
        waits = [node for node in walk(parts) if isinstance(node, ast.Await)]
        names = {name for part in comprehension.generators for name in paths_in(part.target)}
        if len(waits) == 1 and _is_executor_call(program, waits[0].value, function, names):
            yield _per_item(program, waits[0], function, comprehension)


def _made_in(loop: ast.For, node: ast.expr) -> ast.expr:
    """What is awaited, or the call that this very turn of the loop gave that name: `f = submit(x)`, `await f`."""
    if not isinstance(node, ast.Name):
        return node
    made = [
        statement.value
        for statement in loop.body
        if isinstance(statement, ast.Assign) and any(path_of(target) == node.id for target in statement.targets)
    ]
    return made[0] if len(made) == 1 and isinstance(made[0], ast.Call) else node


def _per_item(program: Program, wait: ast.Await, function: Function, loop: ast.AST) -> Finding:
    return program.finding(
        "HCS305",
        wait,
        function,
        "each item makes its own trip to a thread while the others wait: do the whole loop in one call, or run the "
        "items together",
        [program.related(loop, function, "for each of these")],
    )


def mentions_any(node: ast.AST, names: set[str]) -> bool:
    """Whether one of the names is read in `node`."""
    return not names.isdisjoint(paths_in(node))


def _is_executor_call(program: Program, node: ast.expr, function: Function, names: set[str]) -> bool:
    if not isinstance(node, ast.Call) or not mentions_any(node, names):
        return False
    for value in program.values(node.func, function):
        if isinstance(value, Ref) and value.name in library.EXECUTORS:
            return True
        if isinstance(value, Func) and wraps_executor(program, value.function):
            return True
    return bool(program.outside_names(node) & library.EXECUTORS.keys())


def wraps_executor(program: Program, function: Function) -> bool:
    """Whether all that a function does is to run the function it is given in a thread."""
    body = [
        statement
        for statement in function.body
        if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
    ]
    if not function.is_async or len(body) > 2 or not body or not isinstance(body[-1], ast.Return):
        return False
    value = body[-1].value
    parameters = {parameter.arg for parameter in function.parameters}
    return (
        isinstance(value, ast.Await)
        and isinstance(value.value, ast.Call)
        and bool(program.outside_names(value.value) & library.EXECUTORS.keys())
        and mentions_any(value.value, parameters - {"self", "cls"})
    )


def _inner_loop(loop: ast.For, wait: ast.AST, function: Function) -> bool:
    """Whether a loop inside is the one to be told of."""
    for outer, _ in function.module.around(wait):
        if outer is loop:
            return False
        if isinstance(outer, ast.For):
            return True
        if isinstance(outer, ast.While):
            return True
    return False


def _stops_early(loop: ast.For) -> bool:
    return any(isinstance(node, ast.Break | ast.Return) for node in walk(loop.body))


# -- HCS306 ------------------------------------------------------------------------------------------------------


def check_blocking(program: Program, settings: Settings) -> Iterator[Finding]:
    """A coroutine calls a function that the project has declared to block; only where some are configured."""
    if not settings.blocking:
        return
    blocking = {
        function
        for function in program.functions
        if settings.is_blocking(f"{function.module.name}.{function.qualname}") and not function.is_async
    }
    for call, function in program.each(ast.Call):
        if not function.is_async:
            continue
        for value in program.values(call.func, function):
            path = _to_blocking(program, value, blocking, settings)
            if path is not None:
                yield program.finding(
                    "HCS306",
                    call,
                    function,
                    f"`{path}` blocks the event loop: call it in a thread",
                    data={"call": ast.unparse(call), "blocking": path},
                )
                break


def _to_blocking(program: Program, value: object, blocking: set[Function], settings: Settings) -> str | None:
    if isinstance(value, Ref):
        return value.name if settings.is_blocking(value.name) else None
    if isinstance(value, Inst) or not isinstance(value, Func) or value.function.is_async:
        return None
    for reached in program.graph.reachable([value.function], frozenset({EdgeKind.CALL})):
        if reached in blocking:
            return f"{reached.module.name}.{reached.qualname}"
    return None
