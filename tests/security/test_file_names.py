"""Names of files that are made of the names of videos, which anybody may have chosen."""

from __future__ import annotations

import unicodedata
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from video_factory import make_video

from pipeline.export import clip_name, export_clip
from pipeline.io.settings import Fetching
from pipeline.types import Moment
from pipeline.video import Decoding, IndexedVideos, content_id, make_decoder


def moment(uri: str, start: float = 1.25, end: float = 3.0, video_id: str = "a" * 32) -> Moment:
    return Moment(video_id=video_id, uri=uri, start_seconds=start, end_seconds=end, best_seconds=start, score=0.5)


def check(name: str) -> None:
    assert len(name.encode()) <= 255
    assert name.endswith(".mp4")
    assert name[0].isdigit()
    assert not name.removesuffix(".mp4").endswith((".", " "))
    for character in name:
        assert character.isalnum() or character in "._-+" or unicodedata.category(character)[0] == "M", name


TITLES = {
    "ascii": "a" * 250,
    "cjk": "門" * 80,
    "cjk of four bytes": "𠀀" * 60,
    "emoji": "🎬" * 60,
    "a family": "👨‍👩‍👧‍👦" * 20,
    "decomposed": unicodedata.normalize("NFD", "é") * 80,
    "devanagari": "क्षि" * 60,
    "many marks": "e" + "\u0301" * 200,
    "only marks": "\u0301" * 100,
    "right to left": "\u202egpm.exe",
    "isolates": "a\u2066b\u2069c",
    "byte order mark": "\ufeffa",
    "control": "a\x00\x1b[31m\x07b\x7f\x85",
    "lines": "a\nb\rc\u2028d\u2029e",
    "dot": ".hidden",
    "dots": "...",
    "dash": "-rf",
    "space": " a ",
    "reserved": "CON",
    "device": "aux.txt",
    "windows": 'a<b>c:d"e|f?g*h\\i',
    "stream": "a:b:$DATA",
    "shell": "$(rm -rf ~)`id`;&|",
    "no UTF-8": "caf\udce9",
    "full width": "\uff0e\uff0e\uff0f\uff41",
    "nothing": "",
}


@pytest.mark.parametrize("title", TITLES)
def test_any_title_makes_a_name_that_any_file_system_takes(tmp_path: Path, title: str) -> None:
    name = clip_name(1, moment(f"/videos/{TITLES[title]}.mp4"))
    check(name)
    (tmp_path / name).touch()


@settings(deadline=None)
@given(st.text(st.characters(), max_size=300), st.floats(), st.floats(), st.integers(1, 10**6))
def test_any_text_and_time_make_a_name_that_any_file_system_takes(
    title: str, start: float, end: float, rank: int
) -> None:
    found = moment("/a")
    for field, value in (("uri", f"/videos/{title}"), ("start_seconds", start), ("end_seconds", end)):
        # A library may hold what no moment of ours would.
        object.__setattr__(found, field, value)
    check(clip_name(rank, found))


def test_usual_names_stay_as_they_were() -> None:
    assert clip_name(3, moment("/a/gate camera.mp4")) == "03-gate_camera-1.250-3.000.mp4"
    assert clip_name(12, moment("s3://bucket/видео_1.mkv")) == "12-видео_1-1.250-3.000.mp4"
    assert clip_name(1, moment("/a/" + "門" * 60 + ".mp4")) == "01-" + "門" * 60 + "-1.250-3.000.mp4"


@pytest.mark.parametrize(
    "titles",
    [
        ("門" * 80 + "一", "門" * 80 + "二"),
        ("a" * 60 + "1", "a" * 60 + "2"),
        ("🎬", "🎥"),
        ("a🎬", "a🎥"),
        ("…", "—"),
        ("a\u202eb", "a\u202db"),
        ("", "\u200b"),
    ],
)
def test_titles_that_look_alike_once_cut_have_names_of_their_own(titles: tuple[str, str]) -> None:
    one, other = (clip_name(1, moment(f"/videos/{title}.mp4")) for title in titles)
    assert one != other


def test_a_cut_falls_between_characters_and_their_marks() -> None:
    name = clip_name(1, moment(f"/a/{'b' * 59}e\u0301\u0302c.mp4"))
    assert name.startswith("01-" + "b" * 59 + "-")


def test_the_query_of_a_signed_url_is_in_no_name() -> None:
    assert "SECRET" not in clip_name(1, moment("https://user:SECRET@host/a.mp4?Signature=SECRET"))


def test_a_clip_is_written_under_the_longest_name(tmp_path: Path) -> None:
    video = tmp_path / "video.mp4"
    make_video(video, [Fraction(number, 10) for number in range(20)])
    videos = IndexedVideos(make_decoder(Decoding()), Fetching())
    target = tmp_path / ("門" * 83 + "ab.mp4")
    assert len(target.name.encode()) == 255
    export_clip(videos, moment(str(video), 0.5, 1.0, video_id=content_id(str(video))), target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["video.mp4", target.name]
