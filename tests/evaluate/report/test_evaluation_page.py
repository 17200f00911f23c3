from __future__ import annotations

import base64
import io
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import av
import numpy as np
import pytest
from contracts.fake_videos import TrustedVideos, write_video
from page_reader import read
from PIL import Image

from pipeline.evaluate import Evaluation, LabelledQuery, evaluate
from pipeline.evaluate.report.metric_names import meaning_of
from pipeline.evaluate.report.page import evaluation_page
from pipeline.index import MemoryIndex
from pipeline.render.plot_area import Caption
from pipeline.render.score_plots import Bar, ShareSeries, score_bars, shares
from pipeline.render.thumbnails import thumbnail
from pipeline.testing.index import row, unit
from pipeline.types import Moment
from pipeline.video import Decoding, make_decoder

EVIL = "<script>alert('1')</script>&\"\x1b[31m"
CAPTION = Caption("a", "b", "c")


class TwoVideos:
    """Answers a text that begins with "no" with nothing, and others with two moments of each video."""

    def __init__(self, folder: Path) -> None:
        self.places = {name: str(folder / f"{name}.mp4") for name in ("yard", "gate")}

    def find(self, *names: str) -> tuple[str, ...]:
        return names

    def moment_index(self) -> MemoryIndex:
        index = MemoryIndex()
        index.upsert([row(video, 0, unit(1)) for video in self.places])
        return index

    def search(
        self, question: str, *, top: int | None = None, videos: Sequence[str] = (), min_score: float | None = None
    ) -> list[Moment]:
        return [
            Moment(video_id=name, uri=self.places[name], start_seconds=a, end_seconds=a + 3, best_seconds=a, score=s)
            for name in videos or self.places
            for a, s in ((1.0, 0.3), (6.0, 0.2))
            if not question.startswith("no")
        ]


def query(number: int, text: str, *windows: tuple[float, float], video: str = "yard") -> LabelledQuery:
    return LabelledQuery(number, text, video, windows, duration_seconds=10.0)


QUERIES = [
    query(1, "a red car", (1.0, 4.0)),
    query(2, "a red bus", (5.0, 9.0), video="gate"),
    query(3, f"a red {EVIL}", (0.0, 1.0), (8.0, 9.0)),
    query(4, "no lion", (0.0, 2.0)),
    query(5, "a lion"),
    query(6, "no lions"),
]


@pytest.fixture
def library(tmp_path: Path) -> TwoVideos:
    found = TwoVideos(tmp_path)
    write_video(Path(found.places["yard"]), frames=20, grey=200)
    return found


def page_of(library: TwoVideos, evaluation: Evaluation) -> str:
    return evaluation_page(
        evaluation, labels="/data/moments.jsonl", library="/data/l", videos=TrustedVideos(library.places)
    )


def test_a_page_tells_the_evaluation(library: TwoVideos) -> None:
    evaluation = evaluate(library, QUERIES)
    reader = read(page_of(library, evaluation))
    for said in (
        "6 questions about 2 videos, 2 of them absent",
        "qvhighlights/1",
        "MR-full-R1@0.5",
        "1 right, IoU 0.5 or more",
        "1 no answer",
        "The worst answers",
        "“no lion”",
        "nothing found",
        "The most confident false alarms",
        "“a lion”",
    ):
        assert said in reader.text
    interval = " to ".join(f"{edge:.1f}" for edge in evaluation.intervals["MR-full-mAP"])
    assert interval in reader.text


def test_a_page_needs_nothing_else(library: TwoVideos) -> None:
    page = page_of(library, evaluate(library, QUERIES))
    reader = read(page)
    assert not {"script", "link", "iframe", "object"} & set(reader.tags)
    assert not re.search(r"https?://|url\(|@import", page)
    sources = [value or "" for name, value in reader.attributes if name in ("src", "href")]
    assert sources
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert not [name for name, _ in reader.attributes if name.startswith("on")]


def test_pictures_are_of_true_and_found_moments(library: TwoVideos) -> None:
    text = read(page_of(library, evaluate(library, QUERIES[:2]))).text
    # The second video's file is not there.
    assert "no picture" in text
    page = page_of(library, evaluate(library, QUERIES[:1]))
    reader = read(page)
    assert reader.tags.count("img") == 3
    assert {value for name, value in reader.attributes if name == "alt"} == {"true: a red car", "found 1", "found 2"}


def test_false_alarms_are_the_surest_first(library: TwoVideos) -> None:
    found = evaluate(library, [*QUERIES, query(7, "a tiger", video="gate")])
    lower = replace(found.answers[4], moments=tuple(replace(moment, score=0.1) for moment in found.answers[4].moments))
    answers = (*found.answers[:4], lower, *found.answers[5:])
    text = read(page_of(library, replace(found, answers=answers))).text
    assert text.index("“a tiger”") < text.index("“a lion”")
    assert "“no lions”" not in text


def test_what_the_search_rejects_is_no_answer_and_no_false_alarm(library: TwoVideos) -> None:
    found = evaluate(library, QUERIES, min_score=0.25)
    certain = tuple(replace(moment, score=0.9) for moment in found.answers[0].moments)
    answers = (replace(found.answers[0], moments=certain), *found.answers[1:])
    text = read(page_of(library, replace(found, answers=answers, min_score=0.5))).text
    assert "1 right, IoU 0.5 or more" in text
    assert "3 no answer" in text
    assert "The most confident false alarms" not in text
    assert "The most confident false alarms" in read(page_of(library, found)).text


def test_pictures_are_small(tmp_path: Path) -> None:
    path = tmp_path / "big.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        for _ in range(5):
            frame = av.VideoFrame.from_ndarray(np.full((720, 1280, 3), 90, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    element = thumbnail(TrustedVideos({"v": str(path)}, make_decoder(Decoding())), "v", 0.4, 'a "b"')
    assert 'alt="a &quot;b&quot;"' in element
    data = re.search(r"base64,([^\"]+)", element)
    assert data is not None
    assert Image.open(io.BytesIO(base64.b64decode(data[1]))).size == (432, 243)


def test_no_name_becomes_markup(library: TwoVideos) -> None:
    evil = [replace(query, concepts=(EVIL,)) for query in QUERIES]
    page = evaluation_page(evaluate(library, evil), labels=EVIL, library=EVIL, videos=TrustedVideos(library.places))
    reader = read(page)
    assert "script" not in reader.tags
    assert "alert('1')" in reader.text
    assert "\x1b" not in page


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (QUERIES[:1], "The set has no absent questions"),
        (QUERIES[4:], "The set has no true questions"),
        ([QUERIES[3], QUERIES[5]], "All questions were answered with nothing"),
        ([QUERIES[3], QUERIES[0], QUERIES[4]], "answers more than 10 % of the true questions with nothing"),
        ([QUERIES[0], QUERIES[5]], "Without a threshold, 100 % of the absent questions are answered with nothing"),
        ([QUERIES[0], QUERIES[4]], "are answered with nothing; this loses 0 % of the true ones"),
    ],
)
def test_every_evaluation_has_a_page(library: TwoVideos, chosen: list[LabelledQuery], said: str) -> None:
    assert said in read(page_of(library, evaluate(library, chosen))).text


def test_concepts_are_shown_by_the_words_they_are(library: TwoVideos) -> None:
    assert "By word" in read(page_of(library, evaluate(library, QUERIES))).text
    named = [replace(query, concepts=("vehicle",)) for query in QUERIES]
    text = read(page_of(library, evaluate(library, named))).text
    assert "By concept" in text
    assert re.search(r"vehicle: \d+\.\d · 4 questions", text)


def test_plots_are_well_formed_and_described(library: TwoVideos) -> None:
    page = page_of(library, evaluate(library, QUERIES))
    plots = [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", page)]
    named = [plot for plot in plots if plot.get("role") == "img"]
    ids = [element.get("id") for plot in named for element in plot.iter() if element.get("id")]
    assert len(ids) == len(set(ids)) == 2 * len(named)


def test_shares_are_steps_that_hold_since_the_threshold_before() -> None:
    plot = shares(CAPTION, thresholds=[0.0, 1.0], series=[ShareSeries("x", "lost", [0.0, 1.0])], marked=None)
    [line] = ElementTree.fromstring(plot).iter("polyline")
    points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
    heights = [y for _, y in points]
    floor, top = max(heights), min(heights)
    rises = [(x, y) for x, y in points if y == top]
    # It rises right behind the first threshold, and holds until the second.
    assert [y for _, y in points].count(floor) == 3
    assert rises[0][0] == max(x for x, y in points if y == floor)


def test_bars_are_as_long_as_their_figure_and_whiskers_as_their_interval() -> None:
    plot = ElementTree.fromstring(score_bars(CAPTION, [Bar("a", 50.0, (25.0, 100.0), "50")]))
    track, bar = plot.findall("rect")
    assert float(bar.attrib["width"]) == pytest.approx(float(track.attrib["width"]) / 2)
    whisker = plot.findall("line")[0]
    assert float(whisker.attrib["x2"]) == float(track.attrib["x"]) + float(track.attrib["width"])
    assert float(whisker.attrib["x1"]) == float(track.attrib["x"]) + float(track.attrib["width"]) / 4


def test_metrics_have_a_meaning(library: TwoVideos) -> None:
    assert [name for name in evaluate(library, QUERIES).metrics if not meaning_of(name)] == []
    assert meaning_of("HL-min-VeryGood-Hit1") == "best clip is VeryGood or better"
    assert meaning_of("other") == ""
