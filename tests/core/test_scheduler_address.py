"""How a user names a scheduler: by address, or by its scheduler file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openhcs.core.execution import Execution, scheduler_name
from openhcs.core.scheduler_address import find_scheduler
from openhcs.errors import InputError, RunError


def test_a_scheduler_is_an_address_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses stay as they are, a file becomes absolute, and anything else is refused at once."""
    monkeypatch.chdir(tmp_path)
    assert scheduler_name("tcp://10.0.0.5:8786") == "tcp://10.0.0.5:8786"
    assert scheduler_name("lab.json") == str(tmp_path / "lab.json")
    changed = Execution(retries=3).but_with("lab.json", None, 2.0)
    assert changed == Execution(scheduler=str(tmp_path / "lab.json"), retries=3, well_timeout_s=2.0)
    for wrong in ("10.0.0.5:8786", "http://lab:80", "tcp://lab", ""):
        with pytest.raises(InputError, match="expected tcp://host:port"):
            Execution().but_with(wrong, None, None)


def test_a_scheduler_file_names_address_and_key(tmp_path: Path) -> None:
    """Dask's own file will do; with `tls`, paths start at the file's folder."""
    file = tmp_path / "lab.json"
    file.write_text(json.dumps({"address": "tcp://10.0.0.5:8786", "workers": {}}))
    assert find_scheduler(str(file)).address == "tcp://10.0.0.5:8786"
    tls = {"ca_file": "lab.cert.pem", "cert_file": "lab.cert.pem", "key_file": "/keys/lab.key.pem"}
    file.write_text(json.dumps({"address": "tls://10.0.0.5:8786", "tls": tls}))
    found = find_scheduler(str(file))
    assert found.security.require_encryption
    assert found.security.get_tls_config_for_role("client") == {
        "ca_file": str(tmp_path / "lab.cert.pem"),
        "cert": str(tmp_path / "lab.cert.pem"),
        "key": "/keys/lab.key.pem",
        "ciphers": None,
    }


def test_a_scheduler_that_cannot_be_talked_to_is_named(tmp_path: Path) -> None:
    """A file that is absent or damaged, and an encrypted address without a certificate, are errors that say so."""
    file = tmp_path / "lab.json"
    with pytest.raises(RunError, match=r"lab.json \(No such file"):
        find_scheduler(str(file))
    for damaged in ("{", "[]", "{}", '{"address": "tls://lab:1", "tls": {"ca_file": "a"}}'):
        file.write_text(damaged)
        with pytest.raises(RunError, match="is damaged"):
            find_scheduler(str(file))
    with pytest.raises(RunError, match="no certificate is configured"):
        find_scheduler("tls://lab:1")
