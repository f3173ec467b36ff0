"""The pieces of Python on the guides run: one after the other, as a reader would put them together."""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.layout.containers import Window
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.output import DummyOutput

from openhcs.core import paths
from openhcs.core.demo_plate import make_demo_plate
from openhcs.tui.utils.error_boundary import ErrorBoundary
from openhcs.tui.utils.program import Program

GUIDES = Path(__file__).resolve().parents[1] / "docs" / "guides"


def snippets(page: str, language: str = "python") -> list[str]:
    """The blocks of one language on a guide."""
    text = (GUIDES / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a demo plate of two wells, on the path of modules."""
    folder = tmp_path_factory.mktemp("guides")
    make_demo_plate(folder / "demo-plate", wells=("B02", "B03"), sites=1, size_px=256)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(paths.HOME_VARIABLE, str(folder / "home"))
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        patch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *sys.path[:1], os.environ.get("PYTHONPATH", "")]))
        yield folder


def says(folder: Path, *command: str, **more: str) -> str:
    """What a command prints; it must end well."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, check=False, env={**os.environ, **more}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_functions_of_the_guide_are_functions_of_a_pipeline(folder: Path) -> None:
    """Those of the module are described, and the pipeline that calls one fits a plate."""
    (folder / "lab_functions.py").write_text("\n".join(snippets("your-own-functions.md")), encoding="utf-8")
    (folder / "inverted.yaml").write_text(snippets("your-own-functions.md", "yaml")[0], encoding="utf-8")
    known = {"OPENHCS_FUNCTION_MODULES": "lab_functions"}
    assert "white: a number, at least 0; default 65535" in says(folder, "openhcs", "functions", "invert", **known)
    listed = says(folder, "openhcs", "functions", **known)
    assert all(name in listed for name in ("measure_borders", "scale_to_plate"))
    forecast = says(folder, "openhcs", "run", "demo-plate", "-p", "inverted.yaml", "--dry-run", **known)
    assert "1 Invert: invert" in forecast


def test_functions_of_the_guide_do_what_they_say() -> None:
    """Each gives what its docstring promises."""
    scope: dict[str, Any] = {}
    exec("\n".join(snippets("your-own-functions.md")), scope)
    image = np.full((1, 4, 4), 10, np.float32)
    labels = np.zeros((1, 4, 4), np.int32)
    labels[0, 0, 0], labels[0, 1, 1], labels[0, 3, 2] = 1, 2, 3
    assert scope["invert"](image, white=12).max() == 2
    assert scope["measure_borders"](image, labels=labels, pixel_size_um=0.5)["at_border"] == [2]
    assert scope["scale_to_plate"](image, tops=[scope["find_range"](list(image))]).max() == 1


def test_the_pieces_of_the_guide_to_the_core_run() -> None:
    """Each piece runs in a program that is on the screen, with the reader's own names standing for work."""
    pieces = snippets("your-own-app.md")
    program = Program()
    scope = _readers_names(program)
    done: list[str] = []

    async def run_pieces() -> None:
        try:
            for piece in pieces:
                if "SystemExit" in piece or "pytest.fixture" in piece:  # a program and a test of their own
                    compile(piece, "your-own-app.md", "exec")
                else:
                    code = compile(piece, "your-own-app.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
                    work = eval(code, dict(scope))
                    if inspect.isawaitable(work):
                        await work
                done.append(piece)
        finally:
            program.exit(0)

    async def show(pipe: PipeInput) -> None:
        window = Window(FormattedTextControl("hello", focusable=True))
        async with asyncio.timeout(60), _answers(pipe, program):
            await program.run_async(window, start=run_pieces)

    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        asyncio.run(show(pipe))
    assert len(done) == len(pieces)


def _readers_names(program: Program) -> dict[str, Any]:
    """What the pieces take for granted: work of the reader's own, and an error that was caught."""

    async def work(*_: object) -> None:
        """Do nothing, as a task."""

    return {
        "program": program, "Program": Program, "save": work, "load": work, "search": work, "follow": work, "text": "",
        "error": ValueError("made for the guide"), "build_pane": Window, "ErrorBoundary": ErrorBoundary,
    }  # fmt: skip


class _answers:  # noqa: N801 - reads as a statement
    """Presses Enter on whatever dialog is open, as long as the block lasts."""

    def __init__(self, pipe: PipeInput, program: Program) -> None:
        self._pipe, self._program = pipe, program

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._answer())

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _answer(self) -> None:
        while True:  # dialogs tell nobody that they wait
            await asyncio.sleep(0.05)
            if self._program.dialogs is not None and self._program.dialogs.depth:
                self._pipe.send_text("\r")
