"""A tree of files that no command on a library has any business with, and a check that none touched it."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["SECRET", "Canary"]

SECRET = "SECRET-3f9a1c77e2"
"""Text that is in the tree's files, and must be nowhere else."""

_LONG_AGO = 1_000_000_000
"""When files were written. A time of last reading before that is changed by the next read, even under relatime."""


@dataclass(frozen=True)
class _State:
    mode: int
    size_bytes: int
    modified_ns: int
    digest: str


@dataclass
class Canary:
    """Files of every kind that a library has, outside of it.

    Args:
        folder: Where; it is made.
        library: A library of the same encoder, from which valid files are taken.
        video: A video.

    Attributes:
        linked: Files that a hard link in the library stands for: to read that one is to read them.
    """

    folder: Path
    library: Path
    video: Path
    linked: set[Path] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.text.write_text(f"{SECRET}: /home/them\n")
        (self.folder / "secret.json").write_text(f'{{"token": "{SECRET}"}}')
        (self.folder / "notes.yaml").write_text(f"format: 1\ntoken: {SECRET}\n")
        shutil.copy(self.video, self.folder / "film.mp4")
        below = self.folder / "documents"
        below.mkdir()
        (below / "letter.txt").write_text(SECRET)
        # As old as what an abandoned write leaves.
        (below / f"letter.parquet.{'0' * 32}").write_text(SECRET)
        shutil.copytree(self.library, self.folder / "library", ignore=shutil.ignore_patterns("*.safetensors", "index"))
        for path in self._paths():
            os.utime(path, (_LONG_AGO - 1, _LONG_AGO), follow_symlinks=False)
        self._states = {path: _state(path) for path in self._paths()}
        self.forget_reads()

    @property
    def text(self) -> Path:
        """A file of no format."""
        return self.folder / "secret.txt"

    @property
    def video_copy(self) -> Path:
        """A video that nobody indexed."""
        return self.folder / "film.mp4"

    @property
    def parquet(self) -> Path:
        """Frame embeddings of a valid library."""
        return next(iter(sorted((self.folder / "library").glob("frames/*/*.parquet"))))

    def files(self) -> list[Path]:
        """Its files, in order."""
        return [path for path in self._paths() if path.is_file()]

    def folders(self) -> list[Path]:
        """Its folders, in order."""
        return [path for path in self._paths() if path.is_dir()]

    def forget_reads(self) -> None:
        """Set all times of last reading back, after what a test read itself."""
        for path in self._paths():
            os.utime(path, (_LONG_AGO - 1, _LONG_AGO), follow_symlinks=False)

    def problems(self) -> list[str]:
        """What was done to the tree: files read, written, added or deleted."""
        linked = {path.stat().st_ino for path in self.linked if path.exists()}
        # Before the tree is listed: that is a reading of its folders.
        found = [
            f"canary {path.relative_to(self.folder)} was read"
            for path in sorted(self._states)
            if path.exists() and (at := path.lstat()).st_atime != _LONG_AGO - 1 and at.st_ino not in linked
        ]
        now = {path: _state(path) for path in self._paths()}
        found += [f"canary {path.relative_to(self.folder)} is new" for path in now.keys() - self._states.keys()]
        found += [f"canary {path.relative_to(self.folder)} is gone" for path in self._states.keys() - now.keys()]
        found += [
            f"canary {path.relative_to(self.folder)} was changed"
            for path in now.keys() & self._states.keys()
            if now[path] != self._states[path]
        ]
        return found

    def _paths(self) -> list[Path]:
        found = [self.folder]
        for parent, folders, files in os.walk(self.folder):
            found += [Path(parent) / name for name in (*folders, *files)]
        return sorted(found)


def _state(path: Path) -> _State:
    found = path.lstat()
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(found.st_mode) else ""
    return _State(found.st_mode, found.st_size if digest else 0, found.st_mtime_ns, digest)
