"""From all that was found to the list."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from pipeline.search import as_query
from pipeline.search.ranking import FoundMoment, rank
from pipeline.types import Moment


def test_copies_are_told_among_very_many() -> None:
    """Six hundred pictures, each in two videos, and three times in one of them."""
    rng = np.random.default_rng(3)
    pictures = rng.normal(size=(600, 64)).astype(np.float32)
    pictures /= np.linalg.norm(pictures, axis=1, keepdims=True)

    def one(video_id: str, number: int, time: float, log_odds: float, length: float = 4.0) -> FoundMoment:
        moment = Moment(
            video_id=video_id, uri=video_id, start_seconds=time, end_seconds=time + length, best_seconds=time, score=0.9
        )
        return FoundMoment(moment, log_odds, pictures[number])

    found = [one("a", number, 10.0 * number, 9 - number / 1000) for number in range(600)]
    found += [one("b", number, 10.0 * number, 5 - number / 1000) for number in range(600)]
    longer = one("c", 0, 0.0, 1.0, length=20.0)
    again = one("a", 0, 9000.0, 1.0)
    ranking = rank([longer, again, *found], as_query("x"), min_score=0.5, same_picture=0.99)
    assert [one.moment.video_id for one in ranking.found] == ["a"] * 601 + ["c"]
    copies = [[(c.video_id, c.start_seconds) for c in one.moment.copies] for one in ranking.found]
    assert copies == [[("b", 10.0 * number)] for number in range(600)] + [[], []]
    assert len(ranking.dropped) == 600


@pytest.mark.parametrize("best", [datetime(9999, 12, 31, 23, 59, 59), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)])
def test_a_picture_that_lasts_beyond_the_last_date_stays_where_it_is(best: datetime) -> None:
    moment = Moment(
        video_id="a",
        uri="a",
        start_seconds=0.0,
        end_seconds=1e6,
        best_seconds=5.0,
        score=0.9,
        recorded_at=best,
    )
    found = FoundMoment(moment, 2.0, np.eye(1, 4, dtype=np.float32)[0], shown_seconds=(5.0, 1e6))
    query = as_query("x", {"after": 90_000, "time_of_day": "8:00-9:00"})
    ranking = rank([found], query, min_score=0.5, same_picture=0.99)
    assert (len(ranking.found), len(ranking.dropped)) == (0, 1)
