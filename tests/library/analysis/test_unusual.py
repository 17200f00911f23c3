from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from contracts.word_world import WordModel, video

from pipeline.library import Library
from pipeline.library.analysis.unusual import find_unusual

RED, GREEN, BLUE = (["red"] * 20, ["green"] * 20, ["blue"] * 20)


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library.open(str(tmp_path / "library"), overrides=("index.backend=memory",), encoder=WordModel())


def put(library: Library, name: str, *shots: str, **metadata: str) -> None:
    record, frames = video(name, *shots, metadata=metadata)
    library.store.write(record, frames)


def test_each_camera_has_its_own_rest(library: Library) -> None:
    """What is usual at the gate is unusual in the yard."""
    for number in range(3):
        put(library, f"gate{number}", *RED, camera="gate")
        put(library, f"yard{number}", *GREEN, camera="yard")
    put(library, "yard9", *GREEN[:10], "red", *GREEN[:9], camera="yard")
    answer = find_unusual(library)
    assert [(one.record.video_id, one.camera) for one in answer.moments] == [("yard9", "yard")]
    moment = answer.moments[0].moment
    assert (moment.start_seconds, moment.end_seconds) == (20.0, 22.0)
    assert [(one.camera, one.videos) for one in answer.cameras] == [("gate", 3), ("yard", 4)]


def test_without_the_metadata_entry_all_is_one_camera(library: Library) -> None:
    for number in range(4):
        put(library, f"v{number}", *RED, place="gate")
    put(library, "w", *RED[:10], "blue", *RED[:9])
    answer = find_unusual(library)
    assert [(one.record.video_id, one.camera) for one in answer.moments] == [("w", None)]
    assert [one.camera for one in find_unusual(library, camera="place").cameras] == ["gate", None]


def test_only_the_videos_that_are_named_and_the_most_that_are_wanted(library: Library) -> None:
    for number, word in enumerate(("green", "blue")):
        put(library, f"v{number}", *RED[:10], word, *RED[:9])
    put(library, "w", *RED, *RED)
    assert len(find_unusual(library).moments) == 2
    assert len(find_unusual(library, top=1).moments) == 1
    named = [record for record in library.videos() if record.video_id != "v1"]
    assert [one.record.video_id for one in find_unusual(library, named).moments] == ["v0"]


def test_progress_counts_each_video_twice(library: Library) -> None:
    for number in range(3):
        put(library, f"v{number}", *RED, camera=str(number % 2))
    seen: list[tuple[int, int]] = []
    find_unusual(library, on_video=lambda done, total: seen.append((done, total)))
    assert seen == [(number, 6) for number in range(1, 7)]


def test_a_broken_video_is_named_and_the_others_are_compared(library: Library) -> None:
    for number in range(4):
        put(library, f"v{number}", *RED)
    put(library, "w", *RED[:10], "blue", *RED[:9])
    (file,) = Path(library.config.library).rglob("v1.parquet")
    file.write_bytes(file.read_bytes()[:-100])
    answer = find_unusual(library)
    assert list(answer.broken) == ["v1"]
    assert [one.record.video_id for one in answer.moments] == ["w"]


def test_recording_times_are_those_of_the_best_frame(library: Library) -> None:
    for number in range(4):
        put(library, f"v{number}", *RED)
    put(library, "w", *RED[:10], "blue", *RED[:9], recorded_at="2026-11-20T08:30:00+01:00")
    (found,) = find_unusual(library).moments
    assert found.recorded_at is not None
    seconds = found.recorded_at.minute * 60 + found.recorded_at.second - 30 * 60
    assert seconds == int(found.moment.peak_seconds)


def test_an_empty_library_and_one_frame(library: Library) -> None:
    assert find_unusual(library).moments == ()
    record, frames = video("v", "red")
    one = replace(
        frames, pts=frames.pts[:1], times_seconds=frames.times_seconds[:1], vectors=np.array(frames.vectors[:1])
    )
    library.store.write(replace(record, frame_count=1), one)
    answer = find_unusual(library)
    assert (answer.moments, answer.cameras[0].median_distance) == ((), None)
