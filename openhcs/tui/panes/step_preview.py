"""A step tried on one site of the selected well: the images before and after it beside each other, and what it found.

The dialog follows the step, the pipeline and the well that are selected in the workbench: whatever changes one of them,
here or elsewhere, has the step tried again. Trying and drawing are two exclusive groups of tasks, so that what is not
wanted any more is cancelled; a key never waits for either.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final

from prompt_toolkit.application import get_app
from prompt_toolkit.formatted_text import StyleAndTextTuples, fragment_list_width
from prompt_toolkit.key_binding import KeyBindingsBase
from prompt_toolkit.layout.containers import AnyContainer, HSplit, Window
from prompt_toolkit.layout.controls import UIContent, UIControl
from prompt_toolkit.mouse_events import MouseEvent, MouseEventType

from openhcs.core.model import Step
from openhcs.errors import OpenHCSError
from openhcs.tui import actions
from openhcs.tui.effects.pipeline import PipelineEffects
from openhcs.tui.effects.plates import PlateEffects
from openhcs.tui.effects.step_previews import StepPreviews
from openhcs.tui.effects.text_dialog import show_text
from openhcs.tui.effects.wells import WellReader
from openhcs.tui.panes.help import key_lines
from openhcs.tui.panes.preview_pictures import PreviewPictures
from openhcs.tui.panes.whole_screen import LatestTasks, Opening, following, whole_screen
from openhcs.tui.run_text import count_of
from openhcs.tui.state import AppState
from openhcs.tui.utils.line_view import LineView
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.utils.screen_output import is_plain
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager
from openhcs.tui.well_scene import Scene
from openhcs.tui.widgets.bindings import Binding, key_bindings
from openhcs.tui.widgets.drawn_text import cut, drawn_window, fit, text_column

if TYPE_CHECKING:
    from prompt_toolkit.key_binding.key_bindings import NotImplementedOrNone

    from openhcs.core.step_preview import StepPreview

__all__ = ["StepPreviewView"]

_FACT_ROWS: Final = 3
_PAUSE_S: Final = 0.15
"""How long a step stands still before it is tried, so that a held key tries nothing on its way."""

_FOR_EYES: Final = frozenset({"Near", "Far", "Up", "Down", "Left", "Right", "Channel", "Labels"})
"""What a plain screen, which has pictures in words, has no use for."""

_WHICH_IS_WHICH: Final = (
    " The image as it comes to the step stands left, what it makes of it right.",
    " Before is the image as it comes to the step, after what it makes of it.",
)


class StepPreviewView:
    """Tries the selected step in a dialog."""

    def __init__(
        self,
        state: AppState,
        plates: PlateEffects,
        pipeline: PipelineEffects,
        reader: WellReader,
        tasks: UnifiedTaskManager,
    ) -> None:
        self._state = state
        self._plates = plates
        self._pipeline = pipeline
        self._reader = reader
        self._tasks = tasks
        self._opening = Opening()
        self._site = 0

    def why_not(self) -> str | None:
        """Why no step can be tried now."""
        workbench = self._state.workbench
        if workbench.editing.selected is None:
            return "The pipeline has no steps to try"
        if workbench.selected is None:
            return "Add a plate first: a step is tried on one of its wells"
        if self._plates.index_of(workbench.selected.folder) is None:
            return "Initialise the plate first: a step is tried on one of its wells"
        return None

    async def show(self) -> None:
        """Try the selected step on the selected well, and show it until the user closes it."""
        if self._opening or self.why_not() is not None:
            return
        previews = self._pipeline.make_previews()
        try:
            with self._opening.begin() as closed:
                preview = _OpenPreview(
                    self._site,
                    previews,
                    self._reader,
                    self._opening.end,
                    self._state,
                    self._plates,
                    self._pipeline,
                    self._tasks,
                )
                try:
                    await preview.show(closed)
                finally:
                    self._site = preview.site
        finally:
            await previews.close()


class _OpenPreview:
    """A preview while it is open. `site` is the one that the step is tried on."""

    def __init__(
        self,
        site: int,
        previews: StepPreviews,
        reader: WellReader,
        close: Callable[[], None],
        state: AppState,
        plates: PlateEffects,
        pipeline: PipelineEffects,
        tasks: UnifiedTaskManager,
    ) -> None:
        self.site = site
        self._previews = previews
        self._close = close
        self._state = state
        self._plates = plates
        self._pipeline = pipeline
        self._tasks = tasks
        self._running = LatestTasks("step preview", tasks)
        self._pictures = PreviewPictures(reader, self._start_drawing)
        self._preview: StepPreview | None = None
        self._took = ""
        self._tried: tuple[object, ...] = ()
        self._note = self._told = ""

    async def show(self, closed: asyncio.Future[None]) -> None:
        """Show it until `closed` is done, and try again whatever is changed meanwhile."""
        with following(self._state, self._look, self._running):
            await self._state.show_dialog(self._dialog(), closed)

    # -- what is tried -------------------------------------------------------------------------------------------

    @property
    def _step(self) -> Step | None:
        return self._state.workbench.editing.selected

    @property
    def _well(self) -> str | None:
        well = self._state.workbench.selected_well
        return well.well if well is not None else None

    def _sites(self) -> tuple[int, ...]:
        row, well = self._state.workbench.selected, self._well
        index = self._plates.index_of(row.folder) if row is not None else None
        return tuple(sorted({key.site for key in index.planes if key.well == well})) if index is not None else ()

    def _look(self) -> None:
        """Try again where what is to be tried has changed."""
        editing = self._state.workbench.editing
        wanted = (editing.pipeline.steps[: editing.step + 1], editing.pipeline.planes, editing.step, self._well)
        if wanted != self._tried:
            if self._tried and wanted[3] != self._tried[3]:
                self.site = 0
            self._tried = wanted
            self._try()

    def _try(self) -> None:
        self._told = ""
        self._running.start("trial", self._make(), "trial of a step")

    def _start_drawing(self, work: Coroutine[Any, Any, None]) -> None:
        self._running.start("pictures", work, "pictures of a step")

    async def _make(self) -> None:
        app = get_app()
        await asyncio.sleep(_PAUSE_S)
        row, well, sites = self._state.workbench.selected, self._well, self._sites()
        index = self._plates.index_of(row.folder) if row is not None else None
        if index is None or well is None or not sites:
            return
        if self.site not in sites:
            self.site = sites[0]

        def report(number: int, count: int, name: str) -> None:
            self._note = f"step {number} of {count}: {visible(name)}"
            app.invalidate()

        self._note, self._pictures.error = "starting", ""
        app.invalidate()
        editing, site = self._state.workbench.editing, self.site
        try:
            preview, takes_all = await self._previews.make(index, editing.pipeline, editing.step, well, site, report)
        except OpenHCSError as error:
            self._preview, self._pictures.error = None, str(error)
            self._pictures.clear()
            self._say("")
            return
        where = "all sites, which are taken together" if takes_all else f"site {site}"
        name = visible(editing.pipeline.steps[editing.step].name)
        self._preview, self._took = preview, f"{name} took {preview.seconds:.2g} s on {where} of {well}."
        self._note = ""
        self._pictures.take(preview)

    # -- how it stands on the screen -----------------------------------------------------------------------------

    def _change(self, scene: Scene) -> None:
        self._told = ""
        self._pictures.look_at(scene)

    def _say(self, note: str) -> None:
        self._note = note
        get_app().invalidate()

    def _head(self, width: int) -> StyleAndTextTuples:
        head = self._pictures.channels()
        note = f"running, {self._note} " if self._note else f"{self._told} " if self._told else ""
        style = "class:busy" if self._note else "class:warning"
        if is_plain():
            return [(style, cut(f" {note}", width))]
        room = max(0, width - len(note) - 1)
        used = fragment_list_width(head)
        if used > room:
            head, used = [("", fit("".join(fragment[1] for fragment in head), room))], room
        return [*head, ("", " " * (room - used)), (style, note)]

    def _facts(self, width: int) -> StyleAndTextTuples:
        preview = self._preview
        if preview is None:
            return [("class:muted", _WHICH_IS_WHICH[is_plain()])]
        facts = [self._took]
        found = [f"{visible(name)}: {count_of(count, 'object')}" for name, count in preview.objects.items()]
        found += [f"{visible(name)}: {count_of(count, 'row')}" for name, count in preview.rows.items()]
        facts.append("   ".join(found) or "It found no objects and wrote no table.")
        lines: StyleAndTextTuples = [("", "\n".join(cut(f" {fact}", width) for fact in facts))]
        if preview.warnings:
            text = f" {count_of(sum(preview.warnings.values()), 'warning')}: {next(iter(preview.warnings))}"
            lines.append(("class:warning", f"\n{cut(visible(text), width)}"))
        return lines

    def _title(self) -> str:
        step = self._step
        name = f"{self._state.workbench.editing.step + 1}, {visible(step.name)}," if step is not None else ""
        return f"Step {name} on {self._well}"

    # -- the dialog ----------------------------------------------------------------------------------------------

    def _dialog(self) -> AnyContainer:
        rows = self._rows()
        if is_plain():
            rows = tuple(row for row in rows if row.label not in _FOR_EYES)

        def refuse(reason: str) -> None:
            self._told = reason

        keys = key_bindings(rows, tasks=self._tasks, refuse=refuse)
        control = _PicturesControl(self._pictures.lines, self._zoom, keys)
        pictures = Window(control, always_hide_cursor=True, style="class:list")
        body = HSplit(
            [
                drawn_window(self._head),
                LineView(self._pictures.words, indent=text_column) if is_plain() else pictures,
                drawn_window(self._facts, height=_FACT_ROWS),
            ],
            key_bindings=keys if is_plain() else None,
        )
        return whole_screen(
            body,
            self._title,
            lambda: rows,
            "Preview",
            app_state=self._state,
            tasks=self._tasks,
            refuse=refuse,
        )

    def _rows(self) -> tuple[Binding, ...]:
        pictures = self._pictures

        def change(to: Callable[[], Scene]) -> Callable[[], None]:
            return lambda: self._change(to())

        def move(rows: int, columns: int) -> Callable[[], None]:
            return lambda: self._change(pictures.scene.moved(pictures.before, rows, columns))

        def row(keys: tuple[str, ...], run: Callable[[], None], label: str, description: str) -> Binding:
            return Binding(keys, run, label, description, on_footer=False)

        return (
            Binding(("escape", "q", "c-c"), self._close, "Close", "Close the preview."),
            Binding(("e", "enter"), self._pipeline.edit_selected, "Edit", "Edit the step, then try it again."),
            Binding(("n",), self._step_by(1), "Next", "Try the next step.", lambda: self._why_no_step(1)),
            Binding(("p",), self._step_by(-1), "Previous", "Try the step before.", lambda: self._why_no_step(-1)),
            Binding(("c",), change(lambda: pictures.scene.next_channel(pictures.after)), "Channel",
                    "Show the next channel alone; after the last all in their colours."),
            Binding(("l",), change(lambda: pictures.scene.next_label(pictures.after)), "Labels",
                    "Outline the objects of the next label image; after the last none.",
                    lambda: None if pictures.after.labels else "There are no label images here"),
            Binding(("z",), change(lambda: pictures.scene.within(pictures.before).stepped_z(pictures.before, 1)),
                    "Plane", "Go to the next z plane.",
                    lambda: None if len(pictures.before.z_planes) > 1 else "There is one z plane only"),
            Binding(("s",), self._next_site, "Site", "Try the next site of the well."),
            Binding(("w",), self._next_well, "Well", "Try the next well."),
            Binding(("x",), self._stop, "Stop", "Stop trying.", lambda: None if self._note else "Nothing is going on"),
            row(("+", "="), lambda: self._zoom(True), "Near", "Look nearer."),
            row(("-",), lambda: self._zoom(False), "Far", "Look from farther away."),
            row(("up",), move(-1, 0), "Up", "Move the pictures."),
            row(("down",), move(1, 0), "Down", "Move the pictures."),
            row(("left",), move(0, -1), "Left", "Move the pictures."),
            row(("right",), move(0, 1), "Right", "Move the pictures."),
            Binding(("?", "f1"), self._show_help, "Help", "Show what every key does here."),
        )  # fmt: skip

    def _zoom(self, nearer: bool) -> None:
        """Look nearer, or from farther away up to the whole site."""
        if nearer:
            self._change(self._pictures.scene.closer())
        elif self._pictures.scene.zoom > 1.0:
            self._change(self._pictures.scene.farther())

    def _step_by(self, by: int) -> Callable[[], None]:
        return lambda: self._state.dispatch(actions.StepSelected(self._state.workbench.editing.step + by))

    def _why_no_step(self, by: int) -> str | None:
        editing = self._state.workbench.editing
        if 0 <= editing.step + by < len(editing.pipeline.steps):
            return None
        return "This is the last step" if by > 0 else "This is the first step"

    def _next_site(self) -> None:
        sites = self._sites()
        if sites:
            at = sites.index(self.site) if self.site in sites else -1
            self.site = sites[(at + 1) % len(sites)]
            self._try()

    def _next_well(self) -> None:
        row = self._state.workbench.selected
        if row is not None and row.wells:
            self._state.dispatch(actions.WellSelected((self._state.workbench.well + 1) % len(row.wells)))

    def _stop(self) -> None:
        self._running.cancel("trial", "stopped by the user")
        self._say("")
        self._pictures.error = "Stopped. e edits the step, s and w try another site or well."

    async def _show_help(self) -> None:
        await show_text(
            "The preview of a step", key_lines([("Keys", self._rows())]), app_state=self._state, tasks=self._tasks
        )


class _PicturesControl(UIControl):
    """Draws both pictures; the wheel brings them nearer, or farther away."""

    def __init__(
        self,
        lines: Callable[[int, int], Sequence[StyleAndTextTuples]],
        zoom: Callable[[bool], None],
        bindings: KeyBindingsBase,
    ) -> None:
        self._lines = lines
        self._zoom = zoom
        self._bindings = bindings

    def is_focusable(self) -> bool:
        return True

    def get_key_bindings(self) -> KeyBindingsBase:
        return self._bindings

    def create_content(self, width: int, height: int) -> UIContent:
        lines = self._lines(width, height)
        return UIContent(get_line=lambda i: lines[i], line_count=len(lines), show_cursor=False)

    def mouse_handler(self, mouse_event: MouseEvent) -> NotImplementedOrNone:
        match mouse_event.event_type:
            case MouseEventType.SCROLL_UP:
                self._zoom(True)
            case MouseEventType.SCROLL_DOWN:
                self._zoom(False)
        return None
