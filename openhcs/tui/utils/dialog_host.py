"""Dialogs over a screen: shown by a Float, removed by identity, focus claimed and given back.

G4 (its part). Cancelling whoever shows a dialog closes the dialog and gives the focus back.
G5 (its part). The keyboard and the mouse belong to the newest dialog; dialogs may close in any order.
Checked by tests/tui/utils/test_dialog_host.py, proved in tests/proofs/test_g4_cancels.py and
tests/proofs/test_g5_focus.py.
"""

from __future__ import annotations

import asyncio
import math
from typing import Any

from prompt_toolkit.key_binding.key_bindings import KeyBindings
from prompt_toolkit.layout.containers import AnyContainer, Float, FloatContainer, HSplit, to_container
from prompt_toolkit.layout.layout import FocusableElement
from prompt_toolkit.layout.mouse_handlers import MouseHandlers
from prompt_toolkit.layout.screen import WritePosition

from openhcs.tui.utils.focus_manager import FocusManager, get_focus_manager
from openhcs.tui.utils.mouse_shield import MouseShield
from openhcs.tui.utils.screen_output import is_plain

__all__ = ["FloatDialogHost"]


class FloatDialogHost:
    """Shows dialogs as floats over `root`. `focus` None means the program's focus manager at the time of each call."""

    def __init__(self, root: FloatContainer, focus: FocusManager | None = None) -> None:
        self._root = root
        self._focus = focus
        self._open: list[_OpenDialog] = []

    @property
    def depth(self) -> int:
        """How many dialogs are open."""
        return len(self._open)

    async def show_dialog(
        self,
        dialog: AnyContainer,
        result_future: asyncio.Future[Any],
        focus_target: FocusableElement | None = None,
    ) -> Any:
        """Show `dialog` until `result_future` is done and return its result.

        The focus goes to `focus_target`, or to the dialog's first focusable window, in this tick; where there is none
        to its first window, so that no key goes to what lies beneath.
        """
        focus = self._focus if self._focus is not None else get_focus_manager()
        frame = HSplit([to_container(dialog)], modal=True, key_bindings=KeyBindings())
        opened = _OpenDialog(frame, result_future)
        claim = focus.claim(frame if focus_target is None else focus_target, area=frame)
        self._root.floats.extend(opened.floats)
        self._open.append(opened)
        try:
            # For as long as it is open: its root may come onto the layout later, or come back onto it.
            claim.focus(math.inf)
            return await result_future
        finally:
            self._open.remove(opened)
            self._root.floats[:] = [shown for shown in self._root.floats if shown not in opened.floats]
            claim.release()

    def close_newest(self, reason: BaseException) -> bool:
        """End the newest dialog with `reason` as its failure; False if none is open."""
        for opened in reversed(self._open):
            if not opened.result_future.done():
                opened.result_future.set_exception(reason)
                # Taken out now and not when its owner wakes: the next frame must not draw it again.
                self._root.floats[:] = [shown for shown in self._root.floats if shown not in opened.floats]
                return True
        return False


class _OpenDialog:
    """One dialog on the screen: a shield that catches clicks meant for what lies beneath, and the dialog."""

    def __init__(self, frame: HSplit, result_future: asyncio.Future[Any]) -> None:
        self.result_future = result_future
        self.floats = (
            Float(MouseShield(_forget_all), top=0, right=0, bottom=0, left=0, transparent=True),
            # Beside a dialog a screen reader would read on in what lies beneath.
            Float(frame, top=0, right=0, bottom=0, left=0) if is_plain() else Float(frame),
        )


def _forget_all(handlers: MouseHandlers, area: WritePosition) -> None:
    """What lies beneath gets no mouse."""
    handlers.mouse_handlers.clear()
