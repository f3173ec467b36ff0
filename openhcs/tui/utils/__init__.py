"""The async core: tasks, focus, errors and dialogs of any prompt_toolkit application."""
