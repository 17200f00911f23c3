from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from jobs.index_videos import main as index_job
from jobs.rebuild_index import main as rebuild_job
from pipeline.cli.commands.jobs import _Reports, _why
from pipeline.cli.commands.submit_dry_run import _caveats
from pipeline.config import with_overrides
from pipeline.io.local_files import NO_SUCH_FILE
from pipeline.library import Library
from pipeline.run_config import load_run_config, with_absolute_paths
from pipeline.sources import read_listings
from pipeline.submission.bundle import JobBatch
from pipeline.types import Source, Status, VideoReport
from pipeline.types.report_json import report_from, report_json


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS"):
        monkeypatch.delenv(name, raising=False)


def dry(momentseek, *arguments: object) -> dict[str, object]:
    result = momentseek("submit", *arguments, "--dry-run", "--json")
    assert result.code == 0, result.err
    return json.loads(result.out)


def test_dry_run_counts_what_is_here(momentseek, config, make_video, tmp_path):
    make_video("films/a.mp4", seconds=4)
    make_video("films/b.mp4", seconds=6)
    said = dry(momentseek, config, tmp_path / "films", "/far/away.mp4", "--set", "sampling.fps=2")
    estimate = said["estimate"]
    assert (estimate["videos"], estimate["video_seconds"], estimate["frames"]) == (2, 10.0, 20)
    assert (said["sources"], said["not_here"]) == (2, 1)
    assert estimate["store_bytes"] == 20 * (24 * 4 + 16)


def test_dry_run_reckons_by_the_users_rate(momentseek, config, make_video):
    said = dry(momentseek, config, make_video(seconds=4), "--rate", "8")
    assert (said["estimate"]["work_seconds"], said["rates"]) == (0.5, "--rate 8")


def test_dry_run_reckons_by_the_largest_earlier_run_of_the_library(momentseek, config, make_video, tmp_path):
    video = make_video(seconds=4)
    assert momentseek("index", video, "-c", config).code == 0
    with Library.open(tmp_path / "library") as opened:
        run = opened.runs().latest()
    said = dry(momentseek, config, video)
    assert run.rate is not None
    assert said["estimate"]["work_seconds"] == pytest.approx(4 / run.rate)
    assert (run.run_id in said["rates"], said["caveats"]) == (True, [])
    assert run.run_id not in dry(momentseek, config, video, "--set", "sampling.fps=3")["rates"]
    assert dry(momentseek, config, video, "--rate", "8")["estimate"]["work_seconds"] == 0.5


def test_dry_run_says_of_which_model_and_machine_the_shipped_rate_is(momentseek, config, make_video):
    result = momentseek("submit", config, make_video(), "--dry-run")
    assert "ViT-B-32 in bfloat16 on one machine of 2 processors" in result.out
    assert "and none for tiny" in result.out
    assert "not included: starting the job and Ray's processes, and loading the model" in result.out
    assert "no earlier run on this machine" in result.out


def test_a_cluster_with_gpus_is_told_that_no_rate_was_measured_on_one():
    config = load_run_config()
    assert not any("GPU" in caveat for caveat in _caveats(config, None, gpus=0.0))
    assert [
        caveat
        for caveat in _caveats(config, None, gpus=4.0)
        if "4 GPUs, but the rate was measured without one" in caveat
    ]
    assert list(_caveats(config, 12.3, gpus=4.0)) == []


def test_dry_run_says_that_a_cluster_could_not_be_asked(momentseek, config, make_video):
    result = momentseek("submit", config, make_video(), "--dry-run", "--address", "http://127.0.0.1:1")
    assert (result.code, "number of the cluster's GPUs is unknown" in result.err) == (0, True)


def test_a_small_model_goes_along_and_the_id_is_the_same_from_anywhere(momentseek, config, make_video, tmp_path):
    video = make_video()
    said = dry(momentseek, config, video)
    assert {name.rpartition("/")[2] for name in said["files"]} >= {"tiny-cli.safetensors", "tiny-cli.json"}
    settings = yaml.safe_load(Path(config).read_text())
    moved = {}
    for name in ("checkpoint", "architecture"):
        here = Path(settings["encoder"][name])
        moved[name] = str(shutil.copy(here, tmp_path / here.name))
    settings["encoder"].update(moved)
    Path(config).write_text(yaml.safe_dump(settings))
    assert dry(momentseek, config, video)["id"] == said["id"]


def test_a_model_that_is_not_sent_is_named(momentseek, config, make_video):
    missing = ("--set", "encoder.checkpoint=/models/none.pt")
    assert "/models/none.pt" in dry(momentseek, config, make_video(), *missing)["needed"]
    assert "must exist on the cluster's machines: /models/none.pt" in (
        momentseek("submit", config, make_video(), "--dry-run", *missing).out
    )


def test_labels_go_along_and_a_missing_example_is_said_before_anybody_is_asked(
    momentseek, config, make_video, tmp_path
):
    labels = tmp_path / "site.yaml"
    labels.write_text("labels:\n  gate: {examples: {image: gate.png}}\n")
    given = (config, make_video(), "--set", f"analyze.labels={labels}")
    result = momentseek("submit", *given, "--address", "http://127.0.0.1:1")
    assert (result.code, "gate.png' cannot be read" in result.err) == (2, True)
    (tmp_path / "gate.png").write_bytes(b"a picture")
    said = dry(momentseek, *given)
    assert {name.rpartition("/")[2] for name in said["files"]} >= {"site.yaml", "gate.png"}
    assert said["needed"] == []
    assert "labels    sent with the batch, and stored in the library" in momentseek("submit", *given, "--dry-run").out
    (tmp_path / "gate.png").write_bytes(b"another")
    assert dry(momentseek, *given)["id"] != said["id"]
    missing = momentseek("submit", config, make_video(), "--set", "analyze.labels=vehicels", "--dry-run")
    assert (missing.code, "did you mean 'vehicles'?" in missing.err) == (2, True)


def test_the_job_refuses_at_once_a_model_that_is_not_there(capsys, config, make_video, tmp_path):
    batch = write_batch(tmp_path / "batch", config, make_video())
    settings = with_overrides(yaml.safe_load(Path(config).read_text()), ["encoder.checkpoint=/models/none.pt"])
    (batch / "config.yaml").write_text(yaml.safe_dump(settings))
    assert index_job(["--batch", str(batch)]) == 1
    assert "encoder.checkpoint: '/models/none.pt' is not on" in capsys.readouterr().err
    assert not (tmp_path / "library").exists()


def test_the_job_writes_into_the_batchs_library_whatever_the_machine_says(config, make_video, tmp_path, monkeypatch):
    batch = write_batch(tmp_path / "batch", config, make_video())
    monkeypatch.setenv("MOMENTSEEK_LIBRARY", str(tmp_path / "other"))
    assert index_job(["--batch", str(batch)]) == 0
    assert ((tmp_path / "library").is_dir(), (tmp_path / "other").exists()) == (True, False)


def test_why_a_job_failed_leaves_out_reports_and_what_ray_says_of_itself():
    log = [
        "Job entrypoint command failed with exit code 1, last available logs (truncated to 20,000 chars):",
        "2026-11-21 20:17:57,138\tINFO job_manager.py:581 -- Runtime env is setting up.",
        "Running entrypoint for job momentseek-1: python -m jobs.index_videos --batch .",
        '{"progress": {"videos": 1}}',
        "error: the disk is full",
    ]
    assert _why("\n".join(log)) == "Job entrypoint command failed with exit code 1\nerror: the disk is full"
    cut = [log[0], '"uri": "/a.mp4"}', log[4] + " " * 20_000]
    assert _why("\n".join(cut)).splitlines()[1].rstrip() == "error: the disk is full"


def test_names_that_are_here_and_not_on_the_cluster_are_counted(capsys, make_video):
    shown = _Reports(None, as_json=False)
    for uri in (make_video(), "/far/away.mp4"):
        problem = f"{NO_SUCH_FILE}; check the path"
        report = VideoReport(source=Source(str(uri)), status=Status.FAILED, problem=problem)
        shown.show_line(json.dumps(report_json(report)))
    assert (shown.missed, capsys.readouterr().out.count("failed ")) == (1, 2)


def test_dry_run_for_people_names_the_id_and_the_source_of_its_rates(momentseek, config, make_video):
    video = make_video()
    result = momentseek("submit", config, video, "--dry-run")
    assert result.code == 0
    assert dry(momentseek, config, video)["id"] in result.out
    assert "benchmarks/results/pipeline.json" in result.out


def test_dry_run_of_videos_that_are_elsewhere_says_that_it_cannot_tell(momentseek, config):
    result = momentseek("submit", config, "/far/a.mp4", "--dry-run")
    assert (result.code, "no readable video is on this machine" in result.out) == (0, True)


def test_the_id_is_the_batchs_and_not_that_of_how_it_is_run(momentseek, config, make_video):
    a, b = make_video("a.mp4"), make_video("b.mp4")
    same = {
        dry(momentseek, config, a, b)["id"],
        dry(momentseek, config, b, a, "--set", "execution.batch_frames=4")["id"],
    }
    other = {dry(momentseek, config, a, b, "--set", "sampling.fps=3")["id"], dry(momentseek, config, a)["id"]}
    assert (len(same), len(same | other)) == (1, 3)


def test_a_manifest_is_read_where_one_submits_and_goes_along_with_what_it_says(
    momentseek, config, make_video, tmp_path
):
    make_video("films/a.mp4", seconds=4)
    make_video("films/b b.mp4", seconds=6, grey=30)
    manifest = tmp_path / "films" / "m.csv"
    manifest.write_text("uri,camera\na.mp4,gate\nb b.mp4,yard\n")
    said = dry(momentseek, config, manifest)
    assert (said["sources"], said["estimate"]["videos"], said["not_here"]) == (2, 2, 0)
    assert "sources-1.jsonl" in said["files"]
    manifest.write_text("uri,camera\nb b.mp4,yard\na.mp4,gate\n")
    assert dry(momentseek, config, manifest)["id"] == said["id"]
    manifest.write_text("uri,camera\nb b.mp4,yard\na.mp4,dock\n")
    assert dry(momentseek, config, manifest)["id"] != said["id"]
    manifest.write_text("uri,camera\nb b.mp4,\na.mp4,\n")
    assert (
        dry(momentseek, config, manifest)["id"] == dry(momentseek, config, *sorted(tmp_path.glob("films/*.mp4")))["id"]
    )


def test_a_broken_manifest_is_refused_before_anybody_is_asked(momentseek, config, tmp_path):
    (tmp_path / "m.csv").write_text("uri,n\na.mp4,1\n,2\n")
    result = momentseek("submit", config, tmp_path / "m.csv", "--address", "http://127.0.0.1:1")
    assert (result.code, "m.csv, line 3: 'uri' is ''" in result.err) == (2, True)


def test_remote_names_are_not_asked_for_by_a_dry_run(momentseek, config):
    said = dry(momentseek, config, "s3://bucket/m.csv", "http://127.0.0.1:1/m.jsonl")
    assert (said["sources"], said["not_here"], said["estimate"]["videos"]) == (2, 2, 0)


def test_a_passed_variable_is_named_and_not_shown(momentseek, config, make_video, monkeypatch):
    monkeypatch.setenv("MILVUS_TOKEN", "hunter2")
    for form in ([], ["--json"]):
        result = momentseek("submit", config, make_video(), "--dry-run", "--env", "MILVUS_TOKEN", *form)
        assert ("MILVUS_TOKEN" in result.out, "hunter2" in result.out + result.err) == (True, False)


@pytest.mark.parametrize("name", ["NONE_SUCH_VARIABLE", "=x"])
def test_a_variable_that_is_not_there_is_a_usage_error(momentseek, config, make_video, name):
    result = momentseek("submit", config, make_video(), "--dry-run", "--env", name)
    assert (result.code, "this variable is not set here" in result.err) == (2, True)


def test_submit_without_an_address_says_which_to_give(momentseek, config, make_video):
    result = momentseek("submit", config, make_video())
    assert (result.code, "http://head:8265" in result.err) == (2, True)


@pytest.mark.parametrize("command", [["list"], ["status", "x"], ["logs", "x"], ["stop", "x"]])
def test_jobs_says_where_nobody_listens(momentseek, command):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
    result = momentseek("jobs", *command, "--address", address)
    assert (result.code, f"no server answers at {address}" in result.err) == (1, True)


@contextmanager
def cluster_of(nodes: object) -> Iterator[str]:
    """The address of a dashboard that has no job, and answers as Ray's does when it is asked for its machines."""
    answers = {"/api/version": {"version": "4", "ray_version": "2.60.0"}, "/api/jobs/": [], "/api/v0/nodes": nodes}

    class Dashboard(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = json.dumps(answers.get(self.path)).encode()
            self.send_response(200 if self.path in answers else 404)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Dashboard) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def nodes_that_are(*states: str) -> dict[str, object]:
    return {"data": {"result": {"result": [{"state": state, "resources_total": {}} for state in states]}}}


@pytest.mark.parametrize(
    ("nodes", "is_warned"),
    [
        (nodes_that_are("DEAD"), True),
        (nodes_that_are(), True),
        (nodes_that_are("DEAD", "ALIVE"), False),
        ({"msg": "not ready", "data": None}, False),
    ],
)
def test_a_list_of_jobs_warns_of_a_cluster_without_a_machine(momentseek, nodes, is_warned):
    with cluster_of(nodes) as address:
        result = momentseek("jobs", "list", "--address", address)
    assert (result.code, "0 jobs" in result.err) == (0, True)
    assert ("no machine of the cluster is alive" in result.err) == is_warned


def test_with_absolute_paths_is_the_same_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = ["library=lib", "encoder.cache_dir=cache", "index.uri=http://milvus:19530"]
    moved = with_absolute_paths(load_run_config("demo", settings))
    assert (moved.library, moved.encoder.cache_dir) == (f"{tmp_path}/lib", f"{tmp_path}/cache")
    assert moved.index.uri == "http://milvus:19530"
    checkpoint = Path(str(moved.encoder.checkpoint))
    assert (checkpoint.is_absolute(), checkpoint.is_file()) == (True, True)
    assert with_absolute_paths(moved) == moved


def write_batch(folder: Path, config: str, *sources: Path, requirements: tuple[str, ...] = ()) -> Path:
    folder.mkdir()
    batch = JobBatch(
        config_yaml=Path(config).read_text(),
        identity={},
        library="",
        sources=tuple(read_listings(map(str, sources))),
        version="0.1.0",
        requirements=requirements,
    )
    batch.write(folder)
    return folder


def test_the_job_reads_its_batch_from_its_folder(capsys, config, make_video, tmp_path):
    batch = write_batch(tmp_path / "batch", config, make_video("a.mp4"), make_video("b.mp4", grey=10))
    assert index_job(["--batch", str(batch)]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == {"progress": {"videos": 2}}
    assert [line["status"] for line in lines if "uri" in line] == ["done", "done"]


def test_the_job_indexes_with_what_a_manifest_says(capsys, config, make_video, tmp_path, monkeypatch):
    make_video("in/a [1].mp4")
    make_video("in/b.mp4", grey=10)
    (tmp_path / "in" / "m.csv").write_text("uri,camera,take\na [1].mp4,gate,1\nb.mp4,007,2.5\n")
    (tmp_path / "in" / "l.txt").write_text("b.mp4\nnone?.mp4\n")
    batch = write_batch(tmp_path / "batch", config, tmp_path / "in" / "m.csv", tmp_path / "in" / "l.txt")
    for listing in (tmp_path / "in").glob("[ml].*"):
        listing.unlink()
    monkeypatch.chdir(batch)
    assert index_job(["--batch", "."]) == 1
    reports = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"uri"' in line]
    assert {(report["uri"], str(report["metadata"]), report["status"]) for report in reports} == {
        (f"{tmp_path}/in/a [1].mp4", "{'camera': 'gate', 'take': 1}", "done"),
        (f"{tmp_path}/in/b.mp4", "{'camera': '007', 'take': 2.5}", "done"),
        (f"{tmp_path}/in/none?.mp4", "{}", "failed"),
    }


def test_the_job_refuses_a_cluster_that_lacks_packages(capsys, config, make_video, tmp_path):
    batch = write_batch(tmp_path / "batch", config, make_video(), requirements=("none-such>=2",))
    assert index_job(["--batch", str(batch)]) == 1
    err = capsys.readouterr().err
    assert ("none-such: not installed" in err, "--pip" in err) == (True, True)


def test_the_rebuild_job_writes_the_rows_anew(capsys, config, make_video, tmp_path, momentseek):
    library = tmp_path / "library"
    momentseek("index", make_video(seconds=8), "-c", config, "--set", "index.backend=milvus")
    with Library.open(library) as opened:
        before = opened.moment_index().count()
    smaller = ["segmentation.length_seconds=2", "segmentation.overlap_seconds=0"]
    assert rebuild_job(["--json", "--library", str(library), "--set", smaller[0], "--set", smaller[1]]) == 0
    assert json.loads(capsys.readouterr().out)["segments"] == 4 != before
    with Library.open(library, overrides=smaller) as opened:
        assert opened.moment_index().count() == 4


def test_a_job_of_rays_own_command_speaks_to_people_unless_told_otherwise(capsys, config, make_video):
    video = str(make_video())
    assert index_job([video, "--config", config]) == 0
    assert capsys.readouterr().out.startswith(f"done    {video}")
    assert index_job([video, "--config", config, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "skipped"


def test_the_rebuild_job_makes_no_library(capsys, tmp_path):
    assert rebuild_job(["--library", str(tmp_path / "none")]) == 2
    assert "there is no library" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_a_report_survives_json():
    reports = [
        VideoReport(source=Source("a.mp4", {"site": "north"}), status=Status.DONE, frames_sampled=3, segments=1),
        VideoReport(source=Source("b.mp4"), status=Status.FAILED, problem="no video"),
    ]
    assert [report_from(json.loads(json.dumps(report_json(report)))) for report in reports] == reports


def test_progress_goes_with_json(momentseek, config, make_video):
    result = momentseek("index", make_video(), "-c", config, "--progress-every", "1")
    assert (result.code, "requires --json" in result.err) == (2, True)


def test_sigterm_ends_a_batch_and_keeps_what_is_done(config, make_video, tmp_path, momentseek):
    for number in range(16):
        make_video(f"films/{number:03}.mp4", seconds=2, grey=12 * number)
    settings = with_overrides(
        yaml.safe_load(Path(config).read_text()), ["index.backend=milvus", "execution.rows_per_write=1"]
    )
    Path(config).write_text(yaml.safe_dump(settings))
    code = "import sys; from pipeline.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "index", "--json", "-c", config, str(tmp_path / "films")]
    process = subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())
    os.kill(process.pid, signal.SIGTERM)
    out, err = process.communicate(timeout=240)
    assert (process.returncode, "ended by SIGTERM" in err, "Traceback" in err) == (143, True, False)
    done = [first, *map(json.loads, out.splitlines())]
    assert len(done) < 16
    again = momentseek("index", "--json", "-c", config, tmp_path / "films")
    assert again.code == 0, again.err
    skipped = {report["uri"] for report in again.objects() if report["status"] == "skipped"}
    assert {report["uri"] for report in done} <= skipped
    assert len(again.objects()) == 16
