from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import UnsupportedVideoError, VideoNotFoundError
from pipeline.io.local_files import readable_file


def test_readable_file_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.mp4").write_bytes(b"\0\0\0\x18ftypisom")
    monkeypatch.chdir(tmp_path)
    assert readable_file("a.mp4") == str(tmp_path / "a.mp4")


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("*.mp4", "no file matches this pattern"),
        ("", "an empty path"),
        ("a\0b.mp4", "the path cannot be used"),
        ("x" * 5000, "the path cannot be used"),
        ("missing/a.mp4", "there is no such file"),
        ("file.mp4/a.mp4", "the path cannot be used"),
    ],
)
def test_readable_file_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, problem: str
) -> None:
    (tmp_path / "file.mp4").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(VideoNotFoundError, match=problem):
        readable_file(path)


def test_a_folder_with_videos_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    with pytest.raises(VideoNotFoundError, match="a folder, not a file; name the videos in it"):
        readable_file(str(tmp_path))


def test_a_folder_of_pictures_says_so(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number:04}.jpg").touch()
    with pytest.raises(VideoNotFoundError, match="a folder of pictures, not of videos; make a video of them first"):
        readable_file(str(tmp_path))


def test_an_unreadable_file_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    (tmp_path / "a.mp4").write_bytes(b"x")
    monkeypatch.setattr(Path, "open", refuse)  # root may read everything, whatever a file's mode
    with pytest.raises(VideoNotFoundError, match="may not read the file"):
        readable_file(str(tmp_path / "a.mp4"))


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\xff\xd8\xff\xe0rest", "JPEG"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "PNG"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "WebP"),
        (b"\0\0\0\x1cftypavif\0\0\0\0", "AVIF"),
        (b"\0\0\0\x1cftypheic\0\0\0\0", "HEIC"),
        (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf", "AVIF"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    ],
)
def test_still_images_are_named(tmp_path: Path, head: bytes, kind: str) -> None:
    (tmp_path / "a.mp4").write_bytes(head)
    with pytest.raises(UnsupportedVideoError, match=rf"a still image, not a video \({kind}\)"):
        readable_file(str(tmp_path / "a.mp4"))


@pytest.mark.parametrize("head", [b"ftypavis\0\0\0\0avif", b"ftypavif\0\0\0\0avismif1", b"ftypheic\0\0\0\0hevcmsf1"])
def test_sequences_of_pictures_are_not_refused(tmp_path: Path, head: bytes) -> None:
    (tmp_path / "a.heic").write_bytes((len(head) + 4).to_bytes(4, "big") + head)
    assert readable_file(str(tmp_path / "a.heic"))


@pytest.mark.parametrize("text", ["1\n00:00:01,000 --> 00:00:02,000\nHello\n", "строка " * 2000])
def test_text_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.mp4").write_text(text, encoding="utf-8")
    with pytest.raises(UnsupportedVideoError, match="a text file"):
        readable_file(str(tmp_path / "a.mp4"))
