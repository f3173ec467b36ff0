"""What the user is told while something is done with plates: the status bar, and what their rows on the list show."""

from __future__ import annotations

from pathlib import Path

from openhcs.core.progress import RunProgress, RunState
from openhcs.errors import NoRoomError, PipelineError, Problem
from openhcs.tui import actions
from openhcs.tui.run_text import end_words, shown_path
from openhcs.tui.state import AppState
from openhcs.tui.utils.safe_text import describe, visible
from openhcs.tui.workbench import Activity, Severity

__all__ = ["PlateNews", "never_began"]


class PlateNews:
    """Tells of plates by their folders. `results_hint`, where it is set, says how to see the results of a run."""

    def __init__(self, state: AppState) -> None:
        self._state = state
        self.results_hint = ""

    def name(self, folder: Path) -> str:
        """What the plate in `folder` is called on the list."""
        row = self._state.workbench.find(folder)
        return row.name if row is not None else folder.name

    def called(self, folder: Path) -> str:
        """Its name as a terminal may show it."""
        return visible(self.name(folder))

    def begin(self, folder: Path, activity: Activity) -> None:
        """Something is done with the plate from now on."""
        self._state.dispatch(actions.ActivityChanged(folder, activity))
        self.tell(f"{self.called(folder)}: {activity.value}")

    def fail(self, folder: Path, goal: str, error: Exception) -> None:
        """The plate cannot be brought to `goal`, which is the word for it."""
        problems = error.problems if isinstance(error, PipelineError | NoRoomError) else ()
        message = describe(error).splitlines()[0]
        self._state.dispatch(actions.PlateFailed(folder, problems or (Problem(message),)))
        self.tell(f"{self.called(folder)}: cannot {goal}: {visible(message)}", Severity.ERROR)

    def end_run(self, folder: Path, progress: RunProgress) -> None:
        """How the run of the plate has ended."""
        if never_began(progress):
            self.tell(f"{self.called(folder)}: cancelled before its turn came", Severity.WARNING)
            return
        words, severity = end_words(progress)
        where = self.results_hint or f"results in {shown_path(Path(progress.out))}"
        self.tell(f"{self.called(folder)}: {words}; {where}", severity)

    def tell(self, text: str, severity: Severity = Severity.INFO) -> None:
        """Show a message in the status bar."""
        self._state.dispatch(actions.MessageShown(text, severity))


def never_began(progress: RunProgress) -> bool:
    """Whether a run was cancelled while it waited for its turn."""
    return progress.state is RunState.CANCELLED and progress.started_s is None
