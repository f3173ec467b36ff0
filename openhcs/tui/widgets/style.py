"""The workbench's look: one dark theme, as a dictionary for `prompt_toolkit.styles.Style.from_dict`.

Every state that matters is told by a mark, weight or reversal too, so the screen reads the same without colour.
A dotted class inherits from its parent: `selected.unfocused` starts from `selected` and takes its reversal back.

Data only; anybody under openhcs.tui may import this.
"""

from __future__ import annotations

from typing import Final

__all__ = ["STYLE"]

STYLE: Final[dict[str, str]] = {
    "screen": "bg:#16191d #d4d7da",
    # panes
    "pane": "",
    "pane.border": "#5b6570",
    "pane.border.focused": "#6cb6ff bold",
    "pane.title": "#9aa4ae",
    "pane.title.focused": "#ffffff bold",
    "pane.footer": "#9aa4ae",
    "tile": "bg:#3a1d1f #ffd9d6",
    "tile.title": "bold",
    # rows
    "selected": "reverse #d4d7da bg:#16191d",  # its own colours: others would be reversed into blocks
    "selected.unfocused": "noreverse bold bg:#2a3037",
    "mark": "bold",
    "muted": "#7f8a94",
    "key": "#6cb6ff bold",
    "label": "#b8c0c7",
    "disabled": "#5b6570",
    "folder": "#8fc7ff bold",
    # how things stand
    "error": "#ff8078 bold",
    "warning": "#e6b450",
    "ok": "#7ccf8a",
    "busy": "#6cb6ff",
    "title": "bold",
    # dialogs and their fields
    "dialog": "bg:#20252b #d4d7da",
    "dialog.border": "#9aa4ae",
    "dialog.title": "#ffffff bold",
    "field": "bg:#2d343c #ffffff",
    "field.focused": "bg:#3a4550 #ffffff bold",
    "field.invalid": "#ff8078 underline",
    "button": "#b8c0c7",
    "button.focused": "reverse bold",
    "button.disabled": "#5b6570",
    # chrome
    "status": "bg:#2a3037 #d4d7da",
    "status.error": "bg:#5c2326 #ffffff bold",
    "menu": "bg:#2a3037 #d4d7da",
    "menu.key": "underline",
    "menu.selected": "reverse bold",
    "menu.border": "#5b6570",
    "scrollbar.background": "bg:#20252b",
    "scrollbar.button": "bg:#5b6570",
}
