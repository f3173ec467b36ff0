"""The smallest application on the core: press a letter to break something, and go on. `q` leaves."""

import asyncio
import threading

from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.layout.containers import Window
from prompt_toolkit.layout.controls import FormattedTextControl

from openhcs.tui.utils.error_boundary import ErrorBoundary
from openhcs.tui.utils.program import Program

program, keys, broken = Program(), KeyBindings(), set()


def draw() -> str:
    return "k key  t task  h thread  c callback  s storm  d drawing (7 mends)  b block  q quit" if not broken else 1 / 0


async def fail(what: str) -> None:
    raise RuntimeError(f"this {what} failed")


keys.add("k")(lambda event: {}["a missing key"])
keys.add("t")(lambda event: program.tasks.fire_and_forget(fail("task"), "a task"))
keys.add("h")(lambda event: threading.Thread(target=lambda: 1 / 0).start())
keys.add("c")(lambda event: asyncio.get_running_loop().call_soon(lambda: 1 / 0))
keys.add("s")(lambda event: [program.tasks.fire_and_forget(fail("storm"), "storm") for _ in range(900)])
keys.add("d")(lambda event: broken.add("drawing"))
keys.add("7")(lambda event: broken.clear())
keys.add("b")(lambda event: threading.Event().wait(2))
keys.add("q")(lambda event: program.exit(0))

if __name__ == "__main__":
    window = Window(FormattedTextControl(draw, focusable=True))
    pane = ErrorBoundary(lambda: window, "pane", program.errors.handle_error_sync, on_details=program.show_details)
    raise SystemExit(program.show(pane, key_bindings=keys))
