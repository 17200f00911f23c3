"""`momentseek cuts`."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from pipeline import sampling
from pipeline.sampling import find_shots


def make_two_shots(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(40):
            picture = np.full((48, 64, 3), (200, 40, 40) if number < 25 else (20, 60, 220), np.uint8)
            picture[:, number : number + 8] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def test_cuts_lists_shots(momentseek, tmp_path):
    result = momentseek("cuts", make_two_shots(tmp_path / "two.mp4"))
    assert result.code == 0
    assert [line.split() for line in result.out.splitlines()] == [
        ["video", "shot", "from", "to"],
        ["two.mp4", "1", "0:00.000", "0:02.500"],
        ["two.mp4", "2", "0:02.500", "0:04.000"],
    ]


def test_cuts_of_several_videos_stand_under_one_header(momentseek, tmp_path):
    for name in ("two.mp4", "a longer name.mp4"):
        make_two_shots(tmp_path / name)
    lines = momentseek("cuts", tmp_path).out.splitlines()
    assert [line.split()[0] for line in lines] == ["video", "a", "a", "two.mp4", "two.mp4"]
    assert len({len(line) for line in lines}) == 1


def test_cuts_goes_on_after_a_file_that_is_no_video(momentseek, tmp_path):
    (tmp_path / "text.mp4").write_text("dear diary")
    path = make_two_shots(tmp_path / "two.mp4")
    result = momentseek("cuts", "--json", tmp_path)
    assert result.objects() == [{"uri": str(path), "cuts_seconds": [2.5], "transitions": [], "duration_seconds": 4.0}]
    assert (result.code, "text.mp4" in result.err) == (1, True)


def test_cuts_goes_on_after_a_fault_of_its_own(momentseek, tmp_path, monkeypatch):
    first, second = make_two_shots(tmp_path / "first.mp4"), make_two_shots(tmp_path / "second.mp4")

    def find(stream, settings):
        if stream.info.uri == str(first):
            raise AssertionError("a size")
        return find_shots(stream, settings)

    monkeypatch.setattr(sampling, "find_shots", find)
    result = momentseek("cuts", "--json", first, tmp_path / "missing.mp4", second)
    assert [each["uri"] for each in result.objects()] == [str(second)]
    assert result.code == 1
    assert result.err.splitlines() == [
        f"error: {str(first)!r}: unexpected AssertionError: a size (a bug in momentseek; --debug shows the traceback)",
        f"error: {str(tmp_path / 'missing.mp4')!r}: there is no such file; check the path and the working directory",
    ]
    monkeypatch.setenv("MOMENTSEEK_DEBUG", "1")
    with pytest.raises(AssertionError, match="a size"):
        momentseek("cuts", first, second)


def test_cuts_names_a_misspelt_setting(momentseek, tmp_path):
    result = momentseek("cuts", "--set", "treshold=3", make_two_shots(tmp_path / "two.mp4"))
    assert (result.code, "did you mean 'threshold'" in result.err) == (2, True)


def test_cuts_lists_transitions_after_the_shots(momentseek, tmp_path):
    random = np.random.default_rng(1)
    one = random.integers(0, 255, (12, 16, 3)).astype(np.uint8).repeat(4, 0).repeat(4, 1)
    path = tmp_path / "fade.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=20)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(80):
            picture = np.rint(one * max(0.0, min(1.0, (60 - number) / 20))).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    (result,) = momentseek("cuts", "--json", path).objects()
    (transition,) = result["transitions"]
    assert transition["kind"] == "fade_out"
    assert abs(transition["start_seconds"] - 2) < 0.2
    assert abs(transition["end_seconds"] - 3) < 0.2
    assert "fade out" in momentseek("cuts", path).out.splitlines()[-1]
