"""Measure how much of a batch's work is done and left, from the reports of its workers.

Work is measured in seconds of video. If cuts are searched for after a video's frames, the search counts as additional
seconds, in the proportion measured on earlier videos; before any has ended, as half of the video.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["WorkMeter", "WorkSoFar"]

_SEARCH_SHARE = 0.5
_TURNS = 2


@dataclass(frozen=True, kw_only=True)
class WorkSoFar:
    """The known amount of a batch's work, and how much of it is done, in seconds of video, searches for cuts included.

    Attributes:
        readers: Number of videos that can be read at once.
        encoders: Number of batches that can be encoded at once.
        videos_begun: Number of videos that were begun and not given up.
        videos_over: Number of those that are read and encoded.
        begun: Work on all videos that were begun.
        read: The part of it that readers have done.
        longest_left: The largest amount of work left on one video.
        frames_encoded: Frames that were encoded or are being encoded.
        steady: Work done since all workers are busy; 0 until that is measured.
        steady_seconds: The time that it took.
    """

    readers: int
    encoders: int
    videos_begun: int = 0
    videos_over: int = 0
    begun: float = 0.0
    read: float = 0.0
    longest_left: float = 0.0
    frames_encoded: int = 0
    steady: float = 0.0
    steady_seconds: float = 0.0


@dataclass
class _Begun:
    """A video that is being worked on."""

    decoded: float = 0.0
    length: float | None = None
    busy_at_last_batch: float = 0.0
    is_read: bool = False


@dataclass
class WorkMeter:
    """Adds up the work on the videos of a batch.

    Attributes:
        is_searching: Whether cuts are searched for after a video's frames.
    """

    is_searching: bool = False
    _active: dict[int, _Begun] = field(default_factory=dict)
    _over: int = 0
    _over_length: float = 0.0
    _decoding_seconds: float = 0.0
    _searching_seconds: float = 0.0
    _first: tuple[float, float] | None = None
    _batches_since_first: int = 0

    def begin(self, number: int) -> None:
        """Start counting a video."""
        self._active[number] = _Begun()

    def decoded(self, number: int, *, seconds: float, length: float | None, busy_seconds: float) -> None:
        """Count a decoded batch of a video.

        Args:
            number: Number of the video.
            seconds: Time up to which the video is decoded.
            length: Length of the video according to its container, if known.
            busy_seconds: Time that the reader has worked on the video.
        """
        video = self._active[number]
        video.decoded, video.busy_at_last_batch = seconds, busy_seconds
        video.length = max(seconds, length) if length else None
        self._batches_since_first += self._first is not None

    def read(self, number: int, *, length: float, busy_seconds: float) -> None:
        """Count a video as read to its end, cuts included."""
        video = self._active[number]
        video.decoded = video.length = length
        video.is_read = True
        self._decoding_seconds += video.busy_at_last_batch
        self._searching_seconds += max(0.0, busy_seconds - video.busy_at_last_batch)

    def end(self, number: int) -> None:
        """Stop counting a video: it is read and encoded, or given up."""
        video = self._active.pop(number)
        if video.is_read:
            self._over += 1
            self._over_length += video.decoded

    def so_far(
        self, now: float, *, readers: int, encoders: int, sampled: int, waiting: int, encode: float
    ) -> WorkSoFar:
        """Return the work known and done so far.

        Args:
            now: The current time of the clock.
            readers: Number of videos that can be read at once.
            encoders: Number of batches that can be encoded at once.
            sampled: Number of frames handed to the encoders.
            waiting: Number of those that are waiting.
            encode: Time that the encoders have spent encoding, in seconds.
        """
        share, usual = self._search_share, self._usual_length
        lengths = [video.length or max(video.decoded, usual) for video in self._active.values()]
        done = [(1 + share) * video.decoded if video.is_read else video.decoded for video in self._active.values()]
        left = [(1 + share) * length - part for length, part in zip(lengths, done, strict=True)]
        read = (1 + share) * self._over_length + sum(done)
        encoded = sampled - waiting if encode > 0 else 0
        turns = _TURNS * max(1, readers)
        steady, steady_seconds = self._since_first(now, read * encoded / sampled if sampled else 0.0, turns)
        return WorkSoFar(
            readers=readers,
            encoders=encoders,
            videos_begun=self._over + len(self._active),
            videos_over=self._over,
            begun=read + sum(left),
            read=read,
            longest_left=max(left, default=0.0),
            frames_encoded=encoded,
            steady=steady,
            steady_seconds=steady_seconds,
        )

    def _since_first(self, now: float, done: float, turns: int) -> tuple[float, float]:
        """The work done since the first batch was encoded, and the time it took; 0 until `turns` batches followed."""
        if done <= 0:
            return 0.0, 0.0
        if self._first is None:
            self._first = now, done
        since, before = self._first
        if self._batches_since_first < turns or now <= since or done <= before:
            return 0.0, 0.0
        return done - before, now - since

    @property
    def _search_share(self) -> float:
        if not self.is_searching:
            return 0.0
        if self._decoding_seconds <= 0:
            return _SEARCH_SHARE
        return self._searching_seconds / self._decoding_seconds

    @property
    def _usual_length(self) -> float:
        known = [video.length for video in self._active.values() if video.length]
        count = len(known) + self._over
        return (sum(known) + self._over_length) / count if count else 0.0
