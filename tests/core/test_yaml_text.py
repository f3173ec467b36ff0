"""Text that a person wrote: what is wrong with it is said of the text, with the line to look at."""

from __future__ import annotations

import pytest

from openhcs.core.yaml_text import YamlFault, YamlText


@pytest.mark.parametrize(
    ("text", "told", "line"),
    [
        ("a:\n  - b: 1\n  c: 2\n", "does not go on with what is above", 3),
        ("a: b: c\n", "a colon where none can be", 1),
        ("a:\n\tb: 1\n", "a tab in the indentation", 2),
        ("z: 1\na: 'x\n", "quotes that are not closed", 2),
        ("z: 1\na: [1,\n  2\n\n", "a list that is not closed", 2),
        ("a: {b: 1\nc: 2\n", "braces that are not closed", 1),
        ("a: *b\n", "found undefined alias 'b'", 1),
    ],
)
def test_what_is_no_yaml_is_told_in_words_where_it_is(text: str, told: str, line: int) -> None:
    """What is left open is told where it begins, other faults where they are met."""
    with pytest.raises(YamlFault) as fault:
        YamlText.parse(text)
    assert told in str(fault.value)
    assert fault.value.line == line
