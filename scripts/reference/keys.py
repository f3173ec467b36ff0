"""The keys of every pane and dialog: those that can be changed from the workbench itself, the others from its source.

A dialog is built when it opens, on what it is to show, so its rows are read from the text of its module.
"""

from __future__ import annotations

import ast
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import openhcs.tui
from openhcs.core import paths
from openhcs.tui.layout.simple_launcher import SimpleOpenHCSTUILauncher
from openhcs.tui.widgets.bindings import key_name
from scripts.reference.markdown import cell, page, table

SOURCE = Path(openhcs.tui.__file__).parent


def keys_page() -> str:
    """Every key."""
    with _home_of_its_own():
        places = SimpleOpenHCSTUILauncher().actions()
    parts = []
    told = set()
    for place, actions in places.items():
        rows = [(_shown(row.keys), cell(row.description), f"`{name}`") for name, row in actions.items()]
        told |= {row.description for row in actions.values()}
        parts += [f"## {place}", table(("key", "does", "action"), rows)]
    parts += ["## Dialogs", "Their keys are fixed; the last line of each says which work now."]
    for title, found in _dialogs():
        rows_left = [(_shown(keys), cell(does)) for keys, does in found if does not in told]
        if rows_left:
            parts += [f"### {title}", table(("key", "does"), rows_left)]
    return page(
        "Keys",
        "`?` in the workbench shows those of where you stand, `Ctrl-P` finds an action by its name. "
        "[Other keys](../guides/your-own-keys.md) are given to actions by their names.",
        *parts,
    )


def _dialogs() -> Iterator[tuple[str, list[tuple[tuple[str, ...], str]]]]:
    """Each module that has rows with keys, called by the first clause of its docstring."""
    for file in sorted(SOURCE.rglob("*.py")):
        module = ast.parse(file.read_text(encoding="utf-8"))
        rows = [row for node in ast.walk(module) if (row := _row(node)) is not None]
        if rows:
            first = (ast.get_docstring(module) or file.stem).split("\n\n")[0]
            title = re.split(r"[:.](?=\s|$)", " ".join(first.split()))[0]
            yield title, list(dict.fromkeys(rows))


def _row(node: ast.AST) -> tuple[tuple[str, ...], str] | None:
    """The keys and the description of `Binding(keys, run, label, description)` where both are written out."""
    match node:
        case ast.Call(
            func=ast.Name("Binding"), args=[ast.Tuple(elts=[_, *_] as keys), _, _, ast.Constant(str() as does), *_]
        ):
            names = tuple(key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str))
            return (names, does) if len(names) == len(keys) else None
    return None


def _shown(keys: tuple[str, ...]) -> str:
    return ", ".join(f"`{key_name(key)}`" for key in keys)


@contextmanager
def _home_of_its_own() -> Iterator[None]:
    """Without the keys that whoever writes the reference has chosen."""
    before = os.environ.get(paths.HOME_VARIABLE)
    with tempfile.TemporaryDirectory() as folder:
        os.environ[paths.HOME_VARIABLE] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ[paths.HOME_VARIABLE]
            else:
                os.environ[paths.HOME_VARIABLE] = before
