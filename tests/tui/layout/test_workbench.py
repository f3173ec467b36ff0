"""The workbench opened, filled and edited by real keys, and what the screen then says. Runs are in `test_running`."""

from __future__ import annotations

from pathlib import Path

import pytest

from openhcs.core.demo_plate import make_demo_plate
from openhcs.core.model import PlaneSource, Status
from openhcs.core.pipeline_file import load_pipeline, shipped_pipelines
from openhcs.errors import PipelineError, PlateError, TerminalError
from openhcs.testing.driver import WorkbenchDriver, workbench
from openhcs.tui.layout.simple_launcher import SimpleOpenHCSTUILauncher
from openhcs.tui.utils.error_journal import ErrorJournal
from openhcs.tui.utils.focus_manager import get_focus_manager
from openhcs.tui.utils.lost_terminal import TerminalLost
from openhcs.tui.utils.safe_error_handler import get_error_handler
from openhcs.tui.utils.unified_task_manager import get_task_manager

NUCLEI = shipped_pipelines()["nuclei"]
STEPS = ["Subtract background", "Project maximum", "Find nuclei", "Count nuclei", "Measure nuclei"]


def steps(wb: WorkbenchDriver) -> list[str]:
    return [step.name for step in wb.state.editing.pipeline.steps]


async def go_to_steps(wb: WorkbenchDriver) -> None:
    await wb.press("s-tab")
    assert "╔═ Pipeline" in wb.text


# -- the screen --------------------------------------------------------------------------------------------------


async def test_an_empty_workbench_says_how_to_begin() -> None:
    """With nothing given, both panes name the key that fills them, and where; the bottom line those of the focus."""
    async with workbench() as wb:
        assert "No plates yet." in wb.text
        assert "No steps yet." in wb.text
        assert "a Add" in wb.screen()[-2]
        assert "? Help" in wb.screen()[-2]
        where = wb.screen().index(wb.line("With the focus here"))
        assert "a adds a step" in wb.screen()[where + 1]
        await wb.press("s-tab")
        assert "No plates yet. With the focus here" in wb.text
        assert "a adds a step" in wb.screen()[where]


@pytest.mark.parametrize("size", [(80, 24), (200, 60), (60, 16)], ids=str)
async def test_the_screen_fits_its_terminal(size: tuple[int, int], demo: Path) -> None:
    """At every size the frames close at the right edge, and menu, plates, steps and keys are all there."""
    async with workbench([demo], pipeline=NUCLEI, size=size) as wb:
        columns, rows = size
        lines = wb.screen()
        assert len(lines) == rows
        assert all(line[-1] in "┐┘│╗╝║" and len(line) == columns for line in lines[1:-2])
        for part in ("File", "Plates (1)", "demo", "Pipeline nuclei", "Project maximum", "a Add", "q Quit"):
            assert part in wb.text


async def test_a_terminal_that_is_too_small_says_so_and_recovers(demo: Path) -> None:
    """Below 60 x 16 the screen tells its size and what is needed; enlarged, it is the workbench again."""
    async with workbench([demo]) as wb:
        await wb.resize(50, 12)
        assert "It has 50 x 12 characters" in wb.text
        assert "Plates" not in wb.text
        await wb.resize(120, 30)
        assert "Plates (1)" in wb.text
        await wb.resize(80, 24)
        assert all(len(line) == 80 for line in wb.screen()[1:-2])


async def test_no_dialog_covers_that_a_terminal_is_too_small(demo: Path) -> None:
    """What is said of the size stands above dialogs too, in as many words as there is room for."""
    async with workbench([demo]) as wb:
        await wb.press("?")
        await wb.resize(50, 12)
        assert "It has 50 x 12 characters" in wb.text
        assert "Help" not in wb.text
        await wb.resize(20, 5)
        assert wb.text.splitlines()[:3] == ["Too small; needs 60", "x 16.", "q quits."]
        await wb.resize(10, 2)
        assert wb.screen() == ["Too small", ""]
        await wb.resize(80, 24)
        await wb.wait_for("Plates: the keys here")


async def test_tab_goes_round_the_panes_and_the_footer_follows(demo: Path) -> None:
    """Tab, Shift-Tab and F6 move the focus; its frame is doubled and the keys shown are its own."""
    async with workbench([demo], pipeline=NUCLEI) as wb:
        assert "╔═ Plates" in wb.text
        await wb.press("tab")
        assert "╔═ Wells of demo" in wb.text
        await wb.press("f6")
        assert "╔═ Pipeline nuclei" in wb.text
        assert "Edit" in wb.screen()[-2]
        await wb.press("tab")
        assert "╔═ Plates" in wb.text
        await wb.press("s-tab")
        assert "╔═ Pipeline nuclei" in wb.text


async def test_the_accessors_give_the_workbenchs_own_parts_while_it_runs() -> None:
    """Task manager, focus manager and error handler are the launcher's inside, and others outside."""
    before = get_task_manager(), get_focus_manager(), get_error_handler()
    async with workbench() as wb:
        mine = wb.launcher.program.tasks, wb.launcher.program.focus, wb.launcher.program.errors
        assert (get_task_manager(), get_focus_manager(), get_error_handler()) == mine
    assert (get_task_manager(), get_focus_manager(), get_error_handler()) == before


def test_a_terminal_that_cannot_show_it_is_refused_with_the_command_that_needs_none() -> None:
    """Without a terminal, `run` raises TerminalError that names `openhcs run`."""
    with pytest.raises(TerminalError, match="openhcs run PLATE --pipeline FILE"):
        SimpleOpenHCSTUILauncher().run()


# -- plates ------------------------------------------------------------------------------------------------------


async def test_a_plate_is_added_through_the_file_browser(home: Path) -> None:
    """`a` opens the browser; the folder chosen in it becomes a plate, and the next browsing begins beside it."""
    plate = make_demo_plate(home / "screen" / "plate_7", wells=("A01",), sites=1, size_px=128).folder
    async with workbench() as wb:
        await wb.press("a")
        await wb.wait_for("screen")
        await wb.type("scr")
        await wb.press("enter")
        await wb.wait_for("plate_7")
        await wb.type("plate_7")
        await wb.press("c-s")
        await wb.wait_for("Plates (1)")
        assert [row.folder for row in wb.state.plates] == [plate]
        await wb.wait_idle()
        await wb.press("a")
        await wb.wait_for("plate_7", timeout_s=5)
        await wb.press("escape")
        await wb.wait_idle()
        assert "╔═ Plates (1)" in wb.text


async def test_letters_typed_in_a_dialog_do_nothing_beneath_it(demo: Path) -> None:
    """While a dialog is open, the keys of the panes and of the workbench are the dialog's to take."""
    async with workbench([demo], pipeline=NUCLEI) as wb:
        await wb.press("a")
        await wb.wait_for("Add plates")
        await wb.type("dirq?")
        assert "Add plates" in wb.text
        assert wb.state.selected is not None
        assert wb.state.selected.status is Status.ADDED
        await wb.press("escape", "escape")
        await wb.wait_gone("Add plates")


async def test_a_plate_is_initialised_and_compiled(demo: Path) -> None:
    """`i` reads the plate, `c` plans its wells; status, facts and wells appear as they become known."""
    async with workbench([demo], pipeline=NUCLEI) as wb:
        assert "> ? demo" in wb.text
        await wb.press("i")
        await wb.wait_idle()
        assert "> - demo" in wb.text
        assert "2 wells × 1 site × 2 channels × 3 z" in wb.text
        assert "B02" in wb.text
        await wb.press("c")
        await wb.wait_idle()
        assert "> o demo" in wb.text
        assert "2 wells compiled with nuclei" in wb.text


async def test_compiling_a_plate_that_is_not_initialised_does_both(demo: Path) -> None:
    """`c` on `?` initialises first."""
    async with workbench([demo], pipeline=NUCLEI) as wb:
        await wb.press("c")
        await wb.wait_idle()
        assert "> o demo" in wb.text


async def test_a_folder_that_is_no_plate_is_refused_in_words(home: Path) -> None:
    """The dialog says what was looked for; closed, the plate is X and the reason stays with it."""
    (home / "holiday").mkdir()
    (home / "holiday" / "beach.jpg").write_bytes(b"sand")
    async with workbench([home / "holiday"]) as wb:
        await wb.press("i")
        await wb.wait_for("Cannot initialise holiday")
        assert "Traceback" not in wb.text
        await wb.press("escape")
        await wb.wait_idle()
        assert "> X holiday" in wb.text
        assert "1 problem" in wb.text
        assert [type(error) for error in wb.take_errors()] == [PlateError]
        await wb.press("E")
        await wb.wait_for("cannot initialise holiday: no plate recognised in")


async def test_every_problem_of_a_pipeline_is_told_at_once(home: Path, demo: Path) -> None:
    """Two misspelt parameters are both in the dialog, each with its step."""
    file = home / "wrong.yaml"
    file.write_text(
        "name: wrong\nsteps:\n"
        "  - name: Blur\n    functions: [gaussian_blur: {sgima_px: 2}]\n    variable_components: [z]\n"
        "  - name: Top\n    functions: [subtract_background_tophat: {radus_px: 2}]\n    variable_components: [z]\n"
    )
    async with workbench([demo], pipeline=file) as wb:
        await wb.press("c")
        await wb.wait_for("Cannot compile demo")
        assert "sgima_px" in wb.text
        assert "radus_px" in wb.text
        await wb.press("escape")
        await wb.wait_idle()
        assert "> X demo" in wb.text


async def test_a_plate_is_removed_and_put_back(demo: Path) -> None:
    """`d` takes the plate off the list, `u` brings it back with all that was known."""
    async with workbench([demo]) as wb:
        await wb.press("i")
        await wb.wait_idle()
        await wb.press("d")
        await wb.wait_idle()
        assert "No plates yet." in wb.text
        await wb.press("u")
        await wb.wait_idle()
        assert "> - demo" in wb.text
        assert "demo is back on the list" in wb.screen()[-1]


async def test_what_cannot_be_done_now_says_why(demo: Path) -> None:
    """A key that cannot work now tells the reason in the bottom line instead of doing nothing."""
    async with workbench([demo]) as wb:
        await wb.press("r")
        await wb.wait_for("The pipeline has no steps")
        await wb.press("x")
        await wb.wait_for("demo is not running")


async def test_a_reason_goes_when_it_no_longer_holds() -> None:
    """After a step has been moved, the bottom line no longer says that it could not be."""
    async with workbench(pipeline=NUCLEI) as wb:
        await go_to_steps(wb)
        await wb.press("K")
        await wb.wait_for("It is the first step already")
        await wb.press("J")
        await wb.wait_gone("It is the first step already")


async def test_where_a_pipeline_starts_from_is_shown() -> None:
    """The first step says which planes it gets, and switching that says so."""
    async with workbench(pipeline=NUCLEI) as wb:
        await go_to_steps(wb)
        assert "starts from every z plane" in wb.text
        await wb.press("P")
        await wb.wait_for("The pipeline starts from the microscope's projections.")
        assert "starts from the microscope" in wb.line("│starts from")


@pytest.mark.parametrize("moves", [("tab",), ("s-tab",)], ids=["wells", "pipeline"])
async def test_every_pane_takes_the_keys_of_the_selected_plate(moves: tuple[str, ...], demo: Path) -> None:
    """Wherever the focus is, i, c, r and o work on the selected plate; the footer and the help say so, once."""
    async with workbench([demo], pipeline=NUCLEI, size=(200, 60)) as wb:
        await wb.press(*moves, "c")
        await wb.wait_for("2 wells compiled with nuclei")
        assert "r Run" in wb.screen()[-2]
        await wb.press("?")
        await wb.wait_for("the keys here")
        assert wb.text.count("Run the pipeline on every well") == 1


async def test_details_show_everything_known_about_a_plate(demo: Path) -> None:
    """Enter on an initialised plate opens a text with its folder, channels and wells."""
    async with workbench([demo], size=(120, 30)) as wb:
        await wb.press("i")
        await wb.wait_idle()
        await wb.press("enter")
        await wb.wait_for("Pixel size")
        assert "Channel 2    GFP, 520 nm" in wb.text
        await wb.press("escape")
        await wb.wait_gone("Pixel size")


# -- the pipeline ------------------------------------------------------------------------------------------------


async def test_steps_are_moved_switched_off_repeated_and_deleted_and_all_of_it_undone() -> None:
    """Every edit shows at once, the title says unsaved, and undoing as often gives the pipeline back."""
    async with workbench(pipeline=NUCLEI) as wb:
        await go_to_steps(wb)
        original = wb.state.editing.pipeline
        await wb.press("J", "space", "y", "down", "d")
        assert steps(wb) == ["Project maximum", "Subtract background", "Subtract background 2", *STEPS[3:]]
        await wb.wait_idle()
        assert "2 [ ] Subtract background" in wb.text
        assert "Unsaved pipeline" in wb.text
        await wb.press("u", "u", "u", "u")
        await wb.wait_idle()
        assert wb.state.editing.pipeline == original
        assert "Unsaved pipeline" not in wb.text
        await wb.press("c-r", "c-r")
        assert steps(wb)[0] == "Project maximum"
        assert not wb.state.editing.pipeline.steps[1].enabled


async def test_a_step_is_added_from_the_list_of_functions() -> None:
    """`a` opens the function picker; the function chosen becomes a step after the selected one."""
    async with workbench(pipeline=NUCLEI) as wb:
        await go_to_steps(wb)
        await wb.press("a")
        await wb.wait_for("gaussian")
        await wb.type("gaussian_blur")
        await wb.press("enter")
        await wb.wait_until(lambda: len(steps(wb)) == 6, "the new step")
        assert steps(wb)[:3] == ["Subtract background", "Gaussian blur", "Project maximum"]
        await wb.wait_idle()
        assert "Step 2: Gaussian blur" in wb.text


async def test_a_step_is_edited_and_an_editor_left_by_escape_changes_nothing() -> None:
    """Enter opens the step editor on the selected step."""
    async with workbench(pipeline=NUCLEI) as wb:
        await go_to_steps(wb)
        original = wb.state.editing.pipeline
        await wb.press("enter")
        await wb.wait_for("radius")
        await wb.press("escape")
        await wb.wait_until(lambda: wb.launcher.program.dialogs is not None and wb.launcher.program.dialogs.depth == 0)
        assert wb.state.editing.pipeline == original


async def test_a_shipped_pipeline_is_loaded_saved_under_a_name_and_loaded_again(home: Path) -> None:
    """What was saved is read back equal, and a shipped pipeline is never written to."""
    async with workbench() as wb:
        await go_to_steps(wb)
        await wb.press("l")
        await wb.wait_for("Load a pipeline")
        await wb.wait_for("nuclei")
        await wb.press(*["down"] * list(shipped_pipelines()).index("nuclei"), "enter")
        await wb.wait_for("Pipeline nuclei")
        assert steps(wb) == STEPS
        await wb.press("P", "s")
        await wb.wait_for("Save writes")
        await wb.press("c-s")
        await wb.wait_for("Pipeline saved")
        await wb.wait_idle()
        path = wb.state.editing.path
        assert path == home / "home" / "config" / "pipelines" / "nuclei.yaml"
        assert load_pipeline(path) == wb.state.editing.pipeline
        assert wb.state.editing.pipeline.planes is PlaneSource.PROJECTION
        await wb.press("n")
        await wb.wait_idle()
        assert "No steps yet." in wb.text
        await wb.press("l")
        await wb.wait_for(str(path.parent)[:20])
    assert load_pipeline(NUCLEI).planes is PlaneSource.STACK


async def test_a_pipeline_that_cannot_be_read_leaves_the_one_there_was(home: Path) -> None:
    """A broken file given at the start is refused with its fault; the workbench opens all the same."""
    file = home / "broken.yaml"
    file.write_text("name: broken\nsteps: [{nmae: x}]\n")
    async with workbench(pipeline=file) as wb:
        await wb.wait_for("Cannot load the pipeline")
        assert "nmae" in wb.text
        await wb.press("escape")
        await wb.wait_idle()
        assert "No steps yet." in wb.text
        assert [type(error) for error in wb.take_errors()] == [PipelineError]


# -- menus, mouse and help ---------------------------------------------------------------------------------------


async def test_the_menu_does_what_the_keys_do(demo: Path) -> None:
    """F10 opens the menu bar; a row shows its key and what it does, or why not now, and Enter does it."""
    async with workbench([demo]) as wb:
        await wb.press("f10", "right", "down", "down")
        await wb.wait_idle()
        assert "(Put back)" in wb.line("> (Put back)")
        assert "Not now: No plate was removed" in wb.text
        await wb.press("down")
        await wb.wait_for("Initialise: read what the plate's folder holds.")
        await wb.press("enter")
        await wb.wait_for("> - demo")
        await wb.wait_idle()
        assert "╔═ Plates" in wb.text


async def test_a_menu_opens_by_its_letter_and_closes_by_escape() -> None:
    """Alt and the initial open a menu; Escape gives the focus back."""
    async with workbench() as wb:
        await wb.press("escape s")
        await wb.wait_for("Move up")
        await wb.press("escape")
        await wb.wait_gone("Move up")
        assert "╔═ Plates" in wb.text


async def test_the_mouse_does_what_the_keys_do(demo: Path) -> None:
    """Clicks reach the footer, the rows, their boxes and the menus."""
    async with workbench([demo], pipeline=NUCLEI) as wb:
        await wb.click_text("i Init")
        await wb.wait_for("> - demo")
        await wb.wait_idle()
        await wb.click_text("Find nuclei")
        await wb.wait_idle()
        assert "Step 3: Find nuclei" in wb.text
        assert "╔═ Pipeline" in wb.text
        x, y = wb.find("[x] Measure nuclei")
        await wb.click(x + 1, y)
        await wb.wait_for(">  5 [ ] Measure nuclei")
        await wb.click(x + 1, y)
        await wb.wait_for("[x] Measure nuclei")
        await wb.click_text("Plate ")
        await wb.wait_for("Put back")
        await wb.click_text("Compile")
        await wb.wait_for("> o demo")
        await wb.wait_gone("Put back")


async def test_a_menu_closes_when_something_else_is_clicked(demo: Path) -> None:
    """Clicking beside an open menu closes it."""
    async with workbench([demo], pipeline=NUCLEI) as wb:
        await wb.press("f10")
        await wb.wait_for("Save as")
        await wb.click_text("Find nuclei")
        await wb.wait_gone("Save as")


async def test_a_menu_closes_where_nothing_takes_the_focus() -> None:
    """Clicking a frame, or the empty end of the status lines, closes it; another title opens the other menu."""
    async with workbench() as wb:
        for column, row in ((79, 10), (79, 23)):
            await wb.press("f10")
            await wb.wait_for("Save as")
            await wb.click(column, row)
            await wb.wait_gone("Save as")
            assert "╔═ Plates" in wb.text
        await wb.press("f10")
        await wb.wait_for("Save as")
        await wb.click_text("Plate ")
        await wb.wait_for("Put back")
        await wb.click_text("Plate ")
        await wb.wait_gone("Put back")


@pytest.mark.parametrize("key", ["?", "f1"])
async def test_help_tells_every_key_of_where_the_focus_is(key: str) -> None:
    """The help names the pane's keys first, then those that work everywhere; Escape closes it."""
    async with workbench(size=(120, 90)) as wb:
        await wb.press(key)
        await wb.wait_for("Plates: the keys here")
        assert "Add plates, or folders that hold plates" in wb.text
        assert "Leave the workbench" in wb.text
        assert "What the symbols before a plate mean" in wb.text
        await wb.press("escape")
        await wb.wait_gone("the keys here")


async def test_a_pipeline_given_from_here_is_remembered_for_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file named relative to the working directory is edited and remembered by its whole path."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_bytes(NUCLEI.read_bytes())
    async with workbench(pipeline=Path("mine.yaml")) as wb:
        await wb.wait_idle()
        assert wb.state.editing.path == tmp_path / "mine.yaml"


# -- leaving -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["q", "c-q", "c-c"])
async def test_quit_leaves_at_once_when_nothing_would_be_lost(key: str, demo: Path) -> None:
    """With nothing running and nothing unsaved, quitting asks nothing and exits with 0."""
    async with workbench([demo], pipeline=NUCLEI) as wb:
        await wb.press(key)
        assert await wb.wait_exit() == 0


async def test_quit_asks_before_it_loses_a_pipeline() -> None:
    """With an unsaved pipeline, Escape stays, and only the explicit answer leaves."""
    async with workbench(pipeline=NUCLEI) as wb:
        await go_to_steps(wb)
        await wb.press("d", "q")
        await wb.wait_for("not saved")
        await wb.press("escape")
        await wb.wait_gone("not saved")
        await wb.press("q")
        await wb.wait_for("not saved")
        await wb.press("l")
        assert await wb.wait_exit() == 0


async def test_an_error_of_the_program_is_shown_and_the_workbench_goes_on(demo: Path) -> None:
    """A fault nobody expected opens the error dialog, is reported once, and costs nothing else."""
    async with workbench([demo]) as wb:

        async def fail() -> None:
            raise ZeroDivisionError("a fault in a task")

        wb.launcher.program.tasks.fire_and_forget(fail(), "do something")
        await wb.wait_for("a fault in a task")
        await wb.press("escape")
        await wb.wait_gone("a fault in a task")
        assert [type(error) for error in wb.take_errors()] == [ZeroDivisionError]
        await wb.press("E")
        await wb.wait_for("do something: ZeroDivisionError")
        await wb.wait_for("raise ZeroDivisionError(")
        await wb.press("escape")
        await wb.wait_gone("do something")
        await wb.press("i")
        await wb.wait_for("> - demo")


async def test_the_status_bar_tells_that_error_dialogs_are_off() -> None:
    """While the breaker is open the bottom line says so, and where errors are to be read."""
    async with workbench() as wb:
        errors = wb.launcher.program.errors
        errors.breaker.fail()
        wb.launcher.program.invalidate()
        await wb.wait_for("error dialogs off, see Errors")
        errors.reset_circuit_breaker()
        wb.launcher.program.invalidate()
        await wb.wait_gone("error dialogs off")


async def test_a_broken_pane_is_told_again_from_its_tile(monkeypatch: pytest.MonkeyPatch) -> None:
    """`d` on the tile shows the error with its traceback; the other pane goes on."""
    async with workbench() as wb:

        def fail(*_: object) -> None:
            raise ZeroDivisionError("the pane is broken")

        pane = wb.launcher.program.app.layout.current_window
        monkeypatch.setattr(pane.content, "create_content", fail)
        wb.launcher.program.invalidate()
        await wb.wait_for("Esc Close")
        await wb.press("escape")
        await wb.wait_gone("Esc Close")
        await wb.wait_for("d details")
        await wb.press("d")
        await wb.wait_for("Esc Close")
        await wb.press("escape")
        await wb.wait_gone("Esc Close")
        assert "╔═ Pipeline" in wb.text or "┌─ Pipeline" in wb.text
        assert [str(error) for error in wb.take_errors()] == ["the pane is broken"]


async def test_errors_the_last_session_could_not_show_are_offered(home: Path) -> None:
    """What stands in the error journal as never shown is told at the next start, and `E` shows it."""
    journal = ErrorJournal(home / "home" / "logs" / "errors.jsonl")
    journal.receive(RuntimeError("lost with the terminal"), "run demo")
    journal.receive(TerminalLost("its window was closed"), "the terminal")  # of that whoever comes back knows
    journal.close()
    async with workbench() as wb:
        await wb.wait_for("1 error of the last session")
        await wb.press("E")
        await wb.wait_for("lost with the terminal")
        assert "its window was closed" not in wb.text


# -- actions by name, and keys of one's own ------------------------------------------------------------------------


async def test_the_palette_runs_an_action_of_another_pane() -> None:
    """Ctrl-P, a few letters and Enter do what the action's own key does in its pane; run again, it comes first."""
    async with workbench(pipeline=NUCLEI) as wb:
        await wb.press("c-p")
        await wb.wait_for("Commands")
        await wb.type("dupl")
        await wb.wait_for("> Duplicate")
        await wb.press("enter")
        await wb.wait_gone("Action:")
        assert steps(wb) == [STEPS[0], f"{STEPS[0]} 2", *STEPS[1:]]
        await wb.press("c-p")
        await wb.wait_for("> Duplicate")
        await wb.press("escape")
        await wb.wait_gone("Action:")


async def test_the_palette_says_why_an_action_is_refused_now() -> None:
    """What cannot be done stays in the list with the reason, and Enter on it leaves the palette open."""
    async with workbench() as wb:
        await wb.press("c-p")
        await wb.type("undo")
        await wb.wait_for("not now: There is nothing to undo")
        await wb.press("enter")
        await wb.wait_for("! There is nothing to undo")
        assert "Action:" in wb.text
        await wb.press("escape")


async def test_keys_of_ones_own_are_what_works_and_what_is_shown(home: Path) -> None:
    """A key from the keys file does the action and its old key nothing; footer and hints show the new one."""
    (home / "home" / "config").mkdir(parents=True)
    (home / "home" / "config" / "keys.yaml").write_text("plates.add: Ctrl-N\n")
    async with workbench() as wb:
        assert "Ctrl-N Add" in wb.screen()[-2]
        assert "Ctrl-N adds the folder" in wb.text
        await wb.press("a")
        assert "Choose plates, or folders that hold plates" not in wb.text
        await wb.press("c-n")
        await wb.wait_for("Choose plates, or folders that hold plates")
        await wb.press("escape")


async def test_keys_that_cannot_be_used_are_told_at_the_start(home: Path) -> None:
    """The workbench opens with the keys it can use, and says which lines of the file it cannot."""
    (home / "home" / "config").mkdir(parents=True)
    (home / "home" / "config" / "keys.yaml").write_text("plates.add: N\nplates.ran: R\nplates.run: Hyper\n")
    async with workbench() as wb:
        await wb.wait_for("Keys that cannot be used")
        assert "line 2: plates.ran is no action" in wb.text
        assert "line 3: plates.run: 'Hyper' is no key" in wb.text
        await wb.press("escape")
        await wb.wait_gone("Keys that cannot be used")
        assert "N Add" in wb.screen()[-2]


def test_the_actions_are_printed_with_their_keys() -> None:
    """`openhcs keys` prints every action once, with its key and what it does."""
    text = SimpleOpenHCSTUILauncher().keys()
    assert 'plates.add: ["a"]' in text
    assert "everywhere.commands: [Ctrl-P]" in text
    names = [line.partition(":")[0] for line in text.splitlines() if ": [" in line]
    assert len(names) == len(set(names))


async def test_a_theme_is_seen_at_once_and_kept(home: Path) -> None:
    """Going through the themes shows each; Enter keeps it in the settings, Escape brings the one before back."""
    settings = home / "home" / "config" / "settings.yaml"
    async with workbench() as wb:
        ground = wb.background_at(0, 5)
        await wb.press("T")
        await wb.wait_for("Theme")
        await wb.press("down")
        await wb.wait_until(lambda: wb.background_at(0, 5) != ground, "another theme")
        await wb.press("escape")
        await wb.wait_until(lambda: wb.background_at(0, 5) == ground, "the theme before")
        assert not settings.exists()
        await wb.press("T", "down", "enter")
        await wb.wait_for("Theme light, kept in")
        assert settings.read_text() == "theme: light\n"
    async with workbench() as wb:
        assert wb.background_at(0, 5) != ground


async def test_settings_are_edited_with_their_faults_beside_them(home: Path) -> None:
    """A wrong value is told beside its field and not written; a right one is, and a theme shows at once.

    Where each value comes from stands in a column.
    """
    settings = home / "home" / "config" / "settings.yaml"
    settings.parent.mkdir(parents=True)
    settings.write_text("# ours\nworkers: 2  # one is for others\n")
    async with workbench(size=(100, 30)) as wb:
        ground = wb.background_at(0, 5)
        await wb.press(",")
        await wb.wait_for("from the file")
        lines = [line for line in wb.screen() if line.rstrip("^║v ").endswith((" default", "from the file"))]
        assert len({max(line.find(" default"), line.find(" from the file")) for line in lines}) == 1
        await wb.press("tab", "end", "backspace", "0")
        await wb.wait_for("! expected 1 or more")
        assert "Expected 1 or more. Wells processed at the same time" in wb.text
        await wb.press("enter")
        await wb.wait_for("workers: expected 1 or more")
        await wb.press("backspace", "3", "tab", "tab", "tab", "tab", "space", "enter")
        await wb.wait_for("Settings kept, for what is started from now on")
        assert settings.read_text() == "# ours\nworkers: 3  # one is for others\ntheme: light\n"
        await wb.wait_until(lambda: wb.background_at(0, 5) != ground, "the theme")


async def test_changed_settings_are_left_only_when_asked_twice(home: Path) -> None:
    """Escape warns once that something would be lost, and writes nothing."""
    async with workbench(size=(100, 30)) as wb:
        await wb.press(",")
        await wb.wait_for("results folder")
        await wb.type("x")
        await wb.press("escape")
        await wb.wait_for("Esc again discards that")
        await wb.press("escape")
        await wb.wait_gone("results folder")
        assert not (home / "home" / "config" / "settings.yaml").exists()


# -- the tour ------------------------------------------------------------------------------------------------------


async def test_a_newcomer_is_shown_around_once(home: Path) -> None:
    """The first start begins the tour, each step with the focus where it speaks of; the second start does not."""
    async with workbench(tour=True) as wb:
        await wb.wait_for("Plates (1 of 5)")
        await wb.press("right")
        await wb.wait_for("The pipeline (2 of 5)")
        assert "╔═ Pipeline" in wb.text
        await wb.press("left")
        await wb.wait_for("Plates (1 of 5)")
        await wb.press("right", "right", "right")
        await wb.wait_for("Wells (4 of 5)")
        assert "╔═ Wells" in wb.text
        assert "Right Next" in wb.text
        await wb.press("right")
        await wb.wait_for("Right Done")
        await wb.press("right")
        await wb.wait_gone("of 5)")
        assert "╔═ Plates" in wb.text
    async with workbench(tour=True) as wb:
        await wb.press("tab")
        assert "of 5)" not in wb.text


async def test_the_tour_stands_in_nobodys_way(demo: Path) -> None:
    """Keys that are not the tour's do what they always do; a dialog covers it, and Escape leaves it at once."""
    async with workbench([demo], tour=True) as wb:
        await wb.wait_for("Plates (1 of 5)")
        await wb.press("i")
        await wb.wait_for("> - demo")
        await wb.press("?")
        await wb.wait_for("Plates: the keys here")
        await wb.press("escape")
        await wb.wait_for("Plates (1 of 5)")
        await wb.press("escape")
        await wb.wait_gone("of 5)")
        await wb.press("f2")
        await wb.wait_for("Plates (1 of 5)")
