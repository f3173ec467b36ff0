"""What a project says in `[tool.openhcs-verify]` of its pyproject.toml, and which rules that leaves.

Standard library only.
"""

from __future__ import annotations

import fnmatch
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openhcs.verify.rules import RULES, Settings

__all__ = ["Config", "UsageError", "chosen", "load_config"]

TABLE = "openhcs-verify"
_LISTS = ("select", "ignore", "exclude", "owner", "blocking")
_TEXTS = ("baseline", "spawner", "focus")


class UsageError(ValueError):
    """What was asked for, or a setting, cannot be used; the message says what was expected."""


@dataclass(frozen=True)
class Config:
    """The settings of a project. Patterns of paths are relative to `root`, the folder of its pyproject.toml."""

    root: Path
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    owner: tuple[str, ...] = ()
    blocking: tuple[str, ...] = ()
    per_file_ignores: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    baseline: Path | None = None
    spawner: str | None = None
    """What a fix hands coroutines to, as `module:expression`."""
    focus: str | None = None
    """What a fix awaits to have the focus set, as `module:expression`."""

    @property
    def settings(self) -> Settings:
        """What the rules need to know."""
        return Settings(self.owner, self.blocking)

    def is_excluded(self, path: Path) -> bool:
        """Whether a file or folder is left out."""
        return any(self._matches(path, pattern) for pattern in self.exclude)

    def is_ignored(self, path: Path, code: str) -> bool:
        """Whether findings of a code are left out in a file."""
        return any(
            code.startswith(codes) and self._matches(path, pattern) for pattern, codes in self.per_file_ignores.items()
        )

    def _matches(self, path: Path, pattern: str) -> bool:
        path = path.absolute()
        relative = path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.as_posix()
        pattern = pattern.rstrip("/")
        return (
            fnmatch.fnmatch(relative, pattern)
            or fnmatch.fnmatch(relative, f"{pattern}/*")
            or ("/" not in pattern and fnmatch.fnmatch(path.name, pattern))
        )


def load_config(start: Path) -> Config:
    """The settings of the project that `start` is in: of the nearest pyproject.toml at or above it."""
    folder = start.absolute() if start.is_dir() else start.absolute().parent
    for root in (folder, *folder.parents):
        file = root / "pyproject.toml"
        if file.is_file():
            try:
                document = tomllib.loads(file.read_text(encoding="utf-8"))
            except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
                raise UsageError(f"settings: {file}; expected TOML, but {error}. Mend the file.") from error
            table = document.get("tool", {}).get(TABLE)
            return Config(root) if table is None else _parsed(table, root, file)
    return Config(folder)


def _parsed(table: object, root: Path, file: Path) -> Config:
    if not isinstance(table, dict):
        raise UsageError(f"settings: tool.{TABLE} in {file}; expected a table. Mend the file.")
    known = {*_LISTS, *_TEXTS, "per-file-ignores"}
    for key in table:
        if key not in known:
            raise UsageError(f"settings: {key} in {file}; expected one of {', '.join(sorted(known))}. Mend the file.")
    lists: dict[str, Any] = {key: _strings(table.get(key, []), key, file) for key in _LISTS}
    for key in ("select", "ignore"):
        _check_codes(lists[key], f"{key} in {file}")
    ignores = table.get("per-file-ignores", {})
    if not isinstance(ignores, dict):
        raise UsageError(f"settings: per-file-ignores in {file}; expected a table. Mend the file.")
    per_file = {pattern: _strings(codes, pattern, file) for pattern, codes in ignores.items()}
    for pattern, codes in per_file.items():
        _check_codes(codes, f"{pattern} in {file}")
    texts: dict[str, Any] = {key: table.get(key) for key in _TEXTS}
    for key, value in texts.items():
        if value is not None and not isinstance(value, str):
            raise UsageError(f"settings: {key} in {file}; expected one text. Mend the file.")
    baseline = texts.pop("baseline")
    return Config(
        root, **lists, **texts, per_file_ignores=per_file, baseline=None if baseline is None else root / baseline
    )


def _strings(value: object, key: str, file: Path) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise UsageError(f"settings: {key} in {file}; expected a list of texts. Mend the file.")
    return tuple(value)


def _check_codes(codes: Iterable[str], where: str) -> None:
    for code in codes:
        if not code or not any(known.startswith(code) for known in RULES):
            raise UsageError(f"{where}: {code!r}; expected the beginning of a code, such as HCS101 or HCS1.")


def chosen(config: Config, select: Sequence[str] | None = None, ignore: Sequence[str] = ()) -> list[str]:
    """The codes to check: those selected, without those ignored. What is selected by its full code is never ignored
    by the settings."""
    for codes, where in ((select or (), "--select"), (ignore, "--ignore")):
        _check_codes(codes, where)
    wanted = tuple(select) if select else config.select or tuple(RULES)
    unwanted = (*ignore, *(code for code in config.ignore if code not in (select or ())))
    return [code for code in RULES if code.startswith(wanted) and not (unwanted and code.startswith(unwanted))]
