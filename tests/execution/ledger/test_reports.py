from __future__ import annotations

import pytest
from contracts.word_world import video

from pipeline.execution.ledger.reports import record_of
from pipeline.execution.per_video.messages import VideoEnd
from pipeline.types import Source


@pytest.mark.parametrize(
    ("covered_seconds", "said"),
    [(5.9, "5.900 s could be decoded: it ends early"), (4.9, "4.900 s of 5.900 s could be decoded: it ends early")],
)
def test_a_damaged_video_says_how_much_of_it_is_covered(covered_seconds: float, said: str) -> None:
    record, frames = video("park", "red", "green")
    end = VideoEnd(
        info=record.info,
        duration_seconds=5.9,
        covered_seconds=covered_seconds,
        frames_decoded=59,
        frames_seen=59,
        batches=2,
        cuts_seconds=None,
        seen_until_seconds=None,
        damage=("it ends early",),
    )
    assert record_of(("park.mp4",), Source("park.mp4"), frames, end).problem == said
