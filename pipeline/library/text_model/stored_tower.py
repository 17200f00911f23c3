"""A library's exported text tower, in its folder `models/`.

`text-tower-<encoder>.json` describes the tower, and `text-tower-<encoder>-<hash>.onnx` contains its weights. The
description is written last and contains the hash, so a tower is either complete or absent. The weights of a remote
library are cached locally (`tower_cache`). For a model that cannot be exported, the description contains the reason, so
that the export is not repeated at every search.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress

from pipeline.encode.settings import Encoding
from pipeline.encode.text_tower import MAX_DESCRIPTION_BYTES, TextTower, TextTowerFile
from pipeline.errors import EncoderError, StoreError
from pipeline.library.text_model.tower_cache import TowerCache
from pipeline.store.atomic_folder import AtomicFolder

__all__ = ["StoredTower"]

_FOLDER = "models"
_FINGERPRINT = re.compile(r"[0-9A-Za-z_-]{1,64}")
_MAX_ONNX_BYTES = 4 * 2**30


class StoredTower:
    """Reads and writes the text tower of a library's encoder.

    Args:
        library: The library's folder or URL.
        fingerprint: Fingerprint of the encoder.
    """

    def __init__(self, library: str, fingerprint: str) -> None:
        if not _FINGERPRINT.fullmatch(fingerprint):
            raise ValueError(f"expected letters and digits, got {fingerprint!r}")
        self._folder = AtomicFolder(library)
        self._fingerprint = fingerprint
        self._stem = f"{_FOLDER}/text-tower-{fingerprint}"

    def exists(self) -> bool:
        """Whether the library has the tower, or the reason why the model cannot be exported.

        Raises:
            OSError: The folder cannot be read.
            StoreError: The file is a link or a special file.
        """
        return self._folder.exists(f"{self._stem}.json")

    def why_impossible(self) -> str | None:
        """Return the stored reason why the model cannot be exported; None if there is none, or it cannot be read."""
        try:
            return _reason(self._folder.read(f"{self._stem}.json", MAX_DESCRIPTION_BYTES))
        except (OSError, StoreError):
            return None

    def load(self, settings: Encoding) -> TextTower | None:
        """Read the tower's description; None if the library has no tower. The weights are read on first use.

        Args:
            settings: The encoder's settings.

        Raises:
            EncoderError: The description is damaged, or cannot be read.
        """
        try:
            content = self._folder.read(f"{self._stem}.json", MAX_DESCRIPTION_BYTES)
        except FileNotFoundError:
            return None
        except (OSError, StoreError) as error:
            raise EncoderError(f"its description cannot be read: {error}") from error
        if _reason(content) is not None:
            return None
        file = TextTowerFile.from_json(content)
        if file.encoder != self._fingerprint:
            raise EncoderError("its description is that of another encoder")
        return TextTower(settings, file, lambda: self._read_onnx(file))

    def save(self, file: TextTowerFile, onnx: bytes) -> None:
        """Write a tower, replacing an existing one.

        Raises:
            StoreError: The tower cannot be written.
        """
        name = self._onnx_name(file)
        self._folder.write(name, onnx)
        self._folder.write(f"{self._stem}.json", file.to_json())
        with suppress(OSError, StoreError):
            for other in self._folder.list(_FOLDER, ".onnx"):
                if other.startswith(f"{self._stem}-") and other != name:
                    self._folder.delete(other)

    def note_impossible(self, reason: str) -> None:
        """Store the reason why the model cannot be exported.

        Raises:
            StoreError: The reason cannot be written.
        """
        content = {"format": 1, "encoder": self._fingerprint, "not_exported": reason}
        self._folder.write(f"{self._stem}.json", json.dumps(content, indent=1).encode())

    def _onnx_name(self, file: TextTowerFile) -> str:
        return f"{self._stem}-{file.sha256[:12]}.onnx"

    def _read_onnx(self, file: TextTowerFile) -> bytes:
        if file.size_bytes > _MAX_ONNX_BYTES:
            raise EncoderError(f"its description states {file.size_bytes:,} bytes, which is too large")

        def from_library() -> bytes:
            return self._folder.read(self._onnx_name(file), file.size_bytes)

        try:
            if not self._folder.is_remote:
                return from_library()
            return TowerCache().read(file.sha256, file.size_bytes, from_library)
        except (OSError, StoreError) as error:
            raise EncoderError(f"its weights cannot be read: {error}") from error


def _reason(content: bytes) -> str | None:
    """Return the reason why the model cannot be exported; None if the description is that of a tower."""
    # Such a description is small; that of a tower is parsed elsewhere, with its checks.
    if len(content) > 4096 or b'"not_exported"' not in content:
        return None
    with suppress(ValueError, KeyError, TypeError):
        return str(json.loads(content)["not_exported"])
    return None
