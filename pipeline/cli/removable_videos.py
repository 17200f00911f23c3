"""The videos that `momentseek remove` selects from, and how they are removed: here, or through a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from pipeline.errors import QueryError, ServerError, StoreError
from pipeline.io.settings import Fetching
from pipeline.library.maintenance import Removed
from pipeline.library.video_selection import VideoSelection
from pipeline.search.filters.labels import LabelLookup
from pipeline.search.filters.video_names import match_videos
from pipeline.types import VideoRecord

if TYPE_CHECKING:
    from pipeline.client.client import Client
    from pipeline.library import Library

__all__ = ["OwnVideos", "RemovableVideos", "ServedVideos"]


_ELSEWHERE = "missing files and labels are looked up on the machine of the library only"


class OwnVideos(VideoSelection):
    """The videos of a library of this machine, which its server removes; if the server ends, this process does.

    Args:
        library: The library.
        server: A client at the server's private socket.
    """

    def __init__(self, library: Library, server: Client) -> None:
        self.find, self.find_removable = library.find, library.find_removable
        self._library = library
        self._server = server

    def survey(self) -> tuple[list[VideoRecord], dict[str, StoreError]]:
        """Return the records of all videos, and the errors of broken ones, as `Library.survey`."""
        return self._library.survey()

    def _file_settings(self) -> Fetching:
        return self._library.config.fetching

    def _label_lookup(self) -> LabelLookup:
        return self._library.labels.required()

    def remove(self, name: str) -> Removed:
        """Remove a video, given by its id, as `Library.remove`."""
        from pipeline.client.connection import NoServerError

        try:
            return _receipt(self._server.remove(name))
        except NoServerError:
            return self._library.remove(name)


class ServedVideos(VideoSelection):
    """The videos of a library that only its server can reach.

    Args:
        server: A client of the server.
    """

    def __init__(self, server: Client) -> None:
        self._server = server

    def survey(self) -> tuple[list[VideoRecord], dict[str, StoreError]]:
        """Return the records of all videos, and the errors of broken ones, as `Library.survey`."""
        return self._server.survey()

    def _file_settings(self) -> Fetching:
        raise QueryError(_ELSEWHERE)

    def _label_lookup(self) -> LabelLookup:
        raise QueryError(_ELSEWHERE)

    def find(self, *names: str) -> tuple[str, ...]:
        """Find the ids of videos by their names, as `Library.find`."""
        records, broken = self.survey()
        found = [(name,) if name in broken else match_videos(records, name) for name in names]
        return tuple(dict.fromkeys(video_id for ids in found for video_id in ids))

    def find_removable(self, name: str) -> str:
        """Find the id of the one video with a name, as `Library.find_removable`."""
        found = self.find(name)
        if len(found) > 1:
            raise QueryError(
                f"{len(found)} videos have the name {name!r}; remove them by their ids: {', '.join(found)}"
            )
        return found[0]

    def remove(self, name: str) -> Removed:
        """Remove a video, given by its id, as `Library.remove`."""
        return _receipt(self._server.remove(name))


RemovableVideos: TypeAlias = "Library | OwnVideos | ServedVideos"
"""Where the command finds and removes videos."""


def _receipt(fields: Mapping[str, object]) -> Removed:
    try:
        return Removed(**{**fields, "names": tuple(fields["names"])})  # type: ignore[arg-type]
    except (KeyError, TypeError) as error:
        raise ServerError(f"the server's receipt cannot be read ({error})") from error
