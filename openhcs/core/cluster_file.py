"""The scheduler file of a standing cluster, and the key and certificate beside it that open the cluster to its owner.

A Dask scheduler runs whatever it is sent, so on a machine that is shared a port without a key is a shell for everybody.
Each cluster has a key of its own, made when it starts and removed when it ends; scheduler, workers and runs prove to
each other that they have it. All three files are their owner's only.

The scheduler file is Dask's own (`Client(scheduler_file=...)` takes it), with an object `tls` added that names the
files by absolute paths. Who reads it is `scheduler_address`.
"""

from __future__ import annotations

import json
import re
import socket
from dataclasses import dataclass
from pathlib import Path

from distributed import Security

from openhcs.core.whole_file import write_text
from openhcs.errors import InputError

__all__ = ["ClusterFiles", "ClusterKey"]

_PLAIN_PATH = re.compile(r"[\w./+@:,=-]+")
_ANSWERS_WITHIN_S = 2.0


@dataclass(frozen=True, slots=True)
class ClusterKey:
    """A certificate and its key, as PEM: whoever has them belongs to the cluster."""

    certificate: str
    key: str

    @classmethod
    def make(cls) -> ClusterKey:
        """A new key, good for a year."""
        made = Security.temporary().get_tls_config_for_role("client")
        return cls(certificate=made["cert"], key=made["key"])


@dataclass(frozen=True, slots=True)
class ClusterFiles:
    """Where the files of a cluster are: the scheduler file, and the others beside it."""

    scheduler: Path

    @property
    def certificate(self) -> Path:
        """The certificate, which is its own authority."""
        return self.scheduler.with_suffix(".cert.pem")

    @property
    def key(self) -> Path:
        """The certificate's key."""
        return self.scheduler.with_suffix(".key.pem")

    @property
    def logs(self) -> Path:
        """The folder of the logs of scheduler and jobs."""
        return self.scheduler.with_suffix(".logs")

    def security(self) -> Security:
        """What Dask takes to connect and to listen with the key; refuses all that is not encrypted."""
        certificate, key = str(self.certificate), str(self.key)
        return Security(
            require_encryption=True,
            tls_ca_file=certificate,
            tls_client_cert=certificate,
            tls_client_key=key,
            tls_scheduler_cert=certificate,
            tls_scheduler_key=key,
            tls_worker_cert=certificate,
            tls_worker_key=key,
        )

    def check(self) -> None:
        """Find out whether a cluster can be started with these files.

        Raises:
            InputError: it cannot, or one that uses them is running.
        """
        path = self.scheduler
        if path.suffix != ".json" or not path.is_absolute():
            raise InputError(f"scheduler file: {path}; expected an absolute path that ends in .json.")
        if not _PLAIN_PATH.fullmatch(str(path)):
            raise InputError(
                f"scheduler file: {path}; expected a path of letters, digits and . _ - / only, since it goes into job "
                "scripts. Name another with --file."
            )
        if not path.parent.is_dir():
            raise InputError(
                f"scheduler file: {path}; expected a folder that exists, on a disk that every node sees. Make it first."
            )
        if (address := self._address()) is not None and _answers(address):
            raise InputError(
                f"scheduler file: {path} is that of a cluster at {address}, which is running; expected a name that is "
                "not in use. Use that cluster, end it, or give this one another --name."
            )

    def write_key(self, key: ClusterKey) -> None:
        """Write the key, before the scheduler starts with it."""
        write_text(self.certificate, key.certificate, private=True)
        write_text(self.key, key.key, private=True)
        self.logs.mkdir(mode=0o700, exist_ok=True)

    def write_address(self, address: str) -> None:
        """Write the scheduler file, when the scheduler can be reached."""
        certificate = str(self.certificate)
        tls = {"ca_file": certificate, "cert_file": certificate, "key_file": str(self.key)}
        document = {"type": "Scheduler", "address": address, "workers": {}, "tls": tls}
        write_text(self.scheduler, json.dumps(document, indent=2) + "\n", private=True)

    def remove(self) -> None:
        """Remove the scheduler file and the key; the logs stay."""
        for path in (self.scheduler, self.key, self.certificate):
            path.unlink(missing_ok=True)

    def _address(self) -> str | None:
        try:
            return str(json.loads(self.scheduler.read_bytes())["address"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None


def _answers(address: str) -> bool:
    host, _, port = address.rpartition("://")[2].rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWERS_WITHIN_S):
            return True
    except (OSError, ValueError):
        return False
