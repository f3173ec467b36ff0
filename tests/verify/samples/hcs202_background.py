from prompt_toolkit.application import Application, get_app
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.widgets import Button

kb = KeyBindings()
app = Application(full_screen=True, key_bindings=kb)


async def save():
    with open("x") as file:
        file.read()


async def save_safely():
    try:
        await save()
    except Exception as error:
        print(error, file=None)


@kb.add("s")
def _save(event):
    event.app.create_background_task(save())  # expect: HCS202


@kb.add("t")
def _save_safely(event):
    event.app.create_background_task(save_safely())


button = Button("save", handler=lambda: get_app().create_background_task(save()))  # expect: HCS202


def kept(tasks):
    tasks.append(app.create_background_task(save()))
