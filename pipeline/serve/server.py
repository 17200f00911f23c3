"""Runs the server: its tokens, its socket, and its end."""

from __future__ import annotations

import hashlib
import logging
import os
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from pipeline.client.running_server import RunningServer, forget_server, own_version, publish_server
from pipeline.errors import ConfigError, MissingPackageError
from pipeline.io.private_socket import PrivateSocket
from pipeline.io.process_identity import this_process
from pipeline.library import Library
from pipeline.library.trust import trust_folder
from pipeline.serve.listener import address_of, listening
from pipeline.serve.settings import ServeSettings, is_loopback
from pipeline.uris import is_remote, local_path

try:
    import uvicorn

    from pipeline.serve.app import create_app
    from pipeline.serve.graceful_server import GracefulServer
    from pipeline.serve.http.access_tokens import AccessTokens
    from pipeline.serve.http.limited_connection import connections_within
except ImportError as error:
    raise MissingPackageError(
        f"the server needs further packages ({error}); run: pip install 'momentseek[serve]'"
    ) from error

__all__ = ["audit_file", "run_server", "token_file_of", "tokens_for"]

_log = logging.getLogger(__name__)
_GRACE_SECONDS = 10
_BACKLOG = 256

Tell = Callable[[str], None]


def tokens_for(library: str, host: str, path: Path | None, tell: Tell) -> AccessTokens | None:
    """Read the tokens that requests must carry, and make the first one if there is none.

    Args:
        library: The library's folder or URL.
        host: The address to listen at.
        path: The file of tokens; None for the one of this library in the user's configuration folder.
        tell: Shows a new token to the user, once.

    Returns:
        None if no token is needed: only this machine can reach the server, and no file is named.

    Raises:
        ConfigError: The file cannot be used.
    """
    if path is None and is_loopback(host):
        return None
    path = path or token_file_of(library)
    tokens = AccessTokens(path)
    if not len(tokens):
        token = tokens.add("admin", "admin")
        tell(f"A token was made; it is shown only now, and only its digest is kept, in {path}:\n\n  {token}\n")
    return tokens


def token_file_of(library: str) -> Path:
    """Return the file of a library's tokens, in the user's configuration folder."""
    # Never in the library's folder: a library that was received must not bring its sender's tokens.
    return trust_folder().parent / "tokens" / f"{_digest_of(library)}.json"


def _digest_of(library: str) -> str:
    place = library if "://" in library else str(Path(library).expanduser().resolve())
    return hashlib.sha256(os.fsencode(place)).hexdigest()[:16]


def audit_file(library: str) -> Path:
    """Return the file of a library's audit log, in the user's folder of state (XDG_STATE_HOME)."""
    base = os.environ.get("XDG_STATE_HOME", "")
    folder = Path(base) if base.startswith("/") else Path("~/.local/state").expanduser()
    return folder / "momentseek" / "audit" / f"{_digest_of(library)}.jsonl"


def run_server(library: Library, settings: ServeSettings, tell: Tell) -> None:
    """Serve a library until this process is interrupted or ended; requests under way get ten seconds to finish.

    Args:
        library: The open library; it is closed at the end.
        settings: Settings of the server.
        tell: Shows the server's address to the user.

    Raises:
        ConfigError: The address cannot be used.
    """
    with ExitStack() as until_the_end:
        listener = until_the_end.enter_context(listening(settings.host, settings.port, options="--host, --port"))
        scheme = "http" if settings.certificate is None else "https"
        address = f"{scheme}://{address_of(listener, settings.host)}/"
        app = create_app(library, settings)
        config = uvicorn.Config(
            app,
            http=connections_within(settings),
            ws="none",
            log_level="warning",
            access_log=False,  # addresses may hold what people ask
            server_header=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            timeout_keep_alive=75,
            lifespan="on",
            ssl_certfile=settings.certificate,
            ssl_keyfile=settings.private_key,
        )
        try:
            config.load()
        except OSError as error:
            raise ConfigError(f"{settings.certificate}: TLS cannot be set up ({error})") from error
        sockets = [listener, *_private_listener(library.config.library, address, until_the_end)]
        tell(f"Serving {library.config.library} at {address} (stop with Ctrl+C)")
        GracefulServer(config, on_stop=app.state.begin_stop).run(sockets=sockets)


def _private_listener(library: str, address: str, until_the_end: ExitStack) -> list[socket.socket]:
    """Listen at a private socket as well, and write the file by which commands of this user find it.

    Returns:
        Nothing if the library is not in a folder of this machine, or the file cannot be written there: commands then
        open the library themselves.
    """
    if is_remote(library):
        return []
    folder = Path(local_path(library))
    listener = until_the_end.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
    try:
        private = PrivateSocket(lambda path: listener.bind(str(path)), folder)
        until_the_end.callback(private.close)
        listener.listen(_BACKLOG)
        server = RunningServer(this_process(), private.path, address, own_version())
        publish_server(folder, server)
    except OSError as error:
        _log.warning("commands will not find this server: %s", error)
        return []
    until_the_end.callback(forget_server, folder, server.process)
    return [listener]
