"""The workbench's screen as a whole, and its start."""
