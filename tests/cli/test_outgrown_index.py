"""A batch and `momentseek doctor` say when a library's index has become too large for Milvus Lite."""

from __future__ import annotations

import pytest

from pipeline.index import MemoryIndex
from pipeline.index.capacity import outgrown
from pipeline.testing.index import random_rows

LITE = ("--set", "index.backend=milvus")
COMMAND = "momentseek index migrate http://HOST:19530"


@pytest.fixture
def limit(monkeypatch):
    return lambda segments: monkeypatch.setattr("pipeline.index.capacity.LITE_SEGMENTS", segments)


def test_the_last_line_of_a_batch_names_the_way_to_a_server(momentseek, config, make_video, limit):
    limit(0)
    result = momentseek("index", make_video(), "-c", config, *LITE)
    last = result.err.splitlines()[-1]
    assert last.startswith("note: the index has 1 segments, but Milvus Lite is suited for up to 0: ")
    assert last.endswith(f": {COMMAND}")
    assert result.code == 0


def test_a_small_index_is_not_mentioned(momentseek, config, make_video):
    result = momentseek("index", make_video(), "-c", config, *LITE)
    assert "Milvus Lite" not in result.err


def test_doctor_names_the_way_to_a_server(momentseek, config, make_video, limit):
    momentseek("index", make_video(), "-c", config, *LITE)
    before = momentseek("doctor", "-c", config, *LITE, "--json").objects()
    assert "index" not in {finding["what"] for finding in before}
    limit(0)
    found = momentseek("doctor", "-c", config, *LITE, "--json").objects()
    [finding] = [finding for finding in found if finding["what"] == "index"]
    assert (finding["state"], finding["remedy"]) == ("note", COMMAND)
    assert str(finding["said"]).startswith("the index has 1 segments")


def test_an_index_in_memory_has_no_such_limit(limit):
    limit(0)
    index = MemoryIndex()
    index.upsert(random_rows(30))
    assert outgrown(index) is None
