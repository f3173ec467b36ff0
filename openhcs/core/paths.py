"""Where settings, state, run journals and logs live on this machine. One place; nothing else asks the system.

`OPENHCS_HOME` names one folder to hold all of them, for tests and for a portable installation; `OPENHCS_SETTINGS`
names another settings file. The folders are not made here: whoever writes makes the folder it writes into.

Anybody above `core` may import this; the async core takes its paths as arguments.
"""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import PlatformDirs

__all__ = [
    "HOME_VARIABLE",
    "SETTINGS_VARIABLE",
    "config_folder",
    "journals_folder",
    "keys_file",
    "logs_folder",
    "pipelines_folder",
    "remembered_file",
    "settings_file",
    "state_folder",
]

HOME_VARIABLE = "OPENHCS_HOME"
SETTINGS_VARIABLE = "OPENHCS_SETTINGS"

_system = PlatformDirs("openhcs", appauthor=False)


def config_folder() -> Path:
    """What the user decides: settings and pipelines."""
    home = _home()
    return home / "config" if home else _system.user_config_path


def state_folder() -> Path:
    """What the program remembers between starts."""
    home = _home()
    return home / "state" if home else _system.user_state_path


def logs_folder() -> Path:
    """The program's logs, the error journal among them."""
    home = _home()
    return home / "logs" if home else _system.user_log_path


def journals_folder() -> Path:
    """The journals of the workbench's own sessions; a run's journal lies with its results."""
    return state_folder() / "journals"


def pipelines_folder() -> Path:
    """Where pipelines are saved and looked for unless the settings name another folder."""
    return config_folder() / "pipelines"


def settings_file() -> Path:
    """The settings file: the one that `OPENHCS_SETTINGS` names, or `settings.yaml` in the config folder."""
    named = os.environ.get(SETTINGS_VARIABLE)
    return Path(named).expanduser() if named else config_folder() / "settings.yaml"


def keys_file() -> Path:
    """The file of the keys that the user has chosen for the workbench's actions."""
    return config_folder() / "keys.yaml"


def remembered_file() -> Path:
    """The file of what the program remembers; see `config.Remembered`."""
    return state_folder() / "remembered.yaml"


def _home() -> Path | None:
    named = os.environ.get(HOME_VARIABLE)
    return Path(named).expanduser().absolute() if named else None
