"""Labelled moments in the format of QVHighlights: one JSON object per line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError
from pipeline.parsing import is_unicode, parse_json, shown

__all__ = ["CLIP_SECONDS", "ClipSaliency", "LabelledQuery", "query_of_line", "write_labelled"]

CLIP_SECONDS = 2.0
"""Length of the clips that saliency labels refer to, counted from the video's start."""


# A hundred days. The scores of all clips of a video are held in memory.
_MOST_SALIENCY_SECONDS = 1e7


@dataclass(frozen=True)
class ClipSaliency:
    """Saliency labels: ratings of two-second clips as answers to a query.

    Attributes:
        clips: Number of clips of the video.
        clip_ids: The rated clips; "relevant_clip_ids" in the file.
        scores: The annotators' ratings of each of these, 0 to 4; "saliency_scores" in the file.
    """

    clips: int
    clip_ids: tuple[int, ...]
    scores: tuple[tuple[float, ...], ...]

    def by_clip(self) -> npt.NDArray[np.float64]:
        """Return the ratings of all clips, float64 (clips, annotators); 0 for clips that were not rated."""
        found = np.zeros((self.clips, len(self.scores[0])))
        found[list(self.clip_ids)] = self.scores
        return found


@dataclass(frozen=True)
class LabelledQuery:
    """A labelled query: a question about a video, with its true moments.

    Attributes:
        query_id: Id, unique in its set; "qid" in the file.
        text: The question; "query" in the file.
        video: The video's name, file name, path or id; "vid" in the file.
        windows: True windows [start, end) in seconds; "relevant_windows" in the file. Empty for an absent query: the
            video does not show it, and the right answer is nothing.
        duration_seconds: The video's length, if given; "duration" in the file.
        concepts: Concepts of the query, for scores by concept; "concepts" in the file.
        saliency: Saliency labels, if given.
    """

    query_id: int | str
    text: str
    video: str
    windows: tuple[tuple[float, float], ...]
    duration_seconds: float | None = None
    concepts: tuple[str, ...] = ()
    saliency: ClipSaliency | None = None

    @property
    def is_absent(self) -> bool:
        """Whether the query is labelled as absent."""
        return not self.windows


def query_of_line(line: str) -> LabelledQuery:
    """Parse a labelled query from one line. Unknown keys are ignored.

    Raises:
        ValueError: The line is invalid; the message says what was expected.
    """
    data = parse_json(line)
    if not isinstance(data, dict):
        raise ValueError(f"expected a JSON object, got {shown(data)}")  # noqa: TRY004 - one kind of fault for the caller
    query_id = data.get("qid")
    if isinstance(query_id, bool) or not isinstance(query_id, int | str):
        raise ValueError(f"expected a number or text as qid, got {shown(query_id)}")  # noqa: TRY004 - as above
    windows = data.get("relevant_windows")
    if not isinstance(windows, list):
        raise ValueError(  # noqa: TRY004 - as above
            "expected a list of [start, end] in relevant_windows, empty where the video does not show it, got"
            f" {shown(windows)}"
        )
    duration = data.get("duration")
    if duration is not None and not (_is_number(duration) and 0 < duration < math.inf):
        raise ValueError(f"expected a duration in seconds, more than 0, got {shown(duration)}")
    return LabelledQuery(
        query_id,
        _text(data, "query"),
        _text(data, "vid"),
        tuple(map(_window, windows)),
        None if duration is None else float(duration),
        _concepts(data.get("concepts", [])),
        _saliency(data, duration),
    )


def write_labelled(queries: Iterable[LabelledQuery], path: str | Path) -> None:
    """Write a labelled set in the format of QVHighlights.

    Raises:
        ConfigError: The file cannot be written.
    """
    try:
        with Path(path).open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(_fields(query), ensure_ascii=False) + "\n" for query in queries)
    except OSError as error:
        raise ConfigError(f"the labelled set {str(path)!r} cannot be written: {error}") from error


def _fields(query: LabelledQuery) -> dict[str, Any]:
    fields: dict[str, Any] = {"qid": query.query_id, "query": query.text, "vid": query.video}
    if query.duration_seconds is not None:
        fields["duration"] = query.duration_seconds
    fields["relevant_windows"] = [list(window) for window in query.windows]
    if query.saliency is not None:
        fields["relevant_clip_ids"] = list(query.saliency.clip_ids)
        fields["saliency_scores"] = [list(scores) for scores in query.saliency.scores]
    if query.concepts:
        fields["concepts"] = list(query.concepts)
    return fields


def _text(data: Mapping[str, Any], key: str) -> str:
    text = data.get(key)
    if not isinstance(text, str) or not text.strip() or not is_unicode(text):
        raise ValueError(f"expected a text as {key}, got {shown(text)}")
    return text.strip()


def _window(window: object) -> tuple[float, float]:
    if isinstance(window, list) and len(window) == 2 and all(_is_number(bound) for bound in window):
        start, end = float(window[0]), float(window[1])
        if 0 <= start < end < math.inf:
            return start, end
    raise ValueError(f"expected [start, end] in seconds with 0 <= start < end, got {shown(window)}")


def _concepts(concepts: object) -> tuple[str, ...]:
    if isinstance(concepts, list) and all(isinstance(concept, str) and concept.strip() for concept in concepts):
        return tuple(dict.fromkeys(concept.strip() for concept in concepts))
    raise ValueError(f'expected a list of texts as concepts, as ["forklift", "night"], got {shown(concepts)}')


def _saliency(data: Mapping[str, Any], duration: float | None) -> ClipSaliency | None:
    ids, scores = data.get("relevant_clip_ids"), data.get("saliency_scores")
    if not scores:
        return None
    if duration is None:
        raise ValueError("saliency_scores need the video's duration; give it in seconds, or leave them out")
    if duration > _MOST_SALIENCY_SECONDS:
        raise ValueError(f"saliency_scores of a video of {duration:g} s; the most is {_MOST_SALIENCY_SECONDS:g} s")
    # A last clip of less than two seconds does not count.
    clips = int(duration / CLIP_SECONDS)
    if not isinstance(ids, list) or not all(_is_number(clip) and 0 <= clip < clips and clip % 1 == 0 for clip in ids):
        raise ValueError(f"expected clips from 0 to {clips - 1} as relevant_clip_ids, got {shown(ids)}")
    if not isinstance(scores, list) or len(scores) != len(ids) or not all(map(_are_scores, scores)):
        raise ValueError(
            f"expected the scores of each of {len(ids)} clips, 0 to 4, as saliency_scores, got {shown(scores)}"
        )
    if len({len(of_clip) for of_clip in scores}) != 1:
        raise ValueError(f"expected as many saliency_scores for one clip as for another, got {shown(scores)}")
    return ClipSaliency(clips, tuple(map(int, ids)), tuple(tuple(map(float, of_clip)) for of_clip in scores))


def _are_scores(scores: object) -> bool:
    return isinstance(scores, Sequence) and bool(scores) and all(_is_number(s) and 0 <= s <= 4 for s in scores)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
