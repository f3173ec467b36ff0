"""Another program has the workbench's terminal for a time: an editor, in a real terminal, under a shell with jobs."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from openhcs.core.pipeline_file import shipped_pipelines

pytestmark = pytest.mark.terminal

PATIENCE_S = 60.0

EDITOR = """\
import signal, sys

print("editor", "ready", flush=True)
for line in sys.stdin:
    if line.strip() == "done":
        break
    print("heard", line.strip(), flush=True)
text = open(sys.argv[1]).read()
open(sys.argv[1], "w").write(text.replace("Find nuclei", "Find cells"))
"""


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[pexpect.spawn[str]]:
    """An interactive shell in which the workbench runs as a job, with an editor that reads lines."""
    script = tmp_path / "editor.py"
    script.write_text(EDITOR, encoding="utf-8")
    environment = {
        **os.environ,
        "TERM": "xterm-256color",
        "OPENHCS_HOME": str(tmp_path),
        "LC_ALL": "C.UTF-8",
        "VISUAL": shlex.join([sys.executable, str(script)]),
        "PS1": "shell> ",
    }
    shell = pexpect.spawn(
        "bash", ["--norc", "-i"], dimensions=(24, 100), env=environment, encoding="utf-8", timeout=PATIENCE_S
    )
    shell.expect_exact("shell> ")
    nuclei = shipped_pipelines()["nuclei"]
    shell.sendline(shlex.join([sys.executable, "-m", "openhcs", "tui", "--pipeline", str(nuclei)]))
    shell.expect_exact("nuclei loaded")
    yield shell
    shell.close(force=True)


def test_an_editor_has_the_terminal_and_its_signals(shell: pexpect.spawn[str]) -> None:
    """Ctrl-Z stops the editor and the workbench together, `fg` brings the editor back; Ctrl-C ends the editor alone."""
    shell.send("\x1b")  # a newcomer is being shown around
    shell.send("\x1b[Z")
    shell.send("e")
    shell.expect_exact("editor ready")
    shell.send("\x1a")
    shell.expect_exact("Stopped")
    shell.expect_exact("shell> ")
    shell.sendline("fg")
    shell.sendline("word")
    shell.expect_exact("heard word")
    shell.sendline("done")
    shell.expect_exact("Pipeline edited")
    shell.send("e")
    shell.expect_exact("editor ready")
    shell.send("\x03")
    shell.expect_exact("The pipeline is as it was")
    shell.send("\x1b")
    shell.send("u")
    shell.expect_exact("The last change is taken back")
