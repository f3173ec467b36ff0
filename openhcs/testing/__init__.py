"""Tools for testing asyncio programs and the workbench."""
