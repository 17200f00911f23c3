from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from page_reader import read

from pipeline.execution.stage_times import StageSeconds
from pipeline.render.markup import Markup, joined, tag
from pipeline.runs.figures import busy_shares, clock, limit_of, share_of_time, stage_rows, throughput
from pipeline.runs.page import run_page
from pipeline.runs.report import Cause, Period, ProblemExample, RunReport, SlowVideo

EVIL = "<script>alert('1')</script>&\"\x1b[31m.mp4"


def report(**changes: object) -> RunReport:
    fields = {
        "run_id": "20261121T173000Z-1a2b3c",
        "momentseek": "0.1.0",
        "outcome": "finished",
        "started_at": "2026-11-21T17:30:00Z",
        "updated_at": "2026-11-21T17:31:00Z",
        "elapsed_seconds": 60.0,
        "library": "/data/my library",
        "encoder": "ViT-B-32",
        "fingerprints": {"sampling": "abc"},
        "configuration": {"sampling": {"fps": 1.0}},
        "sources": 12,
        "first_sources": ("a.mp4",),
        "counts": {"done": 9, "partial": 1, "skipped": 0, "failed": 2},
        "video_seconds": 1200.0,
        "frames_decoded": 36_000,
        "frames_seen": 1200,
        "frames_sampled": 1200,
        "segments": 300,
        "stages": StageSeconds(
            decode=100, wait=10, load=6, encode=30, store=1, index=2, reader_slots=120, encoder_slots=60
        ),
        "period_seconds": 1.0,
        "periods": tuple(
            Period(seconds_decoded=20, videos_ended=1, decode_seconds=1.5, encode_seconds=0.5) for _ in range(60)
        ),
        "slowest": (
            SlowVideo(uri=EVIL, video_id="v", status="done", elapsed_seconds=9, duration_seconds=99, frames_sampled=99),
        ),
        "failures": (Cause(cause=EVIL, videos=2, examples=(ProblemExample(uri=EVIL, problem=EVIL),)),),
        "peak_memory_bytes": 300_000_000,
    }
    return RunReport(**(fields | changes))


def test_a_page_tells_the_run():
    text = read(run_page(report())).text
    for said in (
        "20261121T173000Z-1a2b3c",
        "finished",
        "9 done",
        "2 failed",
        "20.0 \u00d7",
        "36,000 decoded",
        "fps: 1.0",
    ):
        assert said in text
    assert "momentseek index --retry-failed --library '/data/my library'" in text


def test_a_page_needs_nothing_else():
    page = run_page(report())
    reader = read(page)
    assert not {"script", "link", "img", "iframe", "object"} & set(reader.tags)
    assert not re.search(r"https?://|url\(|@import", page)
    assert not [name for name, _ in reader.attributes if name in ("src", "href") or name.startswith("on")]


def test_no_name_becomes_markup():
    page = run_page(report(library=EVIL, problem=EVIL, encoder=EVIL, first_sources=(EVIL,), configuration={"x": EVIL}))
    reader = read(page)
    assert "script" not in reader.tags
    assert "alert('1')" in reader.text
    assert "\x1b" not in page


@pytest.mark.parametrize(
    "changes",
    [
        {"periods": (), "counts": {}, "video_seconds": 0.0, "slowest": (), "failures": (), "stages": StageSeconds()},
        {"periods": (Period(seconds_decoded=3.0),), "elapsed_seconds": 0.2},
        {"periods": (Period(),) * 200, "period_seconds": 4096.0, "elapsed_seconds": 800_000.0},
        {"elapsed_seconds": 0.0},
        {"outcome": "running", "job_id": "raysubmit_1"},
    ],
)
def test_every_run_has_a_page(changes):
    read(run_page(report(**changes)))


def test_plots_are_well_formed_and_described():
    plots = re.findall(r"<svg.*?</svg>", run_page(report(damage=report().failures)), flags=re.S)
    assert len(plots) == 6
    names = set()
    for plot in plots:
        root = ElementTree.fromstring(plot)
        assert root.get("role") == "img"
        described = [root.find(f"*[@id='{name}']") for name in root.get("aria-labelledby").split()]
        assert all(each is not None and each.text for each in described)
        names.update(root.get("aria-labelledby").split())
        for element in root.iter():
            assert float(element.get("width", 0)) >= 0
            assert float(element.get("height", 0)) >= 0
    assert len(names) == 12


def test_a_run_under_way_is_looked_at_again():
    assert 'http-equiv="refresh"' in run_page(report(outcome="running"))
    assert 'http-equiv="refresh"' not in run_page(report())


def test_rates_count_the_last_period_by_its_own_length():
    found = throughput(report(periods=(Period(seconds_decoded=20), Period(seconds_decoded=10)), elapsed_seconds=1.5))
    assert (found.values, found.last_width_seconds) == ((20, 20), 0.5)


def test_rates_leave_no_column_to_a_moment():
    periods = (Period(seconds_decoded=20), Period(seconds_decoded=20), Period(seconds_decoded=30))
    found = throughput(report(periods=periods, elapsed_seconds=2.1))
    assert (found.values, found.last_width_seconds) == ((20, pytest.approx(50 / 1.1)), pytest.approx(1.1))


def test_rates_join_periods_where_there_are_many():
    found = throughput(report(periods=(Period(seconds_decoded=20),) * 150, period_seconds=8.0, elapsed_seconds=1200.0))
    assert (len(found.values), set(found.values), found.width_seconds) == (75, {2.5}, 16.0)


def test_rates_even_out_the_lumps_in_which_work_is_told():
    lumps = tuple(Period(seconds_decoded=15.0 if number % 3 == 0 else 0.0) for number in range(60))
    found = throughput(report(periods=lumps, elapsed_seconds=60.0))
    assert (found.width_seconds, set(found.values)) == (5.0, {3.0, 6.0})


def test_busy_shares_are_smoothed_and_bounded():
    lumps = tuple(Period(decode_seconds=10.0 if number % 10 == 0 else 0.0) for number in range(60))
    readers, encoders = busy_shares(report(periods=lumps))
    assert all(0.2 < share <= 1 for share in readers[2:10])
    assert set(encoders) == {0.0}


def test_the_parts_of_each_worker_add_up_to_its_time():
    rows = dict(stage_rows(report()))
    assert [sum(part.value for part in parts) for parts in rows.values()] == [120, 60, 60]
    assert share_of_time(rows["readers"][0], rows["readers"]) == "83 %"


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        (StageSeconds(decode=95, encode=20, reader_slots=100, encoder_slots=100), "Decoding limited the speed"),
        (StageSeconds(decode=20, encode=95, reader_slots=100, encoder_slots=100), "Encoding limited the speed"),
        (StageSeconds(decode=20, encode=30, reader_slots=100, encoder_slots=100), "No stage was at its limit"),
        (
            StageSeconds(decode=2, encode=3, load=80, reader_slots=100, encoder_slots=100),
            "Loading the model took longest",
        ),
        (StageSeconds(), "Nothing had to be"),
    ],
)
def test_the_page_says_what_set_the_pace(stages, said):
    assert limit_of(report(stages=stages)).startswith(said)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (0.42, "0.4 s"), (42, "42 s"), (65, "1:05"), (7384, "2:03:04"), (273_900, "3 d 04:05")],
)
def test_recording_time(seconds, said):
    assert clock(seconds) == said


def test_markup_escapes_all_but_markup():
    assert tag("p", "<b>", tag("b", "&"), title='"') == '<p title="&quot;">&lt;b&gt;<b>&amp;</b></p>'
    assert tag("rect", stroke_width=1.5, class_="a", id=None) == '<rect stroke-width="1.5" class="a"></rect>'
    assert joined(["<", Markup("<i>")]) == "&lt;<i>"
