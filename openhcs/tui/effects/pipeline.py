"""Working on the pipeline: steps through the function picker and the step editor, files through the file browser.

Deliberately absent: drawing, and which key does what (`panes`). The catalogue of functions is read in a thread when it
is first needed: its modules import numpy and scikit-image. Pipeline files likewise: their reader imports pydantic.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from openhcs.core.model import Component, FunctionCall, Pipeline, PlaneSource, Step
from openhcs.core.parameters import REQUIRED
from openhcs.errors import OpenHCSError
from openhcs.tui import actions
from openhcs.tui.editors.function_picker import pick_function
from openhcs.tui.editors.step_editor import edit_step
from openhcs.tui.effects import pipeline_files
from openhcs.tui.effects.outside_editor import edit_text, find_editor
from openhcs.tui.effects.pick_dialog import Choice, pick
from openhcs.tui.effects.pipeline_faults import Answer, show_faults
from openhcs.tui.effects.preferences import Preferences
from openhcs.tui.effects.step_previews import StepPreviews
from openhcs.tui.ports import TaskSpawner
from openhcs.tui.run_text import count_of
from openhcs.tui.state import AppState, free_name
from openhcs.tui.utils import dialog_helpers
from openhcs.tui.utils.daemon_thread import in_daemon_thread
from openhcs.tui.utils.safe_text import visible, visible_path
from openhcs.tui.workbench import PlateFacts, Severity

if TYPE_CHECKING:
    from openhcs.core.functions import Function
    from openhcs.tui.editors.pipeline_check import CheckedText

__all__ = ["SUFFIXES", "PipelineEffects"]

SUFFIXES: Final = (".yaml", ".yml")


class PipelineEffects:
    """Does what the user asks of the pipeline being edited."""

    def __init__(self, state: AppState, tasks: TaskSpawner, preferences: Preferences) -> None:
        self._state = state
        self._tasks = tasks
        self._preferences = preferences

    # -- steps ---------------------------------------------------------------------------------------------------

    async def add_step(self) -> None:
        """Let the user pick a function and put a step of it behind the selected one."""
        functions = await self._functions()
        picked = await pick_function(self._state, functions)
        if picked is None:
            return
        editing = self._state.workbench.editing
        steps = editing.pipeline.steps
        at = editing.step + 1 if steps else 0
        step = Step(
            name=free_name(_title(picked.name), steps),
            pattern=(FunctionCall(picked.name),),
            variable_components=editing.selected.variable_components if editing.selected else (Component.Z,),
        )
        # A parameter without a default must be given before the step means anything.
        if _needs_parameters(picked):
            edited = await self._edit(step, at, functions)
            if edited is None:
                return
            step = edited
        self._state.dispatch(actions.StepInserted(at, step))
        self._tell(f"Step {at + 1} added: {visible(step.name)}")

    async def edit_selected(self) -> None:
        """Open the step editor on the selected step."""
        editing = self._state.workbench.editing
        if editing.selected is None:
            return
        edited = await self._edit(editing.selected, editing.step, await self._functions())
        if edited is not None and edited != editing.selected:
            self._state.dispatch(actions.StepReplaced(editing.step, edited))
            self._tell(f"Step {editing.step + 1} changed: {visible(edited.name)}")

    async def _edit(self, step: Step, at: int, functions: Mapping[str, Function]) -> Step | None:
        workbench = self._state.workbench
        facts = workbench.selected.facts if workbench.selected else None
        return await edit_step(
            step,
            app_state=self._state,
            functions=functions,
            channels=facts.channels if facts else (),
            labels=_with_own(facts, _written(workbench.editing.pipeline.steps[:at], functions, "LABELS")),
            tables=_written(workbench.editing.pipeline.steps[:at], functions, "TABLE"),
        )

    async def _functions(self) -> Mapping[str, Function]:
        settings = await self._preferences.settings()

        def read() -> Mapping[str, Function]:
            from openhcs.core.functions import catalogue  # imports numpy, scipy and scikit-image

            return catalogue(settings.function_modules)

        return await in_daemon_thread(read, "read the functions")

    def switch_planes(self) -> None:
        """Start the pipeline from the other kind of planes."""
        stack = self._state.workbench.editing.pipeline.planes is PlaneSource.STACK
        self._state.dispatch(actions.PlaneSourceChosen(PlaneSource.PROJECTION if stack else PlaneSource.STACK))

    async def rename(self) -> None:
        """Let the user give the pipeline another name."""
        name = await dialog_helpers.prompt_for_text_input(
            "Rename the pipeline", "Name", self._state, default=self._state.workbench.editing.pipeline.name
        )
        if name and name.strip():
            self._state.dispatch(actions.PipelineRenamed(name.strip()))

    def make_previews(self) -> StepPreviews:
        """What tries steps; to be closed by the caller."""
        return StepPreviews(self._preferences)

    async def rename_step(self) -> None:
        """Let the user give the selected step another name."""
        editing = self._state.workbench.editing
        step = editing.selected
        if step is None:
            return
        name = await dialog_helpers.prompt_for_text_input(
            f"Rename step {editing.step + 1}", "Name", self._state, default=step.name
        )
        if name and name.strip():
            self._state.dispatch(actions.StepReplaced(editing.step, replace(step, name=name.strip())))

    async def edit_outside(self) -> None:
        """Let the user edit the pipeline as YAML in the editor of their choice; faults are shown where they stand."""
        editing = self._state.workbench.editing
        try:
            find_editor(os.environ)  # before anything is written for it
            before = text = await in_daemon_thread(
                lambda: pipeline_files.text_of(editing), "write the pipeline as text"
            )
            line: int | None = None
            functions = await self._functions()
            while True:
                edited = await edit_text(text, pipeline_files.file_name(editing), line)
                text = edited.text
                if text == before:
                    self._tell_unchanged(at_once=edited.at_once)
                    return
                checked = await in_daemon_thread(partial(_check, text, functions), "check the edited pipeline")
                answer = Answer.TAKE
                if checked.faults:
                    answer = await show_faults(checked, app_state=self._state, tasks=self._tasks)
                if answer is Answer.TAKE and checked.pipeline is not None:
                    self._state.dispatch(actions.PipelineRewritten(checked.pipeline, text))
                    self._tell(f"Pipeline edited: {count_of(len(checked.pipeline.steps), 'step')}")
                    return
                if answer is Answer.DISCARD:
                    self._tell("What was edited is discarded; the pipeline is as it was")
                    return
                line = next((fault.line for fault in checked.faults if fault.line is not None), None)
        except OpenHCSError as error:
            await self._refused("edit the pipeline in an editor", error)

    def _tell_unchanged(self, *, at_once: bool) -> None:
        hint = ". An editor with a window of its own must wait: EDITOR='code --wait'" if at_once else ""
        self._tell(f"Nothing was changed{hint}")

    # -- files ---------------------------------------------------------------------------------------------------

    async def new(self) -> None:
        """Begin an empty pipeline, asking first where that would lose a change."""
        if await self.may_lose_changes("Begin a new pipeline?"):
            self._state.dispatch(actions.PipelineLoaded(Pipeline(name="untitled"), None))
            self._tell("New pipeline, without steps yet")

    async def load(self) -> None:
        """Let the user choose a shipped, a recent or any other pipeline file, and edit it."""
        if not await self.may_lose_changes("Load another pipeline?"):
            return
        remembered = await self._preferences.remembered()
        shipped = await in_daemon_thread(pipeline_files.list_shipped, "list shipped pipelines")
        missing = await in_daemon_thread(
            lambda: pipeline_files.missing_of(remembered.pipelines), "look for recent pipelines"
        )
        choices: list[Choice[Path | None]] = [
            *(
                Choice(file.stem, f"{'is gone: ' if file in missing else ''}{visible_path(file)}", file)
                for file in remembered.pipelines
            ),
            *(Choice(name, "shipped with OpenHCS", file) for name, file in shipped.items()),
            Choice("Another file...", "find it in the file browser", None),
        ]
        chosen = await pick("Load a pipeline", choices, app_state=self._state, tasks=self._tasks)
        if chosen is None:
            return
        file = chosen.value
        if file is None:
            file = await dialog_helpers.prompt_for_file_dialog(
                "Load a pipeline", "", self._state, filter_extensions=SUFFIXES
            )
        if file is not None:
            await self.load_file(file)

    async def load_file(self, file: Path) -> None:
        """Edit the pipeline in `file`; a shipped one is a copy that has no file yet."""
        try:
            pipeline, text, shipped = await in_daemon_thread(
                lambda: pipeline_files.load_file(file), f"load {file.name}"
            )
        except OpenHCSError as error:
            await self._refused("load the pipeline", error)
            return
        self._state.dispatch(actions.PipelineLoaded(pipeline, None if shipped else file, text))
        self._tell(f"Pipeline {visible(pipeline.name)} loaded: {count_of(len(pipeline.steps), 'step')}", Severity.OK)
        if not shipped:
            await self._preferences.remember_pipeline(file)

    async def save(self) -> bool:
        """Save the pipeline in its file, or ask for one; True when it is on disk."""
        path = self._state.workbench.editing.path
        return await self._write(path) if path is not None else await self.save_as()

    async def save_as(self) -> bool:
        """Ask for a file and save the pipeline there; True when it is on disk."""
        editing = self._state.workbench.editing
        folder = editing.path.parent if editing.path else (await self._preferences.settings()).pipelines_folder
        file = await dialog_helpers.prompt_for_save_file_dialog(
            "Save the pipeline",
            "",
            self._state,
            initial_path=await in_daemon_thread(
                lambda: pipeline_files.existing_folder(folder), "find the pipelines folder"
            ),
            save_name=f"{editing.pipeline.name}.yaml",
            filter_extensions=SUFFIXES,
        )
        return await self._write(Path(file)) if file is not None else False

    async def _write(self, path: Path) -> bool:
        editing = self._state.workbench.editing
        try:
            if path == editing.path and not await self._may_overwrite(path, editing.saved_text):
                return False
            text, lost = await in_daemon_thread(lambda: pipeline_files.save_file(editing, path), f"save {path.name}")
        except OpenHCSError as error:
            await self._refused("save the pipeline", error)
            return False
        self._state.dispatch(actions.PipelineSaved(editing.pipeline, path, text))
        told = f"Pipeline saved: {visible(str(path))}"
        if lost:
            self._tell(f"{told}, without its comments: its steps were not below each other", Severity.WARNING)
        else:
            self._tell(told, Severity.OK)
        await self._preferences.remember_pipeline(path)
        return True

    async def _may_overwrite(self, path: Path, known: str) -> bool:
        """Whether to write a file that somebody else may have changed since it was read: asks where they have."""
        found = await in_daemon_thread(lambda: pipeline_files.text_in(path), f"read {path.name}")
        if found is None or found == known:
            return True
        overwrite, load = "Overwrite it", "Load it"
        answer = await dialog_helpers.choose(
            "Save the pipeline?",
            f"{visible(str(path))} has been changed by another program since it was read.",
            ("Go back", overwrite, load),
            self._state,
        )
        if answer == load:
            await self.load_file(path)
        return answer == overwrite

    async def may_lose_changes(self, title: str) -> bool:
        """Whether to go on although the pipeline would be lost: asks where it is not saved."""
        editing = self._state.workbench.editing
        if not editing.unsaved:
            return True
        save, lose = "Save it first", "Lose the changes"
        answer = await dialog_helpers.choose(
            title,
            f"Pipeline {visible(editing.pipeline.name)} has changes that are not saved.",
            (save, lose, "Go back"),
            self._state,
        )
        return await self.save() if answer == save else answer == lose

    async def _refused(self, doing: str, error: OpenHCSError) -> None:
        self._tell(f"Cannot {doing}: {visible(str(error).splitlines()[0])}", Severity.ERROR)
        await dialog_helpers.show_refusal(error, doing, self._state)

    def _tell(self, text: str, severity: Severity = Severity.INFO) -> None:
        self._state.dispatch(actions.MessageShown(text, severity))


def _needs_parameters(function: Function) -> bool:
    return any(parameter.default is REQUIRED for parameter in function.parameters)


def _with_own(facts: PlateFacts | None, written: tuple[str, ...]) -> tuple[str, ...]:
    """The label images that lie on the plate, and those that are written; the one written last is the last."""
    own = facts.labels if facts is not None else ()
    return (*(name for name in own if name not in written), *written)


def _written(steps: tuple[Step, ...], functions: Mapping[str, Function], role: str) -> tuple[str, ...]:
    """What the enabled ones of `steps` write, in order: label images or tables, by the name of that `Role`."""
    names: dict[str, None] = {}
    for step in steps:
        for calls in step.pattern.values() if isinstance(step.pattern, Mapping) else (step.pattern,):
            for call in calls:
                function = functions.get(call.function)
                if function is not None and function.returns.name == role and step.enabled:
                    names[step.output or function.default_output] = None
    return tuple(names)


def _title(function: str) -> str:
    words = function.replace("_", " ")
    return words[:1].upper() + words[1:]


def _check(text: str, functions: Mapping[str, Function]) -> CheckedText:
    from openhcs.tui.editors.pipeline_check import check_text

    return check_text(text, functions)
