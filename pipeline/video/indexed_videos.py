"""Opens indexed videos, after a check that their content has not changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from pipeline.errors import VideoError, VideoReadError
from pipeline.io.media import check_state
from pipeline.io.settings import Fetching
from pipeline.video.identity import Identity, identify
from pipeline.video.protocol import VideoDecoder, VideoStream

__all__ = ["IndexedVideos"]

S = TypeVar("S", bound=VideoStream)


class IndexedVideos:
    """Finds and opens videos by the id of their content.

    A file can be overwritten under its name, for example by a camera or a new edit. So the content is identified before
    a file is read (`identify`), and the file's state is checked afterwards; frames of another video are never shown.
    Ids are cached as long as the file's state does not change.

    Args:
        decoder: Opens videos.
        fetching: Settings for reading remote videos.
        names_of: Returns all names of a video, given its id; they are tried if the first one fails.

    Attributes:
        problems: By video id, why a video could not be read.
    """

    def __init__(
        self,
        decoder: VideoDecoder,
        fetching: Fetching,
        names_of: Callable[[str], Iterable[str]] = lambda _: (),
    ) -> None:
        self.fetching = fetching
        self.problems: dict[str, VideoError] = {}
        self._decoder = decoder
        self._names_of = names_of
        self._identities: dict[str, Identity] = {}

    def place(self, video_id: str, uri: str | None = None) -> str:
        """Find the first of a video's names at which its content still exists.

        Args:
            video_id: The video's id.
            uri: The name to try first; None for the latest known one.

        Raises:
            VideoError: The video is not found, or cannot be read.
        """
        known = [] if uri is None else [uri]
        first: VideoError | None = None
        for name in dict.fromkeys((*known, *reversed(list(self._names_of(video_id))))):
            try:
                self._check(name, video_id)
            except VideoError as error:
                first = first or error
            else:
                return name
        problem = first or VideoReadError(video_id, "the location of this video is unknown; index it again")
        self.problems[video_id] = problem
        raise problem

    @contextmanager
    def open(self, video_id: str, uri: str | None = None) -> Iterator[VideoStream]:
        """Open a video whose content is unchanged, and check at the end that it was not changed in the meantime.

        Args:
            video_id: The video's id.
            uri: The name to try first.

        Raises:
            VideoError: The video is not found, cannot be read, or was changed in the meantime.
        """
        with self.opened_by(self._decoder.open, video_id, uri) as stream:
            yield stream

    @contextmanager
    def opened_by(self, open_video: Callable[[str], S], video_id: str, uri: str | None = None) -> Iterator[S]:
        """Open a video as `open` does, with another decoder.

        Args:
            open_video: Opens the video at a path or URI.
            video_id: The video's id.
            uri: The name to try first.

        Raises:
            VideoError: The video is not found, cannot be read, or was changed in the meantime.
        """
        place = self.place(video_id, uri)
        try:
            stream = open_video(place)
            with stream:
                yield stream
            check_state(place, self._identities[place].state, self.fetching)
        except VideoError as error:
            self.problems[video_id] = error
            raise

    def _check(self, place: str, video_id: str) -> None:
        if self._identity(place).video_id != video_id:
            raise VideoReadError(
                place, "it is no longer the video that was indexed; restore that one, or index the new one"
            )

    def _identity(self, place: str) -> Identity:
        known = self._identities.pop(place, None)
        if known is not None:
            try:
                check_state(place, known.state, self.fetching)
            except VideoError:
                known = None
        self._identities[place] = known or identify(place, self.fetching)
        return self._identities[place]
