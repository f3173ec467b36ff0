"""A key binding is a row: keys, effect, words for people, and why it cannot run now.

Handlers, footer and help are all drawn from the same rows, so they cannot disagree. A coroutine that an effect
returns goes to the task spawner under the row's label; nothing here starts a task by itself.

Anybody under openhcs.tui may import this.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from prompt_toolkit.application import get_app
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.mouse_events import MouseEvent
from prompt_toolkit.utils import get_cwidth

from openhcs.tui.ports import TaskSpawner
from openhcs.tui.utils.application import GuardedApplication
from openhcs.tui.widgets.drawn_text import on_click

if TYPE_CHECKING:
    from prompt_toolkit.key_binding.key_bindings import NotImplementedOrNone

__all__ = ["Binding", "Effect", "footer_fragments", "key_bindings", "key_name", "key_of", "run_binding", "start_effect"]

Effect = Callable[[], Coroutine[Any, Any, Any] | None]


def _enabled() -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Binding:
    """One row: what `keys` do, what footer and help say about it, and when it is refused.

    `keys` are prompt_toolkit names, each alone enough; the first is the one shown to people. A name may be a
    sequence with spaces between ("escape f" is Alt-F). `why_disabled` returns the reason why `run` is refused
    at this moment, or None.
    """

    keys: tuple[str, ...]
    run: Effect
    label: str
    description: str
    why_disabled: Callable[[], str | None] = _enabled
    on_footer: bool = True


def start_effect(effect: Effect, name: str, tasks: TaskSpawner) -> None:
    """Call `effect`; if it returns a coroutine, give that to `tasks` under `name`.

    Keys typed behind it wait for the dialog it may open.
    """
    work = effect()
    if work is not None:
        app = get_app()
        tasks.fire_and_forget(app.holding_keys(work) if isinstance(app, GuardedApplication) else work, name)


def run_binding(row: Binding, *, tasks: TaskSpawner, refuse: Callable[[str], None]) -> None:
    """Run a row's effect, or tell through `refuse` why it cannot run now."""
    reason = row.why_disabled()
    if reason is not None:
        refuse(reason)
    else:
        start_effect(row.run, row.label, tasks)


def key_bindings(
    rows: Sequence[Binding], *, tasks: TaskSpawner, refuse: Callable[[str], None], eager: bool = False
) -> KeyBindings:
    """The prompt_toolkit bindings of `rows`. Where two rows share a key, the later row has it.

    Args:
        eager: whether they go before the keys of whatever has the focus.
    """
    bindings = KeyBindings()
    # Escape alone need not wait for a second key unless some row has such a sequence.
    eager_escape = not any(key.startswith("escape ") for row in rows for key in row.keys)

    def bind(row: Binding, key: str) -> None:
        @bindings.add(*(key.split() or [key]), eager=eager or (eager_escape and key == "escape"))
        def _(event: KeyPressEvent) -> None:
            run_binding(row, tasks=tasks, refuse=refuse)

    for row in rows:
        for key in row.keys:
            bind(row, key)
    return bindings


def footer_fragments(
    rows: Sequence[Binding],
    width: int,
    *,
    tasks: TaskSpawner,
    refuse: Callable[[str], None],
    more: Effect | None = None,
) -> StyleAndTextTuples:
    """The keys of `rows` in at most `width` cells: whole entries, each clickable, "…" where some did not fit.

    An entry that is refused now stays in its place, drawn as disabled, so that the footer does not jump. A click on
    "…" does `more`, which is to bring what did not fit within reach of the mouse.
    """

    def click(row: Binding) -> Callable[[MouseEvent], NotImplementedOrNone]:
        return on_click(lambda: run_binding(row, tasks=tasks, refuse=refuse))

    shown = [row for row in rows if row.on_footer]
    fragments: StyleAndTextTuples = []
    used = 0
    for i, row in enumerate(shown):
        key, label = key_name(row.keys[0]), row.label
        gap = "  " if fragments else ""
        cells = get_cwidth(f"{gap}{key} {label}")
        dots_cells = 2 if i + 1 < len(shown) else 0
        if used + cells + dots_cells > width:
            if used + 2 <= width:
                dots = " …" if fragments else "…"
                fragments.append(("class:muted", dots) if more is None else ("class:key", dots, _opens(more, tasks)))
            break
        enabled = row.why_disabled() is None
        handler = click(row)
        fragments += [
            ("", gap),
            ("class:key" if enabled else "class:disabled", key, handler),
            ("class:label" if enabled else "class:disabled", f" {label}", handler),
        ]
        used += cells
    return fragments


def _opens(more: Effect, tasks: TaskSpawner) -> Callable[[MouseEvent], NotImplementedOrNone]:
    return on_click(lambda: start_effect(more, "more keys", tasks))


def key_of(rows: Sequence[Binding], label: str) -> str:
    """The key that people are told for the row with this label."""
    return next(key_name(row.keys[0]) for row in rows if row.label == label)


_NAMES: Final = {
    "enter": "Enter",
    "c-m": "Enter",
    "c-j": "Enter",
    "escape": "Esc",
    "tab": "Tab",
    "c-i": "Tab",
    "c-h": "Backspace",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "delete": "Del",
    "insert": "Ins",
    "space": "Space",
    " ": "Space",
}
_MODIFIERS: Final = {"c": "Ctrl", "s": "Shift"}


def key_name(key: str) -> str:
    """A prompt_toolkit key name as people write it: "c-n" is "Ctrl-N", "escape f" is "Alt-F"."""
    parts = key.split()
    if len(parts) == 2 and parts[0] == "escape":
        return f"Alt-{_one_key_name(parts[1], raised=True)}"
    return " ".join(_one_key_name(part) for part in parts) or _NAMES[key]


def _one_key_name(key: str, *, raised: bool = False) -> str:
    if key in _NAMES:
        return _NAMES[key]
    head, dash, rest = key.partition("-")
    if dash and rest and all(letter in _MODIFIERS for letter in head):
        return "-".join([*(_MODIFIERS[letter] for letter in head), _one_key_name(rest, raised=True)])
    if len(key) == 1:
        return key.upper() if raised else key
    return key.capitalize()
