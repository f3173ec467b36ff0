"""Somebody who presses, types, pastes, clicks, drags and starts anything in the whole workbench, by a seed.

The deeds are `deeds`; here they are done to a workbench in this process, and after each it is asked whether something
went wrong that nobody meant: a key that is not answered, an error of the code. What the user can be blamed for, such as
a path that does not exist, is told in words (`OpenHCSError`) and counted by `User.refusals`.

Leaving is one of the deeds. The workbench is then opened again, with whatever runs were left going on.
"""

from __future__ import annotations

import logging
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import Final

import psutil

from openhcs.core import paths
from openhcs.errors import OpenHCSError
from openhcs.testing.driver import WorkbenchDriver, workbench
from openhcs.tui.effects.screen_settings import ScreenSettings, read_screen_settings
from openhcs.tui.widgets.bindings import Binding
from tests.tui.layout.deeds import (
    LEAVING,
    Command,
    Deed,
    Mouse,
    Paste,
    Press,
    Resize,
    RunShipped,
    Type,
    deed_of,
    starts_a_run,
)

__all__ = ["Found", "User", "write_editor"]

ANSWER_S: Final = 60.0
"""How long a deed may take; the machine may be busy."""

REST_S: Final = 600.0
"""How long runs may go on that were started before a rest."""

_SHOWN = 15

_EDITOR = """\
#!/bin/sh
# Somebody's editor: what it does the next time is in a file beside it, so that a use can be done again.
turns="${0%/*}/turns"
turn=$(($(cat "$turns" 2>/dev/null || echo 0) + 1))
echo $turn > "$turns"
case $((turn % 7)) in
    0) ;;
    1) sed -i 's/radius_px: [0-9]*/radius_px: 25/' "$1" ;;
    2) echo "nonsense: [" >> "$1" ;;
    3) sed -i 's/functions: /functions: no_such_/' "$1" ;;
    4) exit 3 ;;
    5) : > "$1" ;;
    6) rm "$1" ;;
esac
"""


class Found(AssertionError):
    """Something went wrong; the message says how to do it again."""


class User:
    """Uses the workbench, opened on `plates` with `pipeline`, as `seed` has it.

    Args:
        stops: whether the program is suspended now and then, which stops all processes of its group.
        leaves: whether it is left now and then.
        runs: whether plates are run, which takes seconds each time.
    """

    def __init__(
        self,
        seed: int,
        plates: Iterable[Path],
        pipeline: Path,
        *,
        stops: bool = False,
        leaves: bool = True,
        runs: bool = True,
    ) -> None:
        self._seed = seed
        self._plates = tuple(plates)
        self._pipeline = pipeline
        self._stops = stops
        self._leaves = leaves
        self._runs = runs
        self._others = set(psutil.Process().children(recursive=True))
        self._wb: WorkbenchDriver | None = None
        self._block: AbstractAsyncContextManager[WorkbenchDriver] | None = None
        self._done: deque[str] = deque(maxlen=_SHOWN)
        self.refusals: Counter[str] = Counter()
        self.complaints: Counter[str] = Counter()
        self.commands: Counter[str] = Counter()
        self.answers_s: list[float] = []
        self.on_deed: Callable[[int, Deed, float], None] = lambda number, deed, took_s: None
        self.openings = 0
        self._actions: Mapping[str, Binding] = {}

    @property
    def workbench(self) -> WorkbenchDriver:
        """The one that is open now."""
        assert self._wb is not None
        return self._wb

    async def use(self, numbers: Iterable[int]) -> None:
        """Do the deeds of `numbers`; the workbench stays open.

        Raises:
            Found: something went wrong.
        """
        for number in numbers:
            await self._be_open()
            deed = deed_of(self._seed, number)
            if starts_a_run(deed) and not self._runs:
                continue
            self._done.append(f"{number}: {deed}")
            began_s = time.perf_counter()
            try:
                await self._do(deed)
            except AssertionError as error:
                raise self._found(str(error)) from error
            self.answers_s.append(time.perf_counter() - began_s)
            self.on_deed(number, deed, self.answers_s[-1])
            self._look_for_faults()

    def processes(self) -> set[psutil.Process]:
        """What this user has begun, and goes on, with what that has begun."""
        return set(psutil.Process().children(recursive=True)) - self._others

    async def rest(self) -> None:
        """Close every dialog, and wait until nothing goes on."""
        await self._be_open()
        wb = self.workbench
        try:
            await self._close_dialogs()
            await wb.wait_idle(REST_S)
            # A runner has told its last word a moment before it ends.
            await wb.wait_until(lambda: not self.processes(), "the end of the processes", ANSWER_S)
        except AssertionError as error:
            children = [(child.status(), child.cmdline()) for child in self.processes()]
            raise self._found(f"{error}\n{wb.launcher.program.tasks.snapshot()}\n{children}") from error
        self._look_for_faults()
        if wb.dialogs:
            raise self._found(f"a dialog was opened by nobody:\n{wb.text}")

    async def leave(self) -> None:
        """Close the workbench, if it is open."""
        block, self._block, self._wb = self._block, None, None
        if block is not None:
            await block.__aexit__(None, None, None)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Count what is logged as a warning or worse for the time of the block."""
        ear = _Ear(self.complaints)
        logs = [logging.getLogger(name) for name in ("openhcs", "asyncio", "prompt_toolkit")]
        for log in logs:
            log.addHandler(ear)
        try:
            yield
        finally:
            for log in logs:
                log.removeHandler(ear)

    # -- doing -------------------------------------------------------------------------------------------------------

    async def _be_open(self) -> None:
        """Open the workbench, at first and whenever a deed has left it."""
        if self._wb is not None and self._wb.has_ended:
            await self.leave()
        if self._wb is None:
            await self._open()

    async def _open(self) -> None:
        self.openings += 1
        # What was changed in the settings is for the time that it was open; every fourth time it is one for a screen
        # reader.
        paths.settings_file().unlink(missing_ok=True)
        screen = read_screen_settings()
        if self.openings % 4 == 0:
            screen = ScreenSettings(**{**_fields(screen), "plain": True})
        block = workbench(self._plates, pipeline=self._pipeline, size=(100, 30), comes_to_rest=False, screen=screen)
        self._block, self._wb = block, await block.__aenter__()
        self._wb.patience_s = ANSWER_S
        app = self._wb.launcher.program.app
        assert app is not None
        if not self._stops:
            app.suspend = lambda: None  # type: ignore[method-assign]  # whoever tests would be stopped with it
        app.ttimeoutlen = app.timeoutlen = 0.01  # a lone Escape need not wait for a slow link here
        places = self._wb.launcher.actions().values()
        self._actions = {name: row for rows in places for name, row in rows.items() if name != "everywhere.quit"}

    async def _do(self, deed: Deed) -> None:
        wb = self.workbench
        columns, rows = wb.size
        match deed:
            case Press(keys):
                if self._leaves or keys[0] not in LEAVING:
                    await wb.press(*keys)
            case Type(text):
                await wb.type(text)
            case Paste(text):
                await wb.paste(text)
            case Mouse(what, x, y, to_x, to_y):
                at, to = (int(x * columns), int(y * rows)), (int(to_x * columns), int(to_y * rows))
                await self._use_mouse(what, at, to)
            case Command(name, part):
                await self._command(name, part)
            case RunShipped():
                await self._run_shipped()
            case Resize():
                await wb.resize(deed.columns, deed.rows, comes_to_rest=False)

    async def _use_mouse(self, what: str, at: tuple[int, int], to: tuple[int, int]) -> None:
        wb = self.workbench
        match what:
            case "drag":
                await wb.drag(at, to)
            case "wheel":
                await wb.wheel(*at, by=3 if to[0] % 2 else -3)
            case "ctrl":
                await wb.click(*at, ctrl=True)
            case _:
                await wb.click(*at, times=2 if what == "double" else 1)

    async def _command(self, name: str, part: float) -> None:
        rows = list(self._actions.values())
        row = self._actions[name] if name else rows[int(part * len(rows))]
        self.commands[row.label] += 1
        wb = self.workbench
        await wb.press("escape", "escape", "escape", "escape", "c-p")
        # As people do: a few letters that suffice.
        is_told = sum(row.label in other.label for other in rows) == 1
        await wb.type(row.label if is_told else row.description[:24])
        await wb.press("enter")

    async def _run_shipped(self) -> None:
        wb = self.workbench
        await self._close_dialogs()
        await self._command("pipeline.load", 0.0)
        await wb.wait_until(lambda: "Lose the changes" in wb.text or "Load a pipeline" in wb.text, "the question")
        if "Lose the changes" in wb.text:
            await wb.click_text("Lose the changes")
        await wb.wait_for("shipped with OpenHCS")
        await wb.click_text("shipped with OpenHCS")
        await wb.press("enter")
        await wb.wait_gone("shipped with OpenHCS")
        if "plate 1" in wb.text:
            await wb.click_text("plate 1")
        await self._command("plates.run", 0.0)

    async def _close_dialogs(self) -> None:
        wb = self.workbench
        await wb.resize(100, 30, comes_to_rest=False)
        for _ in range(40):
            if not wb.dialogs:
                break
            await wb.press("escape")
        await wb.press("escape", "escape")
        if wb.dialogs:
            raise AssertionError(f"a dialog does not close:\n{wb.text}")

    # -- looking -----------------------------------------------------------------------------------------------------

    def _look_for_faults(self) -> None:
        wb = self.workbench
        for error in wb.take_errors():
            if error is None:
                raise self._found("an error was reported without its exception")
            if not isinstance(error, OpenHCSError):
                raise self._found(f"an error was reported: {error!r}") from error
            self.refusals[f"{type(error).__name__}: {str(error).splitlines()[0][:150]}"] += 1

    def _found(self, what: str) -> Found:
        deeds = "\n    ".join(self._done)
        last = self._done[-1].partition(":")[0] if self._done else "0"
        return Found(
            f"{what}\nseed {self._seed}, deed {last}; the last were\n    {deeds}\n"
            f"Again: python -m tests.tui.layout.soak --seed {self._seed} --from 1 --to {last}"
        )


class _Ear(logging.Handler):
    def __init__(self, heard: Counter[str]) -> None:
        super().__init__(logging.WARNING)
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        self._heard[record.getMessage().partition("\n")[0]] += 1


def _fields(screen: ScreenSettings) -> dict[str, object]:
    return {name: getattr(screen, name) for name in screen.__slots__}


def write_editor(folder: Path) -> None:
    """Have an editor in `folder` be the user's own, which changes, breaks, empties or loses the text in turn."""
    script = folder / "editor"
    script.write_text(_EDITOR, encoding="utf-8")
    script.chmod(0o755)
    os.environ["VISUAL"] = f"'{script}'"
