"""What sources in every object store promise; a test class gives `scheme` and `store`, and inherits these."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from video_factory import Made, number_of

from pipeline.errors import SourceError, VideoNotFoundError, VideoReadError
from pipeline.io.settings import Fetching
from pipeline.sources import expand
from pipeline.store import ParquetStore
from pipeline.testing.store import made_frames, made_record
from pipeline.types import Source
from pipeline.video import Decoding, content_id, make_decoder

QUICK = Fetching(timeout_seconds=5, pause_seconds=0.01, tries=2)


def fill(store: Any, large: Made) -> None:
    """Put into the bucket "films" what the tests look for there.

    Args:
        store: The fsspec file system of the object store.
        large: The one video that is a video.
    """
    for name in ("day/large.mp4", "day/deep/b.mkv", "day/notes.md", "day/.hidden.mp4", "night/c.mp4"):
        store.pipe_file(f"films/{name}", large.path.read_bytes() if "large" in name else b"\0\0")


def uris(*paths: str) -> list[str]:
    return [source.uri for source in expand(paths, QUICK)]


class BucketContract:
    scheme: str

    @pytest.fixture(scope="class")
    @classmethod
    def store(cls, large: Made) -> Any:
        """The file system, after `fill`."""
        raise NotImplementedError

    def films(self, *names: str) -> list[str]:
        return [f"{self.scheme}://films/{name}" for name in names]

    @pytest.mark.parametrize("backend", ["pyav", "decord", "opencv"])
    def test_an_object_gives_the_frames_of_the_file(self, store: Any, large: Made, backend: str) -> None:
        [film] = self.films("day/large.mp4")
        with make_decoder(Decoding(backend=backend), QUICK).open(film) as stream:
            found = [(frame.time, number_of(frame.rgb())) for frame in stream.frames()]
        assert found == list(zip(large.times, large.numbers, strict=True))

    def test_an_object_has_the_id_of_the_file(self, store: Any, large: Made) -> None:
        [film] = self.films("day/large.mp4")
        assert content_id(film, QUICK) == content_id(str(large))

    def test_a_folder_stands_for_its_videos(self, store: Any) -> None:
        day = self.films("day/deep/b.mkv", "day/large.mp4")
        assert uris(*self.films("day/")) == uris(*self.films("day")) == day
        assert uris(f"{self.scheme}://films") == [*day, *self.films("night/c.mp4")]

    @pytest.mark.parametrize(
        ("pattern", "matches"),
        [
            ("**/*.mp4", ["day/large.mp4", "night/c.mp4"]),
            ("day/.*", ["day/.hidden.mp4"]),
            ("n*", ["night/c.mp4"]),
            ("*/?.mp4", ["night/c.mp4"]),
        ],
    )
    def test_patterns_stand_for_their_matches(self, store: Any, pattern: str, matches: list[str]) -> None:
        assert uris(*self.films(pattern)) == self.films(*matches)

    def test_what_stands_for_no_video_comes_out_as_it_is(self, store: Any) -> None:
        names = [*self.films("none/", "none*.mp4", "none.mp4", "notes"), f"{self.scheme}://nobucket/a.mp4"]
        assert uris(*names) == names
        for name in names:
            with pytest.raises(VideoNotFoundError, match="no such object"):
                content_id(name, QUICK)

    def test_a_folder_that_is_opened_says_so(self, store: Any) -> None:
        [folder] = self.films("day")
        with pytest.raises(VideoNotFoundError, match="a folder, in which"):
            content_id(folder, QUICK)

    def test_manifests_and_lists_name_what_lies_beside_them(self, store: Any) -> None:
        manifest, texts, missing = self.films("lists/m.csv", "day/list.txt", "none.csv")
        large, deep, night = self.films("day/large.mp4", "day/deep/b.mkv", "night/c.mp4")
        store.pipe_file("films/lists/m.csv", b"uri,camera\n../day/large.mp4,gate\n/here/b.mp4,yard\n")
        assert list(expand([manifest], QUICK)) == [
            Source(large, {"camera": "gate"}),
            Source("/here/b.mp4", {"camera": "yard"}),
        ]
        store.pipe_file("films/day/list.txt", b"large.mp4\nhttps://x.org/a.mp4\ndeep/\n../n*/*.mp4\n")
        assert uris(texts) == [large, "https://x.org/a.mp4", deep, night]
        with pytest.raises(SourceError, match=r"films/none\.csv: cannot be read: there is no such object"):
            uris(missing)

    def read_while(self, store: Any, large: Made, meddle: Callable[[str], None]) -> None:
        """Read a film with which something is done after its first frame; what is done gets its path."""
        path = "films/meddled/a.mp4"
        store.pipe_file(path, large.path.read_bytes())
        with make_decoder(Decoding(), QUICK).open(f"{self.scheme}://{path}") as stream:
            frames = iter(stream.frames())
            next(frames)
            meddle(path)
            list(frames)

    def test_what_changes_while_it_is_read_fails(self, store: Any, large: Made) -> None:
        changed = large.path.read_bytes()[:-1] + b"\1"
        with pytest.raises(VideoReadError, match="changed while it was read"):
            self.read_while(store, large, lambda path: store.pipe_file(path, changed))

    def test_what_goes_while_it_is_read_fails(self, store: Any, large: Made) -> None:
        with pytest.raises(VideoNotFoundError, match="no such object"):
            self.read_while(store, large, store.rm_file)

    def test_a_library_may_lie_there(self, store: Any) -> None:
        library = ParquetStore(f"{self.scheme}://films/library", "sampling", "encoder")
        frames = made_frames()
        library.write(made_record(), frames)
        [record] = library.records()
        np.testing.assert_array_equal(library.read(record.video_id).vectors, frames.vectors)
        assert library.delete(record.video_id)
        assert list(library.records()) == []
