"""What a worker must see before it gets a well, and how it says what it does not."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from openhcs.core import tasks
from openhcs.core.compiler import source_digest
from openhcs.core.surroundings import Surroundings
from openhcs.core.tasks import look_around

MODULE = "tests.core.misbehaving"


@pytest.fixture
def expected(tmp_path: Path) -> Surroundings:
    """A plate of one file and a results folder, as the runner sees them."""
    plane, token = tmp_path / "plate" / "A01.tif", tmp_path / "out" / "run.json"
    for path in (plane, token):
        path.parent.mkdir()
        path.write_bytes(b"content")
    modules = ((MODULE, source_digest(MODULE)),)
    return Surroundings(plane.parent, (plane, 7), token.parent, (token, b"content"), (), modules)


def test_a_worker_that_sees_all_is_told_by_host_and_process(expected: Surroundings) -> None:
    """Nothing is the matter, and nothing is left behind in the results."""
    facts = look_around(expected)
    assert (facts.trouble, facts.pid) == (None, os.getpid())
    assert facts.host
    assert not list((expected.out / ".tmp").iterdir())


def without_plate(expected: Surroundings) -> Surroundings:
    return replace(expected, root=expected.root / "elsewhere")


def without_image(expected: Surroundings) -> Surroundings:
    return replace(expected, plane=(expected.root / "A02.tif", 7))


def with_another_plate(expected: Surroundings) -> Surroundings:
    return replace(expected, plane=(expected.root / "A01.tif", 8))


def without_results(expected: Surroundings) -> Surroundings:
    return replace(expected, token=(expected.out / "elsewhere.json", b"content"))


def with_other_results(expected: Surroundings) -> Surroundings:
    return replace(expected, token=(expected.token[0], b"other"))


def with_results_in_the_way(expected: Surroundings) -> Surroundings:
    (expected.out / ".tmp").touch()
    return expected


def without_module(expected: Surroundings) -> Surroundings:
    return replace(expected, modules=(("lab.functions", "sha256:0"),))


def with_another_module(expected: Surroundings) -> Surroundings:
    return replace(expected, modules=((MODULE, "sha256:0"),))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without_plate, "does not see the plate's folder"),
        (without_image, r"cannot read the plate's file .*A02.tif \(No such file"),
        (with_another_plate, "A01.tif is another file"),
        (without_results, r"does not see the results folder .*elsewhere.json cannot be read there \(No such file"),
        (with_other_results, "does not see the results folder .*run.json is another file there"),
        (with_results_in_the_way, "cannot write into the results folder"),
        (without_module, "lab.functions"),
        (with_another_module, f"its module {MODULE} is not the one of this machine"),
    ],
)
def test_what_a_worker_does_not_see_is_named(
    expected: Surroundings,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Surroundings], Surroundings],
    words: str,
) -> None:
    """Without a shared file system, or with other modules, the first thing that is lacking is told."""
    monkeypatch.setattr(tasks, "_SHOWS_WITHIN_S", 0.0)
    trouble = look_around(change(expected)).trouble
    assert trouble is not None
    assert re.search(words, trouble), trouble
