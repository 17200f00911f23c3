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

    A file can be overwritten under its name: a camera's recording, a new edit. What it holds is looked at before it is
    read (`identify`: its size, head, middle and tail), and its state afterwards, so that nothing is shown of another
    video. What was identified is remembered as long as its place says that it has not changed.

    Args:
        decoder: Opens videos.
        fetching: How remote ones are read.
        names_of: All names under which a video is known, by its id; those are tried where the first one fails.

    Attributes:
        problems: Why videos could not be had so far, by their ids.
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
        """Find the first of a video's names at which its content still is.

        Args:
            video_id: The video's id.
            uri: The name that is tried first; None for the latest one that is known.

        Raises:
            VideoError: It is not there, or cannot be read.
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
        problem = first or VideoReadError(video_id, "it is not known where this video is; index it again")
        self.problems[video_id] = problem
        raise problem

    @contextmanager
    def open(self, video_id: str, uri: str | None = None) -> Iterator[VideoStream]:
        """Open a video whose content is unchanged, and check at the end that it did not change meanwhile.

        Args:
            video_id: The video's id.
            uri: The name that is tried first.

        Raises:
            VideoError: It is not there, cannot be read, or changed meanwhile.
        """
        with self.opened_by(self._decoder.open, video_id, uri) as stream:
            yield stream

    @contextmanager
    def opened_by(self, open_video: Callable[[str], S], video_id: str, uri: str | None = None) -> Iterator[S]:
        """Open a video as `open` does, by another decoder than the usual one.

        Args:
            open_video: Opens the video at a place.
            video_id: The video's id.
            uri: The name that is tried first.

        Raises:
            VideoError: It is not there, cannot be read, or changed meanwhile.
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
                place, "holds another video by now, not the one that was indexed; put that one back, or index it again"
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
