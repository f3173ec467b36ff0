"""OpenHCS: a terminal workbench and engine for high-content screening plates."""

__version__ = "0.1.0"
