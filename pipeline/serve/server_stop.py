"""Stop of the server: an event for work that would otherwise never end, such as event streams."""

from __future__ import annotations

import asyncio
from contextlib import suppress

__all__ = ["ServerStop"]


class ServerStop:
    """The stop of a server, which begins once. It belongs to the server's event loop."""

    def __init__(self) -> None:
        self._begun = asyncio.Event()

    def begin(self) -> None:
        """Let the stop begin."""
        self._begun.set()

    async def begins_within(self, seconds: float) -> bool:
        """Wait for the stop for some time; return whether it has begun."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._begun.wait(), seconds)
        return self._begun.is_set()
