"""HCS201, HCS206 and HCS301: coroutines are handed to the spawner. Standard library only."""

from __future__ import annotations

import ast

from openhcs.verify import library
from openhcs.verify.findings import Finding
from openhcs.verify.fix.context import Context, Site
from openhcs.verify.fix.edits import Edit, Fix, Kind, Safety
from openhcs.verify.flow import path_of
from openhcs.verify.model import Function, How
from openhcs.verify.values import Cls, Coro, Func

__all__ = ["plan_callback", "plan_dropped"]

_STARTERS = ("asyncio.create_task", "asyncio.ensure_future", f"{library.LOOP}.create_task")
_BACKGROUND = f"{library.APPLICATION}.create_background_task"

_FORGETFUL = frozenset(
    {f"{library.LOOP}.{name}" for name in ("call_soon", "call_soon_threadsafe", "call_later", "call_at")}
    | {f"{library.LOOP}.{name}" for name in ("add_signal_handler", "add_reader", "add_writer")}
    | {f"{kind}.add_done_callback" for kind in (library.TASK, library.OWNED_TASK, library.FUTURE)}
    | {f"{library.LOOP}.set_exception_handler", "prompt_toolkit.Event.add_handler"}
    | {"prompt_toolkit.Button", "prompt_toolkit.MenuItem", "prompt_toolkit.Buffer", library.APPLICATION}
    | {"prompt_toolkit.call_soon_threadsafe"}
)
"""Who calls a function on the loop's thread and does nothing with what it returns."""

_READ = frozenset({"accept_handler"})
"""Keywords of the same whose result means something."""


# -- HCS201, HCS206 ----------------------------------------------------------------------------------------------


def plan_dropped(context: Context, finding: Finding) -> Fix | None:
    """The task that nobody keeps is the spawner's."""
    site = context.site(finding)
    call = site.find(finding.place, ast.Call)
    if call is None:
        return None
    function = site.function(call)
    program = context.program
    if program.calls(call, function, _BACKGROUND):
        safety = Safety.UNSAFE  # the application cancels it when it ends; the spawner may not
    elif program.may_call(call, function, *_STARTERS):
        safety = Safety.SAFE
    else:
        return _starter_given(context, finding, site, call, function)
    if not _is_spawnable(context, call, function):
        return None
    usable = context.spawner(call, function)
    if usable is None:
        return None
    if (naming := _naming(site, call)) is not None:
        text = f"{usable.text}($coroutine, name=$name)"
        holes = {"coroutine": call.args[0], "name": naming.args[0]}
        return context.fix(finding, safety, site.module, Edit(Kind.EXPRESSION, naming, text, holes), *usable.edits)
    statement = site.parent(call)
    if isinstance(statement, ast.Assign) and finding.data.get("form") == "in a variable that nobody reads":
        if not site.is_alone(statement) or not isinstance(statement.targets[0], ast.Name):
            return None
        unassign = [Edit(Kind.UNASSIGN, statement)]
    elif _goes_nowhere(context, site, call):
        unassign = []
    else:
        return None
    edit = Edit(Kind.EXPRESSION, call.func, usable.text)
    return context.fix(finding, safety, site.module, edit, *unassign, *usable.edits)


def _is_spawnable(context: Context, call: ast.Call, function: Function) -> bool:
    """Whether a call has a coroutine and perhaps a name, and nothing that a spawner need not understand."""
    if len(call.args) != 1 or isinstance(call.args[0], ast.Starred):
        return False
    if any(keyword.arg != "name" for keyword in call.keywords):
        return False
    if context.program.may_call(call, function, "asyncio.ensure_future"):
        values = context.program.values(call.args[0], function)
        return bool(values) and all(isinstance(value, Coro) for value in values)
    return True


def _naming(site: Site, call: ast.Call) -> ast.Call | None:
    """The `.set_name(name)` behind a call, where that is all that is done with it."""
    attribute = site.parent(call)
    if not isinstance(attribute, ast.Attribute) or attribute.attr != "set_name" or call.keywords:
        return None
    outer = site.parent(attribute)
    if isinstance(outer, ast.Call) and len(outer.args) == 1 and not outer.keywords:
        return outer if isinstance(site.parent(outer), ast.Expr) else None
    return None


def _goes_nowhere(context: Context, site: Site, call: ast.Call) -> bool:
    """Whether what a call returns is dropped, and whether it is true has no say in anything."""
    node: ast.AST = call
    parent = site.parent(node)
    while isinstance(parent, ast.IfExp | ast.BoolOp | ast.Tuple):
        if isinstance(parent, ast.IfExp) and parent.test is node:
            return False
        if isinstance(parent, ast.BoolOp) and parent.values[-1] is not node:
            return False
        if isinstance(parent, ast.Tuple) and _is_fragment(parent, node):
            return False
        node, parent = parent, site.parent(parent)
    if isinstance(parent, ast.Expr):
        return True
    if isinstance(parent, ast.ListComp | ast.SetComp):
        return parent.elt is node and isinstance(site.parent(parent), ast.Expr)
    return isinstance(parent, ast.Lambda) and _is_forgotten(context, site, parent)


def _is_fragment(node: ast.Tuple, child: ast.AST) -> bool:
    return len(node.elts) == 3 and node.elts[2] is child and not isinstance(child, ast.Call)


def _is_forgotten(context: Context, site: Site, node: ast.expr) -> bool:
    """Whether a function is given to somebody who calls it on the loop's thread and drops what it returns."""
    parent = site.parent(node)
    if isinstance(parent, ast.keyword):
        if parent.arg in _READ:
            return False
        parent = site.parent(parent)
    if isinstance(parent, ast.AugAssign):
        return isinstance(parent.target, ast.Attribute) and parent.target.attr in library.EVENT_ATTRIBUTES
    if isinstance(parent, ast.Assign):
        return any(isinstance(item, ast.Attribute) and item.attr.startswith("on_") for item in parent.targets)
    if isinstance(parent, ast.Tuple):
        return len(parent.elts) == 3 and parent.elts[2] is node
    if not isinstance(parent, ast.Call) or parent.func is node:
        return False
    names = context.program.outside_names(parent)
    if names:
        return names <= _FORGETFUL
    # A function of the project: the rule has seen that it drops what it gets.
    callees = context.program.callees(parent, site.function(parent))
    return bool(callees) and all(isinstance(value, Func | Cls) for value in callees)


def _starter_given(context: Context, finding: Finding, site: Site, call: ast.Call, function: Function) -> Fix | None:
    """`loop.call_soon(asyncio.create_task, work())`: the spawner is given in place of the starter."""
    names = context.program.outside_names(call)
    if not names or not names <= _FORGETFUL:
        return None
    for index, argument in enumerate(call.args):
        rest = call.args[index + 1 :]
        keywords: list[ast.keyword] = []
        if isinstance(argument, ast.Call) and context.program.calls(argument, function, "functools.partial"):
            if not argument.args or rest:
                continue
            keywords = argument.keywords
            argument, *rest = argument.args
        if not isinstance(argument, ast.Name | ast.Attribute):
            continue
        starters = context.program.names_of(argument, function)
        if not starters or not starters <= set(_STARTERS):
            continue
        if len(rest) != 1 or any(keyword.arg != "name" for keyword in keywords):
            return None
        given = context.program.values(rest[0], function)
        if not given or not all(isinstance(value, Coro) for value in given):
            return None
        usable = context.spawner(call, function)
        if usable is None:
            return None
        edit = Edit(Kind.EXPRESSION, argument, usable.text)
        return context.fix(finding, Safety.SAFE, site.module, edit, *usable.edits)
    return None


# -- HCS301 ------------------------------------------------------------------------------------------------------


def plan_callback(context: Context, finding: Finding) -> Fix | None:
    """A lambda hands the coroutine of the callback to the spawner."""
    site = context.site(finding)
    node = site.find(finding.place, ast.expr)
    form = finding.data.get("form")
    if node is None or form not in ("function", "lambda") or not _is_forgotten(context, site, node):
        return None
    if isinstance(node, ast.Lambda):
        usable = context.spawner(node.body, site.function(node.body))
        if usable is None:
            return None
        edit = Edit(Kind.EXPRESSION, node.body, f"{usable.text}($coroutine)", {"coroutine": node.body})
        return context.fix(finding, Safety.UNSAFE, site.module, edit, *usable.edits)
    function = site.function(node)
    if not isinstance(node, ast.Name | ast.Attribute) or not _means_the_same_later(node, function):
        return None
    parameters = _parameters_of(context, node, function)
    usable = context.spawner(node, function)
    if usable is None or parameters is None:
        return None
    if (path_of(node) or "").partition(".")[0] in parameters or usable.text.partition(".")[0] in parameters:
        parameters = "*arguments"
    head = f"lambda {parameters}" if parameters else "lambda"
    edit = Edit(Kind.EXPRESSION, node, f"{head}: {usable.text}($callback({parameters}))", {"callback": node})
    return context.fix(finding, Safety.UNSAFE, site.module, edit, *usable.edits)


def _means_the_same_later(node: ast.expr, function: Function) -> bool:
    """Whether a callback that is looked up when it is called is the one that was given."""
    while isinstance(node, ast.Attribute):
        node = node.value
    if not isinstance(node, ast.Name):
        return False
    scope: Function | None = function
    while scope is not None:
        if node.id in scope.bindings:
            bindings = [item for item in scope.bindings[node.id] if item.how is not How.ANNOTATED]
            kinds = (How.IMPORT, How.DEFINITION, How.PARAMETER, How.VALUE)
            return len(bindings) == 1 and bindings[0].how in kinds and not _in_loop(bindings[0].node, scope)
        scope = scope.parent
    return False


def _in_loop(node: ast.AST, function: Function) -> bool:
    return any(isinstance(outer, ast.For | ast.AsyncFor | ast.While) for outer, _ in function.module.around(node))


def _parameters_of(context: Context, node: ast.expr, function: Function) -> str | None:
    """The parameters that a callback is called with, as text; `*arguments` where that is not fixed."""
    values = context.program.values(node, function)
    if len(values) != 1 or not isinstance(values[0], Func):
        return "*arguments" if values else None
    called = values[0]
    if isinstance(called.function.node, ast.Lambda | ast.Module):
        return None
    arguments = called.function.node.args
    names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)][int(called.bound) :]
    if arguments.vararg or arguments.defaults or arguments.kwonlyargs or arguments.kwarg:
        return "*arguments"
    return ", ".join(names)
