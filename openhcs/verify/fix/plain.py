"""HCS302, HCS303, HCS304 and HCS402: a few words are put right. Standard library only."""

from __future__ import annotations

import ast

from openhcs.verify.findings import Finding
from openhcs.verify.fix.context import Context, is_path
from openhcs.verify.fix.edits import Edit, Fix, Kind, Safety
from openhcs.verify.model import Function, How
from openhcs.verify.values import Ref

__all__ = ["plan_exc_info", "plan_exception_handler", "plan_get_event_loop", "plan_set_result"]


# -- HCS302 ------------------------------------------------------------------------------------------------------


def plan_set_result(context: Context, finding: Finding) -> Fix | None:
    """The future is asked whether it is done."""
    site = context.site(finding)
    call = site.find(finding.place, ast.Call)
    if call is None or not isinstance(call.func, ast.Attribute) or not is_path(call.func.value):
        return None
    if call.func.attr not in ("set_result", "set_exception"):
        return None  # the setter is handed on: its arguments would be looked up later than they are now
    holes: dict[str, ast.expr] = {"future": call.func.value}
    parent = site.parent(call)
    if isinstance(parent, ast.Expr):
        if not site.is_alone(parent):
            return None
        return context.fix(finding, Safety.UNSAFE, site.module, Edit(Kind.AROUND, parent, "not $future.done()", holes))
    if not isinstance(parent, ast.Lambda | ast.Return):
        return None
    edit = Edit(Kind.EXPRESSION, call, "None if $future.done() else $call", {**holes, "call": call})
    return context.fix(finding, Safety.UNSAFE, site.module, edit)


# -- HCS303 ------------------------------------------------------------------------------------------------------


def plan_get_event_loop(context: Context, finding: Finding) -> Fix | None:
    """In a coroutine `get_running_loop` returns the same loop."""
    site = context.site(finding)
    call = site.find(finding.place, ast.Call)
    if call is None or finding.data.get("form") != "coroutine" or call.args or call.keywords:
        return None
    function = site.function(call)
    called = call.func
    if isinstance(called, ast.Attribute):
        if set(context.program.values(called.value, function)) == {Ref("asyncio")}:
            edit = Edit(Kind.EXPRESSION, called, "$asyncio.get_running_loop", {"asyncio": called.value})
            return context.fix(finding, Safety.SAFE, site.module, edit)
        if not context.program.calls(call, function, "asyncio.get_event_loop"):
            return None  # of a policy, which may be the program's own
    usable = context.names.usable("asyncio", "get_running_loop", call, function)
    if usable is None:
        return None
    return context.fix(finding, Safety.SAFE, site.module, Edit(Kind.EXPRESSION, called, usable.text), *usable.edits)


# -- HCS304 ------------------------------------------------------------------------------------------------------


def plan_exception_handler(context: Context, finding: Finding) -> Fix | None:
    """The application is told to leave the loop's exception handler alone."""
    if finding.data.get("form") != "replaced" or not finding.related:
        return None
    place = finding.related[0].place
    site = context.site_at(place)
    call = site.find(place, ast.Call)
    if call is None or len(call.args) > 1 or any(isinstance(argument, ast.Starred) for argument in call.args):
        return None
    for keyword in call.keywords:
        if keyword.arg == "set_exception_handler":
            edit = Edit(Kind.EXPRESSION, keyword.value, "False")
            return context.fix(finding, Safety.UNSAFE, site.module, edit)
    edit = Edit(Kind.ARGUMENT, call, "set_exception_handler=False")
    return context.fix(finding, Safety.UNSAFE, site.module, edit)


# -- HCS402 ------------------------------------------------------------------------------------------------------


def plan_exc_info(context: Context, finding: Finding) -> Fix | None:
    """The exception that the function was given is what is logged."""
    site = context.site(finding)
    call = site.find(finding.place, ast.Call)
    parameter = finding.data.get("parameter")
    if call is None or not parameter:
        return None
    if not _is_exception(parameter, site.function(call)):
        return None
    for keyword in call.keywords:
        if keyword.arg == "exc_info":
            return context.fix(finding, Safety.SAFE, site.module, Edit(Kind.EXPRESSION, keyword.value, parameter))
    return None


_TEXTS = frozenset({"str", "bytes", "int", "bool", "dict", "list", "tuple"})


def _is_exception(name: str, function: Function) -> bool:
    """Whether a parameter holds what it was given, and is not declared to be anything but an exception."""
    for binding in function.bindings.get(name, ()):
        if binding.how is How.ANNOTATED and isinstance(binding.node, ast.arg):
            words = {node.id for node in ast.walk(binding.value or binding.node) if isinstance(node, ast.Name)}
            if words & _TEXTS:
                return False
            if isinstance(binding.value, ast.Constant) and str(binding.value.value) in _TEXTS:
                return False
        elif binding.how is not How.PARAMETER:
            return False
    return name in function.bindings
