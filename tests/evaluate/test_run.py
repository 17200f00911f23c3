from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from contracts.word_world import WordModel, video
from fixed_library import ABSENT, QUERIES, FixedLibrary

from pipeline.errors import QueryError
from pipeline.evaluate import MATCHING_RULE, ClipSaliency, LabelledQuery, evaluate, split_missing
from pipeline.index.rewrite import replace_rows
from pipeline.library import Library


def test_evaluate_asks_each_query_within_its_video() -> None:
    library = FixedLibrary((0, 4))
    evaluate(library, QUERIES, top=5)
    assert library.asked[:2] == [("a dog", 5, ("park1",)), ("a cat", 5, ("park2",))]


def test_evaluate_asks_the_whole_library_to_rank_videos() -> None:
    library = FixedLibrary((0, 4))
    result = evaluate(library, [*QUERIES, LabelledQuery(9, "a dog", "park1", ((6, 8),))])
    assert library.asked[3:] == [("a dog", 100, ()), ("a cat", 100, ())]
    # The first video is right for the dog, the second for the cat.
    assert result.metrics["VR-nDCG@10"] == round(100 * (1 + 1 / math.log2(3)) / 2, 2)
    assert result.counts["VR-nDCG@10"] == 2


def test_more_moments_are_asked_for_until_there_are_ten_videos() -> None:
    names = [f"park{number}" for number in range(12)]
    library = FixedLibrary(*((n, n + 1) for n in range(100)), indexed=names)
    library.search = lambda text, *, ask=library.search, **how: ask(text, **how)[: how["top"]]  # type: ignore[method-assign]
    evaluate(library, QUERIES)
    assert [top for _, top, videos in library.asked if not videos] == [100, 1000, 100, 1000]


def test_an_answer_that_is_all_there_is_is_not_asked_for_again() -> None:
    library = FixedLibrary((0, 4), indexed=[f"park{number}" for number in range(12)])
    library.search = lambda text, *, ask=library.search, **how: ask(text, **how)[:3]  # type: ignore[method-assign]
    evaluate(library, QUERIES)
    assert [top for _, top, videos in library.asked if not videos] == [100, 100]


@pytest.mark.parametrize(("indexed", "ranks"), [(("park1", "park2"), False), (("park1",), True)])
def test_videos_are_not_ranked_where_that_is_not_wanted_or_there_is_one(indexed: tuple[str, ...], ranks: bool) -> None:
    library = FixedLibrary((0, 4), indexed=indexed)
    result = evaluate(library, QUERIES[:1], ranks_videos=ranks)
    assert "VR-nDCG@10" not in result.metrics
    assert len(library.asked) == 1


def test_evaluate_scores_and_keeps_the_answers() -> None:
    result = evaluate(FixedLibrary((0, 4), (8, 9)), QUERIES)
    assert result.metrics["MR-full-R1@0.5"] == 100
    assert result.metrics["MR-full-R1@0.7"] == 50
    assert result.intervals["MR-full-R1@0.7"] == (0, 100)
    assert (result.resampling.unit, result.counts["MR-full-R1@0.7"]) == ("queries", 2)
    assert [answer.first_iou for answer in result.answers] == [1, 0.5]
    assert result.answers[1].found == ((0, 4, 1), (8, 9, 0.9))
    assert result.answers[1].scores["MR-full-R1@0.7"] == 0


def test_an_evaluation_is_json() -> None:
    data = json.loads(json.dumps(evaluate(FixedLibrary(), [*QUERIES, ABSENT]).as_json(), allow_nan=False))
    assert (data["queries"], data["absent"], data["rule"]) == (3, 1, MATCHING_RULE)
    assert data["metrics"]["MR-full-mAP"] == 0
    assert "MR-long-mAP" not in data["metrics"]
    assert data["resampling"]["unit"] == "queries"
    answer = data["answers"][0]
    assert answer.pop("scores")["MR-full-mAP"] == 0
    assert answer == {
        "query_id": 1,
        "text": "a dog",
        "video": "park1",
        "video_id": "park1",
        "duration_seconds": None,
        "truth": [[0, 4]],
        "found": [],
        "first_iou": 0,
    }


def test_absent_queries_count_for_rejection_alone() -> None:
    without, result = (evaluate(FixedLibrary((0, 4)), queries) for queries in (QUERIES, [*QUERIES, ABSENT]))
    assert result.metrics.pop("absent-rejected") == 0
    assert result.metrics == without.metrics
    assert (without.rejection, result.absent) == (None, 1)
    assert result.rejection is not None
    assert result.rejection.points[0].absent_rejected == 0


def test_nothing_is_the_right_answer_to_an_absent_query() -> None:
    result = evaluate(FixedLibrary((0, 4), of_text={"a lion": [], "a cat": []}), [*QUERIES, ABSENT])
    assert result.metrics["absent-rejected"] == 100
    assert result.metrics["true-lost"] == 50
    assert result.metrics["MR-full-R1@0.5"] == 50
    assert result.rejection is not None
    assert result.rejection.operating is None


def test_right_is_an_iou_of_a_half() -> None:
    result = evaluate(FixedLibrary(of_text={"a dog": [(0, 2)], "a cat": [(2.5, 3)]}), [*QUERIES, ABSENT])
    assert [answer.first_iou for answer in result.answers] == [0.5, 0.25, 0]
    assert result.rejection is not None
    assert result.rejection.points[0].recall == 0.5


def test_a_set_of_absent_queries_has_no_moment_metrics() -> None:
    result = evaluate(FixedLibrary(), [ABSENT])
    assert result.metrics == {"absent-rejected": 100.0}
    assert result.worst() == ()


def test_saliency_is_scored_where_it_is_labelled_and_predicted() -> None:
    labels = ClipSaliency(2, (1,), ((4.0,),))
    salient = LabelledQuery("s", "a dog", "park1", ((0, 4),), saliency=labels)
    asked = []

    def saliency(text: str, video_id: str, clips: int) -> list[float]:
        asked.append((text, video_id, clips))
        return [0.1, 0.2]

    result = evaluate(FixedLibrary((0, 4)), [*QUERIES, salient], saliency=saliency)
    assert asked == [("a dog", "park1", 2)]
    assert (result.metrics["HL-min-Fair-mAP"], result.counts["HL-min-Fair-mAP"]) == (100, 1)
    assert not any(name.startswith("HL") for name in evaluate(FixedLibrary((0, 4)), [salient]).metrics)


def test_the_worst_are_the_true_queries_of_least_precision() -> None:
    queries = [ABSENT, *QUERIES, LabelledQuery(9, "a bird", "park1", ((0, 3),))]
    result = evaluate(FixedLibrary(of_text={"a dog": [(0, 4)], "a cat": [(20, 21)], "a bird": [(2.5, 9)]}), queries)
    assert [answer.query_id for answer in result.worst(2)] == ["b", 9]
    # The first moment of one is nearer than the other's, and its precision is less, for what comes later.
    answers = {"a dog": [(20, 21), (0, 4)], "a cat": [(2, 3.5)], "a bird": [(0, 1.9)]}
    nearer = evaluate(FixedLibrary(of_text=answers), [QUERIES[0], QUERIES[1], queries[-1]])
    assert [answer.query_id for answer in nearer.worst()] == [9, "b", 1]
    assert [round(answer.first_iou, 2) for answer in nearer.worst()] == [0.63, 0.75, 0]


def test_videos_that_are_missing_are_named_before_anything_is_asked() -> None:
    library = FixedLibrary((0, 4))
    with pytest.raises(QueryError, match=r"not in the library: 1 video of the labelled set, first: .*'zoo'"):
        evaluate(library, [*QUERIES, LabelledQuery(3, "a lion", "zoo", ((0, 1),))])
    assert library.asked == []


def test_a_name_of_several_videos_is_refused_before_anything_is_asked() -> None:
    library = FixedLibrary((0, 4))
    with pytest.raises(QueryError, match=r"2 videos of the library have the name 'park'.*park1, park2"):
        evaluate(library, [*QUERIES, LabelledQuery(3, "a lion", "park", ((0, 1),))])
    assert library.asked == []


def test_questions_about_missing_videos_can_be_told_apart() -> None:
    missing = [LabelledQuery(number, "a lion", "zoo", ((0, 1),)) for number in (3, 4)]
    assert split_missing(FixedLibrary(), [missing[0], *QUERIES, missing[1]]) == (QUERIES, missing)


@pytest.mark.parametrize(("ranks", "total"), [(True, 4), (False, 2)])
def test_it_is_told_how_many_searches_are_done(ranks: bool, total: int) -> None:
    told = []
    evaluate(FixedLibrary(), QUERIES, ranks_videos=ranks, on_search=lambda done, of: told.append((done, of)))
    assert told == [(done, total) for done in range(1, total + 1)]


def test_no_query_is_refused() -> None:
    with pytest.raises(QueryError, match="no query"):
        evaluate(FixedLibrary(), [])


def test_videos_that_the_index_lost_are_no_score_of_zero() -> None:
    library = FixedLibrary((0, 4), indexed=["park1"])
    with pytest.raises(QueryError, match=r"no row in the index: 1 video .*, first: 'park2'.*index rebuild"):
        evaluate(library, QUERIES)
    assert library.asked == []


def opened(folder: Path) -> Library:
    settings = ("index.backend=memory", "segmentation.strategy=shots")
    return Library.open(str(folder), overrides=settings, encoder=WordModel())


def test_an_empty_library_is_an_error(tmp_path: Path) -> None:
    with opened(tmp_path) as library, pytest.raises(QueryError, match=r"has no videos yet"):
        evaluate(library, [LabelledQuery(1, "red", "park", ((0, 2),))])


def test_a_real_library_is_scored(tmp_path: Path) -> None:
    with opened(tmp_path) as library:
        for name, shots in {"park": ("red", "green", "blue"), "gate": ("blue", "", "red green")}.items():
            record, frames = video(name, *shots)
            library.store.write(record, frames)
            replace_rows(library.moment_index(), record.video_id, library.config.row_recipe.rows(frames, {}))
        queries = [
            LabelledQuery(1, "red", "park", ((0, 2),)),
            LabelledQuery(2, "blue", "gate", ((0, 2),)),
            LabelledQuery(3, "green", "park", ((0, 2),)),
        ]
        result = evaluate(library, queries)
    assert result.metrics["MR-full-R1@0.5"] == pytest.approx(66.67)
    assert [answer.first_iou for answer in result.answers] == [1, 1, 0]


def library_of(folder: Path, videos: Mapping[str, Sequence[str]], *overrides: str) -> Library:
    library = Library.open(folder, overrides=("index.backend=memory", *overrides), encoder=WordModel())
    for name, shots in videos.items():
        record, frames = video(name, *shots)
        library.store.write(record, frames)
        replace_rows(library.moment_index(), record.video_id, library.config.row_recipe.rows(frames, {}))
    return library


def test_what_is_scored_is_what_a_search_answers(tmp_path: Path) -> None:
    """Two reds in one segment: the index points to it once."""
    shots = {"a": ("red", "", "green", "", "red"), "b": ("blue",)}
    minute = "segmentation.strategy=fixed_windows", "segmentation.length_seconds=60", "segmentation.overlap_seconds=0"
    with library_of(tmp_path, shots, *minute) as library:
        answered = library.search("red", videos=["a"])
        (scored,) = evaluate(library, [LabelledQuery(1, "red", "a", ((0, 2), (8, 10)))]).answers
    assert [moment.start_seconds for moment in answered] == [0, 8]
    assert list(scored.moments)[:2] == answered


def test_a_copy_ranks_behind_the_moment_it_was_left_out_for(tmp_path: Path) -> None:
    shots = {"a": ("red", "green"), "b": ("red", "green"), "c": ("blue", "")}
    with library_of(tmp_path, shots, "segmentation.strategy=shots") as library:
        assert [copy.video_id for copy in library.search("red")[0].copies] == ["b"]
        labels = [LabelledQuery(1, "red", "a", ((0, 2),)), LabelledQuery(2, "red", "b", ((0, 2),))]
        assert evaluate(library, labels).metrics["VR-nDCG@10"] == 100
