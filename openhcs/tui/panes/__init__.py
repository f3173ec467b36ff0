"""The parts of the workbench's screen."""
