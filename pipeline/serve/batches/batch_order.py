"""Order of a batch: the sources and settings that a client gives, and the check that it may give them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from pipeline.errors import QueryError
from pipeline.library import Library
from pipeline.library.config_checks import check_dates
from pipeline.library.identity import local_folder
from pipeline.library.saved_config import config_of
from pipeline.run_config import RunConfig, check_stages
from pipeline.serve.batches.allowed_sources import allowed_sources
from pipeline.serve.http.problems import ProblemError
from pipeline.types import Scalar, Source
from pipeline.uris import shown_name

__all__ = ["BatchOrder"]


@dataclass(frozen=True)
class BatchOrder:
    """A batch that a client asks for.

    Attributes:
        named: Paths with metadata.
        settings: Overrides of settings, such as "sampling.fps=2".
        folder: The folder that relative paths start from. The sources are then single videos, as a command has listed
            them, and are taken as they are.
        is_owner: Whether the client is a process of the server's own user. It may read every file that the server may
            read, so nothing is gained by restricting it.
    """

    named: Sequence[tuple[str, Mapping[str, Scalar]]]
    settings: Sequence[str] = ()
    folder: str | None = None
    is_owner: bool = False

    def check_permitted(self) -> None:
        """Refuse settings and folders of clients other than the owner: settings can name code to be loaded.

        Raises:
            ProblemError: The client may not ask for this.
            QueryError: The folder is not an absolute path of a folder.
        """
        if self.settings or self.folder is not None:
            if not self.is_owner:
                detail = "only commands of the server's user, on the server's machine, may give settings and a folder"
                raise ProblemError(HTTPStatus.FORBIDDEN, "settings_not_allowed", detail)
            if self.folder is not None and not self._is_folder(self.folder):
                raise QueryError(f"{shown_name(self.folder)!r} is not a folder of the server's machine")

    def sources(self, library: Library, allowed: Sequence[Path]) -> list[Source]:
        """List the videos of the batch.

        Args:
            library: The library.
            allowed: The folders that clients other than the owner may name.

        Raises:
            ProblemError: A source is in no allowed folder.
            QueryError: A source is invalid.
            SourceError: A manifest cannot be read, or metadata are invalid.
        """
        if self.folder is None:
            return allowed_sources(library, self.named, None if self.is_owner else allowed)
        found = [Source(uri, metadata) for uri, metadata in self.named]
        check_dates(found, library.config.search.recorded_at)
        return found

    def config(self, served: RunConfig) -> RunConfig:
        """Return the configuration of the batch: that of the served library, with the settings of the batch.

        Raises:
            ConfigError: A setting is wrong.
            QueryError: The settings name another library.
        """
        config = served
        if self.settings:
            config = check_stages(config_of(served, self.settings), "configuration")
            if config.library != served.library:
                raise QueryError("the settings name another library than the served one; leave out library=")
        place = local_folder(config.library)
        if self.folder is None or place is None:
            return config
        # The batch has another working folder than this process.
        return config.model_copy(update={"library": str(place.absolute())})

    @staticmethod
    def _is_folder(path: str) -> bool:
        return "\0" not in path and os.path.isabs(path) and os.path.isdir(path)  # noqa: PTH112, PTH117 - as in `expand`
