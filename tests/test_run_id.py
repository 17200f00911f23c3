from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from pipeline.errors import ConfigError
from pipeline.run_id import current_run_id, job_id, new_run_id, running


def test_ids_sort_in_time_and_differ(monkeypatch):
    monkeypatch.delenv("MOMENTSEEK_RUN_ID", raising=False)
    at = datetime(2026, 11, 21, 17, 30, tzinfo=UTC)
    ids = {new_run_id(at) for _ in range(50)}
    assert len(ids) == 50
    assert all(each.startswith("20261121T173000Z-") for each in ids)


def test_whoever_submits_may_give_the_id(monkeypatch):
    monkeypatch.setenv("MOMENTSEEK_RUN_ID", "nightly.7")
    assert new_run_id() == "nightly.7"


@pytest.mark.parametrize("given", ["../x", "a b", "-x", ".hidden", "x" * 101])
def test_an_id_that_is_no_file_name_is_refused(monkeypatch, given):
    monkeypatch.setenv("MOMENTSEEK_RUN_ID", given)
    with pytest.raises(ConfigError, match="MOMENTSEEK_RUN_ID"):
        new_run_id()


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({"metadata": {"job_submission_id": "raysubmit_1"}}, "raysubmit_1"),
        ({"metadata": {}}, None),
        ([], None),
        (None, None),
    ],
)
def test_a_ray_job_is_known(monkeypatch, config, found):
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", json.dumps(config))
    assert job_id() == found


def test_a_run_is_current_while_it_lasts():
    assert current_run_id() is None
    with running("a"):
        with running("b"):
            assert current_run_id() == "b"
        assert current_run_id() == "a"
    assert current_run_id() is None
