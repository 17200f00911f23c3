"""The Ray that a batch starts: who else on this machine, or in its network, can reach it."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import ConfigError, ExecutionError
from pipeline.execution.ray.session_folder import PREFIX, bases, remove_abandoned, session_folder
from pipeline.execution.ray.token import private_token
from pipeline.submission.address import token_header

PROJECT = Path(__file__).resolve().parent.parent.parent
TOKEN = "0123456789abcdef" * 4
OTHER_USER = 65534

OBSERVER = """
    import glob, json, os, sys, time
    os.umask(0o022)
    from pipeline.execution import Execution
    from pipeline.execution.ray.cluster import connected

    def listeners():
        import psutil
        here = psutil.Process()
        for process in [here, *here.children(recursive=True)]:
            for each in process.net_connections(kind="inet"):
                if each.status == "LISTEN":
                    yield [process.name(), each.laddr.ip, each.laddr.port]

    def sockets():
        found = glob.glob(sys.argv[1] + "/ms-ray-*/r/*/sockets/*")
        for path in sorted({os.path.realpath(os.path.dirname(each)) for each in found}):
            yield [path, os.stat(path).st_mode & 0o777]

    with connected(Execution()):
        import ray
        told = {"worked": ray.get(ray.remote(lambda: 6 * 7).remote()), "listeners": list(listeners())}
        told |= {"sockets": list(sockets()), "plasma": os.listdir("/dev/shm")}
        print(json.dumps(told), flush=True)
        if "wait" in sys.argv:
            sys.stdin.readline()
"""


def environment(home: Path, **changes: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_") and name != "TMPDIR"}
    return kept | {"HOME": str(home), "PYTHONPATH": str(PROJECT)} | changes


def start(home: Path, *arguments: str, **changes: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(OBSERVER), *arguments],
        env=environment(home, **changes),
        cwd=home,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def keep_token(home: Path, *, token_mode: int = 0o644, folder_mode: int = 0o755) -> Path:
    path = home / ".ray" / "auth_token"
    path.parent.mkdir()
    path.write_text(TOKEN)
    path.chmod(token_mode)
    path.parent.chmod(folder_mode)
    return path


@pytest.fixture
def base() -> Iterator[Path]:
    """A folder for temporary files with a short path that every user may enter."""
    with tempfile.TemporaryDirectory(prefix="b-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_TMPDIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.ray
def test_a_batchs_ray_is_closed_to_others_and_removed(tmp_path: Path, base: Path) -> None:
    process = start(tmp_path, str(base), "wait", TMPDIR=str(base))
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate(timeout=30)[1]
    told: dict[str, Any] = json.loads(line)
    try:
        assert told["worked"] == 42
        addresses = {address for _, address, _ in told["listeners"]}
        assert len(told["listeners"]) > 5
        assert addresses <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}, told["listeners"]
        assert {found for _, found in told["sockets"]} == {0o700}
        assert mode(tmp_path / ".ray" / "auth_token") == 0o600
        assert len((tmp_path / ".ray" / "auth_token").read_text()) == 64
        (folder,) = base.glob(f"{PREFIX}*")
        assert mode(folder) == 0o700
        for _, _, port in told["listeners"]:
            assert not connects(own_address(), port)
        if os.geteuid() == 0:
            assert attacked_by_another_user(told["sockets"][0][0]) == ["PermissionError"] * 2
    finally:
        _, err = process.communicate("\n", timeout=60)
    assert (process.returncode, list(base.iterdir())) == (0, []), err


def own_address() -> str:
    """This machine's address in its network; where it has none, one that nobody listens on."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.2"
        return str(probe.getsockname()[0])


def connects(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError:
        return False
    return True


def attacked_by_another_user(sockets: str) -> list[str]:
    """What another user gets who connects to Ray's sockets; a fork, since that user may be unable to start Python."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgid(OTHER_USER)
        os.setuid(OTHER_USER)
        for name in ("raylet", "plasma_store"):
            try:
                socket.socket(socket.AF_UNIX).connect(f"{sockets}/{name}")
                os.write(writing, b"connected ")
            except OSError as error:
                os.write(writing, f"{type(error).__name__} ".encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as pipe:
        return pipe.read().split()


@pytest.mark.ray
def test_a_killed_batch_leaves_a_folder_that_the_next_one_removes(tmp_path: Path, base: Path) -> None:
    process = start(tmp_path, str(base), "wait", RAY_TMPDIR=str(base))
    assert process.stdout is not None
    assert process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=30)
    process.communicate()
    (left,) = base.glob(f"{PREFIX}*")
    assert mode(left) == 0o700
    remove_abandoned(base)
    until = time.monotonic() + 60
    while left.exists() and time.monotonic() < until:
        # Ray's processes end a moment after the one that started them, and may write until then.
        time.sleep(0.2)
        remove_abandoned(base)
    assert not left.exists()


@pytest.mark.ray
def test_a_start_that_fails_twice_is_one_sentence_and_leaves_nothing(tmp_path: Path, base: Path) -> None:
    """Ray waits no time at all for its server's port."""
    process = start(tmp_path, str(base), TMPDIR=str(base), RAY_gcs_server_port_wait_time_s="0")
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (1, "")
    assert "It is started once more" in err
    last = err.strip().splitlines()[-1]
    assert last.startswith("pipeline.errors.ExecutionError: Ray did not start on this machine in two attempts:")
    assert list(base.iterdir()) == []
    listed = subprocess.run(["ps", "-eo", "args"], text=True, capture_output=True, check=True).stdout
    assert str(base) not in listed


@pytest.mark.ray
@pytest.mark.slow
def test_a_first_start_from_a_slow_disk_is_met_by_a_second_one(tmp_path: Path, base: Path) -> None:
    """An agent of the first start takes longer than the 30 seconds that Ray gives it, as on a disk that is cold."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import os, sys, time\n"
        f"mark = {str(tmp_path / 'mark')!r}\n"
        "if any('dashboard/agent.py' in each for each in sys.orig_argv) and not os.path.exists(mark):\n"
        "    open(mark, 'w').close()\n"
        "    time.sleep(60)\n"
    )
    process = start(tmp_path, str(base), TMPDIR=str(base), PYTHONPATH=f"{site}{os.pathsep}{PROJECT}")
    out, err = process.communicate(timeout=200)
    assert json.loads(out)["worked"] == 42, err
    assert "timed out during startup" in err
    assert (process.returncode, list(base.iterdir())) == (0, [])


@pytest.mark.parametrize("token_mode", [0o644, 0o640, 0o604, 0o666, 0o602])
def test_a_token_that_others_can_read_is_made_private_and_not_used(home: Path, token_mode: int, caplog: Any) -> None:
    caplog.set_level("INFO", logger="pipeline")
    path = keep_token(home, token_mode=token_mode)
    (own,) = private_token(home).values()
    assert (mode(Path(own)), Path(own).read_text() != TOKEN) == (0o600, True)
    assert private_token(home) == {}
    assert (mode(path), path.read_text()) == (0o600, TOKEN)
    assert "create a new token" in caplog.text
    assert TOKEN not in caplog.text


def test_a_token_in_a_folder_that_others_write_to_is_made_private(home: Path) -> None:
    path = keep_token(home, token_mode=0o600, folder_mode=0o777)
    assert private_token(home) == {"RAY_AUTH_TOKEN_PATH": str(home / "auth_token")}
    assert mode(path.parent) == 0o755


def test_a_token_behind_a_link_is_made_private(home: Path) -> None:
    path = keep_token(home)
    path.rename(home / "elsewhere")
    path.symlink_to(home / "elsewhere")
    assert private_token(home) == {"RAY_AUTH_TOKEN_PATH": str(home / "auth_token")}
    assert mode(home / "elsewhere") == 0o600


def test_a_token_that_a_variable_names_is_made_private(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "mine").write_text(TOKEN)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(home / "mine"))
    assert private_token(home) == {"RAY_AUTH_TOKEN_PATH": str(home / "auth_token")}
    assert mode(home / "mine") == 0o600
    assert not (home / ".ray").exists()
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(home / "none"))
    with pytest.raises(ConfigError, match=r"RAY_AUTH_TOKEN_PATH names .*none"):
        private_token(home)


def test_a_token_in_the_environment_needs_no_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    assert private_token(home) == {}
    assert list(home.iterdir()) == []


def test_a_new_token_is_private_under_any_umask(home: Path) -> None:
    before = os.umask(0)
    try:
        assert private_token(home) == {}
    finally:
        os.umask(before)
    path = home / ".ray" / "auth_token"
    assert (mode(path), mode(path.parent), len(path.read_text())) == (0o600, 0o700, 64)
    assert [each.name for each in path.parent.iterdir()] == ["auth_token"]


@pytest.mark.root
def test_a_token_of_another_user_is_not_used(home: Path, caplog: Any) -> None:
    caplog.set_level("INFO", logger="pipeline")
    path = keep_token(home, token_mode=0o600)
    os.chown(path, OTHER_USER, OTHER_USER)
    (own,) = private_token(home).values()
    assert (mode(Path(own)), Path(own).read_text() != TOKEN) == (0o600, True)
    assert "belongs to user" in caplog.text


def test_a_home_that_cannot_be_written_gets_a_token_of_its_own(home: Path) -> None:
    (home / ".ray").write_text("a file where a folder should be")
    (own,) = private_token(home).values()
    assert mode(Path(own)) == 0o600


def test_a_submission_makes_the_token_private_too(home: Path, caplog: Any) -> None:
    caplog.set_level("INFO", logger="pipeline")
    path = keep_token(home)
    assert token_header() == {"Authorization": f"Bearer {TOKEN}"}
    assert mode(path) == 0o600
    assert "other users can read it (mode 0644)" in caplog.text


def test_a_long_temporary_folder_is_passed_over(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = base / ("long" * 10)
    long.mkdir()
    monkeypatch.setenv("RAY_TMPDIR", str(long))
    with session_folder() as folder:
        sockets = f"{folder}/r/session_2026-11-29_19-34-31_095814_4194304/sockets/plasma_store.1"
        assert folder.parent in bases()[1:]
        assert (mode(folder), len(os.fsencode(sockets)) <= 107) == (0o700, True)
    assert not folder.exists()


def test_a_folder_that_others_can_rearrange_is_passed_over(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base.chmod(0o777)
    monkeypatch.setenv("RAY_TMPDIR", str(base))
    with session_folder() as folder:
        assert folder.parent != base


def test_no_place_for_the_sockets_is_one_sentence(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base.chmod(0o777)
    monkeypatch.setattr("pipeline.execution.ray.session_folder.bases", lambda: [base, base / "none"])
    with pytest.raises(ExecutionError, match=r"rearranged.*Set RAY_TMPDIR"), session_folder():
        pass


def test_a_folder_in_use_is_left_alone(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(base))
    with session_folder() as first, session_folder() as second:
        assert (first.exists(), second.exists(), first != second) == (True, True, True)


def test_what_only_looks_like_an_abandoned_folder_is_left_alone(base: Path, tmp_path: Path) -> None:
    (tmp_path / "owner").touch()
    (base / f"{PREFIX}link").symlink_to(tmp_path)
    fresh = base / f"{PREFIX}fresh"
    fresh.mkdir()
    linked = base / f"{PREFIX}lock"
    linked.mkdir()
    (linked / "owner").symlink_to(tmp_path / "owner")
    old = base / f"{PREFIX}old"
    old.mkdir()
    (old / "away").symlink_to(tmp_path)
    with (old / "owner").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        remove_abandoned(base)
        assert old.exists()
    remove_abandoned(base)
    assert sorted(each.name for each in base.iterdir()) == [f"{PREFIX}{name}" for name in ("fresh", "link", "lock")]
    assert (tmp_path / "owner").exists()
