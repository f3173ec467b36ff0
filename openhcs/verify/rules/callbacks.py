"""HCS301 and HCS302: functions that others call back."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from openhcs.verify import library
from openhcs.verify.findings import Finding
from openhcs.verify.flow import always_leaves, catches, path_of, paths_in, position, swallowing_with
from openhcs.verify.graph import EdgeKind
from openhcs.verify.model import Function
from openhcs.verify.program import Program
from openhcs.verify.rules.base import Settings
from openhcs.verify.rules.dropped_results import dropped_parameters
from openhcs.verify.values import Cls, Coro, Func, Inst, Ref

__all__ = ["check_coroutine_callback", "check_set_result"]


# -- HCS301 ------------------------------------------------------------------------------------------------------


def check_coroutine_callback(program: Program, settings: Settings) -> Iterator[Finding]:
    """A coroutine function is given to somebody who calls it as a plain one: nothing of it ever runs."""
    for call, function in program.calls_of(*library.SYNC_CALLBACKS, *library.SYNC_KEYWORDS):
        for node, taker in _known_callbacks(program, call):
            yield from _coroutine_given(program, node, taker, function)
    for (called, index), _ in dropped_parameters(program).items():
        for node, function in program.inference.arguments_of(called, index):
            yield from _coroutine_given(program, node, f"`{called.name}`", function)
    for augmented, function in program.each(ast.AugAssign):
        event = augmented.target
        if isinstance(event, ast.Attribute) and event.attr in library.EVENT_ATTRIBUTES:
            yield from _coroutine_given(program, augmented.value, f"the event `{event.attr}`", function)
    for assign, function in program.each(ast.Assign):
        for target in assign.targets:
            if isinstance(target, ast.Attribute) and program.names_of(target, function) & library.HOOKS:
                yield from _coroutine_given(program, assign.value, f"`{ast.unparse(target)}`", function)
    for tuple_, function in program.each(ast.Tuple):
        if len(tuple_.elts) == 3 and function.module.imports("prompt_toolkit") and _is_fragment(tuple_):
            yield from _coroutine_given(program, tuple_.elts[2], "a mouse handler", function)
    yield from _methods(program)
    yield from _decorated(program)


def _is_fragment(node: ast.Tuple) -> bool:
    """Whether a tuple looks like `(style, text, mouse handler)`."""
    style, text, handler = node.elts
    return (
        isinstance(style, ast.Constant | ast.JoinedStr)
        and (not isinstance(style, ast.Constant) or isinstance(style.value, str))
        and isinstance(handler, ast.Name | ast.Attribute | ast.Lambda | ast.Call)
        and not isinstance(text, ast.Lambda)
    )


def _known_callbacks(program: Program, call: ast.Call) -> Iterator[tuple[ast.expr, str]]:
    """The arguments of a call that are called as plain functions, and by whom."""
    if not call.args and not call.keywords:
        return
    taker = f"`{ast.unparse(call.func)}`"
    for name in program.outside_names(call):
        known = library.SYNC_CALLBACKS.get(name)
        if known is not None:
            index, keyword = known
            if index < len(call.args):
                yield call.args[index], taker
            for item in call.keywords:
                if item.arg == keyword:
                    yield item.value, taker
        keywords = library.SYNC_KEYWORDS.get(name)
        if keywords:
            for item in call.keywords:
                if item.arg in keywords:
                    yield item.value, f"`{item.arg}` of {taker}"


def _coroutine_given(program: Program, node: ast.expr, taker: str, function: Function) -> Iterator[Finding]:
    values = program.values(node, function)
    if isinstance(node, ast.Lambda):
        inner = function.module.by_node[node]
        made = program.values(node.body, inner)
        name = ast.unparse(node.body.func) if isinstance(node.body, ast.Call) else ast.unparse(node.body)
        is_coroutine = bool(made) and all(isinstance(value, Coro) for value in made)
        form = "lambda"
    else:
        functions = program.coroutine_functions(node, function)
        is_coroutine, name, form = bool(functions) and len(functions) >= len(values), ast.unparse(node), "function"
        if values and all(isinstance(value, Coro) for value in values) and isinstance(node, ast.Call):
            is_coroutine, form = True, "coroutine"
    if is_coroutine:
        what = f"`{name}` is a coroutine function" if form != "coroutine" else f"`{name}` is a coroutine"
        yield program.finding(
            "HCS301",
            node,
            function,
            f"{what}, and {taker} calls it without awaiting: it never runs",
            data={"callback": name, "form": form},
        )


def _decorated(program: Program) -> Iterator[Finding]:
    """`@atexit.register` and its like above an `async def`."""
    for function in program.functions:
        if not function.is_async or function.yields or function.parent is None:
            continue
        for node in function.decorators:
            names = program.names_of(node, function.parent)
            if any(library.SYNC_CALLBACKS.get(name, (1, ""))[0] == 0 for name in names):
                yield program.finding(
                    "HCS301",
                    node,
                    function,
                    f"`{function.name}` is a coroutine function, and `{ast.unparse(node)}` calls it without awaiting: "
                    "it never runs",
                    data={"callback": function.qualname, "form": "decorator"},
                )


def _methods(program: Program) -> Iterator[Finding]:
    for function in program.functions:
        cls = function.owner
        if cls is None or not function.is_async or function.yields or not program.is_coroutine_function(function):
            continue
        caller = ""
        if function.name in library.SYNC_METHODS:
            caller = "Python"
        else:
            for base in program.inference.ancestry(cls):
                if (isinstance(base, Ref) and function.name in library.SYNC_BASES.get(base.name, ())) or (
                    base == Ref("unittest.TestCase") and function.name.startswith("test")
                ):
                    caller = base.name
        if caller and not (caller == "unittest.TestCase" and len(program.inference.ancestry(cls)) > 2):
            yield program.finding(
                "HCS301",
                function.node,
                function,
                f"{caller} calls `{function.name}` without awaiting: as a coroutine function it never runs",
                data={"callback": function.qualname, "form": "method"},
            )


# -- HCS302 ------------------------------------------------------------------------------------------------------

_SETTERS = ("set_result", "set_exception")
_FUTURE_NAMES = (
    "fut",
    "future",
    "result",
    "waiter",
    "answer",
    "promise",
    "reply",
    "response",
    "finished",
    "closed",
    "done",
)


def check_set_result(program: Program, settings: Settings) -> Iterator[Finding]:
    """A callback completes a future that may be done, or cancelled, already."""
    called_back = _called_back(program)
    limited = _limited_attributes(program)
    for call, function in program.calls_named(*_SETTERS):
        if function.module.is_test or len(call.args) != 1 or not isinstance(call.func, ast.Attribute):
            continue
        future = call.func.value
        if function in called_back and _may_be_done(program, call, future, function):
            yield _unguarded(program, call, call.func, called_back[function], function)
        elif _is_limited(future, function, limited) and _may_be_done(
            program, call, future, function, is_future=not program.values(future, function)
        ):
            yield _unguarded(program, call, call.func, "somebody after the time limit", function)
    for call, function in program.calls_of(*library.SYNC_CALLBACKS):
        if function.module.is_test or _watches_file(program, call, function):
            continue
        for name in program.outside_names(call):
            if name in library.SYNC_CALLBACKS and name not in library.EXECUTORS:
                index, keyword = library.SYNC_CALLBACKS[name]
                given = [*call.args[index : index + 1], *(k.value for k in call.keywords if k.arg == keyword)]
                for node in given:
                    inner = node.args[0] if isinstance(node, ast.Call) and node.args else node
                    if isinstance(inner, ast.Attribute) and inner.attr in _SETTERS:
                        if _is_asyncio_future(program, inner.value, function) and not _only_raced(
                            program, inner.value, function
                        ):
                            yield _unguarded(program, call, inner, f"`{ast.unparse(call.func)}`", function)


def _unguarded(program: Program, call: ast.Call, setter: ast.Attribute, caller: str, function: Function) -> Finding:
    future = ast.unparse(setter.value)
    return program.finding(
        "HCS302",
        call,
        function,
        f"`{future}` may be done or cancelled when {caller} calls this: then `{setter.attr}` raises InvalidStateError",
        data={"future": future, "setter": setter.attr},
    )


def _watches_file(program: Program, call: ast.Call, function: Function) -> bool:
    """Whether a call watches a file descriptor for a future that ends the watch when it is done, or cancelled."""
    watches = {f"{library.LOOP}.add_reader", f"{library.LOOP}.add_writer"}
    return not program.outside_names(call).isdisjoint(watches) and _ends_watch(function)


def _ends_watch(function: Function) -> bool:
    ends = ("add_done_callback", "remove_reader", "remove_writer")
    return any(isinstance(call.func, ast.Attribute) and call.func.attr in ends for call in function.of(ast.Call))


def _only_raced(program: Program, future: ast.expr, function: Function) -> bool:
    """Whether a future is waited for by `asyncio.wait` only, which never cancels it."""
    path = path_of(future)
    if path is None or "." in path:
        return False
    raced = False
    for other in function.module.functions:
        if other is not function and function not in other.ancestors() and other not in function.ancestors():
            continue
        if any(path == path_of(node.value) and isinstance(node.value, ast.Name) for node in other.of(ast.Await)):
            return False
        for call in other.of(ast.Call):
            if program.may_call(call, other, "asyncio.wait") and path in paths_in(call):
                raced = True
    return raced


def _called_back(program: Program) -> dict[Function, str]:
    """Functions that somebody calls later, perhaps twice, perhaps when the waiter has gone."""
    found: dict[Function, str] = {}
    kinds = (EdgeKind.HANDLER, EdgeKind.DONE)
    for edge in program.graph.user_handlers:
        found.setdefault(edge.callee, "its key, button or event")
    for function, edges in program.graph.into.items():
        if not function.is_async and any(
            edge.kind in kinds and _keeps(program, edge.node, edge.caller, function) for edge in edges
        ):
            found.setdefault(function, "its caller")
    for function in program.functions:
        if function.owner is not None and not function.is_async:
            for base in program.inference.ancestry(function.owner):
                if isinstance(base, Ref) and base.name.startswith("asyncio."):
                    if function.name in ("data_received", "datagram_received", "error_received", "pipe_data_received"):
                        found.setdefault(function, "the transport")
    return found


_KEPT_AS = ("on_", "handler", "callback", "action", "command")


def _keeps(program: Program, node: ast.AST, function: Function, callee: Function) -> bool:
    """Whether a call keeps the function it gets and calls it later, as far as its name or that of the argument says."""
    if not isinstance(node, ast.Call):
        return True
    names = program.outside_names(node)
    if names & library.EXECUTORS.keys():
        return False
    if names & library.SYNC_CALLBACKS.keys():
        return True
    if any(isinstance(value, Func | Cls) for value in program.callees(node, function)):
        return True
    return any(
        keyword.arg is not None
        and (keyword.arg.startswith(_KEPT_AS) or keyword.arg.endswith(_KEPT_AS))
        and Func(callee) in program.values(keyword.value, function)
        for keyword in node.keywords
    )


def _is_asyncio_future(program: Program, node: ast.expr, function: Function) -> bool:
    values = [value for value in program.values(node, function) if isinstance(value, Inst)]
    if values:
        return all(value.type == library.FUTURE for value in values)
    name = (path_of(node) or "").rpartition(".")[2].lower().lstrip("_")
    return name.endswith(_FUTURE_NAMES) and (
        function.module.imports("asyncio") or function.module.imports("prompt_toolkit")
    )


def _may_be_done(
    program: Program, call: ast.Call, future: ast.expr, function: Function, *, is_future: bool = False
) -> bool:
    if not is_future and not _is_asyncio_future(program, future, function):
        return False
    path = path_of(future)
    if path is None:
        return False
    for binding in function.bindings.get(path, ()):
        if isinstance(binding.value, ast.Call) and not _leaves_it_there(binding.value):
            return False  # made, or taken out of where it waited, by this very function
    if any(path in [path_of(target) for target in assign.targets] for assign in function.of(ast.Assign) if "." in path):
        return False
    return not _is_guarded(program, call, function) and not _ends_watch(function)


def _leaves_it_there(call: ast.Call) -> bool:
    """Whether a call looks a future up where the next caller will find it again: `self._waiting.get(number)`."""
    return isinstance(call.func, ast.Attribute) and call.func.attr == "get" and path_of(call.func.value) is not None


def _limited_attributes(program: Program) -> dict[str, list[Function]]:
    """Attributes that are waited for with a time limit, which cancels them; not those that the waiter then clears."""
    found: dict[str, list[Function]] = {}
    for call, function in program.calls_of("asyncio.wait_for"):
        node = call.args[0] if call.args else None
        path = path_of(node) if isinstance(node, ast.Attribute) else None
        if path is None or function.module.is_test:
            continue
        targets = [target for assign in function.of(ast.Assign) for target in assign.targets]
        behind = [target for target in targets if path_of(target) == path and position(target) > position(call)]
        if not behind:
            found.setdefault(path.rpartition(".")[2], []).append(function)
    return found


def _is_limited(future: ast.expr, function: Function, limited: dict[str, list[Function]]) -> bool:
    """Whether a future is one that a time limit elsewhere may have cancelled."""
    path = path_of(future)
    if not isinstance(future, ast.Attribute) or path is None:
        return False
    of_self = path == f"self.{future.attr}"
    return any(
        waiter is not function and (not of_self or waiter.method_of is function.method_of)
        for waiter in limited.get(future.attr, ())
    )


def _is_guarded(program: Program, call: ast.Call, function: Function) -> bool:
    for outer, child in function.module.around(call):
        if (
            isinstance(outer, ast.If | ast.IfExp | ast.While)
            and child is not outer.test
            and _asks_done(outer.test, function)
        ):
            return True
        if isinstance(outer, ast.BoolOp) and any(_asks_done(value, function) for value in outer.values):
            return True
        if isinstance(outer, ast.Try) and child in outer.body:
            wanted = ("asyncio.InvalidStateError", "builtins.Exception", "builtins.BaseException")
            if catches(outer, wanted, program, function) is not None:
                return True
        if isinstance(outer, ast.With) and swallowing_with(
            outer, {"asyncio.InvalidStateError", "builtins.Exception"}, program, function
        ):
            return True
    for node in function.of(ast.If):
        if position(node) < position(call) and _asks_done(node.test, function) and always_leaves(node.body):
            return True
    return False


def _asks_done(test: ast.expr, function: Function) -> bool:
    """Whether a condition asks if the future is done, or a flag that this function sets."""
    flags = {path_of(target) for assign in function.of(ast.Assign) for target in assign.targets} - {None}
    for node in ast.walk(test):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in ("done", "cancelled", "is_set", "is_done", "_state", "fut_done"):
                return True
        if isinstance(node, ast.Attribute | ast.Name) and path_of(node) in flags and isinstance(node.ctx, ast.Load):
            if "." in (path_of(node) or "") or path_of(node) in function.outer_names:
                return True
    return False
