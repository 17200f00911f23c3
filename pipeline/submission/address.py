"""Determine the address of a cluster's Jobs API, and the token that it requires."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from pipeline.errors import ConfigError, ExecutionError
from pipeline.execution.ray.token import has_token_auth, tighten, token_path
from pipeline.uris import public_name

__all__ = ["FORM", "HOW_TO_SEND_IT", "address_of", "check_answers", "no_addresses", "token_header"]

_log = logging.getLogger(__name__)

_CONNECT_SECONDS = 5.0
_VARIABLES = ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS")
FORM = "give the address of the cluster's dashboard, for example http://head:8265"
HOW_TO_SEND_IT = (
    "print the cluster's token on its head node with `ray get-auth-token`, and store it on this machine in"
    " ~/.ray/auth_token, in the file that RAY_AUTH_TOKEN_PATH names, or in RAY_AUTH_TOKEN"
)


def address_of(given: str | None) -> str:
    """Return the address of the Jobs API: the given one, else RAY_API_SERVER_ADDRESS, else RAY_ADDRESS if it is a URL.

    Raises:
        ConfigError: There is no address, or it is of another kind.
    """
    values = [os.environ.get(name, "") for name in _VARIABLES]
    urls = [text for text in values if text.startswith(("http://", "https://"))]
    address = given or (urls[0] if urls else "")
    if not address:
        raise ConfigError(f"no cluster is given; {FORM}, with --address or in {_VARIABLES[0]}")
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"{public_name(address)!r} is not the address of a Jobs API; {FORM}")
    return address.rstrip("/")


def check_answers(address: str) -> None:
    """Check within seconds that a server answers at an address; Ray itself would wait for minutes.

    Raises:
        ExecutionError: No server answers.
    """
    parts = urlsplit(address)
    host = parts.hostname or ""
    if getproxies().get(parts.scheme) and not proxy_bypass(host):
        return
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((host, port), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        raise ExecutionError(
            f"no server answers at {public_name(address)} ({error}); check host and port, and that the cluster was"
            " started with `ray start --head --dashboard-host=0.0.0.0` (by default, only its own machine can reach the"
            " dashboard)"
        ) from error


def token_header() -> dict[str, str]:
    """Return the HTTP header with this user's token, from the places where Ray stores it; empty if there is none.

    Ray's own client only sends the token if RAY_AUTH_MODE is "token". This one sends it whenever there is one, unless
    RAY_AUTH_MODE is "disabled". A file that other users can read is made private, with a warning.

    Raises:
        ConfigError: The file that RAY_AUTH_TOKEN_PATH names cannot be read.
    """
    if not has_token_auth():
        return {}
    token = os.environ.get("RAY_AUTH_TOKEN", "").strip()
    if not token:
        path = token_path()
        try:
            _, problem = tighten(path)
            token = path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            if named := os.environ.get("RAY_AUTH_TOKEN_PATH"):
                raise ConfigError(f"RAY_AUTH_TOKEN_PATH names {named!r}, which cannot be read ({error})") from error
        else:
            if problem is not None:
                _log.warning(
                    "the token in %s is not private: %s; store it in a file of your own with mode 0600", path, problem
                )
    return {"Authorization": f"Bearer {token}"} if token else {}


@contextmanager
def no_addresses() -> Iterator[None]:
    """Remove, for a while, the variables that override the address given to Ray's client."""
    before = {name: os.environ.pop(name) for name in _VARIABLES if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(before)
