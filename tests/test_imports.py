"""What a start loads, seen in fresh interpreters; the arrows between our own modules are import-linter's."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import pytest

import openhcs.core
import openhcs.tui.utils

HEAVY = {
    "dask", "distributed", "imagecodecs", "ngio", "pandas", "polars", "scipy", "skimage", "tifffile", "zarr",
}  # fmt: skip
"""What only a run needs: together some three seconds and 200 MiB."""

PROBE = """
import importlib, sys
before = set(sys.modules)
for name in sys.argv[1:]:
    importlib.import_module(name)
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)))
"""


def loaded_by(*modules: str) -> set[str]:
    """Top packages, other than the standard library's, that importing `modules` loads."""
    probe = subprocess.run([sys.executable, "-c", PROBE, *modules], check=True, capture_output=True, text=True)
    return set(probe.stdout.split())


def modules_of(package: str, path: list[str]) -> list[str]:
    """The modules directly in a package."""
    return [module.name for module in pkgutil.iter_modules(path, f"{package}.")]


def test_the_async_core_needs_prompt_toolkit_and_pygments_only() -> None:
    """Any prompt_toolkit application can use the core without paying for the engine."""
    core = modules_of("openhcs.tui.utils", openhcs.tui.utils.__path__)
    assert "openhcs.tui.utils.unified_task_manager" in core
    assert loaded_by(*core) <= {"openhcs", "prompt_toolkit", "pygments", "wcwidth"}


@pytest.mark.parametrize("door", ["openhcs.cli", "openhcs.core.orchestrator"])
def test_the_doors_load_none_of_what_only_a_run_needs(door: str) -> None:
    """The command line and the engine's door start without the science libraries."""
    assert not loaded_by(door) & HEAVY


def test_the_help_loads_neither_the_engine_nor_the_terminal() -> None:
    """`openhcs --help` answers at once: its imports are the command line's own."""
    help_ = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "openhcs", "--help"], check=True, capture_output=True, text=True
    )
    assert "demo" in help_.stdout
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in help_.stderr.splitlines()}
    assert "typer" in imported
    assert not imported & (HEAVY | {"prompt_toolkit"})


def test_the_engine_never_loads_the_terminal() -> None:
    """Every module of the engine can be imported where prompt_toolkit does not exist."""
    engine = modules_of("openhcs.core", openhcs.core.__path__)
    assert "openhcs.core.compiler" in engine
    assert "prompt_toolkit" not in loaded_by(*engine)


def test_the_explorer_needs_the_standard_library_only() -> None:
    """Authors of other programs pay for no dependency: neither prompt_toolkit nor pytest, unless they ask for them."""
    assert loaded_by("openhcs.testing.explore") == {"openhcs"}
    assert loaded_by("openhcs.testing.explore.headless") <= {"openhcs", "prompt_toolkit", "pygments", "wcwidth"}


def test_the_workbench_opens_without_what_it_needs_later() -> None:
    """`openhcs tui` waits neither for the parser of the command line nor for pydantic: its first frame needs none."""
    loaded = loaded_by("openhcs.__main__", "openhcs.tui.layout.simple_launcher")
    assert "prompt_toolkit" in loaded
    assert not loaded & (HEAVY | {"typer", "pydantic", "numpy"})
