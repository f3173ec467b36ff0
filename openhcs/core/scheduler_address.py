"""Where a Dask scheduler is and how one talks to it: from an address, or from a scheduler file.

A scheduler file is what `dask scheduler --scheduler-file` writes, JSON with an `address`. It may have one key more,
`tls`, with `ca_file`, `cert_file` and `key_file`, paths that start at the file's folder. Without it certificates come
from Dask's own configuration (`distributed.comm.tls`), also through its environment variables.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from distributed.security import Security

from openhcs.errors import RunError

__all__ = ["SchedulerAddress", "find_scheduler"]

_TLS_KEYS = ("ca_file", "cert_file", "key_file")


@dataclass(frozen=True, slots=True)
class SchedulerAddress:
    """Where a scheduler listens, and what proves who one is."""

    address: str
    security: Security


def find_scheduler(where: str) -> SchedulerAddress:
    """What the name of a scheduler says, see `execution.scheduler_name`.

    Raises:
        RunError: the file cannot be read, or what is needed for an encrypted connection is lacking.
    """
    if where.endswith(".json"):
        return _read_file(Path(where))
    return _checked(where, Security())


def _read_file(path: Path) -> SchedulerAddress:
    try:
        content = json.loads(path.read_bytes())
        address, tls = str(content["address"]), content.get("tls")
        files = None if tls is None else {key: str(path.parent / tls[key]) for key in _TLS_KEYS}
    except OSError as error:
        raise RunError(
            f"scheduler file: {path} ({error.strerror}); expected a file that the scheduler wrote. Start the scheduler."
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(
            f"scheduler file: {path} is damaged ({error!r}); expected JSON with an address, and under tls the paths "
            f"{', '.join(_TLS_KEYS)}."
        ) from error
    if files is None:
        return _checked(address, Security())
    security = Security(
        require_encryption=True,
        tls_ca_file=files["ca_file"],
        tls_client_cert=files["cert_file"],
        tls_client_key=files["key_file"],
    )
    return _checked(address, security)


def _checked(address: str, security: Security) -> SchedulerAddress:
    if address.startswith("tls://") and not (security.tls_ca_file and security.tls_client_cert):
        raise RunError(
            f"scheduler: {address} is encrypted and no certificate is configured; expected Dask's settings "
            "distributed.comm.tls.ca-file and .client.cert, or a scheduler file with tls."
        )
    return SchedulerAddress(address, security)
