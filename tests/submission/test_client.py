from __future__ import annotations

import json
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import aiohttp
import av
import numpy as np
import pytest
import requests
import yaml
from PIL import Image
from ray_head import PROJECT, Head, ray_head

from pipeline.errors import ExecutionError
from pipeline.library import Library
from pipeline.submission.bundle import JobBatch
from pipeline.submission.client import LogLines, RayJobs, _number

SECRET = "hunter2-in-no-log"


def test_number_counts_the_jobs_of_one_batch():
    ids = ("momentseek-ab", "momentseek-ab-2", "momentseek-ab-13", "momentseek-abc", "momentseek-ab-x", "raysubmit_1")
    assert [_number(job_id, "momentseek-ab") for job_id in ids] == [1, 2, 13, 0, 0, 0]


def test_lines_are_whole_and_come_once_though_the_connection_broke():
    seen: list[str] = []
    lines = LogLines(seen.append)
    lines.add("one\ntw")
    lines.restart()
    for chunk in ("o", "ne\nt", "wo\nthree"):
        lines.add(chunk)
    lines.close()
    assert seen == ["one", "two", "three"]


class RestartedDashboard:
    """What a client of Ray's tells of a job whose dashboard goes away and comes back `times` times, a line each."""

    def __init__(self, times: int, patience: int) -> None:
        self._times = times
        self._patience = self._silence = patience
        self._lines = 0

    def list_jobs(self) -> list[SimpleNamespace]:
        if self._silence:
            self._silence -= 1
            raise requests.ConnectionError("connection refused")
        status = SimpleNamespace(value="RUNNING" if self._lines < self._times else "SUCCEEDED")
        named = {"submission_id": "momentseek-a", "metadata": {"momentseek": "1"}, "status": status, "message": ""}
        return [SimpleNamespace(**named, driver_exit_code=0, start_time=0, end_time=0, runtime_env={})]

    async def tail_job_logs(self, job_id: str) -> AsyncIterator[str]:
        self._lines, self._silence = self._lines + 1, self._patience
        yield self.get_job_logs(job_id)
        raise aiohttp.ClientError("connection lost")

    def get_job_logs(self, job_id: str) -> str:
        return "".join(f"{number}\n" for number in range(self._lines))


@pytest.mark.parametrize(("times", "patience", "is_followed"), [(3, 20, True), (1, 31, False)])
def test_a_job_is_followed_through_restarts_of_the_dashboard(monkeypatch, times, patience, is_followed):
    monkeypatch.setattr("pipeline.submission.client._RECONNECT_SECONDS", 0)
    jobs = RayJobs.__new__(RayJobs)
    jobs.address = "http://head:8265"
    jobs._client = RestartedDashboard(times, patience)
    seen: list[str] = []
    with nullcontext() if is_followed else pytest.raises(ExecutionError, match="connection refused"):
        jobs.follow("momentseek-a", seen.append)
    assert seen == [str(number) for number in range(times if is_followed else 0)]


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    with ray_head() as started:
        yield started


@pytest.fixture
def make_batch(tmp_path: Path) -> Callable[..., list[str]]:
    """Writes videos and a configuration with the sample films' model; what `submit` is told."""

    def make(videos: int, seconds: float = 2.0, **settings: object) -> list[str]:
        for number in range(videos):
            write_video(tmp_path / "films" / f"{number:03}.mp4", seconds, grey=4 * number)
        config = tmp_path / "config.yaml"
        base = {"library": str(tmp_path / "library"), "execution": {"rows_per_write": 1, "batch_frames": 4}}
        extends = str(PROJECT / "configs" / "demo.yaml")
        config.write_text(yaml.safe_dump({"extends": extends, **base, **settings}))
        return [str(config), str(tmp_path / "films")]

    return make


def write_video(path: Path, seconds: float, grey: int) -> None:
    path.parent.mkdir(exist_ok=True)
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(int(5 * seconds)):
            picture = np.full((48, 64, 3), grey, np.uint8)
            picture[:, : 3 * number % 64] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


def at(head: Head) -> tuple[str, str]:
    return "--address", head.address


@pytest.mark.ray
def test_a_batch_is_followed_and_searched_from_another_machine_and_submitted_again(head, make_batch, tmp_path):
    arguments = make_batch(2)
    # In a process of its own, so that nothing of this one can help it.
    submitting = head.client("submit", *arguments, *at(head), "--follow", "--env", "SECRET", SECRET=SECRET)
    out, err = submitting.communicate(timeout=240)
    assert submitting.returncode == 0, err
    assert [line.split()[0] for line in out.splitlines()] == ["done", "done"]
    assert "2 done: 0:04.000 of video" in err
    first = err.split()[1]
    jobs = map(json.loads, head.momentseek("jobs", "list", "--json", *at(head))[0].splitlines())
    [job] = [job for job in jobs if job["id"] == first]
    assert (job["status"], job["library"], job["exit_code"]) == ("SUCCEEDED", str(tmp_path / "library"), 0)
    status = json.loads(head.momentseek("jobs", "status", job["id"], "--json", *at(head))[0])
    assert (status["reports"], status["progress"]["videos_ended"]) == ({"done": 2}, 2)
    assert "2/2 videos | " in head.momentseek("jobs", "status", job["id"], *at(head))[0]
    logged, rest = head.momentseek("jobs", "logs", job["id"], "--json", *at(head))
    assert {json.loads(line)["status"] for line in logged.splitlines()} == {"done"}
    assert SECRET not in out + err + logged + rest + json.dumps(status)
    found, _ = head.momentseek("search", "a person", "--min-score", "0", "--library", tmp_path / "library", "--json")
    assert json.loads(found.splitlines()[0])["uri"].startswith(str(tmp_path / "films"))
    holders = {path.name for path in head.logs.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()}
    assert holders <= {"environment.json"}
    out, err = head.momentseek("submit", *arguments, *at(head), "--follow")
    assert f"submitted {first}-2 to" in err
    assert [line.split()[0] for line in out.splitlines()] == ["skipped", "skipped"]


@pytest.mark.ray
def test_model_and_manifest_travel_from_a_folder_that_the_cluster_does_not_share(head, make_batch, tmp_path):
    films = make_batch(2)[1]
    laptop = tmp_path / "laptop"
    laptop.mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copy(PROJECT / "sample_videos" / "demo_model" / f"open_clip_{name}", laptop / name)
    encoder = {"model": "mine", "checkpoint": "model.safetensors", "architecture": "config.json"}
    (laptop / "mine.yaml").write_text(yaml.safe_dump({"encoder": encoder, "library": str(tmp_path / "library")}))
    (laptop / "m.csv").write_text(f"uri,camera\n{films}/000.mp4,gate\n{films}/001.mp4,yard\n{laptop}/x.mp4,none\n")
    (laptop / "x.mp4").touch()
    submitting = head.client("submit", "mine.yaml", "m.csv", *at(head), cwd=laptop)
    out, err = submitting.communicate(timeout=240)
    assert submitting.returncode == 0, err
    for path in laptop.iterdir():
        path.unlink()
    out, err = head.momentseek("jobs", "logs", out.strip(), "--follow", *at(head), code=1)
    assert sorted(line.split()[0] for line in out.splitlines()) == ["done", "done", "failed"], err
    # A job that takes long says how far it is meanwhile.
    lines = [line for line in err.splitlines() if not line.startswith(("0/3", "1/3", "2/3", "the batch runs on"))]
    assert [line for line in lines if "3/3 videos" in line] == lines[:1]
    assert ("job_manager" in err, "{" in err) == (False, False)
    library = (tmp_path / "library").rename(tmp_path / "moved")
    question = ("search", "a person", "--min-score", "0", "--library", library)
    found, _ = head.momentseek(*question, "--where", "camera=yard", "--json")
    assert {json.loads(line)["uri"] for line in found.splitlines()} == {f"{films}/001.mp4"}


@pytest.mark.ray
def test_labels_and_their_examples_travel_and_serve_from_a_library_that_was_moved(head, make_batch, tmp_path):
    arguments = make_batch(2, analyze={"labels": "labels.yaml"})
    laptop = tmp_path / "laptop"
    laptop.mkdir()
    shutil.copy(arguments[0], laptop / "mine.yaml")
    Image.new("RGB", (64, 48), (200, 200, 200)).save(laptop / "bright.png")
    labels = {"bright": {"examples": {"image": "bright.png"}}, "person": ["a person"]}
    (laptop / "labels.yaml").write_text(yaml.safe_dump({"labels": labels}))
    submitting = head.client("submit", "mine.yaml", arguments[1], *at(head), cwd=laptop)
    out, err = submitting.communicate(timeout=240)
    assert submitting.returncode == 0, err
    for path in laptop.iterdir():
        path.unlink()
    _, err = head.momentseek("jobs", "logs", out.strip(), "--follow", *at(head))
    assert "not labelled" not in err
    library = (tmp_path / "library").rename(tmp_path / "moved")
    # Another user's machine: the library is not trusted there, and need not be.
    stranger = {"HOME": str(tmp_path / "stranger")}
    shown, _ = head.momentseek("labels", "--library", library, "--by", "video", "--json", **stranger)
    assert {line["label"] for line in map(json.loads, shown.splitlines())} <= {"bright", "person"}
    write_video(tmp_path / "later.mp4", 2.0, grey=77)
    _, err = head.momentseek("index", tmp_path / "later.mp4", "--library", library, "--in-process", **stranger)
    assert "not labelled" not in err
    with Library.open(library) as opened:
        assert len(opened.labels.required().labelled()) == 3


@pytest.mark.ray
def test_a_running_batch_outlives_its_follower_is_not_doubled_and_can_be_stopped_and_gone_on_with(
    head, make_batch, tmp_path
):
    arguments = make_batch(60, seconds=6.0)
    process = head.client("submit", *arguments, *at(head), "--follow")
    assert process.stdout is not None
    assert process.stdout.readline().startswith("done")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=240)
    is_followable = "continues on the cluster; follow it again" in err
    assert (process.returncode, is_followable, "Traceback" in err) == (130, True, False)
    job_id = err.split()[1]
    again, said = head.momentseek("submit", *arguments, *at(head), "--json")
    assert (json.loads(again)["id"], json.loads(again)["is_new"]) == (job_id, False)
    assert f"{job_id} is already running" in said
    other = head.momentseek("submit", arguments[0], f"{arguments[1]}/000.mp4", *at(head), code=1)[1]
    assert f"{job_id} is writing the library" in other
    follower = head.client("jobs", "logs", job_id, "--follow", *at(head))
    assert follower.stdout is not None
    assert follower.stdout.readline().startswith("done")
    assert f"{job_id} is STOPPED" in head.momentseek("jobs", "stop", job_id, *at(head))[1]
    rest, err = follower.communicate(timeout=240)
    assert (follower.returncode, "ended by SIGTERM" in err, f"{job_id} STOPPED" in err) == (143, True, True)
    done = 1 + rest.count("done ")
    assert done < 60
    out = head.momentseek("submit", *arguments, *at(head), "--follow")[0]
    assert (out.count("skipped ") >= done, out.count("skipped ") + out.count("done ")) == (True, 60)


@pytest.mark.ray
def test_a_batch_that_fails_gives_its_exit_code(head, make_batch, tmp_path):
    config, films = make_batch(1)
    (tmp_path / "films" / "empty.mp4").touch()
    assert "1 done, 1 failed" in head.momentseek("submit", config, films, *at(head), "--follow", code=1)[1]


@pytest.mark.ray
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"RAY_AUTH_MODE": "disabled"}, "requires a token, but none was sent"),
        ({"RAY_AUTH_TOKEN": "wrong"}, "rejects the token of this machine"),
    ],
)
def test_a_token_that_is_missing_or_wrong_is_said_with_its_remedy(head, changes, said):
    # Ray reads its variables once in a process.
    process = head.client("jobs", "list", *at(head), **changes)
    _, err = process.communicate(timeout=240)
    assert (process.returncode, said in err, "ray get-auth-token" in err) == (1, True, True)


@pytest.mark.ray
def test_an_unknown_job_gets_the_nearest(head):
    assert "has no momentseek job 'none'" in head.momentseek("jobs", "status", "none", *at(head), code=2)[1]


class Sleeping(JobBatch):
    entrypoint = "sleep 100"


@pytest.mark.ray
def test_submit_names_the_job_that_another_submitted_at_the_same_moment(head, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN", head.token)
    jobs = RayJobs(head.address)
    batch = Sleeping(config_yaml="", identity={"a": "race"}, library="/none", sources=("/none",), version="0")
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: jobs.submit(batch), range(4)))
    assert [each.job.id for each in found] == [batch.base_id] * 4
    assert sum(each.is_new for each in found) == 1
    assert jobs.stop(batch.base_id).status == "STOPPED"
