"""The socket at which a server listens."""

from __future__ import annotations

import socket
from contextlib import ExitStack

from pipeline.errors import ConfigError

__all__ = ["address_of", "listening"]

_BACKLOG = 256


def listening(host: str, port: int, *, options: str) -> socket.socket:
    """Listen at an address; at a free port if `port` is 0.

    Args:
        host: The address, or a name.
        port: The port.
        options: The options of the command that choose both, which the error names.

    Raises:
        ConfigError: Nobody can listen there, or somebody does already.
    """
    with ExitStack() as unless_listening:
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            listener = unless_listening.enter_context(socket.socket(family, kind, protocol))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(_BACKLOG)
        except OSError as error:
            raise ConfigError(
                f"cannot listen at {host}, port {port} ({error.strerror or error}); choose another: {options}"
            ) from error
        unless_listening.pop_all()
    return listener


def address_of(listener: socket.socket, host: str) -> str:
    """Write the host and the port of a listening socket as addresses have them: "127.0.0.1:8737", "[::1]:8737"."""
    name = f"[{host}]" if ":" in host else host
    return f"{name}:{listener.getsockname()[1]}"
