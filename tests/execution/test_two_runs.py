"""One batch in two processes at once, which share a store and an index."""

from __future__ import annotations

import json

import pytest
from batch_script import BATCH
from contracts.fake_videos import write_video
from own_process import start_script


@pytest.mark.milvus_server
def test_two_runs_of_one_batch_at_once_do_what_one_does(tmp_path, milvus_server_uri):
    (tmp_path / "films").mkdir()
    for grey in range(10, 90, 10):
        write_video(tmp_path / "films" / f"{grey:03}.mp4", frames=9, grey=grey, slow=0.05)
    one, other = (start_script(BATCH, tmp_path / "both", "in_process", milvus_server_uri) for _ in range(2))
    outs = [process.communicate(timeout=240) for process in (one, other)]
    (*reports, said), (*others, other_said) = (out.splitlines() for out, _ in outs)
    assert (len(reports), len(others)) == (8, 8), outs
    assert not any("failed" in line for line in (*reports, *others))
    assert json.loads(said) == json.loads(other_said)
    assert json.loads(said)["rows"] == sum(map(len, json.loads(said)["keys"].values()))
    assert len(json.loads(said)["keys"]) == 8
    assert not [
        path
        for path in (tmp_path / "both").rglob("*")
        if path.is_file() and ("lock" in path.name or ".partial" in str(path))
    ]
