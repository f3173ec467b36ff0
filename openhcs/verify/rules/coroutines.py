"""HCS203 to HCS205: what becomes of coroutine objects."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from itertools import pairwise

from openhcs.verify import library
from openhcs.verify.findings import Finding
from openhcs.verify.flow import always_leaves, caught_at, children, is_inside, loops_around, position, walk
from openhcs.verify.graph import bound_arguments
from openhcs.verify.model import Binding, Function, How
from openhcs.verify.program import Program
from openhcs.verify.rules.base import Settings
from openhcs.verify.values import Coro, Inst

__all__ = ["check_never_awaited", "check_refused", "check_twice"]

_TAKERS = library.SCHEDULERS | library.AWAITERS
_NEED_LOOP = ("asyncio.create_task", "asyncio.run", "asyncio.run_coroutine_threadsafe")
_ENDERS = frozenset({"close", "throw", "send"})


# -- HCS203 ------------------------------------------------------------------------------------------------------


def check_twice(program: Program, settings: Settings) -> Iterator[Finding]:
    """A coroutine object is awaited or scheduled a second time, or a task is scheduled as if it were a coroutine."""
    for function in program.functions:
        for name, bindings in function.bindings.items():
            made = _made_once(program, function, bindings)
            if made is None:
                continue
            second = _used_twice(program, function, name, made)
            if second is not None:
                first, again = second
                is_gathered = (
                    first is again
                    and isinstance(again, ast.Call)
                    and program.calls(again, function, "asyncio.gather")
                    and not loops_around(again, function)
                )
                yield program.finding(
                    "HCS203",
                    again,
                    function,
                    f"`{name}` is one coroutine: it runs once, and `gather` gives its result twice"
                    if is_gathered
                    else f"`{name}` is a coroutine and was used up before: a second await raises RuntimeError",
                    [program.related(made, function, "made here"), program.related(first, function, "used up here")],
                    {"name": name},
                )
        yield from _collection_twice(program, function)
    for call, function in program.calls_of(*_TAKERS):
        yield from _task_as_coroutine(program, call, function)
        yield from _multiplied(program, call, function)


def _made_once(program: Program, function: Function, bindings: Sequence[Binding]) -> ast.AST | None:
    """Where a variable gets its one value, if that is a coroutine object that was just made."""
    if any(binding.how is How.PARAMETER for binding in bindings):
        return _coroutine_parameter(program, function, bindings)
    if len(bindings) != 1 or bindings[0].how is not How.VALUE or function.is_module:
        return None
    node = bindings[0].value
    if not isinstance(node, ast.Call) or not _is_coroutine_call(program, node, bindings[0].scope):
        return None
    return bindings[0].node if bindings[0].scope is function else None


def _is_coroutine_call(program: Program, node: ast.Call, function: Function) -> bool:
    values = program.values(node, function)
    return bool(values) and all(isinstance(value, Coro) for value in values)


def _coroutine_parameter(program: Program, function: Function, bindings: Sequence[Binding]) -> ast.AST | None:
    """A parameter that can only be a coroutine: by its annotation, by its callers, or by its name."""
    parameter = next(binding for binding in bindings if binding.how is How.PARAMETER)
    if any(binding.how not in (How.PARAMETER, How.ANNOTATED) for binding in bindings):
        return None
    annotated = [binding for binding in bindings if binding.how is How.ANNOTATED]
    if annotated:
        values = program.inference.values_of(annotated)
        return parameter.node if values and all(isinstance(value, Coro) for value in values) else None
    passed = program.inference.arguments_of(function, parameter.index)
    if passed:
        calls = [
            node for node, caller in passed if isinstance(node, ast.Call) and _is_coroutine_call(program, node, caller)
        ]
        return parameter.node if len(calls) == len(passed) else None
    name = getattr(parameter.node, "arg", "")
    return parameter.node if name in ("coro", "coroutine") else None


def _uses(function: Function, name: str) -> list[ast.Name]:
    nodes: list[ast.AST] = [*function.body] if not isinstance(function.node, ast.Lambda) else [function.node.body]
    return [
        node
        for node in walk(nodes)
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
    ]


def _parents_of_names(function: Function, name: str) -> dict[ast.Name, ast.AST]:
    nodes: list[ast.AST] = [*function.body] if not isinstance(function.node, ast.Lambda) else [function.node.body]
    found: dict[ast.Name, ast.AST] = {}
    for node in walk(nodes):
        for child in children(node):
            if isinstance(child, ast.Name) and child.id == name and isinstance(child.ctx, ast.Load):
                found[child] = node
    return found


def _using_up(program: Program, function: Function, name: str) -> list[ast.AST]:
    """Where the coroutine of a name is awaited or scheduled."""
    found: list[ast.AST] = []
    for parent in _parents_of_names(function, name).values():
        if isinstance(parent, ast.Await):
            found.append(parent)
        elif isinstance(parent, ast.Call) and any(isinstance(a, ast.Name) and a.id == name for a in parent.args):
            count = sum(isinstance(argument, ast.Name) and argument.id == name for argument in parent.args)
            if program.names_of(parent.func, function) & _TAKERS:
                found += [parent] * count
    return sorted(dict.fromkeys(found), key=position) if len(set(found)) == len(found) else sorted(found, key=position)


def _used_twice(program: Program, function: Function, name: str, made: ast.AST) -> tuple[ast.AST, ast.AST] | None:
    uses = _using_up(program, function, name)
    if len({id(use) for use in uses}) < len(uses):
        return uses[0], uses[0]
    made_in = {id(loop) for loop in loops_around(made, function)} if not isinstance(made, ast.arg) else set()
    for use in uses:
        for loop in loops_around(use, function):
            if id(loop) in made_in:
                break
            if not _leaves_loop(use, loop, function):
                return use, use
    for first, second in pairwise(uses):
        if is_inside(first, second, function) or is_inside(second, first, function):
            continue
        if _both_run(first, second, function):
            return first, second
    return None


def _collection_twice(program: Program, function: Function) -> Iterator[Finding]:
    """`gather(*works)` behind `gather(*works)`, where `works` holds coroutines."""
    for name, bindings in function.bindings.items():
        made = [binding for binding in bindings if binding.how is How.VALUE]
        if len(made) != 1 or len(bindings) > 2 or function.is_module or made[0].scope is not function:
            continue
        if not isinstance(made[0].value, ast.List | ast.ListComp | ast.Tuple):
            continue
        items = program.inference.items(program.values(made[0].value, function))
        if not items or not all(isinstance(item, Coro) for item in items):
            continue
        uses: list[ast.AST] = [
            call
            for call, where in program.calls_of(*_TAKERS)
            if where is function
            and any(isinstance(item, ast.Starred) and _is_name(item.value, name) for item in call.args)
        ]
        loops: list[ast.AST] = [*function.of(ast.ListComp), *function.of(ast.SetComp), *function.of(ast.For)]
        uses += [node for node in loops if _schedules_each(program, node, name, function)]
        uses.sort(key=position)
        if len(uses) > 1 and _both_run(uses[0], uses[1], function):
            yield program.finding(
                "HCS203",
                uses[1],
                function,
                f"the coroutines of `{name}` were used up before: a second await of each raises RuntimeError",
                [program.related(uses[0], function, "used up here")],
                {"name": name},
            )


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _schedules_each(program: Program, node: ast.AST, name: str, function: Function) -> bool:
    """Whether a loop or comprehension awaits or schedules each item of a collection."""
    body: list[ast.AST]
    if isinstance(node, ast.For):
        target, iterated, body = node.target, node.iter, [*node.body]
    elif isinstance(node, ast.ListComp | ast.SetComp):
        target, iterated, body = node.generators[0].target, node.generators[0].iter, [node.elt]
    else:
        return False
    if not _is_name(iterated, name) or not isinstance(target, ast.Name):
        return False
    for inner in walk(body):
        if isinstance(inner, ast.Await) and _is_name(inner.value, target.id):
            return True
        if isinstance(inner, ast.Call) and any(_is_name(argument, target.id) for argument in inner.args):
            if program.names_of(inner.func, function) & _TAKERS:
                return True
    return False


def _leaves_loop(use: ast.AST, loop: ast.AST, function: Function) -> bool:
    """Whether a turn of a loop that comes to `use` is the last."""
    for outer, child in function.module.around(use):
        if isinstance(outer, ast.Return):
            return not _try_between(outer, loop, function)
        if outer is loop:
            body = [*getattr(outer, "body", ()), *getattr(outer, "orelse", ())]
            behind = body[body.index(child) :] if child in body else []
            return _ends_loop(behind)
        for field in ("body", "orelse", "finalbody"):
            block = getattr(outer, field, None)
            if isinstance(block, list) and child in block and _ends_loop(block[block.index(child) :]):
                return not (isinstance(outer, ast.Try) and outer.handlers and field == "body" and _goes_round(outer))
    return True


def _ends_loop(block: list[ast.stmt]) -> bool:
    return any(isinstance(statement, ast.Return | ast.Raise | ast.Break) for statement in block)


def _goes_round(node: ast.Try) -> bool:
    return any(not _ends_loop(handler.body) for handler in node.handlers)


def _try_between(node: ast.AST, loop: ast.AST, function: Function) -> bool:
    for outer, child in function.module.around(node):
        if outer is loop:
            return False
        if isinstance(outer, ast.Try) and child in outer.body and _goes_round(outer):
            return True
    return False


def _both_run(first: ast.AST, second: ast.AST, function: Function) -> bool:
    """Whether one run for certain passes `first` on its way to `second`."""
    conditions = {id(outer): child for outer, child in function.module.around(second)}
    for outer, child in function.module.around(first):
        if id(outer) in conditions:
            other = conditions[id(outer)]
            if isinstance(outer, ast.If | ast.IfExp) and other is not child and outer.test not in (other, child):
                return False
            if isinstance(outer, ast.Try) and other is not child:
                return _in_try_order(outer, child, other)
            return not isinstance(outer, ast.BoolOp)
        if isinstance(outer, ast.If | ast.IfExp | ast.For | ast.While | ast.BoolOp | ast.Match | ast.ExceptHandler):
            if not (isinstance(outer, ast.If | ast.While | ast.IfExp) and outer.test is child):
                return False
        if isinstance(outer, ast.Try) and outer.handlers and child in outer.body and always_leaves(outer.body):
            return False
        for field in ("body", "orelse", "finalbody"):
            block = getattr(outer, field, None)
            if isinstance(block, list) and child in block and always_leaves(block[block.index(child) :]):
                return False
    return True


def _in_try_order(node: ast.Try, first: ast.AST, second: ast.AST) -> bool:
    if first in node.body:
        return (
            second in node.handlers
            or second in node.finalbody
            or (second in node.orelse or (second in node.body and not always_leaves([first])))
        )
    return first in node.orelse and second in node.finalbody


def _task_as_coroutine(program: Program, call: ast.Call, function: Function) -> Iterator[Finding]:
    """`create_task(task)` raises TypeError."""
    if not call.args or not program.calls(
        call, function, "asyncio.create_task", f"{library.LOOP}.create_task", "asyncio.run",
        "asyncio.TaskGroup.create_task", "asyncio.run_coroutine_threadsafe",
    ):  # fmt: skip
        return
    if isinstance(call.args[0], ast.Name) and any(
        binding.how is How.PARAMETER for binding in function.bindings.get(call.args[0].id, ())
    ):
        return
    given = program.values(call.args[0], function)
    if given and all(isinstance(value, Inst) and value.type in (library.TASK, library.OWNED_TASK) for value in given):
        yield program.finding(
            "HCS203",
            call,
            function,
            f"`{ast.unparse(call.args[0])}` is a task already: `{ast.unparse(call.func)}` takes coroutines only",
            data={"name": ast.unparse(call.args[0])},
        )


def _multiplied(program: Program, call: ast.Call, function: Function) -> Iterator[Finding]:
    """`gather(*[work()] * 3)` awaits one coroutine three times."""
    for argument in call.args:
        node = argument.value if isinstance(argument, ast.Starred) else argument
        if isinstance(node, ast.Name) and len(function.bindings.get(node.id, ())) == 1:
            node = function.bindings[node.id][0].value or node
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Mult):
            continue
        for side in (node.left, node.right):
            if isinstance(side, ast.List | ast.Tuple) and any(
                isinstance(item, ast.Call) and _is_coroutine_call(program, item, function) for item in side.elts
            ):
                if program.names_of(call.func, function) & _TAKERS:
                    yield program.finding(
                        "HCS203",
                        node,
                        function,
                        "multiplying the list repeats one coroutine object: it runs once at most",
                        data={"name": ast.unparse(side)},
                    )


# -- HCS204 ------------------------------------------------------------------------------------------------------


def check_refused(program: Program, settings: Settings) -> Iterator[Finding]:
    """A coroutine is made before it is certain that anybody takes it, and leaks when nobody does."""
    refusals = _refusing_parameters(program)
    for call, function in program.each(ast.Call) if refusals else ():
        for value in program.callees(call, function):
            for called, index, node in bound_arguments(value, call):
                refusal = refusals.get((called, index))
                if refusal is None or not isinstance(node, ast.Call) or not _is_coroutine_call(program, node, function):
                    continue
                if _is_asked_before(call, function, refusal, called):
                    continue
                yield program.finding(
                    "HCS204",
                    node,
                    function,
                    f"`{ast.unparse(node.func)}` is called before `{called.name}` has accepted it: where that refuses, "
                    "the coroutine is never awaited. Pass a function, or let the refusal close it",
                    [program.related(refusal, called, "refuses here")],
                    {"coroutine": ast.unparse(node), "callee": called.qualname},
                )
    for call, function in program.calls_of(*_NEED_LOOP):
        yield from _refused_without_loop(program, call, function)
    for function in program.functions:
        yield from _left_before_use(program, function)


def _is_asked_before(call: ast.Call, function: Function, refusal: ast.stmt, called: Function) -> bool:
    """Whether the caller asks for himself what he would be refused for: `if not self.closed: self.start(work())`."""
    asked = {
        node.attr
        for outer, _ in called.module.around(refusal)
        if isinstance(outer, ast.If)
        for node in ast.walk(outer.test)
        if isinstance(node, ast.Attribute)
    }
    tests = [outer.test for outer, child in function.module.around(call) if isinstance(outer, ast.If)]
    tests += [node.test for node in function.of(ast.If) if position(node) < position(call) and always_leaves(node.body)]
    return any(isinstance(node, ast.Attribute) and node.attr in asked for test in tests for node in ast.walk(test))


def _refusing_parameters(program: Program) -> dict[tuple[Function, int], ast.stmt]:
    """Parameters that get coroutines, with the exit before which the coroutine is neither used nor closed.

    Also those that are merely handed on to such a parameter.
    """
    takers = [
        (function, index)
        for (function, index), passed in program.inference.all_arguments()
        if not function.is_module
        and not function.is_lambda
        and any(program.coroutines(node, caller) for node, caller in passed)
    ]
    found: dict[tuple[Function, int], ast.stmt] = {}
    for function, index in takers:
        exit_ = _exit_before_use(function.body, function.parameters[index].arg)
        if exit_ is not None and not _is_impossible(exit_):
            found[function, index] = exit_
    for _ in range(3 if found else 0):
        for function, index in takers:
            if (function, index) not in found:
                refusal = _refused_by_next(program, function, function.parameters[index].arg, found)
                if refusal is not None:
                    found[function, index] = refusal
    return found


def _refused_by_next(
    program: Program, function: Function, name: str, refusals: dict[tuple[Function, int], ast.stmt]
) -> ast.stmt | None:
    """Where a parameter is refused by the one function that it is handed on to."""
    if len(_uses(function, name)) != 1:
        return None
    for call in function.of(ast.Call):
        if any(isinstance(outer, ast.Try) for outer, _ in function.module.around(call)):
            continue
        for value in program.callees(call, function):
            for called, index, node in bound_arguments(value, call):
                if isinstance(node, ast.Name) and node.id == name and (called, index) in refusals:
                    return refusals[called, index]
    return None


def _is_impossible(node: ast.stmt) -> bool:
    """`raise NotImplementedError`: nobody who is called in earnest does that."""
    if not isinstance(node, ast.Raise) or node.exc is None:
        return False
    raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    return isinstance(raised, ast.Name) and raised.id in ("NotImplementedError", "AssertionError", "TypeError")


def _exit_before_use(body: Sequence[ast.stmt], name: str) -> ast.stmt | None:
    """A `return` or `raise` that is reached without anything having been done with `name`."""
    for statement in body:
        if isinstance(statement, ast.If):
            if _reads(statement.test, name):
                return None
            for branch in (statement.body, statement.orelse):
                if (found := _exit_before_use(branch, name)) is not None:
                    return found
            if _reads(statement, name):
                return None
        elif isinstance(statement, ast.Try | ast.With | ast.AsyncWith) and not any(
            _reads(item, name) for item in (statement.finalbody if isinstance(statement, ast.Try) else statement.items)
        ):
            if (found := _exit_before_use(statement.body, name)) is not None or _reads(statement, name):
                return found
        elif isinstance(statement, ast.Return | ast.Raise) and not _reads(statement, name):
            return statement
        elif _reads(statement, name) or isinstance(statement, ast.Try | ast.For | ast.While | ast.Match):
            return None
    return None


def _reads(node: ast.AST, name: str) -> bool:
    return any(isinstance(inner, ast.Name) and inner.id == name for inner in ast.walk(node))


def _refused_without_loop(program: Program, call: ast.Call, function: Function) -> Iterator[Finding]:
    """`try: create_task(work()) except RuntimeError`: there may be no loop, and then the coroutine leaks."""
    if not call.args or not isinstance(call.args[0], ast.Call) or function.is_async:
        return
    if not _is_coroutine_call(program, call.args[0], function):
        return
    for outer, child in function.module.around(call):
        if isinstance(outer, ast.Try) and child in outer.body:
            for handler in outer.handlers:
                if handler.type is not None and "builtins.RuntimeError" in caught_at(handler.type, program, function):
                    if _asked_before(program, call, outer, function):
                        return
                    yield program.finding(
                        "HCS204",
                        call.args[0],
                        function,
                        f"where `{ast.unparse(call.func)}` raises RuntimeError, this coroutine was made already and is "
                        "never awaited",
                        [program.related(handler, function, "the refusal is expected here")],
                        {"coroutine": ast.unparse(call.args[0]), "callee": ast.unparse(call.func)},
                    )
                    return


def _asked_before(program: Program, call: ast.Call, node: ast.Try, function: Function) -> bool:
    """Whether the same `try` asked for the running loop before the coroutine was made."""
    return any(
        isinstance(inner, ast.Call)
        and position(inner) < position(call)
        and program.may_call(inner, function, "asyncio.get_running_loop", "asyncio.get_event_loop")
        for inner in walk(node.body)
    )


def _left_before_use(program: Program, function: Function) -> Iterator[Finding]:
    """`coro = work()`, then a `return` or `raise` before anything is done with it."""
    for name, bindings in function.bindings.items():
        if len(bindings) != 1 or bindings[0].how is not How.VALUE or function.is_module:
            continue
        node = bindings[0].value
        assign = bindings[0].node
        if not isinstance(assign, ast.Assign) or bindings[0].scope is not function:
            continue
        if not isinstance(node, ast.Call) or not _is_coroutine_call(program, node, function):
            continue
        parent = function.module.parents.get(assign)
        for field in ("body", "orelse", "finalbody"):
            block = getattr(parent, field, None)
            if isinstance(block, list) and assign in block:
                exit_ = _exit_before_use(block[block.index(assign) + 1 :], name)
                if exit_ is not None and len(_uses(function, name)) > 0:
                    yield program.finding(
                        "HCS204",
                        node,
                        function,
                        f"`{name}` is made before it is certain to be needed: on this way out it is never awaited",
                        [program.related(exit_, function, "leaves without it")],
                        {"coroutine": ast.unparse(node), "callee": ""},
                    )


# -- HCS205 ------------------------------------------------------------------------------------------------------


def check_never_awaited(program: Program, settings: Settings) -> Iterator[Finding]:
    """A coroutine function is called as if it were a plain one."""
    for statement, function in program.each(ast.Expr):
        call = statement.value
        if not isinstance(call, ast.Call):
            continue
        functions = program.coroutine_functions(call.func, function)
        if not functions or not _is_called_by_name(call.func, functions, function):
            continue
        if _raises_expected(statement, function):
            continue
        yield program.finding(
            "HCS205",
            call,
            function,
            f"`{ast.unparse(call.func)}` is a coroutine function: without `await` this does nothing",
            data={"coroutine": ast.unparse(call)},
        )


def _is_called_by_name(node: ast.expr, functions: Sequence[Function], function: Function) -> bool:
    """Whether the functions are called by their own names; a callback kept under another is its giver's fault."""
    if isinstance(node, ast.Attribute):
        return all(called.name == node.attr for called in functions)
    scope: Function | None = function
    while isinstance(node, ast.Name) and scope is not None:
        if node.id in scope.bindings:
            return all(binding.how in (How.DEFINITION, How.IMPORT) for binding in scope.bindings[node.id])
        scope = scope.parent
    return False


def _raises_expected(statement: ast.Expr, function: Function) -> bool:
    """In a test that expects the call itself to fail nothing is awaited."""
    return any(
        isinstance(outer, ast.With) and any("raises" in ast.dump(item.context_expr) for item in outer.items)
        for outer, _ in function.module.around(statement)
    )
