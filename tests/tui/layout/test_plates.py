"""Many plates by real keys: found, pasted, filtered, sorted, marked, removed, queued, and there again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from openhcs.core.demo_plate import make_demo_plate
from openhcs.core.model import Status
from openhcs.core.pipeline_file import shipped_pipelines
from openhcs.core.progress import WellState
from openhcs.testing.driver import WorkbenchDriver, workbench
from openhcs.tui import actions
from openhcs.tui.effects.pasting import PastedPaths, pasted_paths
from openhcs.tui.workbench import Activity, PlateOrder
from tests.tui.layout.gate import RUN_S, Gate, closed_gate


@pytest.fixture
def screen(demo: Path, tmp_path: Path) -> Path:
    """A folder with three plates, one of them deeper."""
    for name in ("plate 1", "plate 2", "old/plate 10"):
        shutil.copytree(demo, tmp_path / "screen" / name)
    return tmp_path / "screen"


@pytest.fixture
def gate(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """A pipeline whose wells wait until `open` is called."""
    monkeypatch.syspath_prepend(home)
    with closed_gate(home, "held", "queue", "return image") as gate:
        yield gate


def plates_of(folder: Path, count: int) -> list[Path]:
    """Folders that are there, and no plates: what is done to a list needs no more."""
    folders = [folder / f"plate {number}" for number in range(1, count + 1)]
    for one in folders:
        one.mkdir()
    return folders


def shown(wb: WorkbenchDriver) -> list[str]:
    """The names in the list of plates, from top to bottom; needs a pane of its own width."""
    top = wb.find("═ Plates")[1]
    lines = [line.split("║")[1] for line in wb.screen()[top + 1 :] if line.startswith("║")]
    return [line[4:].split("  ")[0] for line in lines if "plate" in line and not line.startswith(" /")]


async def test_a_folder_that_holds_plates_lets_choose_among_them(screen: Path) -> None:
    """All are checked at first; Space leaves one out, and Enter adds the others; later, what is new is checked."""
    async with workbench([screen], comes_to_rest=False) as wb:
        await wb.wait_for("3 plates in screen: 3 checked")
        assert "[x] old/plate 10" in wb.text
        await wb.press("down", "space")
        assert "2 checked" in wb.text
        x, y = wb.find("[x] plate 1")
        await wb.click(x + 1, y)
        assert "1 checked" in wb.text
        await wb.click(x + 1, y)
        assert "2 checked" in wb.text
        await wb.press("enter")
        await wb.wait_for("2 plates added")
        assert shown(wb) == ["plate 1", "plate 10"]
        await wb.paste(str(screen))
        await wb.wait_for("1 checked")
        assert "on the list" in wb.line("[ ] plate 1")
        await wb.press("*", "*")
        assert "0 checked" in wb.text
        await wb.press("enter", "escape")
        await wb.wait_gone("checked")
        assert len(wb.state.plates) == 2


async def test_pasted_paths_are_added(screen: Path) -> None:
    """As a terminal gives what is dropped on it, wherever the focus stands; the file of a pipeline is loaded.

    A folder that is no plate is added as well, and told of.
    """
    pipeline = shutil.copy(shipped_pipelines()["nuclei"], screen / "mine.yaml")
    async with workbench() as wb:
        await wb.paste(f"'{screen / 'plate 1'}' '{screen / 'plate 2'}'")
        await wb.wait_for("2 plates added")
        await wb.press("s-tab")
        await wb.paste(str(screen / "old" / "plate 10"))
        await wb.wait_for("1 plate added: plate 10")
        await wb.paste(str(pipeline))
        await wb.wait_for("Pipeline nuclei loaded")
        await wb.paste("no such folder")
        await wb.wait_for("names no folder")
        (screen / "notes").mkdir()
        await wb.paste(str(screen / "notes"))
        await wb.wait_for("No plate is recognised in notes; 1 plate added: notes")


def test_paths_are_read_as_people_paste_them(screen: Path) -> None:
    """Lines, quoted words and addresses of a file manager; each folder once, and only what is there."""
    one, two = screen / "plate 1", screen / "plate 2"
    assert pasted_paths(f"{one}\n{two}\n\n{one}\n/no/such/place").folders == (one, two)
    assert pasted_paths(f"'{one}' {str(two).replace(' ', chr(92) + ' ')}").folders == (one, two)
    assert pasted_paths(one.as_uri()).folders == (one,)
    assert pasted_paths("it's no path \x00") == PastedPaths()


async def test_typing_filters_and_no_letter_is_a_key_meanwhile(tmp_path: Path) -> None:
    """`/` and words show what has them; Enter keeps them, Esc shows all again; the cursor follows."""
    async with workbench(plates_of(tmp_path, 12), size=(100, 40)) as wb:
        await wb.press("/")
        await wb.type("plate 1q")
        assert "Plates (0 of 12)" in wb.text
        assert "No plate is like “plate 1q”" in wb.text
        assert "Type to filter" in wb.screen()[-2]
        await wb.press("backspace")
        assert shown(wb) == ["plate 1", "plate 10", "plate 11", "plate 12"]
        await wb.press("down", "down", "enter")
        assert wb.state.selected is not None
        assert wb.state.selected.name == "plate 11"
        await wb.press("j")
        assert "> ? plate 12" in wb.text
        await wb.press("/", "escape")
        assert "Plates (12)" in wb.text
        assert "> ? plate 12" in wb.text
        await wb.press("/")
        await wb.type("plate 3")
        await wb.press("enter", "escape")
        await wb.wait_for("Plates (12)")
        await wb.press("/")
        assert "Plates (12)" in wb.text


@pytest.mark.parametrize("rows", [16, 17, 24])
async def test_the_wells_keep_their_room_on_a_small_screen(tmp_path: Path, rows: int) -> None:
    """However many plates there are: both panes are drawn, from the smallest screen on."""
    async with workbench(plates_of(tmp_path, 12), size=(60, rows)) as wb:
        assert "too small" not in wb.text
        assert "┌─ Wells of plate 1" in wb.text
        assert "plate 1 " in wb.text


async def test_a_key_changes_the_order_and_the_title_tells_it(tmp_path: Path) -> None:
    """The plate under the cursor stays the same one."""
    one, two, ten = (tmp_path / name for name in ("plate 1", "plate 2", "plate 10"))
    for folder in (ten, two, one):
        folder.mkdir()
    async with workbench([ten, two, one], size=(100, 30)) as wb:
        await wb.press("s")
        assert "Plates (3), by name" in wb.text
        assert shown(wb) == ["plate 1", "plate 2", "plate 10"]
        assert "> ? plate 10" in wb.text
        await wb.press("s", "s", "s", "s")
        assert wb.state.plate_view.order is PlateOrder.ADDED


async def test_marked_plates_are_removed_and_come_back_together(tmp_path: Path) -> None:
    """Marked by Space, Shift-Down, a click with Ctrl; one key takes them off, one brings all of them back."""
    async with workbench(plates_of(tmp_path, 6), size=(100, 30)) as wb:
        await wb.press("space", "down", "down", "s-down")
        assert "Plates (6), 3 marked" in wb.text
        assert "?*plate 3" in wb.text
        x, y = wb.find("plate 6")
        await wb.click(x, y, ctrl=True)
        assert "4 marked" in wb.text
        await wb.press("d")
        assert shown(wb) == ["plate 2", "plate 5"]
        assert "Off the list (u puts back): plate 1, plate 3 and 2 more; nothing is deleted" in wb.text
        await wb.press("*")
        assert "2 marked" in wb.text
        await wb.press("u")
        assert shown(wb) == [f"plate {number}" for number in range(1, 7)]
        assert "are back on the list" in wb.screen()[-1]


async def test_keys_of_marked_plates_leave_those_alone_that_the_filter_hides(tmp_path: Path) -> None:
    """What is not seen is not removed."""
    async with workbench(plates_of(tmp_path, 3), size=(100, 30)) as wb:
        await wb.press("*", "/")
        await wb.type("2")
        await wb.press("enter")
        assert "Plates (1 of 3), 1 marked" in wb.text
        await wb.press("d")
        assert [row.name for row in wb.state.plates] == ["plate 1", "plate 3"]


async def test_the_list_is_there_again_at_the_next_start(tmp_path: Path, home: Path) -> None:
    """With what was added by then, and behind a pipeline that cannot be loaded; the setting leaves it empty."""
    one, two, three = plates_of(tmp_path, 3)
    async with workbench([one, two]) as wb:
        await wb.press("d", "q")
        assert await wb.wait_exit() == 0
    async with workbench([three]) as wb:
        assert [row.folder for row in wb.state.plates] == [two, three]
        assert wb.state.selected is not None
        assert wb.state.selected.folder == three
    async with workbench(pipeline=home / "gone.yaml") as wb:
        await wb.wait_for("Cannot load the pipeline")
        assert len(wb.state.plates) == 2
        wb.take_errors()
    settings = home / "home" / "config" / "settings.yaml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text("restore_plates: false\n")
    async with workbench() as wb:
        assert wb.state.plates == ()


async def select(wb: WorkbenchDriver, folder: Path) -> None:
    """Put the cursor on a plate."""
    await wb.press("home")
    while wb.state.selected is None or wb.state.selected.folder != folder:
        await wb.press("down")


async def test_runs_wait_in_a_queue_that_is_seen_and_changed(screen: Path, gate: Gate) -> None:
    """All marked plates are asked to run; one does, the others tell their place, go ahead, and are taken out of it.

    A plate that cannot be initialised does not hold up those behind it, and what is left is told in sum. What waits
    when the workbench is left is found by the next one, and has its turn.
    """
    broken = screen / "broken"
    (broken / "inside").mkdir(parents=True)
    plates = [screen / "plate 1", broken, screen / "plate 2", screen / "old" / "plate 10"]
    async with workbench(plates, pipeline=gate.pipeline, size=(120, 40)) as wb:
        await wb.press("*", "r")
        wb.launcher.state.dispatch(actions.PipelineRenamed("another by now"))
        await wb.wait_for("Cannot run broken", RUN_S)
        await wb.press("escape")
        await wb.wait_for("waiting (2nd)", RUN_S)
        await wb.wait_for("of 3 plates, 0 of 6 wells", RUN_S)
        await wb.wait_until(lambda: bool(wb.state.having_turn), "the first to have its turn", RUN_S)
        running, _, first, second = plates
        assert (wb.state.having_turn, wb.state.queue) == (frozenset({running}), (first, second))
        await wb.press("*")
        await select(wb, second)
        await wb.press("K")
        assert wb.state.queue == (second, first)
        assert "waiting (1st)" in wb.line(f"> - {second.name}")
        await wb.press("K")
        await wb.press("x")
        await wb.wait_until(lambda: wb.state.queue == (first,), "the place to be given up")
        await wb.wait_for("of 2 plates, 0 of 4 wells")
        await wb.press("K")
        await wb.wait_for("does not wait for its turn")
        wb.launcher.state.dispatch(actions.PipelineRenamed("held"))
        await wb.press("q")
        await wb.wait_for(f"Waiting for their turn: {first.name}.")
        await wb.press("l")
        assert await wb.wait_exit(RUN_S) == 0
    async with workbench(comes_to_rest=False, size=(120, 40)) as wb:
        await wb.wait_until(lambda: wb.state.queue == (first,), "the one that waits to be found", RUN_S)
        await wb.wait_for("(1st)")
        gate.open()
        await wb.wait_until(lambda: not wb.state.busy, "both runs to end", 2 * RUN_S)
        await wb.wait_for("2 plates, 4 of 4 wells")
        done = {row.folder for row in wb.state.plates if row.status is Status.FINISHED}
        assert done == {running, first}
        assert {row.out.name for row in wb.state.plates if row.out is not None} == {"held"}
    async with workbench(comes_to_rest=False) as wb:
        await wb.wait_until(lambda: wb.text.count("2 wells done") == 2, "the last runs to be told", RUN_S)


async def test_several_runs_go_on_at_once_and_are_cancelled_by_one_answer(screen: Path, gate: Gate, home: Path) -> None:
    """`runs_at_once` says how many, from when it is changed; leaving and cancelling ask once for all of them."""
    settings = home / "home" / "config" / "settings.yaml"
    plates = [screen / "plate 1", screen / "plate 2", screen / "old" / "plate 10"]
    async with workbench(plates, pipeline=gate.pipeline, size=(120, 40)) as wb:
        await wb.press("*", "r")

        def both_run() -> bool:
            rows = [row for row in wb.state.plates if row.folder in wb.state.having_turn]
            wells = [well for row in rows for well in row.wells]
            waits = [row for row in wb.state.plates if row.activity is Activity.QUEUED]
            return len(waits) == 1 and sum(well.state is WellState.RUNNING for well in wells) == 2

        await wb.wait_for("waiting (2nd)", RUN_S)
        settings.write_text(f"{settings.read_text()}runs_at_once: 2\n")
        await wb.press(",")
        await wb.wait_for("results folder")
        await wb.press("tab", "end", "backspace", "2", "enter")
        await wb.wait_until(both_run, "two runs", RUN_S)
        await wb.press("q")
        await wb.wait_for("those that wait have their turn.")
        await wb.press("escape")
        await wb.wait_gone("those that wait")
        await wb.press("x")
        await wb.wait_for("Cancel 2 runs?")
        assert "1 plate that did not start yet will not start." in wb.text
        await wb.press("enter")
        await wb.wait_until(lambda: not wb.state.busy, "the runs to end", RUN_S)
        assert [row.status for row in wb.state.plates] == [Status.COMPILED] * 3


async def test_a_plate_is_told_of_by_the_name_that_it_has_on_the_list(tmp_path: Path) -> None:
    """Where the metadata name it, or a folder around it was added, that is another name than the folder's."""
    make_demo_plate(tmp_path / "2024", wells=("B02",), sites=1, z_steps=2, size_px=128)
    async with workbench([tmp_path / "2024"], pipeline=shipped_pipelines()["nuclei"]) as wb:
        await wb.press("c")
        await wb.wait_for("_Plate_2024: 1 well compiled with nuclei")
