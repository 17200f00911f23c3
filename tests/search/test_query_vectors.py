"""From the terms of a question to vectors: which frames of the library a term points to, and what their mean is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest
from contracts.word_world import DictStore, WordEncoder, shown, video

from pipeline.errors import QueryError
from pipeline.search import QueryImages, Term
from pipeline.search.calibration import Calibrator
from pipeline.search.embedding_cache import EmbeddingCache
from pipeline.search.query_embedding import CalibratedTerm, TermEmbedder
from pipeline.store import FrameSample

Vectors = npt.NDArray[np.float32]


class KnownPictures:
    """Hands out pictures by number, and knows what it was asked for."""

    def __init__(self, *numbers: int) -> None:
        self._pictures = np.asarray(numbers, np.uint8)[:, None, None, None]
        self.asked: list[tuple[Any, ...]] = []

    def first(self, uri: str) -> npt.NDArray[np.uint8]:
        self.asked.append((uri,))
        return self._pictures[:1]

    def within(self, uri: str, start: float | None, end: float | None) -> npt.NDArray[np.uint8]:
        self.asked.append((uri, start, end))
        return self._pictures


class NumberEncoder(WordEncoder):
    """A picture's number is the axis of its embedding; counts the calls for texts."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def encode_images(self, images: npt.NDArray[np.uint8]) -> Vectors:
        return np.eye(4, dtype=np.float32)[images[:, 0, 0, 0]]

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        self.batches.append(list(texts))
        return super().encode_texts(texts)

    def unknown_words(self, text: str) -> tuple[str, ...]:
        return tuple(word for word in text.split(" ") if word not in ("red", "green"))


def terms_of(
    pictures: KnownPictures | None = None, names: dict[str, tuple[str, ...]] | None = None
) -> tuple[TermEmbedder, NumberEncoder]:
    """Frames at 0, 0.5, ... 3.5 s of v1: four of red, four of green."""
    store, encoder = DictStore(), NumberEncoder()
    store.write(*video("v1", "red", "green"))
    calibrator = Calibrator(
        FrameSample(np.empty((0, 4), np.float32), (), 0), encoder.encode_texts, texts=(), logit_scale=40.0, odds=10.0,
        base_quantile=0.25,
    )  # fmt: skip
    known = names or {"v1": ("v1",), "gone": ("gone",), "twice": ("v1", "v2")}
    reader = None if pictures is None else lambda: cast(QueryImages, pictures)
    return TermEmbedder(encoder, reader, EmbeddingCache(store, 0), lambda name: known[name], calibrator), encoder


def embedded(term: Term, pictures: KnownPictures | None = None) -> CalibratedTerm:
    (found,) = terms_of(pictures)[0].embed([term])
    return found


RED, GREEN = shown("red"), shown("green")
BETWEEN = (RED + GREEN) / np.linalg.norm(RED + GREEN)


@pytest.mark.parametrize(("fields", "expected"), [
    ({}, BETWEEN),
    ({"at": 0.0}, RED),
    # Frames at 1.5 s and 2 s: the nearest, and of equally near ones the first.
    ({"at": 1.74}, RED),
    ({"at": 1.75}, RED),
    ({"at": 1.76}, GREEN),
    ({"at": 3.9}, GREEN),
    ({"at": 4.0}, GREEN),
    ({"end": 2.0}, RED),
    ({"start": 2.0}, GREEN),
    ({"start": 1.5, "end": 2.5}, BETWEEN),
    ({"start": 1.500001, "end": 2.5}, GREEN),
])  # fmt: skip
def test_a_part_of_a_video_has_the_frames_from_its_start_up_to_its_end(
    fields: dict[str, float], expected: Vectors
) -> None:
    found = embedded(Term(like="v1", **fields))
    assert found.vector == pytest.approx(expected, abs=1e-6)
    assert found.vector.dtype == np.float32
    assert np.linalg.norm(found.vector) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(("fields", "message"), [
    ({"like": "v1", "at": 4.001}, "'v1' ends at 4.000 s, before the given time of 4.001 s"),
    ({"like": "v1", "start": 3.6}, r"no frame was sampled there; the video ends at 4.000 s"),
    ({"like": "v1", "start": 0.1, "end": 0.5}, "no frame was sampled there"),
    ({"like": "twice"}, "2 videos are named 'twice'; use one of their ids: v1, v2"),
    ({"like": "gone"}, "'gone' has no frame embeddings in this library"),
    ({"image": "/a.png"}, "this search cannot read"),
])  # fmt: skip
def test_what_a_term_names_and_is_not_there_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(QueryError, match=message):
        embedded(Term(**fields))


def test_a_picture_is_one_and_a_clip_is_the_mean_of_its_pictures() -> None:
    pictures = KnownPictures(0, 1)
    image = embedded(Term(image="/a.png"), pictures)
    clip = embedded(Term(clip="/a.mp4", start=1.0, end=3.0), pictures)
    assert pictures.asked == [("/a.png",), ("/a.mp4", 1.0, 3.0)]
    assert image.vector.tolist() == [1, 0, 0, 0]
    assert clip.vector == pytest.approx([0.5**0.5, 0.5**0.5, 0, 0])
    # Their own mean cosine, 0.71, stands for the 1 of a single picture.
    assert clip.calibration.level == pytest.approx(0.5**0.5 * image.calibration.level)


def test_pictures_that_cancel_each_other_are_refused() -> None:
    class Opposite(NumberEncoder):
        def encode_images(self, images: npt.NDArray[np.uint8]) -> Vectors:
            return np.asarray([[1, 0, 0, 0], [-1, 0, 0, 0]], np.float32)

    terms, _ = terms_of(KnownPictures(0, 1))
    terms._encoder = Opposite()
    with pytest.raises(QueryError, match="embeddings is zero"):
        terms.embed([Term(clip="/a.mp4")])


def test_a_single_frame_of_a_clip_is_judged_as_a_picture_of_full_length() -> None:
    assert (
        embedded(Term(clip="/a.mp4"), KnownPictures(2)).calibration
        == embedded(Term(image="/a.png"), KnownPictures(2)).calibration
    )


def test_texts_are_embedded_once_and_all_at_once() -> None:
    terms, encoder = terms_of()
    found = terms.embed([Term(text="red"), Term(like="v1", at=3.0), Term(text=" green cow "), Term(text="red ")])
    assert encoder.batches == [["red", "green cow"]]
    assert [each.vector.tolist() for each in found] == [each.tolist() for each in (RED, GREEN, GREEN, RED)]
    assert [each.unknown_words for each in found] == [(), (), ("cow",), ()]
    assert found[0].calibration.level == 0.0
    assert found[1].calibration.level > 0


def test_without_a_text_none_is_embedded() -> None:
    terms, encoder = terms_of()
    terms.embed([Term(like="v1")])
    assert encoder.batches == []


def test_log_odds_of_frames_are_what_their_cosines_mean() -> None:
    found = embedded(Term(text="red"))
    vectors = np.stack([RED, GREEN])
    assert found.log_odds(vectors) == pytest.approx(found.calibration(vectors @ RED))


def test_a_video_that_has_no_frame_has_no_second() -> None:
    terms, _ = terms_of()
    record, frames = video("v1", "red")
    none = replace(frames, pts=frames.pts[:0], times_seconds=frames.times_seconds[:0], vectors=frames.vectors[:0])
    terms._embeddings.get("v1")
    terms._embeddings._cache["v1"] = record, none
    with pytest.raises(QueryError, match="before the given time of 0 s"):
        terms.embed([Term(like="v1", at=0.0)])
