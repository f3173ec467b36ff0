"""The file browser on large folders, against the blocking way to list them and the barest lazy control.

Listing: `FolderReader` in a loop, names in natural order, sizes and times, against `os.scandir`, `stat` of each entry
and a sort by name. Freezing: while a folder is read into the browser on a screen, the longest time between two turns
of the loop and between two painted frames, with a browser that reads nothing as the measure of the machine's own
hiccups; and the longest that one key holds the loop. Opening and scrolling: the list of the browser against a control
that draws the same text and nothing else, in the same frame. Memory: what is kept for the folder.

Figures are ratios of medians of rounds that take turns; gaps are wall time, so look at them beside their measure.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import io
import os
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from _side_by_side import compare, print_ratios
from prompt_toolkit.application import Application, create_app_session
from prompt_toolkit.data_structures import Point, Size
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.layout import Layout
from prompt_toolkit.layout.containers import FloatContainer, HSplit, Window
from prompt_toolkit.layout.controls import FormattedTextControl, UIContent, UIControl
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.widgets import Frame

from openhcs.tui.editors.file_browser import FileManagerBrowser
from openhcs.tui.editors.folder_listing import LocalDisk
from openhcs.tui.editors.folder_reader import FolderReader
from openhcs.tui.editors.folder_table import FolderTable, SortOrder
from openhcs.tui.editors.folder_view import FolderView, SelectionMode
from openhcs.tui.utils.idle_garbage import garbage_when_idle
from openhcs.tui.utils.spent_frames import spent_frames_freed
from openhcs.tui.widgets.themes import Theme, style_of

SIZE = Size(rows=40, columns=120)
STEPS = 150


class Tasks:
    """Owns what the browser starts, and knows when all of it has ended."""

    def __init__(self) -> None:
        self.running: set[asyncio.Task[Any]] = set()

    def fire_and_forget(self, coro: Coroutine[Any, Any, Any], name: str | None = None) -> None:
        task = asyncio.get_running_loop().create_task(coro, name=name)
        self.running.add(task)
        task.add_done_callback(self.running.discard)

    async def rest(self) -> None:
        while self.running:
            await asyncio.wait(self.running)


@contextmanager
def folder_of(count: int) -> Iterator[Path]:
    """A folder of `count` image files, found by the system in no particular order."""
    with tempfile.TemporaryDirectory(prefix="browser-") as name:
        for number in range(count):
            os.close(os.open(f"{name}/plate_s{number % 25}_w{number % 5}_{number}.tif", os.O_CREAT | os.O_WRONLY))
        yield Path(name)


# -- listing -----------------------------------------------------------------------------------------------------


def list_blocking(folder: Path) -> list[tuple[str, bool, int, float]]:
    """All that a simple browser would keep, by name; in a loop, which it blocks."""

    async def read() -> list[tuple[str, bool, int, float]]:
        return _list(folder)

    return asyncio.run(read())


def _list(folder: Path) -> list[tuple[str, bool, int, float]]:
    with os.scandir(folder) as entries:
        rows = [(entry.name, entry.is_dir(), s.st_size, s.st_mtime) for entry in entries for s in (entry.stat(),)]
    rows.sort()
    return rows


def list_with_reader(folder: Path) -> FolderTable:
    """The same by the browser's reader, without a screen."""

    async def read() -> FolderTable:
        tasks, view = Tasks(), FolderView(SelectionMode.FILES_ONLY)
        FolderReader(view, LocalDisk(), tasks=tasks, on_change=lambda: None, tell=lambda _: None).open(folder)
        await tasks.rest()
        return view.table

    return asyncio.run(read())


def wall_seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


# -- on a screen -------------------------------------------------------------------------------------------------


@contextmanager
def application(body: Any, focus: Any) -> Iterator[Application[None]]:
    """An application of 120 x 40 on a screen that nobody looks at."""
    screen = Vt100_Output(io.StringIO(), lambda: SIZE, term="xterm-256color", enable_cpr=False)
    with create_pipe_input() as keys, create_app_session(input=keys, output=screen):
        root = FloatContainer(body, floats=[])
        app = Application[None](
            Layout(root, focused_element=focus),
            style=style_of(Theme.DARK),
            full_screen=True,
            max_render_postpone_time=None,
        )
        with garbage_when_idle(app), spent_frames_freed(app):  # as in the workbench
            yield app


def browser_on(folder: Path, tasks: Tasks) -> FileManagerBrowser:
    return FileManagerBrowser(
        on_path_selected=lambda _: None,
        on_cancel=lambda: None,
        initial_path=folder,
        selection_mode=SelectionMode.BOTH,
        allow_multiple=True,
        describe=lambda _: None,
        tasks=tasks,
    )


class Gaps:
    """The longest times between turns of the loop, between frames, and the most CPU a turn took; in seconds."""

    def __init__(self) -> None:
        self.turn_s = self.frame_s = self.cpu_s = 0.0
        self._frames: list[float] = []

    async def watch(self, app: Application[None], busy: Callable[[], bool]) -> None:
        """Turn the loop and ask for frames as quickly as both go, while `busy`."""
        self._frames = [time.perf_counter()]
        app.after_render += self._painted
        before_s, cpu_s = time.perf_counter(), time.thread_time()
        while busy():
            app.invalidate()
            await asyncio.sleep(0)
            now_s, now_cpu_s = time.perf_counter(), time.thread_time()
            self.turn_s = max(self.turn_s, now_s - before_s)
            self.cpu_s = max(self.cpu_s, now_cpu_s - cpu_s)
            before_s, cpu_s = now_s, now_cpu_s
        app.after_render -= self._painted
        self.frame_s = max((b - a for a, b in zip(self._frames, self._frames[1:], strict=False)), default=0.0)

    def _painted(self, app: Application[None]) -> None:
        self._frames.append(time.perf_counter())


def gaps_while_reading(folder: Path, *, reads: bool) -> Gaps:
    """Gaps while the browser reads `folder`, or for as long without reading anything."""

    async def perform() -> Gaps:
        tasks, gaps = Tasks(), Gaps()
        # A folder of a screenful first: what a program's first frame of rows costs is not what is looked for.
        with folder_of(SIZE.rows) as small:
            browser = browser_on(small, tasks)
            with application(Frame(browser), browser.focus_target) as app:
                running = asyncio.get_running_loop().create_task(app.run_async(set_exception_handler=False))
                await asyncio.sleep(0.05)
                await tasks.rest()
                until_s = time.perf_counter() + 1.0
                if reads:
                    browser.go_to(folder)
                await gaps.watch(app, lambda: bool(tasks.running) if reads else time.perf_counter() < until_s)
                app.exit()
                await running
        return gaps

    return asyncio.run(perform())


def longest_key(folder: Path) -> dict[str, float]:
    """Seconds of CPU that single keys of the browser hold the loop, painting included, by what they do."""

    async def perform() -> dict[str, float]:
        tasks = Tasks()
        browser = browser_on(folder, tasks)
        with application(Frame(browser), browser.focus_target) as app:
            running = asyncio.get_running_loop().create_task(app.run_async(set_exception_handler=False))
            await asyncio.sleep(0.05)
            await tasks.rest()
            view, taken = browser.view, {}

            def held(act: Callable[[], object]) -> float:
                start_s = time.thread_time()
                act()
                app._redraw()
                return time.thread_time() - start_s

            taken["first letter of a filter"] = held(lambda: view.filter("p"))
            taken["a rarer filter"] = held(lambda: view.filter("p_never"))
            taken["no filter again"] = held(lambda: view.filter(""))
            taken["mark all"] = held(view.mark_all)
            taken["invert the marks"] = held(view.invert_marks)
            view.marks.clear()
            taken["hidden names"] = held(lambda: view.set_hidden(not view.hidden))
            taken["last row"] = held(lambda: browser.list.select(len(view.shown) - 1))
            app.exit()
            await running
        return taken

    return asyncio.run(perform())


# -- opening and scrolling ---------------------------------------------------------------------------------------


class LazyLines(UIControl):
    """The least there is: a line of text for each visible row, the selected one reversed."""

    def __init__(self, text: Callable[[int], str], count: int) -> None:
        self.text = text
        self.count = count
        self.index = 0

    def is_focusable(self) -> bool:
        return True

    def select(self, index: int) -> None:
        self.index = index

    def create_content(self, width: int, height: int) -> UIContent:
        def line(row: int) -> Any:
            text = self.text(row)[:width].ljust(width)
            return [("reverse" if row == self.index else "", text)]

        return UIContent(line, self.count, Point(0, self.index), show_cursor=False)


def lines_of_text(width: int) -> Callable[[str], Window]:
    """Windows of one line of plain text, to stand where the browser has its own lines."""
    return lambda text: Window(FormattedTextControl(text[:width]), height=1)


def painted(body: Any, focus: Any, select: Callable[[int], None], count: int, steps: int) -> None:
    """Show `body`, paint it, and go to other rows `steps` times, painting each."""

    async def perform() -> None:
        with application(body, focus) as app:
            running = asyncio.get_running_loop().create_task(app.run_async(set_exception_handler=False))
            while not app.render_counter:
                await asyncio.sleep(0)
            for step in range(steps):
                select((step * 37) % count)
                app._redraw()
            app.exit()
            await running

    asyncio.run(perform())


def lazy_control(table: FolderTable, names: list[str], steps: int) -> None:
    """The rows of `table` in a bare control, among as many lines of text as the browser has."""
    line = lines_of_text(SIZE.columns)
    control = LazyLines(lambda row: f"  {names[row]:70}   1.5 kB  2024-07-09 12:34", len(names))
    window = Window(control, always_hide_cursor=True)
    body = HSplit([line("Folder: /"), line("Name   Size"), window, line("files"), line("Select"), line("a  b  c")])
    painted(Frame(body), control, control.select, len(names), steps)


def whole_browser(table: FolderTable, names: list[str], steps: int) -> None:
    """The same rows in the browser, everything around them included."""
    browser = browser_on(table.folder, _NoTasks())
    browser.view.open(table)
    browser.view.fill(table.by_name)
    browser.view.finish()
    browser.start = lambda: None  # type: ignore[method-assign]  # nothing is read: the folder is known
    painted(Frame(browser), browser.focus_target, browser.list.select, len(browser.view.shown), steps)


class _NoTasks(Tasks):
    """Nothing is read: the folder is known already."""

    def fire_and_forget(self, coro: Coroutine[Any, Any, Any], name: str | None = None) -> None:
        coro.close()


def known_table(folder: Path) -> FolderTable:
    table, disk = FolderTable(folder), LocalDisk()
    table.take(disk.scan(folder), lambda: True)
    table.arrange()
    table.begin_details()
    table.read_details(disk, lambda: True)
    return table


# -- memory ------------------------------------------------------------------------------------------------------


def kept_bytes(make: Callable[[], object]) -> tuple[float, float]:
    """Megabytes that what `make` returns keeps, and the most there was meanwhile."""
    tracemalloc.start()
    kept = make()
    now, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept is not None
    return now / 1e6, most / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7, help="interleaved rounds (default 7)")
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 10_000, 100_000], help="entries of the folders")
    options = parser.parse_args()
    rounds = options.rounds
    gc.collect()
    gc.freeze()  # as the workbench does when it starts

    opened: dict[str, Callable[[], None]] = {}
    scrolled: dict[str, Callable[[], None]] = {}
    for count in options.counts:
        with folder_of(count) as folder:
            listing: dict[str, Callable[[], object]] = {
                "os.scandir, stat, sort": partial(list_blocking, folder),
                "the browser's reader": partial(list_with_reader, folder),
            }
            print_ratios(f"list {count:,} entries, CPU", compare(listing, rounds))
            print_ratios(f"list {count:,} entries, wall", compare(listing, rounds, wall_seconds))
            gaps = [
                (gaps_while_reading(folder, reads=True), gaps_while_reading(folder, reads=False)) for _ in range(rounds)
            ]
            print(f"longest gaps while {count:,} entries are read (median, best of {rounds}; beside it nothing read)")
            for name, what in (("turn_s", "turns"), ("frame_s", "frames"), ("cpu_s", "turns, CPU of the loop")):
                reading, idle = ([getattr(pair[side], name) * 1e3 for pair in gaps] for side in (0, 1))
                print(
                    f"  between {what:26}{statistics.median(reading):10.1f} ms{min(reading):8.1f} ms"
                    f"    {statistics.median(idle):10.1f} ms{min(idle):8.1f} ms"
                )
            keys = [longest_key(folder) for _ in range(rounds)]
            print(f"CPU that a key holds the loop at {count:,} entries, with its frame (median)")
            for name in keys[0]:
                print(f"  {name:38}{statistics.median(taken[name] for taken in keys) * 1e3:10.2f} ms")
            if count == max(options.counts):
                for name, (kept, most) in {
                    "the blocking list": kept_bytes(partial(list_blocking, folder)),
                    "the browser's table": kept_bytes(partial(known_table, folder)),
                }.items():
                    print(f"  {name:38}{kept:10.1f} MB kept, {most:.1f} MB at most, for {count:,} entries")
                table = known_table(folder)
                start = time.process_time()
                table.arranged(SortOrder.SIZE)
                print(f"  {'sorted by size':38}{(time.process_time() - start) * 1e3:10.1f} ms, in a thread")
        table = known_table_of(count)
        names = [table.names[row] for row in table.by_name]
        for name, show in (("a lazy control", lazy_control), ("the browser", whole_browser)):
            opened[f"{name}, {count:,} rows"] = partial(show, table, names, 0)
            scrolled[f"{name}, {count:,} rows"] = partial(show, table, names, STEPS)
    opening = compare(opened, rounds)
    print_ratios("open: build, and paint the first frame", opening)
    scrolling = compare(scrolled, rounds)
    print_ratios("scroll to another row and paint", {n: (scrolling[n] - opening[n]) / STEPS for n in opening})


def known_table_of(count: int) -> FolderTable:
    """A table of `count` rows without a disk."""
    table = FolderTable(Path("/somewhere"))
    table.take(((f"plate_s{i % 25}_w{i % 5}_{i}.tif", False) for i in range(count)), lambda: True)
    table.arrange()
    return table


if __name__ == "__main__":
    main()
