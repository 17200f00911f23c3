"""`index`, `remove` and `runs` through a running server: the same output and exit codes as without it."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from served_process import COMMAND, Ended, command_environment, run_command, run_commands, start_server, stop_server

from pipeline import Library
from pipeline.client.client import Client
from pipeline.client.running_server import find_server
from pipeline.runs.report import RunReport

pytestmark = pytest.mark.slow

WITHOUT_SERVER = shutil.ignore_patterns("server.json", "holder.json")


@pytest.fixture
def folder(served_library: Path, tmp_path: Path) -> Path:
    """A copy of the library, in a folder of its own."""
    return Path(shutil.copytree(served_library, tmp_path / "library", ignore=WITHOUT_SERVER))


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts servers, which end with the test."""
    started = []

    def begin(*arguments: object) -> subprocess.Popen[str]:
        started.append(start_server(*arguments))
        return started[-1]

    yield begin
    for process in started:
        if process.poll() is None:
            stop_server(process)


def many(film: Path, folder: Path, count: int) -> Path:
    """Fill a folder with copies of a film; a free box at the end of each makes it another content."""
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:02d}.mp4").write_bytes(film.read_bytes() + b"\0\0\0\x0cfree" + number.to_bytes(4, "big"))
    return folder


def begun(*arguments: str, folder: Path) -> subprocess.Popen[str]:
    """Start a command, and wait for the first video that is done."""
    process = subprocess.Popen(
        [*COMMAND, *arguments, "--json"],
        cwd=folder,
        env=command_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while json.loads(process.stdout.readline())["status"] != "done":
        pass
    return process


def latest(folder: Path) -> RunReport:
    with Library.open(folder) as library:
        return library.runs().latest()


VARYING = (
    (r"\d{8}T\d{6}Z-[0-9a-f]{6}", "RUN"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
    (r'("(?:\w*elapsed_seconds|rate|peak_memory_bytes)": )[^,}]+', r"\1N"),
    (r"in \d+:[\d:.]+ \([\d.]+ x real time\)|in \d+:[\d:.]+;", "in T"),
    (r"(\d+/\d+ videos.*|.*for [\d.]+ s of decoding)\n", ""),
    (r", \d+:\d\d:\d\d$|\d+\.\d x *$|\d+:\d\d:\d\d +(?=\d)|  \d:\d\d:\d\d(?= )", ""),
    (r'("files": )\d+|\d+ files', r"\1N"),  # the server has made a sample of the frames
    (r"'[^']*/(alone|served)'", r"'\1'"),  # a server has the absolute path of its library
    (r"alone|served", "library"),
    (r" +", " "),
)


def plain(text: str) -> str:
    """An output without times, rates, ids of runs and the folder of the library."""
    for pattern, replacement in VARYING:
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    return text


COMMANDS = (
    ["index", "yard.mp4", "missing.mp4", "--json"],
    ["index", "yard.mp4", "list.csv"],
    ["index", "broken.csv"],
    ["index", "yard.mp4", "--set", "sampling.fps=7"],
    ["index", "yard.mp4", "--set", "sampling.fsp=7"],
    ["index", "--retry-failed", "--json"],
    ["runs"],
    ["runs", "--json"],
    ["runs", "show"],
    ["runs", "show", "no-such-run"],
    ["remove", "yard.mp4", "--dry-run"],
    ["remove", "no-such-video.mp4"],
    ["remove", "*.mp4"],
    ["remove", "yard.mp4", "--json"],
    ["remove", "--where", "camera=gate", "--yes"],
    ["remove", "yard.mp4"],
    ["videos"],
)


def test_the_output_is_the_same(served_library: Path, films: Path, tmp_path: Path, start) -> None:
    shutil.copy(films / "snow-and-site.mp4", tmp_path / "yard.mp4")
    shutil.copy(films / "street-corner.mp4", tmp_path / "street.mp4")
    (tmp_path / "list.csv").write_text("uri,camera\nstreet.mp4,gate\n")
    (tmp_path / "broken.csv").write_text("camera\ngate\n")
    outputs = {}
    for name in ("alone", "served"):
        shutil.copytree(served_library, tmp_path / name, ignore=WITHOUT_SERVER)
        if name == "served":
            start(tmp_path / name)
        outputs[name] = run_commands(*([*command, "--library", name] for command in COMMANDS), folder=tmp_path)
    with Library.open(tmp_path / "served") as library:
        batches = [report for report in library.runs() if report.sources <= 2]
    assert len(batches) >= 3
    for command, one, other in zip(COMMANDS, outputs["alone"], outputs["served"], strict=True):
        assert plain(other.output) == plain(one.output), command
        assert (plain(other.errors), other.code) == (plain(one.errors), one.code), command


def test_a_batch_runs_in_the_server(folder: Path, films: Path, tmp_path: Path, start) -> None:
    """With settings, relative paths and a progress; the server knows its run."""
    start(folder)
    shutil.copy(films / "snow-and-site.mp4", tmp_path / "yard.mp4")
    arguments = ("index", "yard.mp4", "--json", "--progress-every", "0.1", "--set", "execution.rows_per_write=1234")
    ended = run_command(*arguments, "--library", "library", folder=tmp_path)
    assert ended.code == 0, ended.errors
    lines = [json.loads(line) for line in ended.output.splitlines()]
    [report] = [line for line in lines if "status" in line]
    assert (report["uri"], report["status"]) == ("yard.mp4", "done")
    progress = [line["progress"] for line in lines if "progress" in line]
    assert progress[0] == {"videos": 1}
    assert progress[-1]["videos_ended"] == 1
    with Client.of_library(folder) or pytest.fail("no server") as client:
        known = client._connection.json("GET", f"/api/v1/runs/{latest(folder).run_id}")
        assert known["progress"] is None
        assert latest(folder).configuration["execution"]["rows_per_write"] == 1234
        assert "is_stopping" in known
    assert [record.last_name for record in Library.open(folder).videos() if "yard" in record.last_name] == [
        str(tmp_path / "yard.mp4")
    ]


def test_ctrl_c_stops_the_batch_in_the_server(folder: Path, films: Path, tmp_path: Path, start) -> None:
    start(folder)
    videos = many(films / "fire-drill.mp4", tmp_path / "videos", 30)
    process = begun("index", str(videos), "--library", str(folder), folder=tmp_path)
    process.send_signal(signal.SIGINT)
    output, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert said.splitlines()[-1] == "interrupted"
    assert "the same command continues with the rest" in said
    ended = 1 + len(output.splitlines())
    assert f"{ended} of 30 ended" in said
    run = latest(folder)
    assert (run.outcome, run.ended) == ("interrupted", ended)


def test_a_second_ctrl_c_leaves_and_sigterm_does_at_once(folder: Path, films: Path, tmp_path: Path, start) -> None:
    server = start(folder)
    videos = many(films / "fire-drill.mp4", tmp_path / "videos", 30)
    process = begun("index", str(videos), "--library", str(folder), folder=tmp_path)
    server.send_signal(signal.SIGSTOP)  # nobody answers the request to stop
    try:
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 130
    finally:
        server.send_signal(signal.SIGCONT)
    until(lambda: latest(folder).outcome == "interrupted")
    process = begun("index", str(videos), "--library", str(folder), folder=tmp_path)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "ended by SIGTERM; finished work is kept" in said
    until(lambda: latest(folder).outcome == "interrupted")


def test_a_server_that_is_killed_in_the_middle(folder: Path, films: Path, tmp_path: Path, start) -> None:
    server = start(folder)
    videos = many(films / "fire-drill.mp4", tmp_path / "videos", 12)
    process = begun("index", str(videos), "--library", str(folder), folder=tmp_path)
    server.kill()
    server.communicate()
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "the server ended before the batch was over; finished videos are kept" in said
    until(lambda: latest(folder).outcome != "running")
    # The file of the server that was killed is still there.
    again = run_command("index", str(videos), "--library", str(folder), "--json", folder=tmp_path)
    assert again.code == 0, again.errors
    statuses = [json.loads(line)["status"] for line in again.output.splitlines()]
    assert len(statuses) == 12
    assert set(statuses) == {"done", "skipped"}


def test_a_batch_that_someone_else_stops(folder: Path, films: Path, tmp_path: Path, start) -> None:
    """By the page, or by the server's own end."""
    server = start(folder)
    videos = many(films / "fire-drill.mp4", tmp_path / "videos", 30)
    process = begun("index", str(videos), "--library", str(folder), folder=tmp_path)
    with Client.of_library(folder) or pytest.fail("no server") as client:
        [run] = [run for run in client.runs() if run["outcome"] == "running"]
        client._connection.json("DELETE", f"/api/v1/runs/{run['run_id']}")
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "the batch was stopped in the server" in said
    process = begun("index", str(videos), "--library", str(folder), folder=tmp_path)
    server.send_signal(signal.SIGINT)
    ending = threading.Thread(target=server.communicate, daemon=True)
    ending.start()
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    assert re.search("the batch was stopped in the server|the server ended before the batch was over|is stopping", said)
    ending.join(timeout=120)  # the command ends when the server says that it stops
    assert latest(folder).outcome == "interrupted"


def test_a_busy_server_leaves_the_batch_to_the_command(folder: Path, films: Path, tmp_path: Path, start) -> None:
    start(folder)
    videos = many(films / "fire-drill.mp4", tmp_path / "videos", 30)
    first = begun("index", str(videos), "--library", str(folder), folder=tmp_path)
    shutil.copy(films / "snow-and-site.mp4", tmp_path / "yard.mp4")
    second = run_command("index", "yard.mp4", "--library", str(folder), folder=tmp_path)
    assert second.code == 0, second.errors
    assert "note: the server does not run this batch, so this command does" in second.errors
    assert "done" in second.output
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=120)


@pytest.mark.parametrize("option", [["--in-process"], ["--config", "demo"]])
def test_options_that_a_server_cannot_honour(folder: Path, films: Path, tmp_path: Path, start, option) -> None:
    start(folder)
    ended = run_command("index", str(films / "fire-drill.mp4"), *option, "--library", str(folder), folder=tmp_path)
    assert (ended.code, "skipped" in ended.output) == (0, True)
    with Client.of_library(folder) or pytest.fail("no server") as client:
        assert not any(run["can_stop"] for run in client.runs())


def test_a_named_server_of_another_machine(folder: Path, films: Path, tmp_path: Path, start) -> None:
    """Roles, folders that are not allowed, and options that it cannot honour; nothing is made here instead."""
    allowed, elsewhere = tmp_path / "videos", tmp_path / "elsewhere"
    for place in (allowed, elsewhere):
        place.mkdir()
    shutil.copy(films / "snow-and-site.mp4", allowed / "yard.mp4")
    tokens = tmp_path / "tokens.json"
    made = {}
    for role in ("search", "admin"):
        arguments = ("--token-file", str(tokens), "--new-token", role, "--role", role)
        said = run_command("serve", "--library", str(folder), *arguments, folder=tmp_path)
        [made[role]] = re.findall(r"^\s*([\w-]{32,})\s*$", said.output + said.errors, flags=re.MULTILINE)
    start(folder, "--token-file", str(tokens), "--allow-sources", str(allowed))
    server = find_server(folder)

    def run(*arguments: str, role: str = "admin") -> Ended:
        token = {"MOMENTSEEK_SERVER": server.address, "MOMENTSEEK_TOKEN": made[role]}
        return run_command(*arguments, folder=elsewhere, **token)

    for arguments in (("index", str(allowed)), ("runs", "show"), ("remove", "fire-drill.mp4")):
        refused = run(*arguments, role="search")
        assert (refused.code, refused.output) == (1, "")
        assert "needs a token with the role admin" in refused.errors
    assert run("runs", role="search").code == 0
    refused = run("index", str(films / "fire-drill.mp4"))
    assert (refused.code, "--allow-sources" in refused.errors) == (1, True)
    for arguments in (
        ("index", "a.mp4", "--set", "sampling.fps=1"),
        ("index", "a.mp4", "--in-process"),
        ("index", "a.mp4", "--config", "demo"),
        ("remove", "a.mp4", "--missing"),
    ):
        refused = run(*arguments)
        assert (refused.code, "MOMENTSEEK_SERVER" in refused.errors) == (2, True), refused
    indexed = run("index", "../videos/yard.mp4")
    assert (indexed.code, "done" in indexed.output) == (0, True), indexed.errors
    assert server.address in indexed.errors
    assert "finished" in run("runs", "show").output
    removed = run("remove", "yard.mp4", "--json")
    assert json.loads(removed.output)["names"] == [str(allowed / "yard.mp4")]
    unknown = run("remove", "yard.mp4")
    assert (unknown.code, "yard.mp4" in unknown.errors) == (2, True)
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("command", [["index", "a.mp4"], ["remove", "a.mp4"], ["runs"], ["runs", "show"]])
def test_a_named_server_that_does_not_answer(command: list[str], tmp_path: Path) -> None:
    ended = run_command(*command, folder=tmp_path, MOMENTSEEK_SERVER="http://127.0.0.1:9")
    assert (ended.code, ended.output) == (1, "")
    assert "does not answer" in ended.errors
    assert list(tmp_path.iterdir()) == []


def test_a_server_of_another_version_is_not_used(folder: Path, films: Path, tmp_path: Path, start) -> None:
    start(folder)
    file = folder / "server.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "version": "0.0.1"}))
    assert find_server(folder) is None
    ended = run_command("index", str(films / "fire-drill.mp4"), "--library", str(folder), folder=tmp_path)
    assert (ended.code, "skipped" in ended.output) == (0, True)
    assert run_command("runs", "show", "--library", str(folder), folder=tmp_path).code == 0


def until(is_so: Callable[[], bool], seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)
