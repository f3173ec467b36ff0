"""Every function of the catalogue with its parameters and their bounds: from signatures and docstrings."""

from __future__ import annotations

from itertools import groupby

from openhcs.core.functions import Function, catalogue
from openhcs.function_help import FunctionWords, default_words
from scripts.reference.markdown import cell, page, table


def functions_page() -> str:
    """The catalogue by subject."""
    parts = []
    overview = []
    for category, members in groupby(catalogue().values(), key=lambda function: function.category):
        functions = list(members)
        names = ", ".join(f"[`{function.name}`](#{function.name})" for function in functions)
        overview.append((f"[{category}](#{category})", names))
        parts.append(f"## {category}")
        for function in functions:
            parts += _function(function)
    return page(
        "Functions",
        "What a pipeline may call. `openhcs functions NAME` and the step editor show the same; "
        "[functions of your own](../guides/your-own-functions.md) appear beside them.",
        table(("subject", "functions"), overview),
        *parts,
    )


def _function(function: Function) -> list[str]:
    words = FunctionWords.of(function)
    takes = f" Takes {words.takes} as well." if words.takes else ""
    parts = [f"### {function.name}", *words.paragraphs, f"Gives {words.gives}.{takes}"]
    if words.returns:
        parts[-1] += f" {words.returns}"
    if function.parameters:
        rows = [
            (f"`{parameter.name}`", cell(parameter.expected), f"`{default_words(parameter)}`", cell(parameter.help))
            for parameter in function.parameters
        ]
        parts.append(table(("parameter", "is", "default", "meaning"), rows))
    return parts
