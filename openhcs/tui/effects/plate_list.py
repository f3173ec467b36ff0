"""The list of plates: folders added, in whatever way they were named, taken off and put back, and kept between starts.

A folder that holds plates and is none itself is searched for them. The disk is asked in threads. Deliberately absent:
what is done to a plate (`plates`), and how the list changes (`tui.plate_list`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from openhcs.errors import SettingsError
from openhcs.tui import actions
from openhcs.tui.effects.check_dialog import check
from openhcs.tui.effects.pick_dialog import Choice
from openhcs.tui.effects.preferences import Preferences
from openhcs.tui.run_text import count_of, some
from openhcs.tui.state import AppState
from openhcs.tui.utils import dialog_helpers
from openhcs.tui.utils.daemon_thread import in_daemon_thread
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager
from openhcs.tui.workbench import PlateRow, Severity

if TYPE_CHECKING:
    from openhcs.core.plate_search import FoundPlate

__all__ = ["PlateListEffects"]


class PlateListEffects:
    """Changes which plates are on the list, and remembers them."""

    def __init__(self, state: AppState, tasks: UnifiedTaskManager, preferences: Preferences) -> None:
        self._state = state
        self._tasks = tasks
        self._preferences = preferences
        self._kept: tuple[PlateRow, ...] = ()
        self._is_restored = False
        state.subscribe(self._keep_soon)

    async def add(self) -> None:
        """Let the user choose folders, and add the plates that they are or hold."""
        remembered = await self._preferences.remembered()
        folders = await dialog_helpers.prompt_for_multi_folder_dialog(
            "Add plates", "Choose plates, or folders that hold plates", self._state, initial_path=remembered.folder
        )
        if folders:
            await self.add_folders(tuple(Path(folder) for folder in folders))

    async def add_folders(self, folders: Sequence[Path]) -> None:
        """Add `folders` as plates; of one that holds plates and is none, those that the user chooses.

        A folder that is neither is added as it is: initialising it tells what is missing.
        """
        plates: list[Path] = []
        unknown: list[Path] = []
        for folder in folders:
            found = await self._find(folder)
            if not found:
                unknown.append(folder)
            if [plate.folder for plate in found] in ([], [folder]):
                plates.append(folder)
            else:
                plates += await self._choose(folder, found)
        if not plates:
            return
        known = {row.folder for row in self._state.workbench.plates}
        self._state.dispatch(actions.PlatesAdded(tuple(plates)))
        new = [row.folder for row in self._state.workbench.plates if row.folder not in known]
        old = [folder for folder in dict.fromkeys(plates) if folder in known]
        told = [f"{count_of(len(new), 'plate')} added: {some(visible(folder.name) for folder in new)}"] if new else []
        if old:
            told.append(f"already on the list: {some(visible(folder.name) for folder in old)}")
        if unknown:
            told.insert(0, f"no plate is recognised in {some(visible(folder.name) for folder in unknown)}")
        text = "; ".join(told)
        self._tell(f"{text[:1].upper()}{text[1:]}", Severity.WARNING if unknown else Severity.INFO)
        await self._preferences.remember_plates(tuple(plates))

    async def _find(self, folder: Path) -> tuple[FoundPlate, ...]:
        def find() -> tuple[FoundPlate, ...]:
            # With the formats some 50 ms, which the first frame need not wait for.
            from openhcs.core.plate_search import find_plates

            return find_plates(folder)

        return await in_daemon_thread(find, f"look for plates in {folder.name}")

    async def _choose(self, folder: Path, found: Sequence[FoundPlate]) -> list[Path]:
        listed = {row.folder for row in self._state.workbench.plates}
        choices = [
            Choice(
                str(plate.folder.relative_to(folder)),
                f"{plate.format}{', on the list' if plate.folder in listed else ''}",
                plate.folder,
            )
            for plate in found
        ]
        return await check(
            f"{count_of(len(found), 'plate')} in {folder.name}",
            choices,
            [choice.value not in listed for choice in choices],
            verb="Add",
            app_state=self._state,
            tasks=self._tasks,
        )

    def remove(self, rows: Collection[PlateRow], undo_key: str) -> None:
        """Take the idle ones of `rows` off the list; what is on disk stays."""
        gone = [row for row in rows if not row.busy]
        self._state.dispatch(actions.PlatesRemoved(tuple(row.folder for row in gone)))
        names = some(visible(row.name) for row in gone)
        stays = len(rows) - len(gone)
        busy = f"; {stays} that {'is' if stays == 1 else 'are'} at work stay" if stays else ""
        # What to press comes before what a narrow line cuts off.
        self._tell(f"Off the list ({undo_key} puts back): {names}; nothing is deleted{busy}")

    def restore(self) -> None:
        """Put the plates removed last back."""
        before = {row.folder for row in self._state.workbench.plates}
        self._state.dispatch(actions.PlatesRestored())
        back = [visible(row.name) for row in self._state.workbench.plates if row.folder not in before]
        if back:
            self._tell(f"{some(back)} {'is' if len(back) == 1 else 'are'} back on the list.")

    # -- between starts ------------------------------------------------------------------------------------------

    async def reopen(self) -> None:
        """Put the plates of the last time back on the list, if the settings say so, and remember it from now on."""
        try:
            wanted = (await self._preferences.settings()).restore_plates
        except SettingsError:
            wanted = True  # told when settings are needed; the list must not be lost for it
        listed = (await self._preferences.remembered()).listed if wanted else ()
        self._is_restored = True
        if listed:
            self._state.dispatch(actions.PlatesAdded(listed))
            self._state.dispatch(actions.PlateSelected(0))
            self._tell(f"{count_of(len(listed), 'plate')} on the list, as it was left")

    async def keep(self) -> None:
        """Remember what is on the list; returns when that is written."""
        if self._is_restored:
            self._kept = self._state.workbench.plates
            await self._preferences.remember_listed(tuple(row.folder for row in self._kept))

    def _keep_soon(self) -> None:
        plates = self._state.workbench.plates
        if self._is_restored and plates is not self._kept:
            folders = [row.folder for row in self._kept]
            self._kept = plates
            if folders != [row.folder for row in plates]:
                self._tasks.fire_and_forget(self.keep(), "remember the list of plates")

    def _tell(self, text: str, severity: Severity = Severity.INFO) -> None:
        self._state.dispatch(actions.MessageShown(text, severity))
