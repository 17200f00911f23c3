from __future__ import annotations

import json
import stat
from dataclasses import replace

import pytest

from pipeline.errors import ExecutionError
from pipeline.sources import Listed, read_listings
from pipeline.submission.bundle import JOB_PREFIX, JobBatch, job_requirements
from pipeline.types import Source

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


def test_base_id_counts_what_a_list_names_as_if_it_were_named(tmp_path):
    listed = Listed(tuple(map(Source, BATCH.sources)), are_videos=False)
    manifest = Listed(tuple(Source(uri) for uri in BATCH.sources[::-1]), are_videos=True)
    assert {replace(BATCH, sources=(each,)).base_id for each in (listed, manifest)} == {BATCH.base_id}


def test_base_id_differs_by_what_is_said_of_a_video():
    said = [{}, {"camera": "gate"}, {"camera": "yard"}, {"camera": "gate", "take": 1}, {"take": 1, "camera": "gate"}]
    ids = [replace(BATCH, sources=(Listed((Source("/a.mp4", each),), are_videos=True),)).base_id for each in said]
    assert len(set(ids)) == 4
    assert ids[3] == ids[4]


def test_the_id_of_a_batch_without_metadata_is_what_it_always_was():
    # Jobs that run while momentseek is replaced must be known again.
    assert BATCH.base_id == "momentseek-52053af5801a"


def test_lists_and_manifests_travel_as_files_that_are_read_as_the_same(tmp_path):
    rows = tuple(
        Source(f"/v/{n} [x].mp4", {"n": n, "café": "\U0001f600", "is_new": n % 2 == 0, "x": n / 3}) for n in range(5)
    )
    lines = tuple(map(Source, ("/v/a b.mp4", "s3://bucket/cam*.mp4", "/v/\udce9.mp4")))
    batch = replace(BATCH, sources=("/v/0.mp4", Listed(rows, are_videos=True), Listed(lines, are_videos=False)))
    batch.write(tmp_path)
    names = json.loads((tmp_path / "batch.json").read_text())["sources"]
    assert names[0] == "/v/0.mp4"
    read = [found for name in names[1:] for found in read_listings([str(tmp_path / name["file"])])]
    assert read == list(batch.sources[1:])
    assert (batch.named, batch.metadata["sources"]) == (9, "9")


def test_a_batch_that_ray_would_refuse_is_refused_before_it_is_sent(tmp_path):
    rows = tuple(Source(f"/videos/{number}.mp4", {"note": "x" * 1000}) for number in range(100_000))
    with pytest.raises(ExecutionError, match=r"sources-1.jsonl: \d+ MiB.*in parts"):
        replace(BATCH, sources=(Listed(rows, are_videos=True),)).write(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_job_needs_the_base_and_what_indexes():
    requirements = [
        "numpy>=2.1",
        "tzdata; sys_platform == 'win32'",
        "av>=18.1; extra == 'index'",
        "decord>=0.6; (platform_machine == 'x86_64') and extra == 'index'",
        'torch>=2.13; extra == "index"',
        "torch>=2.13; extra == 'all'",
        "scikit-learn>=1.8; extra == 'analysis'",
    ]
    assert job_requirements(requirements) == (
        "numpy>=2.1",
        "tzdata; sys_platform == 'win32'",
        "av>=18.1",
        "decord>=0.6; (platform_machine == 'x86_64')",
        "torch>=2.13",
    )
