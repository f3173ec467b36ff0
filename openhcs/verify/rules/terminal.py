"""HCS501 to HCS503: full-screen applications of prompt_toolkit."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from openhcs.verify import library
from openhcs.verify.findings import Finding
from openhcs.verify.flow import comes_after, is_inside, loops_around, path_of, position
from openhcs.verify.graph import Edge, EdgeKind
from openhcs.verify.model import Function, Module
from openhcs.verify.program import Program
from openhcs.verify.rules.base import Settings
from openhcs.verify.values import Cls, Func, Inst, Ref

__all__ = ["check_focus_after_sleep", "check_nested", "check_print", "full_screen_modules"]

_SLEEP = ("asyncio.sleep", "anyio.sleep")
_FOCUS = frozenset({"focus", "focus_last", "focus_next", "focus_previous"})
_RUN = (f"{library.APPLICATION}.run", f"{library.APPLICATION}.run_async")


# -- HCS501 ------------------------------------------------------------------------------------------------------


def check_focus_after_sleep(program: Program, settings: Settings) -> Iterator[Finding]:
    """The focus is set after a pause that is hoped to be long enough."""
    sleeping = {function for _, function in program.calls_of(*_SLEEP)}
    sleeping |= {edge.caller for slept in list(sleeping) for edge in program.graph.into.get(slept, ())}
    for function in sleeping:
        if not function.module.imports("prompt_toolkit") and "layout.focus" not in function.module.text:
            continue
        sleeps = [node for node in function.of(ast.Await) if _sleeps(program, node, function)]
        for call in function.of(ast.Call):
            if _focuses(program, call, function):
                before = [
                    node
                    for node in sleeps
                    if position(node) < position(call)
                    and comes_after(call, node, function)
                    and not _polls(node, call, function)
                ]
                if before:
                    yield _after_sleep(program, call, max(before, key=position), function)
    for call, function in program.calls_of(f"{library.LOOP}.call_later"):
        if len(call.args) >= 2 and _callback_focuses(program, call.args[1], function):
            yield _after_sleep(program, call, call, function)


def _after_sleep(program: Program, call: ast.Call, sleep: ast.AST, function: Function) -> Finding:
    return program.finding(
        "HCS501",
        call,
        function,
        "the focus is set after a pause: too early the layout does not know its target, too late the user has moved "
        "on. Focus when the target is added, or after the render that shows it",
        [program.related(sleep, function, "waits here")] if sleep is not call else (),
        {"call": ast.unparse(call)},
    )


def _sleeps(program: Program, node: ast.Await, function: Function) -> bool:
    call = node.value
    if not isinstance(call, ast.Call):
        return False
    if program.may_call(call, function, *_SLEEP):
        return True
    for value in program.values(call.func, function):
        if isinstance(value, Func) and value.function.is_async and len(value.function.body) <= 2:
            awaits = value.function.of(ast.Await)
            if len(awaits) == 1 and isinstance(awaits[0].value, ast.Call):
                if program.may_call(awaits[0].value, value.function, *_SLEEP):
                    return not any(isinstance(item, ast.While | ast.For) for item in value.function.body)
    return False


def _polls(sleep: ast.AST, call: ast.AST, function: Function) -> bool:
    """Whether the pause is part of a loop that waits for a condition, with the focus behind it."""
    return any(
        isinstance(loop, ast.While) and not is_inside(call, loop, function) for loop in loops_around(sleep, function)
    )


def _focuses(program: Program, call: ast.Call, function: Function) -> bool:
    if _is_focus(program, call.func, function):
        return True
    for value in program.values(call.func, function):
        if isinstance(value, Func) and not value.function.is_async and value.function is not function:
            if any(_is_focus(program, inner.func, value.function) for inner in value.function.of(ast.Call)):
                return True
    return False


def _is_focus(program: Program, node: ast.expr, function: Function) -> bool:
    if not isinstance(node, ast.Attribute) or node.attr not in _FOCUS:
        return False
    values = program.values(node.value, function)
    if values:
        return any(program.inference.is_a(value, "prompt_toolkit.Layout") for value in values)
    path = path_of(node.value) or ""
    return path.rpartition(".")[2] in ("layout", "_layout") or (
        isinstance(node.value, ast.Attribute) and node.value.attr == "layout"
    )


def _callback_focuses(program: Program, node: ast.expr, function: Function) -> bool:
    if isinstance(node, ast.Call) and node.args and program.calls(node, function, "functools.partial"):
        node = node.args[0]
    if isinstance(node, ast.Lambda):
        inner = function.module.by_node[node]
        return isinstance(node.body, ast.Call) and _focuses(program, node.body, inner)
    if _is_focus(program, node, function):
        return True
    return any(
        isinstance(value, Func)
        and any(_is_focus(program, call.func, value.function) for call in value.function.of(ast.Call))
        for value in program.values(node, function)
    )


# -- which functions run while an application does -----------------------------------------------------------------


def _applications(program: Program, *, full_screen: bool) -> set[Module]:
    """The modules that make an application."""
    known: dict[bool, set[Module]] = program.notes.setdefault("applications", {})
    if full_screen not in known:
        known[full_screen] = {
            module
            for module in program.modules
            if module.is_deep and not module.is_test and module.imports("prompt_toolkit")
            for function in module.functions
            for call in function.of(ast.Call)
            if (not full_screen or _asks_full_screen(call)) and _makes_application(program, call, function)
        }
    return known[full_screen]


def _asks_full_screen(call: ast.Call) -> bool:
    return any(
        keyword.arg == "full_screen" and isinstance(keyword.value, ast.Constant) and keyword.value.value is True
        for keyword in call.keywords
    )


def _makes_application(program: Program, call: ast.Call, function: Function) -> bool:
    for value in program.values(call.func, function):
        if value == Ref(library.APPLICATION) or value == Ref(f"{library.APPLICATION}.__init__"):
            return True
        if isinstance(value, Cls) and program.inference.is_a(Inst(value.cls), library.APPLICATION):
            return True
    return False


def _with_neighbours(program: Program, modules: set[Module], *, with_importers: bool = True) -> set[Module]:
    """Modules, what they import, directly or not, and who imports them directly."""
    names = {module.name: module for module in program.modules}
    found = set(modules)
    for module in program.modules if with_importers else ():
        if not module.is_test and any(name in names and names[name] in modules for name in _imported(module, names)):
            found.add(module)
    waiting = list(found)
    while waiting:
        module = waiting.pop()
        for name in _imported(module, names):
            target = names[name]
            if target not in found:
                found.add(target)
                waiting.append(target)
    return found


def _imported(module: Module, names: dict[str, Module]) -> set[str]:
    found: set[str] = set()
    folder = module.name.rpartition(".")[0]
    for name in module.imported - module.imported_for_types:
        for candidate in (name, name.rpartition(".")[0], f"{folder}.{name}", f"{folder}.{name.rpartition('.')[0]}"):
            if candidate in names and names[candidate] is not module:
                found.add(candidate)
    return found


def full_screen_modules(program: Program, *, with_importers: bool = True) -> set[Module]:
    """The modules of full-screen applications: that make them, all that they import, and who imports those."""
    known: dict[bool, set[Module]] = program.notes.setdefault("full-screen modules", {})
    if with_importers not in known:
        modules = _applications(program, full_screen=True)
        known[with_importers] = _with_neighbours(program, modules, with_importers=with_importers) if modules else set()
    return known[with_importers]


_WHILE_RUNNING = frozenset(EdgeKind) - {EdgeKind.TERMINAL}


def _run_while_shown(program: Program, modules: set[Module], *, with_tasks: bool) -> dict[Function, Edge | None]:
    """The functions that run while an application of these modules does, with the edge that leads there."""
    roots = [edge.callee for edge in program.graph.user_handlers if edge.callee.module in modules]
    if with_tasks:
        for call, function in program.calls_of(*_RUN):
            if function.module in modules:
                roots += [
                    edge.callee
                    for edge in program.graph.out.get(function, ())
                    if edge.kind is EdgeKind.SCHEDULE and edge.node is not call
                ]
    return program.graph.reachable(roots, _WHILE_RUNNING)


# -- HCS502 ------------------------------------------------------------------------------------------------------

_PRINTS = frozenset(
    {"builtins.print", "sys.stdout.write", "sys.stderr.write", "pprint.pprint", "click.echo", "typer.echo"}
    | {"traceback.print_exc", "traceback.print_exception", "rich.print"}
)


def check_print(program: Program, settings: Settings) -> Iterator[Finding]:
    """Text is printed onto the screen that a full-screen application draws."""
    modules = full_screen_modules(program)
    if not modules or _patches_stdout(modules):
        return
    reached = _run_while_shown(program, modules, with_tasks=True)
    for function, edge in reached.items():
        if function.module not in modules or function.module.is_test:
            continue
        for call in function.of(ast.Call):
            if program.names_of(call.func, function) & _PRINTS and _goes_to_terminal(call):
                if not _gives_screen_back(program, call, function):
                    related = (
                        [program.related(edge.node, edge.caller, f"{edge.kind.value} `{function.name}`")]
                        if edge
                        else []
                    )
                    yield program.finding(
                        "HCS502",
                        call,
                        function,
                        f"`{ast.unparse(call.func)}` writes over the screen of the running application: use a log, a "
                        "widget, or run_in_terminal",
                        related,
                        {"call": ast.unparse(call)},
                    )


def _patches_stdout(modules: set[Module]) -> bool:
    return any(
        any(
            name.endswith("patch_stdout.patch_stdout") or name == "prompt_toolkit.patch_stdout"
            for name in module.imported
        )
        for module in modules
    )


def _goes_to_terminal(call: ast.Call) -> bool:
    for keyword in call.keywords:
        if keyword.arg == "file":
            return path_of(keyword.value) in ("sys.stdout", "sys.stderr", "sys.__stdout__", "sys.__stderr__")
        if keyword.arg is None:
            return False
    return True


def _gives_screen_back(program: Program, call: ast.Call, function: Function) -> bool:
    for outer, _ in function.module.around(call):
        if isinstance(outer, ast.With | ast.AsyncWith):
            for item in outer.items:
                if isinstance(item.context_expr, ast.Call) and program.may_call(
                    item.context_expr, function, "prompt_toolkit.in_terminal", "prompt_toolkit.patch_stdout",
                    "contextlib.redirect_stdout",
                ):  # fmt: skip
                    return True
    return False


# -- HCS503 ------------------------------------------------------------------------------------------------------

_ASKS = frozenset(
    {*_RUN, "prompt_toolkit.PromptSession.prompt", "prompt_toolkit.PromptSession.prompt_async", "prompt_toolkit.prompt"}
    | {"prompt_toolkit.confirm", "prompt_toolkit.prompt_async", "builtins.input", "getpass.getpass"}
)


def check_nested(program: Program, settings: Settings) -> Iterator[Finding]:
    """An application is run, or the terminal is read, while another application reads it."""
    modules = _applications(program, full_screen=False)
    if not modules:
        return
    modules = _with_neighbours(program, modules)
    for function, edge in _run_while_shown(program, modules, with_tasks=False).items():
        if function.module.is_test or function.module not in modules:
            continue
        for call in function.of(ast.Call):
            if not program.names_of(call.func, function) & _ASKS or _gives_screen_back(program, call, function):
                continue
            if any(keyword.arg == "in_thread" for keyword in call.keywords):
                continue
            related = [program.related(edge.node, edge.caller, f"{edge.kind.value} `{function.name}`")] if edge else []
            yield program.finding(
                "HCS503",
                call,
                function,
                f"`{ast.unparse(call.func)}` reads the terminal while the application around it does: show a float in "
                "that application, or run this in_terminal",
                related,
                {"call": ast.unparse(call)},
            )
