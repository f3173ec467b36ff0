"""The pipeline edited as text in the user's own editor, and saved with its comments, by real keys."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from openhcs.core.pipeline_file import shipped_pipelines
from openhcs.errors import InputError
from openhcs.testing.driver import workbench
from openhcs.tui.effects.outside_editor import find_editor

NUCLEI = shipped_pipelines()["nuclei"]

SCRIPT = """\
import pathlib, sys

file, changes = pathlib.Path(sys.argv[-1]), pathlib.Path(sys.argv[1])
with changes.with_name("calls").open("a") as calls:
    print(" ".join(argument for argument in sys.argv[2:-1]), file.name, file=calls)
waiting = changes.read_text().splitlines()
if waiting:
    before, _, after = waiting[0].partition(" -> ")
    text = file.read_text()
    assert before in text, before
    file.write_text(text.replace(before, after))
    changes.write_text("\\n".join(waiting[1:]))
"""

Editor = Callable[..., Path]


@pytest.fixture
def editor(home: Path, monkeypatch: pytest.MonkeyPatch) -> Editor:
    """Sets an editor that makes one replacement each time it is started; the result is where it notes its starts."""

    def set_up(*changes: str, name: str = "editor") -> Path:
        script = home / "bin" / name
        script.parent.mkdir(exist_ok=True)
        script.write_text(f"#!{sys.executable}\n{SCRIPT}", encoding="utf-8")
        script.chmod(0o755)
        file = home / "changes"
        file.write_text("\n".join(changes), encoding="utf-8")
        monkeypatch.setenv("VISUAL", f"{shlex.quote(str(script))} {shlex.quote(str(file))}")
        return home / "calls"

    return set_up


async def test_the_pipeline_is_edited_as_text(editor: Editor) -> None:
    """`e` opens the pipeline as YAML; what comes back is one change, which can be taken back."""
    editor("radius_px: 40 -> radius_px: 25")
    async with workbench(pipeline=NUCLEI) as wb:
        await wb.press("s-tab", "e")
        await wb.wait_for("Pipeline edited: 5 steps")
        assert "radius_px = 25" in wb.text
        assert "Unsaved pipeline nuclei" in wb.text
        await wb.press("u")
        assert "radius_px = 40" in wb.text


async def test_a_text_left_alone_changes_nothing(editor: Editor) -> None:
    """An editor that changes nothing leaves the pipeline saved; one that was back at once may need to wait."""
    editor()
    async with workbench(pipeline=NUCLEI) as wb:
        await wb.press("s-tab", "e")
        await wb.wait_for("Nothing was changed")
        assert "╔═ Pipeline nuclei" in wb.text


async def test_faults_are_shown_where_they_stand(editor: Editor) -> None:
    """A fault stands below its line; the editor can be opened again at that line, until the text is right."""
    calls = editor("name: Find nuclei -> nom: Find nuclei", "nom: Find nuclei -> name: Find objects", name="vim")
    async with workbench(pipeline=NUCLEI, size=(100, 30)) as wb:
        await wb.press("s-tab", "e")
        await wb.wait_for("faults in the edited text")
        _, y = wb.find("nom: Find nuclei")
        assert "no key name" in wb.screen()[y + 1]
        assert "unknown key nom" in wb.screen()[y + 2]
        assert "Take it so" not in wb.text
        await wb.press("e")
        await wb.wait_for("Pipeline edited")
        assert "Find objects" in wb.text
    assert calls.read_text().splitlines() == [" nuclei.yaml", "+15 nuclei.yaml"]


async def test_faulty_calls_can_be_taken_or_thrown_away(editor: Editor) -> None:
    """What a function does not take stands below its line; the text can be taken so, or discarded in two steps."""
    editor("radius_px: 40 -> radius_px: -40", "functions: project_maximum -> functions: project_maxi")
    async with workbench(pipeline=NUCLEI, size=(100, 30)) as wb:
        await wb.press("s-tab", "e")
        await wb.wait_for("1 fault in the edited text")
        _, y = wb.find("radius_px: -40")
        assert "radius_px: -40; expected a whole number from 1 to 1000" in wb.screen()[y + 1]
        await wb.press("escape")
        assert "Esc again discards it" in wb.text
        await wb.press("escape")
        await wb.wait_for("the pipeline is as it was")
        assert "radius_px = 40" in wb.text
        await wb.press("e")
        await wb.wait_for("no function project_maxi")
        await wb.press("t")
        await wb.wait_for("Pipeline edited")
        assert wb.state.editing.unsaved


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("no-such-editor --wait", "no-such-editor --wait cannot be"),
        ("false", "false ended with 1, not 0"),
        ("'unfinished", "No closing quotation"),
    ],
)
async def test_an_editor_that_cannot_be_used_is_told(command: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an editor, or with one that fails, it is said what to set, and the pipeline stays as it is."""
    monkeypatch.setenv("VISUAL", "")
    monkeypatch.setenv("EDITOR", command)
    async with workbench(pipeline=NUCLEI, size=(160, 40)) as wb:
        await wb.press("s-tab", "e")
        await wb.wait_for(told)
        await wb.press("escape")
        await wb.wait_idle()
        assert "╔═ Pipeline nuclei" in wb.text


def test_without_a_variable_an_editor_that_is_there_is_taken(tmp_path: Path) -> None:
    """nano before vi, as most machines have one of them; where there is neither, it is said what to set."""
    environ = {"PATH": str(tmp_path), "EDITOR": " "}
    with pytest.raises(InputError, match="neither VISUAL nor EDITOR is set, and none of nano, vim, vi is there"):
        find_editor(environ)
    for name in ("vi", "nano"):
        (tmp_path / name).write_text("#!/bin/sh\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
        assert find_editor(environ) == (name,)
    assert find_editor(environ | {"EDITOR": "code --wait"}) == ("code", "--wait")


async def test_comments_stay_in_the_saved_file(home: Path, editor: Editor) -> None:
    """Comments of the file, and those written in the editor, are in it after a step was changed and it was saved."""
    editor("- name: Project maximum -> - name: Project maximum  # one plane")
    file = home / "mine.yaml"
    file.write_text(f"# ask Ada\n{NUCLEI.read_text(encoding='utf-8')}", encoding="utf-8")
    async with workbench(pipeline=file) as wb:
        await wb.press("s-tab", "space", "s")
        await wb.wait_for("Pipeline saved")
        await wb.press("e")
        await wb.wait_for("Unsaved pipeline")
        await wb.press("s")
        await wb.wait_for("╔═ Pipeline nuclei")
    lines = file.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# ask Ada"
    assert [line for line in lines[1:] if line not in NUCLEI.read_text(encoding="utf-8").splitlines()] == [
        "    enabled: false",
        "  - name: Project maximum  # one plane",
    ]


async def test_a_file_changed_by_others_is_not_overwritten_unasked(home: Path) -> None:
    """Saving asks where another program has written the file meanwhile; the file can be loaded instead."""
    file = home / "mine.yaml"
    text = NUCLEI.read_text(encoding="utf-8")
    file.write_text(text, encoding="utf-8")
    async with workbench(pipeline=file) as wb:
        await wb.press("s-tab", "space")
        file.write_text(text.replace("Find nuclei", "Find cells"), encoding="utf-8")
        await wb.press("s")
        await wb.wait_for("another program since it was read")
        await wb.press("enter")
        await wb.wait_gone("another program since it was read")
        assert "Unsaved pipeline" in wb.text
        await wb.press("s")
        await wb.wait_for("another program since it was read")
        await wb.press("l")
        await wb.wait_for("Find cells")
        assert "Find cells" in file.read_text(encoding="utf-8")


async def test_recent_pipelines_come_first_and_missing_ones_are_marked(home: Path) -> None:
    """The list of pipelines begins with those used last, by path, the newest first; what is gone says so."""
    files = [home / name for name in ("one.yaml", "two.yaml")]
    for file in files:
        file.write_text(NUCLEI.read_text(encoding="utf-8").replace("name: nuclei", f"name: {file.stem}"), "utf-8")
        async with workbench(pipeline=file):
            pass
    files[0].unlink()
    async with workbench(size=(200, 30)) as wb:
        await wb.press("s-tab", "l")
        await wb.wait_for("Load a pipeline")
        assert wb.find("two ")[1] < wb.find("one ")[1] < wb.find("shipped with OpenHCS")[1]
        assert f"is gone: {files[0]}" in wb.line("one ")
        assert str(files[1]) in wb.line("two ")
        await wb.press("enter")
        await wb.wait_for("Pipeline two loaded")


async def test_a_step_is_renamed(home: Path) -> None:
    """`R` gives the step another name and nothing else."""
    async with workbench(pipeline=NUCLEI) as wb:
        await wb.press("s-tab", "R")
        await wb.wait_for("Rename step 1")
        await wb.type("s")
        await wb.press("enter")
        await wb.wait_for("Subtract backgrounds")
