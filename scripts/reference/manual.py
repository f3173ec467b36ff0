"""The manual page openhcs(1), in the `man` macros that every system reads."""

from __future__ import annotations

from collections.abc import Iterator

from openhcs import __version__
from openhcs.command_help import EXIT_CODES
from openhcs.core.config import Settings, variable_of
from scripts.reference.commands import Command, commands


def manual_page() -> str:
    """The page: commands with options, exit codes, variables, files, examples."""
    program, *others = commands()
    lines = [
        '.\\" Written by `make reference` from the code.',
        f'.TH OPENHCS 1 "" "openhcs {__version__}" "User Commands"',
        ".SH NAME",
        "openhcs \\- run image\\-processing pipelines over high\\-content screening plates",
        ".SH SYNOPSIS",
        *(line for command in others for line in _synopsis(command)),
        ".SH DESCRIPTION",
        *_paragraphs(program.text),
        ".SH COMMANDS",
    ]
    for command in others:
        lines += [f".SS {_text(command.path)}", *_paragraphs(command.text), *_options(command)]
    lines += [".SS openhcs verify", _text("Find faults of asyncio and prompt_toolkit programs; see its own --help.")]
    lines += [".SH EXIT STATUS"]
    for code, means in EXIT_CODES.items():
        lines += [".TP", f".B {code}", _text(means.replace("`", ""))]
    lines += [".SH ENVIRONMENT"]
    for name, field in Settings.model_fields.items():
        lines += [".TP", f".B {variable_of(name)}", _text(field.description or "")]
    lines += [
        ".TP", ".B OPENHCS_SETTINGS", "another settings file",
        ".TP", ".B OPENHCS_HOME", "one folder for settings, pipelines, journals and logs",
        ".SH FILES",
        _text("openhcs doctor names the settings file and the folders of pipelines, journals and logs."),
        ".SH EXAMPLES",
    ]  # fmt: skip
    for command in (program, *others):
        for line, does in command.examples:
            lines += [".TP", f".B {_text(line)}", _text(does)]
    return "\n".join(lines) + "\n"


def _synopsis(command: Command) -> Iterator[str]:
    name, _, rest = command.usage.partition(" [OPTIONS]")
    yield f".B {_text(name)}"
    yield _text(f"[OPTIONS]{rest}")
    yield ".br"


def _paragraphs(texts: tuple[str, ...]) -> Iterator[str]:
    for number, text in enumerate(texts):
        if number:
            yield ".PP"
        yield _text(text.replace("`", ""))


def _options(command: Command) -> Iterator[str]:
    for section in command.sections:
        for written, explained in section.rows:
            if "--help" not in written:
                yield from (".TP", f".B {_text(written)}", _text(explained))


def _text(text: str) -> str:
    """A line in which nothing is a request or an escape of roff."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped[:1] in (".", "'") else escaped
