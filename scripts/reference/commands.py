"""Commands with their options and examples, and the exit codes: from the Typer application, as `--help` has them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any, NamedTuple

import typer

from openhcs import cli
from openhcs.command_help import EXAMPLES, EXIT_CODES, Example, HelpCommand, HelpGroup, Section, sections, subjects
from openhcs.verify.command import parser
from scripts.reference.markdown import cell, page, table


class Command(NamedTuple):
    """One command as the reference shows it; `text` are its paragraphs."""

    path: str
    usage: str
    text: tuple[str, ...]
    sections: tuple[Section, ...]
    examples: tuple[Example, ...]


def commands_page() -> str:
    """Every command."""
    shown = list(commands())
    overview = [
        (f"[`{command.path}`](#{command.path.replace(' ', '-')})", cell(command.text[0]))
        for command in shown
        if command.path != "openhcs"
    ]
    parts = []
    for command in shown:
        if command.path != "openhcs":
            parts += [f"## {command.path}", _code(command.usage), *command.text, *_tables(command)]
    verify = parser("openhcs verify")
    parts += [
        "## openhcs verify",
        "[Its pages](../verify/README.md) explain the rules.",
        table(("argument or option", "meaning"), list(_verify_rows(verify))),
    ]
    codes = [(f"`{code}`", cell(means)) for code, means in EXIT_CODES.items()]
    return page(
        "Commands",
        "`openhcs COMMAND --help` says the same.",
        table(
            ("command", "does"), [*overview, ("[`openhcs verify`](#openhcs-verify)", cell(verify.description or ""))]
        ),
        "## Exit codes",
        table(("code", "meaning"), codes),
        "`openhcs verify` ends with 1 where it found something.",
        "## Shell completion",
        "`openhcs --install-completion` installs it for your shell: bash, zsh, fish or PowerShell; open a new shell "
        "afterwards. `openhcs --show-completion` prints the script, where you keep such files yourself. Besides "
        "commands and options it completes pipelines (shipped, saved, files here), plates (in this folder, and those "
        "opened last), results folders of runs, and functions.",
        *parts,
    )


def commands() -> Iterator[Command]:
    """The program, then every command with its options; `verify` has an own parser and is left out."""
    root = typer.main.get_command(cli.app)
    context = root.make_context("openhcs", [], resilient_parsing=True)
    yield _command(root, context)
    yield from _below(root, context)


def _below(group: Any, context: Any) -> Iterator[Command]:
    for members in subjects(group).values():
        for name, command in members:
            inner = command.make_context(name, [], parent=context, resilient_parsing=True)
            match command:
                case HelpGroup():
                    yield from _below(command, inner)
                case HelpCommand():
                    yield _command(command, inner)


def _command(command: Any, context: Any) -> Command:
    paragraphs = (" ".join(part.split()) for part in (command.help or "").split("\n\n"))
    return Command(
        path=context.command_path,
        usage=" ".join([context.command_path, *command.collect_usage_pieces(context)]),
        text=tuple(paragraph for paragraph in paragraphs if paragraph),
        sections=tuple(sections(command, context)),
        examples=tuple(EXAMPLES.get(context.command_path, ())),
    )


def _tables(command: Command) -> Iterator[str]:
    rows = [
        (f"`{written}`", cell(explained))
        for section in command.sections
        for written, explained in section.rows
        if "--help" not in written
    ]
    if rows:
        yield table(("argument or option", "meaning"), rows)
    if command.examples:
        width = max(len(line) for line, _ in command.examples)
        yield _code("\n".join(f"{line:<{width}}  # {does}" for line, does in command.examples))


def _verify_rows(verify: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    for action in verify._actions:  # argparse has no public list of them
        if "--help" not in action.option_strings:
            written = ", ".join(action.option_strings) or str(action.metavar)
            if action.option_strings and action.nargs != 0:
                written += f" {action.metavar or '|'.join(action.choices or ())}"
            explained = (action.help or "").replace("%(default)s", str(action.default))
            yield f"`{written}`".replace("|", "\\|"), cell(explained)


def _code(text: str) -> str:
    return f"```\n{text}\n```"
