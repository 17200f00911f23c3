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
    """Select the videos of an experiment from a configuration's store, with their sources as names.

    Args:
        config: The configuration of the store.
        video_ids: Video ids by source.
    """
    names: dict[str, tuple[str, ...]] = {}
    for uri, video_id in video_ids.items():
        names[video_id] = (*names.get(video_id, ()), kept_name(uri))
    return StoreView(store_of(config), names)


class ScoredLibrary:
    """A `SearchableLibrary` limited to an experiment's videos, with its index in memory.

    A work folder may also hold videos of other experiments, and earlier contents of files that were replaced. They are
    ignored: the index, the pictures used for calibration and the names are those of this experiment's videos.

    Args:
        config: The configuration to score.
        video_ids: Video ids by source.
        opened: The configuration's encoder, opened.

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
        # Not a method of this object: it and the searcher would refer to each other, and keep the encoder alive.
        find = partial(match_videos, self._records)
        encoder, videos = make_encoder(config.encoder), indexed_videos(config, store)
        self._searcher = searcher_of(config, encoder, opened, self._index, store, find, videos)

    def search(
        self, question: str, *, top: int | None = None, videos: Iterable[str] = (), min_score: float | None = None
    ) -> list[Moment]:
        """Return the moments that answer a text and score at least `min_score`, best first."""
        given = {"top": top, "videos": list(videos), "min_score": min_score}
        return list(self._searcher.ask(as_query(question, given)).moments)

    def find(self, *names: str) -> tuple[str, ...]:
        """Return the ids of the videos with these names.

        Raises:
            QueryError: No video of the experiment has one of the names; the message has the nearest names.
        """
        return tuple(dict.fromkeys(video_id for name in names for video_id in match_videos(self._records, name)))

    def moment_index(self) -> MemoryIndex:
        """Return the index of the videos' segments."""
        return self._index
