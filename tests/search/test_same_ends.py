"""Where a moment begins and ends is said by the question, its video and the collection, however it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contracts.word_world import video
from test_searcher import searcher_of

from pipeline.evaluate import LabelledQuery, evaluate
from pipeline.library import Library
from pipeline.run_config import load_run_config
from pipeline.search import Searcher, Searching, as_query
from pipeline.segment import FixedWindows, Segmenter, Shots
from pipeline.types import FrameEmbeddings, Moment, VideoRecord

Video = tuple[VideoRecord, FrameEmbeddings]
QUESTIONS: list[dict[str, Any]] = [
    {"shows": "red"},
    {"shows": ["red", "green"]},
    {"shows": "red", "without": "blue"},
    {"shows": "red", "then": [{"shows": "green", "within": 9}]},
    {"shows": {"like": "v03", "at": 3.0}},
    {"shows": {"like": "v05", "start": 1.0, "end": 6.0}},
    {"shows": ["green", {"like": "v01", "at": 5.0}]},
]
SEGMENTERS = [Shots(), FixedWindows(length_seconds=60.0, overlap_seconds=0.0)]


def noisy(video_id: str, rng: np.random.Generator) -> Video:
    """A video of random shots, no frame of which is quite like the next."""
    words = ["", "red", "red green", "green blue", "blue", "red blue"]
    record, frames = video(video_id, *rng.choice(words, int(rng.integers(3, 9))))
    vectors = frames.vectors + 0.15 * rng.normal(size=frames.vectors.shape)
    object.__setattr__(frames, "vectors", np.float32(vectors / np.linalg.norm(vectors, axis=1, keepdims=True)))
    return record, frames


def made(seed: int) -> list[Video]:
    rng = np.random.default_rng(seed)
    return [noisy(f"v{number:02}", rng) for number in range(8)]


def by_video(searcher: Searcher, fields: dict[str, Any]) -> dict[str, list[Moment]]:
    found: dict[str, list[Moment]] = {}
    for moment in searcher.ask(as_query(fields)).moments:
        found.setdefault(moment.video_id, []).append(moment)
    return found


@pytest.mark.parametrize("segmenter", SEGMENTERS, ids=["shots", "minutes"])
@pytest.mark.parametrize("fields", QUESTIONS, ids=str)
@pytest.mark.parametrize("least", [0.5, 0.05])
def test_moments_are_the_same_in_the_library_and_in_their_video(
    segmenter: Segmenter, fields: dict[str, Any], least: float
) -> None:
    videos = made(7)
    fields = {**fields, "min_score": least}
    for candidates in (1, 100):
        settings = Searching(odds=10.0, candidates=candidates, same_picture=None)
        searcher, _ = searcher_of(*videos, segmenter=segmenter, settings=settings)
        everywhere = by_video(searcher, {**fields, "top": 1000})
        for record, _ in videos:
            alone = by_video(searcher, {**fields, "top": 1000, "videos": [record.video_id]})
            assert everywhere.get(record.video_id, []) == alone.get(record.video_id, [])
        pages = [m for page in (1, 2, 3) for m in searcher.ask(as_query({**fields, "top": 2, "page": page})).moments]
        assert all(moment in everywhere[moment.video_id] for moment in pages)
        assert any(everywhere.values())


@pytest.mark.parametrize("others", [0, 1, 20])
def test_a_video_that_shows_it_throughout_is_one_moment(others: int) -> None:
    record, frames = video("gate", *["red"] * 6)
    rng = np.random.default_rng(1)
    vectors = frames.vectors + 0.04 * rng.normal(size=frames.vectors.shape)
    object.__setattr__(frames, "vectors", np.float32(vectors / np.linalg.norm(vectors, axis=1, keepdims=True)))
    for cuts in (None, frames.cuts_seconds):
        object.__setattr__(frames, "cuts_seconds", cuts)
        more = [video(f"v{number}", "green", "blue", "") for number in range(others)]
        searcher, _ = searcher_of((record, frames), *more, segmenter=FixedWindows())
        for fields in ({}, {"videos": ["gate"]}):
            (moment, *_) = searcher.ask(as_query("red", fields)).moments
            assert (moment.start_seconds, moment.end_seconds) == (0.0, 12.0)


@pytest.fixture(scope="module")
def films_library(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """Two of the sample films, indexed with the demo model."""
    place = tmp_path_factory.mktemp("films") / "library"
    settings = [f"library={place}", "index.backend=memory", "execution.executor=in_process"]
    with Library.open(load_run_config("demo", settings)) as library:
        paths = [films / name for name in ("harbour-day.mp4", "warehouse-shift.mp4")]
        assert {report.status for report in library.index(paths)} == {"done"}
        yield library


FILM_QUESTIONS = [
    "a person",
    "a worker in a hard hat",
    "a warehouse with shelves",
    "daylight",
    "night",
    "a box",
    "a truck",
]


@pytest.mark.slow
def test_films_are_answered_alike_in_the_library_and_alone(films_library: Library) -> None:
    compared = 0
    for text in FILM_QUESTIONS:
        firsts: dict[str, Moment] = {}
        for moment in films_library.search(text, top=1000):
            for each in (moment, *moment.copies):
                firsts.setdefault(each.video_id, each)
        for video_id, first in firsts.items():
            (alone,) = films_library.search(text, videos=[video_id], top=1)
            assert (alone.start_seconds, alone.end_seconds, alone.score) == (
                first.start_seconds,
                first.end_seconds,
                first.score,
            )
            # An evaluation asks within the video.
            label = LabelledQuery(1, text, video_id, ((first.start_seconds, first.end_seconds),))
            assert evaluate(films_library, [label], ranks_videos=False).answers[0].first_iou == 1.0
            compared += 1
    assert compared >= 4
