"""The panes are tested as parts of the whole workbench, with what its tests share."""

from tests.tui.layout.conftest import home, pytest_pyfunc_call

__all__ = ["home", "pytest_pyfunc_call"]
