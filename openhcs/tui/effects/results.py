"""Reading the results of a plate for the results view, exporting them, and finding their folder.

Everything is read in threads. The engine's modules are imported there: pydantic and polars take 0.3 s the first time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Final

from openhcs.core.progress import RunProgress
from openhcs.core.result_query import Grouping, Histogram, Spread, TableQuery
from openhcs.errors import OpenHCSError, RunError, StoreError
from openhcs.tui.effects.clipboard import copy_path
from openhcs.tui.run_text import count_of
from openhcs.tui.state import AppState
from openhcs.tui.utils import dialog_helpers
from openhcs.tui.utils.daemon_thread import in_daemon_thread
from openhcs.tui.utils.safe_text import visible

if TYPE_CHECKING:
    from openhcs.core.result_summary import ResultSummary, SummaryReader
    from openhcs.core.result_tables import ResultTable

__all__ = ["ResultReader"]

_FAILS_WITHIN_S: Final = 2.0
"""A program of the desktop that is still there then has found a screen."""


class ResultReader:
    """Reads the results in `out`, and does with them what the user asks for."""

    def __init__(self, out: Path, state: AppState) -> None:
        self.out = out
        self._state = state
        self._summary: SummaryReader | None = None

    async def read_summary(self) -> ResultSummary:
        """The results at a glance; raises `StoreError`."""

        def read() -> ResultSummary:
            from openhcs.core.result_summary import SummaryReader

            if self._summary is None:
                self._summary = SummaryReader(self.out)
            return self._summary.read()

        return await in_daemon_thread(read, f"sum up {self.out.name}")

    async def read_progress(self) -> RunProgress | None:
        """How the last run into this folder stands or ended; None where there was none."""

        def find() -> RunProgress | None:
            from openhcs.core.orchestrator import Run

            try:
                return Run.attach(self.out).poll()
            except (RunError, StoreError):
                return None

        return await in_daemon_thread(find, f"look for a run in {self.out.name}")

    async def open_table(self, query: TableQuery) -> ResultTable:
        """The rows that `query` asks for; raises `StoreError`."""

        def open_() -> ResultTable:
            from openhcs.core.result_tables import ResultTable

            return ResultTable(self.out, query)

        return await in_daemon_thread(open_, f"open the table {query.table}")

    async def read_rows(
        self, table: ResultTable, first: int, count: int, columns: Sequence[str]
    ) -> Sequence[tuple[str, ...]]:
        """Rows of an open table as text; raises `StoreError`."""
        return await in_daemon_thread(partial(table.read, first, count, columns), f"read {table.query.table}")

    async def measured_columns(self, tables: Collection[str]) -> tuple[tuple[str, str], ...]:
        """Every (table, column) that holds numbers measured; raises `StoreError`."""

        def find() -> tuple[tuple[str, str], ...]:
            from openhcs.core.result_statistics import measured_columns

            return tuple((table, name) for table in tables for name in measured_columns(self.out, table))

        return await in_daemon_thread(find, "look for columns")

    async def histogram(self, table: str, column: str, bins: int) -> Histogram | None:
        """How a column is spread over all rows; raises `StoreError`."""

        def count() -> Histogram | None:
            from openhcs.core.result_statistics import histogram

            return histogram(self.out, table, column, bins)

        return await in_daemon_thread(count, f"count {column}")

    async def spreads(self, table: str, column: str, by: Grouping) -> Sequence[Spread]:
        """How a column is spread in each group; raises `StoreError`."""

        def find() -> Sequence[Spread]:
            from openhcs.core.result_statistics import spreads

            return spreads(self.out, table, column, by)

        return await in_daemon_thread(find, f"sum up {column}")

    # -- what is done with them ----------------------------------------------------------------------------------

    async def export(self, table: ResultTable) -> str:
        """Ask for a file, write the rows of `table` to it, and say where they are; empty where the user gave up."""
        wells = count_of(len(table.query.wells), "well").replace(" ", "-")
        name = f"{table.query.table}-{wells}" if table.query.wells else table.query.table
        path = await dialog_helpers.prompt_for_save_file_dialog(
            "Export the table",
            "A name ending in .csv or .parquet",
            self._state,
            initial_path=self.out.parent,
            save_name=f"{name}.csv",
        )
        if path is None:
            return ""
        try:
            rows = await in_daemon_thread(partial(table.export, path), f"export {path.name}")
        except OpenHCSError as error:
            await dialog_helpers.show_refusal(error, "export the table", self._state)
            return ""
        return f"{rows:,} rows written to {visible(str(path))}"

    async def open_folder(self) -> str:
        """Show the results folder in the desktop's file manager, or else copy its path; what has been done."""
        command = _folder_command()
        if command is not None:
            started = await in_daemon_thread(partial(_start, [command, str(self.out)]), "open the folder")
            if started:
                return f"{command} opens {visible(str(self.out))}"
        return f"there is no desktop here: {copy_path(str(self.out))}"

    def copy_path(self) -> str:
        """Copy the path of the results folder; what has been done."""
        return copy_path(str(self.out))


def _folder_command() -> str | None:
    """The command that shows a folder on this machine's screen, if there is one."""
    if sys.platform == "darwin":
        return "open" if "SSH_CONNECTION" not in os.environ else None
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return "xdg-open" if which("xdg-open") else None
    return None


def _start(command: Sequence[str]) -> bool:
    """Start a program of the desktop, which may stay as long as it likes; whether that went well so far."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return False
    try:
        return process.wait(_FAILS_WITHIN_S) == 0
    except subprocess.TimeoutExpired:
        # Waited for in the background, so that it leaves no zombie.
        threading.Thread(target=process.wait, name=f"wait for {command[0]}", daemon=True).start()
        return True
