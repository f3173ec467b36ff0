"""What the tour tells newcomers, with the keys as the user has them."""

from __future__ import annotations

from collections.abc import Sequence

from openhcs.tui.panes.pipeline_editor import PipelineEditor
from openhcs.tui.panes.plate_manager import TRY_LABEL, PlateManager
from openhcs.tui.panes.tour import TourStep
from openhcs.tui.widgets.bindings import Binding, key_of

__all__ = ["tour_steps"]


def tour_steps(manager: PlateManager, editor: PipelineEditor, everywhere: Sequence[Binding]) -> tuple[TourStep, ...]:
    """The steps of the tour; `everywhere` are the rows of the keys that work in every pane."""
    plates, wells, steps, files = manager.plate_rows, manager.well_rows, editor.step_rows, editor.file_rows
    return (
        TourStep(
            "Plates",
            f"A plate is a folder as the microscope wrote it; it is only read. {key_of(plates, 'Add')} adds one, "
            f"{key_of(plates, 'Init')} looks into it.",
            lambda: manager.plates,
        ),
        TourStep(
            "The pipeline",
            f"The steps that every well goes through, from top to bottom. {key_of(steps, 'Add')} adds one, "
            f"{key_of(steps, 'Edit')} edits it, {key_of(files, 'Load')} loads a pipeline; Tab goes from pane to "
            "pane.",
            lambda: editor.steps,
        ),
        TourStep(
            "Running",
            f"{key_of(plates, 'Run')} runs every well, {key_of(plates, TRY_LABEL)} tries two first. A run goes on when "
            "you leave, and when the connection is lost; you find it again where it is.",
            lambda: manager.plates,
        ),
        TourStep(
            "Wells",
            f"Each well with its state. {key_of(wells, 'Open')} shows its images, measurements and errors; "
            f"{key_of(wells, 'Map/list')} shows the wells where they lie on the plate.",
            lambda: manager.wells,
        ),
        TourStep(
            "Finding your way",
            f"The line below shows the keys of where you are, {key_of(everywhere, 'Help')} all of them. "
            f"{key_of(everywhere, 'Commands')} finds any action by its name. This tour is in the menu Help.",
            lambda: manager.plates,
        ),
    )
