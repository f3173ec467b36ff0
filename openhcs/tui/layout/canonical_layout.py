"""The workbench's screen: menu bar on top, plates on the left, the pipeline on the right, keys and status below.

It puts the parts together and owns the keys that work everywhere. Those are bound to the body: while a dialog or a
menu has the focus, none of them fires. Deliberately absent: tasks, error handler, application (`simple_launcher`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from prompt_toolkit.filters import Condition, buffer_has_focus
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import ConditionalKeyBindings, merge_key_bindings
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout.containers import (
    ConditionalContainer,
    Container,
    FloatContainer,
    HSplit,
    VSplit,
)

from openhcs.tui import actions
from openhcs.tui.editors.command_palette import Command, choose_command
from openhcs.tui.effects.appearance import Appearance
from openhcs.tui.effects.errors import ErrorHistory
from openhcs.tui.effects.pasting import take_paste
from openhcs.tui.effects.pipeline import PipelineEffects
from openhcs.tui.effects.plates import PlateEffects
from openhcs.tui.effects.settings import SettingsEffects
from openhcs.tui.effects.text_dialog import show_text
from openhcs.tui.effects.wells import WellReader
from openhcs.tui.layout.menu_bar import Menu, MenuBar
from openhcs.tui.layout.status_bar import StatusBar
from openhcs.tui.layout.too_small import too_small_notice
from openhcs.tui.layout.tour_steps import tour_steps
from openhcs.tui.layout.vitals import Vitals
from openhcs.tui.panes.error_history import ErrorHistoryView
from openhcs.tui.panes.help import help_lines
from openhcs.tui.panes.pipeline_editor import PipelineEditor
from openhcs.tui.panes.place import Place
from openhcs.tui.panes.plate_manager import TRY_LABEL, PlateManager
from openhcs.tui.panes.step_preview import StepPreviewView
from openhcs.tui.panes.task_inspector import TaskInspector
from openhcs.tui.panes.tour import Tour
from openhcs.tui.state import AppState
from openhcs.tui.utils.error_boundary import ErrorBoundary
from openhcs.tui.utils.safe_error_handler import SafeErrorHandler
from openhcs.tui.utils.screen_output import is_plain
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager
from openhcs.tui.widgets.bindings import Binding, Effect, key_bindings, key_of, run_binding
from openhcs.tui.widgets.keymap import KeyFault, Keymap
from openhcs.tui.workbench import Severity

__all__ = ["CanonicalTUILayout"]


class CanonicalTUILayout:
    """Builds the screen; `root` is its container, `places` are where Tab stops.

    `keys_above_all` are for the application: they work in dialogs and menus too.

    Args:
        errors: the errors to look back on.
        handler: takes what a pane raises while it is drawn; the last line tells how it is.
        appearance: changes the theme.
        settings: edits the settings.
        inspector: shows the tasks.
        keymap: gives the rows the user's keys.
        on_quit: what `q` does.
        on_suspend: what Ctrl-Z does.
        on_tour_end: told when the tour for newcomers has been seen, or left.
        on_details: shows an error that a pane's tile tells of.
    """

    def __init__(
        self,
        state: AppState,
        plates: PlateEffects,
        pipeline: PipelineEffects,
        *,
        tasks: UnifiedTaskManager,
        errors: ErrorHistory,
        appearance: Appearance,
        settings: SettingsEffects,
        inspector: TaskInspector,
        on_quit: Effect,
        on_suspend: Effect,
        on_tour_end: Callable[[], None],
        handler: SafeErrorHandler,
        on_details: Callable[[BaseException], None],
        keymap: Keymap | None = None,
    ) -> None:
        self._state = state
        self._tasks = tasks
        self.keymap = keymap if keymap is not None else Keymap()
        self._run_last: list[str] = []
        self._last_place = "Plates"
        self.plate_manager = PlateManager(state, plates, tasks, self._refuse, self.keymap, self._has_screen)
        preview = StepPreviewView(state, plates, pipeline, WellReader(plates), tasks)
        self.pipeline_editor = PipelineEditor(
            state, pipeline, tasks, self._refuse, self.keymap, self._has_screen, preview
        )
        history = ErrorHistoryView(errors, state, tasks, self.plate_manager.open_well)
        self.rows = self.keymap.rows(
            "Everywhere", self._rows(on_quit, on_suspend, history, appearance, settings, inspector)
        )
        self.tour = Tour(
            lambda: tour_steps(self.plate_manager, self.pipeline_editor, self.rows),
            is_free=lambda: self.here is not None,
            on_end=on_tour_end,
            app_state=state,
            tasks=tasks,
        )
        above_all = _named(self.rows, _INSPECTOR, _SUSPEND)
        self.keys_above_all = merge_key_bindings(
            [key_bindings(above_all, tasks=tasks, refuse=self._refuse), self.tour.keys]
        )
        self.menu_bar = MenuBar(self._menus(), tasks=tasks, refuse=self._refuse, right=lambda: "OpenHCS")
        self._menu_rows = self.keymap.rows(_MENUS, self._menu_bindings())
        errors_row, tasks_row = _named(self.rows, "Errors", _INSPECTOR)
        plates_row = Binding((), lambda: self.places[0].take_focus(), "Plates", "Go to the plates.")
        vitals = Vitals(state, handler, errors, errors=errors_row, plates=plates_row, tasks=tasks_row)
        status = StatusBar(
            lambda: state.workbench,
            self._rows_here,
            lambda: self.rows if self.here else (),
            self._menu_hint,
            vitals.entries,
            tasks=tasks,
            refuse=self._refuse,
            more=self.show_palette,
        )
        left = ErrorBoundary(lambda: self.plate_manager, "Plates", handler.handle_error_sync, on_details=on_details)
        right = ErrorBoundary(
            lambda: self.pipeline_editor, "Pipeline", handler.handle_error_sync, on_details=on_details
        )
        panes = VSplit(
            [
                ConditionalContainer(left, ~Condition(lambda: self._has_screen("Pipeline"))),
                ConditionalContainer(
                    right, ~Condition(lambda: self._has_screen("Plates") or self._has_screen("Wells"))
                ),
            ]
        )
        everywhere = key_bindings(self._rows_everywhere(), tasks=tasks, refuse=self._refuse)
        everywhere.add(Keys.BracketedPaste)(
            lambda event: tasks.fire_and_forget(take_paste(event.data, plates.list, pipeline, state), "take a paste")
        )
        body = HSplit(
            [self.menu_bar, panes, status], key_bindings=ConditionalKeyBindings(everywhere, ~buffer_has_focus)
        )
        self.root = FloatContainer(
            body,
            floats=[*self.menu_bar.floats, self.tour.float, too_small_notice(key_of(self.rows, "Quit"))],
            style="class:screen",
        )

    def __pt_container__(self) -> Container:
        return self.root

    @property
    def key_faults(self) -> Sequence[KeyFault]:
        """What the keys file asks for and cannot have."""
        return self.keymap.faults(self._rows_everywhere())

    @property
    def places(self) -> tuple[Place, ...]:
        """Where Tab stops."""
        return (self.plate_manager.plates, self.plate_manager.wells, self.pipeline_editor.steps)

    @property
    def here(self) -> Place | None:
        """The place that has the focus; None while a dialog or a menu has it."""
        return next((place for place in self.places if place.has_focus), None)

    def move_focus(self, by: int) -> None:
        """Bring the focus `by` places on, round and round."""
        at = self.places.index(self.here) if self.here else 0
        self.places[(at + by) % len(self.places)].take_focus()

    async def show_help(self) -> None:
        """Show what every key does, those of where the focus stands first."""
        here = self.here or self.places[0]
        others = [place for place in self.places if place is not here]
        everywhere = [row for row in self._rows_everywhere() if row not in here.rows]
        groups: list[tuple[str, Sequence[Binding]]] = [(f"{here.name}: the keys here", here.rows)]
        groups += [("Everywhere", everywhere)]
        for place in others:
            own = [row for row in place.rows if row.label not in _LIST_MOVES and row not in everywhere]
            groups.append((place.name, own))
        await show_text("Help", help_lines(groups), app_state=self._state, tasks=self._tasks, draw=_draw_help)

    async def show_palette(self) -> None:
        """Let the user find an action by its name, those run last first, and run it."""
        here = self.here.name if self.here else ""
        commands = [
            Command(name, place, row)
            for place, actions in self.keymap.places.items()
            if place != _MENUS
            for name, row in actions.items()
            if row.label != _PALETTE
        ]
        recent = {name: at for at, name in enumerate(self._run_last)}
        commands.sort(key=lambda command: (recent.get(command.name, len(recent)), command.place != here))
        chosen = await choose_command(commands, app_state=self._state, tasks=self._tasks)
        if chosen is not None:
            self._run_last = [chosen.name, *(name for name in self._run_last if name != chosen.name)]
            run_binding(chosen.row, tasks=self._tasks, refuse=self._refuse)

    def _rows_here(self) -> tuple[Binding, ...]:
        """The keys of where the focus stands, and behind them those of the selected plate's jobs."""
        rows = self.here.rows if self.here else ()
        return (*rows, *(row for row in self.plate_manager.job_rows if rows and row not in rows))

    def _zoom(self) -> None:
        self._state.dispatch(actions.PaneZoomed(not self._state.workbench.zoomed))

    def _has_screen(self, name: str) -> bool:
        """Whether the place of that name has the whole screen: the one with the focus, or the last that had it."""
        here = self.here
        if here is not None:
            self._last_place = here.name
        return (self._state.workbench.zoomed or is_plain()) and self._last_place == name

    def _rows_everywhere(self) -> tuple[Binding, ...]:
        return (*self.plate_manager.job_rows, *self.rows, *self._menu_rows)

    # -- parts ---------------------------------------------------------------------------------------------------

    def _start_tour(self) -> None:
        self.tour.start()

    def _refuse(self, reason: str) -> None:
        self._state.dispatch(actions.MessageShown(reason, Severity.WARNING))

    def _menu_hint(self) -> str:
        selected = self.menu_bar.selected
        if selected is None:
            return self.plate_manager.hint
        reason = selected.why_disabled()
        return selected.description if reason is None else f"Not now: {reason}"

    def _rows(
        self,
        on_quit: Effect,
        on_suspend: Effect,
        history: ErrorHistoryView,
        appearance: Appearance,
        settings: SettingsEffects,
        inspector: TaskInspector,
    ) -> tuple[Binding, ...]:
        return (
            Binding(("?", "f1"), self.show_help, "Help", "Show what every key does."),
            Binding(("c-p",), self.show_palette, _PALETTE, "Find an action by its name, and run it."),
            Binding(("tab", "f6"), lambda: self.move_focus(1), "Next pane", "Go to the next pane.", on_footer=False),
            Binding(
                ("s-tab",), lambda: self.move_focus(-1), "Previous pane", "Go to the previous pane.", on_footer=False
            ),
            Binding(("f10",), lambda: self.menu_bar.open(0), "Menu", "Open the menu bar."),
            Binding(
                ("z",),
                self._zoom,
                "Zoom",
                "Give this pane the whole screen, or all of them their places.",
                on_footer=False,
            ),
            Binding(
                ("E",),
                history.show,
                "Errors",
                "Show what went wrong in the program itself.",
                history.why_empty,
                on_footer=False,
            ),
            Binding(
                (",",),
                settings.edit,
                "Settings",
                "Change the settings, and see where each comes from.",
                on_footer=False,
            ),
            Binding(("T",), appearance.choose, "Theme", "Choose how the workbench looks.", on_footer=False),
            Binding(("f2",), self._start_tour, "Tour", "See what each part of the screen is for.", on_footer=False),
            Binding(
                ("f12",),
                inspector.show,
                _INSPECTOR,
                "Show every task, what it waits for, and what has blocked the screen.",
                inspector.why_not,
                on_footer=False,
            ),
            Binding(
                ("c-z",),
                on_suspend,
                _SUSPEND,
                "Go back to the shell for a while; `fg` there brings the workbench back.",
                on_footer=False,
            ),
            Binding(("q", "c-q", "c-c"), on_quit, "Quit", "Leave the workbench; a run may go on without it."),
        )

    def _menus(self) -> tuple[Menu, ...]:
        plates, wells = self.plate_manager.plate_rows, self.plate_manager.well_rows
        files, steps = self.pipeline_editor.file_rows, self.pipeline_editor.step_rows
        return (
            Menu(
                "File",
                (
                    *_named(files, "New", "Load", "Save", "Save as", "As text"),
                    None,
                    *_named(self.rows, "Settings", "Theme"),
                    None,
                    *_named(self.rows, _SUSPEND, "Quit"),
                ),
            ),
            Menu("Plate", _grouped(plates, ("Add", "Remove", "Put back"), _JOBS)),
            Menu("View", self.plate_manager.view_rows),
            Menu("Wells", wells),
            Menu("Steps", (*steps, None, *_named(files, "Rename", "Planes"))),
            Menu(
                "Help",
                (
                    *_named(self.rows, "Help", "Tour", _PALETTE, "Errors", _INSPECTOR),
                    None,
                    *_named(self.rows, "Next pane", "Previous pane", "Zoom"),
                ),
            ),
        )

    def _menu_bindings(self) -> tuple[Binding, ...]:
        def row(index: int, menu: Menu) -> Binding:
            key = f"escape {menu.title[0].lower()}"
            description = f"Open the menu {menu.title}."
            return Binding((key,), lambda: self.menu_bar.open(index), menu.title, description, on_footer=False)

        return tuple(row(index, menu) for index, menu in enumerate(self._menus()))


_INSPECTOR: Final = "Tasks"
_SUSPEND: Final = "Suspend"
_PALETTE: Final = "Commands"
_MENUS: Final = "Menus"

_JOBS: Final = ("Init", "Compile", "Run", TRY_LABEL, "Run failed", "Run wells", "Cancel", "Run sooner", "Run later")

_LIST_MOVES: Final = frozenset({"Up", "Down", "Left", "Right", "Page up", "Page down", "First", "Last"})


def _named(rows: Sequence[Binding], *labels: str) -> tuple[Binding, ...]:
    """The rows with these labels, in their order."""
    by_label = {row.label: row for row in rows}
    return tuple(by_label[label] for label in labels)


def _grouped(rows: Sequence[Binding], *groups: tuple[str, ...]) -> tuple[Binding | None, ...]:
    """The rows in groups by label, with lines between; the rows of no group come last."""
    named = {label for labels in groups for label in labels}
    rest = tuple(row for row in rows if row.label not in named)
    menu: list[Binding | None] = []
    for group in (*(_named(rows, *labels) for labels in groups), rest):
        menu += [None, *group] if menu and group else group
    return tuple(menu)


def _draw_help(number: int, line: str) -> StyleAndTextTuples:
    if not line.startswith("  "):
        return [("class:title", line)]
    key, gap, text = line[2:].partition("  ")
    return [("class:key", f"  {key}"), ("", gap + text)]
