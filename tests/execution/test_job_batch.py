from __future__ import annotations

import json
import stat
from dataclasses import replace

from pipeline.execution.job_batch import JOB_PREFIX, JobBatch, named_sources

BATCH = JobBatch(
    config_yaml="library: /data/library\n",
    identity={"library": "/data/library"},
    library="/data/library",
    sources=("/videos/a.mp4", "/videos/b.mp4"),
    version="0.1.0",
    requirements=("av>=18",),
)
SECRET = "hunter2"


def test_base_id_is_the_same_for_the_same_batch_in_any_order():
    again = replace(BATCH, sources=BATCH.sources[::-1], config_yaml="other: 1\n", environment={"A": "1"})
    assert again.base_id == BATCH.base_id
    assert BATCH.base_id.startswith(JOB_PREFIX)
    assert len(BATCH.base_id) == len(JOB_PREFIX) + 12


def test_base_id_differs_by_sources_and_by_what_identifies_the_batch():
    others = [replace(BATCH, sources=BATCH.sources[:1]), replace(BATCH, identity={"library": "/data/other"})]
    assert len({BATCH.base_id, *(other.base_id for other in others)}) == 3


def test_a_variable_travels_in_a_file_of_its_owner_and_nowhere_else(tmp_path):
    batch = replace(BATCH, environment={"TOKEN": SECRET})
    batch.write(tmp_path)
    sent = tmp_path / "environment.json"
    assert json.loads(sent.read_text()) == {"TOKEN": SECRET}
    assert stat.S_IMODE(sent.stat().st_mode) == 0o600
    shown = repr(batch), batch.base_id, batch.entrypoint, str(batch.metadata), str(batch.runtime_env(str(tmp_path)))
    assert SECRET not in "".join(shown)


def test_runtime_env_lets_ray_install_only_where_that_is_wanted(tmp_path):
    assert "pip" not in BATCH.runtime_env(str(tmp_path))
    installing = replace(BATCH, installs=True).runtime_env(str(tmp_path))
    assert installing["pip"]["packages"] == ["av>=18"]


def test_a_hundred_thousand_sources_are_a_file_and_no_command(tmp_path):
    many = replace(BATCH, sources=tuple(f"/videos/{number}.mp4" for number in range(100_000)))
    many.write(tmp_path)
    assert len(json.loads((tmp_path / "batch.json").read_text())["sources"]) == 100_000
    assert many.entrypoint == BATCH.entrypoint


def test_named_sources_are_absolute_and_named_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    named = named_sources(["a.mp4", "films/*.mp4", "s3://bucket/b.mp4", "./a.mp4", "/c.mp4"])
    assert named == (f"{tmp_path}/a.mp4", f"{tmp_path}/films/*.mp4", "s3://bucket/b.mp4", "/c.mp4")


def test_named_sources_reads_a_list_that_is_here_and_leaves_one_that_is_not(tmp_path):
    listed = tmp_path / "list.txt"
    listed.write_text("# films\na.mp4\n\n  s3://bucket/b.mp4  \n/c.mp4\n")
    assert named_sources([str(listed), "/far/away.txt"]) == (
        f"{tmp_path}/a.mp4",
        "s3://bucket/b.mp4",
        "/c.mp4",
        "/far/away.txt",
    )
