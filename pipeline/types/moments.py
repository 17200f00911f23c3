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
        sampling: Fingerprint of the sampling.
        encoder: Fingerprint of the encoder.
        segmentation: Fingerprint of the segmentation and aggregation.
    """

    sampling: str
    encoder: str
    segmentation: str


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A search result: an interval of a video, its best frame and how well it answers.

    Attributes:
        video_id: The video's id.
        uri: The video's last known location.
        is_gone: Whether another video was later indexed from `uri` and no other location of this one is known: the
            video cannot be shown any more, and the file at `uri` is another one.
        start_seconds: Start of the moment, inclusive.
        end_seconds: End of the moment, exclusive.
        best_seconds: Time of the best frame.
        score: Probability that the best frame answers the question, 0 to 1; comparable between questions and libraries.
        cosine: Cosine of the best frame with the question, -1 to 1; the lowest one if there are several terms.
        start_uncertainty_seconds: How far the true start may be from `start_seconds`, in either direction.
        end_uncertainty_seconds: How far the true end may be from `end_seconds`, in either direction.
        best_pts: Presentation timestamp of the best frame.
        time_base: Seconds per unit of the timestamp.
        provenance: Provenance of the video's frames and rows.
        recorded_at: When the best frame was recorded; local time if it has no zone. None if the video's metadata does
            not contain the start of the recording.
        steps: For a question with several steps, the moment of each; this moment extends over all of them, and its best
            frame is that of the first.
        copies: Moments of other videos with the same pictures, which were left out in favour of this one.
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
