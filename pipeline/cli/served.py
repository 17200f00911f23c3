"""Finds the server that serves the library of a command, so that the command works through it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from pipeline.quoted_commands import DEFAULT_LIBRARY
from pipeline.uris import is_remote, local_path

if TYPE_CHECKING:
    from pipeline.client.client import Client

__all__ = ["SERVER", "asked_of_server", "is_server_named", "named_server", "own_server", "served_library"]

SERVER = "MOMENTSEEK_SERVER"

T = TypeVar("T")


@contextmanager
def served_library(library: str | None, config: str | None, overrides: Sequence[str]) -> Iterator[Client | None]:
    """Connect to the server of the library that a command's options select; None if there is none.

    A server named by the environment is used if no library is named. The server works with the library's own
    configuration, so a command with another one never uses it.

    Args:
        library: The option --library.
        config: The option --config.
        overrides: The options --set.

    Raises:
        ConfigError: The environment names no valid address.
    """
    if config is not None or overrides:
        yield None
        return
    with named_server() if is_server_named(library) else own_server(library) as client:
        yield client


def asked_of_server(
    ask: Callable[[Client], T], library: str | None, config: str | None, overrides: Sequence[str]
) -> T | None:
    """Ask the server of a library for something; None if there is none, or if it ends before it answers.

    Args:
        ask: Asks.
        library: The option --library.
        config: The option --config.
        overrides: The options --set.

    Raises:
        MomentseekError: The server refuses, or the server that the environment names does not answer.
    """
    with served_library(library, config, overrides) as client:
        if client is None:
            return None
        from pipeline.client.connection import NoServerError

        try:
            return ask(client)
        except NoServerError:
            if is_server_named(library):
                raise
            return None


def is_server_named(library: str | None) -> bool:
    """Whether the environment names a server for this command.

    Args:
        library: The option --library, which comes before the environment.
    """
    return library is None and bool(os.environ.get(SERVER))


@contextmanager
def named_server(**unsupported: object) -> Iterator[Client]:
    """Connect to the server that the environment names.

    Args:
        unsupported: Values of options that such a server cannot honour, by their names; empty where they were not used.

    Raises:
        UsageError: One of them was used.
        ConfigError: The environment names no valid address.
    """
    from pipeline.client.client import Client

    for name, value in unsupported.items():
        if value:
            raise click.UsageError(
                f"--{name} does not work through the server that {SERVER} names; leave it out, or name a --library of"
                " this machine"
            )
    with Client(os.environ[SERVER]) as client:
        yield client


@contextmanager
def own_server(library: str | None) -> Iterator[Client | None]:
    """Connect to the server of a library of this machine, over its private socket; None if none runs.

    Args:
        library: The library's folder or URL; None for the default one.
    """
    from pipeline.client.running_server import find_server

    folder = library or DEFAULT_LIBRARY
    server = None if is_remote(folder) else find_server(Path(local_path(folder)))
    if server is None:
        yield None
        return
    from pipeline.client.client import Client

    with Client.at(server) as client:
        yield client
