"""How the command line explains itself: options by subject, defaults in words, examples to copy.

`--help`, the pages of docs/reference and the manual page are three forms of what stands here and in `cli`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

__all__ = [
    "EXAMPLES",
    "EXIT_CODES",
    "OPTIONS",
    "Example",
    "HelpCommand",
    "HelpGroup",
    "Section",
    "sections",
    "subjects",
]

NOTHING_GIVEN: Final = 2
NEEDED: Final = "Needed"
ARGUMENTS: Final = "Arguments"
OPTIONS: Final = "Options"
"""The section of options that belong to no other subject."""
HELP: Final = "Help"
_PLACED: Final = (NEEDED, ARGUMENTS, OPTIONS, HELP)

EXIT_CODES: Final[Mapping[int, str]] = {
    0: "done",
    1: "some wells failed, or `doctor` found something broken",
    2: "what was given cannot be used, or there is no room for the run",
    74: "standard output cannot be written, on a full disk say",
    129: "the terminal was lost; the run goes on",
    130: "Ctrl-C",
    141: "the reader of our output went away",
}
"""What each exit code of `openhcs` means."""


class Example(NamedTuple):
    """A command line as one would type it, and what it does."""

    line: str
    does: str


EXAMPLES: Final[Mapping[str, Sequence[Example]]] = {
    "openhcs": (
        Example("openhcs demo", "see it work, on a plate that it makes"),
        Example("openhcs run /data/plate -p nuclei --try 2", "try a pipeline on two wells of a plate of your own"),
        Example("openhcs run /data/plate -p nuclei", "run it on all wells; the two are not done again"),
    ),
    "openhcs tui": (
        Example("openhcs tui", "plates are added with a"),
        Example("openhcs tui /data/plate-1 /data/plate-2 -p nuclei", "open with two plates and a pipeline"),
        Example("openhcs tui --plain", "for a screen reader"),
    ),
    "openhcs demo": (
        Example("openhcs demo", "a plate in demo-plate, and the workbench open on it"),
        Example("openhcs demo --headless", "run it and compare the counts with the truth"),
    ),
    "openhcs run": (
        Example("openhcs run /data/plate -p nuclei --dry-run", "what it would do, and take of memory and disk"),
        Example("openhcs run /data/plate -p my.yaml --try 2", "two wells far apart"),
        Example("openhcs run /data/plate -p my.yaml --wells A01-C03,H", "a rectangle and a row"),
        Example("openhcs run /data/plate -p my.yaml --detach", "start it and leave; openhcs attach follows it"),
        Example("openhcs run /data/plate -p my.yaml --queue -d", "after the runs that were asked for before it"),
        Example("openhcs run /data/plate -p my.yaml --failed", "afterwards: what failed, once more"),
    ),
    "openhcs attach": (
        Example("openhcs attach", "the run that is going on"),
        Example("openhcs attach openhcs-results/plate/nuclei --json", "how a run ended, for a program"),
    ),
    "openhcs runs": (Example("openhcs runs --all", "every run that is known"),),
    "openhcs cancel": (
        Example("openhcs cancel openhcs-results/plate/nuclei", "the whole run"),
        Example("openhcs cancel openhcs-results/plate/nuclei B02 B03", "two wells; the others go on"),
    ),
    "openhcs move": (
        Example("openhcs move openhcs-results/plate/nuclei", "the next to have its turn"),
        Example("openhcs move openhcs-results/plate/nuclei 3", "the third"),
    ),
    "openhcs functions": (
        Example("openhcs functions", "all of them, by subject"),
        Example("openhcs functions gaussian_blur", "what it does, its parameters and their bounds"),
    ),
    "openhcs settings": (Example("openhcs settings", "every setting; lines of yours go into the file it names"),),
    "openhcs cluster slurm": (
        Example("openhcs cluster slurm --workers 32 --walltime 04:00:00 --dry-run", "the script of a job"),
        Example("openhcs cluster slurm --adapt 0 32 --name lab", "workers while a run needs them"),
    ),
    "openhcs cluster local": (Example("openhcs cluster local --workers 4 --name lab", "four workers that stay"),),
}
"""Examples of each command, by its path."""


class Section(NamedTuple):
    """Options or arguments of one subject: each as it is written, with its help."""

    name: str
    rows: Sequence[tuple[str, str]]


def sections(command: Any, context: Any) -> list[Section]:
    """The arguments and options of a command by subject: what is needed first, how to get help last."""
    found: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(context):
        match parameter:
            case TyperArgument(hidden=False):
                name = NEEDED if parameter.required else ARGUMENTS
                found.setdefault(name, []).append((parameter.display_name_raw, _explained(parameter)))
            case TyperOption(hidden=False):
                name = NEEDED if parameter.required else parameter.rich_help_panel or OPTIONS
                name = HELP if parameter.name == "help" else name
                found.setdefault(name, []).append((_written(parameter), _explained(parameter)))
    order = [NEEDED, ARGUMENTS, OPTIONS, *(name for name in found if name not in _PLACED), HELP]
    return [Section(name, found[name]) for name in order if name in found]


def subjects(group: TyperGroup) -> dict[str, list[tuple[str, Any]]]:
    """The commands of a group by subject, with their names."""
    found: dict[str, list[tuple[str, Any]]] = {}
    for name, command in group.commands.items():
        if not command.hidden:
            found.setdefault(getattr(command, "rich_help_panel", None) or "Commands", []).append((name, command))
    return found


class HelpCommand(TyperCommand):
    """A command whose help is laid out here."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """What follows the command's name in its usage: what is needed by name, what may be left out in brackets."""
        options = [_written(option) for option in self.params if isinstance(option, TyperOption) and option.required]
        arguments = [argument.display_name_raw for argument in self.params if isinstance(argument, TyperArgument)]
        return ["[OPTIONS]", *(name.rpartition(", ")[2] for name in options), *arguments]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options by subject, then the examples."""
        _write(formatter, sections(self, ctx))
        _write_examples(formatter, ctx.command_path)


class HelpGroup(TyperGroup):
    """A group of commands whose help is laid out here."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Without arguments show the help where a pager or a file gets it: on standard output."""
        if not args and self.no_args_is_help and not ctx.resilient_parsing:
            typer.echo(ctx.get_help())
            raise typer.Exit(NOTHING_GIVEN)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the commands by subject, the options, the examples, and at the top what exit codes mean."""
        _write(
            formatter,
            [
                Section(subject, [(name, _first_sentence(command)) for name, command in commands])
                for subject, commands in subjects(self).items()
            ],
        )
        _write(formatter, sections(self, ctx))
        _write_examples(formatter, ctx.command_path)
        if ctx.parent is None:
            _write(formatter, [Section("Exit codes", [(str(code), means) for code, means in EXIT_CODES.items()])])


def _written(option: TyperOption) -> str:
    """An option as one types it: `-p, --pipeline PIPELINE`."""
    names = ", ".join(sorted(option.opts, key=lambda name: name.startswith("--")))
    if option.secondary_opts:
        return f"{names}, {', '.join(option.secondary_opts)}"
    if option.is_flag:
        return names
    joint = "" if (option.metavar or "").startswith("[") else " "
    return f"{names}{joint}{option.metavar}"


def _explained(parameter: TyperArgument | TyperOption) -> str:
    """The help of a parameter, with its default and bounds where the help cannot know them."""
    help_text = parameter.help or ""
    least = parameter.min if isinstance(parameter, TyperOption) else None
    more = [f"at least {least:g}"] if least else []
    if (
        not parameter.required
        and isinstance(parameter.default, int | float | str | Path)
        and parameter.default is not False
    ):
        more += [] if isinstance(parameter.default, bool) else [f"default: {parameter.default}"]
    return f"{help_text} [{'; '.join(more)}]" if more else help_text


def _first_sentence(command: Any) -> str:
    text = " ".join((command.help or "").split("\n\n")[0].split())
    return text.partition(". ")[0].rstrip(".")


def _write(formatter: Any, parts: Sequence[Section]) -> None:
    for part in parts:
        with formatter.section(part.name):
            formatter.write_dl(part.rows)


def _write_examples(formatter: Any, path: str) -> None:
    if examples := EXAMPLES.get(path):
        with formatter.section("Examples"):
            for line in _example_lines(examples, formatter.width - 2):
                formatter.write(f"  {line}\n")


def _example_lines(examples: Sequence[Example], width: int) -> Iterator[str]:
    """The lines to copy whole, what they do beside them, or above where there is no room for all of them."""
    longest = max(len(line) for line, _ in examples)
    beside = all(longest + 4 + len(does) <= width for _, does in examples)
    for line, does in examples:
        if beside:
            yield f"{line:<{longest}}  # {does}"
        else:
            yield from (f"# {does}", line)
