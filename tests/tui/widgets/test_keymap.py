"""The user's own keys: how they are written, who gets them, and what cannot be had."""

from __future__ import annotations

from pathlib import Path

import pytest

from openhcs.tui.keys_file import keys_text, read_keys_file
from openhcs.tui.widgets.bindings import Binding, key_name
from openhcs.tui.widgets.keymap import ChosenKeys, KeyFault, Keymap, action_name, parse_key


def row(label: str, *keys: str) -> Binding:
    return Binding(keys, lambda: None, label, f"{label}.")


RUN, STOP, QUIT = row("Run", "r"), row("Stop now", "x", "delete"), row("Quit", "q", "c-q")


def choose(tmp_path: Path, text: str) -> tuple[Keymap, list[KeyFault]]:
    file = tmp_path / "keys.yaml"
    file.write_text(text)
    chosen, faults = read_keys_file(file)
    return Keymap(chosen), faults


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("a", "a"),
        ("A", "A"),
        ("?", "?"),
        ("-", "-"),
        ("F5", "f5"),
        ("Ctrl-N", "c-n"),
        ("ctrl-n", "c-n"),
        ("c-n", "c-n"),
        ("Shift-Up", "s-up"),
        ("Ctrl-Shift-Left", "c-s-left"),
        ("Alt-F", "escape f"),
        ("Esc", "escape"),
        ("PgDn", "pagedown"),
        ("Del", "delete"),
        ("Space", "space"),
        ("g g", "g g"),
    ],
)
def test_keys_are_written_as_people_read_them(written: str, key: str) -> None:
    """A key is understood as the help shows it, and as prompt_toolkit names it; what is shown for it is read back."""
    assert parse_key(written) == key
    assert parse_key(key_name(key)) == key


@pytest.mark.parametrize("written", ["", "hello", "Ctrl-Foo", "Ctrl-", "Alt-", "Meta-x"])
def test_what_is_no_key_is_refused(written: str) -> None:
    """A key that no terminal sends is an error that shows keys there are."""
    with pytest.raises(ValueError, match=r"is no key; expected one such as a, A, F5, Ctrl-N"):
        parse_key(written)


def test_rows_get_the_keys_chosen_for_them() -> None:
    """A row with chosen keys has these only; the others keep their own."""
    keymap = Keymap({"plates.stop-now": ChosenKeys(("c-x",), 1)})
    run, stop = keymap.rows("Plates", [RUN, STOP])
    assert run == RUN
    assert stop.keys == ("c-x",)
    assert stop.label == STOP.label
    assert keymap.faults([]) == []


def test_a_key_of_two_actions_is_reported_where_the_user_chose_it() -> None:
    """Sharing a key within a place, or with an action that works everywhere, is a fault with the line that does it."""
    chosen = {"plates.run": ChosenKeys(("x",), 3), "wells.open": ChosenKeys(("q",), 5)}
    keymap = Keymap(chosen)
    keymap.rows("Plates", [RUN, STOP])
    keymap.rows("Wells", [row("Open", "enter"), row("Also x", "x")])
    faults = keymap.faults(keymap.rows("Everywhere", [QUIT]))
    assert [fault.line for fault in faults] == [3, 5]
    assert "x for plates.run is the key of plates.stop-now as well" in faults[0].message
    assert "q for wells.open is the key of everywhere.quit as well" in faults[1].message


def test_the_same_key_in_different_places_is_no_conflict() -> None:
    """Places have keys of their own, and what the program itself lets overlap is no fault of the user's."""
    keymap = Keymap({"wells.open": ChosenKeys(("r",), 1)})
    keymap.rows("Plates", [RUN])
    keymap.rows("Wells", [row("Open", "enter"), row("Also q", "q")])
    assert keymap.faults(keymap.rows("Everywhere", [QUIT])) == []


def test_an_action_that_does_not_exist_is_reported_with_what_was_meant() -> None:
    """A misspelt action is told with its line and the nearest name there is."""
    keymap = Keymap({"plates.ran": ChosenKeys(("R",), 2)})
    keymap.rows("Plates", [RUN])
    (fault,) = keymap.faults([])
    assert str(fault).startswith("line 2: plates.ran is no action; expected one that `openhcs keys` lists.")
    assert "Did you mean plates.run?" in fault.message


def test_the_keys_file_is_read_with_the_line_of_each_fault(tmp_path: Path) -> None:
    """One wrong line costs that line; the others hold."""
    keymap, faults = choose(tmp_path, "plates.run: [R, Ctrl-R]\nplates.stop-now: Hyper-x\nplates.quit: [[1]]\n")
    run, stop = keymap.rows("Plates", [RUN, STOP])
    assert run.keys == ("R", "c-r")
    assert stop.keys == STOP.keys
    assert [fault.line for fault in faults] == [2, 3]


@pytest.mark.parametrize("text", ["- a\n- b\n", "plates.run: [", "just words"])
def test_a_file_that_holds_no_keys_is_one_fault(tmp_path: Path, text: str) -> None:
    """What is not lines of action and key is told once, and every action keeps its keys."""
    keymap, faults = choose(tmp_path, text)
    assert len(faults) == 1
    assert "expected lines such as" in faults[0].message
    assert keymap.rows("Plates", [RUN]) == (RUN,)


def test_no_file_and_an_empty_one_choose_nothing(tmp_path: Path) -> None:
    """Most people have no keys file."""
    assert read_keys_file(tmp_path / "none.yaml") == ({}, [])
    assert choose(tmp_path, "# only a comment\n")[1] == []


def test_the_printed_file_changes_nothing(tmp_path: Path) -> None:
    """What `openhcs keys` prints can be read back and gives every action the keys it has."""
    keymap = Keymap()
    rows = [RUN, STOP, row("Odd", "?", "-", "y", "1", '"', "escape f", "space")]
    keymap.rows("Plates", rows)
    keymap.rows("Everywhere", [QUIT])
    again, faults = choose(tmp_path, keys_text(keymap.places, tmp_path / "keys.yaml"))
    assert faults == []
    assert again.rows("Plates", rows) == tuple(rows)
    assert again.faults(again.rows("Everywhere", [QUIT])) == []


def test_actions_are_called_after_place_and_label() -> None:
    """Names in the keys file are lower case words with dashes."""
    assert action_name("Plates", row("Put back", "u")) == "plates.put-back"
    assert action_name("Pipeline", row("On/off", "space")) == "pipeline.on-off"
