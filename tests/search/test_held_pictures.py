"""Questions about pictures that stay on screen: slides, GIFs and screen recordings, one frame for a minute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from test_questions_by_file import SETTINGS, ColourEncoder, ask, painted
from video_factory import make_video

from pipeline.library import Library
from pipeline.search.localization import Curve, Levels, find_spans, unrolled
from pipeline.types import Moment, Source

MILLISECOND = Fraction(1, 1000)
# Red is shown from 20.3 s to 80.21 s, as one frame; the last frame stays for ten seconds.
SLIDES = [(None, "0"), ("red", "20.3"), ("blue", "80.21"), (None, "95"), ("green", "110")]
END = Fraction(120)
RED = 20.3, 80.21
CONTAINERS: Mapping[str, Mapping[str, object]] = {
    "slides.mp4": {"time_base": MILLISECOND},
    "slides.mov": {"time_base": Fraction(1, 600)},
    "slides.mkv": {"time_base": MILLISECOND, "options": {"bf": "3", "preset": "medium"}},
    "slides.webm": {"time_base": MILLISECOND, "codec": "libvpx"},
    "slides-vp9.webm": {"time_base": MILLISECOND, "codec": "libvpx-vp9"},
    "slides.gif": {"time_base": Fraction(1, 100), "codec": "gif", "pixel_format": "rgb8"},
}
SAMPLINGS: Mapping[str, tuple[Sequence[str], float]] = {
    "fixed_rate": (("sampling.fps=2",), 0.5),
    "tolerant": (("sampling.fps=2", "sampling.tolerance_seconds=0.25"), 0.5),
    "coarse": (("sampling.fps=0.2",), 5.0),
    "novelty": (("sampling.strategy=novelty", "sampling.fps=2"), 0.5),
    "keyframe": (("sampling.strategy=keyframe",), 0.02),
    "scene_change": (("sampling.strategy=scene_change",), 0.02),
    "composite": (
        ("sampling.strategy=composite", "sampling.parts=[{strategy: keyframe}, {strategy: fixed_rate, fps: 0.5}]"),
        2.0,
    ),
}
# Only the first picture of a GIF is a keyframe.
CASES = [pair for pair in product(CONTAINERS, SAMPLINGS) if pair != ("slides.gif", "keyframe")]


def slides(folder: Path, name: str = "slides.mp4", shown: Sequence[tuple[str | None, str]] = SLIDES) -> Path:
    """Pictures of one colour, each a keyframe, at these times."""
    times = [Fraction(time) for _, time in shown]
    pictures = [painted(colour) for colour, _ in shown]
    given = {"keyframe_every": 1, **CONTAINERS[name]}
    make_video(folder / name, times, last_duration=END - times[-1], shown=pictures, **given)
    return folder / name


def library_of(folder: Path, *paths: Path, settings: Sequence[str], metadata: Mapping[str, str] = {}) -> Library:
    given = (*settings, *SETTINGS)
    library = Library.open(str(folder / "library"), overrides=given, encoder=ColourEncoder())
    for report in library.index([Source(str(path), dict(metadata)) for path in paths]):
        assert (report.status, report.problem) == ("done", None)
    return library


def ends(moment: Moment) -> tuple[float, float]:
    return moment.start_seconds, moment.end_seconds


@pytest.mark.parametrize(("name", "sampling"), CASES)
def test_a_held_picture_is_found_as_long_as_it_is_shown(tmp_path: Path, name: str, sampling: str) -> None:
    settings, step = SAMPLINGS[sampling]
    with library_of(tmp_path, slides(tmp_path, name), settings=settings) as library:
        (moment,) = ask(library, shows="red").moments
        (refined,) = ask(library, shows="red", refine=True).moments
        (last,) = ask(library, shows="green").moments
    assert ends(moment) == pytest.approx(RED, abs=step)
    for found, true, uncertainty in zip(
        ends(moment), RED, (moment.start_uncertainty_seconds, moment.end_uncertainty_seconds), strict=True
    ):
        assert abs(found - true) <= uncertainty + 1e-6
    assert ends(refined) == pytest.approx(RED, abs=1e-9)
    assert (refined.start_uncertainty_seconds, refined.end_uncertainty_seconds) == (0, 0)
    assert last.start_seconds == pytest.approx(110, abs=step)
    assert last.end_seconds == 120


@pytest.mark.parametrize("backend", ["opencv", "decord"])
def test_other_decoders_tell_the_same(tmp_path: Path, backend: str) -> None:
    path = slides(tmp_path)
    with library_of(tmp_path, path, settings=["sampling.fps=2", f"decoding.backend={backend}"]) as library:
        (moment,) = ask(library, shows="red", refine=True).moments
    assert ends(moment) == pytest.approx(RED, abs=1e-9)


def test_a_single_picture_stands_for_the_whole_video(tmp_path: Path) -> None:
    one = slides(tmp_path, "slides.mp4", [("red", "0")])
    other = slides(tmp_path, "slides.mkv", [(None, "0")])
    with library_of(tmp_path, one, other, settings=["sampling.fps=2"]) as library:
        (moment,) = ask(library, shows="red").moments
        frames = library.store.read(moment.video_id)
    assert ends(moment) == (0, 120)
    assert frames.seen_until_seconds is not None
    assert (len(frames), frames.seen_until_seconds.tolist(), frames.step_seconds) == (1, [119.5], 0.5)


def test_the_longest_stretch_without_a_frame_is_that_of_the_grid(tmp_path: Path) -> None:
    library = Library.open(str(tmp_path / "lib"), overrides=("sampling.fps=2", *SETTINGS), encoder=ColourEncoder())
    with library:
        (report,) = library.index([slides(tmp_path)])
    assert report.frames_sampled == 5
    assert report.largest_gap_seconds == pytest.approx(0.5)


def test_what_follows_the_last_keyframe_is_not_taken_for_it(tmp_path: Path) -> None:
    """Only the first picture is a keyframe; it is known to leave the screen after a minute."""
    path = tmp_path / "once.mp4"
    pictures = [painted(colour) for colour in ("red", "blue", None)]
    times = [Fraction(0), Fraction(60), Fraction(90)]
    make_video(path, times, last_duration=Fraction(30), shown=pictures, keyframe_every=50)
    other = slides(tmp_path, "slides.mkv", [(None, "0")])
    with library_of(tmp_path, path, other, settings=["sampling.strategy=keyframe"]) as library:
        (moment,) = ask(library, shows="red").moments
        (refined,) = ask(library, shows="red", refine=True).moments
    assert abs(moment.end_seconds - 60) <= moment.end_uncertainty_seconds + 1e-6
    assert refined.end_seconds == pytest.approx(60, abs=1e-9)


def test_a_held_picture_is_shown_between_two_times(tmp_path: Path) -> None:
    with library_of(tmp_path, slides(tmp_path), settings=["sampling.fps=2"]) as library:
        (whole,) = ask(library, shows="red").moments
        (part,) = ask(library, shows="red", after=30, before=40).moments
        (edge,) = ask(library, shows="red", after=79.9, before=80).moments
        outside = [
            ask(library, shows="red", **given).moments for given in ({"after": 80.3}, {"before": 20.2}, {"after": 110})
        ]
    assert whole.best_seconds == 20.3
    assert (part.best_seconds, part.best_pts, ends(part)) == (30, whole.best_pts, ends(whole))
    assert 79.9 <= edge.best_seconds < 80
    assert outside == [(), (), ()]


def test_a_held_picture_is_shown_at_a_time_of_day(tmp_path: Path) -> None:
    metadata = {"recorded_at": "2026-11-20T07:59:30"}
    with library_of(tmp_path, slides(tmp_path), settings=["sampling.fps=2"], metadata=metadata) as library:
        (moment,) = ask(library, shows="red", time_of_day="8:00-8:30").moments
        (later,) = ask(library, shows="red", time_of_day="7:00-8:30", after=45).moments
        none = ask(library, shows="red", time_of_day="8:01-8:30").moments
    assert (moment.best_seconds, moment.recorded_at) == (pytest.approx(30), datetime(2026, 11, 20, 8))
    assert (later.best_seconds, later.recorded_at) == (pytest.approx(45), datetime(2026, 11, 20, 8, 0, 15))
    assert none == ()


def test_a_library_of_older_files_is_searched_and_goes_on(tmp_path: Path) -> None:
    """Files from before held pictures were recorded have neither column nor step."""
    path = slides(tmp_path)
    with library_of(tmp_path, path, settings=["sampling.fps=2"]) as library:
        (record,) = library.videos()
        frames = library.store.read(record.video_id)
        library.store.write(record, replace(frames, seen_until_seconds=None, step_seconds=None))
    newer = slides(tmp_path, "slides.webm")
    with Library.open(library.config, encoder=ColourEncoder()) as library:
        reports = list(library.index([path, newer]))
        assert [report.status for report in reports] == ["skipped", "done"]
        found = {Path(moment.uri).name: moment for moment in ask(library, shows="red").moments}
        assert ends(found["slides.webm"]) == pytest.approx(RED, abs=0.5)
        old = found["slides.mp4"]
        assert old.start_seconds - old.start_uncertainty_seconds < RED[0] < RED[1] <= old.end_seconds + 30


def test_uneven_times_are_unrolled_by_the_step() -> None:
    """The next frame comes a hundredth of a second after the last look."""
    times, until = np.array([0.0, 59.51, 60.3]), np.array([59.5, 60.0, 60.5])
    unrolled_times, scores = unrolled(times, np.array([0.1, 0.3, 0.2]), until, 0.5)
    assert unrolled_times.tolist() == [*(0.5 * k for k in range(120)), 59.51, 60.3]
    assert scores.tolist() == [0.1] * 120 + [0.3, 0.2]


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30_000, 1001), Fraction(24_000, 1001), Fraction(2)])
def test_frames_of_a_steady_rate_stay_as_they_are(rate: Fraction) -> None:
    """Each is on screen at one point of a grid of two a second, up to a frame's duration after its own time."""
    points = [Fraction(k, 2) for k in range(20_000)]
    times = np.array([float(point * rate // 1 / rate) for point in points])
    scores = np.linspace(0, 1, len(times))
    found = unrolled(times, scores, np.array([float(point) for point in points]), 0.5)
    assert found[0].tolist() == times.tolist()
    assert found[1].tolist() == scores.tolist()


def test_rows_of_uneven_times_are_few_without_a_step_too() -> None:
    times = np.array([0.0, 59.51, 60.5, 61.0, 61.5, 62.0])
    until = np.array([59.5, 60.0, 60.5, 61.0, 61.5, 62.0])
    assert len(unrolled(times, np.zeros(6), until)[0]) < 300


@pytest.mark.parametrize("step_seconds", [0.5, None])
def test_years_of_damaged_times_take_bounded_memory_and_leave_the_others_alone(step_seconds: float | None) -> None:
    times = np.array([0.0, 60.0, 1e9, 2e9, 3e9])
    until = np.array([59.5, 60.0, 2e9 - 0.5, 3e9 - 0.5, 1e13])
    found, scores = unrolled(times, np.arange(5.0), until, step_seconds)
    assert len(found) < 1_100_000
    assert np.count_nonzero(scores == 0) == 120
    assert np.all(np.diff(found) > 0)


def test_a_moment_of_a_last_frame_that_has_left_the_screen_ends_before_the_end() -> None:
    curve = Curve(np.arange(10.0), np.ones(10), np.empty(0), 100.0, unseen_from_seconds=9.5)
    (span,) = find_spans([(0.0, 100.0)], curve, Levels(0.0, 0.65, 0.5))
    assert (span.end_seconds, span.end_uncertainty_seconds) == (54.75, 45.25)
