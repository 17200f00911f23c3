"""Commands through a running server print what they print without it, and need less."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from certificate_factory import make_certificate
from served_process import COMMAND, command_environment, run_command, run_commands, start_server, stop_server

from pipeline import Library, Source
from pipeline.cli.removable_videos import OwnVideos, ServedVideos
from pipeline.client.client import Client
from pipeline.client.running_server import SERVER_FILE, find_server
from pipeline.errors import MomentseekError, QueryError

pytestmark = pytest.mark.slow


COMMANDS = (
    ["search", "a forklift"],
    ["search", "a forklift", "--json"],
    ["search", "a person", "--not", "a hard hat", "--per-video", "1"],
    ["search", "a forklift", "--then", "a person", "--within", "20"],
    ["search", "a violin concert", "--min-score", "0.99"],
    ["search", "a forklift", "--page", "9"],
    ["search", "--none", "a forklift", "--json"],
    ["search", "--none", "a forklift"],
    ["search", "a forklift", "--video", "no-such-film.mp4"],
    ["search", "a forklift", "--where", "camera=gate"],
    ["search", "a zxqv forklift"],
    ["search", " "],
    ["search", "a forklift", "--tpo", "3"],
    ["videos"],
    ["videos", "--json"],
)


def test_the_output_is_the_same(served_library: Path, server: object) -> None:
    place = ["--library", str(served_library)]
    through = run_commands(*([*command, *place] for command in COMMANDS), folder=served_library.parent)
    # With a setting, a command opens the library itself.
    set_ = ["--set", "search.top=10"]
    without = run_commands(*([*command, *place, *set_] for command in COMMANDS), folder=served_library.parent)
    assert len(through) == len(COMMANDS)
    for command, one, other in zip(COMMANDS, through, without, strict=True):
        assert one == other, command


def test_a_command_through_the_server_loads_neither_numbers_nor_models(served_library: Path, server: object) -> None:
    code = "import sys; from pipeline.cli import main; main(); print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code, "search", "a forklift", "--library", str(served_library)],
        capture_output=True,
        text=True,
        check=True,
        env=command_environment(),
    )
    loaded = set(run.stdout.splitlines()[-1].split())
    heavy = {"numpy", "pyarrow", "pymilvus", "milvus_lite", "torch", "onnxruntime", "fastapi", "fsspec", "rich", "PIL"}
    assert loaded & heavy == set()
    assert len([name for name in loaded if name.startswith("pipeline")]) <= 50


def test_a_killed_server_is_not_waited_for(served_library: Path, tmp_path: Path) -> None:
    folder = tmp_path / "library"
    shutil.copytree(served_library, folder, ignore=shutil.ignore_patterns("server.json", "holder.json"))
    process = start_server(folder)
    process.kill()
    process.communicate()
    assert (folder / SERVER_FILE).exists()
    assert find_server(folder) is None
    ended = run_command("search", "a forklift", "--library", str(folder), folder=tmp_path)
    assert (ended.code, "warehouse-shift.mp4" in ended.output) == (0, True)
    again = start_server(folder)
    with Client.of_library(folder) or pytest.fail("no server") as client:
        assert len(client.videos()) == 2
    stop_server(again)
    assert not (folder / SERVER_FILE).exists()
    assert find_server(folder) is None


def test_videos_that_other_commands_add_and_remove_are_seen_at_once(
    served_library: Path, films: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "library"
    shutil.copytree(served_library, folder, ignore=shutil.ignore_patterns("server.json", "holder.json"))
    process = start_server(folder)
    try:
        with Client.of_library(folder) or pytest.fail("no server") as client:
            before = {record.video_id for record in client.videos()}
            added = run_command("index", str(films / "snow-and-site.mp4"), "--library", str(folder), folder=tmp_path)
            assert added.code == 0, added.errors
            [new] = {record.video_id for record in client.videos()} - before
            assert client.search("snow", videos=[new])
            removed = run_command("remove", new, "--library", str(folder), folder=tmp_path)
            assert removed.code == 0, removed.errors
            assert {record.video_id for record in client.videos()} == before
            assert new not in {moment.video_id for moment in client.search("snow", min_score=0.0)}
    finally:
        stop_server(process)


def test_a_named_server_with_a_token(served_library: Path, tmp_path: Path) -> None:
    folder, tokens = tmp_path / "library", tmp_path / "tokens.json"
    shutil.copytree(served_library, folder, ignore=shutil.ignore_patterns("server.json", "holder.json"))
    process = start_server(folder, "--token-file", str(tokens))
    try:
        server = find_server(folder)
        assert server is not None
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        address = {"MOMENTSEEK_SERVER": server.address}
        refused = run_command("search", "a forklift", folder=elsewhere, **address)
        assert (refused.code, refused.output) == (1, "")
        assert "send a token" in refused.errors
        # The same user needs no token at the private socket.
        assert run_command("videos", "--library", str(folder), folder=elsewhere).code == 0
        wrong = run_command("search", "a forklift", folder=elsewhere, **address, MOMENTSEEK_TOKEN="x" * 43)
        assert (wrong.code, wrong.output) == (1, "")
        assert "x" * 43 not in wrong.errors
    finally:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    token = next(line.strip() for line in said.splitlines() if line.startswith("  ") and len(line.strip()) >= 32)
    process = start_server(folder, "--token-file", str(tokens))
    try:
        server = find_server(folder)
        assert server is not None
        address = {"MOMENTSEEK_SERVER": server.address, "MOMENTSEEK_TOKEN": token}
        answered = run_command("search", "a forklift", "--json", folder=elsewhere, **address)
        assert answered.code == 0, answered.errors
        assert json.loads(answered.output.splitlines()[0])["score"] > 0.5
    finally:
        process.send_signal(signal.SIGINT)
        assert token not in "".join(process.communicate(timeout=60))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:9", "does not answer"),
        ("ftp://127.0.0.1", "is not the address of a server"),
        ("127.0.0.1:8737", "is not the address of a server"),
        ("http://user:secret@127.0.0.1:9", "is not the address of a server"),
    ],
)
def test_a_wrong_address_is_an_error(url: str, said: str, tmp_path: Path) -> None:
    ended = run_command("search", "a forklift", folder=tmp_path, MOMENTSEEK_SERVER=url)
    assert ended.code in (1, 2)
    assert said in ended.errors
    assert "secret" not in ended.errors


def test_answers_are_those_of_the_library(served_library: Path, server: object) -> None:
    questions = ["a forklift", {"shows": "a person", "without": "a hard hat"}, {"shows": "a dog", "none": True}]
    from pipeline.search import as_query

    with Client.of_library(served_library) or pytest.fail("no server") as client, Library.open(served_library) as own:
        for question in questions:
            through, without = client.ask(as_query(question)), own.ask(as_query(question))
            for name in ("moments", "absences", "explanation", "nearest", "found", "top", "videos", "videos_without"):
                assert getattr(through, name) == getattr(without, name), name
        assert client.videos() == own.videos()


def test_videos_are_selected_by_the_same_code_with_and_without_a_server(served_library: Path, server: object) -> None:
    assert Library.select is ServedVideos.select is OwnVideos.select
    with Library.open(served_library) as library, Client.of_library(served_library) as client:
        name = library.videos()[0].last_name
        for videos in (ServedVideos(client), OwnVideos(library, client)):
            assert videos.select() == library.select()
            assert videos.select(Path(name).name) == library.select(Path(name).name)
            with pytest.raises(QueryError, match="no video"):
                videos.select("nowhere.mp4")
        for criteria in ({"missing": True}, {"labels": ["car"]}, {"without_labels": iter(["car"])}):
            with pytest.raises(QueryError, match="on the machine of the library only"):
                ServedVideos(client).select(**criteria)
        assert OwnVideos(library, client).select(missing=True) == library.select(missing=True)


def test_ctrl_c_during_a_question(served_library: Path, server: subprocess.Popen[str]) -> None:
    server.send_signal(signal.SIGSTOP)  # it accepts connections, and does not answer
    try:
        process = subprocess.Popen(
            [*COMMAND, "search", "a forklift", "--library", str(served_library)],
            env=command_environment(),
            stderr=subprocess.PIPE,
            text=True,
        )
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=5)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
        assert (process.returncode, said.strip()) == (130, "interrupted")
    finally:
        server.send_signal(signal.SIGCONT)


def test_a_batch_through_the_client(served_library: Path, films: Path, tmp_path: Path) -> None:
    folder, allowed = tmp_path / "library", tmp_path / "videos"
    shutil.copytree(served_library, folder, ignore=shutil.ignore_patterns("server.json", "holder.json"))
    allowed.mkdir()
    shutil.copy(films / "snow-and-site.mp4", allowed / "snow.mp4")
    process = start_server(folder, "--allow-sources", str(allowed))
    try:
        server = find_server(folder)
        with Client(server.address) as client:
            for outside in (films / "fire-drill.mp4", allowed / "../library", "https://example.org/a.mp4"):
                with pytest.raises(MomentseekError):
                    list(client.index([outside]))
        # The private socket is for the server's own user, who can read these files anyway.
        with Client.of_library(folder) or pytest.fail("no server") as client:
            assert [report.status for report in client.index([films / "fire-drill.mp4"])] == ["skipped"]
            sources = [Source(str(allowed / "snow.mp4"), {"camera": "yard"}), allowed / "missing.mp4"]
            reports = {Path(report.source.uri).name: report for report in client.index(sources)}
            assert {name: report.status for name, report in reports.items()} == {
                "snow.mp4": "done",
                "missing.mp4": "failed",
            }
            assert "no such file" in (reports["missing.mp4"].problem or "")
            assert client.search("snow", metadata={"camera": "yard"})
            # A batch that nobody follows any more is stopped.
            following = client.index([allowed / "snow.mp4"])
            next(following)
            following.close()
    finally:
        stop_server(process)


def test_a_server_with_a_certificate(served_library: Path, tmp_path: Path) -> None:
    folder = tmp_path / "library"
    shutil.copytree(served_library, folder, ignore=shutil.ignore_patterns("server.json", "holder.json"))
    certificate, key = make_certificate(tmp_path)
    process = start_server(folder, "--certificate", str(certificate), "--private-key", str(key))
    try:
        with Client.of_library(folder) or pytest.fail("no server") as client:
            assert len(client.videos()) == 2
            assert client.search("a forklift")
    finally:
        stop_server(process)
