"""Claims of commands: of several runs of `momentseek route` at once, only one runs a command for a video.

Before a run starts a command, it reads what other runs logged since, and logs the command's start. On a local disk both
are done under a lock, which ends with the process that holds it. Object stores have no such lock: there, two runs that
start a command within the same fraction of a second may both run it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

from pipeline.analyze.policies.delivery_log import DeliveryLog, DeliveryRecord

__all__ = ["CommandClaims"]


class CommandClaims:
    """The commands that runs have started or ended. Its constructor reads the log.

    Args:
        log: The library's delivery log.
        is_repeating: Whether commands that were started before now may be started again.

    Raises:
        StoreError: The log cannot be read.
    """

    def __init__(self, log: DeliveryLog, *, is_repeating: bool = False) -> None:
        self._log = log
        self._last: dict[str, DeliveryRecord] = {}
        self._read: set[str] = set()
        if is_repeating:
            self._read.update(log.parts())
        else:
            self._update()

    def before(self, key: str) -> DeliveryRecord | None:
        """Return the last record of a command that succeeded or whose result is unknown, as far as it was read."""
        last = self._last.get(key)
        return last if last is not None and (last.state == "begun" or last.problem is None) else None

    @contextlib.contextmanager
    def claim(self, key: str) -> Iterator[DeliveryRecord | None]:
        """Claim a command: no other run starts it while the block runs, in which its start must be logged.

        Yields:
            None if it may be started; else the record of a run that started it meanwhile.

        Raises:
            StoreError: The log cannot be read.
        """
        with _locked(self._log.local_root):
            self._update()
            yield self.before(key)

    def _update(self) -> None:
        """Read the parts that were not read yet."""
        new = [part for part in self._log.parts() if part not in self._read]
        for one in self._log.records(new):
            # The order of the runs' ids need not be that of time.
            if one.how == "ran" and (one.key not in self._last or one.at >= self._last[one.key].at):
                self._last[one.key] = one
        self._read.update(new)


@contextlib.contextmanager
def _locked(folder: str | None) -> Iterator[None]:
    """Hold an exclusive lock of a local folder; do nothing if it is None, or if its file system has no such locks."""
    if folder is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
