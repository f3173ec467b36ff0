"""The workbench's state: what follows from each action, and what always holds."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhcs.core.model import Channel, FunctionCall, Pipeline, PlaneKey, PlaneSource, PlateIndex, Status, Step
from openhcs.core.progress import Failure, RunProgress, RunState, WellProgress, WellState
from openhcs.errors import Problem
from openhcs.tui import actions
from openhcs.tui.actions import Action
from openhcs.tui.plate_list import shown_plates
from openhcs.tui.state import AppState, free_name, reduce
from openhcs.tui.workbench import Activity, Measure, PlateFacts, PlateOrder, PlateView, Severity, WellValues, Workbench

A, B, C = Path("/plates/a"), Path("/plates/b"), Path("/plates/c")


def step(name: str, **changes: Any) -> Step:
    return replace(Step(name, (FunctionCall("gaussian_blur"),)), **changes)


NUCLEI = Pipeline("nuclei", (step("blur"), step("find"), step("count")))

FACTS = PlateFacts.of(
    PlateIndex(
        root=str(A),
        name="plate a",
        format="ImageXpress",
        rows=8,
        columns=12,
        channels=(Channel(1, "DAPI"),),
        planes={
            PlaneKey(well, site, 1, z, 1): "x.tif" for well in ("A01", "B02") for site in (1, 2) for z in (0, 1, 2)
        },
        pixel_size_um=0.65,
    )
)


def after(*taken: Action, start: Workbench | None = None) -> Workbench:
    workbench = start or Workbench()
    for action in taken:
        workbench = reduce(workbench, action)
    return workbench


def progress(state: RunState, *wells: WellState) -> RunProgress:
    return RunProgress(
        state=state,
        plate="plate a",
        pipeline="nuclei",
        out="/results",
        started_s=10.0,
        ended_s=20.0 if state.has_ended else None,
        wells={f"A{i:02}": WellProgress(f"A{i:02}", well) for i, well in enumerate(wells, 1)},
    )


COMPILED = after(
    actions.PlatesAdded((A,)),
    actions.PipelineLoaded(NUCLEI, None),
    actions.PlateInitialised(A, FACTS),
    actions.PlateCompiled(A, NUCLEI),
)


class TestPlates:
    def test_added_folders_are_rows_and_the_first_is_selected(self) -> None:
        """Adding folders appends a row for each and puts the cursor on the first of them."""
        workbench = after(actions.PlatesAdded((A,)), actions.PlatesAdded((B, C)))
        assert [row.folder for row in workbench.plates] == [A, B, C]
        assert workbench.selected == workbench.plates[1]
        assert all(row.status is Status.ADDED for row in workbench.plates)

    def test_a_folder_is_on_the_list_once(self) -> None:
        """Adding a folder again only selects it."""
        workbench = after(actions.PlatesAdded((A, B)), actions.PlateSelected(1), actions.PlatesAdded((A, A)))
        assert [row.folder for row in workbench.plates] == [A, B]
        assert workbench.plate == 0

    def test_a_removed_plate_can_be_put_back_where_it_was(self) -> None:
        """Restoring gives back the row with all that was known about it, at its place."""
        before = after(actions.PlatesAdded((A, B, C)), actions.PlateInitialised(B, FACTS), actions.PlateSelected(1))
        removed = reduce(before, actions.PlatesRemoved((B,)))
        assert [row.folder for row in removed.plates] == [A, C]
        assert reduce(removed, actions.PlatesRestored()) == before

    def test_plates_removed_one_after_the_other_come_back_in_reverse(self) -> None:
        """Restoring as often as was removed gives the list back."""
        before = after(actions.PlatesAdded((A, B, C)))
        workbench = after(*(actions.PlatesRemoved((folder,)) for folder in (B, A, C)), start=before)
        assert workbench.plates == ()
        workbench = after(*[actions.PlatesRestored()] * 4, start=workbench)
        assert workbench.plates == before.plates

    def test_a_busy_plate_stays_on_the_list(self) -> None:
        """A plate that something is being done to cannot be removed."""
        before = after(actions.PlatesAdded((A,)), actions.ActivityChanged(A, Activity.COMPILING))
        assert reduce(before, actions.PlatesRemoved((A,))) == before

    def test_results_for_a_plate_that_is_gone_change_nothing(self) -> None:
        """A task that ends after its plate was removed is not heard."""
        before = after(actions.PlatesAdded((A,)))
        assert reduce(before, actions.PlateInitialised(B, FACTS)) == before

    def test_facts_count_what_the_index_holds(self) -> None:
        """Projections are told apart from z planes, and every component is counted."""
        assert (FACTS.wells, FACTS.sites, FACTS.z_planes, FACTS.time_points) == (("A01", "B02"), 2, 2, 1)
        assert FACTS.has_projections
        assert FACTS.images == 12


class TestLife:
    def test_a_plate_goes_from_added_to_finished(self) -> None:
        """The status follows initialise, compile and run, and the activity ends with each result."""
        seen = []
        workbench = after(actions.PlatesAdded((A,)), actions.PipelineLoaded(NUCLEI, None))
        for action in (
            actions.ActivityChanged(A, Activity.INITIALISING),
            actions.PlateInitialised(A, FACTS),
            actions.ActivityChanged(A, Activity.COMPILING),
            actions.PlateCompiled(A, NUCLEI),
            actions.ActivityChanged(A, Activity.STARTING),
            actions.RunProgressed(A, progress(RunState.RUNNING, WellState.RUNNING, WellState.PENDING)),
            actions.RunProgressed(A, progress(RunState.FINISHED, WellState.FINISHED, WellState.REUSED)),
        ):
            workbench = reduce(workbench, action)
            row = workbench.plates[0]
            seen.append((row.status.value, row.activity))
        assert seen == [
            ("?", Activity.INITIALISING),
            ("-", None),
            ("-", Activity.COMPILING),
            ("o", None),
            ("o", Activity.STARTING),
            ("!", None),
            ("✓", None),
        ]
        assert workbench.plates[0].out == Path("/results")

    def test_a_failed_well_makes_a_failed_plate(self) -> None:
        """A run that ended with a failed well leaves X."""
        ended = progress(RunState.FINISHED, WellState.FINISHED, WellState.FAILED)
        assert reduce(COMPILED, actions.RunProgressed(A, ended)).plates[0].status is Status.FAILED

    def test_after_a_cancelled_run_the_plate_is_ready_again(self) -> None:
        """A cancelled run leaves a compiled plate compiled, and the cancelling is over."""
        workbench = after(
            actions.RunProgressed(A, progress(RunState.RUNNING, WellState.RUNNING)),
            actions.ActivityChanged(A, Activity.CANCELLING),
            actions.RunProgressed(A, progress(RunState.RUNNING, WellState.RUNNING)),
            start=COMPILED,
        )
        assert workbench.plates[0].activity is Activity.CANCELLING
        workbench = reduce(workbench, actions.RunProgressed(A, progress(RunState.CANCELLED, WellState.CANCELLED)))
        assert (workbench.plates[0].status, workbench.plates[0].activity) == (Status.COMPILED, None)

    def test_a_failure_tells_its_problems_until_the_next_success(self) -> None:
        """Problems of a failed compilation stay on the row until it compiles."""
        problem = Problem("unknown parameter", step="blur", parameter="sgima")
        failed = reduce(COMPILED, actions.PlateFailed(A, (problem,)))
        assert (failed.plates[0].status, failed.plates[0].problems) == (Status.FAILED, (problem,))
        assert reduce(failed, actions.PlateCompiled(A, NUCLEI)).plates[0].problems == ()

    def test_editing_the_pipeline_makes_compiled_plates_stale_and_undo_makes_them_good_again(self) -> None:
        """A plate is compiled only for the pipeline its plans were made from."""
        edited = reduce(COMPILED, actions.StepDeleted(0))
        assert edited.plates[0].status is Status.INITIALISED
        assert reduce(edited, actions.PipelineUndone()).plates[0].status is Status.COMPILED

    def test_plans_of_a_pipeline_edited_meanwhile_do_not_count(self) -> None:
        """When the pipeline changed while it was being compiled, the plate is not compiled."""
        workbench = after(actions.StepDeleted(0), actions.PlateCompiled(A, NUCLEI), start=COMPILED)
        assert workbench.plates[0].status is Status.INITIALISED

    def test_wells_wait_before_there_is_a_run(self) -> None:
        """The wells of an initialised plate are known and pending."""
        assert COMPILED.plates[0].wells == (WellProgress("A01"), WellProgress("B02"))


class TestPipeline:
    def names(self, workbench: Workbench) -> list[str]:
        return [step.name for step in workbench.editing.pipeline.steps]

    @pytest.mark.parametrize(
        ("action", "names", "cursor"),
        [
            (actions.StepInserted(1, step("new")), ["blur", "new", "find", "count"], 1),
            (actions.StepInserted(99, step("new")), ["blur", "find", "count", "new"], 3),
            (actions.StepReplaced(1, step("new")), ["blur", "new", "count"], 1),
            (actions.StepDeleted(1), ["blur", "count"], 1),
            (actions.StepDeleted(2), ["blur", "find"], 1),
            (actions.StepDuplicated(1), ["blur", "find", "find 2", "count"], 2),
            (actions.StepMoved(1, -1), ["find", "blur", "count"], 0),
            (actions.StepMoved(1, 1), ["blur", "count", "find"], 2),
            (actions.StepMoved(1, 99), ["blur", "count", "find"], 2),
            (actions.StepMoved(0, -1), ["blur", "find", "count"], 0),
            (actions.StepToggled(1), ["blur", "find", "count"], 1),
        ],
        ids=str,
    )
    def test_edits_of_steps(self, action: Action, names: list[str], cursor: int) -> None:
        """Each edit leaves these steps and puts the cursor there."""
        workbench = after(actions.PipelineLoaded(NUCLEI, None), action)
        assert self.names(workbench) == names
        assert workbench.editing.step == cursor

    def test_a_step_is_switched_off_and_on(self) -> None:
        """Toggling twice leaves the step as it was."""
        once = after(actions.PipelineLoaded(NUCLEI, None), actions.StepToggled(0))
        assert not once.editing.pipeline.steps[0].enabled
        assert reduce(once, actions.StepToggled(0)).editing.pipeline == NUCLEI

    def test_a_pipeline_is_unsaved_while_it_differs_from_its_file(self) -> None:
        """Editing makes it unsaved, undoing the edit or saving makes it saved."""
        loaded = after(actions.PipelineLoaded(NUCLEI, Path("n.yaml")))
        edited = reduce(loaded, actions.StepDeleted(0))
        assert (loaded.editing.unsaved, edited.editing.unsaved) == (False, True)
        assert not reduce(edited, actions.PipelineUndone()).editing.unsaved
        saved = reduce(edited, actions.PipelineSaved(edited.editing.pipeline, Path("m.yaml")))
        assert (saved.editing.unsaved, saved.editing.path) == (False, Path("m.yaml"))

    def test_a_pipeline_rewritten_as_text_is_one_change(self) -> None:
        """What comes back from an editor is undone as one, its comments too, be they all that was changed."""
        loaded = after(actions.PipelineLoaded(NUCLEI, Path("n.yaml"), "name: nuclei"))
        other = replace(NUCLEI, name="other", steps=NUCLEI.steps[:1])
        rewritten = reduce(loaded, actions.PipelineRewritten(other, "name: other"))
        assert rewritten.editing.pipeline == other
        assert reduce(rewritten, actions.PipelineUndone()).editing.pipeline == NUCLEI
        commented = reduce(loaded, actions.PipelineRewritten(NUCLEI, "name: nuclei # why"))
        assert commented.editing.unsaved
        undone = reduce(commented, actions.PipelineUndone())
        assert (undone.editing.text, undone.editing.unsaved) == ("name: nuclei", False)
        assert reduce(undone, actions.PipelineRedone()).editing.text == "name: nuclei # why"
        same = reduce(commented, actions.PipelineRewritten(NUCLEI, "name: nuclei # why"))
        assert same.editing.past == commented.editing.past
        assert not reduce(
            commented, actions.PipelineSaved(NUCLEI, Path("n.yaml"), "name: nuclei # why")
        ).editing.unsaved

    def test_a_change_made_while_saving_stays_unsaved(self) -> None:
        """What was saved is the pipeline that was written, not the one edited since."""
        edited = after(actions.PipelineLoaded(NUCLEI, None), actions.StepDeleted(0))
        assert reduce(edited, actions.PipelineSaved(NUCLEI, Path("n.yaml"))).editing.unsaved

    def test_undo_and_redo_go_to_what_changes(self) -> None:
        """The cursor stands on the step that has come back or has changed, wherever it was before."""
        edited = after(actions.PipelineLoaded(NUCLEI, None), actions.StepToggled(1), actions.StepDeleted(2))
        back = reduce(reduce(edited, actions.StepSelected(0)), actions.PipelineUndone())
        assert back.editing.step == 2
        back = reduce(reduce(back, actions.StepSelected(0)), actions.PipelineUndone())
        assert back.editing.step == 1
        assert reduce(reduce(back, actions.StepSelected(0)), actions.PipelineRedone()).editing.step == 1

    def test_an_edit_after_undo_forgets_what_could_be_redone(self) -> None:
        """Redo is over once the pipeline takes another way."""
        workbench = after(
            actions.PipelineLoaded(NUCLEI, None),
            actions.StepDeleted(0),
            actions.PipelineUndone(),
            actions.PlaneSourceChosen(PlaneSource.PROJECTION),
        )
        assert workbench.editing.future == ()

    def test_loading_begins_a_new_history(self) -> None:
        """A loaded pipeline cannot be undone into the one before."""
        workbench = after(actions.StepInserted(0, step("x")), actions.PipelineLoaded(NUCLEI, None))
        assert reduce(workbench, actions.PipelineUndone()) == workbench

    def test_free_names_do_not_repeat(self) -> None:
        """A taken name gets the first free number; one that ends with a number gets another in its place."""
        steps = (step("blur"), step("blur 2"), step("7"))
        assert (free_name("find", steps), free_name("blur", steps)) == ("find", "blur 3")
        assert (free_name("blur 2", steps), free_name("7", steps)) == ("blur 3", "7 2")


FOLDERS = st.sampled_from([A, B, C])
INDEXES = st.integers(-2, 6)
STEPS = st.builds(step, st.sampled_from(["blur", "find", "count"]), enabled=st.booleans())
PIPELINES = st.builds(Pipeline, st.sampled_from(["one", "two"]), st.lists(STEPS, max_size=4).map(tuple))
PROGRESS = st.builds(
    lambda state, wells: progress(state, *wells), st.sampled_from(RunState), st.lists(st.sampled_from(WellState))
)
EDITS = st.one_of(
    st.builds(actions.StepInserted, INDEXES, STEPS),
    st.builds(actions.StepReplaced, INDEXES, STEPS),
    st.builds(actions.StepDeleted, INDEXES),
    st.builds(actions.StepDuplicated, INDEXES),
    st.builds(actions.StepMoved, INDEXES, INDEXES),
    st.builds(actions.StepToggled, INDEXES),
    st.builds(actions.PlaneSourceChosen, st.sampled_from(PlaneSource)),
    st.builds(actions.PipelineRenamed, st.sampled_from(["one", "two"])),
)
ACTIONS: st.SearchStrategy[Action] = st.one_of(
    EDITS,
    st.builds(actions.MessageShown, st.text(max_size=3), st.sampled_from(Severity)),
    st.builds(actions.ClockTicked, st.floats(0, 1e9)),
    st.builds(actions.PlatesAdded, st.lists(FOLDERS, max_size=3).map(tuple)),
    st.builds(actions.PlatesRemoved, st.lists(FOLDERS, max_size=3).map(tuple)),
    st.just(actions.PlatesRestored()),
    st.builds(actions.PlatesMarked, st.frozensets(FOLDERS), st.booleans()),
    st.builds(
        actions.PlatesViewed,
        st.builds(PlateView, st.sampled_from(["", "a", "failed", "no such"]), st.sampled_from(PlateOrder)),
    ),
    st.builds(actions.PlatesQueued, st.lists(FOLDERS, unique=True).map(tuple), st.frozensets(FOLDERS)),
    st.builds(actions.PlateSelected, INDEXES),
    st.builds(actions.WellSelected, INDEXES),
    st.builds(
        actions.WellsMarked, FOLDERS, st.frozensets(st.sampled_from(["A01", "A02", "B02", "H12"])), st.booleans()
    ),
    st.builds(actions.WellsShownAsMap, st.booleans()),
    st.builds(actions.PaneZoomed, st.booleans()),
    st.builds(actions.MeasureChosen, st.none() | st.just(Measure("nuclei"))),
    st.builds(actions.ActivityChanged, FOLDERS, st.none() | st.sampled_from(Activity)),
    st.builds(actions.PlateInitialised, FOLDERS, st.just(FACTS)),
    st.builds(actions.PlateCompiled, FOLDERS, PIPELINES),
    st.builds(actions.PlateFailed, FOLDERS, st.just((Problem("wrong"),))),
    st.builds(actions.RunProgressed, FOLDERS, PROGRESS),
    st.builds(actions.PipelineLoaded, PIPELINES, st.none()),
    st.builds(actions.PipelineSaved, PIPELINES, st.just(Path("p.yaml"))),
    st.builds(actions.PipelineRewritten, PIPELINES, st.just("name: p")),
    st.builds(actions.StepSelected, INDEXES),
    st.just(actions.PipelineUndone()),
    st.just(actions.PipelineRedone()),
)


def in_range(cursor: int, length: int) -> bool:
    return 0 <= cursor < max(1, length)


def test_wells_are_marked_and_unmarked() -> None:
    """Marks add up and are taken away by well, stay with their plate, and go with wells that are no longer there."""
    ready = after(actions.PlatesAdded((A, B)), actions.PlateInitialised(A, FACTS))
    both = after(
        actions.WellsMarked(A, frozenset({"A01", "H12"})), actions.WellsMarked(A, frozenset({"B02"})), start=ready
    )
    assert both.plates[0].marked == {"A01", "B02"}
    assert both.plates[1].marked == frozenset()
    one = after(actions.WellsMarked(A, frozenset({"A01"}), False), start=both)
    assert one.plates[0].marked == {"B02"}
    gone = after(actions.PlateInitialised(A, replace(FACTS, wells=("A01",))), start=both)
    assert gone.plates[0].marked == {"A01"}


def test_a_run_of_some_wells_leaves_the_others_on_the_plate() -> None:
    """Wells that the last run did not take are there, waiting, in the plate's order."""
    ran = after(actions.RunProgressed(A, progress(RunState.RUNNING, WellState.RUNNING)), start=COMPILED)
    assert [(well.well, well.state) for well in ran.plates[0].wells] == [
        ("A01", WellState.RUNNING),
        ("B02", WellState.PENDING),
    ]


def test_what_the_map_shows_is_part_of_the_state() -> None:
    """Map or list, the measure and its numbers, and the pane with the whole screen are kept as they were chosen."""
    measure = Measure("area_px", "measurements")
    values = WellValues(A, measure, 1.0, {"A01": 2.0})
    shown = after(
        actions.WellsShownAsMap(True),
        actions.MeasureChosen(measure),
        actions.ValuesRead(values),
        actions.PaneZoomed(True),
    )
    assert (shown.wells_as_map, shown.measure, shown.values, shown.zoomed) == (True, measure, values, True)


@given(st.lists(ACTIONS, min_size=5, max_size=40))
def test_the_invariants_hold_after_any_actions(taken: list[Action]) -> None:
    """Whatever happens, cursors are in range, a folder is one row, marks are on wells, COMPILED means this pipeline."""
    workbench = after(actions.PlatesAdded((A, B)))
    for action in taken:
        workbench = reduce(workbench, action)
        folders = [row.folder for row in workbench.plates]
        assert len(set(folders)) == len(folders)
        assert not {row.folder for taken in workbench.removed for _, row in taken} & set(folders)
        assert workbench.marked <= set(folders)
        shown = shown_plates(workbench)
        assert not shown or workbench.plate in shown
        assert in_range(workbench.plate, len(workbench.plates))
        assert in_range(workbench.well, len(workbench.selected.wells) if workbench.selected else 0)
        assert in_range(workbench.editing.step, len(workbench.editing.pipeline.steps))
        for row in workbench.plates:
            assert row.marked <= {well.well for well in row.wells}
            if row.status in (Status.INITIALISED, Status.COMPILED):
                assert (row.status is Status.COMPILED) == (row.compiled == workbench.editing.pipeline)


@given(PIPELINES, st.lists(EDITS, max_size=30))
def test_undo_and_redo_go_the_whole_way_back_and_forth(pipeline: Pipeline, edits: list[Action]) -> None:
    """Undoing every edit gives the first pipeline, redoing them all the last."""
    start = after(actions.PipelineLoaded(pipeline, None))
    edited = after(*edits, start=start)
    back = after(*[actions.PipelineUndone()] * len(edits), start=edited)
    assert back.editing.pipeline == pipeline
    assert not back.editing.unsaved
    forth = after(*[actions.PipelineRedone()] * len(edits), start=back)
    assert forth.editing.pipeline == edited.editing.pipeline
    assert forth.editing.past == edited.editing.past


class TestAppState:
    def test_subscribers_hear_of_changes_and_only_of_changes(self) -> None:
        """An action that changes nothing is silent, and an unsubscribed subscriber hears nothing."""
        state, heard = AppState(), []
        unsubscribe = state.subscribe(lambda: heard.append(state.workbench))
        state.dispatch(actions.PlateSelected(3))
        assert heard == []
        state.dispatch(actions.PlatesAdded((A,)))
        assert heard == [state.workbench]
        unsubscribe()
        unsubscribe()
        state.dispatch(actions.PlatesAdded((B,)))
        assert len(heard) == 1

    async def shown(self) -> tuple[object, object]:
        seen: list[object] = []

        async def show(dialog: Any, result_future: asyncio.Future[Any]) -> Any:
            seen.append(dialog)
            result_future.set_result("answer")
            return await result_future

        state = AppState()
        state.use_dialogs(show)
        answer = await state.show_dialog("dialog", asyncio.get_running_loop().create_future())
        return seen, answer

    def test_dialogs_go_to_the_host_that_was_given(self) -> None:
        """`show_dialog` returns what the host returns."""
        assert asyncio.run(self.shown()) == (["dialog"], "answer")

    def test_a_dialog_without_a_screen_is_refused(self) -> None:
        """Before there is a screen, showing a dialog fails at once instead of waiting for ever."""

        async def show() -> None:
            await AppState().show_dialog("dialog", asyncio.get_running_loop().create_future())

        with pytest.raises(RuntimeError, match="no screen yet"):
            asyncio.run(show())


def test_a_failure_is_kept_with_its_well() -> None:
    """A run's failures reach the row as the engine tells them."""
    failure = Failure("truncated", kind="PlaneError", step="find")
    told = replace(
        progress(RunState.FINISHED, WellState.FAILED),
        wells={"A01": WellProgress("A01", WellState.FAILED, failure=failure)},
    )
    row = reduce(COMPILED, actions.RunProgressed(A, told)).plates[0]
    assert row.wells[0].failure == failure
