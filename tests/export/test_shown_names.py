from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from contracts.fake_videos import write_video

from pipeline.export import clip_name
from pipeline.render.text import counted, file_name, printable, score_text, time_text
from pipeline.types import Moment

MakeMoment = Callable[..., Moment]


@pytest.fixture
def moment(tmp_path: Path) -> MakeMoment:
    def make(
        name: str = "a.mp4", start: float = 1.0, end: float = 3.0, best: float = 2.0, score: float = 0.3
    ) -> Moment:
        path = tmp_path / name
        if not path.exists():
            write_video(path, frames=20, grey=200)
        return Moment(video_id=name, uri=str(path), start_seconds=start, end_seconds=end, best_seconds=2.0, score=score)

    return make


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("видео 视频.mp4", "видео 视频.mp4"),
        ("a\nb\tc.mp4", r"a\nb\tc.mp4"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("caf\udce9.mp4", r"caf\udce9.mp4"),
        ("right\u202eleft", r"right\u202eleft"),
    ],
)
def test_printable_escapes_what_commands_a_terminal(text, shown):
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("count", "nouns", "shown"),
    [
        (1, ("clip",), "1 clip"),
        (0, ("clip",), "0 clips"),
        (12_000, ("clip",), "12000 clips"),
        (2, ("query", "queries"), "2 queries"),
    ],
)
def test_counted_is_singular_for_one_alone(count, nouns, shown):
    assert counted(count, *nouns) == shown


def test_file_name_of_a_uri_is_its_last_part():
    assert file_name("s3://bucket/folder/a\n.mp4") == r"a\n.mp4"


@pytest.mark.parametrize(
    ("score", "shown"),
    [(0.97, "0.97"), (0.29, "0.29"), (0.57, "0.57"), (0.49999, "0.49"), (0.9999, "0.99"), (1.0, "1.00"), (0.0, "0.00")],
)
def test_scores_are_rounded_down(score, shown):
    assert score_text(score) == shown


@pytest.mark.parametrize(
    ("uncertainty", "shown"), [(0.0, "1:15.500"), (0.5, "1:15.500"), (0.75, "1:15.500 ±0.8"), (12, "1:15.500 ±12.0")]
)
def test_a_time_says_how_uncertain_it_is_where_that_matters(uncertainty, shown):
    assert time_text(75.5, uncertainty) == shown


def test_clip_name_is_safe(moment):
    name = clip_name(3, moment("a b\n$(rm).mp4", start=1.25))
    assert name == "03-a_b_rm-1.250-3.000.mp4"
