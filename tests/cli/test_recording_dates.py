"""Dates in metadata and in questions: what is no date is reported where it is met."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import Library, Source
from pipeline.errors import SourceError

BAD = ["21.11.2026 14:30", "11/21/2026 2:30 PM", "2026-11-21", 1_795_000_000]
FORM = "2026-11-20T08:30:00+01:00"


def manifest(folder, kind: str, dates: list[object]):
    rows = [{"uri": f"v{number}.mp4", "recorded_at": date} for number, date in enumerate(dates)]
    path = folder / f"films.{kind}"
    if kind == "csv":
        path.write_text("uri,recorded_at\n" + "".join(f"{row['uri']},{row['recorded_at']}\n" for row in rows))
    elif kind == "jsonl":
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    else:
        pq.write_table(pa.table({name: [str(row[name]) for row in rows] for name in rows[0]}), path)
    return path


@pytest.mark.parametrize(
    ("command", "kind", "place"),
    [
        ("index", "csv", "line 3"),
        ("index", "jsonl", "line 2"),
        ("index", "parquet", "row 2"),
        ("submit", "csv", "line 3"),
    ],
)
@pytest.mark.parametrize("bad", BAD)
def test_a_manifest_with_a_date_that_is_none_is_refused_with_the_line(
    momentseek, config, tmp_path, command, kind, place, bad
):
    path = manifest(tmp_path, kind, ["2026-11-20T08:30", bad])
    words = ("index", path, "-c", config) if command == "index" else ("submit", config, path, "--dry-run")
    result = momentseek(*words)
    assert (result.code, result.out) == (2, "")
    assert f"films.{kind}, {place}: recorded_at: " in result.err
    assert str(bad) in result.err
    assert FORM in result.err
    assert not (tmp_path / "library").exists()


def test_another_column_may_hold_anything_and_its_name_can_be_set(momentseek, config, make_video, tmp_path):
    make_video("v0.mp4")
    path = manifest(tmp_path, "csv", ["21.11.2026 14:30"])
    other = ("--set", "search.recorded_at=begins")
    assert momentseek("index", path, "-c", config, *other).code == 0
    path.write_text("uri,begins\nv0.mp4,21.11.2026 14:30\n")
    assert momentseek("index", path, "-c", config).code == 0
    assert "line 2: begins: " in momentseek("index", path, "-c", config, *other).err


def test_python_refuses_it_before_anything_is_done(config, tmp_path):
    from pipeline.run_config import load_run_config

    with Library.open(load_run_config(config)) as library, pytest.raises(SourceError, match=r"a\.mp4: metadata recor"):
        list(library.index([Source("a.mp4", {"recorded_at": "21.11.2026 14:30"})]))
    assert not (tmp_path / "library").exists()


@pytest.fixture
def library(momentseek, config, make_video, tmp_path):
    """Four videos; the dates of two were taken by a version that looked at none."""
    for number in range(4):
        make_video(f"v{number}.mp4", grey=40 * number)
    path = manifest(tmp_path, "csv", ["2026-11-20T23:59:58", "2026-11-22T08:00:00", "21.11.2026 14:30", ""])
    result = momentseek("index", path, "-c", config, "--set", "search.recorded_at=another")
    assert result.code == 0, result.err
    return "-c", config, "--min-score", 0


@pytest.mark.parametrize("filters", [("--from", "2026-11-21", "--to", "2026-11-21"), ("--time-of-day", "0:00-1:00")])
def test_a_search_for_a_time_reports_what_it_could_not_compare(momentseek, library, filters):
    result = momentseek("search", "x", *filters, *library, "--json")
    assert [str(row["recorded_at"])[:13] for row in result.objects()] == ["2026-11-21T00"]
    assert "2 videos were left out: no usable recording date in the metadata (--explain says why)" in result.err
    out = momentseek("search", "x", *filters, *library, "--explain").out
    assert "Not searched: 3, 2 of them without a usable date:" in out
    assert "v2.mp4  its metadata recorded_at: '21.11.2026 14:30' is not an ISO 8601 date and time" in out
    assert "v3.mp4  its metadata has no recording time" in out
    assert "Filters: none" not in out
    [answer] = momentseek("search", "x", *filters, *library, "--explain", "--json").objects()
    skipped = {one["uri"].rpartition("/")[2]: one for one in answer["explanation"]["skipped"]}
    assert {name: one.get("has_no_date") for name, one in skipped.items()} == {
        "v1.mp4": None,
        "v2.mp4": True,
        "v3.mp4": True,
    }
    assert answer["explanation"]["filters"].startswith(
        ("time of day 0:00-1:00", "recorded from 2026-11-21 00:00:00 on")
    )


def test_where_nothing_is_left_the_reasons_are_said(momentseek, library):
    result = momentseek("search", "x", "--from", "2027-01-01", *library)
    assert (result.code, result.out) == (0, "")
    assert "no video passes the filters (recorded from 2027-01-01 00:00:00 on)" in result.err
    assert "4 videos were not searched, first " in result.err


def test_other_questions_do_not_mind(momentseek, library):
    result = momentseek("search", "x", *library)
    assert (result.code, "left out" in result.err) == (0, False)


@pytest.mark.parametrize("option", ["--from", "--to"])
def test_what_is_no_date_is_refused(momentseek, library, option):
    result = momentseek("search", "x", option, "21.11.2026", *library)
    assert (result.code, "not a date: '21.11.2026'" in result.err) == (2, True)
