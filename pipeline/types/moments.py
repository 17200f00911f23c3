"""The moments that a search returns, and their provenance."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

__all__ = ["Moment", "Provenance"]


@dataclass(frozen=True)
class Provenance:
    """Fingerprints of the configuration that a result was computed with.

    Attributes:
        sampling: Fingerprint of the sampling whose frames were looked at.
        encoder: Of the encoder whose embeddings they are.
        segmentation: Of what made the index's rows of them.
    """

    sampling: str
    encoder: str
    segmentation: str


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A search result: an interval of a video, its best frame and how well it answers.

    Attributes:
        video_id: The video's id.
        uri: A place where the video was when it was indexed.
        is_gone: Whether that place was found to hold another video when that one was indexed, and no other place is
            known: the video cannot be shown any more, and what lies at `uri` is not it.
        start_seconds: Where it begins, included.
        end_seconds: Where it ends, not included.
        best_seconds: Time of its best frame.
        score: How likely its best frame shows what was asked for, 0 to 1; comparable between questions and libraries.
        cosine: Of the best frame with what was asked for, -1 to 1; of several things, the least.
        start_uncertainty_seconds: How far its true start may be away, either way, if its frames were judged rightly.
        end_uncertainty_seconds: The same of its end.
        best_pts: The best frame's presentation timestamp.
        time_base: Seconds a unit of it.
        provenance: What its frames and rows are of.
        recorded_at: When its best frame was recorded, where the video's metadata says when it begins; without a zone,
            by the clock of the place.
        steps: Where things were asked for one after another, the moments of these; this one spans them all, and its
            best frame is that of the first.
        copies: The same pictures in other videos, which were left out in favour of this one.
    """

    video_id: str
    uri: str
    start_seconds: float
    end_seconds: float
    best_seconds: float
    score: float
    cosine: float = 0.0
    start_uncertainty_seconds: float = 0.0
    end_uncertainty_seconds: float = 0.0
    best_pts: int = 0
    time_base: Fraction = Fraction(1)
    provenance: Provenance | None = None
    recorded_at: datetime | None = None
    steps: tuple[Moment, ...] = ()
    copies: tuple[Moment, ...] = ()
    is_gone: bool = False
