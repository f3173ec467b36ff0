"""Settings the user decides, and the little that the program remembers. Both frozen, both YAML, both saved atomically.

Settings are strict: an unknown key or a wrong value is a `SettingsError` with the file, the key and what was expected,
because a setting that is silently ignored costs a night of computing. What is remembered is forgiving: a broken file
is set aside and the program starts without it.

Where the files lie is in `paths`. There is no global instance: the composition root loads once and hands on.
"""

from __future__ import annotations

import difflib
import logging
import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from openhcs.core import paths
from openhcs.core.execution import Execution, SchedulerName
from openhcs.core.whole_file import deny_others, write_text
from openhcs.core.yaml_text import YamlFault, YamlText
from openhcs.errors import SettingsError, StoreError

__all__ = [
    "Remembered",
    "Settings",
    "available_cores",
    "load_remembered",
    "load_settings",
    "save_remembered",
    "save_settings",
]

log = logging.getLogger(__name__)

REMEMBERED_AT_MOST = 20
"""Recent plates, and recent pipelines, that are kept."""


def available_cores() -> int:
    """Cores this process may use, at least 1; a batch system may allow fewer than the machine has."""
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:  # macOS has no affinity
        return max(1, os.cpu_count() or 1)


def _module_name(name: str) -> str:
    if not all(part.isidentifier() for part in name.split(".")):
        raise ValueError(f"the name of a Python module such as lab.functions, not {name!r}")
    return name


FolderPath = Annotated[Path, AfterValidator(Path.expanduser)]


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
        default=None, gt=0, description="memory one worker may use, in GiB; null shares what the machine has"
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

    notify_after_s: float | None = Field(
        default=60.0,
        ge=0,
        description="a run that took as many seconds rings the bell when it ends, and tells it on the desktop where the "
        "terminal can; null never does",
    )
    scheduler: SchedulerName | None = Field(
        default=None,
        description="Dask scheduler whose workers process the wells: tcp://host:port, tls://host:port, or its "
        "scheduler file (.json); null starts workers on this machine",
    )
    retries: int = Field(
        default=1,
        ge=0,
        description="times a well is tried again whose worker died, that took too long or could not be read",
    )
    well_timeout_s: float | None = Field(
        default=None, gt=0, description="seconds one try of a well may take; null sets no limit"
    )
    wait_for_workers_s: float = Field(
        default=300.0, gt=0, description="seconds a run waits for a worker when there is none, before it fails"
    )

    check_room: bool = Field(
        default=True,
        description="refuse runs that need more memory or disk than there is, and take fewer workers where that helps",
    )

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
        )

    def wells_at_once(self, execution: Execution) -> int | None:
        """How many wells are processed at the same time; None takes every worker that a scheduler has."""
        return self.workers if execution.scheduler is None or "workers" in self.model_fields_set else None


class Remembered(BaseModel):
    """What the program remembers between starts, most recent first."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    folder: Path | None = Field(default=None, description="folder last browsed")
    plates: tuple[Path, ...] = Field(default=(), description="plates opened")
    pipelines: tuple[Path, ...] = Field(default=(), description="pipeline files opened or saved")

    def with_folder(self, folder: Path) -> Self:
        """The same with `folder` as the one last browsed."""
        return self.model_copy(update={"folder": folder})

    def with_plate(self, plate: Path) -> Self:
        """The same with `plate` as the most recent one."""
        return self.model_copy(update={"plates": _most_recent(plate, self.plates)})

    def with_pipeline(self, pipeline: Path) -> Self:
        """The same with `pipeline` as the most recent one."""
        return self.model_copy(update={"pipelines": _most_recent(pipeline, self.pipelines)})


def load_settings(file: Path | None = None) -> Settings:
    """Read the settings; without a file, the defaults.

    Args:
        file: Read this file. None takes `paths.settings_file()`.

    Raises:
        SettingsError: The file cannot be read, has an unknown key or a wrong value, or was named and is absent.
    """
    named = file is not None or bool(os.environ.get(paths.SETTINGS_VARIABLE))
    file = file or paths.settings_file()
    if not named and not file.exists():
        return Settings()
    return _load(file, Settings)


def save_settings(settings: Settings, file: Path | None = None) -> None:
    """Write what was set on purpose, so that a default goes on following the machine and the program.

    Raises:
        StoreError: The file cannot be written.
    """
    _save(file or paths.settings_file(), settings)


def load_remembered(file: Path | None = None) -> Remembered:
    """Read what the program remembers; a file that cannot be understood is set aside, with a warning."""
    file = file or paths.remembered_file()
    if not file.exists():
        return Remembered()
    try:
        return _load(file, Remembered)
    except SettingsError as error:
        aside = file.with_name(f"{file.name}.broken")
        log.warning("Recent plates and pipelines are forgotten; the file is kept as %s. %s", aside, error)
        try:
            file.replace(aside)
        except OSError as failure:
            log.warning("%s could not be set aside: %s", file, failure)
        return Remembered()


def save_remembered(remembered: Remembered, file: Path | None = None) -> None:
    """Write what the program remembers; failing to is a warning, since nothing of the user's is lost."""
    try:
        _save(file or paths.remembered_file(), remembered)
    except StoreError as error:
        log.warning("Recent plates and pipelines are not remembered: %s", error)


Model = TypeVar("Model", bound=BaseModel)


def _most_recent(path: Path, others: tuple[Path, ...]) -> tuple[Path, ...]:
    return (path, *(other for other in others if other != path))[:REMEMBERED_AT_MOST]


def _load(file: Path, model: type[Model]) -> Model:
    try:
        content = YamlText.parse(file.read_text(encoding="utf-8")).data
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{file} cannot be read: {error}; expected a YAML file. Correct or remove the file."
        ) from error
    except YamlFault as error:
        line = f", line {error.line}" if error.line is not None else ""
        raise SettingsError(
            f"{file}{line} is not YAML: {error}; expected lines of `key: value`. Correct or remove the file."
        ) from error
    if content is None:  # an empty file, or one of comments only
        return model()
    if not isinstance(content, dict):
        raise SettingsError(f"{file} holds a {type(content).__name__}; expected lines of `key: value`.")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        faults = [_describe(fault, model) for fault in error.errors(include_url=False)]
        raise SettingsError(f"{file} has a wrong setting: {'; '.join(faults)}. Correct or remove it.") from error


def _describe(fault: Any, model: type[BaseModel]) -> str:
    """One fault of pydantic's (an `ErrorDetails`) as `<key>: <value>, expected <...>`."""
    key = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        known = list(model.model_fields)
        close = difflib.get_close_matches(key, known, n=1)
        return f"{key} is unknown, expected {close[0] if close else 'one of ' + ', '.join(known)}"
    expected = fault["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    return f"{key}: {fault['input']!r}, expected {expected}"


def _save(file: Path, model: BaseModel) -> None:
    text = yaml.safe_dump(model.model_dump(mode="json", exclude_unset=True), sort_keys=False, allow_unicode=True)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file, text)
        deny_others(file)  # settings name modules, whose code is run
    except OSError as error:
        raise StoreError(
            f"{file} cannot be saved: {error}; expected a folder that can be written. Free space or permissions first."
        ) from error
