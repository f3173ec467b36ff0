"""The error history in the workbench: what went wrong, and the way from it to the plate and well."""

from __future__ import annotations

import base64
import re
import shutil
from pathlib import Path

from openhcs.core.pipeline_file import shipped_pipelines
from openhcs.testing.driver import workbench
from tests.tui.layout.gate import RUN_S

NUCLEI = shipped_pipelines()["nuclei"]


async def test_errors_are_opened_copied_cleared_and_lead_to_their_well(demo: Path, home: Path) -> None:
    """A failed well is in the history; `g` opens it; `y` copies; `d` clears, `u` brings back."""
    plate = home / "demo"
    shutil.copytree(demo, plate)
    broken = next(file for file in sorted(plate.rglob("*B03*")) if file.suffix.lower() == ".tif")
    broken.write_bytes(broken.read_bytes()[:1000])
    async with workbench([plate], pipeline=NUCLEI, size=(100, 30)) as wb:
        await wb.press("E")
        await wb.wait_for("The program itself has had no errors")
        await wb.press("r")
        await wb.wait_for("1 of 2 failed", RUN_S)
        await wb.wait_idle()
        wb.launcher.program.errors.note_error(ZeroDivisionError("odd"), "counting sheep")
        await wb.press("E")
        await wb.wait_for("Errors: 2 errors")
        assert "new " in wb.line("counting sheep: ZeroDivisionError: odd")
        assert all(entry.shown for entry in wb.launcher.program.errors.journal.entries())
        await wb.press("g")
        await wb.wait_for("This error is of no plate")

        await wb.press("d")
        await wb.wait_for("2 errors cleared: u brings them back")
        assert "No errors." in wb.text
        await wb.press("u")
        await wb.wait_for("Errors: 2 errors")

        await wb.press("down", "y")
        await wb.wait_for("copied")
        text = base64.b64decode(re.findall(r"\x1b]52;c;([^\a]*)\a", wb.written)[-1]).decode()
        assert text.startswith("Error in worker, well B03 of demo")
        assert "read_plane" in text
        await wb.press("enter")
        await wb.wait_for("2 of 2")
        await wb.wait_for("Error in worker, well B03 of demo")
        await wb.press("escape")
        await wb.wait_gone("2 of 2")

        await wb.press("g")
        await wb.wait_for("Well B03 of demo: failed")
        assert "Errors:" not in wb.text
        await wb.press("escape")
        await wb.wait_idle()
        assert len(wb.take_errors()) == 2


async def test_errors_are_searched(home: Path) -> None:
    """`/` shows those that have a text in them, in whatever part; nothing shows all again. A refusal is told as one."""
    async with workbench(size=(100, 30)) as wb:
        errors = wb.launcher.program.errors
        errors.note_error(ValueError("too dark"), "reading A01", is_in_view=True)
        errors.note_error(OSError("the disk is gone"), "writing", is_in_view=True)
        await wb.paste(str(home / "nothing.yaml"))
        (home / "odd.yaml").write_text("steps: [", encoding="utf-8")
        await wb.paste(str(home / "odd.yaml"))
        await wb.wait_for("Cannot load the pipeline")
        await wb.press("escape", "E")
        await wb.wait_for("Errors: 3 errors")
        assert "cannot load the pipeline: pipeline file:" in wb.text
        assert "Traceback" not in wb.text
        await wb.press("/")
        await wb.wait_for("Show errors with this text")
        await wb.type("disk IS")
        await wb.press("enter")
        await wb.wait_for("Errors: 1 error with “disk IS”")
        assert "too dark" not in wb.text
        await wb.press("/")
        await wb.wait_for("Show errors with this text")
        await wb.press(*["backspace"] * 7, "enter")
        await wb.wait_for("Errors: 3 errors")
        wb.take_errors()
