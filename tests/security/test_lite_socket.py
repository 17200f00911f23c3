"""While a library is open, nobody but its user reaches Milvus Lite: no TCP port, a socket in a folder of 0700."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from own_process import script_output

from pipeline.errors import MomentIndexError
from pipeline.index import Indexing, MilvusIndex
from pipeline.index.milvus.lite.holder_file import HOLDER_FILE, Holder, read_holder, write_holder
from pipeline.io import private_socket as lite_socket
from pipeline.io.process_identity import Process, this_process
from pipeline.testing.index import DIMENSION, random_rows, row, unit

STRANGER = 65_534


def listening() -> set[str]:
    """The TCP sockets on which this process listens, as the kernel's tables have them."""
    links = [link for link in map(_target, Path("/proc/self/fd").iterdir()) if link.startswith("socket:[")]
    own = {link[len("socket:[") : -1] for link in links}
    tables = [Path("/proc/self/net/tcp"), Path("/proc/self/net/tcp6")]
    lines = [line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
    return {fields[1] for fields in lines if fields[3] == "0A" and fields[9] in own}


def _target(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except FileNotFoundError:
        return ""


def socket_of(index: MilvusIndex) -> Path:
    return Path(index._connection.uri.removeprefix("unix://"))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place that sockets are put into; short, as sockets' names must be."""
    place = Path(tempfile.mkdtemp(prefix="ms-", dir="/tmp"))
    monkeypatch.setattr(lite_socket, "_roots", lambda: [place])
    return place


def test_no_tcp_port_is_opened(tmp_path: Path) -> None:
    before = listening()
    with MilvusIndex(Indexing(), "abc", DIMENSION, folder=tmp_path / "index") as index:
        index.upsert(random_rows(20))
        assert len(index.search(unit(1)[None], top=5)[0]) == 5
        assert listening() == before
        assert index._connection.uri.startswith("unix:///")


@pytest.mark.slow
def test_index_and_search_open_no_tcp_port(tmp_path: Path) -> None:
    """The whole commands in a process of their own, looked at whenever an index is closed, and after each.

    The search reads the index from its files, the two others open it.
    """
    script = tmp_path / "watched.py"
    script.write_text(_WATCHED)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (_TESTS, _TESTS.parent, _TESTS / "security")))}
    done = subprocess.run(
        [sys.executable, script, tmp_path], capture_output=True, text=True, check=False, timeout=200, env=environment
    )
    assert done.stdout.splitlines()[-1:] == ["5 looks: []"], done.stdout + done.stderr


_TESTS = Path(__file__).resolve().parent.parent
_WATCHED = """
import sys
from pathlib import Path
import yaml
from test_lite_socket import listening
from tiny_model import make_tiny_model
from video_factory import make_video, steady
import pipeline.index.milvus.lite.folder as lite
from pipeline.cli import main

folder = Path(sys.argv[1])
configuration = folder / "config.yaml"
configuration.write_text(yaml.safe_dump({"library": str(folder / "library"), "encoder": make_tiny_model(folder)}))
make_video(folder / "a.mp4", steady(20))
looks = []
close = lite.LiteFolder.close
def look_and_close(self):
    looks.append(listening())
    close(self)
lite.LiteFolder.close = look_and_close
for words in (
    ["index", str(folder / "a.mp4"), "--in-process", "-c", str(configuration)],
    ["search", "a thing", "-l", str(folder / "library"), "--min-score", "0"],
    ["index", "verify", "-l", str(folder / "library")],
):
    assert main(words) == 0, words
    looks.append(listening())
print(len(looks), "looks:", sorted(set().union(*looks)))
"""


def test_the_socket_is_its_users_alone(tmp_path: Path) -> None:
    with MilvusIndex(Indexing(), "abc", DIMENSION, folder=tmp_path / "index") as index:
        path = socket_of(index)
        for place, is_kind, mode in ((path, stat.S_ISSOCK, 0o600), (path.parent, stat.S_ISDIR, 0o700)):
            seen = place.lstat()
            assert is_kind(seen.st_mode)
            assert (seen.st_uid, stat.S_IMODE(seen.st_mode)) == (os.geteuid(), mode)
    assert not path.exists()


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_a_loose_umask_loosens_nothing(root: Path, tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        with MilvusIndex(Indexing(), "abc", DIMENSION, folder=tmp_path / "index") as index:
            modes = [stat.S_IMODE(place.lstat().st_mode) for place in (socket_of(index).parent, socket_of(index))]
    finally:
        os.umask(before)
    assert modes == [0o700, 0o600]


@pytest.mark.root
def test_another_user_cannot_connect(tmp_path: Path) -> None:
    with MilvusIndex(Indexing(), "abc", DIMENSION, folder=tmp_path / "index") as index:
        path = socket_of(index)
        os.seteuid(STRANGER)
        try:
            with socket.socket(socket.AF_UNIX) as stranger, pytest.raises(PermissionError):
                stranger.connect(str(path))
        finally:
            os.seteuid(0)


def test_nothing_is_left_when_it_is_closed(root: Path, tmp_path: Path) -> None:
    MilvusIndex(Indexing(), "abc", DIMENSION, folder=tmp_path / "index").close()
    assert list(root.rglob("*")) == []


def test_a_process_that_does_not_close_it_leaves_nothing_either(tmp_path: Path) -> None:
    script = f"""
        from pathlib import Path
        from pipeline.index import Indexing, MilvusIndex
        index = MilvusIndex(Indexing(), "abc", folder=Path({str(tmp_path / "index")!r}))
        print(index._connection.uri)
    """
    said, error = script_output(script, tmp_path / "script", longest_seconds=60)
    assert said.startswith("unix:///"), error
    assert not Path(said.strip().removeprefix("unix://")).exists()


def test_what_a_killed_process_left_behind_is_swept(root: Path, tmp_path: Path) -> None:
    place = root / f"momentseek-{os.geteuid()}"
    place.mkdir(mode=0o700)
    left, young, served = place / "left.sock", place / "young.sock", place / "served.sock"
    (place / "a-file").touch()
    sockets = {path: socket.socket(socket.AF_UNIX) for path in (left, young, served)}
    for path, each in sockets.items():
        each.bind(str(path))
        if path != young:
            os.utime(path, (time.time() - 3600, time.time() - 3600))
    sockets[served].listen()
    with MilvusIndex(Indexing(), "abc", DIMENSION, folder=tmp_path / "index"):
        assert {path.name for path in place.iterdir() if path.name[0] not in "0123456789abcdef" or "." not in path.name}
        assert not left.exists()
        assert young.exists()
        assert served.exists()
        assert (place / "a-file").exists()
    for each in sockets.values():
        each.close()


@pytest.mark.parametrize("squat", ["loose", "link", "file", "strange"])
def test_a_folder_that_somebody_else_prepared_is_not_used(root: Path, tmp_path: Path, squat: str) -> None:
    place = root / f"momentseek-{os.geteuid()}"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    if squat == "link":
        place.symlink_to(elsewhere)
    elif squat == "file":
        place.touch()
    else:
        place.mkdir()
        place.chmod(0o777 if squat == "loose" else 0o700)
        if squat == "strange":
            if os.geteuid() != 0:
                pytest.skip("only root can give a folder away")
            os.chown(place, STRANGER, STRANGER)
    with MilvusIndex(Indexing(), "abc", DIMENSION, folder=tmp_path / "index") as index:
        used = socket_of(index).parent
        assert used != place
        assert stat.S_IMODE(used.lstat().st_mode) == 0o700
        index.upsert([row("v", 0, unit(1))])
    assert list(elsewhere.iterdir()) == []
    assert not used.exists()


def test_a_place_where_others_can_swap_folders_is_not_used(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root.chmod(0o777)
    with pytest.raises(MomentIndexError, match=r"no safe location.*XDG_RUNTIME_DIR.*TMPDIR"):
        MilvusIndex(Indexing(), "abc", DIMENSION, folder=tmp_path / "index")
    root.chmod(0o1777)
    MilvusIndex(Indexing(), "abc", DIMENSION, folder=tmp_path / "index").close()
    below = root / "below"
    below.mkdir(mode=0o755)
    root.chmod(0o777)
    monkeypatch.setattr(lite_socket, "_roots", lambda: [below])
    with pytest.raises(MomentIndexError, match="no safe location"):
        MilvusIndex(Indexing(), "abc", DIMENSION, folder=tmp_path / "index")


def test_a_place_whose_name_is_too_long_is_passed_over(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(lite_socket, "_roots", lambda: [tmp_path / "missing", long, root])
    with MilvusIndex(Indexing(), "abc", DIMENSION, folder=tmp_path / "index") as index:
        assert socket_of(index).is_relative_to(root)
    assert list(long.iterdir()) == []


def test_odd_characters_in_the_place(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = root / "a b%41é#?"
    odd.mkdir(mode=0o700)
    monkeypatch.setattr(lite_socket, "_roots", lambda: [odd])
    with MilvusIndex(Indexing(), "abc", DIMENSION, folder=tmp_path / "index") as index:
        index.upsert(random_rows(3))
        assert index.count() == 3
        [place] = odd.iterdir()
        assert len(list(place.iterdir())) == 1


def test_a_proxy_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "grpc_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
    with MilvusIndex(Indexing(), "abc", DIMENSION, folder=tmp_path / "index") as index:
        index.upsert(random_rows(3))
        assert index.count() == 3


def test_opened_again_it_knows_what_changed_meanwhile(tmp_path: Path) -> None:
    """A socket's name is used once: pymilvus remembers schemas and connections by address."""
    addresses = set()
    for dimension in (DIMENSION, DIMENSION - 1):
        with MilvusIndex(Indexing(collection=f"of_{dimension}"), "abc", dimension, folder=tmp_path / "index") as index:
            addresses.add(index._connection.uri)
            assert index.count() == 0
    assert len(addresses) == 2


@pytest.mark.parametrize("trap", ["loose", "link", "name", "file", "strange folder", "strange socket", "strange file"])
def test_a_folder_that_names_a_socket_of_others_is_not_joined(root: Path, tmp_path: Path, trap: str) -> None:
    """A received library, or another user, names a socket on which somebody listens for rows and questions."""
    if trap.startswith("strange") and os.geteuid() != 0:
        pytest.skip("only root can give files away")
    folder = tmp_path / "index"
    folder.mkdir()
    place = root / "place"
    place.mkdir(mode=0o700)
    prefix = "0123456789ab" if trap == "name" else lite_socket.socket_prefix(folder)
    path = place / f"{prefix}-1-abcdef.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        listener.setblocking(False)
        if trap == "loose":
            place.chmod(0o755)
        elif trap == "link":
            (root / "linked").symlink_to(place)
            path = root / "linked" / path.name
        elif trap == "file":
            path = path.with_suffix(".file")
            path.touch()
        elif trap == "strange folder":
            os.chown(place, STRANGER, STRANGER)
        elif trap == "strange socket":
            os.chown(path, STRANGER, STRANGER)
        write_holder(folder, Holder(_running(), is_own=True, socket=path))
        if trap == "strange file":
            os.chown(folder / HOLDER_FILE, STRANGER, STRANGER)
        with MilvusIndex(Indexing(), "abc", DIMENSION, folder=folder) as index:
            index.upsert(random_rows(3))
            assert socket_of(index) != path
            holder = read_holder(folder)
            assert holder is not None
            assert holder.process == this_process()
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_socket_that_only_its_user_can_have_made_is_joined(root: Path, tmp_path: Path) -> None:
    """What the test above relies on: without a trap, the named socket would be used."""
    folder = tmp_path / "index"
    with MilvusIndex(Indexing(), "abc", DIMENSION, folder=folder) as index:
        assert lite_socket.is_private_socket(socket_of(index), folder)
        other = tmp_path / "other"
        other.mkdir()
        assert not lite_socket.is_private_socket(socket_of(index), other)
    assert not lite_socket.is_private_socket(socket_of(index), folder)


def _running() -> Process:
    """Another process, which runs."""
    here = this_process()
    return Process(
        os.getppid(), int(Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()[19]), here.place
    )
