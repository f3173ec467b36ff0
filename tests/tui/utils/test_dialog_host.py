"""Dialogs come and go over a screen in any order, each with the keyboard while it is the newest."""
