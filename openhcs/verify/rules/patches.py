"""HCS403: libraries that are changed while the program runs."""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterator

from openhcs.verify import library
from openhcs.verify.findings import Finding
from openhcs.verify.flow import path_of, paths_in
from openhcs.verify.model import Function, How
from openhcs.verify.program import Program
from openhcs.verify.rules.base import Settings
from openhcs.verify.values import Cls, Func, Inst, Partial, Ref, Value

__all__ = ["check_patched"]

_HOOK_MODULES = frozenset({"sys", "__main__"})
_HOOKS = library.HOOKS | {
    "warnings.showwarning", "warnings.formatwarning", "faulthandler", "logging.lastResort", "logging.raiseExceptions",
    "readline.completer", "site.exithook", "logging.Formatter.converter", "email.policy", "cgitb.handler",
}  # fmt: skip

_METHODS = {
    library.APPLICATION: frozenset(
        [
            "run",
            "run_async",
            "exit",
            "invalidate",
            "reset",
            "create_background_task",
            "cancel_and_wait_for_background_tasks",
            "_redraw",
            "_on_resize",
            "_handle_exception",
            "run_system_command",
            "suspend_to_background",
            "print_text",
        ]
    ),
    "prompt_toolkit.Layout": frozenset(
        ["focus", "focus_last", "focus_next", "focus_previous", "walk", "has_focus", "reset"]
    ),
    library.LOOP: frozenset(
        [
            "create_task",
            "call_soon",
            "call_later",
            "call_at",
            "call_exception_handler",
            "run_forever",
            "run_until_complete",
            "call_soon_threadsafe",
            "default_exception_handler",
            "close",
            "stop",
            "_run_once",
        ]
    ),
}

_APPLIED = frozenset({"nest_asyncio.apply", "nest_asyncio2.apply"})


def check_patched(program: Program, settings: Settings) -> Iterator[Finding]:
    """A function or class of a library is replaced at run time."""
    for assign, function in program.each(ast.Assign):
        if function.module.is_test:
            continue
        for target, value in _pairs(assign):
            if isinstance(target, ast.Attribute):
                yield from _patch(program, target.value, target.attr, value, assign, function)
    for call, function in program.calls_of(
        "builtins.setattr", "unittest.mock.patch.object", "mock.patch.object", *_APPLIED
    ):
        if function.module.is_test:
            continue
        names = program.outside_names(call)
        if "builtins.setattr" in names and len(call.args) == 3:
            attribute = call.args[1]
            name = attribute.value if isinstance(attribute, ast.Constant) else ast.unparse(attribute)
            yield from _patch(program, call.args[0], str(name), call.args[2], call, function)
        elif names & _APPLIED:
            yield _finding(program, call, function, "asyncio")
        elif names & {"unittest.mock.patch.object", "mock.patch.object"} and call.args:
            for owner in program.values(call.args[0], function):
                if isinstance(owner, Ref) and _is_library(program, owner.name):
                    yield _finding(program, call, function, owner.name)


def _pairs(assign: ast.Assign) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Each target with the value it gets, `a.x, a.y = f, g` included."""
    for target in assign.targets:
        if isinstance(target, ast.Tuple) and isinstance(assign.value, ast.Tuple):
            yield from zip(target.elts, assign.value.elts, strict=False)
        else:
            yield target, assign.value


def _patch(
    program: Program, owner: ast.expr, name: str, value: ast.expr, at: ast.AST, function: Function
) -> Iterator[Finding]:
    if name.startswith("__") and name.endswith("__") and name not in ("__init__", "__call__", "__del__"):
        return
    root = owner
    while isinstance(root, ast.Attribute):
        root = root.value
    is_imported = isinstance(root, ast.Name) and _is_imported(root.id, function)
    for base in program.values(owner, function):
        if isinstance(base, Ref) and not is_imported:
            continue
        target = _target(program, base, name)
        if target is None or _is_polyfill(at, function):
            continue
        if (
            _is_callable(program, value, function)
            or _wraps_original(owner, name, value)
            or _is_from_elsewhere(program, base, target, value, function)
        ):
            yield _finding(program, at, function, target)
            return


def _target(program: Program, base: Value, name: str) -> str | None:
    """The dotted name of what is replaced, if it belongs to a library."""
    if isinstance(base, Ref) and _is_library(program, base.name):
        target = f"{base.name}.{name}"
        if base.name.partition(".")[0] in _HOOK_MODULES:
            return None
        if base.name == "builtins" and name not in dir(builtins):
            return None
        return None if target in _HOOKS else target
    if isinstance(base, Inst) and isinstance(base.type, str) and name in _METHODS.get(base.type, ()):
        return f"{base.type}.{name}"
    return None


def _is_imported(name: str, function: Function) -> bool:
    scope: Function | None = function
    while scope is not None and name not in scope.bindings:
        scope = scope.parent
    return scope is not None and any(binding.how is How.IMPORT for binding in scope.bindings[name])


def _is_library(program: Program, name: str) -> bool:
    top = name.partition(".")[0]
    return bool(top) and top not in program.top_packages


def _is_callable(program: Program, node: ast.expr, function: Function) -> bool:
    """Whether a value is a function or class, or a call that wraps one."""
    if isinstance(node, ast.Lambda):
        return True
    values = program.values(node, function)
    if any(isinstance(value, Func | Cls | Partial) for value in values):
        return isinstance(node, ast.Name | ast.Attribute | ast.Call)
    if isinstance(node, ast.Call) and node.args:
        names = program.names_of(node.func, function)
        if names & {"builtins.staticmethod", "builtins.classmethod", "builtins.property", "types.MethodType"}:
            return True
    return False


def _is_from_elsewhere(program: Program, base: Value, target: str, node: ast.expr, function: Function) -> bool:
    """`socket.socket = socks.socksocket`: a part of the standard library becomes a function or class of another's."""
    top = base.name.partition(".")[0] if isinstance(base, Ref) else ""
    if top not in sys.stdlib_module_names or top == "ctypes":  # `function.restype = c_void_p` declares
        return False
    values = program.values(node, function)
    return bool(values) and all(
        isinstance(value, Ref) and value.name != target and not value.name.rpartition(".")[2].isupper()
        for value in values
    )


def _wraps_original(owner: ast.expr, name: str, value: ast.expr) -> bool:
    """`Application.run = traced(Application.run)`."""
    return isinstance(value, ast.Call) and f"{path_of(owner)}.{name}" in paths_in(value)


def _is_polyfill(at: ast.AST, function: Function) -> bool:
    """Whether the attribute is only added where the library lacks it."""
    for outer, child in function.module.around(at):
        if isinstance(outer, ast.If):
            test = ast.dump(outer.test)
            if "hasattr" in test or "version" in test or "getattr" in test:
                return True
        if isinstance(outer, ast.ExceptHandler) and outer.type is not None:
            if {"ImportError", "AttributeError"} & paths_in(outer.type):
                return True
        del child
    return False


def _finding(program: Program, at: ast.AST, function: Function, target: str) -> Finding:
    return program.finding(
        "HCS403",
        at,
        function,
        f"`{target}` of a library is replaced while the program runs: everybody in the process gets the change. "
        "Subclass, wrap, or pass a parameter",
        data={"target": target},
    )
