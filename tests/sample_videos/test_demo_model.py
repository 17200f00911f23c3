"""The demo model, from its committed weights to answers about the committed films."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.evaluate import evaluate, read_labelled
from pipeline.library import Library
from pipeline.run_config import load_run_config
from pipeline.types import Status
from sample_videos.films import write_scripts
from sample_videos.labels import film_truth
from sample_videos.statements import CONCEPTS

FOLDER = Path(__file__).resolve().parents[2] / "sample_videos"
WEIGHTS = FOLDER / "demo_model" / "open_clip_model.safetensors"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    place = tmp_path_factory.mktemp("demo") / "library"
    config = load_run_config("demo", [f"library={place}", "execution.executor=in_process"])
    with Library(config) as library:
        reports = list(library.index(FOLDER / f"{film.name}{film.suffix}" for film in write_scripts()))
        assert {report.status for report in reports} == {Status.DONE}
        yield library


def test_the_weights_are_small() -> None:
    assert WEIGHTS.stat().st_size <= 16_000_000


def test_five_of_six_first_answers_are_right(library: Library) -> None:
    metrics = evaluate(library, read_labelled(FOLDER / "moments.jsonl")).metrics
    assert metrics["MR-full-R1@0.5"] >= 83.0


@pytest.mark.parametrize(
    "text", ["person in hard hat", "forklift", "bicycle", "fire", "person climbing a ladder", "damaged box"]
)
def test_the_first_answer_shows_what_was_asked_for(library: Library, text: str) -> None:
    [moment] = library.search(text, top=1)
    film = next(film for film in write_scripts() if film.name == Path(moment.uri).stem)
    windows, _ = film_truth(film, CONCEPTS[text])
    assert any(start <= moment.best_seconds < end for start, end in windows)
