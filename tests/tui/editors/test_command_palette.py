"""Looking actions up by name."""

from __future__ import annotations

import asyncio
import time

from openhcs.tui.editors.command_palette import Command, CommandPalette, search_commands
from openhcs.tui.widgets.bindings import Binding
from tests.tui.screen import Tasks, in_loop, shown


def command(label: str, description: str = "", place: str = "Plates") -> Command:
    return Command(label.lower(), place, Binding(("x",), lambda: None, label, description))


COMMANDS = [
    command("Put back", "Put the plate removed last back on the list."),
    command("Undo", "Take the last change back.", "Pipeline"),
    command("Run", "Run the pipeline on every well."),
    command("Run failed", "Run the wells that failed."),
    command("Try", "Run two wells only."),
]


def found(text: str) -> list[str]:
    return [command.row.label for command in search_commands(COMMANDS, text)]


def test_nothing_typed_finds_everything_in_its_order() -> None:
    """Before anything is typed the palette is the list of all actions."""
    assert found("  ") == [command.row.label for command in COMMANDS]


def test_labels_come_before_descriptions() -> None:
    """What is called so comes first, then what holds the letters, then what is only described so."""
    assert found("run") == ["Run", "Run failed", "Try"]
    assert found("back")[0] == "Put back"


def test_letters_may_be_left_out() -> None:
    """The letters of a label in their order are enough."""
    assert found("rfl") == ["Run failed"]
    assert found("pb") == ["Put back"]


def test_every_word_must_be_somewhere() -> None:
    """Words are looked for in label, place and description, in any order."""
    assert found("wells try") == ["Try"]
    assert found("pipeline change") == ["Undo"]
    assert found("nothing like this") == []


def test_a_page_pasted_by_mistake_is_looked_for_in_no_time() -> None:
    """Each key after it would wait for the search again."""
    began_s = time.process_time()
    for letters in range(20):
        assert found("y" * 20_000 + "z" * letters) == []
    assert time.process_time() - began_s < 1


@in_loop
async def test_a_description_that_its_row_cuts_is_told_in_full() -> None:
    """Also one that takes two lines of a small screen, for the highlighted action."""
    long = "Add plates, or folders that hold plates, found in the file browser; paths that are pasted are added too."
    tasks = Tasks()
    palette = CommandPalette([command("Add", long)], asyncio.get_running_loop().create_future(), tasks=tasks)
    async with shown(palette.container, tasks=tasks, focus=palette.field) as screen:
        await screen.wait_for("are added too.")
