from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from contracts.fake_videos import FakeDecoder, TrustedVideos, write_video

from pipeline.errors import VideoError
from pipeline.export import contact_sheet
from pipeline.render.canvas import GROUND, RIGHT, STEPS, WRONG, blended
from pipeline.search import Answer, as_query
from pipeline.search.answer import Explanation
from pipeline.search.localization import Curve
from pipeline.types import Moment
from pipeline.video.frame_at import frame_at

MakeMoment = Callable[..., Moment]
TOP, LEFT, WIDTH = 116, 40, 432


@pytest.fixture
def moment(tmp_path: Path) -> MakeMoment:
    def make(
        name: str = "a.mp4", start: float = 2.0, end: float = 4.0, score: float = 0.9, grey: int = 200, **more: object
    ) -> Moment:
        path = tmp_path / name
        if not path.exists():
            write_video(path, frames=20, grey=grey)
        best = (start + end) / 2
        fields = {"video_id": name, "uri": str(path), "start_seconds": start, "end_seconds": end, "score": score}
        return Moment(**fields, best_seconds=best, **more)

    return make


def curve(*places: tuple[float, float]) -> Curve:
    """Of a video of ten seconds, two frames a second: nearly 1 in these places, nearly 0 elsewhere."""
    times = np.arange(20) / 2
    scores = np.full(20, -9.0)
    for start, end in places:
        scores[(times >= start) & (times < end)] = 9.0
    return Curve(times, scores, np.empty(0), 10.0)


def answer_of(
    *moments: Moment, question: object = "a question", min_score: float = 0.5, curves: object = None, **fields: object
) -> Answer:
    return Answer(
        query=as_query(question),
        moments=moments,
        found=fields.pop("found", len(moments)),
        top=10,
        min_score=min_score,
        nearest=fields.pop("nearest", None),
        curves=curves or {},
        explanation=Explanation((), "", (), ()),
    )


def pixels(answer: Answer, **options: object) -> np.ndarray:
    return np.asarray(contact_sheet(answer, TrustedVideos(), **options)).astype(int)


def of_colour(picture: np.ndarray, colour: str) -> np.ndarray:
    return (picture == [int(colour[place : place + 2], 16) for place in (1, 3, 5)]).all(axis=2)


def test_frame_at_takes_the_frame_of_that_time(tmp_path: Path) -> None:
    seen = []

    class Watched(FakeDecoder):
        def open(self, path):
            stream = super().open(path)
            frames = stream.frames

            def watched(**bounds):
                for frame in frames(**bounds):
                    seen.append(frame.time)
                    yield frame

            stream.frames = watched
            return stream

    picture = frame_at(Watched(), str(write_video(tmp_path / "a.mp4", grey=7)), 1.5000001)
    assert (picture.shape, picture.max()) == ((8, 8, 3), 7)
    # The one before may be nearer, and one frame further it is certain that this was the nearest.
    assert seen == [Fraction(1), Fraction(3, 2), Fraction(2)]


def test_frame_at_refuses_a_time_after_the_end(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="no frame at 99"):
        frame_at(FakeDecoder(), str(write_video(tmp_path / "a.mp4")), 99.0)


def test_the_best_frames_are_shown_and_the_right_ones_marked(moment: MakeMoment) -> None:
    answer = answer_of(moment(), moment("b.mp4", score=0.7))
    plain, marked = pixels(answer), pixels(answer, is_right=[True, False])
    assert (plain == 200).all(axis=2).sum() > 100_000
    assert not of_colour(plain, RIGHT).any()
    assert of_colour(marked, RIGHT).sum() > 100
    assert of_colour(marked, WRONG).sum() > 100


@pytest.mark.parametrize("name", ["视频.mp4", "a\nb.mp4", "x" * 200 + ".mp4", "مرحبا.mp4"])
def test_any_name_is_taken(moment: MakeMoment, name: str) -> None:
    assert pixels(answer_of(moment(name), question="問い " * 60)).shape[1] == 944


def test_a_video_that_is_gone_leaves_its_place_empty(moment: MakeMoment) -> None:
    here = moment()
    full = pixels(answer_of(here))
    Path(here.uri).unlink()
    empty = pixels(answer_of(here))
    assert empty.shape == full.shape
    assert not (empty == 200).all(axis=2).any()


def test_nothing_is_a_title() -> None:
    assert contact_sheet(answer_of(), TrustedVideos()).height < 200


def test_where_nothing_answers_the_nearest_is_shown(moment: MakeMoment) -> None:
    near = moment(score=0.3)
    picture = pixels(answer_of(nearest=near, curves={near.video_id: (curve(),)}))
    assert (picture == 200).all(axis=2).sum() > 50_000
    assert pixels(answer_of(found=7, nearest=near)).shape[0] < 200


def test_the_moment_is_shaded_on_its_curve_where_it_lies(moment: MakeMoment) -> None:
    here = moment(start=2.0, end=4.0)
    picture = pixels(answer_of(here, curves={here.video_id: (curve((2, 4), (6, 8)),)}))
    # The plot shows six seconds more on both sides, as far as the video goes: 0 to 10 s.
    filled = np.flatnonzero(of_colour(picture, blended(STEPS[0], GROUND, 0.45)).any(axis=0))
    left, plot = LEFT + 16, WIDTH - 32
    assert (filled.min(), filled.max()) == pytest.approx((left + 0.2 * plot, left + 0.4 * plot), abs=3)


def test_the_curve_is_as_high_as_the_score(moment: MakeMoment) -> None:
    here = moment(start=2.0, end=4.0)
    heights = []
    for log_odds in (9.0, 0.0):
        made = curve()
        made.scores[4:8] = log_odds
        picture = pixels(answer_of(here, curves={here.video_id: (made,)}, min_score=0))
        heights.append(np.ptp(np.flatnonzero(of_colour(picture, blended(STEPS[0], GROUND, 0.45)).any(axis=1))))
    assert heights[0] == pytest.approx(48, abs=3)
    assert heights[1] == pytest.approx(24, abs=3)


def test_the_least_score_is_a_line_across_the_curve(moment: MakeMoment) -> None:
    here = moment()
    curves = {here.video_id: (curve((2, 4)),)}
    without = pixels(answer_of(here, curves=curves, min_score=0.0))
    rows = {}
    for level in (0.25, 0.75):
        changed = (pixels(answer_of(here, curves=curves, min_score=level)) != without).any(axis=2)
        rows[level] = int(changed.sum(axis=1).argmax())
        assert changed.sum(axis=1).max() > 150
    assert rows[0.25] - rows[0.75] == pytest.approx(0.5 * 48, abs=1)


def test_what_comes_one_after_another_has_a_picture_and_a_curve_each(moment: MakeMoment) -> None:
    steps = moment(start=1.0, end=3.0), moment(start=5.0, end=7.0)
    whole = moment(start=1.0, end=7.0, steps=steps)
    question = {"shows": "one", "then": [{"shows": "two"}]}
    picture = pixels(
        answer_of(whole, question=question, curves={whole.video_id: (curve((1, 3), (8, 9)), curve((5, 7)))})
    )
    shown = (picture[TOP + 100] == 200).all(axis=1)
    # Square pictures, each in the middle of its half.
    assert shown[: LEFT + 444].sum() == shown[LEFT + 444 :].sum() == pytest.approx(249, abs=2)
    left, plot = LEFT + 16, 2 * WIDTH + 24 - 32
    for number, (start, end) in enumerate([(1, 3), (5, 7)]):
        filled = np.flatnonzero(of_colour(picture, blended(STEPS[number], GROUND, 0.45)).any(axis=0))
        assert (filled.min(), filled.max()) == pytest.approx((left + start / 10 * plot, left + end / 10 * plot), abs=5)


def test_many_moments_are_about_as_wide_as_high(moment: MakeMoment) -> None:
    height, width, _ = pixels(answer_of(*(moment(f"{number}.mp4") for number in range(40)))).shape
    assert 0.7 < width / height < 1.4
    assert pixels(answer_of(*[moment()] * 4), columns=1).shape[1] < 1000
