"""What a worker process is doing, as a run's runner tells it over the control socket to those who follow the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from pydantic import TypeAdapter, ValidationError

from openhcs.core.journal import Json
from openhcs.errors import RunError

__all__ = ["WorkerStatus", "status_from_json", "status_to_json"]


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One worker: where it is, the memory its process has, and the well it is at, with the seconds since that began."""

    address: str
    host: str
    pid: int
    memory_bytes: int
    well: str | None = None
    seconds: float | None = None


@cache
def _adapter() -> TypeAdapter[tuple[WorkerStatus, ...]]:
    return TypeAdapter(tuple[WorkerStatus, ...])


def status_to_json(workers: Sequence[WorkerStatus]) -> Json:
    """The workers as they go over the socket."""
    plain: Json = _adapter().dump_python(tuple(workers), mode="json")
    return plain


def status_from_json(plain: Json) -> tuple[WorkerStatus, ...]:
    """The workers as they came over the socket; raises `RunError` if they are none."""
    try:
        return _adapter().validate_python(plain)
    except ValidationError as error:
        raise RunError(f"run: its runner told of workers as {plain!r}; expected a list of workers.") from error
