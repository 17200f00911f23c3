from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from pipeline.library.analysis.duplicates import MIN_SECONDS, THRESHOLD

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "duplicates.md"


@pytest.fixture
def duplicates(momentseek, films_library: Path):
    return lambda *arguments: momentseek("duplicates", *arguments, "-l", films_library)


def test_a_film_in_another_container_is_the_only_pair(duplicates):
    result = duplicates("--json")
    assert result.code == 0, result.err
    pair, group = result.objects()
    assert {Path(pair[each]["name"]).name for each in "ab"} == {"street-corner.mp4", "street-corner.mkv"}
    assert (pair["rate"], abs(pair["offset_seconds"]) <= 0.5, pair["score"] > 0.9) == (1.0, True, True)
    assert {member["video_id"] for member in group["members"]} == {pair["a"]["video_id"], pair["b"]["video_id"]}


def test_tables_name_the_film_to_keep(duplicates):
    result = duplicates()
    assert "group 1: keep" in result.out
    assert "1 pair, 1 group of copies" in result.err


def test_csv_has_a_row_for_each_pair(duplicates):
    (row,) = csv.DictReader(io.StringIO(duplicates("--csv").out))
    assert float(row["score"]) > 0.9
    assert float(row["end_a_seconds"]) > 15


def test_a_named_video_without_a_copy_has_none(duplicates):
    result = duplicates("fire-drill.mp4", "--json")
    assert (result.code, result.out) == (0, "")


def test_a_named_video_finds_its_copy_among_all(duplicates):
    assert [fields["type"] for fields in duplicates("street-corner.mkv", "--json").objects()] == ["pair", "group"]


def test_nothing_is_repeated_within_a_film(duplicates):
    assert duplicates("--within", "--json").objects() == []


@pytest.mark.parametrize("arguments", [("--threshold", "1.5"), ("--min-seconds", "0"), ("--json", "--csv"), ("none",)])
def test_wrong_requests_are_refused(duplicates, arguments):
    assert duplicates(*arguments).code == 2


def test_a_video_that_cannot_be_read_is_reported_and_the_others_are_compared(momentseek, four):
    place = Path(four[1]).parent / "library"
    next(iter(sorted(place.glob("frames/*/*.parquet")))).write_bytes(b"no parquet")
    result = momentseek("duplicates", *four, "--json")
    assert result.code == 1
    assert "error:" in result.err


def test_help_and_page_state_the_defaults_in_use(momentseek):
    help_text = " ".join(momentseek("duplicates", "--help").out.split())
    assert f"Minimum length of a stretch. Default: {MIN_SECONDS:g}." in help_text
    assert f"Minimum score, from 0 to 1. Default: {THRESHOLD:g}." in help_text
    page = PAGE.read_text(encoding="utf-8")
    assert f"`--min-seconds` ({MIN_SECONDS:g})" in page
    assert f"`--threshold` ({THRESHOLD:g})" in page
