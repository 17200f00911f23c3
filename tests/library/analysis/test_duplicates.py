from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest

from pipeline import Library
from pipeline.errors import QueryError
from pipeline.library.analysis.duplicates import find_duplicates
from pipeline.run_config import load_run_config

FILMS = Path(__file__).parents[3] / "sample_videos"


def reencoded(source: Path, target: Path, *, rate: float = 1.0, logo: bool = False) -> Path:
    """The first quarter minute of a film in small pictures and low quality; slower, or with a logo."""
    with av.open(str(source)) as given, av.open(str(target), "w") as container:
        out = container.add_stream("libx264", rate=25, options={"crf": "34", "preset": "ultrafast"})
        out.codec_context.time_base = Fraction(1, 1000)
        out.width, out.height, out.pix_fmt = 192, 108, "yuv420p"
        for number, frame in enumerate(given.decode(video=0)):
            if frame.time >= 15:
                break
            if number % 5:
                continue
            picture = frame.reformat(192, 108, "rgb24").to_ndarray()
            if logo:
                picture[6:20, 150:184] = 220
            copy = av.VideoFrame.from_ndarray(picture, "rgb24")
            copy.pts, copy.time_base = round(frame.time * rate * 1000), Fraction(1, 1000)
            container.mux(out.encode(copy))
        container.mux(out.encode(None))
    return target


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("duplicates")
    videos = [reencoded(FILMS / name, folder / name) for name in ("fire-drill.mp4", "street-corner.mp4")]
    videos += [
        reencoded(videos[0], folder / "slow.mp4", rate=1.04),
        reencoded(videos[1], folder / "logo.mp4", logo=True),
    ]
    settings = [f"library={folder / 'library'}", "execution.executor=in_process", "index.backend=memory"]
    with Library.open(load_run_config("demo", settings)) as opened:
        assert [report.problem for report in opened.index(videos)] == [None] * 4
        yield opened


def names(library, pair):
    return {Path(library.store.record(each.video_id).last_name).name for each in (pair.a, pair.b)}


def test_a_slowed_and_a_marked_copy_are_found_and_nothing_else(library):
    found = find_duplicates(library)
    assert [names(library, pair) for pair in found.pairs if "slow.mp4" in names(library, pair)] == [
        {"fire-drill.mp4", "slow.mp4"}
    ]
    assert {frozenset(names(library, pair)) for pair in found.pairs} == {
        frozenset({"fire-drill.mp4", "slow.mp4"}),
        frozenset({"street-corner.mp4", "logo.mp4"}),
    }
    (slowed,) = (pair for pair in found.pairs if "slow.mp4" in names(library, pair))
    rate = slowed.rate if library.find("fire-drill.mp4")[0] == slowed.a.video_id else 1 / slowed.rate
    assert rate == pytest.approx(1.04, abs=0.04)
    originals = {Path(library.store.record(group.original).last_name).name for group in found.groups}
    assert originals == {"fire-drill.mp4", "street-corner.mp4"}


def test_progress_counts_the_videos(library):
    told = []
    find_duplicates(library, on_video=lambda done, total: told.append((done, total)))
    assert told == [(number, 4) for number in range(5)]


def test_the_videos_asked_about_are_compared_with_all(library):
    found = find_duplicates(library, library.find("slow.mp4"))
    assert found.compared == 1
    assert [names(library, pair) for pair in found.pairs] == [{"fire-drill.mp4", "slow.mp4"}]


@pytest.mark.parametrize(
    "wrong", [{"threshold": 0.0}, {"threshold": 1.0}, {"min_seconds": 0.5}, {"threshold": float("nan")}]
)
def test_numbers_out_of_range_are_refused(library, wrong):
    with pytest.raises(QueryError):
        find_duplicates(library, **wrong)
