from prompt_toolkit import PromptSession, prompt
from prompt_toolkit.application import Application, in_terminal, run_in_terminal
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.shortcuts import message_dialog, yes_no_dialog
from prompt_toolkit.widgets import Button

kb = KeyBindings()
app = Application(key_bindings=kb)
session = PromptSession()


@kb.add("a")
async def _nested(event):
    await message_dialog(title="x", text="y").run_async()  # expect: HCS503


@kb.add("b")
def _asks(event):
    if yes_no_dialog(title="x").run():  # expect: HCS503
        ask()


def ask():
    prompt("name: ")  # expect: HCS503
    input("really? ")  # expect: HCS503
    session.prompt("more: ")  # expect: HCS503


def open_dialog():
    Application(full_screen=True).run()  # expect: HCS503


Button("open", handler=open_dialog)


@kb.add("c")
async def _gives_back(event):
    async with in_terminal():
        await message_dialog(title="x", text="y").run_async()
    await run_in_terminal(only_there)


def only_there():
    return input("fine")


def main():
    name = prompt("name: ")
    app.run()
    return name
