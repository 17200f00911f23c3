from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from video_factory import numbered

from pipeline.execution.per_video import frame_batches
from pipeline.execution.per_video.frame_batches import Reading, merged_cuts, sampled_batches
from pipeline.execution.per_video.messages import FrameBatch, Heartbeat, VideoEnd
from pipeline.sampling import CutDetection, FixedRate, SceneChange
from pipeline.types import Frame, VideoInfo
from pipeline.video import Decoding, make_decoder

SAMPLES = Path(__file__).resolve().parents[3] / "sample_videos"


@dataclass(frozen=True)
class Tiny:
    """A preprocessing to 8 x 8 pixels."""

    image_width: int = 8
    image_height: int = 8

    def __call__(self, frame: Frame) -> npt.NDArray[np.uint8]:
        return frame.rgb(8, 8)


def read(sampler: FixedRate | SceneChange) -> tuple[list[float], VideoEnd]:
    """Times of the sampled frames of a film, and its end."""
    reading = Reading(decoder=make_decoder(Decoding()), sampler=sampler, preprocessing=Tiny(), batch_frames=16)
    *batches, end = sampled_batches(reading, str(SAMPLES / "concrete-evening.mkv"))
    assert isinstance(end, VideoEnd)
    return [time for batch in batches if isinstance(batch, FrameBatch) for time in batch.times.times_seconds], end


def test_cuts_are_searched_for_beside_the_frames_of_a_grid() -> None:
    labels = json.loads((SAMPLES / "cuts.json").read_text())["concrete-evening"]
    # One shot fades into the next, which begins in the middle of that.
    middles = [(start + end) / 2 for start, end in labels["fades"]]
    times, end = read(FixedRate(fps=2.0, cuts=CutDetection()))
    times_without, end_without = read(FixedRate(fps=2.0))
    assert end.cuts_seconds == pytest.approx(sorted([*labels["cuts"], *middles]), abs=0.15)
    assert (times, end_without.cuts_seconds) == (times_without, None)
    assert (end.duration_seconds, end.damage) == (end_without.duration_seconds, ())
    assert end.frames_seen == end_without.frames_seen
    assert end.frames_decoded > end_without.frames_decoded
    assert read(SceneChange())[1].cuts_seconds == pytest.approx(labels["cuts"], abs=0.05)


def encoded(path: Path, codec: str, rate: Fraction, options: dict[str, str], pixel_format: str = "yuv420p") -> Path:
    """One second of video, as FFmpeg writes it when it is told nothing but the rate."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = 96, 64, pixel_format
        for number in range(int(rate)):
            frame = av.VideoFrame.from_ndarray(numbered(number), format="rgb24").reformat(format=pixel_format)
            frame.pts, frame.time_base = number, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


WRITTEN = {
    "vp8.webm": ("libvpx", {}),
    "vp9.webm": ("libvpx-vp9", {}),
    "b-frames.mkv": ("libx264", {"bf": "3"}),
    "b-frames.flv": ("libx264", {"bf": "3"}),
    "keyframe-last.flv": ("libx264", {"bf": "0", "g": "11"}),
    "b-frames.mp4": ("libx264", {"bf": "3"}),
    "b-frames.ts": ("libx264", {"bf": "3"}),
    "mpeg4.avi": ("mpeg4", {}),
    "wmv.asf": ("wmv2", {}),
}


@pytest.mark.parametrize("rate", [12, 25, 30, 50])
@pytest.mark.parametrize("name", WRITTEN)
def test_no_frame_is_sampled_at_the_end_of_the_last(tmp_path: Path, name: str, rate: int) -> None:
    """A video of one second has two frames at two a second, whatever its container says of its length."""
    codec, options = WRITTEN[name]
    path = encoded(tmp_path / name, codec, Fraction(rate), options)
    sampler = FixedRate(fps=2.0)
    with make_decoder(Decoding()).open(str(path)) as stream:
        for grid in (sampler.grid, None):
            sampling = sampler.begin(stream.info)
            chosen = [each for frame in stream.frames(grid=grid) for each in sampling.feed(frame)]
            chosen += sampling.finish()
            assert [float(frame.time) for frame in chosen] == [0, pytest.approx(0.5, abs=0.05)]
            assert len(sampling.seen_until) == 2


@pytest.mark.parametrize(
    ("width", "height", "frames"),
    [
        (96, 64, 1000),
        (733, 732, 1000),
        (733, 733, 999),
        (1920, 1080, 258),
        (3840, 2160, 64),
        (2**15, 2**14, 1),
        (2**16, 2**16, 1),
    ],
)
def test_a_heartbeat_comes_after_half_a_thousand_million_pixels_and_a_thousand_frames_at_most(
    width: int, height: int, frames: int
) -> None:
    info = VideoInfo(
        uri="v", container="mp4", codec="h264", width=width, height=height, rotation_degrees=0,
        time_base=Fraction(1), start_time=Fraction(0), average_rate=None, duration_seconds=None,
    )  # fmt: skip
    assert frame_batches._heartbeat_frames(info) == frames


@pytest.mark.parametrize(("every", "heartbeats"), [(10, 10), (26, 3), (33, 3), (34, 2), (100, 1), (101, 0)])
def test_heartbeats_count_the_frames_decoded_since_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: int, heartbeats: int
) -> None:
    monkeypatch.setattr(frame_batches, "_HEARTBEAT_FRAMES", every)
    path = encoded(tmp_path / "film.mkv", "mjpeg", Fraction(100), {}, "yuvj420p")
    reading = Reading(
        decoder=make_decoder(Decoding()), sampler=FixedRate(fps=100.0), preprocessing=Tiny(), batch_frames=200
    )
    *items, end = sampled_batches(reading, str(path))
    assert isinstance(end, VideoEnd)
    assert end.frames_decoded == 100
    assert sum(isinstance(item, Heartbeat) for item in items) == heartbeats


def test_cuts_are_merged_in_order_and_each_once() -> None:
    half, one, two = Fraction(1, 2), Fraction(1), Fraction(2)
    assert merged_cuts(None, []) is None
    assert merged_cuts((), []) == ()
    assert merged_cuts(None, [()]) == ()
    assert merged_cuts((two,), [(one, half), (two,)]) == (0.5, 1.0, 2.0)


@pytest.mark.parametrize(
    ("first", "most", "sizes"),
    [
        (None, 16, [16, 16, 16, 8]),
        (4, 16, [4, 8, 16, 16, 12]),
        (3, 10, [3, 6, 10, 10, 10, 10, 7]),
        (8, 8, [8] * 7),
        (64, 16, [16, 16, 16, 8]),
        (1, 64, [1, 2, 4, 8, 16, 25]),
        (100, 100, [56]),
    ],
)
def test_batches_grow_from_the_first_one(first: int | None, most: int, sizes: list[int]) -> None:
    def batches(first_batch_frames: int | None, batch_frames: int) -> list[FrameBatch]:
        reading = Reading(
            decoder=make_decoder(Decoding()),
            sampler=FixedRate(fps=2.0),
            preprocessing=Tiny(),
            batch_frames=batch_frames,
            first_batch_frames=first_batch_frames,
        )
        items = sampled_batches(reading, str(SAMPLES / "concrete-evening.mkv"))
        return [item for item in items if isinstance(item, FrameBatch)]

    grown, [whole] = batches(first, most), batches(None, 1000)
    assert [len(batch.images) for batch in grown] == sizes
    assert [batch.times.number for batch in grown] == list(range(len(grown)))
    np.testing.assert_array_equal(np.concatenate([batch.images for batch in grown]), whole.images)
    np.testing.assert_array_equal(
        np.concatenate([batch.times.times_seconds for batch in grown]), whole.times.times_seconds
    )
