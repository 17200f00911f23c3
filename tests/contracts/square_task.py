"""A task on videos whose ids are numbers."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ConfigError, StoreError


@dataclass(frozen=True)
class SquareTask:
    """Squares a number; some numbers go wrong.

    Attributes:
        folder: Where each reading leaves a file.
    """

    folder: str

    def read(self, video_id: str) -> int:
        with (Path(self.folder) / f"{video_id}.read").open("a") as file:
            file.write("x")
        if video_id == "broken":
            raise StoreError("broken.parquet: is broken; delete it")
        if video_id == "odd":
            raise ZeroDivisionError("odd number")
        if video_id == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        return int(video_id)

    def work(self, read: int) -> int:
        if read == 13:
            raise ConfigError("nothing works with 13")
        return read * read
