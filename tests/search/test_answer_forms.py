"""An answer as a data frame, in a notebook, and in a line."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import numpy as np
import pytest

from pipeline.errors import MissingPackageError, MomentseekError
from pipeline.search.answer import Answer, Explanation
from pipeline.search.query import as_query
from pipeline.types import Moment

COLUMNS = [
    "rank",
    "video_id",
    "uri",
    "start_seconds",
    "end_seconds",
    "best_seconds",
    "score",
    "cosine",
    "recorded_at",
]


def moment(uri: str = "/videos/park.mp4", score: float = 0.97, **others: object) -> Moment:
    return Moment(
        video_id="park", uri=uri, start_seconds=61.0, end_seconds=75.5, best_seconds=70.25, score=score, **others
    )


def answer_of(*moments: Moment, question: str = "a red car", nearest: Moment | None = None, page: int = 1) -> Answer:
    return Answer(
        query=as_query(question, {"page": page}),
        moments=moments,
        found=len(moments),
        top=2,
        min_score=0.5,
        nearest=nearest,
        curves={},
        explanation=Explanation((), "", (), ()),
    )


def test_moments_become_rows_of_a_data_frame():
    pytest.importorskip("pandas")
    recorded = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
    frame = answer_of(moment(recorded_at=recorded), moment(score=0.6, cosine=0.25), page=3).to_pandas()
    assert list(frame.columns) == COLUMNS
    assert frame["rank"].tolist() == [5, 6]
    assert frame["score"].tolist() == [0.97, 0.6]
    assert frame["recorded_at"].tolist() == [recorded, None]
    assert frame["cosine"].dtype == np.float64


def test_no_moments_make_an_empty_data_frame_with_the_same_columns_and_types():
    pytest.importorskip("pandas")
    empty, full = answer_of().to_pandas(), answer_of(moment()).to_pandas()
    assert list(empty.columns) == COLUMNS
    assert len(empty) == 0
    assert empty.dtypes.tolist() == full.dtypes.tolist()


@pytest.mark.parametrize("kind", [MomentseekError, ImportError])
def test_without_pandas_the_package_is_named(monkeypatch, kind):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(kind, match="pip install pandas") as caught:
        answer_of(moment()).to_pandas()
    assert isinstance(caught.value, MissingPackageError)


def test_a_notebook_shows_a_table_of_times_and_scores():
    shown = answer_of(moment(), moment(is_gone=True))._repr_html_()
    for text in ("park.mp4", "1:01.000", "1:15.500", "1:10.250", "0.97", "(gone)", "a red car", "2 moments"):
        assert text in shown
    assert "/videos/" not in shown


def test_a_notebook_shows_what_came_nearest():
    shown = answer_of(nearest=moment(score=0.31))._repr_html_()
    assert "nothing reaches the score 0.50" in shown
    assert "park.mp4 at 1:10.250 with 0.31" in shown
    assert "nothing matches" in answer_of()._repr_html_()


HOSTILE = "<script>alert(1)</script>\"'&\x1b[2J\u202e"


@pytest.mark.parametrize("where", ["question", "moment", "nearest"])
def test_nothing_from_outside_becomes_markup(where):
    name = f"/videos/{HOSTILE.replace('/', '')}.mp4"
    answer = {
        "question": lambda: answer_of(moment(), question=HOSTILE),
        "moment": lambda: answer_of(moment(name)),
        "nearest": lambda: answer_of(nearest=moment(name)),
    }[where]()
    shown = answer._repr_html_()
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown
    assert not {"\x1b", "\u202e"} & set(shown)


def test_a_repr_is_a_line():
    assert repr(answer_of(moment(), moment())) == "Answer('a red car': 2 of 2 moments, best score 0.97)"
    assert repr(answer_of()) == "Answer('a red car': 0 of 0 moments)"
