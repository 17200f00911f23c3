"""Every error that momentseek raises on purpose.

MomentseekError
├── ConfigError                    a setting is unknown, of the wrong kind or out of range
│   └── UntrustedLibraryError      a library's own settings reach outside it, and the user does not trust them
├── SourceError                    what names videos cannot be read: a manifest, a remote folder
├── VideoError                     a video cannot be used
│   ├── VideoNotFoundError         nothing readable at that place
│   │   └── VideoGoneError         nothing at all, as far as its place can tell
│   ├── VideoReadError             it is there, and cannot be read: its server errs or stalls, or it changed meanwhile
│   ├── UnsupportedVideoError      not a video, no video stream, or not one that this decoder takes
│   └── VideoDecodeError           the stream is there, and not one frame of it can be decoded
├── EncoderError                   the model cannot be used
│   ├── WeightsUnavailableError    its weights are out of reach or broken
│   └── TextTooLongError           a text does not fit the model's context
├── StoreError                     frame embeddings cannot be read or written
│   └── StoreFullError             there is no space left where the library is
├── MomentIndexError               the vector index cannot be used
│   ├── IndexLockedError           another process holds it
│   ├── IndexDamagedError          its files are not what momentseek wrote; a rebuild makes it anew
│   └── FingerprintMismatchError   it holds vectors of another encoder
├── MissingPackageError            an optional package is not installed
├── QueryError                     a question that cannot be asked
└── ExecutionError                 a batch cannot be run

A message says what was wrong, with which value, and what to do about it.
"""

from __future__ import annotations

from pipeline.uris import public_name, public_text

__all__ = [
    "ConfigError",
    "EncoderError",
    "ExecutionError",
    "FingerprintMismatchError",
    "IndexDamagedError",
    "IndexLockedError",
    "MissingPackageError",
    "MomentIndexError",
    "MomentseekError",
    "QueryError",
    "SourceError",
    "StoreError",
    "StoreFullError",
    "TextTooLongError",
    "UnsupportedVideoError",
    "UntrustedLibraryError",
    "VideoDecodeError",
    "VideoError",
    "VideoGoneError",
    "VideoNotFoundError",
    "VideoReadError",
    "WeightsUnavailableError",
]


class MomentseekError(Exception):
    """The root of all errors that momentseek raises on purpose.

    Its text holds no credentials: errors of other libraries, which messages quote, have whole URLs.
    """

    def __init__(self, *parts: object) -> None:
        super().__init__(*(public_text(part) if isinstance(part, str) else part for part in parts))


class ConfigError(MomentseekError):
    """A setting is unknown, of the wrong kind or out of range; the message names its dotted path."""


class UntrustedLibraryError(ConfigError):
    """A library's own settings reach outside it, and the user has neither set nor trusted them; `momentseek trust`."""


class SourceError(MomentseekError):
    """What names videos cannot be read, as a manifest or a remote folder; the message names the line."""


class VideoError(MomentseekError):
    """A video cannot be used.

    Attributes:
        uri: Where the video was looked for, without what only its owner may know, as a signed URL's query.
        problem: What is wrong with it, and what to do.
    """

    def __init__(self, uri: str, problem: str) -> None:
        # What was hidden stays hidden when the error is pickled, printed or logged.
        super().__init__(public_name(uri), problem)
        self.uri = public_name(uri)
        self.problem = public_text(problem)

    def __str__(self) -> str:
        return f"{self.uri!r}: {self.problem}"


class VideoNotFoundError(VideoError):
    """There is no readable regular file at that place."""


class VideoGoneError(VideoNotFoundError):
    """There is nothing at that place: its folder, store or server answers, and has no such file."""


class VideoReadError(VideoError):
    """It is there, and cannot be read: its server errs, stalls or refuses, or it changed while it was read."""


class UnsupportedVideoError(VideoError):
    """The file is not a video, holds no video stream, or is one that this decoder refuses."""


class VideoDecodeError(VideoError):
    """The file says that it holds a video stream, and not one frame of it can be decoded."""


class EncoderError(MomentseekError):
    """The model that turns pictures and text into embeddings cannot be used."""


class WeightsUnavailableError(EncoderError):
    """A model's weights are out of reach or broken; the message names the ways out."""


class TextTooLongError(EncoderError):
    """A text has more tokens than the model's context holds."""


class StoreError(MomentseekError):
    """Frame embeddings or a video's record cannot be read or written."""


class StoreFullError(StoreError):
    """There is no space left where the library is: whatever is written next cannot be written either."""


class MomentIndexError(MomentseekError):
    """The vector index cannot be opened, read or written."""


class IndexDamagedError(MomentIndexError):
    """The files of a library's own index are not what momentseek wrote; `momentseek index rebuild` makes it anew."""


class IndexLockedError(MomentIndexError):
    """Another process holds the embedded index; the message says which, and the ways out."""


class FingerprintMismatchError(MomentIndexError):
    """The index holds vectors of another encoder; the message names both."""


class MissingPackageError(MomentseekError, ImportError):
    """An optional package that a call needs is not installed; the message names it."""


class QueryError(MomentseekError):
    """A question is invalid: empty, of the wrong kind, or about a video that is not there."""


class ExecutionError(MomentseekError):
    """A batch cannot be run at all; one bad video is a failed report instead."""
