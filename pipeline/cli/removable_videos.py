"""The videos that `momentseek remove` selects from, and how they are removed: here, or through a server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from pipeline.cli.selection_options import SelectableVideos
from pipeline.errors import QueryError, ServerError, StoreError
from pipeline.io.settings import Fetching
from pipeline.library.maintenance import Removed
from pipeline.library.videos import SelectedVideos, select_videos
from pipeline.search.filters.video_names import match_videos
from pipeline.types import Scalar, VideoRecord

if TYPE_CHECKING:
    from pipeline.client.client import Client
    from pipeline.library import Library

__all__ = ["OwnVideos", "RemovableVideos", "ServedVideos"]


class RemovableVideos(SelectableVideos, Protocol):
    """The methods of `Library` by which videos are found and removed."""

    def find(self, *names: str) -> tuple[str, ...]:
        """Find the ids of videos by their names, as `Library.find`."""
        ...

    def find_removable(self, name: str) -> str:
        """Find the id of the one video with a name, as `Library.find_removable`."""
        ...

    def remove(self, name: str) -> Removed:
        """Remove a video, as `Library.remove`."""
        ...


class OwnVideos:
    """The videos of a library of this machine, which its server removes; if the server ends, this process does.

    Args:
        library: The library.
        server: A client at the server's private socket.
    """

    def __init__(self, library: Library, server: Client) -> None:
        self.survey, self.select, self.find = library.survey, library.select, library.find
        self.find_removable = library.find_removable
        self._library = library
        self._server = server

    def remove(self, name: str) -> Removed:
        """Remove a video, given by its id, as `Library.remove`."""
        from pipeline.client.connection import NoServerError

        try:
            return _receipt(self._server.remove(name))
        except NoServerError:
            return self._library.remove(name)


class ServedVideos:
    """The videos of a library that only its server can reach.

    Args:
        server: A client of the server.
    """

    def __init__(self, server: Client) -> None:
        self._server = server

    def survey(self) -> tuple[list[VideoRecord], dict[str, StoreError]]:
        """Return the records of all videos, and the errors of broken ones, as `Library.survey`."""
        return self._server.survey()

    def select(
        self,
        *names: str,
        where: Mapping[str, Scalar] | None = None,
        missing: bool = False,
        labels: Iterable[str] = (),
        without_labels: Iterable[str] = (),
    ) -> SelectedVideos:
        """Select videos by name and metadata, as `Library.select`.

        Raises:
            QueryError: A name matches no video; or the selection needs files or labels, which the server has.
        """
        if missing or tuple(labels) or tuple(without_labels):
            raise QueryError("missing files and labels are looked up on the machine of the library only")
        return select_videos(self.survey()[0], names, where or {}, missing=False, fetching=Fetching())

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


def _receipt(fields: Mapping[str, object]) -> Removed:
    try:
        return Removed(**{**fields, "names": tuple(fields["names"])})  # type: ignore[arg-type]
    except (KeyError, TypeError) as error:
        raise ServerError(f"the server's receipt cannot be read ({error})") from error
