"""What breaks in a pane becomes a tile in its place, and nothing else changes."""
