"""What keys and menus start: work with the engine, files and dialogs, whose outcome comes back as actions."""
