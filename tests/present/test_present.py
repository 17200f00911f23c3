from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from contracts.fake_videos import FakeDecoder, write_video

from pipeline.errors import VideoError
from pipeline.present import clip_name, contact_sheet, export_clip, file_name, frame_at, printable
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


def test_file_name_of_a_uri_is_its_last_part():
    assert file_name("s3://bucket/folder/a\n.mp4") == r"a\n.mp4"


def test_frame_at_takes_the_frame_of_that_time(tmp_path):
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


def test_frame_at_refuses_a_time_after_the_end(tmp_path):
    with pytest.raises(VideoError, match="no frame at 99"):
        frame_at(FakeDecoder(), str(write_video(tmp_path / "a.mp4")), 99.0)


def test_contact_sheet_shows_the_best_frames_and_marks_the_right_ones(moment):
    moments = [moment(), moment("b.mp4", score=0.1)]
    plain = np.asarray(contact_sheet("a question", moments, FakeDecoder()))
    marked = np.asarray(contact_sheet("a question", moments, FakeDecoder(), is_right=[True, False]))
    assert (plain == 200).all(axis=2).sum() > 100_000
    green, red = (np.array([int(code[i : i + 2], 16) for i in (0, 2, 4)]) for code in ("4ade80", "f0716f"))
    assert not (plain == green).all(axis=2).any()
    assert (marked == green).all(axis=2).sum() > 100
    assert (marked == red).all(axis=2).sum() > 100


@pytest.mark.parametrize("name", ["视频.mp4", "a\nb.mp4", "x" * 200 + ".mp4", "مرحبا.mp4"])
def test_contact_sheet_takes_any_name(moment, name):
    assert contact_sheet("問い " * 60, [moment(name)], FakeDecoder()).width == 944


def test_contact_sheet_says_where_a_video_is_gone(moment):
    gone = moment()
    Path(gone.uri).unlink()
    assert contact_sheet("a question", [gone], FakeDecoder()).height > 300


def test_contact_sheet_of_nothing_is_a_title():
    assert contact_sheet("a question", [], FakeDecoder()).height < 200


def test_contact_sheet_bars_show_shares_of_the_best_score(moment):
    sheet = np.asarray(contact_sheet("q", [moment(score=0.4), moment("b.mp4", score=0.1)], FakeDecoder()))
    row = (sheet == [0x6E, 0xA8, 0xFE]).all(axis=2)[116 + 243 + 68]
    assert row[:472].sum() == pytest.approx(400, abs=4)
    assert row[472:].sum() == pytest.approx(100, abs=4)


def test_contact_sheet_draws_no_bar_for_scores_below_zero(moment):
    sheet = np.asarray(contact_sheet("q", [moment(score=-0.4)], FakeDecoder()))
    assert not (sheet == [0x6E, 0xA8, 0xFE]).all(axis=2)[116 + 243 + 68].any()


def test_clip_name_is_safe(moment):
    name = clip_name(3, moment("a b\n$(rm).mp4", start=1.25))
    assert name == "03-a_b_rm-1.250-3.000.mp4"


@pytest.mark.parametrize(("start", "end", "frames"), [(1.0, 3.0, 4), (1.25, 3.1, 5), (9.0, 10.5, 2)])
def test_export_clip_is_exactly_as_long_as_the_moment(moment, tmp_path, start, end, frames):
    path = tmp_path / "clip.mp4"
    export_clip(FakeDecoder(), moment(start=start, end=end), path)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert float(stream.duration * stream.time_base) == pytest.approx(end - start, abs=1e-4)
        decoded = list(container.decode(stream))
    assert (len(decoded), decoded[0].time) == (frames, 0)
    assert decoded[0].to_ndarray(format="rgb24").mean() == pytest.approx(200, abs=3)


def test_export_clip_leaves_nothing_behind_where_it_fails(moment, tmp_path):
    with pytest.raises(VideoError, match="no frame between"):
        export_clip(FakeDecoder(), moment(start=50, end=60), tmp_path / "clip.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
