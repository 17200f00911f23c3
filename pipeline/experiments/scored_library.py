"""A searchable library limited to an experiment's own videos, with its index in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from pipeline.encode import OpenEncoder, make_encoder
from pipeline.experiments.embedding import store_of
from pipeline.experiments.stores import StoreView
from pipeline.index import MemoryIndex
from pipeline.library.wiring import indexed_videos, searcher_of
from pipeline.run_config import RunConfig
from pipeline.search import as_query
from pipeline.search.filters.video_names import match_videos
from pipeline.types import Moment
from pipeline.uris import kept_name

__all__ = ["ScoredLibrary", "selected_videos"]


def selected_videos(config: RunConfig, video_ids: Mapping[str, str]) -> StoreView:
    """Select the videos of an experiment from a configuration's store, under their sources' current names.

    Args:
        config: Says where they are.
        video_ids: By source.
    """
    names: dict[str, tuple[str, ...]] = {}
    for uri, video_id in video_ids.items():
        names[video_id] = (*names.get(video_id, ()), kept_name(uri))
    return StoreView(store_of(config), names)


class ScoredLibrary:
    """A `SearchableLibrary` of an experiment's videos, its index in memory.

    A folder of experiments holds the videos of others as well, and what files held before they were replaced. None of
    it counts: the index, the pictures that scores are relative to and the names are those of this experiment's videos.

    Args:
        config: What is scored.
        video_ids: The videos, by source.
        opened: The configuration's encoder.

    Raises:
        ConfigError: The segmentation needs cuts, and a video has none.
        StoreError: Frame embeddings are broken.
    """

    def __init__(self, config: RunConfig, video_ids: Mapping[str, str], opened: OpenEncoder) -> None:
        store = selected_videos(config, video_ids)
        self._records = list(store.records())
        self._index = MemoryIndex()
        for record in self._records:
            self._index.upsert(config.row_recipe.rows(store.read(record.video_id), record.metadata))
        # Not by a method of this object: it and the searcher would hold each other, and the encoder, for long.
        find = partial(match_videos, self._records)
        encoder, videos = make_encoder(config.encoder), indexed_videos(config, store)
        self._searcher = searcher_of(config, encoder, opened, self._index, store, find, videos)

    def search(
        self, question: str, *, top: int | None = None, videos: Iterable[str] = (), min_score: float | None = None
    ) -> list[Moment]:
        """The moments that answer a text, best first, none with a lower score than `min_score`."""
        given = {"top": top, "videos": list(videos), "min_score": min_score}
        return list(self._searcher.ask(as_query(question, given)).moments)

    def find(self, *names: str) -> tuple[str, ...]:
        """The ids of the videos that go by these names.

        Raises:
            QueryError: No video of the experiment goes by one of them; the message has the nearest names.
        """
        return tuple(dict.fromkeys(video_id for name in names for video_id in match_videos(self._records, name)))

    def moment_index(self) -> MemoryIndex:
        """Where the videos' segments are."""
        return self._index
