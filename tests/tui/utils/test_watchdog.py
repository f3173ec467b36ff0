"""The watchdog: what blocks the loop is named, once, while it blocks."""

from __future__ import annotations

import threading
import time

from openhcs.tui.utils.watchdog import BlockedLoop, Watchdog


async def test_what_blocks_the_loop_is_told_while_it_blocks() -> None:
    """The report comes from another thread, and its stack leads to the blocking line."""
    told: list[BlockedLoop] = []
    heard = threading.Event()

    def on_blocked(blocked: BlockedLoop) -> None:
        told.append(blocked)
        heard.set()

    watchdog = Watchdog(on_blocked, threshold_s=0.05)
    watchdog.start()
    try:
        assert heard.wait(10), "nothing was told while the loop was blocked"
    finally:
        watchdog.stop()
    assert len(told) == 1
    assert any("test_what_blocks_the_loop" in line for line in told[0].stack)
    assert told[0].seconds >= 0.05
    assert time.monotonic() > 0
