"""What answers the questions of a library."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pipeline.encode import Encoder, OpenEncoder
from pipeline.index import MomentIndex
from pipeline.run_config import RunConfig
from pipeline.search import Pictures, Searcher
from pipeline.store import ReadableStore
from pipeline.types import Provenance

__all__ = ["searcher_of"]


def searcher_of(
    config: RunConfig,
    encoder: Encoder,
    opened: OpenEncoder,
    index: MomentIndex,
    store: ReadableStore,
    find: Callable[[str], tuple[str, ...]],
) -> Searcher:
    """A searcher as the configuration says.

    Args:
        config: Of the library.
        encoder: That made its vectors.
        opened: The same, with its weights.
        index: Where segments are looked for.
        store: Where the frame embeddings are.
        find: The ids of the videos that go by a name.

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
        pictures=partial(_pictures, config, encoder),
        provenance=Provenance(
            sampling=config.sampling_fingerprint,
            encoder=encoder.fingerprint,
            segmentation=config.segmentation_fingerprint,
        ),
    )


def _pictures(config: RunConfig, encoder: Encoder) -> Pictures:
    from pipeline.video import make_decoder

    return Pictures(make_decoder(config.decoding, config.fetching), encoder.preprocessing(), config.fetching)
