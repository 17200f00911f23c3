"""Settings of the search and their defaults."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, field_validator

from pipeline.config import Settings

__all__ = ["Searching"]


class Searching(Settings):
    """Search settings; `pipeline.search.localization` explains levels, `pipeline.search.calibration` scores."""

    fingerprint_name: ClassVar[str] = "Searching"

    top: int = Field(default=10, ge=1, le=1000)
    """Maximum number of moments in an answer."""

    candidates: int = Field(default=100, ge=1, le=16_384)
    """Number of segments requested from the index, at least `top`; several segments can form one moment."""

    min_score: float = Field(default=0.5, ge=0, le=1)
    """Moments with a lower score are left out of the answer; 0 keeps all. With another value, a question gets the same
    list, cut at another score."""

    @field_validator("min_score", mode="before")
    @classmethod
    def _without_one(cls, score: object) -> object:
        """Read null, which older libraries have, as the default."""
        return cls.model_fields["min_score"].default if score is None else score

    odds: float = Field(default=1000.0, ge=1)
    """Number of unrelated pictures that a frame is compared with. The higher it is, the further a frame must stand out
    to get the same score."""

    background: tuple[str, ...] = (
        "a goldfish", "a violin", "a birthday cake", "a page of a book", "a sandy beach", "an elephant",
        "a basketball game", "a cat on a sofa", "a mountain lake", "a wedding", "a plate of food", "an aeroplane",
        "a bedroom", "a flower in a vase", "a swimming pool", "a fireworks display", "a sailing boat", "a sheep",
        "a cup of coffee", "a woman playing tennis", "an old castle", "a dinosaur skeleton", "a snowman", "a giraffe",
    )  # fmt: skip
    """Descriptions of things that hardly any video shows. Their scores bound the score that a question can have on
    unrelated pictures, and supplement it in a library too small for a reliable estimate."""

    same_picture: float | None = Field(default=0.99, gt=0, le=1)
    """Moments of different videos with similar lengths count as copies if the cosine of their best frames is at least
    this: the same recording, stored twice. Only the best is listed, with the others as its copies; null lists all."""

    recorded_at: str = Field(default="recorded_at", min_length=1)
    """Name of the metadata entry with the start of a video's recording, as "2026-11-20T08:30:00+01:00". It states local
    time. Numbers, such as seconds since 1970, do not, and are not accepted."""

    base_quantile: float = Field(default=0.25, ge=0, lt=1)
    """Quantile of scores that counts as "does not show it". It is applied to a text's cosines with a sample of the
    library's frames, and to the scores of the video's own frames; `pipeline.search.localization` explains which of the
    two is used. For a picture, the level of `pipeline.search.calibration` replaces the quantile of the sample."""

    merge_ratio: float = Field(default=0.65, ge=0, le=1)
    """A neighbouring shot joins a moment if its mean score reaches this ratio of the way from base to peak."""

    edge_ratio: float = Field(default=0.5, ge=0, lt=1)
    """A moment ends where scores fall below this ratio of the way from base to peak; 0.5 is full width at half
    maximum."""

    cache_mebibytes: int = Field(default=512, ge=0)
    """Memory for the cache of frame embeddings; one hour at one frame per second and 512 dimensions takes 7 MiB."""
