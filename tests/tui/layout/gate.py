"""Runs that wait until a test lets them go on, which makes the moments of a run certain."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from openhcs.core.orchestrator import Run
from openhcs.errors import RunError

RUN_S = 120.0


class Gate:
    """A pipeline whose wells wait in a function of the user's own until `open` is called, and then do `ending`."""

    def __init__(self, folder: Path, name: str, function: str, ending: str) -> None:
        module = f"{function}_{folder.name}"
        self.pipeline = folder / f"{name}.yaml"
        self.out = folder / "openhcs-results" / "demo" / name
        self._signal = folder / "gate-is-open"
        (folder / f"{module}.py").write_text(
            "import time\nfrom pathlib import Path\nfrom openhcs.processing.types import Image\n"
            f'__all__ = ["{function}"]\n'
            f'def {function}(image: Image) -> Image:\n    """Wait for the gate."""\n'
            f"    while not Path({str(self._signal)!r}).exists():\n        time.sleep(0.02)\n    {ending}\n"
        )
        self.pipeline.write_text(f"name: {name}\nsteps:\n  - name: {function.title()}\n    functions: {function}\n")
        settings = folder / "home" / "config" / "settings.yaml"
        settings.parent.mkdir(parents=True)
        settings.write_text(f"workers: 1\nfunction_modules: [{module}]\n")

    def open(self) -> None:
        self._signal.touch()


@contextmanager
def closed_gate(folder: Path, name: str, function: str, ending: str) -> Iterator[Gate]:
    """A gate that is opened in the end, when its run is waited for."""
    gate = Gate(folder, name, function, ending)
    yield gate
    gate.open()
    with suppress(RunError):  # where none was begun
        Run.attach(gate.out).wait(RUN_S)
