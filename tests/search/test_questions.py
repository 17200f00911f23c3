"""Whole questions on the world of three words."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from contracts.word_world import WordEncoder, shown, video
from test_searcher import searcher_of

from pipeline.errors import QueryError
from pipeline.search import Answer, Searcher, Searching, Term, as_query, read_query
from pipeline.search.calibration import PRIOR_VIDEOS, Calibrator, probability
from pipeline.segment import FixedWindows
from pipeline.store import FrameSample

OFFICE = "red", "", "red green", "green", "", "blue"


def places(answer: Answer) -> list[tuple[str, float, float]]:
    return [(m.video_id, m.start_seconds, m.end_seconds) for m in answer.moments]


def office(*more: tuple[str, Sequence[str]]) -> Searcher:
    searcher, _ = searcher_of(video("v1", *OFFICE), *(video(name, *shots) for name, shots in more))
    return searcher


def ask(searcher: Searcher, **fields: object) -> Answer:
    shows = fields.pop("shows")
    return searcher.ask(as_query("placeholder", {"shows": shows, **fields}))


def test_what_no_frame_shows_is_answered_by_nothing_and_the_nearest_is_told() -> None:
    searcher, _ = searcher_of(video("v1", "red", "", "green"), video("v2", "green", "red", ""))
    answer = ask(searcher, shows=["blue"])
    assert answer.moments == ()
    assert answer.found == 0
    assert answer.nearest is not None
    assert answer.nearest.score < answer.min_score == 0.5
    assert {dropped.why for dropped in answer.explanation.dropped} == {"its score is below 0.5"}


def test_all_of_several_in_one_picture() -> None:
    assert places(ask(office(), shows=["red", "green"])) == [("v1", 4, 6)]


def test_without_is_set_algebra() -> None:
    both = ask(office(), shows=["red"], min_score=0.2)
    assert [start for _, start, _ in places(both)] == [0, 4]
    assert places(ask(office(), shows=["red"], without=["green"], min_score=0.2)) == [("v1", 0, 2)]


def test_what_is_left_out_does_not_hide_what_comes_after_it_in_the_index() -> None:
    crowd = [(f"w{number}", ["red green"] * 3) for number in range(10)]
    settings = Searching(candidates=5, top=5, same_picture=None)
    videos = [video(name, *shots) for name, shots in crowd]
    searcher, _ = searcher_of(*videos, video("v1", "red"), settings=settings)
    assert {video_id for video_id, _, _ in places(ask(searcher, shows=["red"], without=["green"]))} == {"v1"}


def test_one_after_another_within_a_time() -> None:
    answer = ask(office(("v2", ("blue", "", "red"))), shows=["red"], then=[{"shows": "blue", "within": 9}])
    assert [(m.start_seconds, m.end_seconds) for m in answer.moments] == [(4, 12)]
    (moment,) = answer.moments
    assert [(step.start_seconds, step.end_seconds) for step in moment.steps] == [(4, 6), (10, 12)]
    assert moment.score == min(step.score for step in moment.steps)
    assert ask(office(), shows=["red"], then=[{"shows": "blue", "within": 3}]).moments == ()


def test_at_least_so_many_times() -> None:
    searcher = office(("v2", ("red", "", "blue")))
    assert {name for name, _, _ in places(ask(searcher, shows=["red"], at_least=2, min_score=0.2))} == {"v1"}
    why = {d.why for d in ask(searcher, shows=["red"], at_least=2, min_score=0.2).explanation.dropped}
    assert "its video has 1 of 2 such moments" in why


def test_only_a_part_of_each_video() -> None:
    searcher, _ = searcher_of(video("v1", "red", "", "red", "", "red"))
    assert [start for _, start, _ in places(ask(searcher, shows=["red"], after=3, before=8))] == [4]


def test_many_questions_are_answered_in_order_and_their_texts_embedded_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Sequence[str]] = []
    embed = WordEncoder.encode_texts
    monkeypatch.setattr(WordEncoder, "encode_texts", lambda self, texts: (asked.append(texts), embed(self, texts))[1])
    searcher = office()
    questions = ["red", "blue", {"shows": "red", "without": "green"}, {"shows": "green", "then": [{"shows": "blue"}]}]
    answers = list(searcher.ask_all(as_query(question, {"min_score": 0.2}) for question in questions))
    assert [places(answer) for answer in answers] == [
        places(searcher.ask(as_query(question, {"min_score": 0.2}))) for question in questions
    ]
    assert ["red", "blue", "green"] in asked
    assert list(searcher.ask_all([])) == []


def test_a_question_that_cannot_be_asked_is_named_when_those_before_it_are_answered() -> None:
    searcher = office()
    for bad in ({"shows": "red", "videos": ["nowhere"]}, {"shows": {"like": "nowhere"}}):
        answers = searcher.ask_all([as_query("red"), as_query("blue"), as_query(bad), as_query("green")])
        assert [places(next(answers)), places(next(answers))] == [[("v1", 0, 2), ("v1", 4, 6)], [("v1", 10, 12)]]
        with pytest.raises(QueryError, match=r"question 3 \((red|nowhere)\): no video 'nowhere'"):
            next(answers)


def test_pages_follow_each_other() -> None:
    searcher, _ = searcher_of(*(video(f"v{number}", "red", "") for number in range(5)))
    pages = [ask(searcher, shows=["red"], top=2, page=page) for page in (1, 2, 3, 4)]
    assert [[name for name, _, _ in places(page)] for page in pages] == [["v0", "v1"], ["v2", "v3"], ["v4"], []]
    assert {page.found for page in pages} == {5}
    assert [page.first_rank for page in pages] == [1, 3, 5, 7]


def test_spread_over_videos() -> None:
    searcher, _ = searcher_of(video("v1", "red", "", "red", "", "red"), video("v2", "", "red"))
    answer = ask(searcher, shows=["red"], per_video=1)
    assert [name for name, _, _ in places(answer)] == ["v1", "v2"]
    assert [d.why for d in answer.explanation.dropped if "better" in d.why] == ["its video has 1 better ones"] * 2


def test_copies_are_listed_once_and_kept_with_the_one_that_is_shown() -> None:
    videos = video("v1", "red", ""), video("v2", "red", ""), video("v3", "red green", "")
    searcher, _ = searcher_of(*videos, settings=Searching(min_score=0.0))
    answer = ask(searcher, shows=["red"])
    assert [name for name, _, _ in places(answer) if name != "v3"] == ["v1"] * 2
    assert [copy.video_id for copy in answer.moments[0].copies] == ["v2"]


def test_more_like_a_second_of_a_video_of_the_library() -> None:
    searcher = office(("v2", ("blue", "", "green")))
    answer = ask(searcher, shows=[{"like": "v1", "at": 11.0}], min_score=0.2)
    assert places(answer)[:2] == [("v1", 10, 12), ("v2", 0, 2)]


@pytest.mark.parametrize(
    ("term", "problem"),
    [
        ({"like": "v1", "at": 99.0}, "before the given time of 99 s"),
        ({"like": "v1", "start": 50.0}, "no frame was sampled there"),
        ({"like": "v7"}, "no video 'v7'"),
        ({"image": "a.png"}, "cannot read files"),
    ],
)
def test_terms_that_cannot_be_embedded_say_why(term: dict[str, object], problem: str) -> None:
    with pytest.raises(QueryError, match=problem):
        ask(office(), shows=[term])


def test_an_answer_has_curves_and_provenance_of_its_moments() -> None:
    answer = ask(office(), shows=["blue"])
    (curve,) = answer.curves["v1"]
    assert len(curve.scores) == len(curve.times_seconds) == 24
    (moment,) = answer.moments
    assert curve.times_seconds[curve.scores.argmax()] == moment.best_seconds
    assert moment.best_pts * moment.time_base == moment.best_seconds
    assert moment.start_uncertainty_seconds == moment.end_uncertainty_seconds == 0


def test_an_answer_has_a_curve_a_step_and_that_of_the_nearest_where_nothing_matches() -> None:
    answer = ask(office(), shows=["red"], then=[{"shows": "blue"}])
    assert [curve.times_seconds[curve.scores.argmax()] for curve in answer.curves["v1"]] == [0, 10]
    nothing = ask(office(), shows=["red", "blue"])
    assert nothing.nearest is not None
    assert (nothing.moments, set(nothing.curves)) == ((), {"v1"})


def test_a_page_is_filled_from_behind_one_moment_of_many_segments() -> None:
    settings = Searching(candidates=4, top=2, same_picture=None)
    videos = video("v1", *["red"] * 12), video("v2", "", "red"), video("v3", "red", "")
    searcher, _ = searcher_of(*videos, settings=settings)
    pages = [ask(searcher, shows=["red"], page=page) for page in (1, 2)]
    assert [[name for name, _, _ in places(page)] for page in pages] == [["v1", "v2"], ["v3"]]


def test_an_end_between_two_frames_is_uncertain_by_half_their_distance() -> None:
    record, frames = video("v1", "red", "green")
    object.__setattr__(frames, "cuts_seconds", None)
    searcher, _ = searcher_of((record, frames), segmenter=FixedWindows())
    (moment, *_) = ask(searcher, shows=["red"]).moments
    assert (moment.end_seconds, moment.end_uncertainty_seconds) == (1.75, 0.25)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "is not valid JSON"),
        ("[" * 200_000, "is not valid JSON"),
        ('{"shows":' * 200_000, "is not valid JSON"),
        ("[1]", "expected an object"),
        ('"caf\\udce9"', "the question is not UTF-8"),
        ('{"show": "red"}', "did you mean 'shows'"),
        ('{"shows": "red", "witin": 5}', "witin: unknown setting; did you mean 'within', which belongs inside 'then'?"),
        ('{"shows": "red", "within": 5}', "within: unknown setting; it belongs inside 'then'"),
        ('{"shows": "red", "then": [{"shows": "blue", "top": 5}]}', "it belongs at the top level"),
        ('{"shows": "red", "zzzz": 5}', "zzzz: unknown setting; allowed here"),
        ('{"shows": []}', "`shows` is empty"),
        ('{"shows": "red", "after": 9, "before": 9}', "`before` is 9 s, not later than `after` at 9 s"),
        ('{"shows": [{"text": "red", "image": "a.png"}]}', "this one has text, image"),
        ('{"shows": [{"text": "red", "at": 3}]}', "text takes no start, end or at"),
        ('{"shows": "red", "then": [{"shows": "blue", "within": 0}]}', "greater than 0"),
        ('{"shows": [{"clip": "a.mp4", "start": 5, "end": 4}]}', "is not later than the start"),
    ],
)
def test_questions_that_make_no_sense_are_refused(text: str, problem: str) -> None:
    with pytest.raises(QueryError, match=problem):
        read_query(text)


def test_a_question_as_deep_as_it_may_be_is_refused_as_one() -> None:
    """Reader, writer and validator give up at depths of their own."""
    for depth in range(100, 1100, 3):
        with pytest.raises(QueryError):
            read_query('{"shows":' * depth + '"a"' + "}" * depth)


def test_a_question_survives_json() -> None:
    query = read_query(
        '{"shows": ["a truck", {"image": "a.png"}], "without": "a person",'
        ' "then": [{"shows": {"clip": "b.mp4", "start": 1, "end": 2.5}, "within": 30}], "where": {"camera": "gate"}}'
    )
    assert read_query(query.model_dump_json()) == query
    assert str(query) == "a truck and a.png without a person, then b.mp4 from 1 s to 2.5 s"
    assert query.shows[0] == Term(text="a truck")


def background(
    vectors: np.ndarray, videos: int, texts: tuple[str, ...] = ("nothing",), bias: float | None = None
) -> Calibrator:
    sample = FrameSample(vectors.astype(np.float32), tuple(map(str, range(videos))), 1)
    encode, scale = WordEncoder().encode_texts, 20.0
    return Calibrator(sample, encode, texts=texts, logit_scale=scale, logit_bias=bias, odds=1000.0, base_quantile=0.25)


def test_a_score_is_the_softmax_among_pictures_at_the_level() -> None:
    calibration = background(np.stack([shown("red")] * 3 + [shown("green")] * 2), 9, texts=()).calibrate(shown("green"))
    cosine = 0.7
    expected = math.exp(20 * cosine) / (math.exp(20 * cosine) + 1000 * math.exp(20 * calibration.level))
    assert calibration.level == pytest.approx(float(shown("red") @ shown("green")), abs=1e-6)
    assert probability(float(calibration(np.asarray([cosine]))[0])) == pytest.approx(expected)


@pytest.mark.parametrize("bias", [-16.5, -4.0, 2.0])
@pytest.mark.parametrize("videos", [0, 1, 1000])
@pytest.mark.parametrize("texts", [(), ("nothing", "red")])
def test_a_sigmoid_trained_model_says_itself_what_a_score_is(bias: float, videos: int, texts: tuple[str, ...]) -> None:
    frames = np.stack([shown("red")] * 3 + [shown("green")] * 2) if videos else np.empty((0, 4))
    calibration = background(frames, videos, texts, bias).calibrate(shown("green"))
    cosines = np.asarray([-0.2, 0.0, 0.7, 1.0])
    assert calibration(cosines) == pytest.approx(20 * cosines + bias)
    assert probability(float(calibration(np.asarray([calibration.level]))[0])) == pytest.approx(1 / 1001)
    assert calibration.base_log_odds <= -math.log(1000) + 1e-9


def test_the_base_of_a_sigmoid_trained_model_is_what_the_frames_score_that_do_not_show_it() -> None:
    frames = np.stack([shown("green")] * 5)
    low = float(shown("green") @ shown("red"))
    calibration = background(frames, 9, (), -20 * low - 3.0).calibrate(shown("red"))
    assert calibration.base_log_odds == pytest.approx(-math.log(1000))
    for videos in (1, 9):
        weight = PRIOR_VIDEOS / (PRIOR_VIDEOS + videos)
        calibration = background(frames, videos, (), -20 * low - 12.0).calibrate(shown("red"))
        assert calibration.base_log_odds == pytest.approx(-(1 - weight) * 12.0 - weight * math.log(1000), abs=1e-5)


def test_pictures_are_compared_alike_whatever_the_texts_were_trained_with() -> None:
    frames = near(0.6)
    softmax, sigmoid = (
        background(frames, 9, bias=bias).calibrate(frames[0], is_picture=True) for bias in (None, -16.5)
    )
    assert softmax == sigmoid


@pytest.mark.parametrize("videos", [1, 7, 1000])
@pytest.mark.parametrize("word", ["red", "green", "blue"])
def test_a_softmax_trained_model_is_judged_to_the_last_bit_as_ever(videos: int, word: str) -> None:
    frames = np.stack([shown("red")] * 3 + [shown("green")] * 2 + [shown("green", "blue")])
    texts = ("nothing", "red", "blue green")
    others = (WordEncoder().encode_texts(texts) @ frames.T).astype(np.float64)
    weight, cosines = PRIOR_VIDEOS / (videos + PRIOR_VIDEOS), frames @ shown(word)

    def drawn(own: float, of_others: np.ndarray) -> float:
        typical = float(np.median(of_others))
        return (1 - weight) * min(own, typical + float(of_others.std())) + weight * typical

    level = drawn(float(np.median(cosines)), np.median(others, axis=1))
    base = drawn(float(np.quantile(cosines, 0.25)), np.quantile(others, 0.25, axis=1))
    calibration = background(frames, videos, texts).calibrate(shown(word))
    assert (calibration.level, calibration.scale, calibration.log_odds) == (level, 20.0, math.log(1000.0))
    assert calibration.base == min(base, level)


def test_few_videos_draw_the_level_to_that_of_other_things() -> None:
    frames = np.stack([shown("green")] * 5)
    own, others = float(shown("red") @ shown("green")), float(shown() @ shown("green"))
    for videos in (1, 3, 12):
        weight = PRIOR_VIDEOS / (PRIOR_VIDEOS + videos)
        level = background(frames, videos).calibrate(shown("red")).level
        assert level == pytest.approx((1 - weight) * own + weight * others, abs=1e-6)


def test_what_most_frames_show_is_not_taken_for_nothing() -> None:
    made = background(np.stack([shown("green")] * 5), 1000, texts=("nothing", "red", "blue"))
    others = [float(shown(*words) @ shown("green")) for words in ((), ("red",), ("blue",))]
    calibration = made.calibrate(shown("green"))
    assert calibration.level == pytest.approx(np.median(others) + np.std(others), abs=1e-3)
    assert probability(float(calibration(np.asarray([1.0]))[0])) > 0.9


def near(level: float, count: int = 40, dimension: int = 64) -> np.ndarray:
    """Unit vectors whose cosines with each other are a level, and an axis of the space that none of them uses."""
    rows = np.sqrt(level) * np.eye(dimension)[0] + np.sqrt(1 - level) * np.eye(dimension)[1 + np.arange(count)]
    return np.asarray(rows, np.float32)


@pytest.mark.parametrize("level", [0.0, 0.3, 0.6, 0.9])
def test_a_picture_is_itself_and_not_another_whatever_the_model_gives_unrelated_ones(level: float) -> None:
    frames = near(level)
    calibration = background(frames, 40).calibrate(frames[0], is_picture=True)
    itself, unrelated = calibration(frames[:2] @ frames[0])
    assert probability(float(itself)) == pytest.approx(0.999, abs=1e-4)
    assert probability(float(unrelated)) < 1e-6
    assert probability(float(calibration(np.asarray([(1 + calibration.level) / 2]))[0])) == pytest.approx(0.5)
    assert calibration.base_log_odds == pytest.approx(-math.log(1000))


def test_a_library_of_one_place_does_not_tell_how_unlike_pictures_are() -> None:
    """Frames of one camera, 0.01 from each other: one that is 0.015 away is of it, one that is 0.4 away is not."""
    frames = near(0.99)
    calibration = background(frames, 1).calibrate(frames[0], is_picture=True)
    same, moved, other = (probability(float(odds)) for odds in calibration(np.asarray([1.0, 0.985, 0.6])))
    assert (same > 0.99, moved > 0.9, other < 0.01) == (True, True, True)


@pytest.mark.parametrize("videos", [1, 100])
def test_a_picture_that_was_compressed_again_is_the_same(videos: int) -> None:
    frames = np.repeat(near(0.0, 1), 20, axis=0)
    calibration = background(frames, videos).calibrate(frames[0], is_picture=True)
    assert probability(float(calibration(np.asarray([0.995]))[0])) > 0.9
    for sample in (frames[:1], frames[:0]):
        assert background(sample, videos).calibrate(frames[0], is_picture=True).level < 0.9


def test_the_pictures_of_a_clip_are_as_near_to_their_mean_as_a_picture_to_itself() -> None:
    frames = near(0.6)
    mean = frames[:8].mean(axis=0)
    length = float(np.linalg.norm(mean))
    calibration = background(frames, 40).calibrate(mean / length, is_picture=True, mean_length=length)
    own, others = calibration(frames[:8] @ mean / length), calibration(frames[8:] @ mean / length)
    assert own == pytest.approx(np.full(8, math.log(1000)), abs=1e-3)
    assert (others < 0).all()


def test_the_base_of_a_text_is_drawn_and_bounded_as_its_level_is() -> None:
    frames = np.stack([shown("green")] * 4 + [shown("green", "red")] * 4)
    for videos in (1, 12):
        calibration = background(frames, videos, texts=("nothing", "blue")).calibrate(shown("red"))
        assert calibration.base is not None
        assert calibration.base < calibration.level
        assert calibration.base_log_odds < -math.log(1000)
    everywhere = background(np.stack([shown("red")] * 8), 1, texts=("nothing", "blue")).calibrate(shown("red"))
    assert probability(everywhere.base_log_odds) <= 0.0011
    assert probability(float(everywhere(np.asarray([1.0]))[0])) > 0.99
