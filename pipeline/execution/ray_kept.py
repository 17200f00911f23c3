"""Encoders' processes between two batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import ray

if TYPE_CHECKING:
    from pipeline.execution.ray_members import Member

__all__ = ["KeptEncoders"]


@dataclass
class KeptEncoders:
    """Encoders that one batch has done with, their model loaded, for the next one that wants the same.

    They hold their processors, GPUs and memory meanwhile; a batch that wants others ends them.
    """

    _kind: Any = None
    _members: list[Member] = field(default_factory=list)

    def keep(self, kind: object, members: Sequence[Member]) -> None:
        """Keep these.

        Args:
            kind: What the next batch must want: the encoder, and what each holds.
            members: With nothing left to do.
        """
        self.close()
        self._kind, self._members = kind, list(members)

    def take(self, kind: object, most: int) -> list[Member]:
        """Those that are kept of this kind, and end the others."""
        taken = self._members[:most] if kind == self._kind else []
        self._members = [member for member in self._members if member not in taken]
        self.close()
        return taken

    def close(self) -> None:
        """End all that are still here."""
        for member in self._members:
            ray.kill(member.actor)
        self._members.clear()
