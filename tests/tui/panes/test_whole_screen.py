"""The views over the whole screen, by keys and by mouse."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from prompt_toolkit.layout.containers import AnyContainer, Window
from prompt_toolkit.layout.controls import FormattedTextControl

from openhcs.tui.panes.whole_screen import whole_screen
from openhcs.tui.widgets.bindings import Binding
from tests.tui.screen import Screen, Tasks, in_loop, shown


@in_loop
async def test_every_action_of_a_view_is_found_by_its_name() -> None:
    """By Ctrl-P, and by a click on the "…" of a footer without room; one that is refused now says why."""
    done: list[str] = []
    tasks = Tasks()
    rows = [Binding((key,), partial(done.append, key), f"Action {key}", "Does it.") for key in "abc"]
    rows.append(Binding(("d",), partial(done.append, "d"), "Action d", "Does it.", lambda: "It is done"))
    screens: list[Screen] = []

    class Host:
        async def show_dialog(self, dialog: AnyContainer, result_future: asyncio.Future[Any]) -> Any:
            return await screens[0].show_dialog(dialog, result_future)

    body = Window(FormattedTextControl("a view", focusable=True))
    view = whole_screen(body, lambda: "View", lambda: rows, "Here", app_state=Host(), tasks=tasks, refuse=done.append)
    async with shown(view.container, columns=40, tasks=tasks, focus=body) as screen:
        screens.append(screen)
        assert "Action c" not in screen.text
        await screen.click("…", tasks=False)
        await screen.wait_for("not now: …")
        await screen.click("Action c", times=2, tasks=False)
        await screen.wait(lambda: done == ["c"], "the action")
        await screen.press("c-p", tasks=False)
        await screen.wait_for("not now: …")
        await screen.press(*"tion b", tasks=False)
        await screen.press("enter", tasks=False)
        await screen.wait(lambda: done == ["c", "b"], "the action")
        await screen.press("?", tasks=False)
        await screen.wait_for("Show what every key does")
        assert screen.text.count("Does it.") == len(rows)
