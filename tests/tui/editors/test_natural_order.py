"""Names sorted as people count, without holding up other threads."""

from __future__ import annotations

import random
import re

from hypothesis import given
from hypothesis import strategies as st

from openhcs.tui.editors.natural_order import AT_ONCE, fold_all, in_order, natural_keys


def sort(*names: str) -> list[str]:
    keys = natural_keys(names)
    return [names[row] for row in in_order(range(len(names)), keys.__getitem__)]


def test_numbers_are_counted_wherever_they_stand() -> None:
    """Each number of a name is compared by its value, with or without zeros before it."""
    assert sort("p10_s1", "p2_s10", "p2_s9", "p2_s009b", "p1") == ["p1", "p2_s9", "p2_s009b", "p2_s10", "p10_s1"]
    assert sort("10", "9", "a", "") == ["", "9", "10", "a"]


def _counted(name: str) -> list[tuple[int, int | str]]:
    parts = re.split(r"(\d+)", name)
    return [(0, int(part)) if part.isdigit() else (1, part) for part in parts if part]


@given(st.lists(st.from_regex(r"\A[a-c]{1,2}(?:[0-9]{1,4}[a-c]{1,2}){0,3}\Z"), max_size=20))
def test_the_order_is_that_of_the_numbers(names: list[str]) -> None:
    """The order is the one of texts and numbers compared one after the other."""
    assert [_counted(name) for name in sort(*names)] == sorted(_counted(name) for name in names)


def test_any_name_has_its_place() -> None:
    """Very long numbers, GUIDs, other scripts and halves of characters are sorted too."""
    names = ["9" * 300, "1", "x7C54C10F-92F1-4C", "x٣", "\udcff", "é2", "é10"]
    assert sorted(sort(*names)) == sorted(names)
    assert sort("é10", "é2") == ["é2", "é10"]


def test_many_rows_are_sorted_in_turns() -> None:
    """Rows beyond one part come out sorted, equal ones as they stood, backwards as well."""
    chance = random.Random(5)
    keys = [chance.randrange(50) for _ in range(3 * AT_ONCE + 7)]
    rows = range(len(keys))
    assert in_order(rows, keys.__getitem__) == sorted(rows, key=keys.__getitem__)
    assert in_order(rows, keys.__getitem__, backwards=True) == sorted(rows, key=keys.__getitem__, reverse=True)


def test_names_are_folded_all_at_once() -> None:
    """Folding many names gives what folding each gives."""
    names = ["Ab", "straße", "", "c"] * AT_ONCE
    assert fold_all(names, str.casefold) == [name.casefold() for name in names]
