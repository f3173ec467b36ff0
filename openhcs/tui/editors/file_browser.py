"""The file browser: find a folder or a file by keys or mouse, on a disk of any size and speed.

No key waits for the disk, and what goes wrong is told in place. The rows are kept by `folder_view`, read by
`folder_reader`, recognised by `folder_glances`, marked by `browser_marking` and drawn by `file_browser_drawing`;
`browser_pages` are the places and the keys, `browser_saving` is the name to save under. Here they come together.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Sequence
from pathlib import Path
from typing import Final

from prompt_toolkit.application import Application, get_app
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyBindingsBase, KeyPressEvent, merge_key_bindings
from prompt_toolkit.layout.containers import AnyContainer, Container, DynamicContainer, HSplit
from prompt_toolkit.layout.controls import UIControl
from prompt_toolkit.layout.dimension import Dimension

from openhcs.tui.editors import file_browser_drawing as drawing
from openhcs.tui.editors.browser_marking import Marking
from openhcs.tui.editors.browser_pages import KeysPage, PlacesPage, remember_recent
from openhcs.tui.editors.browser_saving import SaveName
from openhcs.tui.editors.current_tasks import CurrentTasks
from openhcs.tui.editors.folder_glances import Glances
from openhcs.tui.editors.folder_listing import FileLister, LocalDisk
from openhcs.tui.editors.folder_reader import FolderReader
from openhcs.tui.editors.folder_table import Entry, SortOrder
from openhcs.tui.editors.folder_view import HERE, PARENT, FolderView, SelectionMode
from openhcs.tui.editors.path_line import PathLine
from openhcs.tui.ports import TaskSpawner
from openhcs.tui.utils.daemon_thread import in_daemon_thread
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.widgets.bindings import Binding, footer_fragments, key_bindings, run_binding
from openhcs.tui.widgets.button_row import ButtonRow
from openhcs.tui.widgets.drawn_text import cut, cut_middle, drawn_window
from openhcs.tui.widgets.selectable_list import SelectableList

__all__ = ["FileManagerBrowser", "SelectionMode"]

LOOKED_AT: Final = 60
"""Rows around the highlight whose folders are recognised."""

NAMED: Final = 20
"""Marked paths that are named on the line that tells what is taken."""


class FileManagerBrowser:
    """Lets its user choose paths; calls `on_path_selected` or `on_cancel` once done.

    Args:
        initial_path: the folder to start in, or a file to start at; None is the working directory.
        filter_extensions: show only files with these suffixes (".yaml"); with `save_name`, the first is appended
            to a name without any of them.
        filemanager: the disk; None is this machine's.
        tasks: None takes the task manager at the time of use.
        save_name: makes it a save dialog, with this name to begin with; a name that exists must be confirmed.
        describe: says in a few words what a folder is, or None; runs in a thread for the folders on the screen. By
            default plates are recognised ("ImageXpress, 96 wells") where folders can be chosen on this machine.
    """

    def __init__(
        self,
        *,
        on_path_selected: Callable[[list[Path]], None],
        on_cancel: Callable[[], None],
        initial_path: Path | None = None,
        selection_mode: SelectionMode = SelectionMode.FILES_ONLY,
        allow_multiple: bool = False,
        show_hidden_files: bool = False,
        filter_extensions: Collection[str] | None = None,
        filemanager: FileLister | None = None,
        tasks: TaskSpawner | None = None,
        save_name: str | None = None,
        describe: Callable[[Path], str | None] | None = None,
    ) -> None:
        self._on_path_selected = on_path_selected
        self._on_cancel = on_cancel
        self._initial_path = initial_path
        self._saves = save_name is not None
        self._multiple = allow_multiple and not self._saves
        self._suffixes = tuple(filter_extensions or ())
        self._disk: FileLister = filemanager if filemanager is not None else LocalDisk()
        self._tasks: TaskSpawner = tasks if tasks is not None else CurrentTasks()
        self._keeps_places = filemanager is None
        self._app: Application[object] | None = None
        self._page: PlacesPage | KeysPage | None = None
        self._notice: str | None = None
        mode = SelectionMode.FILES_ONLY if self._saves else selection_mode
        self.view = FolderView(mode, suffixes=self._suffixes, hidden=show_hidden_files)
        self._reader = FolderReader(self.view, self._disk, tasks=self._tasks, on_change=self._changed, tell=self._tell)
        if describe is None and filemanager is None and self.view.offers_here:
            describe = _plate_words
        self.glances = Glances(describe, tasks=self._tasks, on_change=self._redraw)
        self._marking = Marking(self.view, changed=self._moved, tell=self._tell)
        self._places = PlacesPage(
            lambda: self.view.folder,
            go=self.go_to,
            show=self._show_places,
            leave=self._leave_page,
            tell=self._tell,
            redraw=self._redraw,
            tasks=self._tasks,
        )
        self.rows = self._binding_rows()
        self._path = PathLine(
            lambda: self.view.folder,
            self._disk,
            go=self._go,
            leave=self._leave_page,
            tell=self._tell,
            tasks=self._tasks,
        )
        self._name = SaveName(
            save_name or "",
            lambda: self.view.folder,
            self._disk,
            suffixes=self._suffixes,
            finish=lambda target: self._finish([target]),
            tell=self._tell,
            redraw=self._redraw,
            tasks=self._tasks,
        )
        self.list: SelectableList[Entry] = SelectableList(
            lambda: self.view.shown,
            self._row,
            index=lambda: self.view.index,
            on_select=self._highlight,
            on_activate=self._open,
            empty=lambda: drawing.empty(self.view),
            tasks=self._tasks,
            refuse=self._tell,
            name="open",
            letter_keys=False,
            keys=self._list_keys(),
            on_click=self._marking.click if self._multiple else None,
        )
        self.item_list_control: UIControl = self.list.control
        self.buttons = ButtonRow([(self._select_label, self.select), ("Cancel", self.cancel)], tasks=self._tasks)
        self._keys = KeysPage(self.rows, run=self._run_from_page, leave=self._leave_page, tasks=self._tasks)
        self.container = self._layout()

    def __pt_container__(self) -> Container:
        return self.container

    @property
    def focus_target(self) -> UIControl:
        """What should have the focus first: the name where something is saved, else the list."""
        return self._name.field.control if self._saves else self.item_list_control

    def start(self) -> None:
        """Read the first folder. The first drawing does this, so that a browser can be built before the loop runs."""
        if self._app is None:
            self._app = get_app()
            self._reader.open(self._initial_path or _working_folder(), climb=True)

    def go_to(self, folder: Path) -> None:
        """Open `folder`."""
        self._go(folder, True)

    def _layout(self) -> HSplit:
        body: list[AnyContainer] = [
            self._path,
            drawn_window(self._header),
            DynamicContainer(lambda: self.list if self._page is None else self._page),
            drawn_window(lambda width: drawing.status_line(self.view, width)),
        ]
        if self._saves:
            body.append(self._name)
        body += [
            drawn_window(self._choice_line),
            self.buttons,
            drawn_window(self._footer),
        ]
        return HSplit(
            body,
            key_bindings=self._dialog_keys(),
            modal=True,
            width=Dimension(min=20, preferred=96),
            height=Dimension(min=9, preferred=32),
            style="class:dialog",
        )

    # Keys

    def _binding_rows(self) -> tuple[Binding, ...]:
        reader = self._reader
        nowhere = "This is the first folder that was opened."
        return (
            Binding(("enter",), self._activate, "Open", "Open the highlighted folder, or choose what is highlighted."),
            Binding(("f1",), self._show_keys, "Keys", "Show every key of this dialog."),
            Binding(("left",), reader.up, "Up", "Go to the folder above; Backspace does the same."),
            *((self._marking.one,) if self._multiple else ()),
            Binding(("c-s",), self.select, "Save" if self._saves else "Select", "Take what the line below names."),
            Binding(("escape",), self._escape, "Cancel", "Stop reading, clear the filter, or leave without choosing."),
            Binding(("c-l",), self._path_edit, "Path", "Type a path; Tab completes it. / and ~ begin one too."),
            Binding(("c-g",), self._open_places, "Go to", "Go to a bookmark or a recent folder.", self._why_no_places),
            Binding(
                ("c-d",), self._places.bookmark, "Bookmark", "Bookmark this folder, or no longer.", self._why_no_places
            ),
            Binding(("c-o",), self._next_order, "Sort", "Sort by name, by time or by size."),
            Binding(("c-e",), self._reverse, "Reverse", "Sort the other way round."),
            Binding(("c-t",), self._toggle_hidden, "Hidden", "Show or hide names that begin with a dot."),
            *(self._marking.several if self._multiple else ()),
            Binding(
                ("c-left",), reader.back, "Back", "Go back a folder.", lambda: None if reader.can_go_back else nowhere
            ),
            Binding(
                ("c-right",),
                reader.forward,
                "Forward",
                "Go forward again.",
                lambda: None if reader.can_go_forward else "Nothing was left by going back.",
            ),
            Binding(("f5", "c-r"), self._reread, "Reread", "Read the folder again."),
        )

    def _rows_of(self, *keys: str) -> list[Binding]:
        return [row for row in self.rows if row.keys[0] in keys]

    def _dialog_keys(self) -> KeyBindingsBase:
        """Keys that work wherever in the dialog the focus is."""
        rows = self._rows_of("c-s", "escape", "f1", "c-l", "c-g", "c-o", "c-t", "f5")
        moves = KeyBindings()

        @moves.add("tab")
        def _(event: KeyPressEvent) -> None:
            event.app.layout.focus_next()

        @moves.add("s-tab")
        def _(event: KeyPressEvent) -> None:
            event.app.layout.focus_previous()

        return merge_key_bindings([key_bindings(rows, tasks=self._tasks, refuse=self._tell), moves])

    def _list_keys(self) -> KeyBindingsBase:
        right = Binding(("right",), self._open_folder, "Open", "Open the highlighted folder.")
        rows = [
            *self._rows_of("left", "space", "c-a", "c-x", "c-v", "c-d", "c-e", "c-left", "c-right"),
            right,
            *(self._marking.ranges if self._multiple else ()),
        ]
        typing = KeyBindings()

        @typing.add("backspace")
        def _(event: KeyPressEvent) -> None:
            if self.view.text:
                self._filter(self.view.text[:-1])
            else:
                self._reader.up()

        @typing.add("<any>")
        def _(event: KeyPressEvent) -> None:
            if event.data.isprintable():
                self._type(event.data)

        @typing.add("<bracketed-paste>")
        def _(event: KeyPressEvent) -> None:
            self._type(" ".join(event.data.split("\n")).strip())

        return merge_key_bindings([typing, key_bindings(rows, tasks=self._tasks, refuse=self._tell)])

    def _type(self, text: str) -> None:
        """Text typed on the list: a path where it begins like one, the name to save, or else the filter."""
        if not self.view.text and text[:1] in ("/", "~"):
            self._path.edit(text)
        elif self._saves:
            get_app().layout.focus(self._name.field.window)
            self._name.field.buffer.insert_text(text)
        else:
            self._filter(self.view.text + text)

    def _filter(self, text: str) -> None:
        self.view.filter(text)
        self._moved()

    def _escape(self) -> None:
        if self.view.reading and self.view.waited_s > drawing.SLOW_S:
            self._reader.stop()
        elif self.view.text:
            self._filter("")
        else:
            self.cancel()

    def _highlight(self, index: int) -> None:
        self.view.highlight(index)
        self._moved()

    def _moved(self) -> None:
        self._clear_notice()
        self._look_around()

    def _toggle_hidden(self) -> None:
        self.view.set_hidden(not self.view.hidden)

    def _next_order(self) -> None:
        self._reader.set_order(self.view.order.next())

    def _reverse(self) -> None:
        self._reader.set_order(self.view.order, not self.view.backwards)

    def _sort_by(self, order: SortOrder) -> None:
        """What a click on the head of a column does: sort by it, or the other way round."""
        self._reader.set_order(order, order is self.view.order and not self.view.backwards)

    def _reread(self) -> None:
        self.glances.forget()
        self._reader.reread()

    def _path_edit(self) -> None:
        self._path.edit()

    # Pages

    def _show_page(self, page: PlacesPage | KeysPage) -> None:
        self._page = page
        get_app().layout.focus(page.list.control)

    def _leave_page(self) -> None:
        self._page = None
        get_app().layout.focus(self.item_list_control)

    def _show_keys(self) -> None:
        self._clear_notice()
        self._show_page(self._keys)

    def _run_from_page(self, row: Binding) -> None:
        self._leave_page()
        run_binding(row, tasks=self._tasks, refuse=self._tell)

    def _why_no_places(self) -> str | None:
        return None if self._keeps_places else "Bookmarks are kept of this machine's disks only."

    def _open_places(self) -> Coroutine[None, None, None]:
        self._clear_notice()
        return self._places.open()

    def _show_places(self) -> None:
        if self._app is not None and self.buttons.control in self._app.layout.find_all_controls():
            self._show_page(self._places)

    # Going places

    def _activate(self) -> None:
        self.list.activate()

    def _open(self, entry: Entry) -> None:
        """Enter and double click: into a folder; a file, or the row of this folder, is chosen."""
        self._clear_notice()
        if entry is PARENT:
            self._reader.up()
        elif entry is HERE:
            self.select()
        elif entry.is_folder:
            self._reader.open(self.view.path(entry))
        elif self._saves:
            self._name.field.text = entry.name
            get_app().layout.focus(self._name.field.window)
        elif self.view.can_choose(entry):
            self.select()

    def _open_folder(self) -> None:
        entry = self.view.highlighted
        if entry is not None and entry.is_folder and entry is not HERE:
            self._open(entry)

    def _go(self, path: Path, is_folder: bool) -> None:
        self._clear_notice()
        self._leave_page()
        if is_folder:
            self._reader.open(path)
        else:
            self._reader.open(path.parent, path.name)

    # Choosing

    def select(self) -> None:
        """Choose what the line above the buttons names; where nothing can be chosen, say what is expected."""
        if self._saves:
            self._name.save()
        elif chosen := self.view.chosen():
            self._finish(chosen)
        else:
            self._tell(f"Nothing to take here yet: highlight one of the {drawing.KINDS[self.view.mode]}.")

    def cancel(self) -> None:
        """Leave without choosing."""
        self._stop()
        self._on_cancel()

    def _finish(self, chosen: list[Path]) -> None:
        self._stop()
        if self._keeps_places:
            folder = self.view.folder
            self._tasks.fire_and_forget(
                in_daemon_thread(lambda: remember_recent(folder), "write"), "keep recent folder"
            )
        self._on_path_selected(chosen)

    def _stop(self) -> None:
        self._reader.stop()
        self.glances.stop()

    # Drawing

    def _changed(self) -> None:
        self._look_around()
        self._redraw()

    def _look_around(self) -> None:
        """What is on the screen is read, and its folders recognised, before anything else."""
        self._reader.look_around()
        view = self.view
        entry = view.highlighted
        folders = [view.path(entry)] if entry is not None and entry.is_folder and entry is not PARENT else []
        table = view.table
        folders += [view.folder / table.names[row] for row in view.around(LOOKED_AT) if table.is_folder(row)]
        self.glances.look_at(folders)

    def _row(self, entry: Entry, width: int) -> StyleAndTextTuples:
        remark = self.glances.of(self.view.path(entry)) if entry.is_folder and entry is not PARENT else None
        return drawing.row(self.view, entry, width, self._multiple, remark)

    def _redraw(self) -> None:
        if self._app is not None:
            self._app.invalidate()

    def _tell(self, text: str | None) -> None:
        self._notice = text

    def _clear_notice(self) -> None:
        self._name.reconsider()

    def _select_label(self) -> str:
        if self._saves:
            return "Overwrite" if self._name.overwrites else "Save"
        return f"Select {len(self.view.marks)} marked" if self.view.marks else "Select"

    def _header(self, width: int) -> StyleAndTextTuples:
        if self._page is not None:
            return [("class:title", f"  {self._page.title}")]
        return drawing.header(self.view, width, self._multiple, self._sort_by)

    def _choice_line(self, width: int) -> StyleAndTextTuples:
        """What Select would take, or the newest remark in its place."""
        self.start()
        if self._notice is not None:
            return [("class:warning", cut(f"  {self._notice}", width))]
        if self._saves:
            target = self._name.target
            if target is None:
                return [("class:muted", cut("  Type a name for the file.", width))]
            return _named("  Save writes  ", visible(str(target)), "", width)
        chosen = self.view.chosen(at_most=NAMED)
        if not chosen:
            return [("class:muted", cut(f"  Highlight one of the {drawing.KINDS[self.view.mode]} to select.", width))]
        if len(chosen) > 1:
            names = ", ".join(visible(path.name or str(path)) for path in chosen)
            return _named("  Select takes  ", names, "", width)
        return _named("  Select takes  ", visible(str(chosen[0])), self.glances.of(chosen[0]) or "", width)

    def _footer(self, width: int) -> StyleAndTextTuples:
        rows, more = self._footer_rows(), self._show_keys if self._page is None else None
        keys = footer_fragments(rows, max(0, width - 2), tasks=self._tasks, refuse=self._tell, more=more)
        return [("", "  "), *keys]

    def _footer_rows(self) -> Sequence[Binding]:
        """The keys that work where the focus is: in a path or the name to save, those of the list are letters."""
        if self._page is not None:
            return self._page.rows
        if get_app().layout.has_focus(self._path.field.control):
            return self._path.rows
        if not get_app().layout.has_focus(self._name.field.control):
            return self.rows
        save = Binding(("enter",), self.select, "Save", "Save under this name.")
        return (save, *self._rows_of("escape", "f1", "c-l", "c-g", "c-o", "c-t"))


def _named(label: str, name: str, remark: str, width: int) -> StyleAndTextTuples:
    remark = f"  {visible(remark)}" if remark else ""
    room = max(8, width - len(label) - len(remark))
    return [("class:label", label), ("class:title", cut_middle(name, room)), ("class:ok", remark)]


def _plate_words(folder: Path) -> str | None:
    # Imported by the thread that asks: the formats bring along what reads their metadata, some 100 ms.
    from openhcs.core.formats.glance import glance

    seen = glance(folder)
    return None if seen is None else str(seen)


def _working_folder() -> Path:
    try:
        return Path.cwd()
    except OSError:  # it has been removed
        return Path.home()
