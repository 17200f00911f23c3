"""Starts a private Ray instance without the processes that it does not use.

On every head node, Ray starts processes that serve others than the batch: the server of the dashboard and the Jobs API,
which `ray.init` waits for although the dashboard is switched off, the autoscaler's monitor, and a reader of log files.
Without them, Ray starts sooner, and the batch keeps their processor time and memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["without_unused_processes"]

_STARTERS = ("start_api_server", "start_monitor", "start_log_monitor")


@contextmanager
def without_unused_processes() -> Iterator[None]:
    """Make `ray.init` start no unused processes within this block.

    Ray has no setting for this. The methods are private: a version that lacks one of them starts as it always did.
    """
    from ray._private.node import Node

    before = {name: vars(Node)[name] for name in _STARTERS if name in vars(Node)}
    for name in before:
        setattr(Node, name, _start_nothing)
    try:
        yield
    finally:
        for name, method in before.items():
            setattr(Node, name, method)


def _start_nothing(_node: object, *_options: object, **_more: object) -> None:
    pass
