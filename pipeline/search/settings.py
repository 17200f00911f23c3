"""What can be said of a search, and the home of its defaults."""

from __future__ import annotations

from pydantic import Field

from pipeline.config import Settings

__all__ = ["Searching"]


class Searching(Settings):
    """How segments that the index found become moments; `pipeline.search.moments` says what the levels mean."""

    top: int = Field(default=10, ge=1, le=1000)
    """Most moments of an answer."""

    candidates: int = Field(default=100, ge=1, le=16_384)
    """Segments that the index is asked for; several may make one moment. At least `top` are asked for."""

    min_score: float | None = Field(default=None, ge=-1, le=1)
    """Moments whose best frame has a lower cosine are left out; None keeps all. Each model has its own scale: ViT-B-32
    gives about 0.3 to a good answer."""

    base_quantile: float = Field(default=0.25, ge=0, lt=1)
    """Quantile of all frames' scores, in the videos that have candidates, that counts as "does not show it"."""

    merge_ratio: float = Field(default=0.65, ge=0, le=1)
    """A neighbouring shot joins where its mean score reaches this far from base to peak."""

    edge_ratio: float = Field(default=0.5, ge=0, lt=1)
    """A moment ends where the scores fall this far, from base to peak; half is the usual width of a peak."""

    cache_mebibytes: int = Field(default=512, ge=0)
    """Memory for frame embeddings that were read; an hour at one frame a second and 512 numbers takes 7."""
