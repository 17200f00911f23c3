"""Questions that name labels: which frames may be a moment's best, and what is said of videos without labels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from contracts.label_intervals import MadeLabels, Pairs
from contracts.word_world import DictStore, WordEncoder, shown, video

from pipeline.errors import QueryError
from pipeline.index import Filter, LabelFilter, MemoryIndex
from pipeline.index.rewrite import replace_rows
from pipeline.search import Answer, Searcher, Searching, as_query
from pipeline.search.filters.labels import allowed_intervals, check_labels, common_intervals
from pipeline.segment import FixedWindows, MeanPooling, Segmenter, Shots
from pipeline.segment.row_recipe import RowRecipe
from pipeline.types import FrameEmbeddings, LabelIntervals, VideoRecord

Video = tuple[VideoRecord, FrameEmbeddings]
WINDOWS = FixedWindows(length_seconds=4.0, overlap_seconds=0.0)


class SeenIndex(MemoryIndex):
    """Knows by which filters it was asked."""

    filters: list[Filter]

    def search(self, vectors: Any, *, top: int, where: Filter | None = None) -> Any:
        self.filters = [*getattr(self, "filters", []), where or Filter()]
        return super().search(vectors, top=top, where=where)


class World:
    """A searcher of made-up videos; `rows_know` says whether the index's rows carry their labels."""

    def __init__(
        self,
        *videos: Video,
        made: dict[str, dict[str, Pairs]],
        rows_know: MadeLabels | bool = True,
        segmenter: Segmenter | None = None,
        **settings: Any,
    ) -> None:
        self.labels = MadeLabels(dict(made), tuple(record.video_id for record, _ in videos))
        source = self.labels if rows_know is True else rows_know or None
        recipe = RowRecipe(segmenter=segmenter or Shots(), aggregator=MeanPooling(), fingerprint="s", labels=source)
        self.store, self.index = DictStore(), SeenIndex()
        for record, frames in videos:
            self.store.write(record, frames)
            replace_rows(self.index, record.video_id, recipe.rows(frames, record.metadata))
        given = {"same_picture": None} | settings
        self.searcher = Searcher(WordEncoder(), self.index, self.store, Searching(**given), labels=lambda: self.labels)

    def ask(self, question: str = "red", **fields: Any) -> Answer:
        return self.searcher.ask(as_query(question, fields))


def places(answer: Answer) -> list[tuple[str, float, float, float]]:
    return [(one.video_id, one.start_seconds, one.end_seconds, one.best_seconds) for one in answer.moments]


def skipped(answer: Answer) -> dict[str, tuple[str, bool]]:
    return {one.video_id: (one.why, one.is_unlabelled) for one in answer.explanation.skipped}


REDS = video("v1", "red", "", "red", "", "red")


@pytest.mark.parametrize("rows_know", [True, False])
@pytest.mark.parametrize(
    ("fields", "starts"),
    [
        ({}, [0, 4, 8]),
        ({"labels": "forklift"}, [4]),
        ({"labels": ["forklift", "person"]}, []),
        ({"labels": ["person"]}, [0, 8]),
        ({"not_labels": "forklift"}, [0, 8]),
        ({"not_labels": ["forklift", "person"]}, []),
        ({"labels": ["person"], "not_labels": ["hard hat"]}, [8]),
    ],
)
def test_moments_lie_in_wanted_labels_and_in_no_others(
    fields: dict[str, Any], starts: list[float], rows_know: bool
) -> None:
    made = {"v1": {"forklift": [(4, 6)], "person": [(0, 2), (7, 10)], "hard hat": [(0, 4)]}}
    answer = World(REDS, made=made, rows_know=rows_know).ask(**fields)
    assert sorted(start for _, start, _, _ in places(answer)) == starts
    assert not any(one.is_unlabelled or one.is_broken for one in answer.explanation.skipped)


@pytest.mark.parametrize("rows_know", [True, False])
def test_a_label_within_a_segment_is_right_to_the_frame(rows_know: bool) -> None:
    """Red for ten seconds, in segments of four; someone walks through from 4.75 to 6.25 s, seen in three frames."""
    made = {"v1": {"person": [(4.75, 6.25)]}}
    world = World(video("v1", *["red"] * 5), made=made, rows_know=rows_know, segmenter=WINDOWS)
    assert places(world.ask(labels="person")) == [("v1", 4.75, 6.25, 5.0)]
    assert sorted(places(world.ask(not_labels="person"))) == [("v1", 0, 4.75, 0), ("v1", 6.25, 10, 6.5)]


def test_the_best_frame_is_the_best_of_those_that_count() -> None:
    """The truck shows best before the forklift comes; what is shown of it then scores less."""
    record, frames = video("v1", *["red"] * 4)
    vectors = np.stack([shown("red") if n < 8 else shown("red", "green") for n in range(16)])
    one = record, replace(frames, vectors=vectors, cuts_seconds=())
    world = World(one, made={"v1": {"forklift": [(3.75, 8)]}}, min_score=0.2)
    [whole] = world.ask().moments
    [part] = world.ask(labels="forklift").moments
    assert (whole.best_seconds, part.best_seconds) == (0, 4.0)
    assert part.start_seconds == 3.75
    assert part.score < whole.score
    assert part.cosine == pytest.approx(float(shown("red") @ shown("red", "green")))


def test_the_explanation_has_what_the_labels_left_out() -> None:
    world = World(REDS, made={"v1": {"person": [(0, 2)]}})
    dropped = world.ask(labels="person").explanation.dropped
    assert [(one.moment.start_seconds, one.why) for one in dropped] == [
        (4, "its best frame is not where the filter allows it: label 'person' (of the label set site)"),
        (8, "its best frame is not where the filter allows it: label 'person' (of the label set site)"),
    ]


def test_a_moment_does_not_grow_over_what_is_left_out() -> None:
    """Nor past the end of a label's interval where the frames beside it are far apart."""
    record, frames = video("v1", *["red"] * 5)
    keep = np.asarray([0, 1, 2, 3, 12, 13, 14, 15, 16, 17, 18, 19])
    times = {name: getattr(frames, name)[keep] for name in ("pts", "times_seconds", "vectors")}
    one = record, replace(frames, **times, cuts_seconds=())
    world = World(one, made={"v1": {"person": [(0, 1.75)], "forklift": [(7.25, 10)]}})
    [person] = world.ask(labels="person").moments
    assert (person.start_seconds, person.end_seconds, person.end_uncertainty_seconds) == (0, 1.75, 0)
    [forklift] = world.ask(labels="forklift").moments
    assert (forklift.start_seconds, forklift.end_seconds, forklift.start_uncertainty_seconds) == (7.25, 10, 0)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("rows_know", [True, False])
def test_all_that_answers_is_found_and_nothing_else(seed: int, rows_know: bool) -> None:
    """Of random videos with random labels: every frame that counts and reaches the score is in a moment."""
    rng = np.random.default_rng(seed)
    words = ["", "red", "green", "red green", "blue", "red blue"]
    videos = [video(f"v{n}", *rng.choice(words, 12).tolist()) for n in range(6)]
    made: dict[str, dict[str, Pairs]] = {}
    for record, _ in videos[:5]:
        edges = {name: np.sort(rng.choice(48, 8, replace=False)) / 2 + 0.25 for name in ("person", "forklift")}
        made[record.video_id] = {name: list(map(tuple, pairs.reshape(-1, 2))) for name, pairs in edges.items()}
    world = World(*videos, made=made, rows_know=rows_know, segmenter=WINDOWS, min_score=0.3)
    answer = world.ask(labels="person", not_labels="forklift", top=1000, min_score=0.3)
    absent = world.ask(labels="person", not_labels="forklift", top=1000, min_score=0.3, none=True)
    assert answer.moments
    for record, frames in videos:
        of_video = [one for one in answer.moments if one.video_id == record.video_id]
        if record.video_id == "v5":
            assert not of_video
            continue
        labels = world.labels.of(record.video_id)
        assert labels is not None
        counts = np.asarray(
            [is_in(labels, "person", t) and not is_in(labels, "forklift", t) for t in frames.times_seconds]
        )
        in_moment, in_absence = (
            np.any(
                [(frames.times_seconds >= p.start_seconds) & (frames.times_seconds < p.end_seconds) for p in found], 0
            )
            if found
            else np.zeros(len(frames), np.bool_)
            for found in (of_video, [one for one in absent.absences if one.video_id == record.video_id])
        )
        assert ((in_moment ^ in_absence) == counts).all()
        best = np.searchsorted(frames.times_seconds, [one.best_seconds for one in of_video])
        assert counts[best].all()


def is_in(found: LabelIntervals, label: str, seconds: float) -> bool:
    return any(start <= seconds < end for start, end in found.of(label))


def test_each_step_of_a_sequence_lies_in_the_labels() -> None:
    one = video("v1", "red", "green", "", "red", "green")
    made = {"v1": {"person": [(0, 1), (6, 10)]}}
    [both] = World(one, made=made).ask(then=[{"shows": "green"}], labels="person").moments
    assert [(step.start_seconds, step.end_seconds) for step in both.steps] == [(6, 8), (8, 10)]
    answer = World(one, made={"v1": {"person": [(0, 1)]}}).ask(then=[{"shows": "green"}], labels="person")
    assert answer.moments == ()


def test_absences_lie_in_the_labels_and_unlabelled_videos_are_not_counted() -> None:
    videos = video("v1", "", "red", "", ""), video("v2", "", "", ""), video("v3", ""), video("v4", "")
    made: dict[str, dict[str, Pairs]] = {"v1": {"person": [(1, 7)]}, "v2": {"person": [(2, 3)]}, "v4": {}}
    answer = World(*videos, made=made).ask(none=True, labels="person")
    found = [(one.video_id, one.start_seconds, one.end_seconds, one.is_whole) for one in answer.absences]
    assert found == [("v2", 2, 3, True), ("v1", 1, 2, False), ("v1", 4, 7, False)]
    assert (answer.videos, answer.videos_without) == (2, 1)
    assert {name: unlabelled for name, (_, unlabelled) in skipped(answer).items()} == {"v3": True, "v4": False}
    assert answer.explanation.filters == "label 'person' (of the label set site)"


@pytest.mark.parametrize("rows_know", [True, False])
def test_videos_that_are_not_labelled_are_named(rows_know: bool) -> None:
    """Both where the index names them and where it does not."""
    videos = [video(f"v{n}", "red", metadata={"site": "a" if n < 4 else "b"}) for n in range(6)]
    made: dict[str, dict[str, Pairs]] = {"v0": {"person": [(0, 2)]}, "v1": {}, "v4": {}}
    world = World(*videos, made=made, rows_know=rows_know)
    why = "it is not labelled with the label set site: momentseek label site", True
    for fields, found in (({"labels": "person"}, ["v0"]), ({"not_labels": "person"}, ["v1", "v4"])):
        answer = world.ask(**fields)
        assert sorted(one.video_id for one in answer.moments) == found
        named = skipped(answer)
        assert {name: named[name] for name in ("v2", "v3", "v5")} == dict.fromkeys(("v2", "v3", "v5"), why)
        assert not named.keys() & set(found)
    assert {"v2", "v3"} == {
        n for n, (_, none) in skipped(world.ask(labels="person", where={"site": "a"})).items() if none
    }
    assert {n for n, (_, none) in skipped(world.ask(labels="person", videos=["v5", "v0"])).items() if none} == {"v5"}
    assert world.ask().explanation.skipped == ()


def test_rows_of_another_label_set_decide_nothing() -> None:
    """As while the rows are being written: the answer is that of the present labels."""
    before = MadeLabels({"v1": {"person": []}, "v2": {"person": [(0, 2)]}}, label_set="old")
    made: dict[str, dict[str, Pairs]] = {"v1": {"person": [(0, 2)]}, "v2": {"person": []}}
    world = World(video("v1", "red"), video("v2", "red"), made=made, rows_know=before)
    assert [place[0] for place in places(world.ask(labels="person"))] == ["v1"]
    assert [place[0] for place in places(world.ask(not_labels="person"))] == ["v2"]


def test_the_index_filters_and_is_asked_once() -> None:
    many = [video(f"v{n:02}", "red") for n in range(40)]
    made = {f"v{n:02}": {"person": [(0.0, 2.0)] if n == 39 else []} for n in range(40)}
    world = World(*many, made=made, candidates=5, top=1)
    answer = world.ask(labels="person")
    assert [place[0] for place in places(answer)] == ["v39"]
    assert [one.video_id for one in answer.explanation.candidates] == ["v39"]
    assert world.index.filters == [Filter(labels=LabelFilter("site1", ("person",)))]


@pytest.mark.parametrize("fields", [{"labels": "person"}, {"not_labels": "forklift"}])
def test_videos_without_labels_hide_none_that_have_them(fields: dict[str, Any]) -> None:
    """However many of them are nearer: the index is asked for labelled videos alone."""
    many = [video(f"v{n:02}", "red") for n in range(40)]
    world = World(*many, video("w", "red green"), made={"w": {"person": [(0, 2)]}}, candidates=2, top=1, min_score=0.2)
    for more in ({}, {"videos": ["v01", "w", "v02"]}, {"videos": ["w"]}):
        answer = world.ask(**fields, **more)
        assert [place[0] for place in places(answer)] == ["w"]
        assert {one.video_id for one in answer.explanation.candidates} == {"w"}
    assert world.ask(**fields, videos=["v01"]).explanation.candidates == ()
    assert all(asked.video_ids in (("w",), ()) for asked in world.index.filters)


def test_labels_go_with_recording_times_and_pages() -> None:
    videos = [video(f"v{n}", "red", metadata={"recorded_at": f"2026-11-20T{n:02}:00"}) for n in range(8)]
    made = {f"v{n}": {"person": [(0.0, 2.0)] if n % 2 else []} for n in range(8)}
    world = World(*videos, made=made)
    fields: dict[str, Any] = {"labels": "person", "recorded_from": "2026-11-20T03:00", "top": 2}
    pages = [[place[0] for place in places(world.ask(**fields, page=page))] for page in (1, 2)]
    assert pages == [["v3", "v5"], ["v7"]]
    assert len(skipped(world.ask(**fields))) == 3


def test_a_held_picture_counts_where_its_label_does() -> None:
    record, frames = video("v1", *["red"] * 5)
    first = {name: getattr(frames, name)[[0]] for name in ("pts", "times_seconds", "vectors")}
    held = replace(frames, **first, cuts_seconds=(), seen_until_seconds=np.asarray([9.5]), step_seconds=0.5)
    world = World((record, held), made={"v1": {"person": [(0, 10)]}})
    [one] = world.ask(labels="person", after=4).moments
    assert (one.start_seconds, one.end_seconds, one.best_seconds) == (0, 10, 4)
    assert world.ask(not_labels="person").moments == ()


def test_broken_labels_are_reported() -> None:
    world = World(video("v1", "red"), video("v2", "red"), made={"v1": {"person": [(0, 2)]}, "v2": {}})
    world.labels.broken.add("v1")
    for fields in ({}, {"none": True}):
        answer = world.ask(not_labels="forklift", **fields)
        assert [(one.video_id, one.is_broken) for one in answer.explanation.skipped] == [("v1", True)]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "forklit",
            r"the label set site has no label 'forklit'; did you mean 'forklift'\? it has: 'forklift', 'person'",
        ),
        ("Person", "did you mean 'person'"),
        ("zebra", "has no label 'zebra'; it has: 'forklift'"),
        ("dust", "'dust' of the label set site is scored only.*`mode` to `on`.*momentseek label site"),
    ],
)
@pytest.mark.parametrize("field", ["labels", "not_labels"])
def test_unknown_labels_are_refused_with_the_nearest(field: str, name: str, message: str) -> None:
    for fields in ({}, {"none": True}):
        with pytest.raises(QueryError, match=message):
            World(REDS, made={"v1": {}}).ask(**{field: name}, **fields)


@pytest.mark.parametrize(
    ("count", "listed"),
    [
        (0, "none"),
        (1, "'l00'"),
        (12, ", ".join(f"'l{number:02}'" for number in range(12))),
        (13, ", ".join(f"'l{number:02}'" for number in range(12)) + " and 1 more"),
    ],
)
def test_the_first_dozen_of_the_known_labels_are_listed(count: int, listed: str) -> None:
    labels = MadeLabels({}, labels=tuple(f"l{number:02}" for number in range(count)))
    with pytest.raises(QueryError) as error:
        check_labels(labels, ["zebra"])
    assert str(error.value) == f"the label set site has no label 'zebra'; it has: {listed}"


def test_a_label_that_is_wanted_and_unwanted_is_refused() -> None:
    with pytest.raises(QueryError, match="label 'person' is both in `labels` and in `not_labels`"):
        as_query("red", {"labels": ["person"], "not_labels": "person"})


def test_a_search_of_no_library_has_no_labels() -> None:
    index, store = MemoryIndex(), DictStore()
    with pytest.raises(QueryError, match="have no labels"):
        Searcher(WordEncoder(), index, store, Searching()).ask(as_query("red", {"labels": "person"}))


@pytest.mark.parametrize("seed", range(10))
def test_intervals_are_intersected(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other, third = (
        np.sort(rng.choice(60, 2 * rng.integers(0, 8), replace=False)).reshape(-1, 2) for _ in range(3)
    )
    times = np.arange(0, 60, 0.5)

    def inside(intervals: Any) -> Any:
        return np.asarray([any(start <= t < end for start, end in intervals) for t in times])

    both = common_intervals(one.astype(float), other.astype(float))
    assert (inside(both) == inside(one) & inside(other)).all()
    assert (np.diff(both.ravel()) >= 0).all()
    found = LabelIntervals("s", {"a": one.astype(float), "b": other.astype(float), "c": third.astype(float)})
    allowed = allowed_intervals(found, ["a"], ["b", "c", "d"])
    assert (inside(allowed) == inside(one) & ~inside(other) & ~inside(third)).all()
