"""The tree of tasks and the text about one, made from snapshots."""

from __future__ import annotations

import asyncio
import weakref
from typing import cast

import pytest
from prompt_toolkit.formatted_text import fragment_list_width, to_plain_text

from openhcs.tui.panes.task_text import LOOP_ROW, TreeRow, detail_lines, loop_fragments, row_fragments, task_tree
from openhcs.tui.utils.task_snapshot import TaskSnapshot, TaskState
from openhcs.tui.utils.watchdog import BlockedLoop


def task(name: str, scope: str = "", parent: int | None = None, spawned_by: str | None = None) -> TaskSnapshot:
    gone = cast("weakref.ref[asyncio.Task[object]]", weakref.ref(set()))
    stack = ("/app.py:10 in outer", "/app.py:20 in inner")
    return TaskSnapshot(gone, name, scope, 12.0, TaskState.WAITING, spawned_by, parent, None, "Future", stack)


def tree(*tasks: TaskSnapshot) -> list[str]:
    return [f"{row.lines}{row.name}" for row in task_tree(tasks)]


def test_tasks_stand_below_their_spawners_and_scopes() -> None:
    """A child is below its spawner; a scope is below the one around it, also where that has no task of its own."""
    assert tree(task("a"), task("b", parent=0), task("c", parent=1), task("d"), task("e", "p / q"), task("f", "p")) == [
        "├ a",
        "│ └ b",
        "│   └ c",
        "├ d",
        "└ p",
        "  ├ p / q",
        "  │ └ e",
        "  └ f",
    ]


def test_a_task_in_another_scope_than_its_spawner_stands_in_its_scope() -> None:
    """The scope ends it, so it is found there; the text about it still names the spawner."""
    snapshots = (task("run"), task("well", "plate", parent=0, spawned_by="run"))
    assert tree(*snapshots) == ["├ run", "└ plate", "  └ well"]
    assert detail_lines(task_tree(snapshots)[2], None)[0] == "well; scope plate; spawned by run"


def test_the_innermost_place_comes_first() -> None:
    """However deep the stack, what the task does now is at the top."""
    [row] = task_tree([task("a")])
    assert detail_lines(row, None)[1:] == ["It waits for Future, at", "  /app.py:20 in inner", "  /app.py:10 in outer"]


@pytest.mark.parametrize("width", [56, 74, 194])
def test_a_row_fits_its_width_and_executes_nothing(width: int) -> None:
    """Long names are cut, control characters are shown, and what is waited for has its place at the end."""
    rows = task_tree([task("evil \x1b[31m" + "name " * 60), task("child", parent=0), task("t", "scope " * 60)])
    for row in rows:
        fragments = row_fragments(row, width)
        assert fragment_list_width(fragments) <= width
        assert "\x1b" not in to_plain_text(fragments)
    assert to_plain_text(row_fragments(rows[1], width)).split() == [
        "│",
        "└",
        "child",
        "12",
        "s",
        "waiting",
        *WAITS[width],
    ]


WAITS = {56: ["Future", "in", "inn…"], 74: ["Future", "in", "inner"], 194: ["Future", "in", "inner"]}


def test_the_event_loop_tells_when_and_where_it_was_blocked() -> None:
    """One line says for how long, how long ago and by what; the text below has the whole stack."""
    blocked = BlockedLoop(3.0, ("/app.py:1 in main", "/app.py:7 in read"), 100.0)
    said = to_plain_text(loop_fragments(blocked, 115.0, 80))
    assert said == "The event loop was blocked for 3.0 s, 12 s ago, by /app.py:7 in read"
    assert detail_lines(LOOP_ROW, blocked)[1:] == ["  /app.py:7 in read", "  /app.py:1 in main"]
    assert "not been blocked" in to_plain_text(loop_fragments(None, 115.0, 80))
    assert detail_lines(LOOP_ROW, None) == []


def test_a_scope_tells_its_path() -> None:
    """Below a scope's row there is its whole path."""
    assert detail_lines(TreeRow("└ ", "plate A / well B03"), None) == ["scope plate A / well B03"]
