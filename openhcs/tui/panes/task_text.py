"""What the task inspector says: the tree of scopes and tasks, a line for each, and what is known of one.

Pure functions of a snapshot. Names and paths are made visible here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from prompt_toolkit.formatted_text import StyleAndTextTuples

from openhcs.tui.utils.safe_text import visible
from openhcs.tui.utils.task_snapshot import TaskSnapshot, TaskState
from openhcs.tui.utils.watchdog import BlockedLoop
from openhcs.tui.widgets.drawn_text import cut, cut_middle, fit
from openhcs.tui.widgets.progress import duration_text

__all__ = ["LOOP_ROW", "TreeRow", "detail_lines", "loop_fragments", "report_lines", "row_fragments", "task_tree"]

_WITHIN: Final = " / "
_NAME_LIMIT: Final = 60
_AGE_WIDTH: Final = 10
_STATE_WIDTH: Final = 10
_STATE_STYLES: Final = {TaskState.RUNNING: "class:busy", TaskState.WAITING: "", TaskState.CANCELLING: "class:warning"}


@dataclass(frozen=True, slots=True)
class TreeRow:
    """One line of the tree: a task's, or that of a scope, whose path is its name.

    `lines` are those that join it to its parent.
    """

    lines: str
    name: str
    task: TaskSnapshot | None = None

    @property
    def key(self) -> object:
        """What tells this row from others, from one snapshot to the next."""
        return self.task.task if self.task is not None else self.name


LOOP_ROW: Final = TreeRow("", "")
"""Stands for the event loop."""


@dataclass(slots=True)
class _Node:
    name: str
    task: TaskSnapshot | None = None
    children: list[_Node] = field(default_factory=list)


def task_tree(snapshots: Sequence[TaskSnapshot]) -> tuple[TreeRow, ...]:
    """The tasks of a snapshot, each below its spawner or its scope, scopes below the scopes around them."""
    root = _Node("")
    scopes = {"": root}

    def scope(path: str) -> _Node:
        if path not in scopes:
            scopes[path] = _Node(path)
            scope(path.rpartition(_WITHIN)[0]).children.append(scopes[path])
        return scopes[path]

    nodes: list[_Node] = []
    for task in snapshots:
        node = _Node(task.name, task)
        nodes.append(node)
        spawned_here = task.parent is not None and snapshots[task.parent].scope == task.scope
        parent = nodes[task.parent] if spawned_here and task.parent is not None else scope(task.scope)
        parent.children.append(node)
    return tuple(_rows(root.children, ""))


def _rows(nodes: Sequence[_Node], lines: str) -> Iterable[TreeRow]:
    for node in nodes:
        last = node is nodes[-1]
        yield TreeRow(f"{lines}{'└ ' if last else '├ '}", node.name, node.task)
        yield from _rows(node.children, f"{lines}{'  ' if last else '│ '}")


def row_fragments(row: TreeRow, width: int) -> StyleAndTextTuples:
    """Name, age, state, and what the task waits for, in `width` cells; of a scope its name."""
    name_width = min(max(16, (width - _AGE_WIDTH - _STATE_WIDTH - 6) // 2), _NAME_LIMIT)
    task = row.task
    if task is None:
        scope = cut(visible(row.name.rpartition(_WITHIN)[2]), max(0, width - len(row.lines) - 7))
        return [("class:pane.border", row.lines), ("class:title", scope), ("class:muted", "  scope")]
    name = visible(row.name)
    return [
        ("class:pane.border", cut(row.lines, name_width)),
        ("", fit(name, max(0, name_width - len(row.lines)))),
        ("class:muted", f"  {fit(duration_text(task.age_s), _AGE_WIDTH, right=True)}"),
        (_STATE_STYLES[task.state], f"  {fit(task.state.value, _STATE_WIDTH)}"),
        ("class:muted", f"  {cut(_awaits(task), max(0, width - name_width - _AGE_WIDTH - _STATE_WIDTH - 6))}"),
    ]


def _awaits(task: TaskSnapshot) -> str:
    """What it waits for and, where that says little, in which function."""
    function = task.stack[-1].rpartition(" in ")[2] if task.stack else ""
    said = not task.awaits or not function or function in task.awaits or task.awaits.startswith("its ")
    return visible(task.awaits if said else f"{task.awaits} in {function}")


def loop_fragments(blocked: BlockedLoop | None, now_s: float, width: int) -> StyleAndTextTuples:
    """One line on whether and by what the event loop has been blocked; `now_s` on the monotonic clock."""
    if blocked is None:
        return [("class:muted", cut("The event loop has not been blocked.", width))]
    ago_s = now_s - blocked.since_s - blocked.seconds
    said = f"The event loop was blocked for {duration_text(blocked.seconds)}, {duration_text(ago_s)} ago, by "
    return [("class:warning", said), ("class:warning", cut_middle(visible(blocked.where), max(0, width - len(said))))]


def detail_lines(row: TreeRow, blocked: BlockedLoop | None) -> list[str]:
    """All that is known of a task; of the event loop, where it was blocked last."""
    task = row.task
    if row is LOOP_ROW:
        return _stack("The event loop was blocked at", blocked.stack) if blocked is not None else []
    if task is None:
        return [f"scope {visible(row.name)}"]
    facts = [visible(task.name)]
    if task.scope:
        facts.append(f"scope {visible(task.scope)}")
    if task.spawned_by is not None:
        facts.append(f"spawned by {visible(task.spawned_by)}")
    if task.cancelled_by is not None:
        facts.append(f"cancelled: {visible(task.cancelled_by)}")
    waits = f"waits for {visible(task.awaits)}" if task.awaits else "runs"
    created = _stack("It was created at", (task.creator,)) if task.creator is not None else ()
    return ["; ".join(facts), *created, *_stack(f"It {waits}, at", task.stack)]


def _stack(title: str, stack: Sequence[str]) -> list[str]:
    """Innermost first: what is done now is on the screen, however deep the stack."""
    return [title, *(f"  {visible(place)}" for place in reversed(stack))]


def report_lines(snapshots: Sequence[TaskSnapshot], blocked: BlockedLoop | None) -> list[str]:
    """Everything the inspector knows, for a file."""
    lines = detail_lines(LOOP_ROW, blocked)
    for row in task_tree(snapshots):
        if row.task is not None:
            age = duration_text(row.task.age_s)
            lines += ["", *detail_lines(row, blocked), f"  {row.task.state.value}, {age} old"]
    return lines
