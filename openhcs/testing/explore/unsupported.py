"""The calls of a loop that reach for the real world, refused with a word about what to do instead."""

from __future__ import annotations

import asyncio
from typing import Any, Final, NoReturn

from openhcs.testing.explore.errors import UnsupportedCall

__all__ = ["RefusesTheRealWorld"]

_SOCKET: Final = (
    "Put a stub in the place of the connection, and let its answers be outside events: "
    "world.event('reply', stub.receive)"
)
_DESCRIPTOR: Final = (
    "Nothing real is waited for here: let what it would report be an outside event, world.event('readable', callback)"
)
_PROCESS: Final = (
    "Put a stub in the place of the process, and let its end be an outside event: world.event('exit', ...)"
)
_NAMES: Final = "Put a stub in the place of the resolver, with world.patch"

_REFUSED: Final = {
    _SOCKET: (
        "create_connection", "create_server", "create_datagram_endpoint", "create_unix_connection",
        "create_unix_server", "connect_accepted_socket", "sendfile", "start_tls", "sock_recv", "sock_recv_into",
        "sock_recvfrom", "sock_recvfrom_into", "sock_sendall", "sock_sendto", "sock_connect", "sock_accept",
        "sock_sendfile",
    ),
    _DESCRIPTOR: (
        "add_reader", "remove_reader", "add_writer", "remove_writer", "connect_read_pipe", "connect_write_pipe",
    ),
    _PROCESS: ("subprocess_shell", "subprocess_exec"),
    _NAMES: ("getaddrinfo", "getnameinfo"),
}  # fmt: skip


def _refusal(call: str, instead: str) -> Any:
    def refuse(self: object, *args: object, **kwargs: object) -> NoReturn:
        raise UnsupportedCall(call, instead)

    refuse.__name__ = call
    return refuse


class RefusesTheRealWorld(asyncio.AbstractEventLoop):
    """A base for loops without a selector: every call for real input and output raises `UnsupportedCall`."""


for _instead, _calls in _REFUSED.items():
    for _call in _calls:
        setattr(RefusesTheRealWorld, _call, _refusal(_call, _instead))
