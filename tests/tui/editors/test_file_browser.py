"""The file browser on a screen, by keys and by mouse."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from prompt_toolkit.output import ColorDepth

from openhcs.core import paths
from openhcs.tui.editors.file_browser import FileManagerBrowser, SelectionMode
from openhcs.tui.editors.folder_listing import LocalDisk
from tests.tui.screen import Screen, Tasks, in_loop, shown


class Browsing:
    """A browser on a screen, and what it answered."""

    def __init__(self, screen: Screen, browser: FileManagerBrowser, answers: list[list[Path] | None]) -> None:
        self.screen = screen
        self.browser = browser
        self.answers = answers
        self.press = screen.press


@asynccontextmanager
async def browsing(
    folder: Path,
    mode: SelectionMode = SelectionMode.FILES_ONLY,
    *,
    columns: int = 80,
    rows: int = 24,
    color_depth: ColorDepth = ColorDepth.DEPTH_24_BIT,
    **options: Any,
) -> AsyncIterator[Browsing]:
    answers: list[list[Path] | None] = []
    tasks = Tasks()
    browser = FileManagerBrowser(
        on_path_selected=answers.append,
        on_cancel=lambda: answers.append(None),
        initial_path=folder,
        selection_mode=mode,
        tasks=tasks,
        **options,
    )
    async with shown(
        browser, columns=columns, rows=rows, tasks=tasks, focus=browser.item_list_control, color_depth=color_depth
    ) as screen:
        yield Browsing(screen, browser, answers)


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for each test."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv(paths.HOME_VARIABLE, str(folder))
    return folder


@pytest.fixture
def plates(tmp_path: Path) -> Path:
    """A folder with two plates and two files."""
    for name in ("plate10/TimePoint_1", "plate2/TimePoint_1", ".cache"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "notes.txt").write_text("x" * 2048)
    (tmp_path / "nuclei.yaml").write_text("name: nuclei")
    (tmp_path / "plate2" / "image.tif").touch()
    return tmp_path


@in_loop
async def test_enter_goes_in_and_chooses_a_file(plates: Path) -> None:
    """Arrows highlight, Enter opens a folder and chooses a file; the line above the buttons says what is taken."""
    async with browsing(plates, columns=200) as at:
        assert at.screen.line(">").startswith("> plate2/")
        await at.press("enter")
        assert str(plates / "plate2") in at.screen.line("Folder:")
        await at.press("down")
        assert f"Select takes  {plates / 'plate2' / 'image.tif'}" in at.screen.text
        await at.press("enter")
    assert at.answers == [[plates / "plate2" / "image.tif"]]


@in_loop
async def test_a_folder_is_chosen_from_outside_and_from_inside(plates: Path) -> None:
    """Choosing folders, Ctrl-S takes the highlighted one; inside a folder, Enter on its own row takes it."""
    async with browsing(plates, SelectionMode.DIRECTORIES_ONLY) as at:
        assert "notes.txt" not in at.screen.text
        await at.press("down", "down", "c-s")
        assert at.answers == [[plates / "plate10"]]
    async with browsing(plates, SelectionMode.DIRECTORIES_ONLY) as at:
        await at.press("down", "enter")
        assert "this folder itself" in at.screen.line(">")
        await at.press("enter")
    assert at.answers == [[plates / "plate2"]]


@in_loop
async def test_going_up_comes_back_to_where_one_was(plates: Path) -> None:
    """Left and Backspace go up, with the folder one came from highlighted; Right goes in again."""
    async with browsing(plates / "plate10") as at:
        await at.press("left")
        assert at.screen.line(">").startswith("> plate10/")
        await at.press("right", "backspace")
        assert at.screen.line(">").startswith("> plate10/")
        await at.press("home", "enter")
        assert at.screen.line("Folder:").endswith(plates.parent.name)


@in_loop
async def test_typing_filters(plates: Path) -> None:
    """Letters filter the rows, Backspace takes one away, Escape clears the filter first and cancels after that."""
    async with browsing(plates) as at:
        await at.press("n", "o")
        assert "Filter: no" in at.screen.text
        assert "1 of 5" in at.screen.line("Filter:")
        assert "nuclei.yaml" not in at.screen.text
        await at.press("backspace")
        assert "nuclei.yaml" in at.screen.text
        await at.press("z")
        assert "nothing here is named like nz" in at.screen.text
        await at.press("enter", "c-s")
        assert at.answers == []
        await at.press("escape")
        assert "plate2/" in at.screen.text
        await at.press("escape")
    assert at.answers == [None]


@in_loop
async def test_hidden_names_and_suffixes(plates: Path) -> None:
    """Dot names appear on Ctrl-T; files of other kinds stay away and are counted."""
    async with browsing(plates, filter_extensions=[".yaml"]) as at:
        assert "notes.txt" not in at.screen.text
        assert "3 folders, 2 files, 2 not shown" in at.screen.text
        assert ".cache" not in at.screen.text
        await at.press("c-t")
        assert ".cache/" in at.screen.text


@in_loop
async def test_the_order_changes_by_key_and_by_click(plates: Path) -> None:
    """Ctrl-O and a click on a column's head sort by it."""
    os.utime(plates / "nuclei.yaml", (0, 10))
    async with browsing(plates) as at:
        names = ["notes.txt", "nuclei.yaml"]
        await at.screen.click("Size")
        assert "Size ▾" in at.screen.text
        order = [name for line in at.screen.lines for name in names if name in line]
        assert order == ["notes.txt", "nuclei.yaml"]
        await at.press("c-o")
        assert "Name ▴" in at.screen.text


@in_loop
async def test_several_are_marked_with_space(plates: Path) -> None:
    """Space marks and goes on, marks stay in other folders, and select takes all of them."""
    async with browsing(plates, SelectionMode.DIRECTORIES_ONLY, allow_multiple=True) as at:
        await at.press("down", "space", "space")
        assert "[x] plate10/" in at.screen.text
        assert "Select 2 marked" in at.screen.text
        await at.press("enter", "down")
        assert "TimePoint_1" in at.screen.line(">")
        await at.press("space", "c-s")
    assert at.answers == [[plates / "plate2", plates / "plate10", plates / "plate10" / "TimePoint_1"]]


@in_loop
async def test_all_are_marked_and_unmarked(plates: Path) -> None:
    """Ctrl-A marks every row shown, and takes the marks away when all have one; files cannot be marked as folders."""
    async with browsing(plates, SelectionMode.DIRECTORIES_ONLY, allow_multiple=True) as at:
        await at.press("c-a")
        assert "Select 2 marked" in at.screen.text
        await at.press("c-a")
        assert "[x]" not in at.screen.text
        await at.press("home", "space")
        assert "Only folders can be marked" in at.screen.text


@in_loop
async def test_the_mouse_does_all_of_it(plates: Path) -> None:
    """A click highlights, a double click opens, the buttons select and cancel."""
    async with browsing(plates) as at:
        await at.screen.click("plate10", times=2)
        assert "TimePoint_1/" in at.screen.text
        await at.screen.click("../", times=2)
        await at.screen.click("notes.txt")
        await at.screen.click("[ Select ]")
        assert at.answers == [[plates / "notes.txt"]]
        await at.screen.click("[ Cancel ]")
        assert at.answers[1:] == [None]


@in_loop
async def test_a_path_is_typed_and_completed(plates: Path) -> None:
    """'/' begins a path, Tab completes it or tells what there is, Enter goes there."""
    async with browsing(plates / "plate2") as at:
        await at.press("/")
        assert "Folder: /" in at.screen.text
        await at.press(f"{plates}/pl"[1:], "tab")
        assert "2 begin like this: plate2  plate10" in at.screen.text
        assert at.screen.line("Folder:").endswith("/plate")
        await at.press("1", "tab")
        assert at.screen.line("Folder:").endswith("/plate10/")
        await at.press("enter")
        assert "TimePoint_1/" in at.screen.text
        assert at.screen.app.layout.has_focus(at.browser.item_list_control)
        await at.press("c-l", "nowhere", "enter")
        assert "expected a path that exists" in at.screen.text
        await at.press("escape", "down", "up")
        assert at.screen.line(">").startswith("> ../")
        await at.press("c-l", "../notes.txt", "enter")
        assert at.screen.line(">").startswith("> notes.txt")
    assert at.answers == []


@in_loop
async def test_tab_walks_list_and_buttons(plates: Path) -> None:
    """Tab goes from the list to the buttons and back; Enter on Cancel cancels."""
    async with browsing(plates) as at:
        await at.press("tab")
        assert "[>Select<]" in at.screen.text
        await at.press("tab")
        assert "[>Cancel<]" in at.screen.text
        await at.press("tab", "s-tab", "right", "enter")
    assert at.answers == [None]


@in_loop
async def test_saving_adds_the_suffix_and_asks_before_it_replaces(plates: Path) -> None:
    """A new name is taken at once, with its suffix; one that exists needs a second Enter, and editing takes it back."""
    options: dict[str, Any] = {"save_name": "", "filter_extensions": [".yaml"]}
    async with browsing(plates, columns=200, **options) as at:
        assert "Type a name for the file" in at.screen.text
        await at.press("n", "uclei")
        assert "Enter Save" in at.screen.text
        assert "Enter Open" not in at.screen.text
        assert f"Save writes  {plates / 'nuclei.yaml'}" in at.screen.text
        await at.press("enter")
        assert "nuclei.yaml exists already" in at.screen.text
        assert "Overwrite" in at.screen.text
        await at.press("2")
        assert "Overwrite" not in at.screen.text
        await at.press("backspace", "enter")
        assert at.answers == []
        await at.press("enter")
    assert at.answers == [[plates / "nuclei.yaml"]]
    async with browsing(plates, save_name="new.yml") as at:
        await at.press("c-s")
    assert at.answers == [[plates / "new.yml"]]


@in_loop
async def test_saving_refuses_what_is_no_file_name(plates: Path) -> None:
    """A folder's name, a path into nowhere and the name of nothing are refused in words, and nothing is chosen."""
    async with browsing(plates, columns=200, save_name="plate2") as at:
        await at.press("c-s")
        assert "plate2 is a folder" in at.screen.text
        await at.press("tab", "end", "/no/x", "enter")
        assert f"{plates / 'plate2' / 'no'} is not there" in at.screen.text
        await at.press("/", "enter")
        assert "is not the name of a file" in at.screen.text
    assert at.answers == []


@in_loop
@pytest.mark.parametrize("name", ["plate2/new.yml", "../{}/plate2/new.yml", "{}/plate2/new.yml"])
async def test_a_path_is_taken_as_the_name(plates: Path, name: str) -> None:
    """It may go out from the folder that is shown, or say all of where the file is to be."""
    name = name.format(plates if name.startswith("{}") else plates.name)
    async with browsing(plates, save_name=name) as at:
        await at.press("c-s")
    assert at.answers == [[plates / "plate2" / "new.yml"]]


@in_loop
async def test_a_name_is_taken_from_the_list(plates: Path) -> None:
    """Enter on a file puts its name into the name field of a save dialog."""
    async with browsing(plates, save_name="") as at:
        await at.press("end", "enter")
        assert "Name:   nuclei.yaml" in at.screen.text
        assert at.screen.app.layout.has_focus(at.browser.focus_target)


@in_loop
async def test_a_forbidden_folder_is_told_in_place(plates: Path) -> None:
    """A folder that may not be read says so in its place, and Left leads out of it."""

    class Guarded(LocalDisk):
        def scan(self, folder: Path) -> Iterator[tuple[str, bool | None]]:
            if folder.name == "plate2":
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
            return super().scan(folder)

    async with browsing(plates, filemanager=Guarded()) as at:
        await at.press("enter")
        assert "Cannot read this folder: Permission denied" in at.screen.text
        await at.press("left")
        assert "notes.txt" in at.screen.text


@in_loop
async def test_a_vanished_folder_is_told_in_place(plates: Path) -> None:
    """A folder that is gone when it is opened says so, and F5 reads again when it is back."""
    async with browsing(plates) as at:
        (plates / "plate10" / "TimePoint_1").rmdir()
        (plates / "plate10").rmdir()
        await at.press("down", "enter")
        assert "Cannot read this folder: No such file or directory" in at.screen.text
        (plates / "plate10").mkdir()
        await at.press("f5")
        assert "0 folders, 0 files" in at.screen.text


@in_loop
async def test_names_from_outside_do_not_drive_the_terminal(tmp_path: Path) -> None:
    """Escape sequences and control characters in names are shown; wide and combining ones keep the columns."""
    for name in ("\x1b[2Jwipe", "漢字のプレート", "e\u0301tude", "bell\x07"):
        (tmp_path / name).write_text("x" * 1500)
    async with browsing(tmp_path) as at:
        assert "␛[2Jwipe" in at.screen.text
        assert "bell␇" in at.screen.text
        assert "漢字のプレート" in at.screen.text
        assert at.screen.text.count("1.5 kB") == 4
        await at.press("end", "enter")
    assert at.answers == [[tmp_path / "漢字のプレート"]]


@pytest.mark.parametrize(("columns", "rows"), [(20, 10), (30, 12), (80, 24), (200, 60)])
@in_loop
async def test_every_size_shows_name_and_buttons(plates: Path, columns: int, rows: int) -> None:
    """From very narrow to very wide, without colour, names and buttons are there and columns come as they fit."""
    async with browsing(plates, columns=columns, rows=rows, color_depth=ColorDepth.DEPTH_1_BIT) as at:
        assert "> plate2/" in at.screen.text
        assert "Sel" in at.screen.lines[-2]
        assert "Can" in at.screen.lines[-2]
        assert ("2.0 kB" in at.screen.text) is (columns >= 80)
        assert at.screen.lines[-1].startswith("  Enter Open")


@in_loop
async def test_a_folder_is_described(plates: Path) -> None:
    """What the caller knows of the highlighted folder stands beside its path; a slow answer holds no key."""
    slow = threading.Event()

    def describe(path: Path) -> str | None:
        if path.name == "plate10":
            assert slow.wait(10)
        return f"ImageXpress plate {path.name}" if path.name.startswith("plate") else None

    async with browsing(plates, SelectionMode.DIRECTORIES_ONLY, describe=describe) as at:
        await at.press("down")
        assert "ImageXpress plate plate2" in at.screen.text
        await at.press("down", "up", "down", tasks=False)
        assert at.screen.line(">").startswith("> plate10")
        slow.set()
        await at.screen.wait_for("ImageXpress plate plate10")


@in_loop
async def test_ranges_are_marked_and_inverted(plates: Path) -> None:
    """Shift and arrows mark on the way and take back on the way back; Ctrl-V marks up to here; Ctrl-X inverts."""
    for name in ("a1", "a2", "a3", "a4"):
        (plates / name).mkdir()
    async with browsing(plates, SelectionMode.DIRECTORIES_ONLY, allow_multiple=True) as at:

        def marked() -> list[str]:
            return [line.split("[x] ")[1].split("/")[0] for line in at.screen.lines if "[x]" in line]

        await at.press("down", "s-down", "s-down", "s-up")
        assert marked() == ["a1", "a2"]
        await at.press("c-x")
        assert marked() == ["a3", "a4", "plate2", "plate10"]
        await at.press("c-x", "c-a", "c-a", "home", "down", "down", "space", "down", "down", "c-v")
        assert marked() == ["a1", "a2", "a3", "a4"]
        await at.screen.click("[x] a2")
        assert marked() == ["a1", "a3", "a4"]
        await at.press("c-s")
    assert at.answers == [[plates / "a1", plates / "a3", plates / "a4"]]


@in_loop
async def test_bookmarks_are_set_gone_to_and_removed(plates: Path) -> None:
    """Ctrl-D bookmarks the folder, Ctrl-G goes to it from anywhere, in another browser too, Delete removes it."""
    async with browsing(plates / "plate2") as at:
        await at.press("c-d")
        assert "plate2 is bookmarked" in at.screen.text
    async with browsing(plates, columns=200) as at:
        await at.press("c-g")
        assert at.screen.line("> ").split() == [">", str(plates / "plate2"), "bookmark"]
        assert "home" in at.screen.text
        await at.press("enter")
        assert str(plates / "plate2") in at.screen.line("Folder:")
        await at.press("c-g", "delete")
        assert "bookmarked no longer" in at.screen.text
        await at.press("escape")
        assert "image.tif" in at.screen.text
        await at.press("end", "enter")
    async with browsing(plates, columns=200) as at:
        await at.press("c-g")
        assert at.screen.line("> ").split() == [">", str(plates / "plate2"), "recent"]
        await at.press("escape", "escape")
    assert at.answers == [None]


@in_loop
async def test_back_and_forward(plates: Path) -> None:
    """Ctrl-Left goes back through the folders shown, Ctrl-Right forward again; where there is none it says so."""
    async with browsing(plates, columns=200) as at:
        await at.press("\x1b[1;5D")
        assert "first folder" in at.screen.text
        await at.press("enter", "home", "enter", "\x1b[1;5D")
        assert at.screen.line("Folder:").endswith("plate2")
        await at.press("\x1b[1;5D", "\x1b[1;5C")
        assert at.screen.line("Folder:").endswith("plate2")


@in_loop
async def test_every_key_is_shown_and_can_be_clicked(plates: Path) -> None:
    """F1 lists the keys with what they do; a double click on one does it, and Escape gives the rows back."""
    async with browsing(plates, allow_multiple=True) as at:
        await at.press("\x1bOP")
        for row in at.browser.rows:
            assert row.description[:30] in at.screen.text
        await at.screen.click("Show or hide names", times=2)
        assert ".cache/" in at.screen.text
        await at.screen.click("F1 Keys")
        await at.press("escape")
        assert ".cache/" in at.screen.text
        await at.screen.click(" …")
        assert "Show or hide names" in at.screen.text
        await at.press("escape")
    assert at.answers == []


@in_loop
async def test_plates_are_recognised_on_sight(plates: Path) -> None:
    """Where folders are chosen, those on the screen that are plates say which and how many wells."""
    for site in (1, 2):
        (plates / "plate10" / "TimePoint_1" / f"p_B03_s{site}_w1.tif").touch()
    async with browsing(plates, SelectionMode.DIRECTORIES_ONLY) as at:
        assert "ImageXpress, 1 well" in at.screen.line("plate10/")
        assert "ImageXpress" not in at.screen.line("plate2/")
        await at.press("down", "down", "enter")
        assert "ImageXpress, 1 well" in at.screen.line("Select takes")


@in_loop
async def test_a_disk_that_does_not_answer_is_told(plates: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that hangs says so, can be given up with Escape, and what has been found so far stays and filters."""
    monkeypatch.setattr("openhcs.tui.editors.folder_reader.FIRST_LOOK_S", 0.01)
    monkeypatch.setattr("openhcs.tui.editors.folder_reader.LATER_LOOK_S", 0.01)
    monkeypatch.setattr("openhcs.tui.editors.file_browser_drawing.SLOW_S", 0.1)
    gate = threading.Event()

    class Hanging(LocalDisk):
        def scan(self, folder: Path) -> Iterator[tuple[str, bool | None]]:
            if folder.name == "plate2":
                yield "first.tif", False
                yield "other.tif", False
            if folder.name.startswith("plate"):
                gate.wait(30)
            else:
                yield from super().scan(folder)

    async with browsing(plates, filemanager=Hanging()) as at:
        await at.press("down", "enter", tasks=False)
        await at.screen.wait_for("no answer for")
        await at.press("left", tasks=False)
        await at.screen.wait_for("> plate10/")
        await at.press("up", "enter", tasks=False)
        await at.screen.wait_for("2 entries in")
        await at.press("o", "t", tasks=False)
        assert "1 of 2, reading on" in at.screen.text
        await at.press("escape", tasks=False)
        assert "1 of 2" in at.screen.line("Filter: ot")
        await at.press("escape", tasks=False)
        assert "first.tif" in at.screen.text
        assert "Reading stopped at 2 entries" in at.screen.text
        assert at.answers == []
        gate.set()
