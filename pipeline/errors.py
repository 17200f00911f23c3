"""Every error that momentseek raises on purpose.

MomentseekError
├── ConfigError                    a setting is unknown, has the wrong type or is out of range
│   └── UntrustedLibraryError      a library's own settings refer to something outside it and are not trusted
├── SourceError                    a list of videos cannot be read: a manifest, a remote folder
├── VideoError                     a video cannot be used
│   ├── VideoNotFoundError         there is no readable file at the location
│   │   └── VideoGoneError         the file does not exist, according to its folder, store or server
│   ├── VideoReadError             the file exists but cannot be read: its server fails or stalls, or it changed
│   ├── UnsupportedVideoError      not a video, no video stream, or not supported by this decoder
│   └── VideoDecodeError           no frame of the stream can be decoded
├── EncoderError                   the model cannot be used
│   ├── WeightsUnavailableError    the model's weights are unavailable or broken
│   └── TextTooLongError           a text exceeds the model's context
├── StoreError                     frame embeddings cannot be read or written
│   └── StoreFullError             there is no space left for the library
├── MomentIndexError               the vector index cannot be used
│   ├── IndexLockedError           another process uses the index and does not share it
│   ├── IndexDamagedError          momentseek cannot have written the index's files; it has to be rebuilt
│   └── FingerprintMismatchError   the index has vectors of another encoder
├── MissingPackageError            an optional package is not installed
├── QueryError                     a question is invalid
│   └── UnknownMomentError         a text is not the id of a moment
├── ServerError                    a server refuses a request, or does not answer
└── ExecutionError                 a batch cannot be run

A message states what was wrong, with which value, and what to do about it.
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
    "ServerError",
    "SourceError",
    "StoreError",
    "StoreFullError",
    "TextTooLongError",
    "UnknownMomentError",
    "UnsupportedVideoError",
    "UntrustedLibraryError",
    "VersionMismatchError",
    "VideoDecodeError",
    "VideoError",
    "VideoGoneError",
    "VideoNotFoundError",
    "VideoReadError",
    "WeightsUnavailableError",
]


class MomentseekError(Exception):
    """The root of all errors that momentseek raises on purpose.

    Credentials are removed from its text, because quoted errors of other libraries may contain complete URLs.
    """

    def __init__(self, *parts: object) -> None:
        super().__init__(*(public_text(part) if isinstance(part, str) else part for part in parts))


class ConfigError(MomentseekError):
    """A setting is unknown, has the wrong type or is out of range; the message names its dotted path."""


class UntrustedLibraryError(ConfigError):
    """A library's own settings refer to something outside it, and are not trusted yet (`momentseek trust`)."""


class SourceError(MomentseekError):
    """A list of videos, such as a manifest or a remote folder, cannot be read; the message names the line."""


class VideoError(MomentseekError):
    """A video cannot be used.

    Attributes:
        uri: The location of the video, without credentials such as a signed URL's query.
        problem: What is wrong, and what to do.
    """

    def __init__(self, uri: str, problem: str) -> None:
        # Redacted here, so that the error can be pickled, printed or logged.
        super().__init__(public_name(uri), problem)
        self.uri = public_name(uri)
        self.problem = public_text(problem)

    def __str__(self) -> str:
        return f"{self.uri!r}: {self.problem}"


class VideoNotFoundError(VideoError):
    """There is no readable regular file at the location."""


class VideoGoneError(VideoNotFoundError):
    """The file does not exist: its folder, store or server is reachable, and has no such file."""


class VideoReadError(VideoError):
    """The file exists but cannot be read: its server fails, stalls or refuses, or it changed while it was read."""


class UnsupportedVideoError(VideoError):
    """The file is not a video, has no video stream, or is not supported by this decoder."""


class VideoDecodeError(VideoError):
    """The file has a video stream, but no frame of it can be decoded."""


class EncoderError(MomentseekError):
    """The model that turns pictures and text into embeddings cannot be used."""


class WeightsUnavailableError(EncoderError):
    """A model's weights are unavailable or broken; the message states remedies."""


class TextTooLongError(EncoderError):
    """A text has more tokens than the model's context."""


class StoreError(MomentseekError):
    """Frame embeddings or a video's record cannot be read or written."""


class StoreFullError(StoreError):
    """There is no space left for the library, so later writes would fail as well."""


class VersionMismatchError(MomentseekError):
    """What is to be replaced was changed by another writer meanwhile; nothing was written."""


class MomentIndexError(MomentseekError):
    """The vector index cannot be opened, read or written."""


class IndexDamagedError(MomentIndexError):
    """momentseek cannot have written the files of a library's own index; `momentseek index rebuild` rebuilds it."""


class IndexLockedError(MomentIndexError):
    """Another process uses the embedded index and does not share it; the message names the process and remedies."""


class FingerprintMismatchError(MomentIndexError):
    """The index has vectors of another encoder; the message names both encoders."""


class MissingPackageError(MomentseekError, ImportError):
    """An optional package that a call needs is not installed; the message names it."""


class QueryError(MomentseekError):
    """A question is invalid: empty, of the wrong type, or about an unknown video."""


class UnknownMomentError(QueryError):
    """A text is not the id of a moment."""


class ServerError(MomentseekError):
    """A running server (`momentseek serve`) refuses a request, remains busy or does not answer."""


class ExecutionError(MomentseekError):
    """A batch cannot be run at all; a single bad video results in a failed report instead."""
