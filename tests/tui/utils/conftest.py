"""Tests of the async core start afresh, and the asynchronous ones run with and without debug mode."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator

import pytest

from openhcs.tui.utils import dialog_helpers, focus_manager, safe_error_handler, unified_task_manager


def _forget_globals() -> None:
    if dialog_helpers._global_hooks is not None:
        dialog_helpers._global_hooks.restore()
    dialog_helpers._global_hooks = None
    dialog_helpers.use_file_browser(None)
    unified_task_manager._global_task_manager = None
    focus_manager._global_focus_manager = None
    safe_error_handler._global_error_handler = None


@pytest.fixture(autouse=True)
def nothing_remembered(nothing_left_behind: None) -> Iterator[None]:
    """No accessor remembers the test before."""
    _forget_globals()
    yield
    _forget_globals()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """An asynchronous test is two tests: the loop in debug mode, and as it is in production."""
    if inspect.iscoroutinefunction(metafunc.function):
        metafunc.fixturenames.append("_debug_mode")
        metafunc.parametrize("_debug_mode", [True, False], ids=["debug", "plain"])


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an asynchronous test on a fresh loop, on which nothing may be left when it ends."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}

    async def test_alone() -> None:
        await pyfuncitem.obj(**arguments)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks were left behind: {left}"

    asyncio.run(test_alone(), debug=pyfuncitem.callspec.params["_debug_mode"])
    return True
