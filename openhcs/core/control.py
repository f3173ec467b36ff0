"""How others talk to a running runner: JSON lines over a unix socket in a folder of the user's own.

A request is `{"do": "cancel"}`, `{"do": "cancel_well", "well": "B02"}` or `{"do": "status"}`; the answer is an object
with `ok`, and `error` where that is false. The socket lies in a private folder under the system's temporary one, since
the results folder may be too deep for a socket's path (about 100 bytes) or on a file system without sockets; the run
folder's `control.json` says where.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from openhcs.core.journal import Json
from openhcs.core.whole_file import deny_others, write_text
from openhcs.errors import RunError

__all__ = ["Request", "request", "serve_control"]

CONTROL_FILE = "control.json"

Request = Mapping[str, Json]

_LONGEST_REQUEST = 1 << 16


@asynccontextmanager
async def serve_control(
    run_folder: Path, private: Path, answer: Callable[[Request], Mapping[str, Json]]
) -> AsyncIterator[None]:
    """Answer requests while the block runs.

    Args:
        run_folder: gets the file that tells others where the socket is.
        private: the folder for the socket, see `private_folder`.
        answer: called in the event loop for each request; an error it raises is the answer.
    """

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async for line in reader:
                writer.write(json.dumps(_answer(line, answer)).encode() + b"\n")
                await writer.drain()
        except (OSError, ValueError):  # the other side left, or sent a line without end
            pass
        finally:
            writer.close()

    path = private / "control"
    server = await asyncio.start_unix_server(serve_one, path, limit=_LONGEST_REQUEST)
    path.chmod(0o600)
    write_text(run_folder / CONTROL_FILE, json.dumps({"socket": str(path)}))
    deny_others(run_folder / CONTROL_FILE)
    try:
        yield
    finally:
        server.close()
        (run_folder / CONTROL_FILE).unlink(missing_ok=True)


def request(run_folder: Path, what: Request, timeout_s: float = 5.0) -> Mapping[str, Json]:
    """Send a request to the runner of `run_folder` and return its answer; blocks for `timeout_s` at most.

    Raises:
        RunError: the runner cannot be reached, or refused.
    """
    try:
        address = json.loads((run_folder / CONTROL_FILE).read_bytes())["socket"]
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            connection.connect(address)
            connection.sendall(json.dumps(what).encode() + b"\n")
            with connection.makefile("rb") as replies:
                reply = json.loads(replies.readline(_LONGEST_REQUEST))
    except (OSError, ValueError, KeyError) as error:
        raise RunError(
            f"run: {run_folder} cannot be reached ({error}); expected a running run. See whether it has ended."
        ) from error
    if not reply.get("ok"):
        raise RunError(f"run: {what.get('do')} was refused; {reply.get('error')}")
    answer: Mapping[str, Json] = reply
    return answer


def _answer(line: bytes, answer: Callable[[Request], Mapping[str, Json]]) -> Mapping[str, Json]:
    try:
        asked = json.loads(line)
        if not isinstance(asked, dict):
            raise RunError(f"request: {asked!r}; expected an object with `do`.")
        return {"ok": True, **answer(asked)}
    except (ValueError, RunError) as error:
        return {"ok": False, "error": str(error)}
