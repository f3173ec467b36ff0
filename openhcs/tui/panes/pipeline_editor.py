"""The right half of the workbench: the steps of the pipeline, and below them what the selected step does.

Drawing is in `pipeline_text`; what the keys start is in `effects.pipeline`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout.containers import Container, HSplit, Window
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.mouse_events import MouseEvent
from prompt_toolkit.utils import get_cwidth

from openhcs.core.model import Step
from openhcs.tui import actions
from openhcs.tui.actions import Action
from openhcs.tui.effects.pipeline import PipelineEffects
from openhcs.tui.panes import pipeline_text
from openhcs.tui.panes.place import Place
from openhcs.tui.panes.step_preview import StepPreviewView
from openhcs.tui.ports import TaskSpawner
from openhcs.tui.state import AppState
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.utils.screen_output import is_plain
from openhcs.tui.widgets.bindings import Binding, key_of
from openhcs.tui.widgets.drawn_text import drawn_window
from openhcs.tui.widgets.keymap import Keymap
from openhcs.tui.widgets.pane_frame import PaneFrame
from openhcs.tui.widgets.selectable_list import SelectableList, on_box
from openhcs.tui.workbench import EditedPipeline, Severity

__all__ = ["PipelineEditor"]

_WIDEST: Final = 100
"""Cells with which every line of a step fits; beside it a map of 1,536 wells gets four a well at 300 columns."""


class PipelineEditor:
    """Steps and their details; `steps` is its place for the focus."""

    def __init__(
        self,
        state: AppState,
        effects: PipelineEffects,
        tasks: TaskSpawner,
        refuse: Callable[[str], None],
        keymap: Keymap,
        has_screen: Callable[[str], bool],
        preview: StepPreviewView,
    ) -> None:
        self._state = state
        self._has_screen = has_screen
        self._effects = effects
        self._preview = preview
        self.step_rows = keymap.rows("Pipeline", self._step_bindings())
        self.file_rows = keymap.rows("Pipeline", self._file_bindings())
        step_list = SelectableList[tuple[int, Step]](
            lambda: tuple(enumerate(self._editing.pipeline.steps)),
            self._draw_step,
            index=lambda: self._editing.step,
            on_select=lambda index: state.dispatch(actions.StepSelected(index)),
            on_activate=lambda _: effects.edit_selected(),
            on_click=self._click,
            empty=self._no_steps,
            bindings=(*self.step_rows, *self.file_rows),
            tasks=tasks,
            refuse=refuse,
            name="edit step",
        )
        self.steps = Place("Pipeline", step_list.window, step_list.rows)
        self.container = HSplit(
            [
                PaneFrame(
                    step_list,
                    lambda: pipeline_text.pipeline_title(self._editing),
                    lambda: self.steps.has_focus,
                    height=Dimension(weight=3),
                ),
                PaneFrame(
                    HSplit([drawn_window(self._draw_detail, height=Dimension(min=1)), Window()]),
                    self._detail_title,
                    lambda: False,
                    height=Dimension(weight=2),
                ),
            ],
            width=self._width,
        )

    def __pt_container__(self) -> Container:
        return self.container

    def _width(self) -> Dimension:
        """A share of the screen, until there is room to spare, which goes to the plates and wells."""
        return Dimension(weight=9) if self._has_screen(self.steps.name) else Dimension(weight=9, max=_WIDEST)

    @property
    def _editing(self) -> EditedPipeline:
        return self._state.workbench.editing

    def _draw_step(self, item: tuple[int, Step], width: int) -> StyleAndTextTuples:
        number, step = item
        longest = max(get_cwidth(visible(other.name)) for other in self._editing.pipeline.steps)
        return pipeline_text.step_fragments(number + 1, step, width, longest, plain=is_plain())

    def _detail_title(self) -> str:
        selected = self._editing.selected
        return f"Step {self._editing.step + 1}: {visible(selected.name)}" if selected else "Step"

    def _draw_detail(self, width: int) -> StyleAndTextTuples:
        selected = self._editing.selected
        if selected is None:
            return [("class:muted", "No step is selected")]
        source = self._editing.pipeline.planes if self._editing.step == 0 else None
        return pipeline_text.step_detail(selected, width, source)

    def _click(self, index: int, mouse_event: MouseEvent) -> bool:
        """A click on the box of a step switches it on or off; read out there is no box."""
        return not is_plain() and on_box(self._switch, behind=pipeline_text.NUMBER)(index, mouse_event)

    def _switch(self, index: int) -> None:
        self._state.dispatch(actions.StepSelected(index))
        self._dispatch(actions.StepToggled(index))

    # -- keys ----------------------------------------------------------------------------------------------------

    def _step_bindings(self) -> tuple[Binding, ...]:
        effects = self._effects
        return (
            Binding(("a",), effects.add_step, "Add", "Add a step after the selected one, from the list of functions."),
            Binding(
                ("enter",),
                effects.edit_selected,
                "Edit",
                "Edit the step: its functions, their parameters, and which planes it gets.",
                self._why_no_step,
            ),
            Binding(
                ("p",),
                self._preview.show,
                "Preview",
                "Try the step on one site of the selected well: before, after, and what it finds.",
                self._preview.why_not,
            ),
            Binding(
                ("space",),
                self._on_step(actions.StepToggled),
                "On/off",
                "Switch the step on or off; a run passes over one that is off.",
                self._why_no_step,
            ),
            Binding(
                ("K", "s-up"),
                self._on_step(lambda index: actions.StepMoved(index, -1)),
                "Move up",
                "Move the step up.",
                lambda: self._why_no_step() or (None if self._editing.step else "It is the first step already"),
            ),
            Binding(
                ("J", "s-down"),
                self._on_step(lambda index: actions.StepMoved(index, 1)),
                "Move down",
                "Move the step down.",
                self._why_not_down,
                on_footer=False,
            ),
            Binding(
                ("d", "delete"),
                self._on_step(actions.StepDeleted),
                "Delete",
                "Delete the step; Undo brings it back.",
                self._why_no_step,
            ),
            Binding(
                ("y",),
                self._on_step(actions.StepDuplicated),
                "Duplicate",
                "Repeat the step after itself.",
                self._why_no_step,
            ),
            Binding(
                ("R",),
                effects.rename_step,
                "Rename step",
                "Give the step another name.",
                self._why_no_step,
                on_footer=False,
            ),
            Binding(
                ("u",),
                self._dispatching(actions.PipelineUndone(), "The last change is taken back."),
                "Undo",
                "Take the last change of the pipeline back.",
                lambda: None if self._editing.past else "There is nothing to undo",
            ),
            Binding(
                ("c-r",),
                self._dispatching(actions.PipelineRedone(), "The change is made again."),
                "Redo",
                "Make the change taken back again.",
                lambda: None if self._editing.future else "There is nothing to redo",
                on_footer=False,
            ),
        )

    def _file_bindings(self) -> tuple[Binding, ...]:
        effects = self._effects
        return (
            Binding(("n",), effects.new, "New", "Begin an empty pipeline.", on_footer=False),
            Binding(("l",), effects.load, "Load", "Load a pipeline: a shipped one, a recent one, or a file."),
            Binding(("s",), effects.save, "Save", "Save the pipeline in its file."),
            Binding(("S",), effects.save_as, "Save as", "Save the pipeline in another file.", on_footer=False),
            Binding(
                ("e",),
                effects.edit_outside,
                "As text",
                "Edit the pipeline as YAML in your own editor: $VISUAL, $EDITOR, or nano, vim, vi.",
            ),
            Binding(("t",), effects.rename, "Rename", "Give the pipeline another title.", on_footer=False),
            Binding(
                ("P",),
                self._switch_planes,
                "Planes",
                "Start from every z plane, or from the projections that the microscope stored.",
                on_footer=False,
            ),
        )

    def _on_step(self, action: Callable[[int], Action]) -> Callable[[], None]:
        return lambda: self._dispatch(action(self._editing.step))

    def _dispatching(self, action: Action, told: str) -> Callable[[], None]:
        def run() -> None:
            self._dispatch(action)
            self._state.dispatch(actions.MessageShown(told, Severity.INFO))

        return run

    def _dispatch(self, action: Action) -> None:
        """Dispatch `action`, and take back what an earlier key was refused for, which no longer holds."""
        self._state.dispatch(action)
        if self._state.workbench.message.severity is Severity.WARNING:
            self._state.dispatch(actions.MessageShown("", Severity.INFO))

    def _switch_planes(self) -> None:
        self._effects.switch_planes()
        source = pipeline_text.source_text(self._editing.pipeline.planes)
        self._state.dispatch(actions.MessageShown(f"The pipeline starts from {source}.", Severity.INFO))

    def _why_no_step(self) -> str | None:
        return (
            None if self._editing.selected else f"The pipeline has no steps: {key_of(self.step_rows, 'Add')} adds one"
        )

    def _no_steps(self) -> StyleAndTextTuples:
        here = "" if self.steps.has_focus else " With the focus here\n"  # elsewhere the same keys do something else
        return [
            ("class:muted", f" No steps yet.\n\n{here} "),
            ("class:key", key_of(self.step_rows, "Add")),
            ("class:muted", " adds a step\n "),
            ("class:key", key_of(self.file_rows, "Load")),
            ("class:muted", " loads a pipeline"),
        ]

    def _why_not_down(self) -> str | None:
        last = self._editing.step == len(self._editing.pipeline.steps) - 1
        return self._why_no_step() or ("It is the last step already" if last else None)
