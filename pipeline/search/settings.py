"""Settings of the search and their defaults."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, field_validator

from pipeline.config import Settings

__all__ = ["Searching"]


class Searching(Settings):
    """How segments that the index found become moments; `pipeline.search.localization` says what the levels mean."""

    fingerprint_name: ClassVar[str] = "Searching"

    top: int = Field(default=10, ge=1, le=1000)
    """Most moments of an answer."""

    candidates: int = Field(default=100, ge=1, le=16_384)
    """Segments that the index is asked for; several may make one moment. At least `top` are asked for."""

    min_score: float = Field(default=0.5, ge=0, le=1)
    """Moments with a lower score are no answer; 0 keeps all. A question that says another one gets the same list, cut
    elsewhere. `pipeline.search.calibration` says what scores mean."""

    @field_validator("min_score", mode="before")
    @classmethod
    def _without_one(cls, score: object) -> object:
        """Files of older libraries say that there is none."""
        return cls.model_fields["min_score"].default if score is None else score

    odds: float = Field(default=1000.0, ge=1)
    """Among how many pictures that have nothing to do with the question one that answers it is looked for: the more,
    the further it must stand out for the same score."""

    background: tuple[str, ...] = (
        "a goldfish", "a violin", "a birthday cake", "a page of a book", "a sandy beach", "an elephant",
        "a basketball game", "a cat on a sofa", "a mountain lake", "a wedding", "a plate of food", "an aeroplane",
        "a bedroom", "a flower in a vase", "a swimming pool", "a fireworks display", "a sailing boat", "a sheep",
        "a cup of coffee", "a woman playing tennis", "an old castle", "a dinosaur skeleton", "a snowman", "a giraffe",
    )  # fmt: skip
    """Things that hardly any video shows. What they score says what a question can score at most on pictures that have
    nothing to do with it, and stands in for that as far as a library is too small to tell."""

    same_picture: float | None = Field(default=0.99, gt=0, le=1)
    """Of moments of different videos, of about the same length, whose best frames have at least this cosine, only the
    best is listed, with the others as its copies: the same recording twice. None lists all."""

    recorded_at: str = Field(default="recorded_at", min_length=1)
    """The entry of a video's metadata that says when its first second was recorded: "2026-11-20T08:30:00+01:00". It is
    read by the clock of the place, which a number, as seconds since 1970, does not tell: such a video has none."""

    base_quantile: float = Field(default=0.25, ge=0, lt=1)
    """Quantile that counts as "does not show it", of a text's cosines with a sample of the library's frames and of the
    scores of the video's own; `pipeline.search.localization` says which of the two is the base. For a picture, the
    level in `pipeline.search.calibration` stands in for that of the sample."""

    merge_ratio: float = Field(default=0.65, ge=0, le=1)
    """A neighbouring shot joins where its mean score reaches this far from base to peak."""

    edge_ratio: float = Field(default=0.5, ge=0, lt=1)
    """A moment ends where the scores fall this far, from base to peak; half is the usual width of a peak."""

    cache_mebibytes: int = Field(default=512, ge=0)
    """Memory for frame embeddings that were read; an hour at one frame a second and 512 numbers takes 7."""
