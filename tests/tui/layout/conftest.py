"""What the tests of the whole workbench share: a loop each, a home of their own, and a small demo plate."""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path

import pytest

# What the workbench imports in threads is imported here: pytest takes the source of each module apart, which Python
# 3.11 cannot do in two threads at once ("AST constructor recursion depth mismatch", python/cpython#106905).
import openhcs.core.previews
import openhcs.core.well_records
import openhcs.core.well_tables  # noqa: F401
from openhcs.core.demo_plate import make_demo_plate


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an asynchronous test on a loop of its own, on which no task may be left when it ends."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}

    async def test_alone() -> None:
        await pyfuncitem.obj(**arguments)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks were left behind: {left}"

    asyncio.run(test_alone())
    return True


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory for every test, with settings, state and results below it."""
    monkeypatch.setenv("OPENHCS_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("OPENHCS_SETTINGS", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo plate of two wells, small enough to run in a test."""
    folder = tmp_path_factory.mktemp("plates") / "demo"
    return make_demo_plate(folder, wells=("B02", "B03"), sites=1, size_px=128).folder
