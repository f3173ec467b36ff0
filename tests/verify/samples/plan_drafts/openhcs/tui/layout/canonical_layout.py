"""The launcher and layout before the plan, retyped."""

import asyncio

from prompt_toolkit.application import Application, get_app
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.layout import Layout
from prompt_toolkit.widgets import Button

from openhcs.tui.utils.dialog_helpers import setup_global_exception_handler, show_global_error_sync
from openhcs.tui.utils.safe_error_handler import safe_show_error_sync


class CanonicalTUILayout:
    def __init__(self, app_state):
        self.app_state = app_state
        self.kb = KeyBindings()
        self.button = Button("Pipeline", handler=lambda: get_app().create_background_task(self.create_editor()))  # expect: HCS202
        self.help = Button("Help", handler=self.show_help)  # expect: HCS301

        @self.kb.add("f5")
        def _(event):
            try:
                self.reload()
            except Exception as e:
                safe_show_error_sync(e, "reload", app_state)

    async def show_help(self):
        await self.app_state.show_dialog("help", None)

    async def create_editor(self):
        self.app_state.open("editor")

    def reload(self):
        self.loader = lambda: asyncio.get_event_loop().create_task(self.create_editor())
        asyncio.get_event_loop().call_soon(lambda: asyncio.create_task(self.create_editor()))  # expect: HCS201

    async def run(self):
        app = Application(layout=Layout(self.button), key_bindings=self.kb, full_screen=True)
        setup_global_exception_handler(self.app_state)
        asyncio.get_event_loop().set_exception_handler(print)  # expect: HCS303, HCS304
        try:
            return await app.run_async()
        except Exception as e:
            show_global_error_sync(e, "run", self.app_state)
