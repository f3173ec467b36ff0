"""Settings: what the user decides once for all plates, where each value comes from, and changing them.

A value is taken from the command line, else from the environment (`OPENHCS_WORKERS`), else from the settings file, else
it is the default. Settings are strict: an unknown key or a wrong value is a `SettingsError` with the place, the key and
what was expected, because a setting that is silently ignored costs a night of computing.

Where the file lies is in `paths`. There is no global instance: the composition root loads once and hands on.
"""

from __future__ import annotations

import io
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from openhcs.core import paths
from openhcs.core.execution import Execution, Niceness, SchedulerName
from openhcs.core.yaml_model import describe_faults, read_mapping, write_yaml
from openhcs.core.yaml_text import YamlFault, YamlText
from openhcs.errors import SettingsError

__all__ = [
    "KnownSettings",
    "Settings",
    "Source",
    "available_cores",
    "change_settings",
    "load_settings",
    "parse_setting",
    "read_settings",
    "setting_problem",
    "variable_of",
]


_LONGEST_PATH = 1000
"""Of a folder, in bytes: less than any system allows, since results lie some 200 below it."""

_LONGEST_NAME = 255


def available_cores() -> int:
    """Cores this process may use, at least 1; a batch system may allow fewer than the machine has."""
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:  # macOS has no affinity
        return max(1, os.cpu_count() or 1)


def _takes_mouse() -> bool:
    return "STY" not in os.environ or "TMUX" in os.environ


def _module_name(name: str) -> str:
    if not all(part.isidentifier() for part in name.split(".")):
        raise ValueError(f"the name of a Python module such as lab.functions, not {name!r}")
    return name


def _folder_path(path: Path) -> Path:
    """`path` without ~; ValueError, with what was expected, where no folder can be called so."""
    try:
        expanded = path.expanduser()
    except RuntimeError:
        raise ValueError("the name of somebody with a home behind ~") from None
    name = os.fsencode(expanded)
    if b"\0" in name or len(name) > _LONGEST_PATH or any(len(part) > _LONGEST_NAME for part in name.split(b"/")):
        raise ValueError(f"a path of at most {_LONGEST_PATH} bytes, and {_LONGEST_NAME} between two slashes")
    return expanded


FolderPath = Annotated[Path, AfterValidator(_folder_path)]


class Settings(BaseModel):
    """What the user decides once for all plates; every field has a default that works."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    results_folder: FolderPath = Field(
        default=Path("openhcs-results"),
        description="folder that results go into; a relative one starts at the current directory",
    )
    workers: int = Field(
        default_factory=available_cores, ge=1, description="wells processed at the same time; default: all cores"
    )
    worker_memory_gib: float | None = Field(
        default=None, gt=0, description="memory one worker may use, in GiB; without it workers share what there is"
    )
    pipelines_folder: FolderPath = Field(
        default_factory=paths.pipelines_folder, description="folder that pipelines are saved in and looked for"
    )
    function_modules: tuple[Annotated[str, AfterValidator(_module_name)], ...] = Field(
        default=(),
        description="Python modules whose functions pipelines may use; importing a module runs its code",
    )
    theme: Literal["dark", "light", "high contrast", "no colour"] = Field(
        default="dark", description="how the workbench looks"
    )
    plain: bool = Field(
        default=False, description="a workbench for screen readers: one pane at a time, no borders, words for symbols"
    )
    characters: Literal["auto", "unicode", "ascii"] = Field(
        default="auto", description="what the workbench is drawn with; auto goes by the locale"
    )
    mouse: bool = Field(
        default_factory=_takes_mouse,
        description="the workbench takes the mouse; without, the terminal's own selection works; default: yes, but not "
        "in GNU screen, which holds Escape back while the mouse is on",
    )
    notify_after_s: float | None = Field(
        default=60.0,
        ge=0,
        description="a run that took as many seconds rings the bell when it ends, and tells it on the desktop where "
        "the terminal can; without a number never",
    )
    runs_at_once: int = Field(
        default=1,
        ge=1,
        description="runs that have their turn at the same time, of those that wait for it as the workbench's do; they "
        "share workers and memory",
    )
    restore_plates: bool = Field(
        default=True, description="the workbench opens with the plates that were on its list when it was last left"
    )
    scheduler: SchedulerName | None = Field(
        default=None,
        description="Dask scheduler whose workers process the wells: tcp://host:port, tls://host:port, or its "
        "scheduler file (.json); without it workers start on this machine",
    )
    retries: int = Field(
        default=1,
        ge=0,
        description="times a well is tried again whose worker died, that took too long or could not be read",
    )
    well_timeout_s: float | None = Field(
        default=None, gt=0, description="seconds one try of a well may take; without it there is no limit"
    )
    wait_for_workers_s: float = Field(
        default=300.0, gt=0, description="seconds a run waits for a worker when there is none, before it fails"
    )
    niceness: Niceness = Field(
        default=10,
        description="how far a run lets others on this machine go first, the workbench's screen among them: 0 not at "
        "all, to 19; an idle machine it has to itself whatever this says",
    )
    check_room: bool = Field(
        default=True,
        description="refuse runs that need more memory or disk than there is, and take fewer workers where that helps",
    )
    csv: bool = Field(default=False, description="write the tables of all wells as CSV files too, besides parquet")

    @property
    def worker_memory_bytes(self) -> int | None:
        """`worker_memory_gib` in bytes."""
        return None if self.worker_memory_gib is None else round(self.worker_memory_gib * 2**30)

    @property
    def execution(self) -> Execution:
        """On whose workers wells are processed, and how patiently."""
        return Execution(
            scheduler=self.scheduler,
            retries=self.retries,
            well_timeout_s=self.well_timeout_s,
            wait_for_workers_s=self.wait_for_workers_s,
            niceness=self.niceness,
        )

    def wells_at_once(self, execution: Execution) -> int | None:
        """How many wells are processed at the same time; None takes every worker that a scheduler has."""
        return self.workers if execution.scheduler is None or "workers" in self.model_fields_set else None


class Source(Enum):
    """Where the value of a setting comes from; the later ones win."""

    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "environment"
    FLAG = "command line"


@dataclass(frozen=True, slots=True)
class KnownSettings:
    """The settings, where each comes from, and the file they are or would be in."""

    settings: Settings
    sources: Mapping[str, Source]
    file: Path


def load_settings(file: Path | None = None) -> Settings:
    """The settings as `read_settings` finds them."""
    return read_settings(file).settings


def read_settings(file: Path | None = None, flags: Mapping[str, object] | None = None) -> KnownSettings:
    """Find every setting; without file, variables and flags, the defaults.

    Args:
        file: None takes `paths.settings_file()`.
        flags: values given on the command line, by name; None is not given.

    Raises:
        SettingsError: the file cannot be read, has an unknown key, or was named and is absent; or a value is wrong.
    """
    named = file is not None or bool(os.environ.get(paths.SETTINGS_VARIABLE))
    file = file or paths.settings_file()
    given: dict[str, tuple[Source, object]] = {}
    if named or file.exists():
        given |= {name: (Source.FILE, value) for name, value in read_mapping(file).items()}
    variables = {name: os.environ.get(variable_of(name)) for name in Settings.model_fields}
    given |= {
        name: (Source.ENVIRONMENT, parse_setting(name, text)) for name, text in variables.items() if text is not None
    }
    given |= {name: (Source.FLAG, value) for name, value in (flags or {}).items() if value is not None}
    try:
        settings = Settings.model_validate({name: value for name, (_, value) in given.items()})
    except ValidationError as error:
        raise _wrong(error, {name: source for name, (source, _) in given.items()}, file) from error
    sources = {name: given[name][0] if name in given else Source.DEFAULT for name in Settings.model_fields}
    return KnownSettings(settings, sources, file)


def change_settings(changes: Mapping[str, object], reset: Collection[str] = (), file: Path | None = None) -> None:
    """Change single values in the settings file, whose comments and order stay.

    Args:
        reset: names whose values are taken out of the file.

    Raises:
        SettingsError: the file cannot be read, or a value is wrong; nothing is changed.
        StoreError: it cannot be written.
    """
    # A YAML library that keeps comments, 50 ms: for writing only.
    from ruamel.yaml import YAML

    file = file or paths.settings_file()
    content = (read_mapping(file) if file.exists() else {}) | dict(changes)
    try:
        wanted = Settings.model_validate({name: content[name] for name in content if name not in reset})
    except ValidationError as error:
        raise _wrong(error, dict.fromkeys(content, Source.FILE), file) from error
    values = wanted.model_dump(mode="json")
    editor = YAML()
    editor.preserve_quotes = True
    editor.width = 4096
    document = (editor.load(file.read_text(encoding="utf-8")) if file.exists() else None) or {}
    for name in reset:
        document.pop(name, None)
    for name in changes:
        document[name] = values[name]
    text = io.StringIO()
    if document:
        editor.dump(document, text)
    write_yaml(file, text.getvalue())


def variable_of(name: str) -> str:
    """The environment variable of a setting."""
    return f"OPENHCS_{name.upper()}"


def parse_setting(name: str, text: str) -> object:
    """The value that a text stands for, in a variable or a form: as YAML has it, a list also with commas alone."""
    try:
        value = YamlText.parse(text).data
    except YamlFault:
        return text
    if isinstance(value, dict):  # a colon in a path or an address
        return text
    takes_many = get_origin(Settings.model_fields[name].annotation) is tuple
    return [part.strip() for part in value.split(",")] if takes_many and isinstance(value, str) else value


def setting_problem(name: str, value: object) -> str | None:
    """What is wrong with a value for a setting, in the words `expected ...`; None if nothing is."""
    try:
        Settings.model_validate({name: value})
    except ValidationError as error:
        _, text = describe_faults(error, Settings)[0]
        return f"expected {text.rpartition(', expected ')[2]}"
    return None


def _wrong(error: ValidationError, sources: Mapping[str, Source], file: Path) -> SettingsError:
    """All wrong settings in one error, each with its place."""

    def place(name: str) -> str:
        match sources.get(name):
            case Source.ENVIRONMENT:
                return f"the environment variable {variable_of(name)}"
            case Source.FLAG:
                return f"{name} on the command line"
        return name

    in_file: list[str] = []
    elsewhere: list[str] = []
    for name, text in describe_faults(error, Settings, place):
        (elsewhere if sources.get(name) in (Source.ENVIRONMENT, Source.FLAG) else in_file).append(text)
    told = [f"{file} has a wrong setting: {'; '.join(in_file)}"] if in_file else []
    return SettingsError(f"{'; '.join([*told, *elsewhere])}. Correct or remove it.")
