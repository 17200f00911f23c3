"""Holes in Matroska files, and what only looks like one."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest
from matroska_factory import LACINGS, SOUNDS, with_laced_sound
from video_catalogue import MILLISECOND
from video_factory import Made, make_video, number_of, steady

from pipeline.video.pyav.decoder import PyAVDecoder


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> Made:
    path = tmp_path_factory.mktemp("silent") / "silent.mkv"
    return make_video(path, steady(75, 25), codec="mpeg4", time_base=MILLISECOND, keyframe_every=1)


@pytest.mark.parametrize("lacing", LACINGS)
@pytest.mark.parametrize("sound", SOUNDS)
def test_laced_sound_is_no_damage(silent: Made, tmp_path: Path, sound: str, lacing: str) -> None:
    path = with_laced_sound(silent, tmp_path / "laced.mkv", sound=sound, lacing=lacing)
    with PyAVDecoder().open(str(path)) as stream:
        assert [number_of(frame.rgb()) for frame in stream.frames()] == list(silent.numbers)
        assert stream.damage == ()
        assert stream.covered_seconds == pytest.approx(3.0)


@pytest.mark.parametrize("lacing", LACINGS)
def test_a_hole_between_laced_blocks_is_damage(silent: Made, tmp_path: Path, lacing: str) -> None:
    whole = with_laced_sound(silent, tmp_path / "laced.mkv", sound="pcm_s16le", lacing=lacing)
    with av.open(str(whole)) as container:
        places = sorted({packet.pos for packet in container.demux() if packet.size})
    content = bytearray(whole.read_bytes())
    first, behind = places[len(places) // 3], places[len(places) // 2]
    content[first - 9 : behind] = b"\xa5" * (behind - first + 9)
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(content)
    with PyAVDecoder().open(str(broken)) as stream:
        found = {frame.time: number_of(frame.rgb()) for frame in stream.frames()}
        assert found.items() <= dict(zip(silent.times, silent.numbers, strict=True)).items()
        assert "bytes are lost" in stream.damage[0]
        assert stream.covered_seconds < 3 - Fraction(1, 4)
