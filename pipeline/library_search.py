"""What answers the questions of a library."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pipeline.encode import Encoder, OpenEncoder
from pipeline.errors import QueryError, StoreError
from pipeline.index import MomentIndex
from pipeline.run_config import RunConfig
from pipeline.search import Pictures, Searcher
from pipeline.search.names import VideoNames
from pipeline.store import ReadableStore
from pipeline.types import Provenance, VideoRecord
from pipeline.video import IndexedVideos, make_decoder

__all__ = ["ids_of", "indexed_videos", "searcher_of"]

Survey = Callable[[], tuple[list[VideoRecord], dict[str, StoreError]]]


def searcher_of(
    config: RunConfig,
    encoder: Encoder,
    opened: OpenEncoder,
    index: MomentIndex,
    store: ReadableStore,
    find: Callable[[str], tuple[str, ...]],
    videos: IndexedVideos,
) -> Searcher:
    """A searcher as the configuration says.

    Args:
        config: Of the library.
        encoder: That made its vectors.
        opened: The same, with its weights.
        index: Where segments are looked for.
        store: Where the frame embeddings are.
        find: The ids of the videos that go by a name.
        videos: Opens the library's videos.

    Raises:
        MomentIndexError: The index cannot be counted.
        StoreError: Frame embeddings are broken.
    """
    return Searcher(
        opened,
        index,
        store,
        config.search,
        find=find,
        pictures=partial(_pictures, config, encoder, videos),
        provenance=Provenance(
            sampling=config.sampling_fingerprint,
            encoder=encoder.fingerprint,
            segmentation=config.segmentation_fingerprint,
        ),
    )


def ids_of(name: str, names: VideoNames, survey: Survey) -> tuple[str, ...]:
    """The ids of the videos that go by a name; one whose file is broken goes by its id alone.

    Args:
        name: A file name, path, URI or id.
        names: Of the library's videos.
        survey: The records that can be read, and by id why others cannot.

    Raises:
        QueryError: No video goes by it; the message has the nearest names.
    """
    try:
        return names.find((name,), lambda: survey()[0])
    except QueryError as error:
        broken = survey()[1]
        if name in broken:
            return (name,)
        if not broken:
            raise
        files = "the file of a video" if len(broken) == 1 else f"the files of {len(broken)} videos"
        first = next(iter(broken.values()))
        raise QueryError(f"{error}; {files} cannot be read: {first}") from error


def indexed_videos(config: RunConfig, store: ReadableStore) -> IndexedVideos:
    """Opens the videos of a store, by any of their names.

    Args:
        config: Says how videos are read.
        store: Knows the names.
    """

    def names_of(video_id: str) -> tuple[str, ...]:
        record = store.record(video_id)
        # A former name may hold the video again.
        return () if record is None else (*record.former_names, *record.names)

    return IndexedVideos(make_decoder(config.decoding, config.fetching), config.fetching, names_of)


def _pictures(config: RunConfig, encoder: Encoder, videos: IndexedVideos) -> Pictures:
    decoder = make_decoder(config.decoding, config.fetching)
    return Pictures(decoder, encoder.preprocessing(), config.fetching, videos)
