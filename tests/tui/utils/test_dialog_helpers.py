"""Every question the workbench can ask, answered by keys and mouse on a screen."""
